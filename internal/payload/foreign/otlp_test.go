package foreign

import (
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/protobuf/proto"

	"floodgate/internal/payload"
)

func otlpDecode(d *Decoder, r io.Reader, v Visit) error { return d.OTLP(r, v) }

const (
	delta = metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_DELTA
	cumul = metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE
)

func text(key, value string) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: value}}}
}

func whole(value int64, start, at uint64, attributes ...*commonpb.KeyValue) *metricspb.NumberDataPoint {
	return &metricspb.NumberDataPoint{Value: &metricspb.NumberDataPoint_AsInt{AsInt: value}, StartTimeUnixNano: start * 1e9, TimeUnixNano: at * 1e9, Attributes: attributes}
}

func sum(name string, temporality metricspb.AggregationTemporality, monotonic bool, points ...*metricspb.NumberDataPoint) *metricspb.Metric {
	return &metricspb.Metric{Name: name, Data: &metricspb.Metric_Sum{Sum: &metricspb.Sum{AggregationTemporality: temporality, IsMonotonic: monotonic, DataPoints: points}}}
}

// request is a body with metrics of one resource.
func request(t testing.TB, host string, metrics ...*metricspb.Metric) string {
	t.Helper()
	body, err := proto.Marshal(&metricspb.MetricsData{ResourceMetrics: []*metricspb.ResourceMetrics{{
		Resource:     &resourcepb.Resource{Attributes: []*commonpb.KeyValue{text("host.name", host)}},
		ScopeMetrics: []*metricspb.ScopeMetrics{{Metrics: metrics}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// otlpBody has a metric of every kind.
func otlpBody(t testing.TB) string {
	one, two := 1.0, 2.0
	return request(t, "h",
		sum("c", delta, true, whole(5, 1, 2, text("env", "a"), text("simple", ""))),
		sum("updown", cumul, false, whole(-5, 1, 2)),
		sum("total", cumul, true, whole(7, 1, 2)),
		&metricspb.Metric{Name: "g", Data: &metricspb.Metric_Gauge{Gauge: &metricspb.Gauge{DataPoints: []*metricspb.NumberDataPoint{
			{Value: &metricspb.NumberDataPoint_AsDouble{AsDouble: 1.5}, TimeUnixNano: 2e9},
			{Value: &metricspb.NumberDataPoint_AsDouble{AsDouble: math.NaN()}},
			{Flags: 1, Value: &metricspb.NumberDataPoint_AsInt{AsInt: 9}},
			{},
		}}}},
		&metricspb.Metric{Name: "h", Data: &metricspb.Metric_Histogram{Histogram: &metricspb.Histogram{AggregationTemporality: delta, DataPoints: []*metricspb.HistogramDataPoint{
			{Count: 3, Sum: &two, Min: &one, Max: &two, TimeUnixNano: 2e9}, {Count: 1, TimeUnixNano: 2e9}, {Count: 8, Flags: 1},
		}}}},
		&metricspb.Metric{Name: "e", Data: &metricspb.Metric_ExponentialHistogram{ExponentialHistogram: &metricspb.ExponentialHistogram{AggregationTemporality: delta, DataPoints: []*metricspb.ExponentialHistogramDataPoint{
			{Count: 4, Sum: &one, TimeUnixNano: 2e9},
		}}}},
		&metricspb.Metric{Name: "s", Data: &metricspb.Metric_Summary{Summary: &metricspb.Summary{DataPoints: []*metricspb.SummaryDataPoint{
			{Count: 2, Sum: 9, StartTimeUnixNano: 1e9, TimeUnixNano: 2e9, QuantileValues: []*metricspb.SummaryDataPoint_ValueAtQuantile{{Quantile: 0, Value: 4}, {Quantile: 0.5, Value: 4}, {Quantile: 1, Value: 5}}},
		}}}},
		&metricspb.Metric{Name: "nothing"},
	)
}

func TestOTLP(t *testing.T) {
	got, err := show(t, &Decoder{}, otlpDecode, strings.NewReader(otlpBody(t)))
	want := []string{
		"c|env:a,simple count 5@2", "updown| gauge -5@2", "total| count 7@2", "g| gauge 1.5@2",
		"h.count| count 3@2", "h.sum| count 2@2", "h.min| gauge 1@2", "h.max| gauge 2@2", "h.count| count 1@2",
		"e.count| count 4@2", "e.sum| count 1@2",
		"s.count| count 2@2", "s.sum| count 9@2", "s.min| gauge 4@2", "s.max| gauge 5@2",
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v\ngot  %q\nwant %q", err, got, want)
	}
}

// TestOTLPCumulative follows one series through several bodies.
func TestOTLPCumulative(t *testing.T) {
	d := &Decoder{}
	summary := func(count, start uint64) *metricspb.Metric {
		return &metricspb.Metric{Name: "s", Data: &metricspb.Metric_Summary{Summary: &metricspb.Summary{DataPoints: []*metricspb.SummaryDataPoint{{Count: count, StartTimeUnixNano: start, TimeUnixNano: 2e9}}}}}
	}
	for _, step := range []struct {
		why, host string
		metrics   []*metricspb.Metric
		want      []string
	}{
		{"the first counts from zero", "h", []*metricspb.Metric{sum("c", cumul, true, whole(5, 1, 2, text("a", "1"), text("b", "2")))}, []string{"c|a:1,b:2 count 5@2"}},
		{"what was added, in whatever order the attributes come", "h", []*metricspb.Metric{sum("c", cumul, true, whole(8, 1, 3, text("b", "2"), text("a", "1")))}, []string{"c|b:2,a:1 count 3@3"}},
		{"sent again it adds nothing", "h", []*metricspb.Metric{sum("c", cumul, true, whole(8, 1, 3, text("a", "1"), text("b", "2")))}, []string{"c|a:1,b:2 count 0@3"}},
		{"another resource counts by itself", "i", []*metricspb.Metric{sum("c", cumul, true, whole(6, 1, 3, text("a", "1"), text("b", "2")))}, []string{"c|a:1,b:2 count 6@3"}},
		{"a new start counts from zero, even when it is higher", "h", []*metricspb.Metric{sum("c", cumul, true, whole(9, 4, 5, text("a", "1"), text("b", "2")))}, []string{"c|a:1,b:2 count 9@5"}},
		{"a summary with a start for each interval", "h", []*metricspb.Metric{summary(3, 1)}, []string{"s.count| count 3@2", "s.sum| count 0@2"}},
		{"counts as a whole each time", "h", []*metricspb.Metric{summary(4, 2)}, []string{"s.count| count 4@2", "s.sum| count 0@2"}},
		{"and with one start what was added", "h", []*metricspb.Metric{summary(6, 2)}, []string{"s.count| count 2@2", "s.sum| count 0@2"}},
	} {
		got, err := show(t, d, otlpDecode, strings.NewReader(request(t, step.host, step.metrics...)))
		if err != nil || !slices.Equal(got, step.want) {
			t.Errorf("%s: %q, %v, want %q", step.why, got, err, step.want)
		}
	}
}

func TestOTLPRefuses(t *testing.T) {
	for body, want := range map[string]string{"\xff": "cannot decode the metrics", request(t, "h", sum("", delta, true)): "one has no name"} {
		if _, err := show(t, &Decoder{}, otlpDecode, strings.NewReader(body)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", body, err, want)
		}
	}
	stop := errors.New("stop")
	if err := (&Decoder{}).OTLP(strings.NewReader(otlpBody(t)), Visit{Series: func(*payload.Series) error { return stop }}); err != stop {
		t.Errorf("%v, want the visitor's error", err)
	}
}

func TestAttributeValues(t *testing.T) {
	value := func(v *commonpb.AnyValue) *commonpb.KeyValue { return &commonpb.KeyValue{Key: "k", Value: v} }
	list := &commonpb.ArrayValue{Values: []*commonpb.AnyValue{{Value: &commonpb.AnyValue_IntValue{IntValue: 1}}, {Value: &commonpb.AnyValue_BoolValue{BoolValue: true}}}}
	for want, a := range map[string]*commonpb.KeyValue{
		"k":          value(nil),
		"k:2.5":      value(&commonpb.AnyValue{Value: &commonpb.AnyValue_DoubleValue{DoubleValue: 2.5}}),
		"k:b":        value(&commonpb.AnyValue{Value: &commonpb.AnyValue_BytesValue{BytesValue: []byte("b")}}),
		"k:[1 true]": value(&commonpb.AnyValue{Value: &commonpb.AnyValue_ArrayValue{ArrayValue: list}}),
		"k:{x:1 y}":  value(&commonpb.AnyValue{Value: &commonpb.AnyValue_KvlistValue{KvlistValue: &commonpb.KeyValueList{Values: []*commonpb.KeyValue{text("x", "1"), text("y", "")}}}}),
	} {
		if got := attribute(a); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

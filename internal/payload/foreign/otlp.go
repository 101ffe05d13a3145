package foreign

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/protobuf/proto"

	"floodgate/internal/payload"
)

// OTLP decodes one ExportMetricsServiceRequest in protobuf, from r to its end.
// Tags are the attributes of the data points as key:value, or the key alone
// where the value is empty; those of the resource and the scope are left out,
// since they tell of the server and not of what was sent to it. Points flagged
// as having no value are skipped, and those that are no finite number.
//
// The counts of summaries are taken for cumulative, as the format has them, and
// an interval that starts anew counts as a whole. The whole body is held.
func (d *Decoder) OTLP(r io.Reader, v Visit) error {
	body, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	// MetricsData has the one field of the request, with the same number.
	var data metricspb.MetricsData
	if err := proto.Unmarshal(body, &data); err != nil {
		return fmt.Errorf("cannot decode the metrics: %w", err)
	}
	o := otlp{d: d, v: &v}
	for _, resource := range data.ResourceMetrics {
		scope := attributesKey(resource.GetResource().GetAttributes())
		for _, metrics := range resource.ScopeMetrics {
			o.scope = scope + "\x00" + metrics.GetScope().GetName()
			for _, m := range metrics.Metrics {
				if err := o.metric(m); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// otlp is the state of one body.
type otlp struct {
	d     *Decoder
	v     *Visit
	scope string // tells contextKeys of several resources apart
}

func (o *otlp) metric(m *metricspb.Metric) error {
	if m.Name == "" {
		return fmt.Errorf("cannot decode the metrics: one has no name")
	}
	switch data := m.Data.(type) {
	case *metricspb.Metric_Sum:
		return o.sum(m.Name, data.Sum)
	case *metricspb.Metric_Gauge:
		for _, p := range data.Gauge.DataPoints {
			if err := o.number(m.Name, payload.Gauge, false, p); err != nil {
				return err
			}
		}
	case *metricspb.Metric_Histogram:
		for _, p := range data.Histogram.DataPoints {
			if err := o.summarised(m.Name, summarised{p, p.Attributes, data.Histogram.AggregationTemporality, p.Sum, p.Min, p.Max}); err != nil {
				return err
			}
		}
	case *metricspb.Metric_ExponentialHistogram:
		for _, p := range data.ExponentialHistogram.DataPoints {
			if err := o.summarised(m.Name, summarised{p, p.Attributes, data.ExponentialHistogram.AggregationTemporality, p.Sum, p.Min, p.Max}); err != nil {
				return err
			}
		}
	case *metricspb.Metric_Summary:
		for _, p := range data.Summary.DataPoints {
			s := summarised{p, p.Attributes, cumulativeTemporality, &p.Sum, nil, nil}
			for _, q := range p.QuantileValues {
				switch q.Quantile {
				case 0:
					s.min = &q.Value
				case 1:
					s.max = &q.Value
				}
			}
			if err := o.summarised(m.Name, s); err != nil {
				return err
			}
		}
	}
	return nil
}

const cumulativeTemporality = metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE

func (o *otlp) sum(name string, sum *metricspb.Sum) error {
	typ, cumulative := payload.Count, sum.AggregationTemporality == cumulativeTemporality
	if cumulative && !sum.IsMonotonic {
		typ, cumulative = payload.Gauge, false // what may fall cannot be told from a new beginning
	}
	for _, p := range sum.DataPoints {
		if err := o.number(name, typ, cumulative, p); err != nil {
			return err
		}
	}
	return nil
}

func (o *otlp) number(name string, typ payload.Type, cumulative bool, p *metricspb.NumberDataPoint) error {
	var value float64
	switch x := p.Value.(type) {
	case *metricspb.NumberDataPoint_AsInt:
		value = float64(x.AsInt)
	case *metricspb.NumberDataPoint_AsDouble:
		value = x.AsDouble
	default:
		return nil
	}
	if noValue(p.Flags) {
		return nil
	}
	return o.emit(name, "", typ, cumulative, p, p.Attributes, value)
}

func noValue(flags uint32) bool {
	return flags&uint32(metricspb.DataPointFlags_DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK) != 0
}

// point is what all kinds of data points have.
type point interface {
	GetStartTimeUnixNano() uint64
	GetTimeUnixNano() uint64
	GetFlags() uint32
}

// summarised is a data point that stands for many values.
type summarised struct {
	point interface {
		point
		GetCount() uint64
	}
	attributes    []*commonpb.KeyValue
	temporality   metricspb.AggregationTemporality
	sum, min, max *float64 // nil where there is none
}

func (o *otlp) summarised(name string, s summarised) error {
	if noValue(s.point.GetFlags()) {
		return nil
	}
	cumulative := s.temporality == cumulativeTemporality
	count := float64(s.point.GetCount())
	if err := o.emit(name, ".count", payload.Count, cumulative, s.point, s.attributes, count); err != nil {
		return err
	}
	for _, part := range []struct {
		suffix     string
		typ        payload.Type
		cumulative bool
		value      *float64
	}{
		{".sum", payload.Count, cumulative, s.sum},
		{".min", payload.Gauge, false, s.min},
		{".max", payload.Gauge, false, s.max},
	} {
		if part.value == nil {
			continue
		}
		if err := o.emit(name, part.suffix, part.typ, part.cumulative, s.point, s.attributes, *part.value); err != nil {
			return err
		}
	}
	return nil
}

func (o *otlp) emit(name, suffix string, typ payload.Type, cumulative bool, p point, attributes []*commonpb.KeyValue, value float64) error {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return nil
	}
	s := o.d.begin()
	s.Metric = name
	for _, a := range attributes {
		s.Tags = append(s.Tags, attribute(a))
	}
	if cumulative {
		value = o.d.before.added(s, o.scope, suffix, p.GetStartTimeUnixNano(), value)
	}
	if suffix != "" {
		name += suffix
	}
	return o.d.emit(o.v, name, typ, int64(p.GetTimeUnixNano()/1e9), value)
}

// attribute is key:value, or the key alone where there is no value.
func attribute(a *commonpb.KeyValue) string {
	value := attributeValue(a.GetValue())
	if value == "" {
		return a.GetKey()
	}
	return a.GetKey() + ":" + value
}

func attributeValue(v *commonpb.AnyValue) string {
	switch x := v.GetValue().(type) {
	case *commonpb.AnyValue_StringValue:
		return x.StringValue
	case *commonpb.AnyValue_BoolValue:
		return strconv.FormatBool(x.BoolValue)
	case *commonpb.AnyValue_IntValue:
		return strconv.FormatInt(x.IntValue, 10)
	case *commonpb.AnyValue_DoubleValue:
		return strconv.FormatFloat(x.DoubleValue, 'g', -1, 64)
	case *commonpb.AnyValue_BytesValue:
		return string(x.BytesValue)
	case *commonpb.AnyValue_ArrayValue:
		var parts []string
		for _, element := range x.ArrayValue.GetValues() {
			parts = append(parts, attributeValue(element))
		}
		return "[" + strings.Join(parts, " ") + "]"
	case *commonpb.AnyValue_KvlistValue:
		return "{" + attributesKey(x.KvlistValue.GetValues()) + "}"
	}
	return ""
}

func attributesKey(list []*commonpb.KeyValue) string {
	parts := make([]string, 0, len(list))
	for _, a := range list {
		parts = append(parts, attribute(a))
	}
	return strings.Join(parts, " ")
}

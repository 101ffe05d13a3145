package foreign

import (
	"slices"
	"strings"
	"testing"

	"floodgate/internal/payload"
)

const (
	u = payload.Unspecified
	c = payload.Count
	g = payload.Gauge
)

// TestMappings has a line for everything that the servers write: what their
// sources and their output show.
func TestMappings(t *testing.T) {
	tests := []struct {
		mapping, metric string
		typ             payload.Type
		want            string // metric; empty for left out
		wantType        payload.Type
	}{
		{"none", "stats.counters.a.b.count", u, "stats.counters.a.b.count", u},

		{"etsy", "stats.counters.a.b.count", u, "a.b", c},
		{"etsy", "stats.counters.a.b.rate", u, "", u},
		{"etsy", "stats.counters.statsd.packets_received.count", u, "", u},
		{"etsy", "stats.timers.a.b.count", u, "a.b.count", c},
		{"etsy", "stats.timers.a.b.sum", u, "a.b.sum", c},
		{"etsy", "stats.timers.a.b.lower", u, "a.b.min", g},
		{"etsy", "stats.timers.a.b.upper", u, "a.b.max", g},
		{"etsy", "stats.timers.a.b.mean", u, "a.b.avg", g},
		{"etsy", "stats.timers.a.b.median", u, "a.b.median", g},
		{"etsy", "stats.timers.a.b.upper_90", u, "", u},
		{"etsy", "stats.timers.a.b.count_ps", u, "", u},
		{"etsy", "stats.timers.a.histogram.bin_10", u, "", u},
		{"etsy", "stats.gauges.a.b", u, "a.b", g},
		{"etsy", "stats.gauges.statsd.timestamp_lag", u, "", u},
		{"etsy", "stats.sets.a.b.count", u, "a.b", g},
		{"etsy", "stats.statsd.numStats", u, "", u},
		{"etsy", "elsewhere", u, "", u},
		{"etsy", "stats.gauges.", u, "", u},

		{"etsy_legacy", "stats_counts.a.b", u, "a.b", c},
		{"etsy_legacy", "stats_counts.statsd.bad_lines_seen", u, "", u},
		{"etsy_legacy", "stats.a.b", u, "", u},
		{"etsy_legacy", "stats.counters.x.count", u, "", u},
		{"etsy_legacy", "stats.timers.a.b.lower", u, "a.b.min", g},
		{"etsy_legacy", "statsd.numStats", u, "", u},

		{"gostatsd", "stats.counters.a.b.count", u, "a.b", c},
		{"gostatsd", "stats.counters.a.b.rate", u, "", u},
		{"gostatsd", "stats_counts.a", u, "a", c},
		{"gostatsd", "stats.sets.a", u, "a", g},
		{"gostatsd", "a.b", c, "a.b", c},
		{"gostatsd", "stats.a", c, "stats.a", c},
		{"gostatsd", "a.b.lower", g, "a.b.min", g},
		{"gostatsd", "a.b.count", g, "a.b.count", c},
		{"gostatsd", "a.b.count_ps", g, "", u},
		{"gostatsd", "a.b.upper_90", g, "", u},
		{"gostatsd", "a.b.sum_squares_90", g, "", u},
		{"gostatsd", "a.b_c", g, "a.b_c", g},
		{"gostatsd", "a", g, "a", g},

		{"statsd_exporter", "a_b", c, "a_b", c},
		{"statsd_exporter", "statsd_exporter_lines_total", c, "", u},
		{"statsd_exporter", "statsd_metric_mapper_cache_length", g, "", u},
		{"statsd_exporter", "go_goroutines", g, "", u},
		{"statsd_exporter", "process_cpu_seconds_total", c, "", u},

		{"statsdaemon", "a.b", u, "a.b", u},
		{"statsdaemon", "a.b.count", u, "a.b.count", c},
		{"statsdaemon", "a.b.lower", u, "a.b.min", g},
		{"statsdaemon", "a.b.upper_99_9", u, "", u},
		{"statsdaemon", "a.upper_case", u, "a.upper_case", u},
		{"statsdaemon", "recv", u, "recv", u},

		{"brubeck", "a.b", u, "a.b", u},
		{"brubeck", "a.b.max", u, "a.b.max", g},
		{"brubeck", "a.b.percentile.95", u, "", u},
		{"brubeck", "a.b.95", u, "a.b.95", u},
		{"brubeck", "a", u, "a", u},

		{"statsite", "counts.a.b", u, "a.b", c},
		{"statsite", "counts.a.count", u, "a.count", c},
		{"statsite", "gauges.a", u, "a", g},
		{"statsite", "sets.a", u, "a", g},
		{"statsite", "timers.a.b.lower", u, "a.b.min", g},
		{"statsite", "timers.a.b.p95", u, "", u},
		{"statsite", "kv.a", u, "", u},
		{"statsite_extended", "counts.a.b.count", u, "a.b", c},
		{"statsite_extended", "counts.a.b.rate", u, "", u},
		{"statsite_extended", "gauges.a", u, "a", g},

		{"collectd", "bench.statsd.count.a_b", u, "a_b", c},
		{"collectd", "bench.statsd.count-a.b", u, "a.b", c},
		{"collectd", "my.host.statsd.derive-a", u, "", u},
		{"collectd", "bench.statsd.gauge-a", u, "a", g},
		{"collectd", "bench.statsd.gauge-a-count", u, "a.count", c},
		{"collectd", "bench.statsd.objects-a", u, "a", g},
		{"collectd", "bench.statsd.latency-a-upper", u, "a.max", g},
		{"collectd", "bench.statsd.latency-a-percentile-90", u, "", u},
		{"collectd", "bench.cpu.count.a", u, "", u},
		{"collectd", "bench.statsd.odd", u, "", u},
	}
	for _, test := range tests {
		m, err := MappingOf(test.mapping)
		if err != nil {
			t.Fatal(err)
		}
		s := &payload.Series{Metric: test.metric, Type: test.typ, Points: []payload.Point{{Value: 1}}}
		switch fate := m(s); {
		case test.want == "" && fate != Derived:
			t.Errorf("%s %s: became %s, want it left out", test.mapping, test.metric, s.Metric)
		case test.want != "" && (fate != Kept || s.Metric != test.want || s.Type != test.wantType):
			t.Errorf("%s %s: fate %d, %s %v, want %s %v", test.mapping, test.metric, fate, s.Metric, s.Type, test.want, test.wantType)
		}
	}
	s := &payload.Series{Metric: "bench.statsd.latency-a-lower", Points: []payload.Point{{Value: 0.25}}}
	if collectd(s); s.Points[0].Value != 250 {
		t.Errorf("a quarter of a second is %v ms, want 250", s.Points[0].Value)
	}
	s = &payload.Series{Metric: "a", Tags: []string{"unnamed:x", "y:1"}}
	if gostatsd(s); !slices.Equal(s.Tags, []string{"x", "y:1"}) {
		t.Errorf("tags %q, want the unnamed one by itself", s.Tags)
	}
}

// TestTelegraf: what the statsd input writes to outputs.file as influx lines.
func TestTelegraf(t *testing.T) {
	d := &Decoder{Mapping: telegraf}
	got, err := show(t, d, influxAt100, strings.NewReader(`hits,metric_type=counter,env=a value=5i 7
temp,env=a,metric_type=gauge value=1.5 7
users,metric_type=set value=3i 7
time,metric_type=timing count=2i,lower=1,mean=2,median=2,stddev=1,sum=4,upper=3,90_percentile=3 7
size,metric_type=histogram,env=b count=1i,lower=4 7
dist,metric_type=distribution,env=c value=8 7
cpu,cpu=0 usage=1 7
`))
	want := []string{
		"hits|env:a count 5@7", "temp|env:a gauge 1.5@7", "users| gauge 3@7",
		"time.count| count 2@7", "time.min| gauge 1@7", "time.avg| gauge 2@7", "time.median| gauge 2@7", "time.sum| count 4@7", "time.max| gauge 3@7",
		"size.count|env:b count 1@7", "size.min|env:b gauge 4@7",
		"dist|env:c values 1 from 8 to 8 sum 8@7",
		"cpu.usage|cpu:0 unspecified 1@7",
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v\ngot  %q\nwant %q", err, got, want)
	}
	if d.Derived != 2 {
		t.Errorf("%d left out, want stddev and the percentile", d.Derived)
	}
}

func TestMappingOf(t *testing.T) {
	if m, err := MappingOf(""); m != nil || err != nil {
		t.Errorf("%v, want none without an error", err)
	}
	_, err := MappingOf("etsi")
	if err == nil || !strings.Contains(err.Error(), `mapping is "etsi", allowed are brubeck, collectd, etsy, etsy_legacy, gostatsd, none,`) {
		t.Errorf("got %v", err)
	}
}

func TestPrometheusName(t *testing.T) {
	for name, want := range map[string]string{
		"a.b": "a_b", "a_b": "a_b", "a-b": "a_b", "2xx": "_2xx", "a2": "a2", "é.ü": "___", "": "", "a b/c": "a_b_c", "a--b---c": "a_b_c",
	} {
		if got := PrometheusName(name); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
}

package server_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/DataDog/datadog-go/v5/statsd"

	"floodgate/internal/intake"
	"floodgate/internal/payload"
	"floodgate/server"
	"floodgate/server/servertest"
)

// submitted is what a test gave to a client, by contextKey.
type submitted struct {
	sums    map[string]float64         // of counts
	last    map[string]float64         // of gauges
	members map[string]map[string]bool // of sets
	values  map[string][]float64       // of timers, histograms, distributions, by key with the kind in front
	stamped map[string]float64         // counts and gauges with a time
}

// calls are the calls of submit.
const calls = rounds*10 + 6

const rounds = 400

// submit gives every kind of message that the client has to it, and has it
// flush four times on the way.
func submit(t *testing.T, c *statsd.Client) *submitted {
	t.Helper()
	s := &submitted{map[string]float64{}, map[string]float64{}, map[string]map[string]bool{}, map[string][]float64{}, map[string]float64{}}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range rounds {
		if i%(rounds/4) == rounds/8 {
			check(c.Flush())
		}
		tags := []string{fmt.Sprintf("instance:%d", i%3), "env:test"}
		name := func(kind string) (string, string) {
			n := fmt.Sprintf("client.%s.%d", kind, i%7)
			return n, intake.Key(n, tags)
		}
		n, key := name("count")
		check(c.Count(n, int64(i), tags, 1))
		check(c.Incr(n, tags, 1))
		check(c.Incr(n, tags, 1))
		check(c.Decr(n, tags, 1))
		s.sums[key] += float64(i) + 1
		n, key = name("gauge")
		check(c.Gauge(n, float64(i)/4, tags, 1))
		s.last[key] = float64(i) / 4
		n, key = name("set")
		member := fmt.Sprintf("m%d", i%20)
		check(c.Set(n, member, tags, 1))
		if s.members[key] == nil {
			s.members[key] = map[string]bool{}
		}
		s.members[key][member] = true
		n, key = name("histogram")
		check(c.Histogram(n, float64(i), tags, 1))
		s.values["h "+key] = append(s.values["h "+key], float64(i))
		n, key = name("distribution")
		check(c.Distribution(n, float64(-i), tags, 1))
		s.values["d "+key] = append(s.values["d "+key], float64(-i))
		n, key = name("timing")
		check(c.Timing(n, time.Duration(i)*time.Millisecond, tags, 1))
		check(c.TimeInMilliseconds(n, .5, tags, 1))
		s.values["ms "+key] = append(s.values["ms "+key], float64(i), .5)
	}
	at := time.Unix(1_700_000_000, 0)
	check(c.CountWithTimestamp("client.count.at", 5, []string{"a:1"}, 1, at))
	check(c.GaugeWithTimestamp("client.gauge.at", 6, []string{"a:1"}, 1, at))
	s.stamped["client.count.at|a:1"], s.stamped["client.gauge.at|a:1"] = 5, 6
	check(c.Event(&statsd.Event{Title: "client event", Text: "one\ntwo", Timestamp: at, Hostname: "here", AggregationKey: "key",
		Priority: statsd.Low, SourceTypeName: "source", AlertType: statsd.Warning, Tags: []string{"a:1"}}))
	check(c.SimpleEvent("simple event", "text"))
	check(c.ServiceCheck(&statsd.ServiceCheck{Name: "client.check", Status: statsd.Critical, Timestamp: at, Hostname: "here", Message: "one\ntwo", Tags: []string{"a:1"}}))
	check(c.SimpleServiceCheck("simple.check", statsd.Ok))
	return s
}

// compare compares what arrived in one bucket.
func (s *submitted) compare(t *testing.T, a *servertest.Arrived) {
	t.Helper()
	series := func(typ payload.Type, key string, want float64) {
		t.Helper()
		if total, found := a.Totals.Get(typ, key); !found || total.Points != 1 || total.Sum != want {
			t.Errorf("%v %s is %+v, want one point of %v", typ, key, total, want)
		}
	}
	expected := len(s.sums) + len(s.last) + len(s.members) + len(s.stamped)
	for key, sum := range s.sums {
		series(payload.Count, key, sum)
	}
	for key, last := range s.last {
		series(payload.Gauge, key, last)
	}
	for key, members := range s.members {
		series(payload.Gauge, key, float64(len(members)))
	}
	sketches := 0
	for kindAndKey, values := range s.values {
		kind, key, _ := strings.Cut(kindAndKey, " ")
		want := intake.SketchTotal{Points: 1, Count: int64(len(values)), Min: values[0], Max: values[0]}
		for _, v := range values {
			want.Sum += v
			want.Min, want.Max = min(want.Min, v), max(want.Max, v)
		}
		if kind == "d" {
			sketches++
			if got, found := a.Totals.GetSketch(key); !found || got != want {
				t.Errorf("sketch %s is %+v, want %+v", key, got, want)
			}
			continue
		}
		metric, tags, _ := strings.Cut(key, "|")
		expected += 6 // count, minimum, maximum, average, median, 95th percentile
		series(payload.Count, metric+".count|"+tags, float64(want.Count))
		series(payload.Gauge, metric+".min|"+tags, want.Min)
		series(payload.Gauge, metric+".max|"+tags, want.Max)
		series(payload.Gauge, metric+".avg|"+tags, want.Sum/float64(want.Count))
	}
	series(payload.Count, "client.count.at|a:1", s.stamped["client.count.at|a:1"])
	series(payload.Gauge, "client.gauge.at|a:1", s.stamped["client.gauge.at|a:1"])
	if total, _ := a.Totals.Get(payload.Count, "client.count.at|a:1"); total.LastTimestamp != 1_700_000_000 {
		t.Errorf("the count with a time came at %d", total.LastTimestamp)
	}
	if len(a.Series) != expected || len(a.Sketches) != sketches {
		t.Errorf("%d series and %d sketches arrived, want %d and %d", len(a.Series), len(a.Sketches), expected, sketches)
	}
	compareSpecials(t, a)
}

func compareSpecials(t *testing.T, a *servertest.Arrived) {
	t.Helper()
	events, checks := map[string]payload.Event{}, map[string]payload.ServiceCheck{}
	for _, e := range a.Events {
		events[e.Title] = e
	}
	for _, c := range a.Checks {
		checks[c.Name] = c
	}
	if len(a.Events) != 2 || len(a.Checks) != 2 || events["simple event"].Text != "text" || checks["simple.check"].Timestamp == 0 {
		t.Errorf("arrived were %+v and %+v", a.Events, a.Checks)
	}
	wantEvent := payload.Event{Title: "client event", Text: "one\ntwo", Timestamp: 1_700_000_000, Host: "here", Priority: "low", AlertType: "warning",
		AggregationKey: "key", SourceType: "source", Tags: []string{"a:1"}}
	if got := fmt.Sprintf("%+v", events["client event"]); got != fmt.Sprintf("%+v", wantEvent) {
		t.Errorf("event is %s, want %+v", got, wantEvent)
	}
	wantCheck := payload.ServiceCheck{Name: "client.check", Host: "here", Status: 2, Timestamp: 1_700_000_000, Tags: []string{"a:1"}, Message: "one\ntwo"}
	if got := fmt.Sprintf("%+v", checks["client.check"]); got != fmt.Sprintf("%+v", wantCheck) {
		t.Errorf("service check is %s, want %+v", got, wantCheck)
	}
}

// TestDatadogClient: what the client that most programs use is given arrives,
// contextKey by contextKey, over each of its transports, whether it aggregates,
// packs values, or sends every message by itself. A name keeps to one of the
// client's workers, so that the last value of a gauge is also sent last.
func TestDatadogClient(t *testing.T) {
	for _, name := range []string{"DD_ENTITY_ID", "DD_ENV", "DD_SERVICE", "DD_VERSION", "DD_EXTERNAL_ENV", "DD_CARDINALITY", "DATADOG_CARDINALITY", "DD_DOGSTATSD_URL", "DD_AGENT_HOST"} {
		t.Setenv(name, "") // they add tags and fields, or other places
	}
	// What the client tells about itself goes to a socket that nobody reads.
	nowhere, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer nowhere.Close()
	clients := []struct {
		name    string
		single  bool // every call is a message of its own
		options []statsd.Option
	}{
		{"plain", true, []statsd.Option{statsd.WithoutClientSideAggregation()}},
		{"aggregated", false, []statsd.Option{statsd.WithClientSideAggregation()}},
		{"packed", false, []statsd.Option{statsd.WithExtendedClientSideAggregation()}},
		{"channels, with a container", true, []statsd.Option{statsd.WithoutClientSideAggregation(), statsd.WithChannelMode(), statsd.WithChannelModeBufferSize(1 << 14),
			statsd.WithContainerID("0123456789abcdef"), statsd.WithCardinality(statsd.CardinalityLow)}},
	}
	for i, scheme := range schemes {
		for _, client := range clients {
			t.Run(scheme+", "+client.name, func(t *testing.T) {
				sink := servertest.NewSink(t, intake.Faults{})
				config := server.Default()
				config.Listen, config.Forward.URL, config.Aggregate.Interval = listenOn(t, scheme), sink.URL(), time.Hour
				config.ReceiveBuffer = 4 << 20
				if i%2 == 1 {
					config.Reader = server.Coupled
				}
				s, stop := run(t, config)
				address := s.Addrs()[0].String()
				if scheme != "udp" {
					address = scheme + "://" + address
				}
				// The client's own flush can lose the value of a timer, histogram or
				// distribution that is given to it at that moment: it looks a metric up
				// and adds to it under different locks. So only submit flushes.
				options := append([]statsd.Option{statsd.WithTelemetryAddr(nowhere.LocalAddr().String()), statsd.WithAggregationInterval(time.Hour), statsd.WithWriteTimeout(10 * time.Second)}, client.options...)
				c, err := statsd.New(address, options...)
				if err != nil {
					t.Fatal(err)
				}
				given := submit(t, c)
				if client.single {
					// Neither Flush nor Close waits for the channels between the caller
					// and the client's workers: what is in them at Close is lost.
					until(t, "every message was read", func() bool { return s.Statistics().Received == calls })
				}
				if err := c.Flush(); err != nil {
					t.Error(err)
				}
				if err := c.Close(); err != nil {
					t.Error(err)
				}
				told := c.GetTelemetry()
				if lost := told.TotalPayloadsDropped + told.TotalDroppedOnReceive; lost != 0 {
					t.Errorf("the client lost %d: %+v", lost, told)
				}
				until(t, fmt.Sprintf("all %d payloads were read", told.TotalPayloadsSent), func() bool { return s.Statistics().Datagrams == int64(told.TotalPayloadsSent) })
				stop()
				if st := s.Statistics(); st.Received == 0 || st.Aggregated != st.Received || st.Uploaded != st.Received {
					t.Errorf("received %d, aggregated %d, uploaded %d: want all the same", st.Received, st.Aggregated, st.Uploaded)
				}
				given.compare(t, sink.Arrived())
			})
		}
	}
}

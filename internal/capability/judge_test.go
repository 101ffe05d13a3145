package capability

import (
	"fmt"
	"strings"
	"testing"

	"floodgate/internal/payload"
	"floodgate/scenarios"
)

const now = 1700000060 // probes with a timestamp carry 1700000000

// seen is an observation of lines "metric[{tags}] type value [time]"; the types
// are those of series, and sketch, event and check.
func seen(t *testing.T, sink scenarios.Sink, lines ...string) *Observation {
	t.Helper()
	o := &Observation{Sink: sink}
	types := map[string]payload.Type{"count": payload.Count, "gauge": payload.Gauge, "rate": payload.Rate, "plain": payload.Unspecified}
	for _, line := range lines {
		var name, typ string
		var value float64
		var at int64 = now
		fmt.Sscan(line, &name, &typ, &value, &at)
		metric, tags, tagged := strings.Cut(strings.TrimSuffix(name, "}"), "{")
		var list []string
		if tagged {
			list = strings.Split(tags, ",")
		}
		switch known, ok := types[typ]; {
		case ok:
			o.Series(&payload.Series{Metric: metric, Type: known, Interval: 10, Tags: list, Points: []payload.Point{{Timestamp: at, Value: value}}})
		case typ == "sketch": // of so many values of 2 to 4
			o.Sketch(&payload.Sketch{Metric: metric, Tags: list, Points: []payload.SketchPoint{{Timestamp: at, Count: int64(value), Min: 2, Max: 4}}})
		case typ == "event":
			o.Event(&payload.Event{Title: metric})
		case typ == "check":
			o.Check(&payload.ServiceCheck{Name: metric})
		default:
			t.Fatalf("line %q is of no type", line)
		}
	}
	return o
}

func probeOf(t *testing.T, name string) *Probe {
	t.Helper()
	for _, p := range append(KindProbes(), Probes([]string{"c", "ms"}, now)...) {
		if p.Name() == name {
			return &p
		}
	}
	t.Fatalf("there is no probe of %s", name)
	return nil
}

func TestJudge(t *testing.T) {
	const dd, prom, graphite = scenarios.SinkDatadog, scenarios.SinkPrometheus, scenarios.SinkGraphite
	none, one := int64(0), int64(1)
	for _, c := range []struct {
		probe     string
		sink      scenarios.Sink
		seen      []string
		malformed *int64
		want      Answer
		reason    string
	}{
		{"kinds: c", dd, []string{"probekindc count 3"}, nil, Yes, "the value is right"},
		{"kinds: c", dd, []string{"probekindc rate 0.3"}, nil, Yes, "a rate counts as its value times the interval"},
		{"kinds: c", graphite, []string{"probekindc plain 3", "probekindc plain 0"}, nil, Yes, "zeros of an idle counter add nothing"},
		{"kinds: c", dd, []string{"probekindc gauge 3", "probekindc gauge 3"}, nil, No, "a counter that is sent again and again counts twice"},
		{"kinds: c", dd, []string{"probekindc count 1"}, nil, No, "the message was counted, not its value"},
		{"kinds: c", dd, []string{"probekindc{host:a} count 3"}, nil, No, "a tag that is added makes another series of it"},
		{"kinds: c", dd, nil, nil, No, "nothing came"},
		{"kinds: c", dd, []string{"stats.probekindc_ count 3"}, nil, No, "under another name it is not found"},
		{"kinds: c", dd, []string{"probekindc count 3"}, &none, Yes, "the server agrees"},
		{"kinds: c", dd, []string{"probekindc count 3"}, &one, No, "the server says that it did not understand"},
		{"kinds: g", dd, []string{"probekindg gauge 7", "probekindg gauge 7"}, nil, Yes, "a gauge may be sent again"},
		{"kinds: g", dd, []string{"probekindg gauge 7 20", "probekindg gauge 0 10"}, nil, Yes, "the latest point is the one that counts"},
		{"kinds: g", dd, []string{"probekindg gauge 0"}, nil, No, "the value is wrong"},
		{"kinds: ms", dd, []string{"probekindms.count count 2", "probekindms.min gauge 2", "probekindms.max gauge 4"}, nil, Yes, "a whole summary"},
		{"kinds: ms", dd, []string{"probekindms.count count 1", "probekindms.count count 1", "probekindms.min gauge 2", "probekindms.min gauge 4"}, nil, Yes, "a flush fell between the two"},
		{"kinds: ms", prom, []string{"probekindms.count count 2"}, nil, Yes, "a scrape has no minimum"},
		{"kinds: ms", graphite, []string{"probekindms.count plain 2", "probekindms.min plain 1.9999"}, nil, Yes, "seconds and back to milliseconds cost digits"},
		{"kinds: ms", dd, []string{"probekindms.count count 2", "probekindms.max gauge 6"}, nil, No, "the values were added up"},
		{"kinds: ms", dd, []string{"probekindms count 6"}, nil, No, "it was taken for a counter"},
		{"kinds: ms", dd, []string{"probekindms.max gauge 4"}, nil, Unclear, "there is no count to compare"},
		{"kinds: d", dd, []string{"probekindd sketch 2"}, nil, Yes, "a sketch of both values"},
		{"kinds: d", dd, []string{"probekindd sketch 1"}, nil, No, "a sketch of one"},
		{"kinds: s", dd, []string{"probekinds gauge 2"}, nil, Yes, "two members, one of them twice"},
		{"kinds: s", dd, []string{"probekinds gauge 1", "probekinds gauge 2"}, nil, Yes, "a flush fell in between"},
		{"kinds: s", dd, []string{"probekinds gauge 3"}, nil, No, "messages were counted, not members"},
		{"tags", dd, []string{"probetags{probekey:probevalue} count 3"}, nil, Yes, "the tag is a tag, and the name whole"},
		{"tags", dd, []string{"probetags count 3"}, nil, No, "the tag was dropped"},
		{"tags", dd, []string{"probetags.probekey_probevalue count 3"}, nil, No, "the tag went into the name"},
		{"tags", dd, []string{"probetags{host:a,probekey:probevalue} count 3"}, nil, No, "another tag came along"},
		{"packing", dd, []string{"probepackinga count 3", "probepackingb count 4"}, nil, Yes, "both lines"},
		{"packing", dd, []string{"probepackinga count 3"}, nil, No, "the first line alone"},
		{"packed_values", dd, []string{"probepackedvaluesc count 3", "probepackedvaluesms.count count 2"}, nil, Yes, "all values of both kinds"},
		{"packed_values", dd, []string{"probepackedvaluesc count 2", "probepackedvaluesms.count count 2"}, nil, No, "the last value of a counter alone"},
		{"sampling", dd, []string{"probesamplingc count 2", "probesamplingms.count count 2"}, nil, Yes, "scaled by the rate"},
		{"sampling", dd, []string{"probesamplingc count 1", "probesamplingms.count count 2"}, nil, No, "the rate was ignored"},
		{"sampling", dd, []string{"probesamplingc count 2", "probesamplingms.count count 1", "probesamplingms.max gauge 10"}, nil, No, "the value of a timer was scaled, not the number"},
		{"timestamps", dd, []string{"probetimestampsc count 3 1700000000", "probetimestampsg gauge 3 1700000000"}, nil, Yes, "both at their time"},
		{"timestamps", dd, []string{"probetimestampsc count 3", "probetimestampsg gauge 3"}, nil, No, "the time was ignored"},
		{"timestamps", dd, []string{"probetimestampsc count 3 1700000000", "probetimestampsg gauge 3 1700000000", "probetimestampsg gauge 3"}, nil, Yes, "a gauge that is sent again later"},
		{"timestamps", prom, []string{"probetimestampsc count 3", "probetimestampsg gauge 3"}, nil, Unclear, "a scrape does not show it"},
		{"timestamps", prom, nil, nil, No, "that the line was refused, it does"},
		{"origin", dd, []string{"probecontainer count 3", "probeexternal count 3", "probecardinality count 3"}, nil, Yes, "all three were taken"},
		{"origin", dd, []string{"probecontainer count 3", "probeexternal count 3"}, nil, No, "cardinality was not"},
		{"origin", dd, []string{"probecontainer{container.id:x} count 3", "probeexternal count 3", "probecardinality count 3"}, nil, No, "a tag was made of it"},
		{"events", dd, []string{"probeevents event"}, nil, Yes, "the event"},
		{"events", dd, nil, nil, No, "this sink would show it"},
		{"events", graphite, nil, nil, Unclear, "this sink has no events"},
		{"service_checks", dd, []string{"probechecks check"}, nil, Yes, "the check"},
		{"service_checks", dd, []string{"probechecks event"}, nil, No, "an event is no check"},
		{"service_checks", prom, nil, nil, Unclear, "this sink has no checks"},
	} {
		got, why := probeOf(t, c.probe).Judge(seen(t, c.sink, c.seen...), c.malformed)
		if got != c.want {
			t.Errorf("%s, seen %q at %s: %s (%s), want %s: %s", c.probe, c.seen, c.sink, got, why, c.want, c.reason)
		}
		if (got == Yes) != (why == "") {
			t.Errorf("%s, seen %q: %s for the reason %q: want one for everything but a yes", c.probe, c.seen, got, why)
		}
	}
	if got, why := (&Probe{Key: Sampling}).Judge(seen(t, dd), nil); got != Unclear {
		t.Errorf("a probe that asks nothing: %s (%s)", got, why)
	}
}

func TestSeen(t *testing.T) {
	o := seen(t, scenarios.SinkDatadog, "probetags{b:2,a:1} count 3", "stats_probetags count 1", "other count 9", "probekindg gauge 7", "probekindd sketch 2", "probeevents event")
	for probe, want := range map[string]string{
		"tags": "probetags{a:1,b:2} 3  stats_probetags 1", "kinds: g": "probekindg 7", "kinds: d": "probekindd sketch of 2",
		"events": "event probeevents", "kinds: s": "nothing",
	} {
		if got := probeOf(t, probe).Seen(o); got != want {
			t.Errorf("%s: %q, want %q", probe, got, want)
		}
	}
}

// TestObservationIsBounded: a server that makes a series of everything fills no
// memory.
func TestObservationIsBounded(t *testing.T) {
	var o Observation
	for i := range 2 * mostArrivals {
		name := fmt.Sprintf("probekindc.%d", i)
		o.Series(&payload.Series{Metric: name, Points: []payload.Point{{Value: 1}}})
		o.Event(&payload.Event{Title: name})
	}
	o.Series(&payload.Series{Metric: "of.its.own", Points: []payload.Point{{Value: 1}}})
	if len(o.arrivals) != mostArrivals || len(o.events) != mostArrivals {
		t.Errorf("%d series and %d events are kept, want %d", len(o.arrivals), len(o.events), mostArrivals)
	}
	if o.Arrived("of.its.own") || !o.Arrived("probekindc.0") {
		t.Error("what is kept is not what belongs to probes")
	}
}

package servertest

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"floodgate/internal/dogstatsd"
	"floodgate/internal/payload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// arrival is an Arrived of series, sketches, events and service checks.
func arrival(all ...any) *Arrived {
	a := &Arrived{}
	for _, one := range all {
		switch one := one.(type) {
		case payload.Series:
			a.Series = append(a.Series, one)
			a.Totals.Add(time.Unix(1, 0), &one)
		case payload.Sketch:
			a.Sketches = append(a.Sketches, one)
			a.Totals.AddSketch(time.Unix(1, 0), &one)
		case payload.Event:
			a.Events = append(a.Events, one)
		case payload.ServiceCheck:
			a.Checks = append(a.Checks, one)
		}
	}
	return a
}

func series(typ payload.Type, metric string, value float64, tags ...string) payload.Series {
	return payload.Series{Metric: metric, Type: typ, Interval: 10, Points: []payload.Point{{Timestamp: past, Value: value}}, Tags: tags}
}

func on(host string, s payload.Series) payload.Series {
	s.Host = host
	return s
}

// TestWantsBite: what is wanted is found when it arrived, in each form that the
// contract allows, and missed when it did not.
func TestWantsBite(t *testing.T) {
	sketch := payload.Sketch{Metric: "d", Points: []payload.SketchPoint{{Timestamp: past, Count: 3, Min: 1, Max: 4, Sum: 7}}}
	histogram := func(count, low, high float64) *Arrived {
		return arrival(series(payload.Rate, "h.count", count/10, "a"), series(payload.Gauge, "h.min", low, "a"), series(payload.Gauge, "h.max", high, "a"), series(payload.Gauge, "h.95percentile", 9, "a"))
	}
	ofHistogram := summary(dogstatsd.Histogram, "h|a", 3, 1, 4, 7)
	ofEvent := theEvent(payload.Event{Title: "e", Tags: []string{"a"}})[0]
	ofCheck := theCheck(payload.ServiceCheck{Name: "c", Status: 1, Timestamp: past})[0]
	for _, c := range []struct {
		why     string
		want    want
		arrived *Arrived
		fault   string // empty when all is well
	}{
		{"a count", counter("a|x,y", 5), arrival(series(payload.Count, "a", 5, "y", "x")), ""},
		{"a rate is a count", counter("a|", 5), arrival(series(payload.Rate, "a", .5)), ""},
		{"in two points", counter("a|", 5), arrival(series(payload.Count, "a", 2), series(payload.Count, "a", 3)), ""},
		{"too little", counter("a|", 5), arrival(series(payload.Count, "a", 4)), "a|: sum of a| is 4, want 5"},
		{"nothing", counter("a|", 0), arrival(), "no count or rate a| arrived"},
		{"a count as a gauge", counter("a|", 5), arrival(series(payload.Gauge, "a", 5)), "no count or rate"},
		{"other tags", counter("a|x", 5), arrival(series(payload.Count, "a", 5, "x", "z")), "no count or rate"},
		{"at its time", counter("a|", 5).atTime(past), arrival(series(payload.Count, "a", 5)), ""},
		{"at another", counter("a|", 5).atTime(past - 1), arrival(series(payload.Count, "a", 5)), "time is 1700000000, want 1699999999"},
		{"a gauge", gauge("a|", 2), arrival(series(payload.Gauge, "a", 9), series(payload.Gauge, "a", 2)), ""},
		{"its first value", gauge("a|", 9), arrival(series(payload.Gauge, "a", 9), series(payload.Gauge, "a", 2)), "last value of a| is 2, want 9"},
		{"a gauge as a count", gauge("a|", 2), arrival(series(payload.Count, "a", 2)), "no gauge a| arrived"},
		{"a set", set("a|", 2), arrival(series(payload.Gauge, "a", 2)), ""},
		{"a histogram", ofHistogram, histogram(3, 1, 4), ""},
		{"its count", ofHistogram, histogram(4, 1, 4), "sum of h.count|a is 4, want 3"},
		{"its minimum", ofHistogram, histogram(3, 0, 4), "last value of h.min|a is 0, want 1"},
		{"its maximum", ofHistogram, histogram(3, 1, 5), "last value of h.max|a is 5, want 4"},
		{"a distribution as a sketch", summary(dogstatsd.Distribution, "d|", 3, 1, 4, 7), arrival(sketch), ""},
		{"with another sum", summary(dogstatsd.Distribution, "d|", 3, 1, 4, 8), arrival(sketch), "sum of the sketch is 7, want 8"},
		{"a distribution as series", summary(dogstatsd.Distribution, "h|a", 3, 1, 4, 7), histogram(3, 1, 4), ""},
		{"a histogram as a sketch", summary(dogstatsd.Histogram, "d|", 3, 1, 4, 7), arrival(sketch), "no count or rate d.count| arrived"},
		{"on its host", counter("a|", 5).onHost("web"), arrival(on("web", series(payload.Count, "a", 5))), ""},
		{"on another", counter("a|", 5).onHost("web"), arrival(on("db", series(payload.Count, "a", 5))), "no count or rate a| arrived"},
		{"on none", counter("a|", 5).onHost("web"), arrival(series(payload.Count, "a", 5)), "no count or rate a| arrived"},
		{"on none, as it should be", gauge("a|", 5).onHost(""), arrival(series(payload.Gauge, "a", 5)), ""},
		{"an event at any time", ofEvent, arrival(payload.Event{Title: "e", Timestamp: 7, Tags: []string{"a"}}), ""},
		{"but at some", ofEvent, arrival(payload.Event{Title: "e", Tags: []string{"a"}}), `event "e" has no time`},
		{"with its tags", ofEvent, arrival(payload.Event{Title: "e", Timestamp: 7}), "event is"},
		{"once", ofEvent, arrival(payload.Event{Title: "e", Timestamp: 7}, payload.Event{Title: "e", Timestamp: 7}), "arrived 2 times"},
		{"a service check at its time", ofCheck, arrival(payload.ServiceCheck{Name: "c", Status: 1, Timestamp: past}), ""},
		{"at another", ofCheck, arrival(payload.ServiceCheck{Name: "c", Status: 1, Timestamp: past + 1}), "service check is"},
	} {
		found := c.want.verify(c.arrived)
		if c.fault == "" && found != nil || c.fault != "" && !strings.Contains(strings.Join(found, "\n"), c.fault) {
			t.Errorf("%s: found %q, want %q", c.why, found, c.fault)
		}
		if others := unexpected(c.arrived, []want{c.want}); c.fault == "" && others != nil {
			t.Errorf("%s: %q", c.why, others)
		}
	}
	found := unexpected(arrival(series(payload.Count, "a", 1), series(payload.Gauge, "h.max", 1, "a"), series(payload.Gauge, "h.mode", 1, "a"), series(payload.Count, "h", 1, "a"), sketch,
		payload.Event{Title: "x"}, payload.ServiceCheck{Name: "y"}), []want{gauge("a|", 1), ofHistogram})
	if want := []string{"unexpected count a|", "unexpected count h|a", "unexpected event x", "unexpected gauge h.mode|a", "unexpected service check y", "unexpected sketch d|"}; !slices.Equal(found, want) {
		t.Errorf("found %q, want %q", found, want)
	}
}

// TestStagesBite: good statistics pass, and each fault in them is found.
func TestStagesBite(t *testing.T) {
	const good = `{"datagrams":2,"received":9,"queue_dropped":0,"malformed":3,"malformed_by_cause":{"bad_value":3},"truncated":1,"rejected":0,"shutdown_dropped":0,
		"aggregated":5,"upload_failed":0,"pending":5,"queue_length":0,"queue_peak":1,"flush_stall_max_seconds":0.5,"flush_stall_total_seconds":1,"flush_cpu_ns":1500,"wake_late_max_seconds":0.01}`
	want := stages{datagrams: 2, received: 9, malformed: 3, truncated: 1, pending: 5, causes: map[string]int64{"bad_value": 3, "bad_rate": 0}}
	for _, c := range []struct{ old, new, fault string }{
		{`"datagrams":2`, `"datagrams":2`, ""},
		{`"malformed_by_cause":{"bad_value":3},`, ``, ""}, // it is no part of the contract
		{`"datagrams":2`, `"datagrams":3`, "datagrams is 3, want 2"},
		{`"received":9`, `"received":8`, "what became of it adds up to 9"},
		{`"rejected":0`, `"rejected":1`, "rejected is 1, want 0"},
		{`"queue_dropped":0,`, ``, "queue_dropped is not told"},
		{`"aggregated":5`, `"aggregated":5.5`, "aggregated is 5.5, want a whole number"},
		{`"queue_peak":1`, `"queue_peak":-1`, "queue_peak is -1, want 0 or more"},
		{`"queue_peak":1`, `"queue_peak":"1"`, `queue_peak is "1", want a number`},
		{`,"flush_cpu_ns":1500`, ``, ""}, // not every system tells
		{`,"wake_late_max_seconds":0.01`, ``, ""},
		{`"wake_late_max_seconds":0.01`, `"wake_late_max_seconds":"x"`, `wake_late_max_seconds is "x", want a number`},
		{`"flush_cpu_ns":1500`, `"flush_cpu_ns":0.5`, "flush_cpu_ns is 0.5, want a whole number"},
		{`"pending":5`, `"pending":4`, "pending is 4, want 5"},
		{`{"bad_value":3}`, `{"bad_value":2,"bad_kind":1}`, "1 malformed by bad_kind, want none"},
		{`{"bad_value":3}`, `{"bad_value":2,"bad_kind":1}`, "2 malformed by bad_value, want 3"},
	} {
		got, err := parseStatistics([]byte(strings.Replace(good, c.old, c.new, 1)))
		if err != nil {
			t.Fatal(err)
		}
		found := verifyStages(got, want)
		if c.fault == "" && found != nil || c.fault != "" && !slices.Contains(found, c.fault) && !strings.Contains(strings.Join(found, "\n"), c.fault) {
			t.Errorf("%s: found %q, want %q", c.new, found, c.fault)
		}
	}
	if found := verifyStalls(statistics{"flush_stall_histogram": json.RawMessage(`"HISTF"`)}); found == nil {
		t.Error("half a histogram was taken")
	}
}

// TestFieldsAreThoseOfTheContract: the page has the same fields as the suite.
func TestFieldsAreThoseOfTheContract(t *testing.T) {
	page, err := os.ReadFile("../../docs/target-contract.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "## What more it may do: statistics")
	section, _, _ = strings.Cut(section, "\n## ")
	var told []string
	for _, cell := range regexp.MustCompile("(?m)^\\| (`.*?) \\|").FindAllStringSubmatch(section, -1) {
		for _, name := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(cell[1], -1) {
			told = append(told, name[1])
		}
	}
	want := []string{"flush_stall_histogram", "ingest_latency_histogram"} // no numbers, and checked apart
	for _, f := range fields {
		want = append(want, f.name)
	}
	slices.Sort(told)
	slices.Sort(want)
	if !slices.Equal(told, want) {
		t.Errorf("the contract has the fields\n%v\nand the suite\n%v", told, want)
	}
}

// TestRowsAreSound: rows do not mix at the intake, each says why, and what it
// expects of the statistics fits what it sends.
func TestRowsAreSound(t *testing.T) {
	owner := map[string]string{}
	for _, d := range documents() {
		whys := map[string]bool{}
		for _, r := range d.rows {
			if r.why == "" || whys[r.why] {
				t.Errorf("%s: two rows are there because %q", d.name, r.why)
			}
			whys[r.why] = true
			if (r.cause != "") != (r.malformed > 0) || len(r.wants) == 0 && r.malformed == 0 {
				t.Errorf("%s: %s: %d malformed by %q and %d wants cannot be", d.name, r.why, r.malformed, r.cause, len(r.wants))
			}
			if r.malformed > 0 && !slices.Contains(slices.Concat(d.needs, r.needs), Refusal) {
				t.Errorf("%s: %s: it does not need %s", d.name, r.why, Refusal)
			}
			var messages int64
			for _, s := range r.send {
				if messages += messagesIn(s); len(s) > 4096 {
					t.Errorf("%s: %s: a datagram of %d bytes may not fit", d.name, r.why, len(s))
				}
			}
			if messages < r.malformed {
				t.Errorf("%s: %s: %d messages cannot have %d that are malformed", d.name, r.why, messages, r.malformed)
			}
			for _, w := range r.wants {
				what := fmt.Sprintf("%v %s", w.kind, w.key)
				if w.host != nil {
					what += " of " + *w.host
				}
				if w.event == nil && w.check == nil && owner[what] != "" {
					t.Errorf("%s and %s both send %s", r.why, owner[what], what)
				}
				owner[what] = r.why
			}
		}
	}
}

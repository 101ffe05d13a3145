package scenarios

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseLatency(t *testing.T) {
	for text, want := range map[string]Latency{
		"20ms": {20 * time.Millisecond, ""}, "fixed:1s": {time.Second, ""}, "uniform:1s": {time.Second, "uniform"},
		"exponential:3us": {3 * time.Microsecond, "exponential"}, "0s": {},
	} {
		got, err := ParseLatency(text)
		if got != want || err != nil {
			t.Errorf("%q: %v, %v", text, got, err)
		}
		if back, err := ParseLatency(got.String()); back != want || err != nil {
			t.Errorf("%q is written as %q", text, got)
		}
	}
	for _, text := range []string{"", "20", "-1s", "normal:1s", "uniform:", "uniform"} {
		if _, err := ParseLatency(text); err == nil || !strings.Contains(err.Error(), "want a duration such as 20ms") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func intakeOf(t *testing.T, text string) Intake {
	t.Helper()
	s, err := Parse("", []byte("name: x\ngoal: rss_peak\nload: {schedule: {burst: {count: 1, over: 1s}}}\nintake: "+text+"\n"))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s.Intake
}

// TestIntake: what each form asks for, and how it is told.
func TestIntake(t *testing.T) {
	for _, c := range []struct {
		text, words string
		want        Intake
	}{
		{"{}", "", Intake{}},
		{"{errors: {share: 0%}, latency: 0s, resets: 0}", "", Intake{ErrorStatus: 503}},
		{"{errors: {share: 0.1}}", "refuses 10% with 503", Intake{ErrorShare: 0.1, ErrorStatus: 503}},
		{"{latency: uniform:200ms, resets: 5%}", "holds each upload for uniform:200ms, resets the connection of 5%",
			Intake{Latency: Latency{200 * time.Millisecond, "uniform"}, ResetShare: 0.05}},
		{"{outage: {from: 0s, for: 2s}, slow_read: 100kB/s}", "refuses all from 0s to 2s of the load, reads 97.66KiB per second of each connection",
			Intake{OutageFor: 2 * time.Second, SlowRead: 100_000}},
	} {
		got := intakeOf(t, c.text)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.text, diff)
		}
		if got.Words() != c.words || got.Faulty() != (c.words != "") {
			t.Errorf("%s: %q, faulty %v; want %q", c.text, got.Words(), got.Faulty(), c.words)
		}
	}
}

// TestOutageFault: an outage may go on as long as something is waited for
// afterwards.
func TestOutageFault(t *testing.T) {
	for _, c := range []struct {
		why   string
		s     Scenario
		fault string
	}{
		{"none", Scenario{Intake: Intake{OutageFrom: time.Hour}}, ""},
		{"over before draining ends", Scenario{Load: Load{Schedule: Schedule{Over: 3 * time.Second}}, Limits: Limits{Drain: 2 * time.Second},
			Intake: Intake{OutageFrom: time.Second, OutageFor: 4*time.Second - 1}}, ""},
		{"with the end of draining", Scenario{Load: Load{Schedule: Schedule{Over: 3 * time.Second}}, Limits: Limits{Drain: 2 * time.Second},
			Intake: Intake{OutageFrom: time.Second, OutageFor: 4 * time.Second}}, "it ends after 5s, when the load of 3s and limits.drain, 2s, are over: want it to end before 5s"},
		{"a woven load lasts twice as long", Scenario{Load: Load{Schedule: Schedule{Over: 3 * time.Second}}, Limits: Limits{Drain: 2 * time.Second}, Order: Woven,
			Intake: Intake{OutageFrom: time.Second, OutageFor: 4 * time.Second}}, ""},
	} {
		err := c.s.OutageFault()
		if (err == nil) != (c.fault == "") || err != nil && err.Error() != c.fault {
			t.Errorf("%s: %v, want %q", c.why, err, c.fault)
		}
	}
}

// TestNarrowIntake: faults strike uploads, and not every target makes them.
func TestNarrowIntake(t *testing.T) {
	errors := Intake{ErrorShare: 0.1, ErrorStatus: 503}
	outage := Intake{OutageFor: time.Second}
	both := Intake{ErrorShare: 0.1, ErrorStatus: 503, OutageFor: time.Second}
	for _, c := range []struct {
		why      string
		sink     Sink
		in, want Intake
		left     string
	}{
		{"requests can be refused", SinkDatadog, both, both, ""},
		{"so can these", SinkInflux, both, both, ""},
		{"and these", SinkOTLP, both, both, ""},
		{"lines have no answer, but a connection that breaks", SinkGraphite, both, outage, "errors of the intake"},
		{"nothing else was asked for", SinkGraphite, errors, Intake{}, "errors of the intake"},
		{"it is the intake that asks here", SinkPrometheus, outage, Intake{}, "faults of the intake"},
		{"nothing arrives", SinkNone, both, Intake{}, "faults of the intake"},
		{"nothing is asked for", SinkNone, Intake{}, Intake{}, ""},
	} {
		target := defaultTarget()
		target.Sink = c.sink
		s := Scenario{Load: Load{Transport: UDP}, Intake: c.in}
		got, left, cannot := target.Narrow(s)
		if got.Intake != c.want || strings.Join(left, "; ") != c.left || len(cannot) > 0 || s.Intake != c.in {
			t.Errorf("%s: %+v, left %q, cannot %q", c.why, got.Intake, left, cannot)
		}
	}
}

package main

import (
	"strings"
	"testing"
	"time"

	"floodgate/internal/harness"
	"floodgate/internal/record"
	"floodgate/scenarios"
)

// twoPairs is a run of two scenarios, one pair each, of 3 s and 13 s a replicate.
func twoPairs(w *strings.Builder) *progress {
	short, long := scenarios.Default(), scenarios.Default()
	short.Name, short.Limits.WarmUp, short.Load.Schedule.Over = "short", 0, time.Second
	long.Name, long.Limits.WarmUp, long.Load.Schedule.Over = "long", 0, 11*time.Second
	return newProgress(w, harness.Config{
		Scenarios:  []scenarios.Scenario{short, long},
		Replicates: map[string]int{"short": 1, "long": 1},
		Variants:   []harness.Variant{{Role: record.Baseline}, {Role: record.Candidate}},
	})
}

func TestProgressLine(t *testing.T) {
	p := twoPairs(new(strings.Builder))
	for _, c := range []struct {
		why   string
		event harness.Event
		want  string
	}{
		{"at the start the plan is all there is", harness.Event{Scenario: "short", Role: "baseline", Phase: record.PhaseWarmUp, Total: 4},
			"0/4 done  short, baseline, pair 0  warm up  5s elapsed, about 32s left"},
		{"what has ended is no longer named", harness.Event{Scenario: "short", Role: "baseline", Done: 1, Total: 4},
			"1/4 done  5s elapsed, about 29s left"},
		{"a pair that is repeated is still to be done", harness.Event{Scenario: "short", Role: "baseline", Attempt: 1, Phase: record.PhaseDraining, Total: 4},
			"0/4 done  short, baseline, pair 0, attempt 2  draining  5s elapsed, about 32s left"},
		{"scenarios take their own time", harness.Event{Scenario: "long", Role: "candidate", Phase: record.PhaseMeasuring, Done: 3, Total: 4},
			"3/4 done  long, candidate, pair 0  measuring  5s elapsed, about 13s left"},
		{"at the end nothing is left", harness.Event{Scenario: "long", Role: "candidate", Done: 4, Total: 4},
			"4/4 done  5s elapsed, about 0s left"},
	} {
		p.current = c.event
		if got := p.line(p.started.Add(5*time.Second), 0); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.why, got, c.want)
		}
	}
	if got := p.line(p.started, 10); got != "4/4 done " {
		t.Errorf("in 10 columns: %q; a full line would wrap and stay", got)
	}
	p.measured["short"] = 6 * time.Second // twice as long as planned
	p.current = harness.Event{Done: 2, Total: 4}
	if got := p.estimate(); got != 52*time.Second {
		t.Errorf("%v left, want twice what was planned", got)
	}
}

// TestProgressUnwatched: a log is told of a long run now and then, of a short one
// nothing.
func TestProgressUnwatched(t *testing.T) {
	var out strings.Builder
	p := twoPairs(&out)
	for done, after := range []time.Duration{0, 10 * time.Second, 31 * time.Second, 40 * time.Second, 65 * time.Second} {
		p.current = harness.Event{Scenario: "short", Role: "baseline", Done: done, Total: 4}
		p.tell(p.started.Add(after))
	}
	if got, want := out.String(), "2/4 done  31s elapsed, about 26s left\n"; got != want {
		t.Errorf("%q, want %q: one line after half a minute, none at the end", got, want)
	}
}

func TestProgressElsewhere(t *testing.T) {
	for _, c := range []struct {
		why           string
		invalid, last string
		want          string
	}{
		{"a valid replicate is not worth a line", "", "", ""},
		{"an invalid one is", "late", "", "short, baseline, pair 0: invalid: late\n"},
		{"last words are shown", "died", "a\nb\n", "short, baseline, pair 0: invalid: died\nits last words:\n  a\n  b\n"},
		{"but not twice", `ended; its last words: "a"`, "a\n", "short, baseline, pair 0: invalid: ended; its last words: \"a\"\n"},
	} {
		var out strings.Builder
		p := twoPairs(&out)
		p.event(harness.Event{Scenario: "short", Role: "baseline", Phase: record.PhaseStarting, Total: 4})
		p.event(harness.Event{Scenario: "short", Role: "baseline", Done: 1, Total: 4, Record: &record.Record{Invalid: c.invalid, LastWords: c.last}})
		if out.String() != c.want {
			t.Errorf("%s: %q, want %q", c.why, out.String(), c.want)
		}
	}
}

package reports

import (
	"strings"
	"testing"

	"floodgate/internal/record"
	"floodgate/regress"
	"floodgate/scenarios"
)

// TestMeasured: a run of one variant shows what it measured, with the median of
// an even number between the two in the middle, and only of valid replicates.
func TestMeasured(t *testing.T) {
	replicate := func(rss float64, invalid string) *record.Record {
		return &record.Record{Schema: record.Schema, Scenario: "s", Variant: record.Variant{Role: record.Candidate}, Invalid: invalid,
			Measures: []record.Measure{{Name: "rss_peak", Unit: "B", Better: "lower", Value: rss}}}
	}
	var out strings.Builder
	r := Report{Records: []*record.Record{replicate(1<<20, ""), replicate(3<<20, ""), replicate(1<<30, "late")}}
	if err := Terminal(&out, r, TerminalOptions{}); err != nil {
		t.Fatal(err)
	}
	if want := "s           rss_peak    2MiB    1MiB     3MiB  2 replicates"; !strings.Contains(out.String(), want) {
		t.Errorf("no line %q in\n%s", want, out.String())
	}
}

// TestWarmedUp: what leaves out a warm-up says so where it is named, and what
// counts the whole load does not.
func TestWarmedUp(t *testing.T) {
	s := scenarios.Default()
	s.Load.Schedule, s.Load.WarmUp = scenarios.Schedule{Count: 10, Over: 4e9}, 1e9
	for name, want := range map[string]string{
		"cpu_per_message": "cpu_per_message: as it is told, after a warm-up of 1s; lower is better",
		"cpu_seconds":     "cpu_seconds: as it is told; lower is better",
	} {
		goal := scenarios.Measure{Name: name, Better: "lower", Words: "as it is told"}
		of := scene{scenario: &s, comparison: &regress.Comparison{Goal: goal}}
		if got := of.facts()[0]; got.Name != "Goal" || got.Value != want {
			t.Errorf("%+v, want %q", got, want)
		}
		row := quantity{name: name, warmedUp: s.WarmedUp(name)}
		if got, want := row.cells()[1], map[bool]string{true: name + " after a warm-up of 1s", false: name}[name == "cpu_per_message"]; got != want {
			t.Errorf("measured: %q, want %q", got, want)
		}
	}
}

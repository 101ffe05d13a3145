package reports

import (
	"strings"
	"testing"

	"floodgate/internal/record"
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

package reports

import (
	"slices"
	"strings"
	"testing"

	"floodgate/internal/record"
	"floodgate/regress"
)

// TestNext: what is advised follows from the verdict, and a clean pass needs none.
func TestNext(t *testing.T) {
	lost := limit("lost_messages", "<=", 0)
	five, two := int64(5), int64(2)
	records := func(baseline, candidate string) []*record.Record {
		var rs []*record.Record
		for role, spec := range map[string]string{record.Baseline: baseline, record.Candidate: candidate} {
			rs = append(rs, &record.Record{Scenario: "s", Variant: record.Variant{Role: role, Spec: spec},
				Ledger: record.Ledger{KernelDropped: &two, QueueDropped: &five, Hostile: 9}})
		}
		return rs
	}
	regressed := regress.Comparison{Scenario: "s", Mark: regress.Regressed, PAdjusted: 0.001}
	open := regress.Comparison{Scenario: "s", Mark: regress.Inconclusive, Pairs: make([]regress.Pair, 6), PairsNeeded: 22}
	enough := open
	enough.PairsNeeded = 0
	for _, c := range []struct {
		why     string
		outcome regress.Outcome
		verdict regress.Verdict
		records []*record.Record
		want    string // the lines, with | between them
	}{
		{"a pass without doubts", regress.Pass, regress.Verdict{}, nil, ""},
		{"more pairs help", regress.Pass, regress.Verdict{Comparisons: []regress.Comparison{open}}, nil,
			"s: about 22 pairs would settle it (--replicates 22)."},
		{"more pairs do not", regress.Pass, regress.Verdict{Comparisons: []regress.Comparison{enough}}, nil, ""},
		{"two commits can be bisected", regress.Fail, regress.Verdict{Comparisons: []regress.Comparison{regressed}}, records("git:v1:reader=coupled", "git:main"),
			"s: floodgate bisect s --good v1 --bad main finds the commit."},
		{"two programs cannot", regress.Fail, regress.Verdict{Comparisons: []regress.Comparison{regressed}}, records("bin:a", "git:main"), ""},
		{"the place of most of the loss, and hostile lines are none", regress.Fail,
			regress.Verdict{Checks: []regress.CheckResult{{Scenario: "s", Check: lost, Gate: true, Total: 1, Observed: 7}}}, records("bin:a", "bin:b"),
			"s: look at queue_dropped (no room in the target's queue), where the candidate lost 5 messages."},
		{"warnings come first", regress.Fail, regress.Verdict{Warnings: []string{"w"}, Comparisons: []regress.Comparison{open}}, nil,
			"Read the warnings before you act on a figure: 1 in all.|s: about 22 pairs would settle it (--replicates 22)."},
		{"what is missing must be run", regress.Unmeasured, regress.Verdict{Comparisons: []regress.Comparison{{Scenario: "s", Mark: regress.NoVerdict}}}, nil,
			"Run again what is missing: nothing is judged without it."},
		{"many are cut", regress.Pass, regress.Verdict{Comparisons: slices.Repeat([]regress.Comparison{open}, 7)}, nil,
			strings.Repeat("s: about 22 pairs would settle it (--replicates 22).|", 4) + "3 more of the kind; the tables name them."},
	} {
		c.verdict.Options = regress.DefaultOptions()
		c.verdict.Decision.Outcome = c.outcome
		v := newView(Report{Verdict: c.verdict, Records: c.records})
		if got := strings.Join(v.next(), "|"); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.why, got, c.want)
		}
	}
}

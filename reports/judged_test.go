package reports

import (
	"strings"
	"testing"

	"floodgate/internal/record"
	"floodgate/regress"
	"floodgate/scenarios"
)

// TestWorthALook: every format lists it, none lists what decides anyway.
func TestWorthALook(t *testing.T) {
	r := fixture(t)
	for name, f := range renderers {
		if name == "junit.xml" {
			continue // a list for readers
		}
		text := string(render(t, f, r))
		want := "q 0.083 (Benjamini–Hochberg)"
		if name == "report.json" {
			want = `"worth_a_look": true`
		}
		if n := strings.Count(text, want); n == 0 || name != "report.html" && n > 1 {
			t.Errorf("%s says %d times %q, want once", name, n, want)
		}
	}
	for i := range r.Verdict.Comparisons {
		r.Verdict.Comparisons[i].Q = 1
	}
	if text := string(render(t, Markdown, r)); strings.Contains(text, "Worth a look") {
		t.Error("a list without entries has a heading")
	}
}

// TestHowItCameAbout: a run that a look ended, and one of two runs made apart, say
// so beside their figures.
func TestHowItCameAbout(t *testing.T) {
	c := regress.Comparison{Scenario: "x", Goal: measureOf("cpu_seconds"), Mark: regress.NoChange, Planned: 6,
		Pairs: make([]regress.Pair, 6), Delta: regress.Interval{Low: -0.01, High: 0.01, Level: 0.9623}, Q: 1,
		Looked: &regress.Looked{Look: 1, Looks: 4, Pairs: 6, Most: 20, Boundary: regress.Pocock, Overall: 0.9}}
	o := regress.DefaultOptions()
	if got := note(c, o); !strings.HasPrefix(got, "ended at look 1 of 4, after 6 of at most 20 pairs; 90 % holds over all looks, so the interval is one of 96.2 %") {
		t.Errorf("a run that ended early says %q", got)
	}
	c.Looked.Look, c.Looked.Pairs = 4, 20
	if got := note(c, o); got != "look 4 of 4: 90 % holds over all looks, so the interval is one of 96.2 %" {
		t.Errorf("a run that took all looks says %q", got)
	}
	c.Looked, c.Pairs = nil, nil
	c.Apart = &regress.Samples{Baseline: make([]float64, 6), Candidate: make([]float64, 8)}
	if got := note(c, o); !strings.Contains(got, "compared as two samples") || trialsCell(c) != "6 and 8" || deltaCell(c) != "+0.00" {
		t.Errorf("two runs made apart say %q, %s, %s", got, trialsCell(c), deltaCell(c))
	}
	r := Report{Verdict: regress.Verdict{Options: o, Comparisons: []regress.Comparison{c}}}
	for _, f := range renderers {
		render(t, f, r)
	}
}

// TestShareOfReplicates: how many had to keep the bound stands beside how many
// did.
func TestShareOfReplicates(t *testing.T) {
	check := scenarios.Check{Measure: measureOf("rss_peak"), Op: "<=", Bound: 64 << 20, Replicas: scenarios.Share{K: 9, N: 10}}
	result := regress.CheckResult{Scenario: "idle", Check: check, Role: record.Candidate, Gate: true, Passed: 9, Total: 10, Spare: 1, OK: true, Observed: 70 << 20}
	if got := passedCell(result); got != "9/10 (9 needed)" {
		t.Errorf("passed: %s", got)
	}
	if symbol, _ := checkMark(result); symbol != "✅" {
		t.Errorf("one replicate to spare, one broken: %s", symbol)
	}
	result.OK, result.Passed = false, 8
	if symbol, _ := checkMark(result); symbol != "❌" {
		t.Errorf("one replicate to spare, two broken: %s", symbol)
	}
	result.Passed, result.Missing = 8, 1
	if symbol, word := checkMark(result); symbol != "⛔" {
		t.Errorf("one replicate to spare, one broken and one missing: %s %s", symbol, word)
	}
	if rules := markRules(regress.Options{Confidence: 0.9, Tolerance: 0.05, Rule: regress.Prove}); !strings.Contains(rules[0], "the whole 90 % interval") {
		t.Errorf("the rule of proof reads %q", rules[0])
	}
}

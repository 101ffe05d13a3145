package regress

import (
	"fmt"
	"strings"
)

// lines are the reasons of a decision, by what they do to it.
type lines struct{ failed, unmeasured, noted, passed []string }

// decide makes the decision from the comparisons and checks of v. missing names
// the replicates that are absent in a run of one variant.
func decide(v Verdict, missing []string, scenarios int) Decision {
	var l lines
	for _, c := range v.Checks {
		l.addCheck(c)
	}
	for _, c := range v.Comparisons {
		l.addComparison(c, v.Options, familySize(v.Comparisons))
	}
	for _, m := range missing {
		l.unmeasured = append(l.unmeasured, m+".")
	}
	switch {
	case scenarios == 0:
		l.unmeasured = append(l.unmeasured, "no scenario was judged.")
	case len(v.Comparisons) > 0:
		l.passed = append(l.passed, tally(v.Comparisons))
	default:
		l.noted = append(l.noted, "one variant alone: nothing was compared, only its checks decide.")
	}
	d := Decision{Outcome: Pass}
	switch {
	case len(l.failed) > 0:
		d.Outcome = Fail
	case len(l.unmeasured) > 0:
		d.Outcome = Unmeasured
	}
	for _, part := range [][]string{l.failed, l.unmeasured, l.noted, l.passed} {
		d.Reasons = append(d.Reasons, part...)
	}
	return d
}

// addCheck books a check of a gate; others do not decide and have no line.
func (l *lines) addCheck(c CheckResult) {
	if !c.Gate {
		return
	}
	switch {
	case c.OK:
		l.passed = append(l.passed, c.Sentence())
	case c.Failed():
		l.failed = append(l.failed, c.Sentence())
	default:
		l.unmeasured = append(l.unmeasured, c.Sentence())
	}
}

// addComparison books what a comparison does to the decision, if anything.
func (l *lines) addComparison(c Comparison, o Options, family int) {
	name := c.Scenario + ": " + c.Goal.Name
	size := signedPercent(c.Delta.Estimate) + " " + c.Delta.bounds()
	switch {
	case c.Confirmed(o):
		l.failed = append(l.failed, fmt.Sprintf("%s regressed by %s, %s after Holm.", name, size, probability(c.PAdjusted)))
	case c.Mark == Regressed:
		l.noted = append(l.noted, fmt.Sprintf("%s is marked as regressed by %s, but its %s is %s after Holm over %s, above %.3g: it does not decide.",
			name, size, probability(c.P), probability(c.PAdjusted), plural(family, "scenario"), o.Alpha()))
	case c.Mark == NoVerdict:
		l.unmeasured = append(l.unmeasured, fmt.Sprintf("%s has no verdict: %s.", name, c.Reason))
	case c.Mark == Inconclusive && o.FailOnInconclusive:
		l.unmeasured = append(l.unmeasured, fmt.Sprintf("%s is inconclusive: %s.", name, c.Reason))
	}
}

// familySize counts the comparisons that could decide.
func familySize(comparisons []Comparison) int {
	n := 0
	for _, c := range comparisons {
		if !c.Erratic {
			n++
		}
	}
	return n
}

// tally counts the comparisons by mark: "4 comparisons: 1 improved, 3 no change."
func tally(comparisons []Comparison) string {
	count := make(map[Mark]int)
	for _, c := range comparisons {
		count[c.Mark]++
	}
	var parts []string
	for _, m := range []Mark{Regressed, Improved, NoChange, Inconclusive, NoVerdict} {
		if count[m] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", count[m], m))
		}
	}
	return plural(len(comparisons), "comparison") + ": " + strings.Join(parts, ", ") + "."
}

// probability writes a p-value: "p 0.012".
func probability(p float64) string {
	switch {
	case p < 0.001:
		return "p < 0.001"
	case p >= 0.995:
		return "p 1"
	}
	return fmt.Sprintf("p %.2g", p)
}

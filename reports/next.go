package reports

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"floodgate/internal/record"
	"floodgate/regress"
)

// mostNext is how many lines of advice there are at most.
const mostNext = 5

// nextTitle heads the advice.
const nextTitle = "What to do next"

// next says what to do about the verdict, the most urgent first. It only points at
// what the verdict and the records say already.
func (v *view) next() []string {
	var lines []string
	lines = append(lines, v.nextDoubts()...)
	for i := range v.scenes {
		lines = append(lines, v.scenes[i].nextLoss()...)
	}
	for _, c := range v.comparisons {
		lines = append(lines, v.nextOf(c)...)
	}
	if more := len(lines) - mostNext; more > 0 {
		lines = append(lines[:mostNext-1], fmt.Sprintf("%d more of the kind; the tables name them.", more+1))
	}
	return lines
}

// nextDoubts is what stands before any figure: a run that did not measure, or that
// the machine disturbed.
func (v *view) nextDoubts() []string {
	missing := v.Verdict.Decision.Outcome != regress.Pass && v.Verdict.Decision.Outcome != regress.Fail
	switch doubts := len(v.warnings()); {
	case missing && len(v.invalid) > 0:
		return []string{"Find out why " + plural(len(v.invalid), "replicate") + " came out invalid, and run again what is missing: nothing is judged without it."}
	case missing && (len(v.comparisons) > 0 || len(v.checks) > 0):
		return []string{"Run again what is missing: nothing is judged without it."}
	case v.Verdict.Decision.Outcome == regress.Fail && doubts > 0:
		return []string{"Read the warnings before you act on a figure: " + strconv.Itoa(doubts) + " in all."}
	}
	return nil
}

// nextLoss points at the place where a candidate lost most of what breaks a check.
func (s *scene) nextLoss() []string {
	broken := slices.ContainsFunc(s.checks, func(c regress.CheckResult) bool {
		return decides(c) && c.Failed() && strings.HasPrefix(c.Check.Name(), "lost_")
	})
	if !broken {
		return nil
	}
	sum := sumLedgers(record.Candidate, s.valid(record.Candidate))
	worst, most := -1, int64(0)
	for i, p := range places {
		if n := sum.counts[i]; p.loss() && n != nil && *n > most {
			worst, most = i, *n
		}
	}
	if worst < 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s: look at %s (%s), where the candidate lost %s messages.", s.name, places[worst].name, places[worst].words, grouped(most))}
}

// nextOf is what to do about one comparison.
func (v *view) nextOf(c regress.Comparison) []string {
	switch {
	case c.Confirmed(v.Verdict.Options):
		good, bad := gitRef(v.specs(record.Baseline)), gitRef(v.specs(record.Candidate))
		if good == "" || bad == "" {
			return nil
		}
		return []string{fmt.Sprintf("%s: floodgate bisect %s --good %s --bad %s finds the commit.", c.Scenario, c.Scenario, good, bad)}
	case c.Mark == regress.Inconclusive && c.Apart == nil && c.Looked == nil && c.PairsNeeded > len(c.Pairs):
		return []string{fmt.Sprintf("%s: about %d pairs would settle it (--replicates %d).", c.Scenario, c.PairsNeeded, c.PairsNeeded)}
	}
	return nil
}

// gitRef is the REF of a variant git:REF, and empty for any other.
func gitRef(spec string) string {
	ref, found := strings.CutPrefix(spec, "git:")
	if !found || strings.ContainsAny(spec, " '\"") {
		return ""
	}
	ref, _, _ = strings.Cut(ref, ":")
	return ref
}

package trend

import (
	"fmt"
	"math"

	"floodgate/internal/history"
	"floodgate/regress"
)

// Judge fails a history of which the latest finding in any series is for the
// worse by at least the tolerance, 0.05 for 5 %, with an interval that excludes 0.
// A finding that a later one replaces no longer counts, and one that none does
// counts as long as it is in the history. Where no series could be searched
// nothing was measured.
func Judge(all []Series, tolerance float64) regress.Decision {
	d := regress.Decision{Outcome: regress.Pass}
	searched := 0
	for i := range all {
		s := &all[i]
		if !s.Searched() {
			continue
		}
		searched++
		for _, worse := range s.worsened(tolerance) {
			d.Outcome = regress.Fail
			d.Reasons = append(d.Reasons, fmt.Sprintf("%s, %s: %s", s.Scenario, s.Measure, worse))
		}
	}
	switch {
	case searched == 0:
		d.Outcome = regress.Unmeasured
		d.Reasons = []string{fmt.Sprintf("no series has %d runs, or %d comparisons in a chain, to be searched", leastRuns, leastLinks)}
	case d.Outcome == regress.Pass:
		d.Reasons = []string{fmt.Sprintf("%d of %d series searched: no latest finding is worse by %.4g %% or more", searched, len(all), 100*tolerance)}
	}
	return d
}

// Searched reports whether there were enough runs to find anything.
func (s *Series) Searched() bool {
	ratios, levels := 0, 0
	for _, l := range s.Lines {
		if l.Ratio != nil {
			ratios++
		}
		if l.Candidate.Level != nil {
			levels++
		}
	}
	return s.Chain != nil || max(ratios, levels) >= leastRuns
}

// worsened says in words what was found last and is worse by the tolerance. In a
// chain it is the product of the ratios that counts: a ratio that changes there
// only says that changes became larger or smaller.
func (s *Series) worsened(tolerance float64) (reasons []string) {
	judge := func(what string, worse bool, c Change) {
		if worse && math.Abs(c.Estimate) >= tolerance && (c.Low > 0 || c.High < 0) {
			reasons = append(reasons, fmt.Sprintf("%s by %+.2f %%", what, 100*c.Estimate))
		}
	}
	if c := s.Chain; c != nil && c.Told {
		judge(fmt.Sprintf("a chain of %d comparisons moved", c.Runs), c.Worse, c.Change)
	}
	latest := func(what string, f Finding) {
		if d := f.Drift; d != nil {
			judge("the "+what+" drifted", d.Worse, d.Change)
		}
		if n := len(f.Points); n > 0 {
			p := f.Points[n-1]
			judge(fmt.Sprintf("the %s changed with %s", what, name(s.Lines[p.Line])), p.Worse, p.Change)
		}
	}
	latest("level", s.Level)
	if s.Chain == nil {
		latest("ratio", s.Ratio)
	}
	return reasons
}

// name is what the candidate of a line is called.
func name(l history.Line) string {
	if l.Candidate.Commit != "" {
		return l.Candidate.Commit
	}
	return l.Candidate.Spec + " on " + l.Time.UTC().Format("2006-01-02")
}

package reports

import (
	"fmt"
	"slices"

	"floodgate/regress"
)

// trials is what a comparison was computed from, in words: "8 pairs", "6 and 8
// replicates".
func trials(c regress.Comparison) string {
	if c.Apart != nil {
		return fmt.Sprintf("%d and %d replicates", len(c.Apart.Baseline), len(c.Apart.Candidate))
	}
	return plural(len(c.Pairs), "pair")
}

// design says what a reader must know of how a comparison came about: the look
// at which it ended, or that its sides ran apart.
func design(c regress.Comparison) string {
	switch {
	case c.Apart != nil:
		return "two runs made apart, compared as two samples with Welch's interval"
	case c.Looked == nil:
		return ""
	case c.Looked.Pairs < c.Looked.Most:
		return fmt.Sprintf("ended at look %d of %d, after %d of at most %d pairs; %s holds over all looks, so the interval is one of %s; a change that ended a run early is rather smaller than it looks",
			c.Looked.Look, c.Looked.Looks, c.Looked.Pairs, c.Looked.Most, share(c.Looked.Overall), share(c.Delta.Level))
	}
	return fmt.Sprintf("look %d of %d: %s holds over all looks, so the interval is one of %s",
		c.Looked.Look, c.Looked.Looks, share(c.Looked.Overall), share(c.Delta.Level))
}

// worthTitle heads the list of what does not decide.
var worthTitle = fmt.Sprintf("Worth a look (worse, without deciding; at most %s of such a list is there by chance)", share(regress.FalseShare))

// worth lists the changes for the worse that do not count against the run but
// stand out of the noise, the surest first.
func (v *view) worth() []string {
	var found []regress.Comparison
	for _, c := range v.comparisons {
		if measured(c) && c.WorthALook(v.Verdict.Options) {
			found = append(found, c)
		}
	}
	slices.SortStableFunc(found, func(a, b regress.Comparison) int {
		if a.Q < b.Q {
			return -1
		}
		return 1
	})
	var lines []string
	for _, c := range found {
		line := fmt.Sprintf("%s: %s %s %%", c.Scenario, c.Goal.Name, deltaCell(c))
		if c.Delta.Level > 0 {
			line += " " + intervalCell(c)
		}
		line += ", q " + probability(c.Q) + " (Benjamini–Hochberg)"
		if c.Erratic {
			line += "; declared erratic"
		}
		lines = append(lines, line)
	}
	return lines
}

// gates are the checks that decide, in words, the broken ones first.
func (v *view) gates() []string {
	var lines []string
	for _, c := range v.checks {
		if decides(c) {
			lines = append(lines, c.Sentence())
		}
	}
	return lines
}

// ownReasons are the reasons of the decision that its readers have not met yet:
// without the gates that passed, which stand below their bounds.
func (v *view) ownReasons() []string {
	passed := map[string]bool{}
	for _, c := range v.checks {
		if decides(c) && c.OK {
			passed[c.Sentence()] = true
		}
	}
	var own []string
	for _, reason := range v.Verdict.Decision.Reasons {
		if !passed[reason] {
			own = append(own, reason)
		}
	}
	return own
}

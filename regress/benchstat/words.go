package benchstat

import (
	"fmt"
	"strings"

	"floodgate/regress"
)

// direction is what a change means, in one word: better, worse, changed where
// nobody said which direction is better, or nothing if there is no difference
// to speak of.
func (t *Table) direction(c *Change) string {
	relative := c.Relative()
	switch {
	case !c.Significant() || relative == 0 || relative != relative:
		return ""
	case t.Better == 0:
		return "changed"
	case (relative > 0) == (t.Better > 0):
		return "better"
	}
	return "worse"
}

// tally is a table in one line: how many rows of each column went which way.
func (t *Table) tally() string {
	var parts []string
	for i, column := range t.Columns {
		if i == 0 {
			continue
		}
		counts := map[string]int{}
		for _, row := range t.Rows {
			switch cell := row.Cells[i]; {
			case cell == nil && row.Cells[0] != nil:
				counts["missing"]++
			case cell == nil:
			case cell.Change == nil:
				counts["without a base"]++
			default:
				counts[t.direction(cell.Change)]++
			}
		}
		var words []string
		for _, word := range []string{"better", "worse", "changed", "", "missing", "without a base"} {
			if n := counts[word]; n > 0 {
				if word == "" {
					word = "~"
				}
				words = append(words, fmt.Sprintf("%d %s", n, word))
			}
		}
		text := strings.Join(words, ", ")
		if g := t.Geomean[i]; len(t.Rows) > 1 && g.HasRatio {
			text += ", geomean " + g.Delta()
		}
		if len(t.Columns) > 2 {
			text = column.Label + ": " + text
		}
		parts = append(parts, text)
	}
	if len(parts) == 0 {
		return fmt.Sprintf("%d benchmarks, nothing to compare with", len(t.Rows))
	}
	return strings.Join(parts, "; ")
}

// towards says which direction of a unit is better.
func (t *Table) towards() string {
	switch t.Better {
	case 1:
		return "higher is better"
	case -1:
		return "lower is better"
	}
	return "no direction known"
}

// decided is the headline of a decision.
func decided(o regress.Outcome) string {
	switch o {
	case regress.Pass:
		return "Pass"
	case regress.Fail:
		return "Fail"
	}
	return "Could not judge"
}

// reading explains the figures, for readers who meet such a table first.
func (o Options) reading() []string {
	return []string{
		fmt.Sprintf("Each figure is the median of its runs ± its interval at %v%% confidence, as a share of the median; ∞ means too few runs for one.", percent(o.Confidence)),
		fmt.Sprintf("“vs base” compares with the first column of the table by the Mann–Whitney U-test. “~” means that no difference was found (p above %v); it does not mean that there is none. n is the number of runs.", o.Alpha),
		"p is how often chance alone would show a difference like this. Of many benchmarks without any change, a share of about that limit is called changed all the same.",
		"geomean is the geometric mean of a column; its change is the mean of the rows' ratios.",
	}
}

// percent is a share in percent without the digits that rounding leaves behind.
func percent(share float64) string {
	return fmt.Sprintf("%.6g", 100*share)
}

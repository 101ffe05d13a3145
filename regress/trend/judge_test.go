package trend

import (
	"strings"
	"testing"

	"floodgate/internal/history"
	"floodgate/regress"
)

// TestJudge: the latest finding counts, where it is worse and matters.
func TestJudge(t *testing.T) {
	line := func(commit string) history.Line {
		x := 1.0
		return history.Line{Ratio: &x, Candidate: history.Side{Commit: commit, Level: &x}}
	}
	six := []history.Line{line("a"), line("b"), line("c"), line("d"), line("e"), line("f")}
	change := func(estimate float64) Change { return Change{estimate, estimate - 0.01, estimate + 0.01, 0.9} }
	point := func(at int, estimate float64) Point {
		return Point{Line: at, Change: change(estimate), Worse: estimate > 0}
	}
	of := func(s Series) Series {
		s.Scenario, s.Measure, s.Lines = "burst", "rss_peak", six
		return s
	}
	for _, c := range []struct {
		why    string
		in     []Series
		want   regress.Outcome
		reason string
	}{
		{"nothing was found", []Series{of(Series{})}, regress.Pass, "1 of 1 series searched"},
		{"no history is no pass", nil, regress.Unmeasured, "no series has 6 runs"},
		{"nor is a short one", []Series{{Lines: six[:5]}}, regress.Unmeasured, "no series has 6 runs"},
		{"a short one beside a long one", []Series{{Lines: six[:5]}, of(Series{})}, regress.Pass, "1 of 2 series searched"},
		{"worse", []Series{of(Series{}), of(Series{Level: Finding{Points: []Point{point(2, -0.2), point(4, 0.06)}}})}, regress.Fail, "burst, rss_peak: the level changed with e by +6.00 %"},
		{"made good since", []Series{of(Series{Level: Finding{Points: []Point{point(2, 0.2), point(4, -0.2)}}})}, regress.Pass, ""},
		{"within the tolerance", []Series{of(Series{Level: Finding{Points: []Point{point(2, 0.04)}}})}, regress.Pass, ""},
		{"it may be nothing", []Series{of(Series{Ratio: Finding{Points: []Point{{Line: 2, Change: Change{0.06, -0.01, 0.2, 0.9}, Worse: true}}}})}, regress.Pass, ""},
		{"a drift", []Series{of(Series{Ratio: Finding{Drift: &Drift{Change: change(0.07), Told: true, Worse: true}}})}, regress.Fail, "the ratio drifted by +7.00 %"},
		{"more is better, and it is less", []Series{of(Series{Level: Finding{Drift: &Drift{Change: change(-0.07), Told: true, Worse: true}}})}, regress.Fail, "the level drifted by -7.00 %"},
		{"a chain", []Series{of(Series{Chain: &Drift{Runs: 6, Change: change(0.07), Told: true, Worse: true}})}, regress.Fail, "a chain of 6 comparisons moved by +7.00 %"},
		{"a chain that is not told from 0", []Series{of(Series{Chain: &Drift{Change: change(0.07), Worse: true}})}, regress.Pass, ""},
		{"in a chain, improvements that end are no harm", []Series{of(Series{Chain: &Drift{Change: change(-0.2), Told: true}, Ratio: Finding{Points: []Point{point(3, 0.06)}}})}, regress.Pass, ""},
	} {
		got := Judge(c.in, 0.05)
		if got.Outcome != c.want || len(got.Reasons) != 1 || !strings.Contains(got.Reasons[0], c.reason) {
			t.Errorf("%s: %s %q, want %s because of %q", c.why, got.Outcome, got.Reasons, c.want, c.reason)
		}
	}
}

package regress

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"floodgate/internal/record"
)

// TestWelchPublished: Student's sleep data taken as two samples, as in the example
// of R's t.test: t = -1.8608, df = 17.776, p = 0.07939, 95 % interval -3.365 to
// 0.205.
func TestWelchPublished(t *testing.T) {
	first := []float64{0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0}
	second := []float64{1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4}
	e := estimateApart(second, first, 0.95, 1)
	for what, c := range map[string][2]float64{
		"difference": {e.mean, -1.58}, "freedom": {e.freedom, 17.776}, "low": {e.student.low, -3.365}, "high": {e.student.high, 0.205},
		"p": {estimateApart(second, first, 0.95, -1).p, 0.07939 / 2},
	} {
		if math.Abs(c[0]-c[1]) > 6e-4 {
			t.Errorf("%s: %.4f, want %.4f", what, c[0], c[1])
		}
	}
}

// TestMannWhitneyNull compares with counting all orders, and with the published
// critical values (Mann and Whitney 1947; two-sided 5 %).
func TestMannWhitneyNull(t *testing.T) {
	for _, c := range []struct{ n, m int }{{1, 1}, {2, 3}, {3, 3}, {4, 2}} {
		counts := make([]float64, c.n*c.m+1)
		all := 0.0
		for set := range 1 << (c.n + c.m) {
			u, first, second := 0, 0, 0
			for i := range c.n + c.m {
				if set>>i&1 == 1 {
					first++
					u += second
				} else {
					second++
				}
			}
			if first == c.n {
				counts[u]++
				all++
			}
		}
		for u, p := range mannWhitneyNull(c.n, c.m) {
			if math.Abs(p-counts[u]/all) > 1e-12 {
				t.Errorf("%d and %d: P(U = %d) is %v, want %v", c.n, c.m, u, p, counts[u]/all)
			}
		}
	}
	for _, c := range []struct{ n, m, critical int }{{4, 4, 0}, {5, 5, 2}, {6, 8, 8}, {10, 10, 23}, {20, 20, 127}} {
		if k, level := mannWhitneyCut(c.n, c.m, 0.95); k != c.critical+1 || level < 0.95 {
			t.Errorf("%d and %d: U up to %d is significant, level %v; want up to %d", c.n, c.m, k-1, level, c.critical)
		}
	}
	if k, _ := mannWhitneyCut(3, 3, 0.95); k != 0 || leastRobustApart(0.95) != 4 || leastRobustApart(0.90) != 3 {
		t.Errorf("3 and 3 have an interval at 95 %%; least %d and %d", leastRobustApart(0.95), leastRobustApart(0.90))
	}
	exact, _ := mannWhitneyCut(50, 50, 0.9)
	if limit, _ := mannWhitneyCut(50, 51, 0.9); limit < exact || limit > exact+30 {
		t.Errorf("the normal limit, %d, does not continue the exact cut, %d", limit, exact)
	}
}

// TestApartFalseMarks: two samples of unequal size and spread are told apart, when
// they are not, as seldom as the level says.
func TestApartFalseMarks(t *testing.T) {
	trials := 10 * *families
	for _, c := range []struct {
		n, m   int
		sn, sm float64
	}{{6, 6, 0.1, 0.1}, {5, 9, 0.1, 0.1}, {8, 5, 0.05, 0.15}} {
		random := rand.New(rand.NewPCG(31, uint64(c.n)))
		excluded := 0
		for range trials {
			if estimateApart(normal.sample(random, c.n, c.sn, 0), normal.sample(random, c.m, c.sm, 0), 0.9, 1).student.excludesZero() {
				excluded++
			}
		}
		if share := float64(excluded) / float64(trials); share > atMost(0.10, trials) || share < 0.07 {
			t.Errorf("%+v: the interval excludes 0 without a change in %.3f, want about .10", c, share)
		}
	}
}

// apart plans one scenario whose two sides were run apart, with these values.
func apart(t *testing.T, baseline, candidate []float64) *run {
	r := newRun(t)
	r.scenario("packed_3m", "cpu_seconds", 6)
	r.in.Apart, r.in.Roles = true, []string{record.Baseline, record.Candidate}
	for i, x := range baseline {
		r.record(record.Baseline, i, x)
	}
	for i, x := range candidate {
		r.record(record.Candidate, i, x)
	}
	return r
}

// TestApart: what becomes of two runs with different numbers of replicates.
func TestApart(t *testing.T) {
	eight := append([]float64{99, 100}, shaken...)
	for _, c := range []struct {
		name   string
		run    *run
		mark   Mark
		reason string
	}{
		{"unequal numbers are compared", apart(t, wobble, times(eight, 1.2)), Regressed, "excludes 0"},
		{"and a change is proved absent", apart(t, wobble, eight), NoChange, "lies within ±5 %"},
		{"one replicate has no spread", apart(t, wobble[:1], eight), Inconclusive, "one replicate of a side shows no spread"},
		{"a side without records", apart(t, wobble, nil), NoVerdict, "no record of the candidate"},
		{"a value of zero", apart(t, wobble, []float64{100, 0, 100}), NoVerdict, "replicate 1 of the candidate has 0s"},
		{"the same values twice", apart(t, []float64{5, 5}, []float64{5, 5}), Inconclusive, "hides the spread: 3 such replicates of each side"},
		{"noise says how many would do", apart(t, []float64{80, 100, 125}, []float64{90, 120, 100}), Inconclusive, "3 replicates of each side find changes from"},
	} {
		v := Judge(c.run.in)
		got := v.Comparisons[0]
		if got.Mark != c.mark || !strings.Contains(got.Reason, c.reason) || got.Apart == nil || len(got.Pairs) != 0 || got.PRandom != 1 {
			t.Errorf("%s: %s: %s; want %s: …%s…", c.name, got.Mark, got.Reason, c.mark, c.reason)
		}
		if c.mark != NoVerdict && (len(got.Warnings) == 0 || !strings.Contains(got.Warnings[0], "run apart")) {
			t.Errorf("%s: warnings %q", c.name, got.Warnings)
		}
	}
	gap := apart(t, wobble, eight)
	gap.in.Records[3].Order.Planned = 9
	if c := Judge(gap.in).Comparisons[0]; c.Mark != NoVerdict || !strings.Contains(c.Reason, "replicate 6: no record of the baseline") {
		t.Errorf("a side that planned more than it has: %s: %s", c.Mark, c.Reason)
	}
}

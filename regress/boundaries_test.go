package regress

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"

	"floodgate/internal/documented"
)

// TestBoundariesPublished: with so many pairs that Student's t is normal, the
// constants are those of Jennison and Turnbull, Group Sequential Methods (2000),
// tables 2.1 and 2.3.
func TestBoundariesPublished(t *testing.T) {
	for _, c := range []struct {
		looks  int
		alpha  float64 // two-sided
		pocock float64
		obf    float64
	}{
		{2, 0.05, 2.178, 1.977},
		{2, 0.10, 1.875, 1.678},
		{3, 0.10, 1.992, 1.710},
		{4, 0.05, 2.361, 2.024},
		{4, 0.10, 2.067, 1.733},
		{5, 0.05, 2.413, 2.040},
	} {
		l := Looks{Boundary: Pocock}
		for k := range c.looks {
			l.Pairs = append(l.Pairs, 4000*(k+1))
		}
		b := newBoundaries(l)
		for shape, want := range map[Boundary]float64{Pocock: c.pocock, OBrienFleming: c.obf} {
			b.shape = shape
			levels := b.levels(c.alpha / 2)
			if got := -distuv.UnitNormal.Quantile(levels[c.looks-1]); math.Abs(got-want) > 0.004 {
				t.Errorf("%d looks, %v, %s: %.4f, want %.3f", c.looks, c.alpha, shape, got, want)
			}
		}
	}
}

// TestBoundariesOfStudent: with few pairs the levels are stricter than those of
// the normal distribution. The figures were simulated once, with a program of
// their own.
func TestBoundariesOfStudent(t *testing.T) {
	for _, c := range []struct {
		alpha float64 // two-sided
		shape Boundary
		want  [4]float64 // nominal, two-sided
	}{
		{0.05, Pocock, [4]float64{.0170, .0170, .0170, .0170}},
		{0.10, Pocock, [4]float64{.0363, .0363, .0363, .0363}},
		{0.05, OBrienFleming, [4]float64{.00004, .0038, .0182, .0409}},
		{0.10, OBrienFleming, [4]float64{.00045, .0131, .0427, .0792}},
	} {
		levels := newBoundaries(Looks{Pairs: []int{5, 10, 15, 20}, Boundary: c.shape}).levels(c.alpha / 2)
		for k, level := range levels {
			if math.Abs(2*level-c.want[k]) > 0.03*c.want[k]+0.00005 {
				t.Errorf("%s at %v, look %d: %.5f, want %.5f", c.shape, c.alpha, k+1, 2*level, c.want[k])
			}
		}
	}
}

// TestBoundariesConverge: one look alone, the first or the last, finds what
// Student's law says, in spite of the grid that the chain has passed on the way.
func TestBoundariesConverge(t *testing.T) {
	b := newBoundaries(Looks{Pairs: []int{4, 6, 10, 20}, Boundary: Pocock})
	for _, tail := range []float64{0.001, 0.05, 0.3, 0.77} {
		if got := b.crossing([]float64{tail, 0, 0, 0}); math.Abs(got-tail) > 1e-12 {
			t.Errorf("the first look alone: %v, want %v", got, tail)
		}
		// Without a boundary before it, the last look has its own law: whatever the
		// chain did on the way, its end must be what Student says.
		if got := b.crossing([]float64{0, 0, 0, tail}); math.Abs(got-tail) > 0.02*tail || tail >= 0.05 && math.Abs(got-tail) > 0.002*tail {
			t.Errorf("the last look alone: %v, want %v", got, tail)
		}
	}
	if got := b.crossing([]float64{0.02, 0.02, 0.02, 0.02}); got <= 0.02 || got >= 0.08 {
		t.Errorf("four looks at .02: %v, want more than one look and less than four apart", got)
	}
}

// TestRepeated: the repeated p is at the error exactly where the look crosses,
// and never below p.
func TestRepeated(t *testing.T) {
	for _, shape := range []Boundary{Pocock, OBrienFleming} {
		b := newBoundaries(Looks{Pairs: []int{6, 10, 16, 20}, Boundary: shape})
		for k, level := range b.levels(0.05) {
			if got := b.repeated(k, level); math.Abs(got-0.05) > 1e-6 {
				t.Errorf("%s, look %d: the repeated p of the level %v is %v, want .05", shape, k+1, level, got)
			}
			last := 0.0
			for _, p := range []float64{0, 1e-9, 1e-4, 0.01, 0.04, 0.3, 0.5, 0.9, 1} {
				got := b.repeated(k, p)
				if got < p || got < last || got > 1 {
					t.Errorf("%s, look %d: p %v becomes %v, after %v", shape, k+1, p, got, last)
				}
				last = got
			}
		}
	}
}

// TestSequential is the table of looks in docs/statistics.md: the false marks and
// the power of a run with looks, and the pairs that it takes, against one that
// looks once at the end.
func TestSequential(t *testing.T) {
	const spread = 0.08
	trials := 20 * *families
	page := documented.Open(t, statistics)
	changes := []float64{0, 0.05, 0.10, 0.20}
	rows := []string{"| none |", "| +5 % |", "| +10 % |", "| +20 % |"}
	printed := slices.Clone(rows)
	for i, shape := range []Boundary{Pocock, OBrienFleming} {
		l := PlanLooks(20, shape)
		b := newBoundaries(l)
		var at []*looked
		var levels []string
		for _, n := range l.Pairs {
			at = append(at, b.at(n, 0.9))
			levels = append(levels, fmt.Sprintf("%.2f %%", 100*at[len(at)-1].confidence))
		}
		row := fmt.Sprintf("| %s | %s |", shape, strings.Join(levels, " | "))
		t.Logf("looks at %v: %s", l.Pairs, row)
		page.Says(t, row)
		for k, change := range changes {
			random := rand.New(rand.NewPCG(21, math.Float64bits(change)))
			marked, pairs := 0, 0
			for range trials {
				d := normal.sample(random, 20, spread, change)
				for k, n := range l.Pairs {
					e := estimateOf(d[:n], at[k].confidence, 1)
					if e.student.excludesZero() {
						marked++
					}
					if e.student.excludesZero() || k == len(l.Pairs)-1 {
						pairs += n
						break
					}
				}
			}
			share, mean := float64(marked)/float64(trials), float64(pairs)/float64(trials)
			printed[k] += fmt.Sprintf(" %.3f | %.1f |", share, mean)
			figures := page.Row(t, "| true change | pocock |", rows[k])[2*i:]
			figures[0].Share(t, string(shape)+", "+rows[k], share, trials, 20*usualFamilies)
			figures[1].Near(t, string(shape)+", pairs, "+rows[k], mean, 0.051+3.72*7/math.Sqrt(float64(trials))) // 6 to 20 pairs deviate by 7 at most
			switch {
			case change == 0 && (share > atMost(0.10, trials) || share < 0.085):
				t.Errorf("%s: without a change the interval excludes 0 at some look in %.3f, want .10", shape, share)
			case change == 0.20 && (share < 0.999 || shape == Pocock && mean > 7.5):
				t.Errorf("%s: +20 %% is found in %.3f after %.1f pairs of 20, want nearly always and early", shape, share, mean)
			}
		}
	}
	t.Logf("true change, pocock, pairs, obrien-fleming, pairs\n%s", strings.Join(printed, "\n"))
	naive := naiveLooks(trials, spread)
	t.Logf("four looks at 90 %% each, without a change: %.1f %%", 100*naive)
	page.After(t, "Looking four times at 90 % would be wrong in").Share(t, "four looks at 90 % each", naive, trials, 20*usualFamilies)
}

// naiveLooks is how often an interval of 90 % excludes 0 at one of four looks.
func naiveLooks(trials int, spread float64) float64 {
	random := rand.New(rand.NewPCG(22, 0))
	marked := 0
	for range trials {
		d := normal.sample(random, 20, spread, 0)
		for _, n := range PlanLooks(20, Pocock).Pairs {
			if estimateOf(d[:n], 0.9, 1).student.excludesZero() {
				marked++
				break
			}
		}
	}
	return float64(marked) / float64(trials)
}

// TestSequentialCoverage: where a run ends at a look, its interval covers the true
// change as often as is said, though the look was chosen by the data.
func TestSequentialCoverage(t *testing.T) {
	trials := 10 * *families
	l := PlanLooks(20, Pocock)
	b := newBoundaries(l)
	o := DefaultOptions()
	var at []*looked
	for _, n := range l.Pairs {
		at = append(at, b.at(n, o.Confidence))
	}
	for _, change := range []float64{0, 0.06, 0.15} {
		random := rand.New(rand.NewPCG(23, math.Float64bits(change)))
		missed := 0
		for range trials {
			d := normal.sample(random, 20, 0.06, change)
			for k, n := range l.Pairs {
				own := o
				own.Confidence = at[k].confidence
				e := estimateOf(d[:n], own.Confidence, 1)
				if m := e.judge(own, false).mark; k < len(l.Pairs)-1 && m == Inconclusive {
					continue
				}
				if truth := math.Log1p(change); e.student.low > truth || truth > e.student.high {
					missed++
				}
				break
			}
		}
		if share := float64(missed) / float64(trials); share > atMost(0.10, trials) {
			t.Errorf("true %+.0f %%: the interval at the end misses it in %.3f, want at most .10", 100*change, share)
		}
	}
}

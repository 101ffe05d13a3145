package regress

import (
	"math"
	"testing"
)

// TestStudentPublished is the sleep data of Student's own paper (1908), as R's
// t.test(paired = TRUE) prints them.
func TestStudentPublished(t *testing.T) {
	first := []float64{0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0}
	second := []float64{1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4}
	d := make([]float64, len(first))
	for i := range d {
		d[i] = first[i] - second[i]
	}
	e := estimateOf(d, 0.95, -1)
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"mean", e.mean, -1.58},
		{"low", e.student.low, -2.4598858},
		{"high", e.student.high, -0.7001142},
		{"one-sided p", e.p, 0.002833 / 2},
	} {
		if math.Abs(c.got-c.want) > 5e-7 {
			t.Errorf("%s is %v, want %v", c.name, c.got, c.want)
		}
	}
	if other := estimateOf(d, 0.95, 1); math.Abs(other.p+e.p-1) > 1e-12 {
		t.Errorf("the two one-sided p are %v and %v: they must add up to 1", e.p, other.p)
	}
}

// TestEstimateWithoutSpread: nothing that is asked of few or equal pairs may
// come out as NaN.
func TestEstimateWithoutSpread(t *testing.T) {
	up := math.Log(1.2)
	for _, c := range []struct {
		name  string
		d     []float64
		worse float64
		level float64 // of Student's interval
		p     float64
	}{
		{"one pair has no interval", []float64{up}, 1, 0, 1},
		{"all worse", []float64{up, up, up}, 1, 0.9, 0},
		{"all better", []float64{up, up, up}, -1, 0.9, 1},
		{"all unchanged", []float64{0, 0}, 1, 0.9, 1},
		{"the same but for rounding", []float64{up, math.Log(2.4) - math.Log(2), math.Log(3.6) - math.Log(3)}, 1, 0.9, 0},
	} {
		e := estimateOf(c.d, 0.9, c.worse)
		if e.student.low != e.student.centre || e.student.high != e.student.centre || e.student.level != c.level || e.spread != 0 {
			t.Errorf("%s: interval %+v, spread %v", c.name, e.student, e.spread)
		}
		if e.p != c.p {
			t.Errorf("%s: p %v, want %v", c.name, e.p, c.p)
		}
	}
}

// TestRelativeStaysFinite: verdicts are written as JSON, which has no infinity.
func TestRelativeStaysFinite(t *testing.T) {
	for x, want := range map[float64]float64{0: 0, math.Log(1.05): 0.05, 1500: math.MaxFloat64, -1500: -1} {
		if got := relative(x); math.Abs(got-want) > 1e-15 {
			t.Errorf("relative(%v) is %v, want %v", x, got, want)
		}
	}
}

package aggregate

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestSketch(t *testing.T) {
	// Keys of the agent's own sketch for the values 5, 6 and 7.
	for v, want := range map[float64]int{5: 1442, 6: 1454, 7: 1464, -5: -1442, 0: 0, 1e-10: 0} {
		if got := binOf(v); got != want {
			t.Errorf("binOf(%v) = %d, want %d", v, got, want)
		}
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{1, 2, 10, 1000} {
		var s sketch
		values := make([]float64, n)
		for i := range values {
			values[i] = math.Exp(rng.NormFloat64()*3) * float64(1-2*rng.IntN(2))
			s.insert(values[i], 1)
		}
		slices.Sort(values)
		for _, q := range []float64{0, .25, .5, .95, 1} {
			want := values[int(q*float64(n-1))]
			if got := s.quantile(q); math.Abs(got-want) > math.Abs(want)/128 {
				t.Errorf("n=%d: quantile %v = %v, want %v within 1/128", n, q, got, want)
			}
		}
		if s.min != values[0] || s.max != values[n-1] || s.count != float64(n) {
			t.Errorf("n=%d: min %v max %v count %v, want exactly %v %v %d", n, s.min, s.max, s.count, values[0], values[n-1], n)
		}
		s.reset()
		s.insert(1, 1)
		if s.quantile(.5) != 1 || s.count != 1 {
			t.Errorf("a sketch that was reset remembers: %+v", s)
		}
	}
}

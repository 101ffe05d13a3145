package regress

import (
	"math"
	"math/bits"
	"slices"
	"testing"
)

// TestSignedRankCriticalValues compares with the table printed in many
// textbooks (for example Hollander and Wolfe, table A.4): the largest w with
// P(W <= w) <= the one-sided level.
func TestSignedRankCriticalValues(t *testing.T) {
	for _, table := range []struct {
		tail     float64
		critical map[int]int // -1: none
	}{
		{0.05, map[int]int{4: -1, 5: 0, 6: 2, 7: 3, 8: 5, 9: 8, 10: 10, 11: 13, 12: 17, 15: 30, 20: 60, 30: 151, 50: 466}},
		{0.025, map[int]int{5: -1, 6: 0, 7: 2, 8: 3, 9: 5, 10: 8, 11: 10, 12: 13, 15: 25, 20: 52, 30: 137, 50: 434}},
		{0.005, map[int]int{7: -1, 8: 0, 9: 1, 10: 3, 12: 7, 15: 15, 20: 37}},
	} {
		for n, want := range table.critical {
			if k, _ := signedRankCut(n, table.tail); k-1 != want {
				t.Errorf("n %d, tail %v: critical value %d, want %d", n, table.tail, k-1, want)
			}
		}
	}
}

// TestSignedRankNull compares the recursion with counting all sign patterns.
func TestSignedRankNull(t *testing.T) {
	for n := 1; n <= 12; n++ {
		counts := make([]float64, n*(n+1)/2+1)
		for pattern := range 1 << n {
			w := 0
			for rank := range n {
				w += (rank + 1) * (pattern >> rank & 1)
			}
			counts[w]++
		}
		for w, p := range signedRankNull(n) {
			if want := counts[w] / math.Ldexp(1, n); math.Abs(p-want) > 1e-15 {
				t.Errorf("n %d: P(W = %d) is %v, want %v", n, w, p, want)
			}
		}
	}
}

// TestHodgesLehmannPublished is example 3.1 of Hollander and Wolfe: Hamilton
// depression scores of nine patients before and after a tranquilliser, with
// the estimate -0.46 and the 96 % interval (-0.786, -0.010).
func TestHodgesLehmannPublished(t *testing.T) {
	before := []float64{1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30}
	after := []float64{0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29}
	d := make([]float64, len(before))
	for i := range d {
		d[i] = after[i] - before[i]
	}
	got := hodgesLehmann(d, 0.95)
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"estimate", got.centre, -0.46},
		{"low", got.low, -0.786},
		{"high", got.high, -0.010},
		{"level", got.level, 1 - 2*10.0/512},
	} {
		if math.Abs(c.got-c.want) > 0.0005 {
			t.Errorf("%s is %v, want %v", c.name, c.got, c.want)
		}
	}
}

// TestHodgesLehmannLevelIsExact counts, over all signs that the differences
// could have had, how often the interval covers 0. That share is the level, and
// at least the confidence asked for.
func TestHodgesLehmannLevelIsExact(t *testing.T) {
	magnitude := []float64{0.011, 0.023, 0.037, 0.053, 0.071, 0.097, 0.131, 0.173, 0.227, 0.283, 0.359}
	for _, confidence := range []float64{0.80, 0.90, 0.95, 0.99} {
		for n := 3; n <= len(magnitude); n++ {
			covered, level := 0, 0.0
			for pattern := range 1 << n {
				d := slices.Clone(magnitude[:n])
				for i := range d {
					if pattern>>i&1 == 1 {
						d[i] = -d[i]
					}
				}
				i := hodgesLehmann(d, confidence)
				if level = i.level; i.low <= 0 && 0 <= i.high {
					covered++
				}
			}
			if level == 0 {
				if n >= leastRobust(confidence) {
					t.Errorf("n %d at %v: no interval, but %d pairs are said to be enough", n, confidence, leastRobust(confidence))
				}
				continue
			}
			if share := float64(covered) / math.Ldexp(1, n); math.Abs(share-level) > 1e-12 || level < confidence {
				t.Errorf("n %d at %v: covers %v, says %v", n, confidence, share, level)
			}
		}
	}
}

// TestHodgesLehmannNeedsPairs keeps the smallest n of each level.
func TestHodgesLehmannNeedsPairs(t *testing.T) {
	for confidence, want := range map[float64]int{0.80: 4, 0.90: 5, 0.9375: 5, 0.95: 6, 0.99: 8} {
		if got := leastRobust(confidence); got != want {
			t.Errorf("confidence %v needs %d pairs, want %d", confidence, got, want)
		}
		few := hodgesLehmann(make([]float64, want-1), confidence)
		enough := hodgesLehmann(make([]float64, want), confidence)
		if few.level != 0 || enough.level < confidence {
			t.Errorf("confidence %v: levels %v and %v at %d and %d pairs", confidence, few.level, enough.level, want-1, want)
		}
	}
}

// TestSignFlipByEnumeration compares with the plain definition.
func TestSignFlipByEnumeration(t *testing.T) {
	for _, d := range [][]float64{
		{0.1},
		{0.1, 0.1},
		{0.1, -0.1},
		{0, 0, 0},
		{0.05, 0.07, 0.02, 0.09, 0.04},
		{0.05, -0.07, 0.02, 0.09, 0.04, -0.01},
		{0.1, 0.2, 0.3, -0.1, -0.2, 0.3, 0.1}, // ties: sums equal but for rounding
	} {
		seen := 0.0
		for _, x := range d {
			seen += x
		}
		extreme := 0
		for pattern := range uint(1) << len(d) {
			sum := 0.0
			for i, x := range d {
				sum += x * float64(1-2*int(pattern>>i&1))
			}
			if math.Abs(sum) >= math.Abs(seen)-1e-9 {
				extreme++
			}
		}
		if got, want := signFlip(d), float64(extreme)/math.Ldexp(1, len(d)); math.Abs(got-want) > 1e-15 {
			t.Errorf("%v: p %v, want %v", d, got, want)
		}
	}
}

// TestSignFlipDarwin is Fisher's own example (The Design of Experiments,
// section 21): Darwin's 15 pairs of plants, where 1726 of 32768 patterns are at
// least as extreme as the one seen.
func TestSignFlipDarwin(t *testing.T) {
	eighths := []float64{49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48}
	if got, want := signFlip(eighths), 1726.0/32768; got != want {
		t.Errorf("p is %v, want %v", got, want)
	}
}

// TestSignFlipDrawn compares drawn patterns with all patterns at 20 pairs, and
// holds the drawn p to its promise: the same data, the same p, never 0.
func TestSignFlipDrawn(t *testing.T) {
	d := make([]float64, signFlipExact)
	for i := range d {
		d[i] = 0.01*float64(bits.Reverse8(uint8(i*37)))/255 - 0.003
	}
	limit := 0.0
	for _, x := range d {
		limit += x
	}
	limit = math.Abs(limit)
	exact, drawn := signFlip(d), signFlipDrawn(d, limit)
	if error := 4 * math.Sqrt(exact*(1-exact)/signFlipDraws); math.Abs(exact-drawn) > error {
		t.Errorf("drawn p %v, exact p %v: farther apart than %v", drawn, exact, error)
	}
	large := make([]float64, 70) // more pairs than one word has bits
	for i := range large {
		large[i] = 0.05
	}
	if p := signFlip(large); p != signFlip(large) || p != 1.0/(signFlipDraws+1) {
		t.Errorf("p of 70 equal changes is %v, want the smallest that can be known, each time", p)
	}
}

package aggregate

import "math"

// sketch estimates quantiles of one contextKey in one bucket. Bins grow
// geometrically by gamma, so that a quantile is off by at most 1/128 of its
// value; count, sum, minimum and maximum are exact. The bins are those of the
// Datadog agent's sketch (eps 1/128, smallest value 1e-9), so that its keys and
// counts can be uploaded as they are.
//
// The bins are a window of counters from the lowest to the highest key seen:
// inserting is an addition, and a sketch whose values stay in their range
// allocates nothing. Keys are clamped to ±maxBin, which bounds the window.
type sketch struct {
	count, sum float64
	min, max   float64
	low        int       // the key of bins[0]
	bins       []float32 // weights; float32 is exact to 16 million messages per bin
}

const (
	gamma  = 1 + 2.0/128
	bias   = 1338        // key of 1, chosen so that 1e-9 has key 1
	maxBin = bias + 2700 // about 1.5e18
)

var invLogGamma = 1 / math.Log(gamma)

// binOf is the key of the bin that v falls into: 0 for values around zero,
// negative for negative ones.
func binOf(v float64) int {
	switch {
	case v < 0:
		return -binOf(-v)
	case v < 1e-9:
		return 0
	}
	// Rounded half to even, as the agent does.
	return min(int(math.RoundToEven(math.Log(v)*invLogGamma))+bias, maxBin)
}

// valueOf is the middle of a bin.
func valueOf(bin int) float64 {
	switch {
	case bin < 0:
		return -valueOf(-bin)
	case bin == 0:
		return 0
	}
	return math.Pow(gamma, float64(bin-bias))
}

// insert adds weight messages of value v.
func (s *sketch) insert(v, weight float64) {
	if s.count == 0 {
		s.min, s.max = v, v
	} else if v < s.min {
		s.min = v
	} else if v > s.max {
		s.max = v
	}
	s.count += weight
	s.sum += v * weight
	bin := binOf(v)
	if at := bin - s.low; uint(at) < uint(len(s.bins)) {
		s.bins[at] += float32(weight)
		return
	}
	s.widen(bin)
	s.bins[bin-s.low] += float32(weight)
}

// widen makes the window hold bin, with room for its neighbours, because
// values of one contextKey keep together.
func (s *sketch) widen(bin int) {
	if len(s.bins) == 0 {
		s.low = bin
		if cap(s.bins) == 0 {
			s.bins = make([]float32, 1, 8)
			return
		}
		s.bins = s.bins[:1]
		s.bins[0] = 0
		return
	}
	low, high := min(s.low, bin), max(s.low+len(s.bins)-1, bin)
	n := high - low + 1
	if low == s.low && n <= cap(s.bins) {
		grown := len(s.bins)
		s.bins = s.bins[:n]
		clear(s.bins[grown:])
		return
	}
	bins := make([]float32, n, n+n/2)
	copy(bins[s.low-low:], s.bins)
	s.low, s.bins = low, bins
}

// merge adds what another sketch holds.
func (s *sketch) merge(o *sketch) {
	if o.count == 0 {
		return
	}
	if s.count == 0 {
		s.min, s.max = o.min, o.max
	}
	s.min, s.max = math.Min(s.min, o.min), math.Max(s.max, o.max)
	s.count += o.count
	s.sum += o.sum
	for i, n := range o.bins {
		if n == 0 {
			continue
		}
		bin := o.low + i
		if at := bin - s.low; uint(at) >= uint(len(s.bins)) {
			s.widen(bin)
		}
		s.bins[bin-s.low] += n
	}
}

// quantile returns the value below which the share q (0..1) of the weight
// lies, within 1/128 of it, and never outside of [min, max].
func (s *sketch) quantile(q float64) float64 {
	rank := q * (s.count - 1)
	var seen float64
	for i, n := range s.bins {
		if seen += float64(n); n > 0 && seen > rank {
			return math.Max(s.min, math.Min(s.max, valueOf(s.low+i)))
		}
	}
	return s.max
}

// reset empties the sketch but keeps its memory.
func (s *sketch) reset() { *s = sketch{bins: s.bins[:0]} }

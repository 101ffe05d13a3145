package regress

import (
	"math"
	"math/rand/v2"
)

const (
	signFlipExact = 20      // pairs up to which all 2^n sign patterns are visited
	signFlipDraws = 100_000 // patterns drawn beyond that
	signFlipSeed  = 0x5eed  // with the number of pairs, the whole seed: the same data give the same p
)

// signFlip is the two-sided randomisation p of H0: no change. Under H0 the
// order within each pair was drawn by lot, so each log ratio could as well
// have had the other sign; p is the share of sign patterns whose sum is at
// least as far from 0 as the one seen. It assumes nothing about the noise.
//
// Beyond 20 pairs it is (b+1)/(m+1) over m drawn patterns, which never claims
// less than it can know (Phipson and Smyth 2010).
func signFlip(d []float64) float64 {
	seen, scale := 0.0, 0.0
	for _, x := range d {
		seen += x
		scale += math.Abs(x)
	}
	// Sums that are equal but for the order of adding count as equal.
	limit := math.Abs(seen) - rounding*scale
	if len(d) > signFlipExact {
		return signFlipDrawn(d, limit)
	}
	// A pattern and its mirror image are equally far out: the first sign is fixed.
	return float64(countExtreme(d[1:], d[0], limit)) / math.Ldexp(1, len(d)-1)
}

// countExtreme counts the sign patterns of d whose sum, added to sum, is at
// least limit away from 0.
func countExtreme(d []float64, sum, limit float64) int {
	if len(d) == 0 {
		if math.Abs(sum) >= limit {
			return 1
		}
		return 0
	}
	return countExtreme(d[1:], sum+d[0], limit) + countExtreme(d[1:], sum-d[0], limit)
}

func signFlipDrawn(d []float64, limit float64) float64 {
	source := rand.NewPCG(signFlipSeed, uint64(len(d)))
	extreme := 0
	for range signFlipDraws {
		sum := 0.0
		var bits uint64
		for i, x := range d {
			if i%64 == 0 {
				bits = source.Uint64()
			}
			if bits&1 == 0 {
				x = -x
			}
			bits >>= 1
			sum += x
		}
		if math.Abs(sum) >= limit {
			extreme++
		}
	}
	return float64(extreme+1) / float64(signFlipDraws+1)
}

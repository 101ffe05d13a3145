package loadgen

import (
	"math"
	"math/rand/v2"
)

// ValueShape is the distribution of values.
type ValueShape uint8

// The shapes. Whatever comes out is rounded to a whole number from 1 to MaxValue:
// sums of whole numbers are exact in a float64 below 2^53, so that expected
// totals are.
const (
	UniformValues     ValueShape = iota // Min to Max, all equally likely
	ConstantValues                      // Center
	NormalValues                        // mean Center, standard deviation Spread
	LogNormalValues                     // median Center, standard deviation Spread of the logarithm
	ExponentialValues                   // mean Center
)

// MaxValue is the largest value of a message.
const MaxValue = 1_000_000_000

// Values says what gauges, timers, histograms and distributions carry. Counters
// always add 1 and sets bring members. The zero Values are whole numbers from 1
// to 1000, all equally likely.
type Values struct {
	Shape    ValueShape
	Min, Max int64 // of UniformValues; 1 to 1000 where both are 0
	// Center and Spread are the parameters of the other shapes.
	Center, Spread float64
}

// filled has the default range where none is given.
func (v Values) filled() Values {
	if v.Shape == UniformValues && v.Min == 0 && v.Max == 0 {
		v.Min, v.Max = 1, 1000
	}
	return v
}

func (v Values) valid() bool {
	v = v.filled()
	switch v.Shape {
	case UniformValues:
		return 1 <= v.Min && v.Min <= v.Max && v.Max <= MaxValue
	case ConstantValues:
		return 1 <= v.Center && v.Center <= MaxValue && v.Center == math.Trunc(v.Center)
	case NormalValues:
		return 0 < v.Center && v.Center <= MaxValue && 0 <= v.Spread && v.Spread <= MaxValue
	case LogNormalValues:
		return 0 < v.Center && v.Center <= MaxValue && 0 <= v.Spread && v.Spread <= 10
	case ExponentialValues:
		return 0 < v.Center && v.Center <= MaxValue
	}
	return false
}

// draw is one value.
func (v *Values) draw(random *rand.PCG) int64 {
	switch v.Shape {
	case ConstantValues:
		return int64(v.Center)
	case NormalValues:
		return wholeValue(v.Center + float64(v.Spread*normal(random)))
	case LogNormalValues:
		return wholeValue(v.Center * exp(float64(v.Spread*normal(random))))
	case ExponentialValues:
		return wholeValue(-v.Center * ln(unit(random)))
	}
	return v.Min + int64(bounded(random.Uint64(), int(v.Max-v.Min+1)))
}

func wholeValue(x float64) int64 { return int64(max(1, min(math.Round(x), MaxValue))) }

// unit is a random number in (0, 1].
func unit(random *rand.PCG) float64 { return float64(random.Uint64()>>11+1) / (1 << 53) }

// normal is a random number of the standard normal distribution, by Marsaglia's
// polar method, which needs no functions but ln and a square root.
func normal(random *rand.PCG) float64 {
	for {
		x, y := 2*unit(random)-1, 2*unit(random)-1
		if s := float64(x*x) + float64(y*y); s > 0 && s < 1 {
			return x * math.Sqrt(-2*ln(s)/s)
		}
	}
}

// ln and exp stand in for math.Log and math.Exp, which differ in their last bit
// between processors: a corpus must be the same on all. These use nothing but
// operations that IEEE 754 defines to the bit, and the conversions keep the
// compiler from fusing two of them, as it may on some processors. They are right
// to a few units in the last place.

// ln is the natural logarithm of x, which must be finite and above 0.
func ln(x float64) float64 {
	m, e := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m, e = 2*m, e-1
	}
	// ln m = 2 artanh s, a series in s², and s² is below 0.0295.
	s := (m - 1) / (m + 1)
	square, sum := float64(s*s), 0.0
	for n := 27.0; n >= 1; n -= 2 {
		sum = float64(sum*square) + 1/n
	}
	return float64(float64(e)*math.Ln2) + 2*float64(s*sum)
}

// exp is e to the power of x, which must be finite.
func exp(x float64) float64 {
	k := math.Floor(float64(x/math.Ln2) + 0.5)
	// The high part of ln 2 has zeros at its end, so that its product with k is
	// exact.
	const high, low = 6.93147180369123816490e-01, 1.90821492927058770002e-10
	r := x - float64(k*high) - float64(k*low)
	sum := 1.0
	for n := 16.0; n >= 1; n-- {
		sum = 1 + float64(sum*r)/n
	}
	return math.Ldexp(sum, int(max(-2000, min(k, 2000))))
}

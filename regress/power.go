package regress

import (
	"math"
	"math/rand/v2"
	"sort"

	"gonum.org/v1/gonum/stat/distuv"
)

const (
	// TargetPower is the probability with which a minimum detectable change is
	// found, and with which PairsNeeded settles a comparison.
	TargetPower = 0.90
	// MaxPairs is where the search for enough pairs ends: nobody waits for more.
	MaxPairs = 1000
	// maxShift ends the search for a detectable shift, in standard errors.
	maxShift = 1e6
)

// Power is the probability that the one-sided Student test on that many pairs,
// at the level that belongs to the two-sided confidence, finds a true change
// (a log ratio) when the log ratios have the given spread:
//
//	1 - F(t(1-α, n-1)), F the noncentral t with n-1 degrees of freedom and
//	noncentrality change·√n/spread
//
// The normal approximation is not used: at few pairs it promises far too much
// (for 3 pairs its critical value is 1.64 where Student's is 2.92). It is 0
// for fewer than two pairs.
func Power(pairs int, spread, change, confidence float64) float64 {
	if pairs < 2 {
		return 0
	}
	if spread == 0 {
		if change > 0 {
			return 1
		}
		return 0
	}
	return powerAtShift(pairs, change*math.Sqrt(float64(pairs))/spread, confidence)
}

// powerAtShift is Power for a change counted in standard errors of the mean.
func powerAtShift(pairs int, shift, confidence float64) float64 {
	return powerWith(float64(pairs-1), shift, confidence)
}

// powerWith is the same for any degrees of freedom.
func powerWith(freedom, shift, confidence float64) float64 {
	critical := distuv.StudentsT{Sigma: 1, Nu: freedom}.Quantile((1 + confidence) / 2)
	return 1 - distuv.NoncentralT{Nu: freedom, Mu: shift}.CDF(critical)
}

// MinimumDetectable is the smallest relative change (an increase) that this
// many pairs with this spread of log ratios tell from no change with the
// TargetPower. It is 0, unknown, for fewer than two pairs, and where the
// answer would not be a finite number; a spread of 0 detects any change and is
// 0 too.
func MinimumDetectable(pairs int, spread, confidence float64) float64 {
	if pairs < 2 {
		return 0
	}
	return detectable(float64(pairs-1), spread/math.Sqrt(float64(pairs)), confidence)
}

// detectable is MinimumDetectable for any estimate on the log scale, by its
// deviation and its degrees of freedom.
func detectable(freedom, deviation, confidence float64) float64 {
	if !(deviation > 0) || !(freedom > 0) {
		return 0
	}
	high := 1.0
	for powerWith(freedom, high, confidence) < TargetPower {
		if high *= 2; high > maxShift {
			return 0
		}
	}
	low := 0.0
	for high-low > 1e-9*high {
		if middle := (low + high) / 2; powerWith(freedom, middle, confidence) < TargetPower {
			low = middle
		} else {
			high = middle
		}
	}
	change := math.Expm1(high * deviation)
	if math.IsInf(change, 0) {
		return 0
	}
	return change
}

// PairsNeeded is the smallest number of pairs, from 2 to MaxPairs, with which a
// true change of +tolerance would be found with the given power. By symmetry it
// is also the number that excludes such a change, with that power, when there
// is none. It is 0 where MaxPairs are not enough.
func PairsNeeded(spread, tolerance, confidence, power float64) int {
	change := math.Log1p(tolerance)
	enough := func(pairs int) bool { return Power(pairs, spread, change, confidence) >= power }
	if !enough(MaxPairs) {
		return 0
	}
	return 2 + sort.Search(MaxPairs-2, func(i int) bool { return enough(i + 2) })
}

// pairsToSettle is the number of pairs that would prove the absence of a
// change, when there is none, with the TargetPower. Both ends of the interval
// have to fall inside the tolerance, so each is given half of the error.
func pairsToSettle(spread float64, o Options) int {
	return PairsNeeded(spread, o.Tolerance, o.Confidence, (1+TargetPower)/2)
}

// detectionDraws is how often DetectionPower simulates, so that it is right within
// about 2 points.
const detectionDraws = 4000

// DetectionPower is how often that many pairs mark a true relative change for the
// worse, where the goal is better when lower. It simulates, always the same,
// because a mark asks for more than Power knows of: the estimate has to reach the
// tolerance, and the robust figures have to agree. The time it takes grows with
// the square of the pairs; 100 take some seconds.
func DetectionPower(pairs int, spread, change float64, o Options) float64 {
	if pairs < 1 {
		return 0
	}
	random := rand.New(rand.NewPCG(uint64(pairs), 0x9077))
	d := make([]float64, pairs)
	marked := 0
	for range detectionDraws {
		for i := range d {
			d[i] = math.Log1p(change) + spread*random.NormFloat64()
		}
		if estimateOf(d, o.Confidence, 1).judge(o, false).mark == Regressed {
			marked++
		}
	}
	return float64(marked) / detectionDraws
}

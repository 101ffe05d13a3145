package regress

import (
	"math"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// rounding is the range of log ratios that is taken for rounding error: ratios
// that agree to 12 digits are the same ratio.
const rounding = 1e-12

// logInterval is an Interval before it is turned into relative changes.
type logInterval struct{ centre, low, high, level float64 }

// relative turns log ratios into relative changes, e^x - 1.
func (i logInterval) relative() Interval {
	return Interval{Estimate: relative(i.centre), Low: relative(i.low), High: relative(i.high), Level: i.level}
}

// excludesZero reports whether the whole interval lies on one side of 0.
func (i logInterval) excludesZero() bool { return i.level > 0 && (i.low > 0 || i.high < 0) }

// relative is e^x - 1, kept finite because the verdict is written as JSON.
func relative(x float64) float64 { return math.Min(math.Expm1(x), math.MaxFloat64) }

// estimate is what the log ratios of one comparison say, before any rule is
// applied to them.
type estimate struct {
	n         int     // pairs, or replicates of the smaller of two samples
	mean      float64 // of the log ratios
	spread    float64 // their standard deviation; 0 for one pair
	deviation float64 // of the mean
	freedom   float64 // degrees of freedom of the spread
	same      bool    // two pairs or more, and all the same ratio
	least     int     // pairs from which on the robust interval exists
	apart     bool    // two samples instead of pairs
	student   logInterval
	robust    logInterval
	worse     float64 // +1 where an increase is for the worse, -1 where a decrease is
	p         float64 // one-sided, of H0: no change for the worse
}

// estimateOf computes the estimate of the log ratios d (at least one), whose
// order does not matter. worse is the sign of a change for the worse.
func estimateOf(d []float64, confidence, worse float64) estimate {
	e := estimate{n: len(d), worse: worse, robust: hodgesLehmann(d, confidence), least: leastRobust(confidence), p: 1}
	if e.n == 1 {
		e.mean = d[0]
		e.student = logInterval{centre: e.mean, low: e.mean, high: e.mean}
		return e
	}
	e.mean, e.spread = stat.MeanStdDev(d, nil)
	if e.same = rangeOf(d) <= rounding; e.same {
		e.mean, e.spread = d[0], 0
	}
	e.freedom, e.deviation = float64(e.n-1), e.spread/math.Sqrt(float64(e.n))
	e.infer(confidence)
	return e
}

// infer draws Student's conclusions from mean, deviation and freedom.
func (e *estimate) infer(confidence float64) {
	half := 0.0
	if !e.same {
		half = distuv.StudentsT{Sigma: 1, Nu: e.freedom}.Quantile((1+confidence)/2) * e.deviation
	}
	e.student = logInterval{centre: e.mean, low: e.mean - half, high: e.mean + half, level: confidence}
	e.p = e.pBeyond(0)
}

// pBeyond is the one-sided p of H0: a change for the worse of at most that log
// ratio.
func (e estimate) pBeyond(null float64) float64 {
	switch over := e.worse*e.mean - null; {
	case e.student.level == 0:
		return 1
	case !e.same:
		// The lower tail of -t and not 1 minus the upper one: small p stay exact.
		return distuv.StudentsT{Sigma: 1, Nu: e.freedom}.CDF(-over / e.deviation)
	case over > rounding:
		return 0
	}
	return 1
}

func rangeOf(d []float64) float64 {
	low, high := d[0], d[0]
	for _, x := range d {
		low, high = math.Min(low, x), math.Max(high, x)
	}
	return high - low
}

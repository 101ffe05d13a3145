// Package changepoint finds where the level of a series of runs changed, and
// what many small changes come to together. It is pure: the same numbers give
// the same answer, because what it draws comes from a seed.
//
// The numbers are logarithms, of ratios or of levels, so that a difference is
// a relative change whatever the unit.
package changepoint

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Options are the settings of a search.
type Options struct {
	// Significance is the probability of finding anything in a series that never
	// changed.
	Significance float64
	Permutations int // drawn for each test
	MinSegment   int // runs on either side of a change; a shorter stay is not told from an outlier
	Seed         uint64
	Confidence   float64 // of the intervals
}

// DefaultOptions search with 1 % false alarms, from three runs on a side, and
// give intervals at 90 %.
func DefaultOptions() Options {
	return Options{Significance: 0.01, Permutations: 999, MinSegment: 3, Seed: 1, Confidence: 0.90}
}

// MaxRuns is how many runs are searched at most: the latest ones. The work
// grows with the square.
const MaxRuns = 500

// Validate reports the first setting with which nothing could be found.
func (o Options) Validate() error {
	switch {
	case !(o.Significance > 0 && o.Significance < 1):
		return fmt.Errorf("cannot search at a significance of %v: want a share between 0 and 1, such as 0.01", o.Significance)
	case o.Permutations < 1 || 1/float64(o.Permutations+1) > o.Significance:
		return fmt.Errorf("cannot search with %d permutations at a significance of %v: want at least %.0f",
			o.Permutations, o.Significance, math.Ceil(1/o.Significance)-1)
	case o.MinSegment < 2:
		return fmt.Errorf("cannot search with %d runs on a side: want at least 2", o.MinSegment)
	case !(o.Confidence >= 0.5 && o.Confidence <= 0.999):
		return fmt.Errorf("cannot search at a confidence of %v: want a share from 0.5 to 0.999", o.Confidence)
	}
	return nil
}

// Interval is an estimate with its two-sided interval.
type Interval struct{ Estimate, Low, High float64 }

// ExcludesZero reports whether the whole interval lies on one side of 0.
func (i Interval) ExcludesZero() bool { return i.Low > 0 || i.High < 0 }

// Point is a change of the level.
type Point struct {
	Index int // of the first run at the new level
	// Change is the difference between the mean of the runs from here to the next
	// point and that of the runs since the last one. The point was chosen because
	// it is large, so the interval is somewhat too narrow.
	Change Interval
	P      float64 // of the permutation test that accepted it
}

// Detect finds the changes of level in x by E-divisive (Matteson and James
// 2014): the split with the largest energy distance between its sides is kept
// while a permutation test, in which the runs between two points change places,
// rejects that it is chance; then the parts are searched. A change that comes
// back after fewer than MinSegment runs is not found.
//
// Unlike in the paper, a part is split at one place and not at two at a time.
// The points come in the order of the runs. Options must be valid.
func Detect(x []float64, o Options) []Point {
	skipped := max(len(x)-MaxRuns, 0)
	x = x[skipped:]
	rng := rand.New(rand.NewPCG(o.Seed, uint64(len(x))))
	ends := []int{0, len(x)} // of the parts
	var points []Point
	for {
		at, q := bestOf(x, ends, o.MinSegment)
		if at < 0 {
			break
		}
		p, significant := permute(x, ends, q, o, rng)
		if !significant {
			break
		}
		points = append(points, Point{Index: at, P: p})
		ends = append(ends, at)
		slices.Sort(ends)
	}
	slices.SortFunc(points, func(a, b Point) int { return a.Index - b.Index })
	for i := range points {
		points[i].Change = difference(x[ends[i]:ends[i+1]], x[ends[i+1]:ends[i+2]], o.Confidence)
		points[i].Index += skipped
	}
	return points
}

// bestOf finds the best split of all parts; at is -1 where none can be split.
func bestOf(x []float64, ends []int, least int) (at int, q float64) {
	at = -1
	for i := 0; i+1 < len(ends); i++ {
		if s, sq := bestSplit(x[ends[i]:ends[i+1]], least); s > 0 && (at < 0 || sq > q) {
			at, q = ends[i]+s, sq
		}
	}
	return at, q
}

// bestSplit finds where the energy distance between both sides, weighted by
// their sizes, is largest; 0 where x is too short to be split.
//
// With m and n runs on the sides it is
//
//	mn/(m+n) · (2·mean|xi-yj| − mean|xi-xk| − mean|yj-yk|)
//
// over all pairs. Moving one run over changes the sums by its own distances, so
// all splits together take the square of the length.
func bestSplit(x []float64, least int) (at int, q float64) {
	if len(x) < 2*least {
		return 0, 0
	}
	var left, right, total float64 // sums of distances within the sides, and of all
	for i := range x {
		total += distances(x[i], x[:i])
	}
	right = total
	for k := 1; k <= len(x)-least; k++ {
		left += distances(x[k-1], x[:k-1])
		right -= distances(x[k-1], x[k:])
		if k < least {
			continue
		}
		m, n := float64(k), float64(len(x)-k)
		between := total - left - right
		energy := 2*between/(m*n) - 2*left/(m*(m-1)) - 2*right/(n*(n-1))
		if here := m * n / (m + n) * energy; at == 0 || here > q {
			at, q = k, here
		}
	}
	return at, q
}

func distances(from float64, to []float64) float64 {
	sum := 0.0
	for _, x := range to {
		sum += math.Abs(x - from)
	}
	return sum
}

// permute tests q: how often does the best split of a series whose runs have
// changed places within their parts reach it? It stops as soon as the answer
// is too often.
func permute(x []float64, ends []int, q float64, o Options, rng *rand.Rand) (p float64, significant bool) {
	shuffled := slices.Clone(x)
	reached := 0
	// Sums that are equal but for the order of adding count as equal.
	limit := q - 1e-9*math.Abs(q)
	for range o.Permutations {
		for i := 0; i+1 < len(ends); i++ {
			part := shuffled[ends[i]:ends[i+1]]
			rng.Shuffle(len(part), func(a, b int) { part[a], part[b] = part[b], part[a] })
		}
		if _, drawn := bestOf(shuffled, ends, o.MinSegment); drawn >= limit {
			reached++
		}
		if p = float64(reached+1) / float64(o.Permutations+1); p > o.Significance {
			return p, false
		}
	}
	return p, true
}

// difference is that of the means, with Welch's interval.
func difference(before, after []float64, confidence float64) Interval {
	mb, vb := stat.MeanVariance(before, nil)
	ma, va := stat.MeanVariance(after, nil)
	return studentInterval(ma-mb, []Step{
		{Variance: vb / float64(len(before)), Freedom: float64(len(before) - 1)},
		{Variance: va / float64(len(after)), Freedom: float64(len(after) - 1)},
	}, confidence)
}

// Step is one estimated change with its uncertainty.
type Step struct {
	Change   float64
	Variance float64 // of Change, that is the square of its standard error
	Freedom  float64 // degrees of freedom with which Variance was estimated
}

// Cumulate adds up steps that were measured independently of each other. The
// degrees of freedom of the sum are Welch's and Satterthwaite's.
func Cumulate(steps []Step, confidence float64) Interval {
	sum := 0.0
	for _, s := range steps {
		sum += s.Change
	}
	return studentInterval(sum, steps, confidence)
}

// studentInterval is around an estimate whose variance is the sum of those of
// the parts.
func studentInterval(estimate float64, parts []Step, confidence float64) Interval {
	variance, weights := 0.0, 0.0
	for _, p := range parts {
		variance += p.Variance
		if p.Freedom > 0 {
			weights += p.Variance * p.Variance / p.Freedom
		}
	}
	if variance == 0 || weights == 0 {
		return Interval{estimate, estimate, estimate}
	}
	t := distuv.StudentsT{Sigma: 1, Nu: variance * variance / weights}.Quantile((1 + confidence) / 2)
	half := t * math.Sqrt(variance)
	return Interval{estimate, estimate - half, estimate + half}
}

// Line is a straight line through a series.
type Line struct {
	// Change is that from the first run to the last one, along the line.
	Change   Interval
	Residual float64 // sum of the squared distances from the line
}

// Fit puts a straight line through at least three runs, by least squares, with
// Student's interval for how far it rises. It takes the runs to be equally far
// apart and independent.
func Fit(x []float64, confidence float64) Line {
	n := float64(len(x))
	position := make([]float64, len(x))
	for i := range x {
		position[i] = float64(i)
	}
	offset, slope := stat.LinearRegression(position, x, nil, false)
	residual := 0.0
	for i, y := range x {
		residual += math.Pow(y-offset-slope*position[i], 2)
	}
	// Of the positions 0 to n-1, the squared distances from their mean.
	spread := n * (n*n - 1) / 12
	half := distuv.StudentsT{Sigma: 1, Nu: n - 2}.Quantile((1+confidence)/2) * math.Sqrt(residual/(n-2)/spread)
	return Line{
		Change:   Interval{slope * (n - 1), (slope - half) * (n - 1), (slope + half) * (n - 1)},
		Residual: residual,
	}
}

// Steadier reports whether a line tells x better than the levels between the
// points do: by Schwarz's criterion, in which each point costs two numbers, its
// place and its level, and the line one.
func Steadier(x []float64, points []Point, line Line) bool {
	residual, start := 0.0, 0
	for i := 0; i <= len(points); i++ {
		end := len(x)
		if i < len(points) {
			end = points[i].Index
		}
		mean := stat.Mean(x[start:end], nil)
		for _, y := range x[start:end] {
			residual += (y - mean) * (y - mean)
		}
		start = end
	}
	n := float64(len(x))
	cost := func(residual float64, numbers int) float64 {
		// A residual of nothing at all is kept away from the logarithm of 0.
		return n*math.Log(residual/n+1e-300) + float64(numbers)*math.Log(n)
	}
	return cost(line.Residual, 1) < cost(residual, 2*len(points))
}

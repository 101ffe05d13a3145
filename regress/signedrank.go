package regress

import "slices"

// hodgesLehmann is the median of the Walsh averages (d_i+d_j)/2, i <= j, with
// the interval that inverts Wilcoxon's signed-rank test (Hollander, Wolfe and
// Chicken, Nonparametric Statistical Methods, sections 3.1 to 3.3). The
// interval is exact for symmetric noise, so its level is at least the one
// asked for. Where n is too small for any such interval its level is 0 and
// its ends are the estimate.
func hodgesLehmann(d []float64, confidence float64) logInterval {
	walsh := walshAverages(d)
	m := len(walsh)
	centre := (walsh[(m-1)/2] + walsh[m/2]) / 2
	k, tail := signedRankCut(len(d), (1-confidence)/2)
	if k == 0 {
		return logInterval{centre: centre, low: centre, high: centre}
	}
	return logInterval{centre: centre, low: walsh[k-1], high: walsh[m-k], level: 1 - 2*tail}
}

// walshAverages returns the sorted averages of all pairs i <= j of d.
func walshAverages(d []float64) []float64 {
	averages := make([]float64, 0, len(d)*(len(d)+1)/2)
	for i, x := range d {
		for _, y := range d[i:] {
			averages = append(averages, (x+y)/2)
		}
	}
	slices.Sort(averages)
	return averages
}

// signedRankCut returns the largest k with P(W <= k-1) <= tail for the
// signed-rank statistic W of n differences, and that probability: the interval
// from the k-th smallest to the k-th largest Walsh average misses the truth
// with twice the probability. k is 0 where even P(W <= 0) = 2^-n is too much.
func signedRankCut(n int, tail float64) (k int, reached float64) {
	sum := 0.0
	for w, p := range signedRankNull(n) {
		if sum+p > tail {
			return w, sum
		}
		sum += p
	}
	return 0, 0 // only for a tail of 1 or more, which no confidence has
}

// signedRankNull returns P(W = w) for w from 0 to n(n+1)/2 when each rank 1..n
// has either sign with probability 1/2. Adding rank i to those before splits
// every probability in two halves, one of them moved up by i.
func signedRankNull(n int) []float64 {
	p := make([]float64, n*(n+1)/2+1)
	p[0] = 1
	top := 0
	for rank := 1; rank <= n; rank++ {
		top += rank
		for w := top; w >= rank; w-- {
			p[w] = (p[w] + p[w-rank]) / 2
		}
		for w := rank - 1; w >= 0; w-- {
			p[w] /= 2
		}
	}
	return p
}

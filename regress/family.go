package regress

import (
	"math"
	"slices"
)

// Holm adjusts p-values for the number of tests (Holm 1979): rejecting those
// that are at most α keeps the probability of any false rejection at α or
// below, however the tests depend on each other. The result is in the order
// of p and at most 1; p is left alone.
func Holm(p []float64) []float64 {
	adjusted := make([]float64, len(p))
	highest := 0.0
	for rank, i := range ascending(p) {
		highest = math.Max(highest, p[i]*float64(len(p)-rank))
		adjusted[i] = math.Min(highest, 1)
	}
	return adjusted
}

// BenjaminiHochberg adjusts p-values so that taking those that are at most q
// keeps the expected share of false ones among them at q or below, for
// independent tests (Benjamini and Hochberg 1995). It suits a list of what is
// worth a look; a gate needs Holm. The result is in the order of p.
func BenjaminiHochberg(p []float64) []float64 {
	adjusted := make([]float64, len(p))
	lowest := 1.0
	order := ascending(p)
	for rank := len(order) - 1; rank >= 0; rank-- {
		i := order[rank]
		lowest = math.Min(lowest, p[i]*float64(len(p))/float64(rank+1))
		adjusted[i] = lowest
	}
	return adjusted
}

// ascending returns the indices of p from its smallest value to its largest.
func ascending(p []float64) []int {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case p[a] < p[b]:
			return -1
		case p[a] > p[b]:
			return 1
		}
		return 0
	})
	return order
}

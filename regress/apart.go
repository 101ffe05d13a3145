package regress

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"floodgate/internal/record"
	"floodgate/scenarios"
)

// mostExactRanks is the product of two sample sizes up to which the Mann–Whitney
// distribution is counted out.
const mostExactRanks = 2500

// estimateApart computes the estimate of two samples of logarithms, each at least
// one: the difference of their means with Welch's interval,
//
//	ν = (v_A + v_B)² / (v_A²/(n_A-1) + v_B²/(n_B-1)),  v = s²/n
//
// (Welch 1947), and Hodges and Lehmann's shift with the Mann–Whitney one.
func estimateApart(baseline, candidate []float64, confidence, worse float64) estimate {
	least := leastRobustApart(confidence)
	e := estimate{n: min(len(baseline), len(candidate)), worse: worse, least: least, apart: true, p: 1,
		robust: shift(baseline, candidate, confidence), mean: stat.Mean(candidate, nil) - stat.Mean(baseline, nil)}
	if e.n == 1 {
		e.student = logInterval{centre: e.mean, low: e.mean, high: e.mean}
		return e
	}
	va, vb := stat.Variance(baseline, nil), stat.Variance(candidate, nil)
	e.spread = math.Sqrt(va + vb)
	if e.same = rangeOf(baseline) <= rounding && rangeOf(candidate) <= rounding; e.same {
		e.mean, e.spread = candidate[0]-baseline[0], 0
	} else {
		va, vb = va/float64(len(baseline)), vb/float64(len(candidate))
		e.deviation = math.Sqrt(va + vb)
		e.freedom = (va + vb) * (va + vb) / (va*va/float64(len(baseline)-1) + vb*vb/float64(len(candidate)-1))
	}
	e.infer(confidence)
	return e
}

// shift is the median of the differences c_j - b_i with the interval that inverts
// the Mann–Whitney test (Hollander and Wolfe, sections 4.2 and 4.3).
func shift(baseline, candidate []float64, confidence float64) logInterval {
	var differences []float64
	for _, c := range candidate {
		for _, b := range baseline {
			differences = append(differences, c-b)
		}
	}
	slices.Sort(differences)
	m := len(differences)
	centre := (differences[(m-1)/2] + differences[m/2]) / 2
	k, level := mannWhitneyCut(len(baseline), len(candidate), confidence)
	if k == 0 {
		return logInterval{centre: centre, low: centre, high: centre}
	}
	return logInterval{centre: centre, low: differences[k-1], high: differences[m-k], level: level}
}

// mannWhitneyCut returns the largest k with P(U <= k-1) <= (1-confidence)/2, and
// the level of the interval from the k-th smallest to the k-th largest
// difference; k is 0 where there is none. Large samples take the normal limit.
func mannWhitneyCut(n, m int, confidence float64) (k int, level float64) {
	tail := (1 - confidence) / 2
	if n*m > mostExactRanks {
		deviation := math.Sqrt(float64(n*m) * float64(n+m+1) / 12)
		return int(float64(n*m)/2 + distuv.UnitNormal.Quantile(tail)*deviation), confidence
	}
	sum := 0.0
	for u, p := range mannWhitneyNull(n, m) {
		if sum+p > tail+rounding {
			if u == 0 {
				return 0, 0
			}
			return u, 1 - 2*sum
		}
		sum += p
	}
	return 0, 0 // only for a tail of 1 or more, which no confidence has
}

// mannWhitneyNull returns P(U = u) for u from 0 to nm when every order of the two
// samples is equally likely. It takes the observations in the order of their
// size: the next one is of the first sample with the probability i/(i+j) when i
// of it and j of the second are left, and then stands above j' others already
// taken from the second.
func mannWhitneyNull(n, m int) []float64 {
	// p[j][u] after some observations: of those, j from the second sample.
	taken := make([][]float64, m+1)
	for j := range taken {
		taken[j] = make([]float64, n*m+1)
	}
	taken[0][0] = 1
	for step := range n + m {
		next := make([][]float64, m+1)
		for j := range next {
			next[j] = make([]float64, n*m+1)
		}
		for j := max(0, step-n); j <= min(step, m); j++ {
			first, second := float64(n-(step-j)), float64(m-j) // left of each
			for u, p := range taken[j] {
				if p == 0 {
					continue
				}
				if first > 0 {
					next[j][u+j] += p * first / (first + second)
				}
				if second > 0 {
					next[j+1][u] += p * second / (first + second)
				}
			}
		}
		taken = next
	}
	return taken[m]
}

// leastRobustApart is the number of replicates of each side from which on a
// Mann–Whitney interval exists: 3 at 90 %, 4 at 95 %.
func leastRobustApart(confidence float64) int {
	orders := 1.0
	for n := 1; ; n++ {
		orders *= float64((2*n)*(2*n-1)) / float64(n*n) // 2n over n
		if 1/orders <= (1-confidence)/2+rounding {
			return n
		}
	}
}

// samples returns the goal's values of both sides, a fault for each planned
// replicate that has none, and what makes the sides less comparable.
func (b *book) samples(s scenarios.Scenario) (values Samples, faults, warnings []string) {
	of := func(role string) ([]float64, []*record.Record) {
		var values []float64
		var records []*record.Record
		planned := b.planned[side{s.Name, role}]
		if planned < 1 {
			faults = append(faults, "no record of the "+role)
		}
		for i := range planned {
			r, x, fault := b.value(place{s.Name, role, i}, s.Goal.Name)
			if fault != "" {
				faults = append(faults, fmt.Sprintf("replicate %d: %s", i, fault))
				continue
			}
			values, records = append(values, x), append(records, r)
		}
		return values, records
	}
	var baseline, candidate []*record.Record
	values.Baseline, baseline = of(record.Baseline)
	values.Candidate, candidate = of(record.Candidate)
	return values, faults, doubtsApart(baseline, candidate)
}

// doubtsApart says what makes two runs less comparable than the statistics
// assume. That they were made apart is always one of them.
func doubtsApart(baseline, candidate []*record.Record) []string {
	if len(baseline) == 0 || len(candidate) == 0 {
		return nil
	}
	found := []string{"the two sides were run apart, so the drift of the machine between them counts as change " +
		"(" + driftWords + "): bench runs them in turn"}
	all := slices.Concat(baseline, candidate)
	var pairs []recordPair
	for _, r := range all {
		pairs = append(pairs, recordPair{Pair{Replicate: r.Replicate}, all[0], r})
	}
	if doubtLoad(pairs) != "" {
		found = append(found, "the two sides were not offered the same messages")
	}
	if doubtHost(pairs) != "" {
		found = append(found, "the replicates ran on different machines")
	}
	for _, own := range [][]*record.Record{baseline, candidate} {
		for _, r := range own {
			if r.Variant.Spec != own[0].Variant.Spec || r.Build.TargetDigest != own[0].Build.TargetDigest {
				found = append(found, fmt.Sprintf("the %s of replicate %d is not what it was in replicate %d: variant or binary differ",
					r.Variant.Role, r.Replicate, own[0].Replicate))
				break
			}
			if r.Order.Ended > 0 {
				found = append(found, fmt.Sprintf("a look at another comparison decided how many replicates the %s has", r.Variant.Role))
			}
		}
	}
	return found
}

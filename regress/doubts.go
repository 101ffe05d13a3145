package regress

import (
	"fmt"
	"math"

	"floodgate/internal/record"
)

// doubts says what makes the pairs of a scenario less comparable than the
// statistics assume. A doubt does not change the mark.
func doubts(pairs []recordPair) []string {
	var found []string
	for _, doubt := range []string{doubtOrder(pairs), doubtSequence(pairs), doubtAttempts(pairs), doubtLoad(pairs), doubtHost(pairs), doubtVariants(pairs)} {
		if doubt != "" {
			found = append(found, doubt)
		}
	}
	return found
}

// doubtOrder checks that each role ran first equally often. The figure is that
// of Student's interval at 90 % with 10 pairs, a spread of 3 % and a second
// place that is 1.5 % slower; TestFixedOrderMakesFalseAlarms reproduces it.
func doubtOrder(pairs []recordPair) string {
	baseline, candidate := 0, 0
	for _, p := range pairs {
		switch p.First {
		case record.Baseline:
			baseline++
		case record.Candidate:
			candidate++
		}
	}
	unknown := len(pairs) - baseline - candidate
	role, most := record.Baseline, baseline
	if candidate > baseline {
		role, most = record.Candidate, candidate
	}
	switch {
	case unknown > 0:
		return fmt.Sprintf("the records of %d of %d pairs do not say which role ran first, so the balance of the order is unknown", unknown, len(pairs))
	case len(pairs) < 2 || 2*most-len(pairs) <= 1:
		return ""
	}
	return fmt.Sprintf("the order is not balanced: the %s ran first in %d of %d pairs, so whatever the second place costs counts as change "+
		"(if always second and 1.5 %% slower, the interval excludes 0 without a change in about 5 of 10 runs, not in 1)", role, most, len(pairs))
}

// doubtSequence checks that the roles were interleaved at all.
// TestFalseAlarmsInTheRealOrder reproduces the figure, for machines that drift.
func doubtSequence(pairs []recordPair) string {
	if len(pairs) < 2 {
		return ""
	}
	low := map[string]int{record.Baseline: math.MaxInt, record.Candidate: math.MaxInt}
	high := map[string]int{record.Baseline: math.MinInt, record.Candidate: math.MinInt}
	for _, p := range pairs {
		for _, r := range []*record.Record{p.baseline, p.candidate} {
			role := r.Variant.Role
			low[role], high[role] = min(low[role], r.Order.Position), max(high[role], r.Order.Position)
		}
	}
	first, second := record.Baseline, record.Candidate
	if high[second] < low[first] {
		first, second = second, first
	}
	if high[first] >= low[second] {
		return ""
	}
	return fmt.Sprintf("every replicate of the %s ran before every one of the %s, so the drift of the machine counts as change (%s)",
		first, second, driftWords)
}

// driftWords are what drift does to runs whose roles were not interleaved.
const driftWords = "on a machine that drifts, about 5 of 10 such runs show a change without one, not 1"

// doubtAttempts checks that the two replicates of a pair ran next to each other.
func doubtAttempts(pairs []recordPair) string {
	for _, p := range pairs {
		if p.baseline.Attempt != p.candidate.Attempt {
			return fmt.Sprintf("replicate %d pairs attempt %d of the baseline with attempt %d of the candidate, which did not run next to each other",
				p.Replicate, p.baseline.Attempt, p.candidate.Attempt)
		}
	}
	return ""
}

// doubtLoad checks that both roles were offered the same messages.
func doubtLoad(pairs []recordPair) string {
	for _, p := range pairs {
		if p.baseline.Build.CorpusDigest != p.candidate.Build.CorpusDigest {
			return fmt.Sprintf("replicate %d was offered different messages as baseline and as candidate", p.Replicate)
		}
	}
	return ""
}

// doubtHost checks that both replicates of a pair ran on one machine. Only
// their ratio is comparable across machines, and only if each pair stays on one.
func doubtHost(pairs []recordPair) string {
	for _, p := range pairs {
		a, b := p.baseline.Environment, p.candidate.Environment
		if a.CPUModel != b.CPUModel || a.Cores != b.Cores || a.MemoryBytes != b.MemoryBytes || a.Kernel != b.Kernel {
			return fmt.Sprintf("replicate %d ran on different machines as baseline and as candidate", p.Replicate)
		}
	}
	return ""
}

// doubtVariants checks that a role means the same variant and the same binary
// in every pair.
func doubtVariants(pairs []recordPair) string {
	for _, p := range pairs[min(1, len(pairs)):] {
		for _, both := range [][2]*record.Record{{pairs[0].baseline, p.baseline}, {pairs[0].candidate, p.candidate}} {
			was, is := both[0], both[1]
			if was.Variant.Spec != is.Variant.Spec || was.Build.TargetDigest != is.Build.TargetDigest {
				return fmt.Sprintf("the %s of replicate %d is not what it was in replicate %d: variant or binary differ", is.Variant.Role, p.Replicate, pairs[0].Replicate)
			}
		}
	}
	return ""
}

// Package regress judges: records in, verdict out. It is pure; it reads no
// clock, no file and no random source that is not seeded by its arguments.
package regress

import "floodgate/scenarios"

// Mark is the judgement of one comparison.
type Mark string

// The marks. NoChange is a claim (the whole interval lies inside the
// tolerance), Inconclusive is the absence of one, and NoVerdict says that
// there was too little valid data to judge at all.
const (
	Improved     Mark = "improved"
	Regressed    Mark = "regressed"
	NoChange     Mark = "no change"
	Inconclusive Mark = "inconclusive"
	NoVerdict    Mark = "no verdict"
)

// Symbol is the mark as one character: ✅ ❌ ➖ ❔ and ⛔ for no verdict.
func (m Mark) Symbol() string {
	switch m {
	case Improved:
		return "✅"
	case Regressed:
		return "❌"
	case NoChange:
		return "➖"
	case Inconclusive:
		return "❔"
	}
	return "⛔"
}

// Rule says what a ❌ or ✅ claims.
type Rule string

// The rules. Detect: there is a change, and our best estimate of it reaches the
// tolerance. Prove: the change itself is larger than the tolerance.
const (
	Detect Rule = "detect"
	Prove  Rule = "prove"
)

// Options are the run-wide settings of a judgement.
type Options struct {
	Confidence float64 // of the intervals, 0.90 by default
	Tolerance  float64 // the smallest change that matters, as a ratio: 0.05
	Rule       Rule    // Detect when empty
	// FailOnInconclusive makes an inconclusive comparison an Unmeasured run.
	FailOnInconclusive bool
}

// Interval is a two-sided interval around an estimate, all as relative
// changes: 0.05 is +5 %.
type Interval struct {
	Estimate, Low, High float64
	// Level is the confidence reached; for exact discrete intervals it is at
	// least the one asked for. It is 0 where there is no interval (too few
	// pairs): then Low and High repeat the estimate.
	Level float64
}

// Pair is the goal's value in both replicates of one pair.
type Pair struct {
	Replicate           int
	First               string // the role that ran first
	Baseline, Candidate float64
}

// Comparison is the judgement of one scenario's goal. Changes are signed as
// measured (candidate over baseline), whatever direction is better.
type Comparison struct {
	Scenario string
	Goal     scenarios.Measure
	Erratic  bool // declared in the scenario

	Pairs   []Pair // the complete, valid pairs, by replicate
	Planned int    // pairs that were asked for
	Repeats int    // pairs that were repeated because an attempt was invalid, once for each time
	// Apart holds the values of two runs that were made apart, and then Pairs is
	// empty; nil where the replicates ran in pairs.
	Apart *Samples
	// Looked says at which look the comparison ended; nil where none was planned.
	Looked *Looked

	// Delta is the mean of the paired log ratios with Student's interval, or the
	// difference of the mean logarithms with Welch's: Δ mean %. At a look its
	// level is the one that belongs to this look.
	Delta Interval
	// Robust is Hodges–Lehmann with the exact signed-rank interval, or the
	// Mann–Whitney one for two samples; Level 0 when there is too little for it.
	Robust Interval

	// P is one-sided, of H0: no change for the worse (Student's or Welch's test on
	// logarithms), or under Prove: no change for the worse beyond the tolerance.
	// At a look it is the repeated p, which holds over all looks. It is 1 for fewer
	// than two pairs, and Student's limit, 0 or 1, where all pairs show the same
	// change.
	P float64
	// PAdjusted is P after Holm over the scenarios of the run. Comparisons
	// declared erratic are outside the family, because they can never decide;
	// those and comparisons without a verdict have 1.
	PAdjusted float64
	// PRandom is the two-sided sign-flip randomisation p of H0: no change;
	// 1 without pairs.
	PRandom float64
	// Q is the p of H0: no change for the worse, whatever the rule, after Benjamini
	// and Hochberg over all comparisons with a verdict; 1 without one. See
	// WorthALook.
	Q float64

	Spread            float64 // standard deviation of the paired log ratios; for two samples √(s_A² + s_B²)
	MinimumDetectable float64 // relative change found with 90 % power by this many pairs; 0 when unknown, and for a spread of 0
	PairsNeeded       int     // pairs in all that would settle an inconclusive comparison if nothing changed; 0 when settled or unknown

	Mark     Mark
	Reason   string // why this mark, in one sentence without a full stop
	Warnings []string
}

// Samples are the goal's values of two runs made apart, by replicate.
type Samples struct{ Baseline, Candidate []float64 }

// CheckResult is one check over all replicates of one variant.
type CheckResult struct {
	Scenario string
	Check    scenarios.Check
	Role     string // the variant that was checked
	Gate     bool   // whether it decides
	Passed   int    // replicates that kept the bound
	Total    int    // replicates that should have been checked
	Spare    int    // of these, how many may break the bound; 0 unless the check asks for a share
	Missing  int    // of these, replicates that are absent, invalid or without the measure
	// Observed is the worst value seen; meaningless when Missing == Total.
	Observed float64
	OK       bool // enough replicates kept the bound and none was missing
	// BaselinePassed and BaselineTotal are the same check on the replicates of
	// the baseline that have the measure, for information: a limit broken before
	// the change is not news. Zero without any.
	BaselinePassed, BaselineTotal int
	BaselineObserved              float64
}

// Outcome is what the run as a whole came to.
type Outcome string

// The outcomes. Fail beats Unmeasured: a limit that was seen to break is
// broken, whatever else is missing.
const (
	Pass       Outcome = "pass"
	Fail       Outcome = "fail"
	Unmeasured Outcome = "unmeasured"
)

// Decision is pass or fail of the whole run with its reasons.
type Decision struct {
	Outcome Outcome
	Reasons []string // one line each; the ones that decided come first
}

// Verdict is the whole judgement of a run: what every report renders.
type Verdict struct {
	Options     Options
	Comparisons []Comparison
	Checks      []CheckResult
	Decision    Decision
	Warnings    []string
}

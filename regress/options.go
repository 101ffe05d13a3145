package regress

import (
	"fmt"
	"math"
)

// DefaultOptions returns the settings of a run that asks for nothing else:
// intervals at 90 %, a tolerance of 5 %, changes detected and not proved,
// inconclusive comparisons only told.
func DefaultOptions() Options {
	return Options{Confidence: 0.90, Tolerance: 0.05, Rule: Detect}
}

// Validate reports the first setting with which nothing could be judged.
// A tolerance of 0 is allowed: then every change counts that the interval
// tells from 0, and none can be proved absent.
func (o Options) Validate() error {
	if !(o.Confidence >= 0.5 && o.Confidence <= 0.999) {
		return fmt.Errorf("cannot judge at a confidence of %v: want a share from 0.5 to 0.999, such as 0.9 for 90 %%", o.Confidence)
	}
	if !(o.Tolerance >= 0 && o.Tolerance < 1) {
		return fmt.Errorf("cannot judge with a tolerance of %v: want a ratio from 0 up to, not including, 1, such as 0.05 for 5 %%", o.Tolerance)
	}
	if o.Rule != "" && o.Rule != Detect && o.Rule != Prove {
		return fmt.Errorf("cannot judge by the rule %q: want %s or %s", o.Rule, Detect, Prove)
	}
	return nil
}

// Alpha is the one-sided error probability that belongs to the two-sided
// interval, 0.05 at 90 %. A regression decides only when its p, after Holm, is
// at most this; so with one scenario the decision and the mark agree.
func (o Options) Alpha() float64 { return (1 - o.Confidence) / 2 }

// margin is the tolerance on the log scale, where an interval is symmetric:
// up by a factor of 1+tolerance, or down by the same factor.
func (o Options) margin() float64 { return math.Log1p(o.Tolerance) }

// null is the largest log ratio for the worse that P takes for no regression.
func (o Options) null() float64 {
	if o.Rule == Prove {
		return o.margin()
	}
	return 0
}

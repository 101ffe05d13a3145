package regress

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"floodgate/internal/record"
	"floodgate/scenarios"
)

// TestCheck judges one check over three candidates that measured the values.
func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name   string
		op     string
		values []float64
		want   CheckResult
	}{
		{"the worst of an upper bound is the highest", "<=", []float64{9, 10, 4}, CheckResult{Passed: 3, Observed: 10, OK: true}},
		{"the worst of a lower bound is the lowest", ">=", []float64{11, 10, 12}, CheckResult{Passed: 3, Observed: 10, OK: true}},
		{"the worst of an equality is the farthest", "==", []float64{10, 4, 13}, CheckResult{Passed: 1, Observed: 4}},
		{"one broken replicate breaks the check", "<=", []float64{9, 11, 4}, CheckResult{Passed: 2, Observed: 11}},
		{"a missing replicate is not passed", "<=", []float64{9, 4}, CheckResult{Passed: 2, Missing: 1, Observed: 9}},
		{"nothing measured is nothing passed", "<=", nil, CheckResult{Missing: 3}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRun(t)
			r.scenario("burst_300k", "cpu_seconds", 3)
			r.check("rss_peak", c.op, 10)
			r.pairs([]float64{1, 1, 1}, []float64{1, 1, 1})
			for i, v := range c.values {
				add(r.in.Records[2*i+1], "rss_peak", v)
			}
			c.want.Scenario, c.want.Role, c.want.Total = "burst_300k", record.Candidate, 3
			got := Judge(r.in).Checks[0]
			if diff := cmp.Diff(c.want, got, cmpopts.IgnoreFields(CheckResult{}, "Check")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestCheckOnBaseline: the baseline's figures inform, and never decide.
func TestCheckOnBaseline(t *testing.T) {
	r := newRun(t)
	r.scenario("burst_300k", "cpu_seconds", 6).Gate = true
	r.check("cpu_seconds", "<=", 110)
	r.pairs(times(wobble, 1.3), shaken)
	r.in.Records[0].Measures = append(r.in.Records[0].Measures, record.Measure{Name: "rss_peak"})
	r.check("rss_peak", "<=", 1)
	v := Judge(r.in)
	if got := v.Checks[0]; !got.OK || !got.Gate || got.BaselinePassed != 0 || got.BaselineTotal != 6 || got.BaselineObserved != times(wobble, 1.3)[1] {
		t.Errorf("%+v: want a check that passes, on a baseline that broke it 6 of 6 times", got)
	}
	if got := v.Checks[1]; got.OK || got.Missing != 6 || got.BaselineTotal != 1 || got.BaselinePassed != 1 {
		t.Errorf("%+v: want a check that is missing in every candidate and held by the one baseline that has it", got)
	}
}

// TestOneVariant: a run of one variant compares nothing and still must not
// pass what it did not see.
func TestOneVariant(t *testing.T) {
	one := func(role string) *run {
		r := newRun(t)
		s := r.scenario("burst_300k", "cpu_seconds", 3)
		s.Gate, s.Checks = true, []scenarios.Check{{Measure: s.Goal, Op: "<=", Bound: 10}}
		for i := range 3 {
			r.record(role, i, 9)
		}
		return r
	}
	for _, role := range []string{record.Baseline, record.Candidate} {
		v := Judge(one(role).in)
		want := Decision{Pass, []string{
			"one variant alone: nothing was compared, only its checks decide.",
			"burst_300k, bounds check cpu_seconds: 3/3 replicas passed. Gate passed.",
		}}
		if diff := cmp.Diff(want, v.Decision); diff != "" || len(v.Comparisons) != 0 || v.Checks[0].Role != role || v.Checks[0].BaselineTotal != 0 {
			t.Errorf("%s alone: %+v\n%s", role, v.Checks, diff)
		}
	}
	r := one(record.Candidate)
	r.in.Scenarios[0].Checks = nil
	r.in.Records[2].Invalid = "the target died"
	v := Judge(r.in)
	if v.Decision.Outcome != Unmeasured || v.Decision.Reasons[0] != "burst_300k: replicate 2: the candidate is invalid: the target died." {
		t.Errorf("an invalid replicate without any check: %+v", v.Decision)
	}
	// The same records of a run that planned a baseline are no run of one variant.
	r = one(record.Candidate)
	r.in.Roles = []string{record.Baseline, record.Candidate}
	if v := Judge(r.in); v.Decision.Outcome != Unmeasured || len(v.Comparisons) != 1 || v.Comparisons[0].Mark != NoVerdict {
		t.Errorf("a baseline that left no record: %+v", v.Decision)
	}
}

package regress

import (
	"fmt"
	"math"

	"floodgate/internal/record"
	"floodgate/scenarios"
)

// check judges one check over all planned replicates of the role, and over the
// baseline for information.
func (b *book) check(s scenarios.Scenario, c scenarios.Check, role string) CheckResult {
	result := CheckResult{
		Scenario: s.Name, Check: c, Role: role, Gate: s.Gate && !c.Informational,
		Total: max(b.planned[side{s.Name, role}], 0),
	}
	result.Spare = result.Total - c.Replicas.Of(result.Total)
	values := b.values(s, c, role)
	result.Missing = result.Total - len(values)
	result.Passed, result.Observed = held(c, values)
	result.OK = result.Total > 0 && result.Missing == 0 && result.Broken() <= result.Spare
	if role != record.Baseline {
		values = b.values(s, c, record.Baseline)
		result.BaselineTotal = len(values)
		result.BaselinePassed, result.BaselineObserved = held(c, values)
	}
	return result
}

// Broken is the number of replicates that were seen to break the bound.
func (c CheckResult) Broken() int { return c.Total - c.Missing - c.Passed }

// Failed reports whether so many replicates were seen to break the bound that the
// check is broken, whatever the missing ones would have shown.
func (c CheckResult) Failed() bool { return c.Broken() > c.Spare }

// Sentence is the check of a gate in words, as the decision gives it:
// "burst_300k, bounds check lost_messages: 10/10 replicas passed. Gate passed."
func (c CheckResult) Sentence() string {
	line := fmt.Sprintf("%s, bounds check %s: %d/%d replicas passed", c.Scenario, c.Check.Name(), c.Passed, c.Total)
	if c.Spare > 0 {
		line += fmt.Sprintf(", %d needed", c.Total-c.Spare)
	}
	line += "."
	if c.Missing > 0 {
		line += fmt.Sprintf(" Not measured in %d.", c.Missing)
	}
	switch {
	case c.OK:
		return line + " Gate passed."
	case c.Failed():
		return fmt.Sprintf("%s Failed %d which is > %d. Gate FAILED.", line, c.Broken(), c.Spare)
	}
	return line + " Gate NOT DECIDED."
}

// values returns what the valid replicates of the role measured.
func (b *book) values(s scenarios.Scenario, c scenarios.Check, role string) []float64 {
	var values []float64
	for i := range b.planned[side{s.Name, role}] {
		r, fault := b.valid(place{s.Name, role, i})
		if fault != "" {
			continue
		}
		if value, measured := observed(r, c); measured {
			values = append(values, value)
		}
	}
	return values
}

// held counts the values that keep the bound and returns the worst one: the
// highest, the lowest, or the farthest from the bound. It is 0 without values.
func held(c scenarios.Check, values []float64) (passed int, worst float64) {
	badness := func(x float64) float64 {
		switch c.Op {
		case "<=":
			return x
		case ">=":
			return -x
		}
		return math.Abs(x - c.Bound)
	}
	for i, x := range values {
		if c.Holds(x) {
			passed++
		}
		if i == 0 || badness(x) > badness(worst) {
			worst = x
		}
	}
	return passed, worst
}

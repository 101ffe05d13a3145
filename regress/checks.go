package regress

import (
	"math"

	"floodgate/internal/record"
	"floodgate/scenarios"
)

// check judges one check over all planned replicates of the role, and over the
// baseline for information.
func (b *book) check(s scenarios.Scenario, c scenarios.Check, role string) CheckResult {
	result := CheckResult{
		Scenario: s.Name, Check: c, Role: role, Gate: s.Gate && !c.Informational,
		Total: max(b.planned[s.Name], 0),
	}
	values := b.values(s, c, role)
	result.Missing = result.Total - len(values)
	result.Passed, result.Observed = held(c, values)
	result.OK = result.Total > 0 && result.Passed == result.Total
	if role != record.Baseline {
		values = b.values(s, c, record.Baseline)
		result.BaselineTotal = len(values)
		result.BaselinePassed, result.BaselineObserved = held(c, values)
	}
	return result
}

// broken is the number of replicates that were seen to break the bound.
func (c CheckResult) broken() int { return c.Total - c.Missing - c.Passed }

// values returns what the valid replicates of the role measured.
func (b *book) values(s scenarios.Scenario, c scenarios.Check, role string) []float64 {
	var values []float64
	for i := range b.planned[s.Name] {
		if _, value, fault := b.value(place{s.Name, role, i}, c.Measure.Name); fault == "" {
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

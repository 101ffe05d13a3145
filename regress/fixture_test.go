package regress

import (
	"testing"

	"floodgate/internal/record"
	"floodgate/scenarios"
)

// run builds the input of a judgement in a few words.
type run struct {
	t  *testing.T
	in Input
}

func newRun(t *testing.T) *run { return &run{t: t, in: Input{Options: DefaultOptions()}} }

// scenario plans a scenario with that goal and returns it for the test to change.
func (r *run) scenario(name, goal string, pairs int) *scenarios.Scenario {
	r.t.Helper()
	r.in.Scenarios = append(r.in.Scenarios, scenarios.Scenario{Name: name, Goal: measure(r.t, goal), Replicates: pairs})
	return &r.in.Scenarios[len(r.in.Scenarios)-1]
}

// check adds a check to the scenario that was planned last.
func (r *run) check(name, op string, bound float64) *scenarios.Check {
	r.t.Helper()
	s := &r.in.Scenarios[len(r.in.Scenarios)-1]
	s.Checks = append(s.Checks, scenarios.Check{Measure: measure(r.t, name), Op: op, Bound: bound})
	return &s.Checks[len(s.Checks)-1]
}

// pairs records valid pairs of the scenario that was planned last, in a
// balanced order.
func (r *run) pairs(baseline, candidate []float64) {
	for i := range baseline {
		r.record(record.Baseline, i, baseline[i])
		r.record(record.Candidate, i, candidate[i])
	}
}

// record adds one valid replicate whose goal has the value, and returns it for
// the test to change.
func (r *run) record(role string, replicate int, value float64) *record.Record {
	s := r.in.Scenarios[len(r.in.Scenarios)-1]
	first, second := record.Baseline, record.Candidate
	if replicate%4 == 1 || replicate%4 == 2 {
		first, second = second, first
	}
	position := 2 * replicate
	if role == second {
		position++
	}
	recorded := &record.Record{
		Schema: record.Schema, Scenario: s.Name, Variant: record.Variant{Role: role, Spec: "refserver"}, Replicate: replicate,
		Order:    record.Order{Kind: "blocks", Position: position, First: first},
		Measures: []record.Measure{{Name: s.Goal.Name, Unit: string(s.Goal.Unit), Better: s.Goal.Better, Value: value}},
	}
	r.in.Records = append(r.in.Records, recorded)
	return recorded
}

// add gives a record one more measure.
func add(r *record.Record, name string, value float64) {
	r.Measures = append(r.Measures, record.Measure{Name: name, Value: value})
}

// drop removes the records that match.
func (r *run) drop(match func(*record.Record) bool) {
	var kept []*record.Record
	for _, x := range r.in.Records {
		if !match(x) {
			kept = append(kept, x)
		}
	}
	r.in.Records = kept
}

func measure(t *testing.T, name string) scenarios.Measure {
	t.Helper()
	m, known := scenarios.LookUp(name)
	if !known {
		t.Fatalf("no measure is called %s", name)
	}
	return m
}

// times returns the values multiplied by a factor.
func times(values []float64, factor float64) []float64 {
	scaled := make([]float64, len(values))
	for i, x := range values {
		scaled[i] = x * factor
	}
	return scaled
}

// wobble is six values of a goal around 100, a few percent apart.
var wobble = []float64{100, 104, 98, 101, 97, 103}

// shaken is wobble with another, equally small, noise: what an unchanged
// candidate measures.
var shaken = []float64{101, 103, 99, 100, 98, 102}

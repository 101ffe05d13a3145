package harness

import (
	"reflect"
	"testing"

	"floodgate/internal/record"
	"floodgate/scenarios"
)

var bothRoles = []string{record.Baseline, record.Candidate}

func suiteOf(names ...string) []scenarios.Scenario {
	var suite []scenarios.Scenario
	for _, name := range names {
		suite = append(suite, scenarios.Scenario{Name: name})
	}
	return suite
}

// firsts returns who goes first in each pair of one scenario.
func firsts(p Plan, scenario int) string {
	var s string
	for _, pair := range p.Pairs {
		if pair.Scenario == scenario {
			s += pair.Roles[0][:1]
		}
	}
	return s
}

func TestPlanIsBalanced(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(40) {
		p := NewPlan(suiteOf("x"), map[string]int{"x": 8}, bothRoles, seed)
		order := firsts(p, 0)
		for i := 0; i < len(order); i += 2 {
			if order[i] == order[i+1] {
				t.Errorf("seed %d: order %s has a block whose pairs begin alike", seed, order)
			}
		}
		seen[order] = true
	}
	if len(seen) < 8 { // of the 16 there are
		t.Errorf("40 seeds give only %d orders: the order is not drawn", len(seen))
	}
}

func TestPlanInterleavesScenarios(t *testing.T) {
	p := NewPlan(suiteOf("x", "y"), map[string]int{"x": 2, "y": 3}, bothRoles, 1)
	var got [][2]int
	for _, pair := range p.Pairs {
		got = append(got, [2]int{pair.Scenario, pair.Replicate})
	}
	if want := [][2]int{{0, 0}, {1, 0}, {0, 1}, {1, 1}, {1, 2}}; !reflect.DeepEqual(got, want) {
		t.Errorf("pairs %v, want %v", got, want)
	}
	if n := p.Replicates(); n != 10 {
		t.Errorf("%d replicates, want 10", n)
	}
}

func TestPlanDependsOnTheScenarioAlone(t *testing.T) {
	n := map[string]int{"x": 20, "y": 20}
	alone := NewPlan(suiteOf("x"), n, bothRoles, 7)
	together := NewPlan(suiteOf("y", "x"), n, bothRoles, 7)
	if a, b := firsts(alone, 0), firsts(together, 1); a != b {
		t.Errorf("another scenario changed the order of x: %s, %s", a, b)
	}
	if a, b := firsts(together, 0), firsts(together, 1); a == b {
		t.Errorf("two scenarios share one order, %s: they are not drawn apart", a)
	}
}

func TestPlanOfOneVariant(t *testing.T) {
	p := NewPlan(suiteOf("x"), map[string]int{"x": 3}, []string{record.Candidate}, 1)
	if len(p.Pairs) != 3 || p.Replicates() != 3 {
		t.Errorf("plan %+v, want 3 replicates of one variant", p)
	}
}

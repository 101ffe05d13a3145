// Package harness carries out a run: it plans pairs, starts targets and intakes
// as the scenarios ask, offers the load, accounts for every message, and writes
// one record per replicate. It judges nothing, and it meets every server as a
// process.
package harness

import (
	"hash/fnv"
	"math/rand/v2"

	"floodgate/internal/record"
	"floodgate/scenarios"
)

// Plan is the order of a run: which pairs, and in each which role goes first.
type Plan struct {
	Pairs []Pair
}

// Pair is one baseline and one candidate replicate next to each other. In a
// run of a single variant it holds that one alone.
type Pair struct {
	Scenario  int // index into the scenarios of the plan
	Replicate int // from 0
	Roles     []string
}

// NewPlan orders the pairs of a run. Within a scenario they come in blocks of
// two whose order is drawn from the seed, ABBA or BAAB, so that a drift of the
// machine weighs on both variants alike and neither is always first. Scenarios
// are interleaved pair by pair, so that a slow hour does not fall on one of
// them. It is pure: equal arguments give equal plans.
func NewPlan(suite []scenarios.Scenario, replicates map[string]int, roles []string, seed uint64) Plan {
	most := 0
	for _, s := range suite {
		most = max(most, replicates[s.Name])
	}
	orders := make([][][]string, len(suite))
	for i, s := range suite {
		orders[i] = order(roles, replicates[s.Name], seed, s.Name)
	}
	var plan Plan
	for r := range most {
		for i, s := range suite {
			if r < replicates[s.Name] {
				plan.Pairs = append(plan.Pairs, Pair{Scenario: i, Replicate: r, Roles: orders[i][r]})
			}
		}
	}
	return plan
}

// order draws the blocks of one scenario. The name is mixed into the seed, so
// that adding a scenario does not change the order of the others.
func order(roles []string, n int, seed uint64, name string) [][]string {
	pairs := make([][]string, n)
	if len(roles) < 2 {
		for i := range pairs {
			pairs[i] = roles
		}
		return pairs
	}
	h := fnv.New64a()
	h.Write([]byte(name))
	rng := rand.New(rand.NewPCG(seed, h.Sum64()))
	forth, back := []string{roles[0], roles[1]}, []string{roles[1], roles[0]}
	for i := 0; i < n; i += 2 {
		first, second := forth, back
		if rng.IntN(2) == 1 {
			first, second = back, forth
		}
		pairs[i] = first
		if i+1 < n {
			pairs[i+1] = second
		}
	}
	return pairs
}

// Replicates counts the replicates of the plan.
func (p Plan) Replicates() int {
	n := 0
	for _, pair := range p.Pairs {
		n += len(pair.Roles)
	}
	return n
}

// recordOrder is the order as a record keeps it.
func (p Pair) recordOrder(kind scenarios.Order, position, planned int, looks *Looks) record.Order {
	o := record.Order{Kind: string(kind), Position: position, First: p.Roles[0], Roles: p.Roles, Planned: planned}
	if looks != nil {
		o.Looks, o.Boundary = looks.Pairs, looks.Boundary
	}
	return o
}

package regress

import (
	"fmt"
	"slices"

	"floodgate/internal/record"
	"floodgate/scenarios"
)

// Boundary says how the error probability is divided over the looks.
type Boundary string

// The boundaries. Pocock's asks the same of every look, so that a clear change
// ends a run early; O'Brien and Fleming's asks almost everything of the early
// ones, so that the last has nearly the power of a run without looks.
const (
	Pocock        Boundary = "pocock"
	OBrienFleming Boundary = "obrien-fleming"
)

// Looks is a plan of looks, declared before a run: after which numbers of pairs
// a scenario may end, and how strict each look is. The last look is at all pairs.
type Looks struct {
	Pairs    []int
	Boundary Boundary
}

const (
	usualLooks = 4
	leastPairs = 4 // before the first look: two blocks
	// MaxLookedPairs bounds a plan of looks; whoever can afford more pairs needs
	// no early end.
	MaxLookedPairs = 200
)

// PlanLooks plans four looks at even distances up to the given number of pairs,
// or fewer where that are few. Each look but the last falls on the end of a block
// of two pairs, so that the order is balanced when a run ends there.
func PlanLooks(pairs int, boundary Boundary) Looks {
	l := Looks{Boundary: boundary}
	for k := 1; k < usualLooks; k++ {
		at := (pairs*k + usualLooks - 1) / usualLooks
		at += at % 2
		if at >= leastPairs && at+2 <= pairs && !slices.Contains(l.Pairs, at) {
			l.Pairs = append(l.Pairs, at)
		}
	}
	l.Pairs = append(l.Pairs, pairs)
	return l
}

// Validate reports what makes l no plan: looks out of order, too close to each
// other, too early or too many pairs, or an unknown boundary.
func (l Looks) Validate() error {
	if l.Boundary != Pocock && l.Boundary != OBrienFleming {
		return fmt.Errorf("cannot look with the boundary %q: want %s or %s", l.Boundary, Pocock, OBrienFleming)
	}
	if len(l.Pairs) == 0 {
		return fmt.Errorf("cannot look: no number of pairs is planned")
	}
	before := leastPairs - 2
	for _, n := range l.Pairs {
		if n < before+2 {
			return fmt.Errorf("cannot look after %v pairs: want at least %d before the first look and 2 between two", l.Pairs, leastPairs)
		}
		before = n
	}
	if before > MaxLookedPairs {
		return fmt.Errorf("cannot look after %d pairs: want at most %d", before, MaxLookedPairs)
	}
	return nil
}

// Looked is where in its plan of looks a comparison ended.
type Looked struct {
	Look, Looks int // the look, from 1, and how many were planned
	Pairs, Most int // pairs at this look, and at the last
	Boundary    Boundary
	// Overall is the confidence that holds over all looks, the one asked for. That
	// of the interval at this look is higher and stands with the interval.
	Overall float64
}

// looked is a look with the levels that hold there.
type looked struct {
	Looked
	confidence float64 // of the interval at this look
	adjust     func(p float64) float64
}

// at returns the look that n pairs have reached: the first of at least n.
func (b *boundaries) at(n int, overall float64) *looked {
	k := slices.IndexFunc(b.looks, func(look int) bool { return look >= n })
	if k < 0 {
		k = len(b.looks) - 1
	}
	level := b.levels((1 - overall) / 2)[k]
	return &looked{
		Looked: Looked{Look: k + 1, Looks: len(b.looks), Pairs: b.looks[k], Most: b.looks[len(b.looks)-1],
			Boundary: b.shape, Overall: overall},
		confidence: 1 - 2*level,
		adjust:     func(p float64) float64 { return b.repeated(k, p) },
	}
}

// looksOf returns the plan of looks that the records of a scenario were made
// under, nil without one, or what is wrong with it.
func (b *book) looksOf(scenario string) (*boundaries, string) {
	var plan *record.Order
	for at, r := range b.last {
		if at.scenario != scenario || b.apart {
			continue
		}
		if plan == nil {
			plan = &r.Order
		}
		if !slices.Equal(plan.Looks, r.Order.Looks) || plan.Boundary != r.Order.Boundary {
			return nil, "its records were made under different plans of looks"
		}
	}
	if plan == nil || len(plan.Looks) == 0 {
		return nil, ""
	}
	l := Looks{Pairs: plan.Looks, Boundary: Boundary(plan.Boundary)}
	if err := l.Validate(); err != nil {
		return nil, err.Error()
	}
	key := fmt.Sprint(l)
	if b.designs[key] == nil {
		b.designs[key] = newBoundaries(l)
	}
	return b.designs[key], ""
}

// LookInput is what a look depends on. Look changes none of it.
type LookInput struct {
	Scenario scenarios.Scenario
	// Records are those of the scenario so far, with their plan of looks.
	Records []*record.Record
	// Pairs that the scenario has had so far; one of the plan's looks.
	Pairs int
	// Family is the number of scenarios of the run that could decide.
	Family  int
	Options Options
}

// Step is what a look comes to: whether the scenario may end, and why.
type Step struct {
	Stop   bool
	Reason string // in one sentence without a full stop
}

// Look says whether a scenario may end after the pairs it has had. It may when its
// mark stands: ✅, ➖, or a ❌ that counts against the run whatever the other
// scenarios of its family show. It goes on where anything is missing, because
// missing data are not judged.
//
// The marks of all looks together are wrong no more often than those of one run
// of a fixed number of pairs, because each look has its share of the error only.
func Look(in LookInput) Step {
	if err := in.Options.Validate(); err != nil {
		return Step{Reason: err.Error()}
	}
	b := newBook(Input{
		Scenarios: []scenarios.Scenario{in.Scenario}, Replicates: map[string]int{in.Scenario.Name: in.Pairs},
		Records: in.Records, Roles: []string{record.Baseline, record.Candidate}, Options: in.Options,
	})
	c := b.compare(in.Scenario, in.Options).Comparison
	if c.Mark == NoVerdict {
		return Step{Reason: c.Reason}
	}
	if c.Looked == nil {
		return Step{Reason: "no look was planned here"}
	}
	switch c.Mark {
	case Improved, NoChange:
		return Step{true, c.Reason}
	case Regressed:
		if p := c.P * float64(max(in.Family, 1)); p > in.Options.Alpha() {
			return Step{false, fmt.Sprintf("%s; among %s it might not count yet", c.Reason, plural(in.Family, "scenario"))}
		}
		return Step{true, c.Reason}
	}
	return Step{false, c.Reason}
}

package harness

import (
	"slices"

	"floodgate/internal/record"
	"floodgate/scenarios"
)

// Looks is the plan by which scenarios may end early, the same for all: after how
// many pairs the run asks whether a scenario has seen enough. The harness judges
// nothing; Enough does.
type Looks struct {
	Pairs    []int  // ascending; the last is the number of pairs planned
	Boundary string // kept in the records: how strict each look is
	// Enough is asked after each look but the last, with the records of the
	// scenario so far, which it only reads. It runs on the goroutine of Run.
	Enough func(s scenarios.Scenario, pairs int, records []*record.Record) bool
}

// look asks, where the plan of looks says so, whether the scenario of the pair
// that has just ended may end too. If so, its further pairs are left out of the
// run, and the records of this one say it: otherwise a reader would miss the rest.
// The pairs of the other scenarios keep their order.
func (r *runner) look(pair Pair) error {
	looks, pairs := r.config.Looks, pair.Replicate+1
	if looks == nil || !slices.Contains(looks.Pairs, pairs) {
		return nil
	}
	s := r.config.Scenarios[pair.Scenario]
	planned := r.replicates[s.Name]
	if pairs >= planned {
		return nil
	}
	var own, last []*record.Record
	for _, rec := range r.records {
		if rec.Scenario != s.Name {
			continue
		}
		own = append(own, rec)
		if rec.Replicate == pair.Replicate && rec.Invalid == "" {
			last = append(last, rec)
		}
	}
	if len(last) < len(pair.Roles) || !looks.Enough(s, pairs, own) {
		return nil
	}
	for _, rec := range last {
		rec.Order.Ended = pairs
		if err := record.Write(record.Path(r.config.Out, s.Name, rec.Variant.Role, rec.Replicate, rec.Attempt, false), rec); err != nil {
			return err
		}
	}
	r.ended[s.Name] = true
	r.total -= (planned - pairs) * len(pair.Roles)
	return nil
}

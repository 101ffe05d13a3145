package harness

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"floodgate/internal/record"
	"floodgate/loadgen"
	"floodgate/scenarios"
)

// leadTime is how long before its first message a woven load is set up, so that
// both generators are ready at the same instant.
const leadTime = 50 * time.Millisecond

// inWeave carries out the two replicates of a pair at the same time: both
// targets are alive, and the load goes to one or the other in slices that take
// turns (see loadgen.Weave). Each is offered the whole load of the scenario, has
// an intake and a ledger of its own, and is charged with all the CPU time that
// its process used from the beginning of the load to its end, so that work which
// is put off into the other's slices is not missed. The phases begin together:
// none waits while the other is under load.
func (r *runner) inWeave(ctx context.Context, s *scenarios.Scenario, p *prepared, pair Pair, attempt int) (records []*record.Record, final bool, err error) {
	var sessions []*session
	defer func() {
		for _, s := range sessions {
			os.RemoveAll(s.dir)
		}
	}()
	for half, role := range pair.Roles {
		session, err := r.open(s, p, pair, r.variant(s.Name, role), attempt)
		if err != nil {
			return nil, false, err
		}
		sessions = append(sessions, session)
		weave := loadgen.Weave{Schedule: p.schedule, Slice: s.Slice, Half: half, Seed: r.config.Seed + uint64(pair.Replicate)}
		if err := weave.Validate(); err != nil {
			return nil, false, err
		}
		session.schedule = weave
	}
	errs := r.together(ctx, pair, attempt, sessions)
	failed := false
	for _, err := range errs {
		failed = failed || err != nil
	}
	for i, session := range sessions {
		if failed && errs[i] == nil {
			errs[i] = &invalid{reason: otherInvalid}
		}
		last, failure := session.conclude(ctx, errs[i]) // both, whatever becomes of the first
		err = errors.Join(err, failure)
		final = final || last
		records = append(records, session.record)
	}
	if ctx.Err() != nil {
		return nil, false, context.Cause(ctx)
	}
	if err != nil {
		return nil, false, err
	}
	for _, rec := range records {
		if err := r.keep(rec); err != nil {
			return nil, false, err
		}
	}
	return records, final, nil
}

// otherInvalid is why a replicate that could be valid is not: pairs are judged
// whole.
const otherInvalid = "set aside: the other replicate of its pair is invalid"

// together takes sessions through their phases side by side, up to the first
// that fails in one of them. It returns what each came to.
func (r *runner) together(ctx context.Context, pair Pair, attempt int, sessions []*session) []error {
	errs := make([]error, len(sessions))
	for i, step := range sessions[0].phases() {
		if step.name == record.PhaseMeasuring {
			start := time.Now().Add(leadTime)
			for _, s := range sessions {
				s.startAt = start
			}
		}
		var side sync.WaitGroup
		for k, s := range sessions {
			r.event(Event{Scenario: s.scenario.Name, Role: s.variant.Role, Replicate: pair.Replicate, Attempt: attempt, Phase: step.name})
			side.Go(func() { errs[k] = s.phase(step.name, func() error { return s.phases()[i].run(ctx) }) })
		}
		side.Wait()
		for _, err := range errs {
			if err != nil {
				return errs
			}
		}
	}
	return errs
}

package harness

import (
	"context"
	"fmt"
	"runtime"

	"floodgate/internal/record"
	"floodgate/scenarios"
)

// Steps carries out replicates one at a time, where each decides what comes
// next, in place of a plan. It keeps the load of one scenario only: the one of
// the last step. It is used by one goroutine at a time.
type Steps struct {
	r runner
}

// NewSteps begins a run of steps. Of the configuration Scenarios and Replicates
// come with the steps, and Looks and Candidates mean nothing; every variant has a
// role of its own. It removes the records of an earlier run from Out, as Run does.
func NewSteps(config Config) (*Steps, error) {
	config.Scenarios, config.Replicates, config.Looks, config.Candidates = nil, nil, nil, nil
	if err := removeRecords(config.Out); err != nil {
		return nil, err
	}
	return &Steps{runner{config: config, prepared: map[string]*prepared{}, repeats: map[string]int{}, replicates: map[string]int{}, ended: map[string]bool{}}}, nil
}

// take makes s the scenario of the next step, narrowed to what all variants can
// do, and drops the load of another.
func (t *Steps) take(s scenarios.Scenario) error {
	if len(t.r.config.Scenarios) == 1 && t.r.config.Scenarios[0].Name == s.Name {
		return nil
	}
	// Before the next load is made, so that no two are in memory.
	clear(t.r.prepared)
	runtime.GC()
	t.r.config.Scenarios = []scenarios.Scenario{s}
	if err := t.r.config.Validate(); err != nil {
		return err
	}
	narrowed, adapted, err := t.r.config.narrow()
	if err != nil {
		return err
	}
	t.r.config.Scenarios, t.r.adapted = narrowed, adapted
	return nil
}

// Replicate carries out replicate number n, from 0, of the scenario with the
// variant of that role, and writes its record. It is repeated while it is invalid
// and the scenario allows it; the record is that of the last attempt. planned is
// how many the scenario is to have, for the records. The error is of the harness
// or of ctx, which ends the target at hand: then there is no record. Of two
// scenarios with one name only the first is used.
func (t *Steps) Replicate(ctx context.Context, s scenarios.Scenario, role string, n, planned int) (*record.Record, error) {
	if err := t.take(s); err != nil {
		return nil, err
	}
	clear(t.r.repeats)
	t.r.replicates[s.Name] = planned
	t.r.done, t.r.total = 0, 1
	if err := t.r.pair(ctx, Pair{Scenario: 0, Replicate: n, Roles: []string{role}}); err != nil {
		return nil, err
	}
	return t.r.records[len(t.r.records)-1], nil
}

// Load is what the load of a scenario takes.
type Load struct {
	Messages, Datagrams int64
	WireBytes           int64 // of all datagrams, without headers
	MemoryBytes         int64 // of the load in memory; its table of contextKeys and what is expected of them are not in it
	// Ceiling is how many messages per second the generator alone can offer of it;
	// 0 where that is not known, as for every socket but UDP.
	Ceiling float64
}

// Load makes the load of a scenario, or has it still, and says what it takes. An
// idle one is refused.
func (t *Steps) Load(ctx context.Context, s scenarios.Scenario) (Load, error) {
	if err := t.take(s); err != nil {
		return Load{}, err
	}
	p, err := t.r.prepare(ctx, &t.r.config.Scenarios[0])
	if err != nil {
		return Load{}, err
	}
	corpus := p.corpus
	if corpus == nil {
		return Load{}, fmt.Errorf("cannot tell what the load of %s takes: it is idle", s.Name)
	}
	l := Load{Messages: corpus.Messages(), Datagrams: int64(corpus.Datagrams()), WireBytes: corpus.Bytes()}
	if p.ceiling != nil {
		l.Ceiling = p.ceiling.Messages
	}
	perDatagram := int64(8) // its end, and where they are packed how many messages came before
	if l.Datagrams != l.Messages {
		perDatagram = 16
	}
	l.MemoryBytes = l.WireBytes + perDatagram*l.Datagrams
	return l, nil
}

package harness

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"time"

	"floodgate/internal/procfs"
	"floodgate/internal/record"
	"floodgate/internal/target"
	"floodgate/loadgen"
	"floodgate/scenarios"
)

// Config is one run.
type Config struct {
	Out        string // folder of the records
	Scenarios  []scenarios.Scenario
	Replicates map[string]int // pairs by scenario name; a scenario without an entry has its own number
	Variants   []Variant      // one, or baseline and candidate
	// Candidates, where a scenario has another candidate than Variants say, has
	// it by scenario name.
	Candidates map[string]Variant
	Seed       uint64
	Version    string // of the harness, for the records
	// Adapt leaves out of a scenario, for all variants alike, what one of their
	// targets cannot do. Without it such a scenario is refused.
	Adapt bool
	// Shard, if not nil, makes this run one of several that offer a load together.
	Shard *Shard
	// Looks, if not nil, lets scenarios end before all their pairs are run.
	Looks *Looks
	// OnEvent, if not nil, is told what happens as it happens, on the goroutine
	// of Run. It must not block.
	OnEvent func(Event)
}

// Validate names what Run could not carry out.
func (c Config) Validate() error {
	if c.Looks != nil && len(c.Variants) != 2 {
		return fmt.Errorf("cannot look at a run of %d variants: only a comparison of two can end early", len(c.Variants))
	}
	for _, s := range c.Scenarios {
		if err := loadFault(&s); err != nil {
			return fmt.Errorf("cannot run scenario %s: %w", s.Name, err)
		}
	}
	if err := c.shardFault(); err != nil {
		return err
	}
	_, left, err := c.narrow()
	if err == nil && c.Shard != nil && len(left) > 0 {
		err = fmt.Errorf("cannot share the load of %s: what its target cannot do may not be left out, because the other shards do not know it: write a scenario without it", c.Scenarios[0].Name)
	}
	return err
}

// Event is something that happened in a run, for whoever shows progress.
type Event struct {
	Scenario  string
	Role      string
	Replicate int
	Attempt   int
	// Phase that begins; empty when the replicate has ended and Record tells how.
	Phase  string
	Record *record.Record
	// Done of Total planned replicates have ended. It falls when a pair is
	// repeated.
	Done, Total int
}

// Run carries out the plan pair by pair and writes a record for every
// replicate, valid or not. It returns the records in the order of the run, also
// beside an error. When ctx ends it stops the target at hand, keeps what is
// finished, and returns its cause. An invalid pair is repeated as a whole; how
// many repetitions a scenario allows it has for all its pairs together, which
// bounds the run. A target that died is not repeated, because repeating would
// hide it.
func Run(ctx context.Context, config Config) ([]*record.Record, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	r := runner{config: config, prepared: map[string]*prepared{}, repeats: map[string]int{}, replicates: map[string]int{}, ended: map[string]bool{}}
	var roles []string
	for _, v := range config.Variants {
		roles = append(roles, v.Role)
	}
	for _, s := range config.Scenarios {
		if r.replicates[s.Name] = config.Replicates[s.Name]; r.replicates[s.Name] == 0 {
			r.replicates[s.Name] = s.Replicates
		}
	}
	if err := removeRecords(config.Out); err != nil {
		return nil, err
	}
	var err error
	if r.config.Scenarios, r.adapted, err = config.narrow(); err != nil {
		return nil, err
	}
	if err := record.WritePlan(config.Out, r.plan()); err != nil {
		return nil, err
	}
	plan := NewPlan(config.Scenarios, r.replicates, roles, config.Seed)
	r.total = plan.Replicates()
	for _, pair := range plan.Pairs {
		if r.ended[config.Scenarios[pair.Scenario].Name] {
			continue
		}
		if err := r.pair(ctx, pair); err != nil {
			return r.records, err
		}
		if err := r.look(pair); err != nil {
			return r.records, err
		}
	}
	return r.records, nil
}

// runner is a run under way.
type runner struct {
	config     Config
	prepared   map[string]*prepared
	repeats    map[string]int    // of invalid pairs, by scenario
	replicates map[string]int    // planned pairs, by scenario
	adapted    map[string]string // what was left out of a scenario, by its name
	ended      map[string]bool   // scenarios that a look has ended
	records    []*record.Record
	position   int // of the next replicate
	done       int // replicates of the plan that have ended
	total      int
}

// plan is what the run sets out to do.
func (r *runner) plan() record.Plan {
	var p record.Plan
	for _, v := range r.config.Variants {
		p.Variants = append(p.Variants, v.record())
	}
	for _, s := range r.config.Scenarios {
		p.Scenarios = append(p.Scenarios, record.Planned{Name: s.Name, YAML: string(s.Source), File: s.File, Replicates: r.replicates[s.Name]})
	}
	return p
}

// prepared is what is made once per scenario, before any clock starts.
type prepared struct {
	corpus   *loadgen.Corpus // nil for an idle load
	schedule loadgen.Schedule
	whole    *whole // of all shards; nil for a load that is not shared
	expected *expectations
	ceiling  *record.Ceiling // of the generator; nil where it is not known
	doubt    string          // why it is not, for the records; empty where none is wanted
}

func (p *prepared) oneLine() bool {
	if p.whole != nil {
		return p.whole.datagrams == p.whole.messages
	}
	return p.corpus == nil || int64(p.corpus.Datagrams()) == p.corpus.Messages()
}

// prepare returns the corpus of a scenario, made at its first use.
func (r *runner) prepare(ctx context.Context, s *scenarios.Scenario) (*prepared, error) {
	if p := r.prepared[s.Name]; p != nil {
		return p, nil
	}
	for _, other := range r.config.Scenarios {
		// A replay enters its length into its own scenario only.
		if p := r.prepared[other.Name]; p != nil && s.Load.Replay == nil && reflect.DeepEqual(other.Load, s.Load) {
			r.prepared[s.Name] = p // it is only read, and may be large
			return p, nil
		}
	}
	p := &prepared{expected: &expectations{}}
	var err error
	switch {
	case s.Load.Replay != nil:
		err = p.replay(s)
	case r.config.Shard != nil:
		err = p.share(ctx, s.Load, r.config.Shard)
	default:
		if p.schedule, err = newSchedule(s.Load.Schedule); err == nil && s.Load.Schedule.Count > 0 {
			p.corpus, err = loadgen.NewCorpus(ctx, newCorpusConfig(s.Load, p.schedule))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot prepare the load of %s: %w", s.Name, err)
	}
	if p.corpus != nil && p.whole == nil {
		p.expected = newExpectations(p.corpus.Expected())
	}
	// No target is alive yet that it could disturb.
	if p.ceiling, err = newCeiling(ctx, s.Load, p.corpus, p.schedule); ctx.Err() != nil {
		return nil, context.Cause(ctx)
	} else if err != nil {
		p.doubt = err.Error()
	}
	r.prepared[s.Name] = p
	return p, nil
}

// pair carries out one pair, and again while it is invalid and may be repeated.
func (r *runner) pair(ctx context.Context, pair Pair) error {
	s := &r.config.Scenarios[pair.Scenario]
	p, err := r.prepare(ctx, s)
	if err != nil {
		return err
	}
	behind := r.done
	for attempt := 0; ; attempt++ {
		carryOut := r.inBlock
		if s.Order == scenarios.Woven && len(pair.Roles) == 2 {
			carryOut = r.inWeave
		}
		records, final, err := carryOut(ctx, s, p, pair, attempt)
		if err != nil {
			return err
		}
		valid := true
		for _, rec := range records {
			valid = valid && rec.Invalid == ""
		}
		if valid || final || r.config.Shard != nil || r.repeats[s.Name] >= s.Limits.Retries {
			r.done = behind + len(pair.Roles)
			return nil
		}
		r.repeats[s.Name]++
		r.done = behind
		if err := r.setAside(records); err != nil {
			return err
		}
		if err := coolDown(ctx, attempt); err != nil {
			return err
		}
	}
}

// coolDown waits before a repetition, longer after each attempt: what disturbed
// a replicate often lasts for seconds, and repeating at once would use up the
// repetitions within one disturbance.
func coolDown(ctx context.Context, attempt int) error {
	timer := time.NewTimer(min(time.Duration(attempt+1)*time.Second, 5*time.Second))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// setAside voids the replicates of a pair that is about to be repeated: one
// that was valid lost its partner, and pairs are judged whole.
func (r *runner) setAside(records []*record.Record) error {
	for _, rec := range records {
		if rec.Invalid != "" {
			continue
		}
		before := rec.Path(r.config.Out)
		rec.Invalid = otherInvalid
		if err := record.Write(rec.Path(r.config.Out), rec); err != nil {
			return err
		}
		if err := os.Remove(before); err != nil {
			return err
		}
	}
	return nil
}

// inBlock carries out the replicates of a pair one after the other, each alone
// on the machine, up to the first invalid one. final says that one failed in a
// way that must not be repeated.
func (r *runner) inBlock(ctx context.Context, s *scenarios.Scenario, p *prepared, pair Pair, attempt int) (records []*record.Record, final bool, err error) {
	for _, role := range pair.Roles {
		rec, last, err := r.replicate(ctx, s, p, pair, r.variant(s.Name, role), attempt)
		if err != nil {
			return nil, false, err
		}
		final = final || last
		records = append(records, rec)
		if err := r.keep(rec); err != nil {
			return nil, false, err
		}
		if rec.Invalid != "" {
			break // the pair is void, whatever its other half would say
		}
	}
	return records, final, nil
}

// keep writes the record of a replicate that has ended.
func (r *runner) keep(rec *record.Record) error {
	if err := record.Write(rec.Path(r.config.Out), rec); err != nil {
		return err
	}
	r.records = append(r.records, rec)
	r.done++
	r.event(Event{Scenario: rec.Scenario, Role: rec.Variant.Role, Replicate: rec.Replicate, Attempt: rec.Attempt, Record: rec})
	return nil
}

// variantsOf are the variants that a scenario is run with.
func (c Config) variantsOf(scenario string) []Variant {
	variants := slices.Clone(c.Variants)
	if other, has := c.Candidates[scenario]; has {
		for i, v := range variants {
			if v.Role == other.Role {
				variants[i] = other
			}
		}
	}
	return variants
}

func (r *runner) variant(scenario, role string) Variant {
	for _, v := range r.config.variantsOf(scenario) {
		if v.Role == role {
			return v
		}
	}
	panic("harness: no variant has the role " + role)
}

func (r *runner) event(e Event) {
	if r.config.OnEvent != nil {
		e.Done, e.Total = r.done, r.total
		r.config.OnEvent(e)
	}
}

// replicate carries out one replicate and returns its record. The error is of
// the harness or of ctx; what is wrong with the target stands in the record.
func (r *runner) replicate(ctx context.Context, s *scenarios.Scenario, p *prepared, pair Pair, v Variant, attempt int) (rec *record.Record, final bool, err error) {
	session, err := r.open(s, p, pair, v, attempt)
	if err != nil {
		return nil, false, err
	}
	defer os.RemoveAll(session.dir)
	for _, phase := range session.phases() {
		r.event(Event{Scenario: s.Name, Role: v.Role, Replicate: pair.Replicate, Attempt: attempt, Phase: phase.name})
		if err = session.phase(phase.name, func() error { return phase.run(ctx) }); err != nil {
			break
		}
	}
	final, err = session.conclude(ctx, err)
	return session.record, final, err
}

// open returns a session that has not begun. Its folder is the caller's to
// remove.
func (r *runner) open(s *scenarios.Scenario, p *prepared, pair Pair, v Variant, attempt int) (*session, error) {
	dir, err := os.MkdirTemp("", "floodgate-")
	if err != nil {
		return nil, err
	}
	session := &session{scenario: s, variant: v, prepared: p, schedule: p.schedule, dir: dir, began: time.Now()}
	if session.record, err = r.newRecord(s, p, pair, v, attempt); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	if shard := r.config.Shard; shard != nil {
		session.shard, session.startAt, session.record.Shard = shard, shard.At[pair.Replicate], shard.record(pair.Replicate)
	}
	return session, nil
}

// conclude ends what is still running of a session whose phases came to err, and
// completes its record. The error is of the harness or of ctx.
func (s *session) conclude(ctx context.Context, err error) (final bool, _ error) {
	if closed := s.close(); err == nil {
		err = closed
	}
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	switch {
	case err != nil:
	case s.shard.sends():
		err = s.finishSending()
	default:
		err = s.finish()
	}
	final, err = s.settle(err)
	s.describeIntake()
	s.describeHost()
	return final, err
}

// newRecord fills in what is known before the replicate starts.
func (r *runner) newRecord(s *scenarios.Scenario, p *prepared, pair Pair, v Variant, attempt int) (*record.Record, error) {
	var digest, description string
	if !r.config.Shard.sends() {
		var err error
		if digest, err = target.Digest(v.Path); err != nil {
			return nil, err
		}
		description = string(v.description().Source)
	}
	rec := &record.Record{
		Schema: record.Schema, Scenario: s.Name, Variant: v.record(), Replicate: pair.Replicate, Attempt: attempt,
		Order: pair.recordOrder(s.Order, r.position, r.replicates[s.Name], r.config.Looks), Seed: r.config.Seed, Started: time.Now(),
		Build:       record.Build{Floodgate: r.config.Version, GoVersion: runtime.Version(), TargetPath: v.Path, TargetDigest: digest, Source: v.source()},
		Environment: environment(),
		Config:      record.Config{ScenarioYAML: string(s.Source), ScenarioFile: s.File, TargetYAML: description},
	}
	if text := r.adapted[s.Name]; text != "" {
		rec.Warnings = append(rec.Warnings, text)
	}
	if p.doubt != "" {
		rec.Warnings = append(rec.Warnings, p.doubt)
	}
	if p.corpus != nil {
		rec.Build.CorpusDigest = p.corpus.Digest()
	}
	r.position++
	return rec, nil
}

func environment() record.Environment {
	h := procfs.Host()
	e := record.Environment{OS: h.OS, Arch: h.Arch, Kernel: h.Kernel, CPUModel: h.CPUModel, Cores: h.Cores, RmemMax: h.RmemMax, Load1: h.Load1}
	if h.MemoryBytes != nil {
		e.MemoryBytes = *h.MemoryBytes
	}
	return e
}

// describeHost adds what the rest of the machine did during the load.
func (s *session) describeHost() {
	if s.host.At.IsZero() {
		return
	}
	end := s.hostEnd
	if end.At.IsZero() { // it did not come to the end
		end = procfs.Snapshot()
	}
	d := end.Since(s.host)
	s.record.Environment.PSICPUSome, s.record.Environment.StealFraction = d.CPUSome, d.Steal
	if d.Steal != nil && *d.Steal > record.StealLimit {
		// Without the figure, which the environment holds, replicates that were
		// disturbed alike share one line of a report.
		s.warn(fmt.Sprintf("the hypervisor took more than %s of the CPU time", scenarios.Format(record.StealLimit, scenarios.Ratio)))
	}
}

// recordFile is the name of a record's file, as record.Path makes it.
var recordFile = regexp.MustCompile(`^\d+(\.shard\d+of\d+)?(\.invalid\d+)?\.json$`)

// removeRecords deletes the records of an earlier run and its plan, so that they
// are not mixed with this one's. It touches no other file.
func removeRecords(out string) error {
	if err := record.RemovePlan(out); err != nil {
		return err
	}
	folders, err := os.ReadDir(out)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot remove earlier records: %w", err)
	}
	for _, folder := range folders {
		for _, role := range []string{record.Baseline, record.Candidate} {
			place := filepath.Join(out, folder.Name(), role)
			files, _ := os.ReadDir(place) // most folders have no such place
			for _, file := range files {
				if !recordFile.MatchString(file.Name()) {
					continue
				}
				if err := os.Remove(filepath.Join(place, file.Name())); err != nil {
					return fmt.Errorf("cannot remove an earlier record: %w", err)
				}
			}
		}
	}
	return nil
}

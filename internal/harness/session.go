package harness

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"time"

	"floodgate/internal/intake"
	"floodgate/internal/procfs"
	"floodgate/internal/record"
	"floodgate/internal/target"
	"floodgate/loadgen"
	"floodgate/scenarios"
)

// session is one replicate under way: a fresh target with an intake of its own,
// watched from outside. Its methods are called in the order of the phases:
// start, watch, load, drain, stop, finish. They are apart so that the two
// sessions of a pair can also be alive at once and share a load between them.
type session struct {
	scenario *scenarios.Scenario
	variant  Variant
	prepared *prepared
	schedule loadgen.Schedule
	startAt  time.Time // of the load; zero: as soon as it is ready
	shard    *Shard    // nil for a load that is not shared
	record   *record.Record
	dir      string

	began      time.Time // monotonic; the phases count from here
	addresses  addresses
	intake     *intake.Intake
	process    *target.Process
	probe      *probe      // nil for a target without statistics
	lastTold   *Statistics // just before it was stopped, by a target that leaves none behind
	sampler    *procfs.Sampler
	sockets    *procfs.UDPReader // nil but for UDP
	background sync.WaitGroup
	stopIntake context.CancelCauseFunc
	stopSample context.CancelFunc
	failures   chan error // of the intake or the sampler

	mu        sync.Mutex // guards what the sampler's ticks write
	ticks     []tick
	ticked    chan struct{} // a tick was taken
	generator *loadgen.Generator

	during    string              // the phase at hand
	host      procfs.HostSnapshot // when the load began
	hostEnd   procfs.HostSnapshot // when it had drained
	loadStart time.Time
	loadEnd   time.Time
	drainEnd  time.Time
	cpuBefore *time.Duration
	held      target.Usage // by the target's limits, when the load began
	rssPeak   *int64
	pss       *int64
	drops     *int64
	result    loadgen.Result
}

// sampleInterval is the step of the timeline. Bursts of seconds need it short;
// asking the target ten times a second costs it about 0.1 % of a core.
const sampleInterval = 100 * time.Millisecond

// invalid is an error that voids the replicate but not the run.
type invalid struct {
	reason string
	// final says that repeating would hide something: the target itself failed.
	final bool
}

func (e *invalid) Error() string { return e.reason }

// phaseRun is one of the phases of a session.
type phaseRun struct {
	name string
	run  func(context.Context) error
}

// phases are the steps of a session in their order.
func (s *session) phases() []phaseRun {
	if s.shard.sends() {
		return []phaseRun{{record.PhaseWarmUp, s.standByToSend}, {record.PhaseMeasuring, s.send}}
	}
	return []phaseRun{
		{record.PhaseStarting, s.start},
		{record.PhaseWarmUp, s.watch},
		{record.PhaseMeasuring, s.load},
		{record.PhaseDraining, s.drain},
		{record.PhaseStopping, s.stop},
	}
}

// phase runs one phase and books it in the record.
func (s *session) phase(name string, run func() error) error {
	start := time.Since(s.began)
	s.during = name
	err := run()
	s.record.Phases = append(s.record.Phases, record.Phase{
		Name: name, Start: start.Seconds(), Duration: (time.Since(s.began) - start).Seconds()})
	return err
}

// start brings up intake and target and waits until the target is ready.
func (s *session) start(ctx context.Context) error {
	var err error
	if s.addresses, err = newAddresses(s.scenario.Load.Transport, s.dir, s.shard.listens()); err != nil {
		return err
	}
	config, err := s.variant.intakeConfig(s.scenario.Target, s.addresses, s.dir)
	if err != nil {
		return err
	}
	config.Faults, config.FaultsWait = intakeFaults(s.scenario.Intake, s.record), true
	if s.intake, err = intake.New(config); err != nil {
		return err
	}
	s.failures = make(chan error, 2)
	intakeCtx, stopIntake := context.WithCancelCause(context.WithoutCancel(ctx))
	s.stopIntake = stopIntake
	s.background.Go(func() {
		if err := s.intake.Run(intakeCtx); err != nil {
			s.failures <- fmt.Errorf("the intake failed: %w", err)
		}
	})
	begin, err := s.variant.start(s.scenario.Target, s.addresses, counters{s.intake.URL(), s.intake.Graphite()}, s.dir)
	if err != nil {
		return err
	}
	for _, warning := range begin.warnings {
		s.warn(warning)
	}
	s.record.Config.Command = append([]string{begin.command.Path}, begin.command.Args...)
	s.record.Config.Address = s.addresses.load
	description := s.variant.description()
	if begin.statistics != "" {
		if s.probe, err = newProbe(begin.statistics, description.Statistics); err != nil {
			return err
		}
	}
	if err := begin.writeFiles(); err != nil {
		return err
	}
	for _, warning := range allot(&begin.command, s.scenario.Target) {
		s.warn(warning)
	}
	if s.process, err = target.Start(ctx, begin.command); err != nil {
		return err
	}
	s.record.Config.CPUs = s.process.CPUs()
	s.record.Config.Allotment = allotment(s.scenario.Target, s.process.Limits(), len(s.process.CPUs()))
	return s.await(ctx, description.Ready.By, begin.ready)
}

// await waits until the target is ready, in the way that its description says.
func (s *session) await(ctx context.Context, by scenarios.ReadyBy, what string) error {
	ask, answered := readiness(by, what, s.addresses, s.process)
	defer answered()
	ready, cancel := context.WithTimeoutCause(ctx, s.scenario.Limits.Ready,
		fmt.Errorf("the scenario's limit for becoming ready is %v", s.scenario.Limits.Ready))
	defer cancel()
	err := target.Await(ready, s.process, 5*time.Millisecond, ask)
	if err != nil && ctx.Err() == nil {
		// Nothing keeps the free port that was found; that somebody else took it
		// says nothing about the target.
		words := s.process.LastWords()
		taken := strings.Contains(words, "address already in use") || strings.Contains(words, "EADDRINUSE")
		return &invalid{reason: err.Error(), final: !taken}
	}
	return err
}

// watch starts the sampler and lets the target settle.
func (s *session) watch(ctx context.Context) error {
	if err := s.standBy(ctx, s.scenario.Limits.WarmUp); err != nil {
		return err
	}
	config := procfs.Default()
	config.PID, config.Port, config.Interval, config.OnTick = s.process.PID(), s.addresses.udp(), sampleInterval, s.tick
	config.Limit = mostReadings(s.scenario)
	var err error
	if s.sampler, err = procfs.NewSampler(config); err != nil {
		return err
	}
	if port := s.addresses.udp(); port != 0 {
		if s.sockets, err = procfs.OpenUDPReader(port); err != nil {
			s.warn(fmt.Sprintf("the kernel's drops are not known: %v", err))
		}
	}
	s.ticked = make(chan struct{}, 1)
	sampling, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stopSample = stop
	s.background.Go(func() {
		if err := s.sampler.Run(sampling); err != nil {
			s.failures <- fmt.Errorf("the sampler failed: %w", err)
		}
	})
	// A collection of the harness's own garbage must not fall into the load.
	runtime.GC()
	return s.wait(ctx, s.scenario.Limits.WarmUp)
}

// mostReadings is how many readings the phases may take that are sampled, each
// as long as its limit. Without ticks nobody would notice that a target has
// drained.
func mostReadings(s *scenarios.Scenario) int {
	// The load may outlast its schedule by as much as draining may take.
	over := s.Load.Schedule.Over
	if s.Order == scenarios.Woven {
		over *= 2
	}
	longest := s.Limits.WarmUp + over + 2*s.Limits.Drain
	return int(longest/sampleInterval) + 100
}

// tick reads what belongs beside one reading of the process.
func (s *session) tick(ctx context.Context, _ time.Time) {
	ctx, cancel := context.WithTimeout(ctx, 2*sampleInterval)
	defer cancel()
	t := tick{unasked: s.probe == nil || !s.probe.due(time.Now())}
	if !t.unasked {
		t.stats, _ = s.probe.ask(ctx) // nil beside an error: it did not answer in time
	}
	if cpu, err := procfs.CPUTime(s.process.PID()); err == nil {
		t.cpu = &cpu
	}
	s.mu.Lock()
	if s.generator != nil {
		t.progress = s.generator.Progress()
	}
	s.ticks = append(s.ticks, t)
	s.mu.Unlock()
	select {
	case s.ticked <- struct{}{}:
	default:
	}
}

// load offers the scenario's load, or waits for as long as an idle one lasts.
func (s *session) load(ctx context.Context) error {
	ctx, cancel := s.whileAlive(ctx)
	defer cancel()
	s.host = procfs.Snapshot()
	if cpu, err := procfs.CPUTime(s.process.PID()); err == nil {
		s.cpuBefore = &cpu
	}
	s.held = s.process.Usage()
	schedule := s.schedule
	if schedule.Total() == 0 {
		s.loadStart = time.Now()
		s.loadEnd = s.loadStart.Add(schedule.End())
		s.intake.BeginFaults(s.loadStart)
		return s.alive(s.wait(ctx, schedule.End()))
	}
	return s.alive(s.offer(ctx, s.addresses.to()))
}

// offer sends the load to url.
func (s *session) offer(ctx context.Context, url string) error {
	network, address, err := loadgen.SplitURL(url)
	if err != nil {
		return err
	}
	options := dialOptions(s.scenario.Load)
	options.AllowRemote = s.shard.allowsRemote()
	sender, err := loadgen.Dial(ctx, network, address, options)
	var refused *net.OpError
	switch {
	case err != nil && !errors.As(err, &refused):
		return err // it is not the target's doing
	case err != nil:
		return &invalid{reason: "the target was ready and does not listen: " + err.Error(), final: true}
	}
	defer sender.Close()
	config := loadgen.DefaultConfig()
	if _, woven := s.schedule.(loadgen.Weave); woven {
		// A target costs less beside a generator that is awake, and of two only one
		// may find a core of its own: a difference that nobody asked for.
		config.Awake = false
	}
	config.Schedule, config.Corpus, config.Sender = s.schedule, s.prepared.corpus, sender
	generator, err := loadgen.New(config)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.generator = generator
	s.mu.Unlock()
	now := time.Now()
	s.loadStart = now.Add(10 * time.Millisecond)
	if !s.startAt.IsZero() {
		// By way of now: an instant of the wall clock has no monotonic reading.
		s.loadStart = now.Add(s.startAt.Sub(now))
	}
	if late := now.Sub(s.loadStart); s.shard != nil && late > 0 {
		return &invalid{reason: fmt.Sprintf("the generator was ready %v after the instant that all shards begin at: choose a later one", late.Round(time.Millisecond))}
	}
	s.loadEnd = s.loadStart.Add(s.schedule.End())
	if s.intake != nil { // the target is ours, and not another shard's
		s.intake.BeginFaults(s.loadStart)
	}
	// A receiver that stays full would keep the generator for ever.
	ctx, cancel := context.WithDeadlineCause(ctx, s.loadEnd.Add(s.scenario.Limits.Drain), &invalid{final: true,
		reason: fmt.Sprintf("the target did not take the load within %v of its end: its socket stayed full", s.scenario.Limits.Drain)})
	defer cancel()
	s.result, err = generator.Run(ctx, s.loadStart)
	return err
}

// whileAlive is ctx until the target ends.
func (s *session) whileAlive(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-s.process.Done():
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		cancel()
		<-watched
	}
}

// alive turns err into the death of the target where that is its cause: a
// vanished target shows first as a refused datagram or an ended context.
func (s *session) alive(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, loadgen.ErrTargetGone) {
		// The socket is closed before the process is reaped; give it a moment.
		limit := time.NewTimer(time.Second)
		defer limit.Stop()
		select {
		case <-s.process.Done():
		case <-limit.C:
			return &invalid{reason: "the target closed its socket while it was under load: " + err.Error(), final: true}
		}
	}
	if reason, died := s.process.Died(); died {
		return &invalid{reason: "the target died " + when[s.during] + ": " + reason, final: true}
	}
	return err
}

// when is what a reason says of a phase.
var when = map[string]string{
	record.PhaseWarmUp:    "before the load",
	record.PhaseMeasuring: "under load",
	record.PhaseDraining:  "after the load",
	record.PhaseStopping:  "after the load, before it was stopped",
}

// drain waits until everything sent has arrived, as far as that can be told, or
// until the scenario's limit.
func (s *session) drain(ctx context.Context) error {
	limit := time.NewTimer(s.scenario.Limits.Drain)
	defer limit.Stop()
	for quiet := 0; quiet < 2; {
		select {
		case <-s.ticked:
		case <-s.process.Done():
			return s.alive(errors.New("ended"))
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-limit.C:
			s.warn(fmt.Sprintf("the target had not drained %v after the load ended%s", s.scenario.Limits.Drain, s.awaited()))
			s.drainEnd = time.Now()
			return nil
		}
		if s.drained() {
			quiet++
		} else {
			quiet = 0
		}
	}
	s.drainEnd = time.Now()
	return nil
}

// drained reports whether nothing is under way any more: not in the socket, not
// in the target, as far as it tells or seems to.
func (s *session) drained() bool {
	if s.sockets != nil {
		if stats, err := s.sockets.Read(); err != nil || stats.QueueBytes > 0 {
			return false
		}
	}
	if s.awaited() != "" {
		return false
	}
	s.mu.Lock()
	done, told := drainedBy(s.ticks)
	s.mu.Unlock()
	return done || !told && s.silent()
}

// wait lets time pass.
func (s *session) wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	var ended <-chan struct{} // never, where there is no target
	if s.process != nil {
		ended = s.process.Done()
	}
	select {
	case <-timer.C:
		return nil
	case <-ended:
		return s.alive(errors.New("ended"))
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// stop takes the last readings of the living target and ends it.
func (s *session) stop(ctx context.Context) error {
	s.hostEnd = procfs.Snapshot()
	pid := s.process.PID()
	if peak, err := procfs.PeakMemory(pid); err == nil {
		s.rssPeak = &peak
	}
	if pss, err := procfs.PSS(pid); err == nil {
		s.pss = &pss
	}
	if s.sockets != nil {
		if stats, err := s.sockets.Read(); err == nil {
			s.drops = &stats.Drops
		} else {
			s.warn(fmt.Sprintf("the kernel's drops are not known: %v", err))
		}
	}
	s.stopSample()
	s.lastAnswer(ctx)
	s.lastScrape(ctx)
	killed := s.process.Stop(ctx, s.scenario.Limits.Stop)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if _, died := s.process.Died(); died {
		return s.alive(errors.New("ended"))
	}
	if killed != nil {
		s.warn(killed.Error())
	} else if state, _ := s.process.State(); state.Code != 0 {
		s.warn(fmt.Sprintf("the target did not end well when it was stopped: %v", state))
	}
	return nil
}

// close ends whatever is still running, whichever phase was reached. The
// target's group is killed if it was not stopped before.
func (s *session) close() error {
	if s.process != nil {
		ended, end := context.WithCancel(context.Background())
		end()
		s.process.Stop(ended, 0)
		for _, warning := range s.process.Warnings() {
			s.warn(warning)
		}
	}
	if s.stopSample != nil {
		s.stopSample()
	}
	if s.stopIntake != nil {
		s.stopIntake(nil)
	}
	s.background.Wait()
	if s.probe != nil {
		s.probe.close()
	}
	if s.sockets != nil {
		s.sockets.Close()
	}
	select {
	case err := <-s.failures:
		return err
	default:
		return nil
	}
}

func (s *session) warn(text string) { s.record.Warnings = append(s.record.Warnings, text) }

package loadgen

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Config is what a generator needs. DefaultConfig fills in all that has a
// default.
type Config struct {
	Schedule Schedule // with as many messages as the corpus
	Corpus   *Corpus
	Sender   Sender // stays the caller's to close
	// Quantum is the least time between two looks at the schedule. What falls
	// due meanwhile leaves together, so a datagram may leave that much late. 0
	// looks again at once.
	Quantum time.Duration
	// MaxBatch is the largest number of datagrams between two readings of the
	// clock. Each is booked at the time after the last of its batch was handed
	// over, so a larger one makes the lateness that is shown an overestimate.
	MaxBatch int
	// Awake lets the thread wait awake while nobody else wants its core, on Linux
	// and where there is more than one: see spin.
	Awake bool
}

// The defaults. On a virtual machine a sleep costs its thread over 20 µs of CPU
// time, timer and all, in any language, and ends some 30 µs late. Where the core
// is wanted by others, so that the thread sleeps, a quantum of 60 µs keeps the
// first below half of it, and lateness below 200 µs as long as the machine
// itself is punctual.
const (
	DefaultQuantum  = 60 * time.Microsecond
	DefaultMaxBatch = 64
)

// DefaultConfig returns the defaults, without schedule, corpus and sender.
func DefaultConfig() Config {
	return Config{Quantum: DefaultQuantum, MaxBatch: DefaultMaxBatch, Awake: true}
}

// Validate names what is wrong with the configuration.
func (c Config) Validate() error {
	switch {
	case c.Schedule == nil || c.Corpus == nil || c.Sender == nil:
		return errors.New("cannot generate: schedule, corpus and sender are all needed")
	case c.Schedule.Total() != c.Corpus.Messages():
		return fmt.Errorf("cannot generate: the schedule has %d messages and the corpus %d, must be equal", c.Schedule.Total(), c.Corpus.Messages())
	case c.Quantum < 0:
		return fmt.Errorf("cannot generate: Quantum is %v, must not be negative", c.Quantum)
	case c.MaxBatch < 1:
		return fmt.Errorf("cannot generate: MaxBatch is %d, must be at least 1", c.MaxBatch)
	}
	return nil
}

// The range of the lateness histogram, in nanoseconds, and its precision.
const (
	maxLateness       = int64(time.Minute)
	latenessPrecision = 3
)

// maxSleep bounds how long a cancelled run takes to notice.
const maxSleep = 50 * time.Millisecond

// Result is the account of one run.
// OfferedMessages = SentMessages + GivenUp + NotSent.
type Result struct {
	OfferedMessages int64 // due by the schedule; by the instant of the end where a run was cut short
	SentMessages    int64 // taken by the kernel
	// GivenUp messages were dealt with on time, but found no room, and their
	// sender does not wait: see DialOptions.DropWhenFull and ClientStats. That is
	// not the generator's shortfall, as NotSent is.
	GivenUp int64
	NotSent int64 // due, but not dealt with
	// SentDatagrams were taken by the kernel: the corpus's, or with a client
	// library its own payloads.
	SentDatagrams int64

	// Lateness has one value in nanoseconds for each datagram of the corpus that
	// was sent or given up: from the due time of its last message until after the
	// call that dealt with it. LatenessOverflow counts those above the
	// histogram's minute.
	Lateness         *hdrhistogram.Histogram
	LatenessOverflow int64

	Started  time.Time     // instant 0 of the schedule
	LastSent time.Duration // since Started: when the last datagram had been handed over, and a client had written what it held; 0 if none was
	Wakeups  int64         // waits that ended
	// CPU is the time that the generator's thread used; -1 where the system does
	// not tell.
	CPU    time.Duration
	Sender SenderStats // during the run
}

// Progress is how far a run is, for a sampler beside it.
type Progress struct {
	OfferedMessages int64
	SentMessages    int64
	SentDatagrams   int64
}

// Generator offers one corpus to one sender, once.
type Generator struct {
	config Config
	plan   planner
	result Result

	late      atomic.Int64              // of the last batch, in nanoseconds
	begun     atomic.Pointer[time.Time] // nil until Run
	offered   atomic.Int64              // -1 until the run is over
	messages  atomic.Int64
	datagrams atomic.Int64
}

// New returns a generator that is ready to run. It starts nothing. It returns an
// error if the configuration is not valid, or if the sender cannot send the
// corpus as it is, which only client libraries refuse.
func New(config Config) (*Generator, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	if p, ok := config.Sender.(preparer); ok {
		if err := p.prepare(config.Corpus); err != nil {
			return nil, err
		}
	}
	g := &Generator{
		config: config,
		plan: planner{
			schedule: config.Schedule,
			corpus:   config.Corpus,
			quantum:  config.Quantum,
			maxBatch: config.MaxBatch,
		},
		result: Result{Lateness: hdrhistogram.New(1, maxLateness, latenessPrecision)},
	}
	g.offered.Store(-1)
	return g, nil
}

// Run offers the corpus, with instant 0 of the schedule at start, which may lie
// ahead. It returns when the schedule is over and everything is handed over, on
// the thread of the calling goroutine, which it keeps for itself until then.
//
// The result is truthful also beside an error: when ctx is cancelled, when the
// sender fails, and when the target is gone (ErrTargetGone). A run whose
// receiver stays full goes on trying after the end of the schedule, until ctx
// is cancelled: bound it by a deadline. Run can be called once.
func (g *Generator) Run(ctx context.Context, start time.Time) (Result, error) {
	// By way of now, because a time from elsewhere may lack the monotonic
	// reading that makes differences immune to a change of the system's time.
	now := time.Now()
	start = now.Add(start.Sub(now))
	if !g.begun.CompareAndSwap(nil, &start) {
		return Result{}, errors.New("cannot run the generator again: make a new one")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	clock, err := newClock(start, g.config.Awake)
	if err != nil {
		return Result{}, fmt.Errorf("cannot set up the generator's clock: %w", err)
	}
	earlier := g.config.Sender.Stats()
	err = g.loop(ctx, clock)
	offered := g.config.Schedule.DueBy(clock.elapsed())
	if f, ok := g.config.Sender.(flusher); ok && g.plan.next > 0 {
		err = errors.Join(err, f.flush())
		g.result.LastSent = clock.elapsed()
	}
	g.result.CPU = clock.close()
	g.result.Started = start
	g.account(offered, g.config.Sender.Stats().Sub(earlier))
	return g.result, err
}

// account completes the result of a run by what its sender counted.
func (g *Generator) account(offered int64, sender SenderStats) {
	r := &g.result
	dealt := g.config.Corpus.MessagesBefore(g.plan.next)
	r.OfferedMessages = offered
	r.NotSent = offered - dealt
	r.GivenUp = sender.GivenUpMessages
	r.SentMessages = dealt - r.GivenUp
	r.SentDatagrams = int64(g.plan.next) - sender.GivenUpDatagrams
	if sender.Client.Submitted > 0 {
		r.SentDatagrams = sender.Client.Payloads
	}
	r.Sender = sender
	g.offered.Store(offered)
	g.messages.Store(r.SentMessages)
	g.datagrams.Store(r.SentDatagrams)
}

func (g *Generator) loop(ctx context.Context, clock *clock) error {
	elapsed := clock.elapsed()
	for {
		from, to, wake, done := g.plan.step(elapsed)
		if done {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("cannot finish the schedule: %w", context.Cause(ctx))
		}
		if from == to {
			clock.sleepUntil(min(wake, elapsed+maxSleep))
			elapsed = clock.elapsed()
			g.result.Wakeups++
			continue
		}
		sent, err := g.config.Sender.Send(g.config.Corpus, from, to)
		elapsed = clock.elapsed()
		g.book(sent, elapsed)
		if err != nil {
			return err
		}
	}
}

// book notes that the next n datagrams were handed over by elapsed.
func (g *Generator) book(n int, elapsed time.Duration) {
	if n == 0 {
		return
	}
	for k := g.plan.next; k < g.plan.next+n; k++ {
		late := int64(elapsed - g.plan.due(k))
		// Asked first, because the error of a value out of range is allocated.
		if late > maxLateness || g.result.Lateness.RecordValue(late) != nil {
			g.result.LatenessOverflow++
		}
	}
	g.late.Store(int64(elapsed - g.plan.due(g.plan.next)))
	g.plan.advance(n)
	g.result.LastSent = elapsed
	g.datagrams.Store(int64(g.plan.next))
	g.messages.Store(g.config.Corpus.MessagesBefore(g.plan.next))
}

// Late is how late the batch handed over last was, by its first datagram. It may
// be called from any goroutine and at any time.
func (g *Generator) Late() time.Duration { return time.Duration(g.late.Load()) }

// Progress says how far the run is. It may be called from any goroutine and at
// any time; the three numbers are each true but not of exactly one instant.
// While the run lasts, what the sender gave up counts as sent.
func (g *Generator) Progress() Progress {
	p := Progress{SentMessages: g.messages.Load(), SentDatagrams: g.datagrams.Load()}
	if p.OfferedMessages = g.offered.Load(); p.OfferedMessages < 0 {
		p.OfferedMessages = 0
		if begun := g.begun.Load(); begun != nil {
			p.OfferedMessages = g.config.Schedule.DueBy(time.Since(*begun))
		}
	}
	return p
}

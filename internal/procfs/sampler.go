package procfs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// Config says what a Sampler watches.
type Config struct {
	// PID is the process, alive when Run begins. A later process with the same
	// pid is not mistaken for it.
	PID int
	// Port is the local UDP port whose sockets are read too; 0 reads none.
	Port int
	// Interval is the time from one reading to the next.
	Interval time.Duration
	// Limit is the most readings that are kept; their memory is taken at once,
	// before anything is measured. The sampler ends when it is reached.
	Limit int
	// OnTick, if not nil, is called on the sampler's goroutine right after each
	// reading that is kept, with the moment of that reading, so that what it
	// collects lines up with the readings one to one. What it takes longer than
	// an interval costs ticks, which are counted as missed.
	OnTick func(ctx context.Context, at time.Time)
}

// Default is a reading every 100 ms for at most ten minutes, of no process yet.
func Default() Config {
	return Config{Interval: 100 * time.Millisecond, Limit: 6000}
}

// Validate reports every fault of the configuration.
func (c Config) Validate() error {
	var faults []string
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if c.PID <= 0 {
		fault("pid is %d, want one above 0", c.PID)
	}
	if c.Port < 0 || c.Port > 65535 {
		fault("port is %d, want one from 1 to 65535, or 0 for no socket", c.Port)
	}
	if c.Interval < time.Millisecond {
		fault("interval is %v, want 1ms or more", c.Interval)
	}
	if c.Limit < 1 {
		fault("limit is %d, want 1 reading or more", c.Limit)
	}
	if len(faults) == 0 {
		return nil
	}
	return errors.New(strings.Join(faults, "; "))
}

// Reading is the state of the process at one moment. Result says which of its
// quantities were measured; the others are zero and mean nothing.
type Reading struct {
	At               time.Time     // taken just before the rest
	CPU              time.Duration // used since the process started; see CPUTime
	RSSBytes         int64
	KernelQueueBytes int64 // in the buffers of the sockets on the port
	KernelDrops      int64 // datagrams dropped there, see UDPReader.Read
}

// Result is what a Sampler found.
type Result struct {
	// Readings are in order of time and belong to the caller after Run.
	Readings []Reading

	// CPU, Memory and Socket say that the quantity was measured in every one of
	// the readings. Socket also needs that a socket on the port was seen.
	CPU, Memory, Socket bool

	Missed int  // ticks without a reading, because the sampler came too late
	Gone   bool // the process ended before the sampler
	Full   bool // the sampler ended because it reached its limit

	Warnings []string // why a quantity is absent
}

// columns is a set of quantities of a Reading.
type columns uint8

const (
	columnCPU columns = 1 << iota
	columnMemory
	columnSocket
)

// source is where a Sampler's readings come from.
type source interface {
	// read fills r and returns which quantities it could fill; its error is
	// os.ErrProcessDone when the process has ended and nil otherwise.
	read(r *Reading) (columns, error)
	// summary returns the quantities that never meant anything, whatever read
	// said, and why quantities are absent.
	summary() (never columns, warnings []string)
	Close() error
}

// Sampler reads the state of a process at a fixed pace.
type Sampler struct {
	config Config
	open   func(pid, port int) (source, error)
	result Result
}

// NewSampler makes a Sampler; Run starts it.
func NewSampler(c Config) (*Sampler, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("cannot sample process %d: %w", c.PID, err)
	}
	return &Sampler{config: c, open: openSource, result: Result{Readings: make([]Reading, 0, c.Limit)}}, nil
}

// Run takes the first reading at once and then one at each whole interval after
// it, until ctx ends, the process ends or the limit is reached; none of these is
// an error. Ticks are counted from the first one, so delays do not add up. A
// Sampler runs once.
func (s *Sampler) Run(ctx context.Context) error {
	src, err := s.open(s.config.PID, s.config.Port)
	if errors.Is(err, os.ErrProcessDone) {
		s.result.Gone = true
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot sample process %d: %w", s.config.PID, err)
	}
	defer src.Close()

	found := columnCPU | columnMemory | columnSocket
	start, tick := time.Now(), 0
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		// Asked apart, because select picks at random when both are ready.
		if ctx.Err() != nil {
			break
		}
		reading := Reading{At: time.Now()}
		got, err := src.read(&reading)
		if err != nil {
			s.result.Gone = true
			break
		}
		found &= got
		s.result.Readings = append(s.result.Readings, reading)
		if s.config.OnTick != nil {
			s.config.OnTick(ctx, reading.At)
		}
		if len(s.result.Readings) == s.config.Limit {
			s.result.Full = true
			break
		}
		now := time.Now()
		next := nextTick(tick, now.Sub(start), s.config.Interval)
		s.result.Missed += next - tick - 1
		tick = next
		timer.Reset(start.Add(time.Duration(tick) * s.config.Interval).Sub(now))
	}
	s.conclude(src, found)
	return nil
}

// nextTick returns the first tick after the one just done that is still ahead
// when elapsed time has passed since tick 0. A tick that is due already is given
// up rather than taken late: readings keep to the grid.
func nextTick(done int, elapsed, interval time.Duration) int {
	return max(done+1, int(elapsed/interval)+1)
}

func (s *Sampler) conclude(src source, found columns) {
	never, warnings := src.summary()
	found &^= never
	if len(s.result.Readings) == 0 {
		found = 0
	}
	s.result.CPU = found&columnCPU != 0
	s.result.Memory = found&columnMemory != 0
	s.result.Socket = found&columnSocket != 0
	s.result.Warnings = warnings
}

// Result returns what was found. It is valid after Run has returned.
func (s *Sampler) Result() Result { return s.result }

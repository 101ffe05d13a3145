package loadgen

import (
	"time"

	"golang.org/x/sys/unix"
)

// clock tells the time since the start, and sleeps until an instant of it. It
// belongs to the goroutine that made it, which must be locked to its thread.
//
// Reading goes through time.Since, which the kernel answers in the process's
// own address space (some 50 ns; clock_gettime through x/sys is a system call
// and costs three times that). Sleeping goes through clock_nanosleep to an
// absolute instant: Go's own timers wake up to a millisecond late, and a
// relative sleep adds whatever passed since the clock was read. It never spins:
// the target needs the core.
type clock struct {
	start time.Time
	base  int64 // the start on CLOCK_MONOTONIC, in ns
	slack uintptr
	cpu   time.Duration
}

func newClock(start time.Time) (*clock, error) {
	c := &clock{start: start, cpu: threadCPU()}
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return nil, err
	}
	// Go's monotonic clock is the same one, so the difference carries over.
	c.base = now.Nano() - int64(time.Since(start))

	// By default the kernel may wake a thread 50 µs late to save wake-ups.
	slack, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil {
		return nil, err
	}
	c.slack = uintptr(slack)
	return c, unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
}

// elapsed is the time since the start; negative before it.
func (c *clock) elapsed() time.Duration { return time.Since(c.start) }

// sleepUntil sleeps until the clock shows at. It may return early, when the
// runtime signals the thread, so the caller looks at the clock again.
func (c *clock) sleepUntil(at time.Duration) {
	until := unix.NsecToTimespec(c.base + int64(at))
	_ = unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &until, nil)
}

// close gives the thread back as it was and returns the CPU time that it used
// meanwhile.
func (c *clock) close() (cpu time.Duration) {
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, c.slack, 0, 0, 0)
	return threadCPU() - c.cpu
}

func threadCPU() time.Duration {
	var used unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &used); err != nil {
		return 0
	}
	return time.Duration(used.Nano())
}

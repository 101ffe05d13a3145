package loadgen

import (
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// clock tells the time since the start, and sleeps until an instant of it. It
// belongs to the goroutine that made it, which must be locked to its thread.
//
// Reading goes through time.Since, which the kernel answers in the process's
// own address space (some 50 ns; clock_gettime through x/sys is a system call
// and costs three times that). Sleeping goes through clock_nanosleep to an
// absolute instant: Go's own timers wake up to a millisecond late, and a
// relative sleep adds whatever passed since the clock was read. The last stretch
// before the instant is spent awake while nobody else wants the core: see spin.
//
// The thread sleeps with its processor (in Go's sense), because having that
// taken away and asking for another costs a fifth of the generator's CPU time;
// the program should have one more. Where the system lets it, the thread also
// has a higher priority: the load comes from elsewhere in life, and would not
// wait for the target.
type clock struct {
	start    time.Time
	base     int64 // the start on CLOCK_MONOTONIC, in ns
	slack    uintptr
	priority int // of the thread before, as getpriority(2) returns it; 0 if not changed
	cpu      time.Duration
	awake    bool
	spin     spin
	switches int64 // involuntary, at the last look
}

// generatorNice is the nice value that is asked for.
const generatorNice = -15

func newClock(start time.Time, awake bool) (*clock, error) {
	c := &clock{start: start, cpu: threadCPU(), awake: awake && runtime.NumCPU() > 1, switches: involuntarySwitches()}
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
	if before, err := unix.Getpriority(unix.PRIO_PROCESS, 0); err == nil && unix.Setpriority(unix.PRIO_PROCESS, 0, generatorNice) == nil {
		c.priority = before
	}
	return c, unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
}

// elapsed is the time since the start; negative before it.
func (c *clock) elapsed() time.Duration { return time.Since(c.start) }

// sleepUntil waits until the clock shows at. It may return early, when the
// runtime signals the thread, so the caller looks at the clock again.
func (c *clock) sleepUntil(at time.Duration) {
	now := c.elapsed()
	if !c.awake || !c.spin.allowed(now) {
		c.sleep(at)
		return
	}
	if at-now > spinFor {
		c.sleep(at - spinFor)
		now = c.elapsed()
	}
	for now < at {
		before := now
		syscall.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
		if now = c.elapsed(); now-before < coreLost {
			continue
		}
		if switches := involuntarySwitches(); switches != c.switches {
			c.switches = switches
			c.spin.taken(before, now)
			return
		}
	}
}

// involuntarySwitches is how often the thread lost its core to another.
func involuntarySwitches() int64 {
	var usage unix.Rusage
	if unix.Getrusage(unix.RUSAGE_THREAD, &usage) != nil {
		return 0
	}
	return int64(usage.Nivcsw)
}

func (c *clock) sleep(until time.Duration) {
	at := unix.NsecToTimespec(c.base + int64(until))
	syscall.RawSyscall6(unix.SYS_CLOCK_NANOSLEEP, unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, uintptr(unsafe.Pointer(&at)), 0, 0, 0)
}

// close gives the thread back as it was and returns the CPU time that it used
// meanwhile.
func (c *clock) close() (cpu time.Duration) {
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, c.slack, 0, 0, 0)
	if c.priority != 0 {
		_ = unix.Setpriority(unix.PRIO_PROCESS, 0, 20-c.priority) // the kernel returns 20 - nice
	}
	return threadCPU() - c.cpu
}

func threadCPU() time.Duration {
	var used unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &used); err != nil {
		return 0
	}
	return time.Duration(used.Nano())
}

//go:build !linux

package loadgen

import (
	"runtime"
	"time"
)

// clock tells the time since the start, and sleeps until an instant of it.
type clock struct {
	start time.Time
}

// overshoot is how late a sleep may end on a system about which nothing is
// known. The last stretch before an instant is spent yielding instead.
const overshoot = time.Millisecond

func newClock(start time.Time, _ bool) (*clock, error) { return &clock{start}, nil }

func (c *clock) elapsed() time.Duration { return time.Since(c.start) }

func (c *clock) sleepUntil(at time.Duration) {
	if left := at - c.elapsed(); left > overshoot {
		time.Sleep(left - overshoot)
	}
	for c.elapsed() < at {
		runtime.Gosched()
	}
}

// close returns the CPU time of the thread: here unknown, said by -1.
func (c *clock) close() (cpu time.Duration) { return -1 }

package loadgen

import "time"

// spin decides whether the generator's thread waits awake. A sleep ends when the
// machine's timer says so, on a virtual machine 30 µs late and for one in a
// hundred several times that; a thread that never slept is there on time. But
// awake it holds a core. So it offers the core to others at every look at the
// clock, and when somebody took it the thread sleeps for a while, since who
// wanted it once is likely to want it again: the target comes first.
//
// It is a function of what it is told: no clock, no thread.
type spin struct {
	until time.Duration // asleep before this
}

const (
	// spinFor is how long before an instant the thread is awake.
	spinFor = 200 * time.Microsecond
	// coreLost is a gap between two looks at the clock that is not the cost of
	// looking. Whether somebody else ran in it is for the system to tell: a
	// hypervisor leaves such gaps, too.
	coreLost = 50 * time.Microsecond
	// The pause is as many times longer than the core was away, so that the time
	// lost so is at most a hundredth.
	pausePerLost = 100
	longestPause = 5 * time.Second
)

// allowed reports whether to wait awake at now.
func (s *spin) allowed(now time.Duration) bool { return now >= s.until }

// taken tells that others had the core from before to after.
func (s *spin) taken(before, after time.Duration) {
	s.until = after + min(pausePerLost*(after-before), longestPause)
}

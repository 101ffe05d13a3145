package loadgen

import (
	"fmt"
	"math/bits"
	"time"
)

// Schedule says when each message is due, as an offset from the start. It is
// pure: the same question always has the same answer, at any time and from any
// goroutine. The messages are numbered from 0 in the order in which they are
// due.
type Schedule interface {
	// Total is the number of messages.
	Total() int64
	// Due is the instant at which message i is due, 0 <= i < Total. It never
	// falls as i rises.
	Due(i int64) time.Duration
	// DueBy is the number of messages due at elapsed or earlier: the exact
	// inverse of Due, so that Due(i) <= elapsed holds for i < DueBy(elapsed) and
	// for no other. It is 0 before the start.
	DueBy(elapsed time.Duration) int64
	// End is the length of the schedule, including a stretch without messages.
	End() time.Duration
}

// Burst spreads Count messages evenly over the half-open window [0, Over):
// message i is due at Over*i/Count, rounded down to a nanosecond, so the first
// is due at once and the last before Over. A Count of 0 is an idle stretch of
// length Over. An Over of 0 makes every message due at once.
type Burst struct {
	Count int64
	Over  time.Duration
}

// Validate names what is wrong with the burst.
func (b Burst) Validate() error {
	if b.Count < 0 || b.Over < 0 {
		return fmt.Errorf("cannot schedule %d messages over %v: neither may be negative", b.Count, b.Over)
	}
	return nil
}

// Total is Count.
func (b Burst) Total() int64 { return b.Count }

// End is Over.
func (b Burst) End() time.Duration { return b.Over }

// Due is floor(Over*i/Count), in 128-bit integers: no rounding adds up, however
// long the burst. It panics unless 0 <= i < Count, as an index would.
func (b Burst) Due(i int64) time.Duration {
	if uint64(i) >= uint64(b.Count) {
		panic(fmt.Sprintf("loadgen: message %d of a burst of %d", i, b.Count))
	}
	hi, lo := bits.Mul64(uint64(b.Over), uint64(i))
	// i < Count keeps the quotient below Over, so it fits.
	due, _ := bits.Div64(hi, lo, uint64(b.Count))
	return time.Duration(due)
}

// DueBy is the number of i with floor(Over*i/Count) <= elapsed. The floor is at
// most t exactly when Over*i < (t+1)*Count, so the number is
// ceil((t+1)*Count/Over), and never more than Count.
func (b Burst) DueBy(elapsed time.Duration) int64 {
	if elapsed < 0 {
		return 0
	}
	if elapsed >= b.Over-1 {
		return b.Count
	}
	hi, lo := bits.Mul64(uint64(elapsed)+1, uint64(b.Count))
	// elapsed+1 < Over keeps the quotient below Count, so it fits.
	n, rest := bits.Div64(hi, lo, uint64(b.Over))
	if rest > 0 {
		n++
	}
	return int64(n)
}

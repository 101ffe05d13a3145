package loadgen

import (
	"testing"
	"time"
)

// TestSpin: the thread gives way to whoever wants its core, and a target that
// always wants it loses no more than a hundredth of the time to the asking.
func TestSpin(t *testing.T) {
	const ms = time.Millisecond
	var s spin
	if !s.allowed(0) {
		t.Error("asleep at the beginning")
	}
	for _, row := range []struct{ lost, pause time.Duration }{
		{ms, 100 * ms},
		{coreLost, 5 * ms},
		{time.Second, longestPause},
	} {
		s.taken(0, row.lost)
		if awake := row.lost + row.pause; s.until != awake || s.allowed(awake-1) || !s.allowed(awake) {
			t.Errorf("without its core for %v it sleeps until %v, want %v", row.lost, s.until, awake)
		}
	}
	now, lost := time.Duration(0), time.Duration(0)
	for s = (spin{}); now < time.Minute; now = s.until {
		s.taken(now, now+4*ms)
		lost += 4 * ms
	}
	if lost > now/100 {
		t.Errorf("lost %v of %v, want no more than a hundredth", lost, now)
	}
}

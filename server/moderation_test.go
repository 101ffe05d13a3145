package server

import (
	"math"
	"testing"
	"time"
)

// TestModeration drives a reader through traffic of one kind, in time that is
// only counted, and looks at the naps that it comes to.
func TestModeration(t *testing.T) {
	const lambda = 2 * 416 << 10 // 416 KiB asked, as Linux counts it
	for _, c := range []struct {
		name      string
		buffer    int
		queue     int
		perSecond float64
		bytes     int
		atLeast   time.Duration
		atMost    time.Duration
	}{
		{"packed, a million messages a second, by the thousand", lambda, math.MaxInt, 47_000, 1432, 1500 * time.Microsecond, 1600 * time.Microsecond},
		{"twice that: a third of the buffer", lambda, math.MaxInt, 94_000, 1432, 1200 * time.Microsecond, 1400 * time.Microsecond},
		{"no more than the processor is to be woken for", 64 << 20, 192, 96_000, 1432, 1900 * time.Microsecond, 2100 * time.Microsecond},
		{"a large buffer: the latency is the bound", 64 << 20, math.MaxInt, 20_000, 1432, longestNap, longestNap},
		{"little traffic: a burst may come meanwhile", lambda, math.MaxInt, 2_000, 60, 1500 * time.Microsecond, 1600 * time.Microsecond},
		{"the system's default buffer, and much traffic", 212_992, math.MaxInt, 100_000, 60, 300 * time.Microsecond, 400 * time.Microsecond},
		{"a buffer for two datagrams: never", 4608, math.MaxInt, 50_000, 1432, 0, 0},
		{"now and then a datagram: it is waited for", lambda, math.MaxInt, 100, 60, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := moderation{buffer: c.buffer, queue: c.queue}
			now := time.Unix(1_000_000, 0)
			due, nap := 0.0, time.Duration(0)
			gap := time.Duration(float64(time.Second) / c.perSecond)
			for range 1000 {
				step := max(nap, gap) // without a nap the reader waits for the next datagram
				now = now.Add(step)
				due += step.Seconds() * c.perSecond
				n := int(due)
				due -= float64(n)
				slots := make([]slot, n)
				for i := range slots {
					slots[i].n = c.bytes
				}
				m.took(slots, now)
				if nap = m.next(now); nap > 0 && float64(c.buffer) < nap.Seconds()*c.perSecond*float64(charged(c.bytes)) {
					t.Fatalf("a nap of %v overflows the buffer", nap)
				}
			}
			if nap < c.atLeast || nap > c.atMost {
				t.Errorf("naps of %v, want %v to %v", nap, c.atLeast, c.atMost)
			}
		})
	}
}

// TestModerationBegins: the first datagrams of a burst find a reader that looks
// often, whatever it did before.
func TestModerationBegins(t *testing.T) {
	m := moderation{buffer: 64 << 20, queue: math.MaxInt}
	now := time.Unix(1_000_000, 0)
	one := []slot{{n: 60}}
	m.took(one, now)
	if nap := m.next(now); nap != 0 {
		t.Errorf("a lone datagram is followed by a nap of %v, want none", nap)
	}
	var naps []time.Duration
	for range 6 {
		now = now.Add(200*time.Microsecond + m.nap)
		m.took(one, now)
		naps = append(naps, m.next(now))
	}
	for i, want := range []time.Duration{firstNap, 2 * firstNap, 4 * firstNap, 8 * firstNap, longestNap, longestNap} {
		if naps[i] != want {
			t.Errorf("nap %d is %v, want %v: %v", i, naps[i], want, naps)
		}
	}
	now = now.Add(longestNap + 2*steadyGap)
	m.took(one, now)
	if nap := m.next(now); nap != 0 {
		t.Errorf("after a silence it naps for %v, want it to wait", nap)
	}
}

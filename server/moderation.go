package server

import (
	"math/bits"
	"time"
)

// moderation decides how long a reader lets its socket's buffer fill between two
// reads, as network cards do with interrupts. To be woken for every few datagrams
// costs far more than to read them: parking a thread and waking it takes 30 µs
// of CPU on a virtual machine, and what the caches held is gone then; a datagram in
// a batch takes 1. A lone datagram is not delayed. Unix sockets are left alone:
// they hold about ten datagrams, whatever their size, and a full one blocks its
// sender.
//
// It is a function of what it is told: no clock, no socket.
type moderation struct {
	buffer int // what the socket holds, in bytes as the kernel charges them; 0: never nap
	queue  int // datagrams that may come at once

	nap      time.Duration // the last one; 0: there was none
	lastRead time.Time
	since    time.Time // when the socket was last found empty
	// Read since then: bytes as charged, and datagrams.
	bytes, datagrams int
}

const (
	// shortestNap: below it, reading on costs less.
	shortestNap = 100 * time.Microsecond
	firstNap    = 250 * time.Microsecond
	// longestNap bounds what a nap adds to the ingest latency.
	longestNap = 4 * time.Millisecond
	// Traffic is steady while datagrams are no further apart.
	steadyGap = 3 * time.Millisecond
	// A nap begun in quiet traffic may be met by a burst: 0.7 million datagrams a
	// second of the smallest charge, about what one sender can do.
	burstBytesPerSecond = 700_000 * 768
)

// took tells of a read at now, by its n slots.
func (m *moderation) took(slots []slot, now time.Time) {
	for i := range slots {
		m.bytes += charged(slots[i].n)
		m.datagrams++
	}
	if len(slots) > 0 {
		m.lastRead = now
	}
}

// charged is about what Linux takes off a receive buffer for a datagram of n
// bytes: its own record, and the power of two that holds headers, data and the
// description of the pages.
func charged(n int) int { return 256 + 1<<bits.Len(uint(n+384-1)) }

// next is called at now, when the socket was found empty or nearly so. It returns
// how long to nap from now on; 0 is to wait for the next datagram.
func (m *moderation) next(now time.Time) time.Duration {
	elapsed, quiet := now.Sub(m.since), now.Sub(m.lastRead)
	bytes, datagrams := m.bytes, m.datagrams
	m.since, m.bytes, m.datagrams = now, 0, 0
	if elapsed > steadyGap+m.nap || quiet > steadyGap {
		m.nap = 0
		return 0
	}
	// As long as a third of the room lasts at the present rate, and never so long
	// that a burst could fill all of it.
	nap := min(longestNap, max(firstNap, 2*m.nap), time.Duration(float64(m.buffer)/burstBytesPerSecond*float64(time.Second)))
	if datagrams > 0 {
		nap = min(nap, time.Duration(float64(elapsed)*min(float64(m.buffer)/3/float64(bytes), float64(m.queue)/float64(datagrams))))
	}
	if nap < shortestNap {
		nap = 0
	}
	m.nap = nap
	return nap
}

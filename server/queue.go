package server

import (
	"sync/atomic"
	"time"
)

// slot holds what one read took from the socket, until it is aggregated: a
// datagram, or several of equal length that the kernel had joined.
type slot struct {
	buffer    []byte
	n         int
	segment   int   // length of each datagram but the last; 0: it is one
	truncated bool  // the datagram was longer than the buffer
	arrived   int64 // at the kernel, Unix nanoseconds; 0: not told
}

// count is the number of datagrams.
func (s *slot) count() int {
	if s.segment == 0 {
		return 1
	}
	return (s.n + s.segment - 1) / s.segment
}

// each calls visit for each datagram, cut to limit.
func (s *slot) each(limit int, visit func(datagram []byte, truncated bool)) {
	rest, length := s.buffer[:s.n], s.n
	if s.segment > 0 {
		length = s.segment
	}
	for {
		datagram := rest[:min(length, len(rest))]
		rest = rest[len(datagram):]
		visit(datagram[:min(limit, len(datagram))], s.truncated || len(datagram) > limit)
		if len(rest) == 0 {
			return
		}
	}
}

// newSlots returns n slots of size bytes each, in one piece of memory that the
// system backs only as far as datagrams reach. They lie a cache line further
// apart than a power of two, or the beginnings of all would compete for the
// same few places of a cache.
func newSlots(n, size int) []slot {
	stride := size + 64
	memory := make([]byte, n*stride)
	slots := make([]slot, n)
	for i := range slots {
		slots[i].buffer = memory[i*stride : i*stride+size : i*stride+size]
	}
	return slots
}

// queue passes datagrams from one reader to one processor without copying,
// locking or allocating: the reader receives straight into free slots. It is
// bounded by its slots.
//
// Slots are handed on in order but filled again last freed first, so that a
// queue which is nearly empty, as it nearly always is, stays within a few
// buffers that the caches hold, in place of walking through all of them.
type queue struct {
	buffers []slot        // a ring
	head    atomic.Uint64 // slots published so far; written by the reader
	_       [56]byte      // head and tail on cache lines of their own
	tail    atomic.Uint64 // slots released so far; written by the processor
	_       [56]byte
	peak    atomic.Int64 // longest length the reader saw

	// Of the reader alone: the free slots, and up to where it took them back from
	// the ring.
	unused  []slot
	retaken uint64

	// A processor with nothing to do says so before it waits on bell. The reader
	// rings only then.
	waiting atomic.Bool
	bell    chan struct{}
	closed  atomic.Bool
}

func newQueue(slots, size int) *queue {
	return &queue{buffers: make([]slot, slots), unused: newSlots(slots, size), bell: make(chan struct{}, 1)}
}

// length is the number of datagrams in the queue.
func (q *queue) length() int64 {
	tail := q.tail.Load() // before head, or somebody who only watches may see less than none
	return int64(q.head.Load() - tail)
}

// free returns up to most slots for the reader to fill, none when the queue is
// full. What is not published is returned again by the next call.
func (q *queue) free(most int) []slot {
	size := uint64(len(q.buffers))
	for tail := q.tail.Load(); q.retaken < tail; q.retaken++ {
		q.unused = append(q.unused, q.buffers[q.retaken%size])
	}
	return q.unused[max(0, len(q.unused)-most):]
}

// publish hands the first n of the slots that free returned to the processor.
func (q *queue) publish(slots []slot, n int) {
	head, size := q.head.Load(), uint64(len(q.buffers))
	for i := range n {
		q.buffers[(head+uint64(i))%size] = slots[i]
	}
	copy(slots, slots[n:])
	q.unused = q.unused[:len(q.unused)-n]
	q.head.Store(head + uint64(n))
	length := q.length()
	if length > q.peak.Load() {
		q.peak.Store(length)
	}
	if length >= q.wakeLength() {
		q.ring()
	}
}

// close says that nothing more will be published.
func (q *queue) close() {
	q.closed.Store(true)
	q.ring()
}

// ring wakes the processor if it waits.
func (q *queue) ring() {
	if q.waiting.Load() {
		select {
		case q.bell <- struct{}{}:
		default: // already rung
		}
	}
}

// filled returns up to most published slots for the processor, fewer where the
// ring ends. They are its own until it releases them.
func (q *queue) filled(most int) []slot {
	tail, size := q.tail.Load(), uint64(len(q.buffers))
	at := tail % size
	return q.buffers[at : at+min(q.head.Load()-tail, size-at, uint64(most))]
}

// release gives the first n of the filled slots back to the reader.
func (q *queue) release(n int) { q.tail.Add(uint64(n)) }

// wakeLength is the length at which the processor is woken: three quarters of
// the queue are left until it is up.
func (q *queue) wakeLength() int64 { return max(1, int64(len(q.buffers)/4)) }

// await returns when the reader has rung, when timer has fired, or at once if
// there is something to do.
func (q *queue) await(timer <-chan time.Time) {
	q.waiting.Store(true)
	defer q.waiting.Store(false)
	if q.length() > 0 || q.closed.Load() {
		return
	}
	select {
	case <-q.bell:
	case <-timer:
	}
}

package server

import (
	"sync/atomic"
	"time"
)

// slot holds one datagram between the socket and its aggregation.
type slot struct {
	buffer    []byte
	n         int
	truncated bool // the datagram was longer than the buffer
}

func (s *slot) datagram() []byte { return s.buffer[:s.n] }

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
	ring []slot
	head atomic.Uint64 // slots published so far; written by the reader
	_    [56]byte      // head and tail on cache lines of their own
	tail atomic.Uint64 // slots released so far; written by the processor
	_    [56]byte
	peak atomic.Int64 // longest length the reader saw

	// Of the reader alone: the free slots, and up to where it took them back from
	// the ring.
	unused  []slot
	retaken uint64

	// A processor with nothing to do says so before it waits. The reader wakes it
	// only then: a system call per batch would cost more than the batch.
	waiting atomic.Bool // for anything, on bell
	bell    chan struct{}
	dozing  atomic.Bool // until there is more to do at once, on alarm
	alarm   alarm
	closed  atomic.Bool
}

func newQueue(slots, size int) *queue {
	return &queue{ring: make([]slot, slots), unused: newSlots(slots, size), bell: make(chan struct{}, 1)}
}

// length is the number of datagrams in the queue.
func (q *queue) length() int64 {
	tail := q.tail.Load() // before head, or somebody who only watches may see less than none
	return int64(q.head.Load() - tail)
}

// free returns up to most slots for the reader to fill, none when the queue is
// full. What is not published is returned again by the next call.
func (q *queue) free(most int) []slot {
	size := uint64(len(q.ring))
	for tail := q.tail.Load(); q.retaken < tail; q.retaken++ {
		q.unused = append(q.unused, q.ring[q.retaken%size])
	}
	return q.unused[max(0, len(q.unused)-most):]
}

// publish hands the first n of the slots that free returned to the processor.
func (q *queue) publish(slots []slot, n int) {
	head, size := q.head.Load(), uint64(len(q.ring))
	for i := range n {
		q.ring[(head+uint64(i))%size] = slots[i]
	}
	copy(slots, slots[n:])
	q.unused = q.unused[:len(q.unused)-n]
	q.head.Store(head + uint64(n))
	length := q.length()
	if length > q.peak.Load() {
		q.peak.Store(length)
	}
	q.ringBell()
	if length >= q.wakeLength() && q.dozing.CompareAndSwap(true, false) {
		q.alarm.ring()
	}
}

// close says that nothing more will be published.
func (q *queue) close() {
	q.closed.Store(true)
	q.ringBell()
	if q.dozing.CompareAndSwap(true, false) {
		q.alarm.ring()
	}
}

func (q *queue) ringBell() {
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
	tail, size := q.tail.Load(), uint64(len(q.ring))
	at := tail % size
	return q.ring[at : at+min(q.head.Load()-tail, size-at, uint64(most))]
}

// release gives the first n of the filled slots back to the reader.
func (q *queue) release(n int) { q.tail.Add(uint64(n)) }

// wakeLength is the length at which a dozing processor is woken: three quarters
// of the queue are left until it is up.
func (q *queue) wakeLength() int64 { return max(1, int64(len(q.ring)/4)) }

// doze lets the queue fill for d, or until it has wakeLength.
func (q *queue) doze(d time.Duration) {
	q.alarm.set()
	q.dozing.Store(true)
	if q.length() < q.wakeLength() && !q.closed.Load() {
		q.alarm.await(d)
	}
	q.dozing.Store(false)
}

// idle announces that the processor is about to sleep on bell. It returns
// false when something came in between, and the processor must look again.
func (q *queue) idle() bool {
	q.waiting.Store(true)
	if q.length() > 0 || q.closed.Load() {
		q.waiting.Store(false)
		return false
	}
	return true
}

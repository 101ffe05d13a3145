package server

import "sync/atomic"

// slot holds one datagram between the socket and its aggregation.
type slot struct {
	buffer    []byte
	n         int
	truncated bool // the datagram was longer than the buffer
}

func (s *slot) datagram() []byte { return s.buffer[:s.n] }

// newSlots returns n slots of size bytes each, in one piece of memory that the
// system backs only as far as datagrams reach.
func newSlots(n, size int) []slot {
	memory := make([]byte, n*size)
	slots := make([]slot, n)
	for i := range slots {
		slots[i].buffer = memory[i*size : (i+1)*size : (i+1)*size]
	}
	return slots
}

// queue passes datagrams from one reader to one processor without copying,
// locking or allocating: the reader receives straight into free slots. It is
// bounded by its slots.
type queue struct {
	slots []slot
	head  atomic.Uint64 // slots published so far; written by the reader
	_     [56]byte      // head and tail on cache lines of their own
	tail  atomic.Uint64 // slots released so far; written by the processor
	_     [56]byte
	peak  atomic.Int64 // longest length the reader saw
	// A processor that found nothing sets waiting and sleeps on bell. The reader
	// rings only then: a channel operation per batch would cost more than the
	// batch.
	waiting atomic.Bool
	bell    chan struct{}
	closed  atomic.Bool
}

func newQueue(slots, size int) *queue {
	return &queue{slots: newSlots(slots, size), bell: make(chan struct{}, 1)}
}

// length is the number of datagrams in the queue.
func (q *queue) length() int64 {
	tail := q.tail.Load() // before head, or somebody who only watches may see less than none
	return int64(q.head.Load() - tail)
}

// free returns up to most slots for the reader to fill, fewer where the ring
// ends, none when it is full.
func (q *queue) free(most int) []slot {
	head, size := q.head.Load(), uint64(len(q.slots))
	room := size - (head - q.tail.Load())
	at := head % size
	return q.slots[at : at+min(room, size-at, uint64(most))]
}

// publish hands the first n of the free slots to the processor.
func (q *queue) publish(n int) {
	q.head.Add(uint64(n))
	if length := q.length(); length > q.peak.Load() {
		q.peak.Store(length)
	}
	q.ring()
}

// close says that nothing more will be published.
func (q *queue) close() {
	q.closed.Store(true)
	q.ring()
}

func (q *queue) ring() {
	if q.waiting.Load() {
		select {
		case q.bell <- struct{}{}:
		default: // already rung
		}
	}
}

// filled returns up to most published slots for the processor. They are its
// own until it releases them.
func (q *queue) filled(most int) []slot {
	tail, size := q.tail.Load(), uint64(len(q.slots))
	at := tail % size
	return q.slots[at : at+min(q.head.Load()-tail, size-at, uint64(most))]
}

// release gives the first n of the filled slots back to the reader.
func (q *queue) release(n int) { q.tail.Add(uint64(n)) }

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

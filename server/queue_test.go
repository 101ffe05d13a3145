package server

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// Every datagram arrives once and in order, whatever the sizes of the batches,
// and while the processor sleeps and is woken.
func TestQueueKeepsOrder(t *testing.T) {
	const total = 200_000
	q := newQueue(64, 8)
	go func() {
		random := rand.New(rand.NewPCG(1, 2))
		for sent := uint64(0); sent < total; {
			slots := q.free(1 + random.IntN(readBatch))
			// Of the slots that it got a reader publishes those it filled.
			n := min(random.IntN(len(slots)+1), total-int(sent))
			for i := range n {
				binary.LittleEndian.PutUint64(slots[i].buffer, sent)
				slots[i].n = 8
				sent++
			}
			q.publish(slots, n)
		}
		q.close()
	}()
	want := uint64(0)
	for !q.closed.Load() || q.length() > 0 {
		slots := q.filled(readBatch)
		for i := range slots {
			if got := binary.LittleEndian.Uint64(slots[i].buffer); got != want {
				t.Fatalf("datagram %d came where %d was due", got, want)
			}
			want++
		}
		q.release(len(slots))
		if len(slots) == 0 {
			q.await(nil) // it must be woken, or the test hangs
		}
	}
	if want != total {
		t.Errorf("%d datagrams of %d", want, total)
	}
}

// A queue that is emptied after each batch uses the same few slots again and
// again.
func TestQueueStaysSmall(t *testing.T) {
	q := newQueue(1024, 8)
	used := map[*byte]bool{}
	for range 1000 {
		slots := q.free(readBatch)
		for i := range slots {
			used[&slots[i].buffer[0]] = true
		}
		q.publish(slots, 10)
		q.release(len(q.filled(readBatch)))
	}
	if len(used) > 2*readBatch {
		t.Errorf("%d slots were used for batches of 10 datagrams", len(used))
	}
}

// A full queue offers no slot, and all of them again when it was emptied.
func TestQueueIsBounded(t *testing.T) {
	q := newQueue(100, 8)
	total := 0
	for slots := q.free(readBatch); len(slots) > 0; slots = q.free(readBatch) {
		q.publish(slots, len(slots))
		total += len(slots)
	}
	if total != 100 {
		t.Errorf("%d datagrams fit into a queue of 100", total)
	}
	for slots := q.filled(readBatch); len(slots) > 0; slots = q.filled(readBatch) {
		q.release(len(slots))
	}
	if n := len(q.free(200)); n != 100 {
		t.Errorf("%d slots of 100 came back", n)
	}
}

// BenchmarkQueue moves datagrams from one goroutine to another.
func BenchmarkQueue(b *testing.B) {
	q := newQueue(1024, 64)
	go func() {
		for sent := 0; sent < b.N; {
			slots := q.free(min(readBatch, b.N-sent))
			q.publish(slots, len(slots))
			sent += len(slots)
		}
		q.close()
	}()
	b.ReportAllocs()
	for got := 0; got < b.N; {
		slots := q.filled(readBatch)
		q.release(len(slots))
		got += len(slots)
	}
}

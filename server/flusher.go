package server

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync/atomic"
	"time"

	"floodgate/server/aggregate"
	"floodgate/server/forward"
)

// flusher turns cuts into uploads, on one goroutine for all lanes: buckets of
// one time that come from several sockets are merged, so that a contextKey
// leaves as one series.
type flusher struct {
	forward *forward.Forwarder
	in      chan *delivery
	lanes   int
	cpu     atomic.Int64 // of the flushes that have ended, in nanoseconds
}

// delivery is one lane's cut on its way. done is closed when it was uploaded or
// given up.
type delivery struct {
	lane  *lane
	cut   *aggregate.Cut
	final bool // the lane has ended
	done  chan struct{}
}

// A lane may have one cut under way and one waiting. A flush that finds both
// taken is put off: the buckets stay in the table.
const cutsPerLane = 2

// gatherFor is how long the first cut of a flush waits for those of the other
// lanes. All lanes cut at the same instant, so that only a lane that is stuck
// in a large batch takes longer; its buckets then leave by themselves.
const gatherFor = 100 * time.Millisecond

func newFlusher(f *forward.Forwarder) *flusher { return &flusher{forward: f} }

// open makes room for the cuts of so many lanes. It comes before run.
func (f *flusher) open(lanes int) {
	f.in, f.lanes = make(chan *delivery, cutsPerLane*lanes), lanes
}

// run uploads until in is closed and empty. upload bounds the uploads.
func (f *flusher) run(upload context.Context) {
	live := f.lanes
	var next *delivery
	for {
		first := next
		if first == nil {
			var open bool
			if first, open = <-f.in; !open {
				return
			}
		}
		var batch []*delivery
		batch, next = f.gather(first, live)
		f.flush(upload, batch)
		for _, d := range batch {
			if d.final {
				live--
			}
			close(d.done)
			<-d.lane.underWay
		}
	}
}

// gather waits for one cut of each live lane. A second one of a lane belongs to
// the next flush and is returned apart.
func (f *flusher) gather(first *delivery, live int) (batch []*delivery, next *delivery) {
	batch = []*delivery{first}
	if live == 1 {
		return batch, nil
	}
	timer := time.NewTimer(gatherFor)
	defer timer.Stop()
	for len(batch) < live {
		select {
		case d, open := <-f.in:
			if !open {
				return batch, nil
			}
			for _, b := range batch {
				if b.lane == d.lane {
					return batch, d
				}
			}
			batch = append(batch, d)
		case <-timer.C:
			return batch, nil
		}
	}
	return batch, nil
}

// flush merges, encodes and uploads what lanes cut at one time. For that long it
// has a thread of its own: on its clock stands what a flush costs.
func (f *flusher) flush(ctx context.Context, batch []*delivery) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	from := threadTime()
	cuts := make([]*aggregate.Cut, len(batch))
	for i, d := range batch {
		cuts[i] = d.cut
	}
	f.send(ctx, aggregate.Merge(cuts...))
	f.cpu.Add(int64(threadTime() - from))
}

// send encodes and uploads a cut.
func (f *flusher) send(ctx context.Context, cut *aggregate.Cut) {
	if cut.Empty() {
		cut.Release()
		return
	}
	if err := f.forward.Flush(ctx, cut); err != nil && !errors.Is(err, forward.ErrUpload) {
		// Encoding fails only by a fault of this program. The messages of the cut
		// are lost, and the ledger shows them as neither uploaded nor failed.
		slog.Error("flush failed", "err", err)
	}
}

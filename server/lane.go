package server

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"sync"
	"time"

	"floodgate/server/aggregate"
)

// lane is one socket with everything behind it: reader, queue, table. The table
// belongs to the reader when coupled; when decoupled to whoever holds ingesting,
// the processor or a reader that helps it. Its cuts go to the flusher that all
// lanes share.
type lane struct {
	config  *Config
	socket  *socket // one of these two
	stream  *stream
	queue   *queue // nil when coupled, and for a stream
	table   *aggregate.Table
	flusher *flusher
	stats   laneStats
	ballast *ballast // of all lanes
	// ingesting guards what stands behind the queue, when there is one: its end,
	// the table, nextFlush.
	ingesting sync.Mutex
	// underWay holds a token for each cut that the flusher has.
	underWay  chan struct{}
	nextFlush time.Time
	// Of the reader. While traffic is steady it looks whether there is something,
	// and does not wait for it.
	moderation moderation
	steady     bool
}

func newLane(config *Config, network, address string, f *flusher, b *ballast) (*lane, error) {
	l := &lane{config: config, ballast: b, table: aggregate.NewTable(config.Aggregate), flusher: f, underWay: make(chan struct{}, cutsPerLane)}
	l.stats.init()
	var err error
	if network == "unixstream" {
		l.stream, err = listenStream(address, config)
		return l, err
	}
	if l.socket, err = listen(network, address, config); err != nil {
		return nil, err
	}
	l.moderation = moderation{buffer: l.socket.buffer, queue: math.MaxInt}
	if config.Reader == Decoupled {
		bytes, count := config.slots()
		l.queue = newQueue(count, bytes)
		l.moderation.queue = int(l.queue.wakeLength()) * 3 / 4
	}
	return l, nil
}

func (l *lane) addr() net.Addr {
	if l.stream != nil {
		return l.stream.listener.Addr()
	}
	return l.socket.addr()
}

// close gives the socket back.
func (l *lane) close() error {
	if l.stream != nil {
		if err := l.stream.listener.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	}
	return l.socket.close()
}

// run serves until ctx ends, then stops in order: the reader first, then what
// the kernel still holds, the queue, the last cut.
func (l *lane) run(ctx context.Context) error {
	l.nextFlush = l.flushAfter(time.Now())
	var err error
	switch {
	case l.stream != nil:
		err = l.readStream(ctx)
	case l.queue == nil:
		release := context.AfterFunc(ctx, l.socket.stop)
		defer release()
		err = l.readCoupled(ctx)
	default:
		release := context.AfterFunc(ctx, l.socket.stop)
		defer release()
		var reader sync.WaitGroup
		reader.Go(func() { err = l.readDecoupled(ctx) })
		l.process()
		reader.Wait()
	}
	l.flush(time.Now(), true)
	return errors.Join(err, l.close())
}

// drainFor bounds the reading of what the kernel holds when the server is told to
// stop. Its buffer is empty within milliseconds, but senders who go on would
// keep a reader busy until no time is left to upload what it read.
const drainFor = 500 * time.Millisecond

// readCoupled reads and aggregates in turn.
func (l *lane) readCoupled(ctx context.Context) error {
	bytes, _ := l.config.slots()
	slots := newSlots(readBatch, bytes)
	for {
		n, err := l.receive(slots, l.nextFlush)
		now := time.Now()
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return l.readError(err)
		}
		l.stats.read(slots[:n])
		l.ingest(slots[:n], now)
		if ctx.Err() != nil {
			break
		}
		l.moderation.took(slots[:n], now)
		if !l.socket.busy(slots, n) {
			l.moderate(now)
		}
	}
	for end := time.Now().Add(drainFor); time.Now().Before(end); {
		n, err := l.socket.drain(slots)
		if n == 0 || err != nil {
			return l.readError(err)
		}
		l.stats.read(slots[:n])
		l.ingest(slots[:n], time.Now())
	}
	return nil
}

// readDecoupled moves datagrams from the socket to the queue. While that is full
// it leaves them where they are until the socket's buffer is nearly full, too;
// what finds no room then is dropped and counted.
func (l *lane) readDecoupled(ctx context.Context) error {
	defer l.queue.close()
	bytes, _ := l.config.slots()
	overflow := newSlots(readBatch, bytes)
	n, busy := 0, false
	for ctx.Err() == nil {
		slots := l.queue.free(readBatch)
		// As long as it can, the kernel's buffer holds the rest.
		for once := true; len(slots) == 0 && ctx.Err() == nil && (once || !l.socket.crowded()); once = false {
			nap(helpFor)
			slots = l.queue.free(readBatch)
		}
		if ctx.Err() != nil {
			break
		}
		full := len(slots) == 0
		if full {
			slots = overflow
		}
		var err error
		if busy || full {
			n, err = l.socket.drain(slots) // there may be nothing more, and much to aggregate
		} else {
			n, err = l.receive(slots, time.Time{})
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			return l.readError(err)
		}
		l.stats.read(slots[:n])
		if full {
			l.stats.queueFull(slots[:n])
			continue
		}
		busy = l.socket.busy(slots, n)
		l.queue.publish(slots, n)
		now := time.Now()
		l.moderation.took(slots[:n], now)
		if !busy {
			l.help()
			l.moderate(now)
		}
	}
	// Nobody is pressed for time now, so the reader waits for room.
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for end := time.Now().Add(drainFor); time.Now().Before(end); {
		slots := l.queue.free(readBatch)
		if len(slots) == 0 {
			<-again.C
			continue
		}
		n, err := l.socket.drain(slots)
		if n == 0 || err != nil {
			return l.readError(err)
		}
		l.stats.read(slots[:n])
		l.queue.publish(slots, n)
	}
	return nil
}

// helpFor is how long a reader may be away from its socket.
const helpFor = 500 * time.Microsecond

// help lets a reader that has emptied its socket aggregate what it queued, while
// that is little and nobody else is at it. The reader has the datagrams in its
// core's cache, and the processor need not be woken, which would cost more than
// the work. It never waits and is never away from its socket for long: flushes
// and all that is left over are the processor's.
func (l *lane) help() {
	if l.queue.length() >= l.queue.wakeLength() || !l.ingesting.TryLock() {
		return // the processor is awake, and looks again before it sleeps
	}
	left := int64(0)
	begun := time.Now() // not before the lock: a flush may have come in between
	for now := begun; ; now = time.Now() {
		left = l.queue.length()
		if left == 0 || !now.Before(l.nextFlush) || now.Sub(begun) > helpFor {
			break
		}
		slots := l.queue.filled(readBatch)
		l.ingest(slots, now)
		l.queue.release(len(slots))
	}
	l.ingesting.Unlock()
	if left > 0 {
		l.queue.ring()
	}
}

// process flushes, and aggregates what the reader does not, until the queue is
// closed and empty.
func (l *lane) process() {
	l.ingesting.Lock()
	defer l.ingesting.Unlock()
	timer := time.NewTimer(time.Until(l.nextFlush))
	defer timer.Stop()
	for {
		now := time.Now()
		slots := l.queue.filled(readBatch)
		if len(slots) > 0 || !now.Before(l.nextFlush) {
			l.ingest(slots, now)
			l.queue.release(len(slots))
			continue
		}
		if l.queue.closed.Load() {
			if l.queue.length() == 0 {
				return
			}
			continue
		}
		timer.Reset(l.nextFlush.Sub(now))
		l.ingesting.Unlock()
		l.queue.await(timer.C)
		l.ingesting.Lock()
	}
}

// ingest aggregates a batch that was read by now, flushing first when it is
// time: a flush stands between batches, never inside one.
func (l *lane) ingest(slots []slot, now time.Time) {
	if !now.Before(l.nextFlush) {
		l.flush(now, false)
		l.nextFlush = l.flushAfter(now)
	}
	if len(slots) > 0 {
		l.table.Advance(now.UnixNano())
		for i := range slots {
			slots[i].each(l.config.BufferSize, l.table.Gather)
		}
		l.table.Finish()
		l.stats.ingested(slots, time.Now())
		l.ballast.burn()
	}
	l.stats.publish(l.table)
}

// flushAfter is the first end of a bucket after now.
func (l *lane) flushAfter(now time.Time) time.Time {
	interval := l.config.Aggregate.Interval
	// Added to now, so that the instant keeps its monotonic reading: a step of
	// the wall clock must not leave a deadline behind that is always passed.
	return now.Add(interval - time.Duration(now.UnixNano()%int64(interval)))
}

// flush cuts the closed buckets off and hands them to the flusher: when sync,
// ingest stands still until they are uploaded; when not, for the cut alone.
// With final the open bucket goes too.
func (l *lane) flush(now time.Time, final bool) {
	start := time.Now()
	l.table.Advance(now.UnixNano())
	if !final && len(l.underWay) == cap(l.underWay) {
		// The flusher is still busy with an earlier cut, and another waits. The
		// buckets stay in the table until the next time.
		l.stats.postponed.Add(1)
		return
	}
	d := &delivery{lane: l, final: final, done: make(chan struct{})}
	if l.config.Flush == AsyncCopy {
		d.cut = l.table.CutCopy(final)
	} else {
		d.cut = l.table.Cut(final)
	}
	if !d.cut.Empty() {
		l.stats.flushes.Add(1)
	}
	l.underWay <- struct{}{}
	l.flusher.in <- d
	if l.config.Flush == Sync {
		<-d.done
	}
	if !final {
		l.stats.stalled(time.Since(start))
	}
	l.stats.publish(l.table)
}

// moderate is called by the reader when it found its socket empty, at now.
func (l *lane) moderate(now time.Time) {
	if !batching || l.socket.path != "" {
		return // each datagram is a batch of its own, or blocks its sender
	}
	until := l.moderation.next(now)
	l.steady = until > 0
	// What has come since is in the socket, too.
	if left := until - time.Since(now); left > 0 {
		nap(left)
		l.stats.woken(time.Since(now) - until)
	}
}

// receive reads what is there. While traffic is steady it does not wait for
// more and may return 0: a nap costs less than to be woken.
func (l *lane) receive(slots []slot, deadline time.Time) (int, error) {
	if l.steady {
		return l.socket.drain(slots)
	}
	return l.socket.receive(slots, deadline)
}

func (l *lane) readError(err error) error {
	if err == nil || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return fmt.Errorf("cannot read from the socket: %w", err)
}

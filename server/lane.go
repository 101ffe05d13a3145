package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"floodgate/server/aggregate"
)

// lane is one socket with everything behind it: reader, queue, table. Its
// ingest goroutine, the reader when coupled and the processor when decoupled,
// owns the table. Its cuts go to the flusher that all lanes share.
type lane struct {
	config  *Config
	socket  *socket // one of these two
	stream  *stream
	queue   *queue // nil when coupled, and for a stream
	table   *aggregate.Table
	flusher *flusher
	stats   laneStats
	// underWay holds a token for each cut that the flusher has.
	underWay  chan struct{}
	nextFlush time.Time
	lastRead  time.Time // of the reader
}

func newLane(config *Config, listenURL string, f *flusher) (*lane, error) {
	l := &lane{config: config, table: aggregate.NewTable(config.Aggregate), flusher: f, underWay: make(chan struct{}, cutsPerLane)}
	l.stats.init()
	network, address, err := splitListen(listenURL)
	if err != nil {
		return nil, err
	}
	if network == "unixstream" {
		l.stream, err = listenStream(address, config)
	} else {
		l.socket, err = listen(network, address, config.ReceiveBuffer)
		if config.Reader == Decoupled {
			l.queue = newQueue(config.QueueSize, config.BufferSize)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", listenURL, err)
	}
	return l, nil
}

func (l *lane) addr() net.Addr {
	if l.stream != nil {
		return l.stream.listener.Addr()
	}
	return l.socket.conn.LocalAddr()
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
	slots := newSlots(readBatch, l.config.BufferSize)
	for {
		n, err := l.socket.receive(slots, l.nextFlush)
		now := time.Now()
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return l.readError(err)
		}
		l.stats.read(slots[:n])
		l.ingest(slots[:n], now)
		if ctx.Err() != nil {
			break
		}
		l.moderate(n, now)
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

// readDecoupled moves datagrams from the socket to the queue. It waits for the
// processor no longer than a pause: what finds no room then is dropped and
// counted.
func (l *lane) readDecoupled(ctx context.Context) error {
	defer l.queue.close()
	overflow := newSlots(readBatch, l.config.BufferSize)
	for ctx.Err() == nil {
		slots := l.queue.free(readBatch)
		if len(slots) == 0 {
			// The kernel's buffer may hold the rest until there is room again.
			nap(pause)
			slots = l.queue.free(readBatch)
		}
		full := len(slots) == 0
		if full {
			slots = overflow
		}
		n, err := l.socket.receive(slots, time.Time{})
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
		l.queue.publish(slots, n)
		l.moderate(n, time.Now())
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

// process aggregates what the reader queued, until the queue is closed and
// empty.
func (l *lane) process() {
	timer := time.NewTimer(time.Until(l.nextFlush))
	defer timer.Stop()
	var worked time.Time
	for {
		slots := l.queue.filled(readBatch)
		if len(slots) > 0 {
			worked = time.Now()
			l.ingest(slots, worked)
			l.queue.release(len(slots))
			continue
		}
		if l.queue.closed.Load() {
			if l.queue.length() == 0 {
				return
			}
			continue
		}
		if now := time.Now(); now.Sub(worked) < 3*doze && now.Before(l.nextFlush) {
			l.queue.doze(min(doze, l.nextFlush.Sub(now)))
			continue
		}
		if !l.queue.idle() {
			continue
		}
		timer.Reset(time.Until(l.nextFlush))
		select {
		case <-l.queue.bell:
		case now := <-timer.C:
			l.ingest(nil, now)
		}
		l.queue.waiting.Store(false)
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
			l.table.AddDatagram(slots[i].datagram(), slots[i].truncated)
		}
	}
	l.stats.publish(l.table)
}

// flushAfter is the first end of a bucket after now.
func (l *lane) flushAfter(now time.Time) time.Time {
	interval := l.config.Aggregate.Interval
	// Added to now, so that the instant keeps its monotonic reading: a step of
	// the wall clock must not leave a deadline behind that is always passed.
	return now.Add(interval - now.Sub(now.Truncate(interval)))
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

// Waking up for every few datagrams costs far more than reading them: parking
// a goroutine and waking it takes some 20 µs of CPU, a datagram in a batch well
// below 1. So a reader that got less than a batch while traffic is steady lets
// the socket's buffer fill for pause, as network cards do with interrupts. A lone
// datagram is not delayed, and where a pause could overflow a buffer batches are
// full. Unix sockets are left alone: they hold about ten datagrams, whatever
// their size, and a full one blocks its sender.
//
// A processor that finds its queue empty lets it fill likewise before it sleeps
// for good, and for longer: the queue holds more than the socket, and the
// reader wakes it when a quarter is full.
const (
	pause = time.Millisecond
	doze  = 4 * time.Millisecond
)

// moderate is called by the reader after each batch.
func (l *lane) moderate(n int, now time.Time) {
	steady := now.Sub(l.lastRead) < 3*pause
	l.lastRead = now
	if n > 0 && n < readBatch && steady && l.socket.path == "" {
		nap(pause)
	}
}

func (l *lane) readError(err error) error {
	if err == nil || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return fmt.Errorf("cannot read from the socket: %w", err)
}

package forward

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

var (
	errNoRoom = errors.New("the retry buffer is full")
	errEnded  = errors.New("it still waited to be tried again when the forwarder was drained")
)

// buffer holds batches that wait to be tried again, oldest first, up to a
// number of bytes of their bodies. One goroutine at a time takes from it.
type buffer struct {
	limit    int64
	counters *Counters
	wake     chan struct{} // has a token when something was pushed

	mu      sync.Mutex
	queue   []*dispatch
	bytes   int64
	sending bool // the oldest is being tried, and cannot be dropped
	closed  bool // nothing may wait any more
}

func newBuffer(limit int64, counters *Counters) buffer {
	return buffer{limit: limit, counters: counters, wake: make(chan struct{}, 1)}
}

func (b *buffer) empty() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.queue) == 0
}

// push appends a copy of d and returns what there is no room for: the oldest,
// or d itself where dropping all others would not help.
func (b *buffer) push(d *dispatch) (dropped []*dispatch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	size, kept := int64(len(d.Body)), 0
	fixed := int64(0)
	if b.sending {
		kept, fixed = 1, int64(len(b.queue[0].Body))
	}
	if b.closed || fixed+size > b.limit {
		return []*dispatch{d}
	}
	for b.bytes+size > b.limit {
		dropped = append(dropped, b.remove(kept))
	}
	own := *d
	own.Body = bytes.Clone(d.Body) // the encoder writes the next batch over it
	b.queue = append(b.queue, &own)
	b.account(&own, 1)
	select {
	case b.wake <- struct{}{}:
	default:
	}
	return dropped
}

// remove takes out the batch at index i. The lock is held.
func (b *buffer) remove(i int) *dispatch {
	d := b.queue[i]
	copy(b.queue[i:], b.queue[i+1:])
	b.queue[len(b.queue)-1] = nil
	b.queue = b.queue[:len(b.queue)-1]
	b.account(d, -1)
	return d
}

func (b *buffer) account(d *dispatch, sign int64) {
	b.bytes += sign * int64(len(d.Body))
	b.counters.WaitingBytes.Add(sign * int64(len(d.Body)))
	b.counters.Waiting.Add(sign * d.Messages)
}

// oldest returns the batch to be tried next, nil when there is none, and keeps
// it from being dropped until settle is called.
func (b *buffer) oldest() *dispatch {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queue) == 0 {
		return nil
	}
	b.sending = true
	return b.queue[0]
}

// settle ends a try: over says that the batch need not wait any longer.
func (b *buffer) settle(over bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sending = false
	if over {
		b.remove(0)
	}
}

// close returns everything that still waits. Nothing can be pushed any more.
func (b *buffer) close() []*dispatch {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	rest := b.queue
	for _, d := range rest {
		b.account(d, -1)
	}
	b.queue = nil
	return rest
}

// Run tries batches again that did not get through the first time, until ctx
// ends, and then returns nil, after its goroutines have ended. What waits by
// then goes on waiting, for another Run or for Drain. It is an error to call it
// twice at a time.
func (f *Forwarder) Run(ctx context.Context) error {
	if !f.running.CompareAndSwap(false, true) {
		return errors.New("cannot run the forwarder: it runs already")
	}
	defer f.running.Store(false)
	f.buffering.Store(true)
	var all sync.WaitGroup
	for _, e := range f.endpoints {
		all.Go(func() { e.retry(ctx, firstBackoff, false) })
	}
	all.Wait()
	return nil
}

// Drain is the end of a Forwarder that has Run: it sends what waits until that
// is all or ctx ends, and gives up the rest, so that every message has found its
// place. The error is that of what the primary intake did not get. It must be
// called after Run has returned, and after the last Flush: whatever comes later
// is tried once and does not wait.
func (f *Forwarder) Drain(ctx context.Context) error {
	if !f.running.CompareAndSwap(false, true) {
		return errors.New("cannot drain the forwarder: it runs, end the context of Run first")
	}
	defer f.running.Store(false)
	var all sync.WaitGroup
	lost := make([]int64, len(f.endpoints))
	for i, e := range f.endpoints {
		all.Go(func() {
			e.retry(ctx, 0, true)
			for _, d := range e.waiting.close() {
				lost[i] += d.Messages
				_ = e.givenUp(d, errEnded)
			}
		})
	}
	all.Wait()
	if lost[0] > 0 {
		return fmt.Errorf("%w: %d messages were given up at the end", ErrUpload, lost[0])
	}
	return nil
}

// retry sends what waits, oldest first, until ctx ends, or until nothing waits
// where draining. backoff is that of the first try.
func (e *endpoint) retry(ctx context.Context, backoff time.Duration, draining bool) {
	for {
		if e.waiting.empty() {
			if draining {
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-e.waiting.wake:
			}
			backoff = firstBackoff // it has just failed
			continue
		}
		if !sleep(ctx, jitter(backoff)) {
			return
		}
		if d := e.waiting.oldest(); d != nil && e.tryAgain(ctx, d) {
			backoff = 0
		} else {
			backoff = nextBackoff(backoff)
		}
	}
}

// tryAgain tries a batch that waited, and returns whether the intake can be
// reached.
func (e *endpoint) tryAgain(ctx context.Context, d *dispatch) bool {
	e.counters.Retries.Add(1)
	err, again := e.attempt(ctx, d)
	switch {
	case err == nil:
		e.waiting.settle(true)
		e.acknowledged(d)
	case !again:
		e.waiting.settle(true)
		_ = e.givenUp(d, err)
	default:
		e.waiting.settle(false)
	}
	return err == nil || !again
}

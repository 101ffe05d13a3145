package forward

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"floodgate/internal/payload"
)

// endpoint is one intake and what waits for it.
type endpoint struct {
	url      string
	counters *Counters
	config   *Config
	client   *http.Client
	waiting  buffer
}

func newEndpoint(f *Forwarder, url string, counters *Counters) *endpoint {
	return &endpoint{url: url, counters: counters, config: &f.config, client: f.client, waiting: newBuffer(f.config.RetryBytes, counters)}
}

// dispatch is a batch with what its requests need. It is not changed once made.
type dispatch struct {
	Batch
	to *route
	// A repeated body must not be counted twice: an intake can tell by this key.
	key string
}

func newDispatch(to *route, b Batch) *dispatch {
	return &dispatch{Batch: b, to: to, key: rand.Text()}
}

// Attempts back off exponentially with full jitter, so that servers which lost
// the same intake do not all come back at once.
const (
	firstBackoff = 100 * time.Millisecond
	lastBackoff  = 5 * time.Second
)

func nextBackoff(backoff time.Duration) time.Duration {
	return min(max(firstBackoff, 2*backoff), lastBackoff)
}

func jitter(backoff time.Duration) time.Duration {
	if backoff <= 0 {
		return 0
	}
	return time.Duration(mathrand.Int64N(int64(backoff)))
}

// deliver sends a batch, or with wait lets it wait where its first try does not
// get through. The error says that it was given up.
func (e *endpoint) deliver(ctx context.Context, d *dispatch, wait bool) error {
	if !wait {
		return e.insist(ctx, d)
	}
	if e.waiting.empty() {
		err, again := e.attempt(ctx, d)
		if err == nil {
			e.acknowledged(d)
			return nil
		}
		if !again {
			return e.givenUp(d, err)
		}
	}
	own := false
	for _, dropped := range e.waiting.push(d) {
		if dropped.key == d.key {
			own = true
			continue
		}
		_ = e.givenUp(dropped, errNoRoom) // an older one: its own call has returned
	}
	if own {
		return e.givenUp(d, errNoRoom)
	}
	return nil
}

// insist tries a batch until it is acknowledged, refused for good, or given up.
func (e *endpoint) insist(ctx context.Context, d *dispatch) error {
	err := Insist(ctx, e.config.RetryFor, &e.counters.Retries, func() (error, bool) { return e.attempt(ctx, d) })
	if err != nil {
		return e.givenUp(d, err)
	}
	e.acknowledged(d)
	return nil
}

// Insist calls attempt until it succeeds, until it says that another one would not
// help, or until ctx ends or the next one would begin after longest. Further ones
// are counted in retries, and wait: see firstBackoff. The error is that of the last
// attempt.
func Insist(ctx context.Context, longest time.Duration, retries *atomic.Int64, attempt func() (err error, again bool)) error {
	deadline := time.Now().Add(longest)
	for backoff := firstBackoff; ; backoff = nextBackoff(backoff) {
		err, again := attempt()
		wait := jitter(backoff)
		if err == nil || !again || ctx.Err() != nil || time.Now().Add(wait).After(deadline) {
			return err
		}
		retries.Add(1)
		sleep(ctx, wait)
	}
}

// sleep waits, and returns whether it could to the end.
func sleep(ctx context.Context, wait time.Duration) bool {
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
	}
	return ctx.Err() == nil
}

func (e *endpoint) acknowledged(d *dispatch) {
	e.counters.Batches.Add(1)
	e.counters.Bytes.Add(int64(len(d.Body)))
	e.counters.Uploaded.Add(d.Messages)
}

func (e *endpoint) givenUp(d *dispatch, cause error) error {
	e.counters.BatchesFailed.Add(1)
	e.counters.UploadFailed.Add(d.Messages)
	slog.Warn("batch given up", "intake", e.url, "path", d.to.path, "batch", d.Number, "messages", d.Messages, "err", cause)
	return fmt.Errorf("%w: batch %d of %d messages: %w", ErrUpload, d.Number, d.Messages, cause)
}

// attempt posts the batch once. again says whether another attempt may help. When
// it returns nobody reads the batch any more, so that the encoder can use its
// memory for the next.
func (e *endpoint) attempt(ctx context.Context, d *dispatch) (err error, again bool) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url+d.to.path, nil)
	if err != nil {
		return err, false
	}
	defer WatchBody(req, func() io.Reader { return bytes.NewReader(d.Body) })()
	req.ContentLength = int64(len(d.Body))
	req.Header.Set("Content-Type", d.to.media)
	req.Header.Set("Idempotency-Key", d.key)
	if d.Encoding != payload.Identity {
		req.Header.Set("Content-Encoding", d.Encoding)
	}
	if e.config.APIKey != "" {
		req.Header.Set("DD-API-KEY", e.config.APIKey)
	}
	resp, err := e.client.Do(req)
	if err != nil {
		return err, true
	}
	defer resp.Body.Close()
	// Read to the end, so that the connection can be used again.
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	switch code := resp.StatusCode; {
	case code < 300:
		return nil, false
	case code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code >= 500:
		return fmt.Errorf("intake answered %s", resp.Status), true
	default:
		return fmt.Errorf("intake refused the batch: %s", resp.Status), false
	}
}

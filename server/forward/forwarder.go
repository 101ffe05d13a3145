package forward

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"floodgate/internal/payload"
	"floodgate/server/aggregate"
)

// Config sets up a Forwarder.
type Config struct {
	URL            string // of the intake; the path of the series format is added
	APIKey         string // sent as DD-API-KEY when not empty
	Host           string // the host every series belongs to; empty for none
	Encoding       string // one of payload.Encodings
	ThresholdBytes int    // see EncoderConfig
	MaxRawBytes    int64
	Timeout        time.Duration // of one attempt
	RetryFor       time.Duration // how long a batch is tried before it counts as failed; 0 tries once
}

// Default returns batches of 2 MiB compressed or 5 MB raw (about what the public
// intake takes at most uncompressed), zstd, and 15 s of retries.
func Default() Config {
	return Config{
		Encoding:       payload.Zstd,
		ThresholdBytes: 2 << 20,
		MaxRawBytes:    5_000_000,
		Timeout:        5 * time.Second,
		RetryFor:       15 * time.Second,
	}
}

// Validate names the first value that cannot be.
func (c Config) Validate() error {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("intake is %q, want a URL such as http://127.0.0.1:8080", c.URL)
	case !slices.Contains(payload.Encodings, c.Encoding):
		return fmt.Errorf("encoding is %q, want one of %v", c.Encoding, payload.Encodings)
	case c.Timeout <= 0:
		return fmt.Errorf("upload timeout is %v, want more than 0", c.Timeout)
	case c.RetryFor < 0:
		return fmt.Errorf("retry time is %v, want 0 or more", c.RetryFor)
	}
	return nil
}

// Counters is what became of the messages and batches. They only grow and can
// be read at any time.
type Counters struct {
	Uploaded      atomic.Int64 // messages that the intake acknowledged
	UploadFailed  atomic.Int64 // messages in batches that were given up
	Batches       atomic.Int64 // acknowledged
	BatchesFailed atomic.Int64
	Retries       atomic.Int64
	Bytes         atomic.Int64 // compressed, acknowledged
}

// Forwarder uploads the series of cuts. Flush must be called from one
// goroutine at a time.
type Forwarder struct {
	Counters Counters

	config  Config
	client  *http.Client
	encoder *BatchEncoder
	target  string
	tags    [][]byte // scratch
	name    []byte   // scratch
}

// New returns a Forwarder. It opens no connection before the first Flush.
func New(config Config) (*Forwarder, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	f := &Forwarder{
		config: config,
		target: config.URL + "/api/v2/series",
		client: &http.Client{
			Timeout: config.Timeout,
			Transport: &http.Transport{
				DisableCompression:  true,
				MaxIdleConnsPerHost: 1,
				IdleConnTimeout:     90 * time.Second,
			},
		},
	}
	var err error
	f.encoder, err = NewBatchEncoder(EncoderConfig{
		Encoding: config.Encoding, ThresholdBytes: config.ThresholdBytes, MaxRawBytes: config.MaxRawBytes,
		Open: `{"series":[`, Close: func(bool) string { return `]}` },
	}, f.upload)
	return f, err
}

// Close gives the connections back.
func (f *Forwarder) Close() { f.client.CloseIdleConnections() }

// Flush encodes and uploads every series of the cut and releases it. It
// returns when everything was acknowledged or given up; what was given up is
// counted, and the first error returned.
func (f *Forwarder) Flush(ctx context.Context, cut *aggregate.Cut) error {
	defer cut.Release()
	var first error
	keep := func(err error) error {
		if err != nil && first == nil {
			first = err
		}
		if errors.Is(err, ErrUpload) {
			return nil // counted; the next batch may get through
		}
		return err
	}
	err := cut.Each(func(s *aggregate.Series) error {
		return keep(f.encoder.Add(ctx, s.Messages, func(dst []byte) []byte { return f.appendSeries(dst, s) }))
	})
	if err == nil {
		keep(f.encoder.Flush(ctx, false))
	}
	return first
}

// appendSeries appends one record.
func (f *Forwarder) appendSeries(dst []byte, s *aggregate.Series) []byte {
	typ := payload.Gauge
	if s.Type == aggregate.CountSeries {
		typ = payload.Count
	}
	name := s.Name
	if s.Suffix != "" {
		f.name = append(append(f.name[:0], s.Name...), s.Suffix...)
		name = f.name
	}
	f.tags = f.tags[:0]
	for rest := s.Tags; len(rest) > 0; {
		var tag []byte
		tag, rest, _ = bytes.Cut(rest, []byte{','})
		f.tags = append(f.tags, tag)
	}
	// The format has whole seconds only; a shorter interval is told as 1.
	interval := max(1, int64(s.Interval/time.Second))
	return payload.AppendSeries(dst, name, typ, interval, s.Time, s.Value, f.tags, f.config.Host)
}

// upload sends one batch until it is acknowledged, refused for good, or given
// up. Attempts back off exponentially from 100 ms with full jitter, so that
// servers which lost the same intake do not all come back at once.
func (f *Forwarder) upload(ctx context.Context, b Batch) error {
	// A repeated body must not be counted twice: an intake can tell by this key.
	key := rand.Text()
	deadline := time.Now().Add(f.config.RetryFor)
	for backoff := 100 * time.Millisecond; ; backoff = min(2*backoff, 5*time.Second) {
		err, again := f.attempt(ctx, b, key)
		if err == nil {
			f.Counters.Batches.Add(1)
			f.Counters.Bytes.Add(int64(len(b.Body)))
			f.Counters.Uploaded.Add(b.Messages)
			return nil
		}
		wait := time.Duration(mathrand.Int64N(int64(backoff)))
		if !again || ctx.Err() != nil || time.Now().Add(wait).After(deadline) {
			f.Counters.BatchesFailed.Add(1)
			f.Counters.UploadFailed.Add(b.Messages)
			slog.Warn("batch given up", "batch", b.Number, "messages", b.Messages, "err", err)
			return fmt.Errorf("%w: batch %d of %d messages: %w", ErrUpload, b.Number, b.Messages, err)
		}
		f.Counters.Retries.Add(1)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// attempt posts the batch once. again says whether another attempt may help.
func (f *Forwarder) attempt(ctx context.Context, b Batch, key string) (err error, again bool) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.target, bytes.NewReader(b.Body))
	if err != nil {
		return err, false
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	if b.Encoding != payload.Identity {
		req.Header.Set("Content-Encoding", b.Encoding)
	}
	if f.config.APIKey != "" {
		req.Header.Set("DD-API-KEY", f.config.APIKey)
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return err, true
	}
	defer resp.Body.Close()
	// Read to the end, so that the connection can be used again.
	io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	switch code := resp.StatusCode; {
	case code < 300:
		return nil, false
	case code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code >= 500:
		return fmt.Errorf("intake answered %s", resp.Status), true
	default:
		return fmt.Errorf("intake refused the batch: %s", resp.Status), false
	}
}

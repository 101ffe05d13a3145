package symdb

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"floodgate/server/forward"
)

// Mode says how a batch is made.
type Mode string

// The modes.
const (
	Streaming Mode = "streaming" // packages go straight into the compressor
	Buffered  Mode = "buffered"  // packages are gathered, marshalled, then compressed
)

// Config sets up a Client.
type Config struct {
	URL       string // of the intake; the path of the format is added
	APIKey    string // sent as DD-API-KEY when not empty
	Service   string // the program whose symbols they are
	Version   string
	RuntimeID string // of the process
	UploadID  string // what all batches of one upload share; empty for a new one
	Mode      Mode
	// ThresholdBytes of compressed batch after which Streaming sends it. It is
	// soft, see forward.EncoderConfig; 0 or less sends every package alone.
	ThresholdBytes int
	MaxFunctions   int           // after which Buffered sends a batch
	Timeout        time.Duration // of one attempt
	RetryFor       time.Duration // how long a batch is tried before it is lost; 0 tries once
}

// Default returns a streaming client with batches of 2 MiB and 15 s of retries.
func Default() Config {
	return Config{
		Service:        "example",
		Version:        "1.0.0",
		Mode:           Streaming,
		ThresholdBytes: 2 << 20,
		MaxFunctions:   10_000,
		Timeout:        30 * time.Second,
		RetryFor:       15 * time.Second,
	}
}

// Validate names the first value that cannot be.
func (c Config) Validate() error {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("intake is %q, want a URL such as http://127.0.0.1:8080", c.URL)
	case c.Mode != Streaming && c.Mode != Buffered:
		return fmt.Errorf("mode is %q, want %s or %s", c.Mode, Streaming, Buffered)
	case c.MaxFunctions <= 0:
		return fmt.Errorf("functions per batch are %d, want 1 or more", c.MaxFunctions)
	case c.Timeout <= 0:
		return fmt.Errorf("upload timeout is %v, want more than 0", c.Timeout)
	case c.RetryFor < 0:
		return fmt.Errorf("retry time is %v, want 0 or more", c.RetryFor)
	}
	return nil
}

// UploadStats is what became of an upload. What the intake acknowledged and
// what was lost are counted apart.
type UploadStats struct {
	Packages      int64 `json:"packages"`  // acknowledged
	Functions     int64 `json:"functions"` // acknowledged, methods included
	Batches       int64 `json:"batches"`   // acknowledged
	Bytes         int64 `json:"upload_bytes"`
	FailedBatches int64 `json:"batches_failed"` // given up
	LostPackages  int64 `json:"packages_lost"`  // in batches given up, or never sent because the upload was broken off
	LostFunctions int64 `json:"functions_lost"`
	Retries       int64 `json:"retries"`
}

// counters are UploadStats while they grow.
type counters struct {
	packages, functions, batches, bytes                 atomic.Int64
	failedBatches, lostPackages, lostFunctions, retries atomic.Int64
}

// Client uploads one tree of scopes.
type Client struct {
	config  Config
	target  string
	http    *http.Client
	encoder encoder
	used    atomic.Bool
	count   counters
}

// New returns a Client for one upload. It opens no connection.
func New(config Config) (*Client, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	if config.UploadID == "" {
		config.UploadID = newID()
	}
	c := &Client{
		config: config,
		target: config.URL + "/symdb/v1/input",
		http: &http.Client{
			Timeout:   config.Timeout,
			Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 1},
			// A body that is streamed cannot follow.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	h := head{Service: config.Service, Version: config.Version, Language: language, UploadID: config.UploadID}
	if config.Mode == Buffered {
		c.encoder = &bufferer{head: h, maxFunctions: config.MaxFunctions, upload: c.send}
		return c, nil
	}
	var err error
	c.encoder, err = newStreamer(h, config.ThresholdBytes, c.send)
	return c, err
}

// Upload sends all packages, and with the last batch the mark that it was the
// last. A batch that the intake does not take is lost, and the next is tried:
// the error then matches forward.ErrUpload and the cause of the first loss, and
// says what was lost. Errors of the encoder do not match it and end the upload,
// as the end of ctx does; then no batch is marked as the last. Upload can be
// called once.
func (c *Client) Upload(ctx context.Context, packages iter.Seq[Scope]) (UploadStats, error) {
	if c.used.Swap(true) {
		return c.Stats(), errors.New("cannot upload again: a client is for one upload, make another")
	}
	defer c.http.CloseIdleConnections()
	packagesAdded, functionsAdded, err := c.addAll(ctx, packages)
	// Also what waited in a batch that was never finished.
	c.count.lostPackages.Store(packagesAdded - c.count.packages.Load())
	c.count.lostFunctions.Store(functionsAdded - c.count.functions.Load())
	s := c.Stats()
	if err != nil {
		err = fmt.Errorf("%d batches given up, %d packages with %d functions lost: %w", s.FailedBatches, s.LostPackages, s.LostFunctions, err)
	}
	return s, err
}

// addAll returns how many packages and functions were taken from the sequence.
func (c *Client) addAll(ctx context.Context, packages iter.Seq[Scope]) (taken, functions int64, err error) {
	var lost error // the first
	keep := func(err error) error {
		if !errors.Is(err, forward.ErrUpload) {
			return err
		}
		if lost == nil {
			lost = err
		}
		return nil
	}
	brokenOff := func() error {
		if ctx.Err() == nil {
			return nil
		}
		return errors.Join(lost, fmt.Errorf("cannot finish the upload: %w", context.Cause(ctx)))
	}
	for p := range packages {
		if err := brokenOff(); err != nil {
			return taken, functions, err
		}
		taken++
		functions += int64(p.Functions())
		if err := keep(c.encoder.Add(ctx, p)); err != nil {
			return taken, functions, err
		}
	}
	if err := brokenOff(); err != nil {
		return taken, functions, err
	}
	if err := keep(c.encoder.Flush(ctx, true)); err != nil {
		return taken, functions, err
	}
	return taken, functions, lost
}

// Stats is what became of the upload so far. It can be called at any time.
func (c *Client) Stats() UploadStats {
	n := &c.count
	return UploadStats{
		Packages: n.packages.Load(), Functions: n.functions.Load(), Batches: n.batches.Load(), Bytes: n.bytes.Load(),
		FailedBatches: n.failedBatches.Load(), LostPackages: n.lostPackages.Load(), LostFunctions: n.lostFunctions.Load(),
		Retries: n.retries.Load(),
	}
}

// newID is a random identifier in the form of a UUID, version 4.
func newID() string {
	var b [16]byte
	rand.Read(b[:]) // it never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

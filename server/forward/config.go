package forward

import (
	"fmt"
	"net/url"
	"slices"
	"time"

	"floodgate/internal/payload"
)

// The formats of series.
const (
	JSON     = "json"
	Protobuf = "protobuf"
)

// Formats lists every format of series.
var Formats = []string{JSON, Protobuf}

// Config sets up a Forwarder.
type Config struct {
	URL            string   // of the intake; the path of each format is added
	Also           []string // of further intakes, which get every batch too
	APIKey         string   // sent as DD-API-KEY when not empty
	Host           string   // the host that everything without one belongs to; empty for none
	Format         string   // of series, one of Formats
	Encoding       string   // one of payload.Encodings
	ThresholdBytes int      // see EncoderConfig
	MaxRawBytes    int64
	MaxRecords     int           // see EncoderConfig; for 0 Buffered takes 10,000
	Buffered       bool          // see EncoderConfig
	Timeout        time.Duration // of one attempt
	// RetryFor is how long Flush tries a batch before it counts as failed, while
	// Run has not been called; 0 tries once.
	RetryFor time.Duration
	// RetryBytes of bodies may wait for Run to try them again, for each intake.
	RetryBytes int64
}

// Default returns batches of 2 MiB compressed or 5 MB raw (about what the public
// intake takes at most uncompressed), series in protobuf, zstd, and 15 s of retries
// or, with Run, 16 MiB of them.
func Default() Config {
	return Config{
		Format:         Protobuf, // half the time of JSON per series; compare BenchmarkFlush
		Encoding:       payload.Zstd,
		ThresholdBytes: 2 << 20,
		MaxRawBytes:    5_000_000,
		Timeout:        5 * time.Second,
		RetryFor:       15 * time.Second,
		RetryBytes:     16 << 20,
	}
}

// bufferedRecords is how many records a buffered batch has at most where the
// Config does not say.
const bufferedRecords = 10_000

// Validate names the first value that cannot be.
func (c Config) Validate() error {
	urls := append([]string{c.URL}, c.Also...)
	for i, text := range urls {
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return fmt.Errorf("intake is %q, want a URL such as http://127.0.0.1:8080", text)
		}
		if slices.Contains(urls[:i], text) {
			return fmt.Errorf("intake %q is given twice, want different ones", text)
		}
	}
	switch {
	case !slices.Contains(Formats, c.Format):
		return fmt.Errorf("format is %q, want one of %v", c.Format, Formats)
	case !slices.Contains(payload.Encodings, c.Encoding):
		return fmt.Errorf("encoding is %q, want one of %v", c.Encoding, payload.Encodings)
	case c.MaxRecords < 0:
		return fmt.Errorf("records of a batch are %d, want 0 or more", c.MaxRecords)
	case c.Timeout <= 0:
		return fmt.Errorf("upload timeout is %v, want more than 0", c.Timeout)
	case c.RetryFor < 0:
		return fmt.Errorf("retry time is %v, want 0 or more", c.RetryFor)
	case c.RetryBytes < 0:
		return fmt.Errorf("retry bytes are %d, want 0 or more", c.RetryBytes)
	}
	return nil
}

package intake

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"floodgate/internal/payload/foreign"
)

// Config says where an intake listens, what it holds and how it misbehaves.
// A zero is a zero, not a default: start from Default.
type Config struct {
	Listen string // address of the HTTP listener; port 0 takes a free one
	Sinks  Sinks

	SpoolBytes int64 // compressed bodies held in memory until they are decoded
	SpillBytes int64 // bodies beyond that, in an unlinked temporary file; 0 is no file

	// MaxBodyBytes is the limit of one upload as it comes; larger ones are refused
	// with 413. Over gRPC it is that of a message, compressed and decompressed.
	MaxBodyBytes    int64
	MaxDecodedBytes int64 // of one upload decompressed; larger ones are invalid
	// MaxLineBytes is the limit of one line, without its end. Longer ones of a
	// stream or a file are dropped and count as refused; in an upload they make it
	// invalid.
	MaxLineBytes int
	// MaxConnections may be open at once, for each listener; further ones wait to
	// be accepted. As many bodies may be in memory besides the spool, while they
	// are being read.
	MaxConnections int

	Faults Faults
	// FaultsWait has the faults begin with BeginFaults instead of with Run.
	FaultsWait bool
}

// Sinks are the ways in besides HTTP. Those that are not asked for do not exist.
type Sinks struct {
	Graphite string // address of a TCP listener for Graphite lines; empty is none
	OTLPGRPC string // address of a listener for OTLP over gRPC; empty is none
	Scrape   Scrape
	Files    []File
	// Mapping is whose names arrive, one of foreign.Mappings; empty leaves them as
	// they are. It is applied to everything but version 2 of the series, sketches,
	// events and service checks.
	Mapping string
}

// Scrape is a target that is asked for its metrics, in the text format of
// Prometheus.
type Scrape struct {
	URL      string        // such as http://127.0.0.1:9102/metrics; empty is none
	Interval time.Duration // from the beginning of one scrape to that of the next
	MaxBytes int64         // of one scrape; larger ones are refused
	// Last makes Run end with one more scrape, for a target that is stopped after
	// its intake. For one that is stopped before, call Intake.Scrape.
	Last bool
}

// File is one that a target appends lines to. It may appear after Run has begun.
type File struct {
	Path  string
	Lines Lines
}

// Lines is what a line is written in.
type Lines string

// The kinds of lines.
const (
	LinesGraphite Lines = "graphite" // name value timestamp; or name|value|timestamp
	LinesInflux   Lines = "influx"   // line protocol, timestamps in nanoseconds
)

func (l Lines) format() (format, bool) {
	switch l {
	case LinesGraphite:
		return graphiteLines, true
	case LinesInflux:
		return influxLines, true
	}
	return 0, false
}

// Default is an intake on a free loopback port without faults and without other
// sinks.
func Default() Config {
	return Config{
		Listen:          "127.0.0.1:0",
		Sinks:           Sinks{Scrape: Scrape{Interval: time.Second, MaxBytes: 64 << 20}},
		SpoolBytes:      64 << 20,
		SpillBytes:      1 << 30,
		MaxBodyBytes:    8 << 20,
		MaxDecodedBytes: 256 << 20,
		MaxLineBytes:    64 << 10,
		MaxConnections:  64,
	}
}

// Validate names everything that is wrong with c, one fault a line.
func (c Config) Validate() error {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf("intake: "+format, args...))
		}
	}
	address := func(text string) bool {
		_, _, err := net.SplitHostPort(text)
		return err == nil
	}
	check(address(c.Listen), "listen is %q, want host:port, such as 127.0.0.1:0", c.Listen)
	check(c.SpoolBytes >= 0, "spool bytes are %d, want 0 or more", c.SpoolBytes)
	check(c.SpillBytes >= 0, "spill bytes are %d, want 0 or more", c.SpillBytes)
	check(c.MaxBodyBytes > 0 && c.MaxBodyBytes <= 1<<30, "max body bytes are %d, want 1 to 1 GiB", c.MaxBodyBytes)
	check(c.MaxDecodedBytes > 0, "max decoded bytes are %d, want 1 or more", c.MaxDecodedBytes)
	check(c.MaxLineBytes >= minLineBytes && c.MaxLineBytes <= 1<<30, "max line bytes are %d, want %d to 1 GiB", c.MaxLineBytes, minLineBytes)
	check(c.MaxConnections > 0, "max connections are %d, want 1 or more", c.MaxConnections)

	s := c.Sinks
	check(s.Graphite == "" || address(s.Graphite), "graphite is %q, want host:port, such as 127.0.0.1:2003", s.Graphite)
	check(s.OTLPGRPC == "" || address(s.OTLPGRPC), "OTLP gRPC is %q, want host:port, such as 127.0.0.1:4317", s.OTLPGRPC)
	if s.Scrape.URL != "" {
		u, err := url.Parse(s.Scrape.URL)
		check(err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "", "scrape is %q, want an address such as http://127.0.0.1:9102/metrics", s.Scrape.URL)
		check(s.Scrape.Interval > 0, "scrape interval is %v, want more than 0", s.Scrape.Interval)
		check(s.Scrape.MaxBytes > 0, "max scrape bytes are %d, want 1 or more", s.Scrape.MaxBytes)
	}
	for _, f := range s.Files {
		_, known := f.Lines.format()
		check(f.Path != "", "a file to follow has no path")
		check(known, "lines of %q are %q, allowed are %s and %s", f.Path, f.Lines, LinesGraphite, LinesInflux)
	}
	_, err := foreign.MappingOf(s.Mapping)
	check(err == nil, "%v", err)
	return errors.Join(append(faults, c.Faults.validate()...)...)
}

// minLineBytes is below any useful limit of lines, and above the smallest buffer
// that reads them.
const minLineBytes = 64

// Mappings lists what Sinks.Mapping may be, sorted.
func Mappings() []string { return foreign.Mappings() }

package intake

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"time"
)

// Config says where an intake listens, what it holds and how it misbehaves.
// A zero is a zero, not a default: start from Default.
type Config struct {
	Listen string // address of a TCP listener; port 0 takes a free one

	SpoolBytes int64 // compressed bodies held in memory until they are decoded
	SpillBytes int64 // bodies beyond that, in an unlinked temporary file; 0 is no file

	MaxBodyBytes    int64 // of one upload as it comes; larger ones are refused with 413
	MaxDecodedBytes int64 // of one upload decompressed; larger ones are invalid
	// MaxConnections may be open at once; further ones wait to be accepted. As
	// many bodies may be in memory besides the spool, while they are being read.
	MaxConnections int

	Faults Faults
}

// Faults are what an intake does to uploads on purpose, before it reads their
// body. The zero value does nothing. A refused upload counts nothing but itself.
type Faults struct {
	Latency time.Duration // before each upload is looked at

	ErrorRate   float64 // share of uploads refused, 0 to 1
	ErrorStatus int     // the HTTP status they are refused with, 400 to 599
	Seed        uint64  // decides which ones: the same numbers in order of arrival for the same seed

	// Uploads that arrive in [OutageFrom, OutageTo) since Run began are refused
	// with 503.
	OutageFrom, OutageTo time.Duration
}

// Default is an intake on a free loopback port without faults.
func Default() Config {
	return Config{
		Listen:          "127.0.0.1:0",
		SpoolBytes:      64 << 20,
		SpillBytes:      1 << 30,
		MaxBodyBytes:    8 << 20,
		MaxDecodedBytes: 256 << 20,
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
	_, _, err := net.SplitHostPort(c.Listen)
	check(err == nil, "listen is %q, want host:port, such as 127.0.0.1:0", c.Listen)
	check(c.SpoolBytes >= 0, "spool bytes are %d, want 0 or more", c.SpoolBytes)
	check(c.SpillBytes >= 0, "spill bytes are %d, want 0 or more", c.SpillBytes)
	check(c.MaxBodyBytes > 0, "max body bytes are %d, want 1 or more", c.MaxBodyBytes)
	check(c.MaxDecodedBytes > 0, "max decoded bytes are %d, want 1 or more", c.MaxDecodedBytes)
	check(c.MaxConnections > 0, "max connections are %d, want 1 or more", c.MaxConnections)

	f := c.Faults
	check(f.Latency >= 0, "latency is %v, want 0 or more", f.Latency)
	check(f.ErrorRate >= 0 && f.ErrorRate <= 1, "error rate is %v, want 0 to 1", f.ErrorRate)
	check(f.ErrorRate == 0 || f.ErrorStatus >= 400 && f.ErrorStatus <= 599, "error status is %d, want 400 to 599", f.ErrorStatus)
	check(f.OutageFrom >= 0 && f.OutageFrom <= f.OutageTo, "outage is from %v to %v, want 0 <= from <= to", f.OutageFrom, f.OutageTo)
	return errors.Join(faults...)
}

// status is what upload number (from 1) is refused with when it arrives at
// since Run began, or 0 when it is to be taken. It is a pure function, so that
// the same seed strikes the same uploads however many connections they come on.
func (f *Faults) status(number uint64, since time.Duration) int {
	if since >= f.OutageFrom && since < f.OutageTo {
		return http.StatusServiceUnavailable
	}
	if f.ErrorRate > 0 && rand.New(rand.NewPCG(f.Seed, number)).Float64() < f.ErrorRate {
		return f.ErrorStatus
	}
	return 0
}

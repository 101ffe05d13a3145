// Package servertest is the target contract as tests. Run sends documents of
// messages to a target, any that can be started, and compares what arrives at
// an intake of its own, from end to end: nothing is known of the inside of a
// target but what its statistics say.
//
// Each message stands in a row with the reason why it is sent. What a target
// does not claim is skipped, with the claim that is missing.
package servertest

import (
	"slices"
	"testing"
	"time"

	"floodgate/internal/dogstatsd"
)

// Feature is something that a target may claim beyond the kinds it takes.
type Feature string

// The features.
const (
	// Packing: several values in one message, name:v1:v2|kind.
	Packing Feature = "packing"
	// Sampling: |@rate. A message weighs 1/rate, but for gauges and sets.
	Sampling Feature = "sampling"
	// Tags: |#a,b. Their order and repetitions do not matter.
	Tags Feature = "tags"
	// SpecialTags: host:NAME is no tag but the host of the series, and what a
	// client's library tells its server alone is not passed on.
	SpecialTags Feature = "special tags"
	// Names: names are kept as they are, whatever their characters.
	Names Feature = "names"
	// Sections: what it has no use for behind the kind is taken and left out:
	// container, external data, cardinality, sections of newer clients.
	Sections Feature = "sections"
	// Timestamps: |T. Counts and gauges arrive at the time they tell.
	Timestamps Feature = "timestamps"
	// Events: messages that begin with _e{.
	Events Feature = "events"
	// ServiceChecks: messages that begin with _sc|.
	ServiceChecks Feature = "service checks"
	// Refusal: a malformed line has no effect but on itself.
	Refusal Feature = "refusal"
	// Statistics: all fields of the statistics endpoint.
	Statistics Feature = "statistics"
	// FinalStatistics: the file with what the statistics are at its end.
	FinalStatistics Feature = "final statistics"
	// UniqueUploads: an upload that is tried again carries the same
	// Idempotency-Key.
	UniqueUploads Feature = "unique uploads"
)

// Features are all features.
var Features = []Feature{Packing, Sampling, Tags, SpecialTags, Names, Sections, Timestamps, Events, ServiceChecks, Refusal, Statistics, FinalStatistics, UniqueUploads}

// Claims says what a target takes. The zero value claims nothing.
type Claims struct {
	// Sockets are the schemes of the sockets that it can listen on, among udp,
	// unixgram and unixstream. The suite runs once for each.
	Sockets  []string
	Kinds    []dogstatsd.Kind
	Features []Feature
	// BufferSize is the longest datagram that it takes, in bytes. 0 says that
	// this is not known.
	BufferSize int
	// Interval is the shortest flush interval that it can be set to; 0 is 100 ms.
	Interval time.Duration
}

// All claims everything, on the sockets given.
func All(bufferSize int, sockets ...string) Claims {
	return Claims{Sockets: sockets, Kinds: dogstatsd.Kinds, Features: Features, BufferSize: bufferSize}
}

// missing is what of the features is not claimed, or empty.
func (c Claims) missing(features ...Feature) Feature {
	for _, f := range features {
		if !slices.Contains(c.Features, f) {
			return f
		}
	}
	return ""
}

func (c Claims) interval() time.Duration {
	if c.Interval == 0 {
		return 100 * time.Millisecond
	}
	return c.Interval
}

// Endpoints is what a target is told when it is started.
type Endpoints struct {
	Listen        string        // URL of the socket: udp://127.0.0.1:PORT, unixgram:///PATH or unixstream:///PATH
	Intake        string        // URL that it flushes to, without a path
	Stats         string        // host and port of its statistics endpoint
	StatsFile     string        // path of its final statistics
	FlushInterval time.Duration // also the length of its buckets
}

// Flags are the endpoints as flags of the reference server.
func (e Endpoints) Flags() []string {
	return []string{
		"--listen=" + e.Listen, "--intake=" + e.Intake, "--stats=" + e.Stats, "--stats-file=" + e.StatsFile,
		"--flush-interval=" + e.FlushInterval.String(),
	}
}

// Start starts a target and returns what ends it, as SIGTERM would: stop must
// return when the target has ended, with everything uploaded. It is called once.
// Start need not wait until the target is ready. A target that cannot be started
// fails t.
type Start func(t *testing.T, e Endpoints) (stop func())

// Run holds a target to what it claims. The target is started several times for
// each socket.
func Run(t *testing.T, claims Claims, start Start) {
	for _, scheme := range claims.Sockets {
		t.Run(scheme, func(t *testing.T) {
			s := &suite{claims: claims, scheme: scheme, start: start}
			t.Run("documents", s.documents)
			t.Run("flush", s.flush)
			t.Run("stop", s.stop)
			if s.stream() {
				t.Run("frames", s.frames)
			} else {
				t.Run("truncated", s.truncated)
			}
			t.Run("statistics", s.statistics)
			t.Run("uploads given up", s.givenUp)
			t.Run("uploads repeated", s.repeated)
		})
	}
}

// suite is one run over one kind of socket.
type suite struct {
	claims Claims
	scheme string
	start  Start
}

func (s *suite) stream() bool { return s.scheme == "unixstream" }

// need skips the test unless all features are claimed.
func (s *suite) need(t *testing.T, features ...Feature) {
	t.Helper()
	if f := s.claims.missing(features...); f != "" {
		t.Skipf("the target does not claim %s", f)
	}
}

// needKind skips the test unless the kind is claimed.
func (s *suite) needKind(t *testing.T, kind dogstatsd.Kind) {
	t.Helper()
	if !slices.Contains(s.claims.Kinds, kind) {
		t.Skipf("the target does not claim the kind %v", kind)
	}
}

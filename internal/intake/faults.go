package intake

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Faults are what an intake does to uploads on purpose, before it reads their
// body. The zero value does nothing. A refused upload counts nothing but itself.
//
// Over HTTP and gRPC an upload is a request; over the Graphite listener it is a
// block of lines as it is read, and because lines are never answered an error
// means nothing there, an outage and a reset both reset the connection. Scrapes,
// files and outputs are the intake's own doing, and are spared.
type Faults struct {
	Latency      time.Duration // before each upload is looked at; the mean, where it has a shape
	LatencyShape LatencyShape

	ErrorRate   float64 // share of uploads refused, 0 to 1
	ErrorStatus int     // the HTTP status they are refused with, 400 to 599
	ResetRate   float64 // share of uploads whose connection is reset without an answer, 0 to 1
	// Seed decides which uploads are struck and how long each is held: the same
	// numbers in order of arrival for the same seed.
	Seed uint64

	// Uploads that arrive in [OutageFrom, OutageTo) since Run began are refused
	// with 503.
	OutageFrom, OutageTo time.Duration

	SlowRead int64 // bytes a second that are read from each connection; 0 is no limit
}

// LatencyShape is how latencies are distributed around their mean.
type LatencyShape uint8

// The shapes.
const (
	Fixed       LatencyShape = iota // the mean, always
	Uniform                         // evenly between 0 and twice the mean
	Exponential                     // most are short, a few several times the mean
)

var latencyShapes = []string{"fixed", "uniform", "exponential"}

// String is the shape as ParseLatency reads it.
func (s LatencyShape) String() string {
	if int(s) < len(latencyShapes) {
		return latencyShapes[s]
	}
	return fmt.Sprintf("LatencyShape(%d)", uint8(s))
}

// ParseLatency reads a duration, such as 20ms, or SHAPE:MEAN, such as
// exponential:20ms.
func ParseLatency(text string) (mean time.Duration, shape LatencyShape, err error) {
	word := text
	if name, rest, found := strings.Cut(text, ":"); found {
		if at := slices.Index(latencyShapes, name); at >= 0 {
			shape, word = LatencyShape(at), rest
		}
	}
	mean, err = time.ParseDuration(word)
	if err != nil || mean < 0 {
		return 0, 0, fmt.Errorf("latency is %q, want a duration such as 20ms, uniform:20ms or exponential:20ms", text)
	}
	return mean, shape, nil
}

// at is the latency of a uniform random number of [0, 1). The exponential
// distribution is drawn by the inverse of its distribution function.
func (s LatencyShape) at(mean time.Duration, u float64) time.Duration {
	switch s {
	case Uniform:
		return time.Duration(2 * u * float64(mean))
	case Exponential:
		return time.Duration(-math.Log1p(-u) * float64(mean))
	}
	return mean
}

// ParseOutage reads FROM-TO, two durations since the start, such as 2s-5s.
func ParseOutage(text string) (from, to time.Duration, err error) {
	before, after, _ := strings.Cut(text, "-")
	from, fromErr := time.ParseDuration(before)
	to, toErr := time.ParseDuration(after)
	if fromErr != nil || toErr != nil || from < 0 || to < from {
		return 0, 0, fmt.Errorf("outage is %q, want FROM-TO since the start, such as 2s-5s", text)
	}
	return from, to, nil
}

// Decision is what becomes of one upload.
type Decision struct {
	Delay  time.Duration // before anything else
	Outage bool          // it is refused because there is an outage
	Reset  bool          // its connection is reset; no other answer is given
	Status int           // the HTTP status that it is refused with; 0 when it is to be taken
}

// Decide says what becomes of upload number, from 1, when it arrives at since
// Run began. It is a pure function, so that the same seed strikes the same
// uploads however many connections they come on. Of several faults an outage
// comes first, then a reset; each is drawn by itself, so that a change of one
// leaves the others as they were.
func (f Faults) Decide(number uint64, since time.Duration) Decision {
	var d Decision
	if f.Latency > 0 || f.ErrorRate > 0 || f.ResetRate > 0 {
		random := rand.New(rand.NewPCG(f.Seed, number))
		failed, reset, delay := random.Float64(), random.Float64(), random.Float64()
		d.Delay = f.LatencyShape.at(f.Latency, delay)
		d.Reset = reset < f.ResetRate
		if failed < f.ErrorRate {
			d.Status = f.ErrorStatus
		}
	}
	if since >= f.OutageFrom && since < f.OutageTo {
		d.Outage, d.Reset, d.Status = true, false, http.StatusServiceUnavailable
	}
	return d
}

func (f Faults) validate() (faults []error) {
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf("intake: "+format, args...))
		}
	}
	share := func(x float64) bool { return x >= 0 && x <= 1 }
	check(f.Latency >= 0, "latency is %v, want 0 or more", f.Latency)
	check(int(f.LatencyShape) < len(latencyShapes), "latency has the shape %v, want one of %s", f.LatencyShape, strings.Join(latencyShapes, ", "))
	check(share(f.ErrorRate), "error rate is %v, want 0 to 1", f.ErrorRate)
	check(f.ErrorRate == 0 || f.ErrorStatus >= 400 && f.ErrorStatus <= 599, "error status is %d, want 400 to 599", f.ErrorStatus)
	check(share(f.ResetRate), "reset rate is %v, want 0 to 1", f.ResetRate)
	check(f.OutageFrom >= 0 && f.OutageFrom <= f.OutageTo, "outage is from %v to %v, want 0 <= from <= to", f.OutageFrom, f.OutageTo)
	check(f.SlowRead >= 0, "slow reads are of %d bytes a second, want 0 or more", f.SlowRead)
	return faults
}

var errStopping = errors.New("the intake is stopping")

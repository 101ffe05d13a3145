package intake

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Faults are what an intake does to uploads on purpose, before it reads their
// body. The zero value does nothing. A refused upload counts nothing but itself.
//
// They begin with Run, or where FaultsWait is set with BeginFaults; only SlowRead
// holds at all times.
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

	// Uploads that arrive in [OutageFrom, OutageTo) since the faults began are
	// refused with 503.
	OutageFrom, OutageTo time.Duration

	SlowRead int64 // bytes a second that are read from each connection; 0 is no limit
}

// LatencyShape is how latencies are distributed around their mean.
type LatencyShape string

// The shapes.
const (
	Fixed       LatencyShape = ""            // the mean, always
	Uniform     LatencyShape = "uniform"     // evenly between 0 and twice the mean
	Exponential LatencyShape = "exponential" // most are short, a few several times the mean
)

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

// Decide says what becomes of upload number, from 1, when it arrives at since the
// faults began. It is a pure function, so that the same seed strikes the same
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
	check(slices.Contains([]LatencyShape{Fixed, Uniform, Exponential}, f.LatencyShape), "latency has the shape %q, want %s, %s, or none", f.LatencyShape, Uniform, Exponential)
	check(share(f.ErrorRate), "error rate is %v, want 0 to 1", f.ErrorRate)
	check(f.ErrorRate == 0 || f.ErrorStatus >= 400 && f.ErrorStatus <= 599, "error status is %d, want 400 to 599", f.ErrorStatus)
	check(share(f.ResetRate), "reset rate is %v, want 0 to 1", f.ResetRate)
	check(f.OutageFrom >= 0 && f.OutageFrom <= f.OutageTo, "outage is from %v to %v, want 0 <= from <= to", f.OutageFrom, f.OutageTo)
	check(f.SlowRead >= 0, "slow reads are of %d bytes a second, want 0 or more", f.SlowRead)
	return faults
}

// Struck counts what Faults did to the uploads that came since they began, tries
// again included.
type Struck struct {
	Uploads int64 // that came
	Delayed int64 // of these, held by a latency
	// Of these, refused, and so part of Activity.Refused, by cause.
	Errors, Resets, Outage int64
	Last                   time.Time // when the last of Uploads came; zero before the first
}

// faultClock is when the faults began, and what they did since.
type faultClock struct {
	began atomic.Pointer[time.Time] // nil before

	uploads, delayed, errors, resets, outage atomic.Int64

	last atomic.Int64 // nanoseconds since began
}

// number is that of an upload which has just come in, from 1, and how long ago
// the faults began; 0 before they did.
func (c *faultClock) number() (number uint64, since time.Duration) {
	began := c.began.Load()
	if began == nil {
		return 0, 0
	}
	if since = time.Since(*began); since < 0 {
		return 0, 0
	}
	c.last.Store(int64(since)) // of two at the same instant either is the last
	return uint64(c.uploads.Add(1)), since
}

// refused counts an upload that is refused by what was decided, if it is.
func (c *faultClock) refused(d Decision) {
	switch {
	case d.Outage:
		c.outage.Add(1)
	case d.Reset:
		c.resets.Add(1)
	case d.Status != 0:
		c.errors.Add(1)
	}
}

func (c *faultClock) struck() Struck {
	s := Struck{Uploads: c.uploads.Load(), Delayed: c.delayed.Load(), Errors: c.errors.Load(), Resets: c.resets.Load(), Outage: c.outage.Load()}
	if began := c.began.Load(); began != nil && s.Uploads > 0 {
		s.Last = began.Add(time.Duration(c.last.Load()))
	}
	return s
}

// BeginFaults starts the clock of the faults at an instant, which may lie ahead:
// uploads before it are spared, and not counted as Struck.
func (i *Intake) BeginFaults(at time.Time) { i.clock.began.Store(&at) }

var errStopping = errors.New("the intake is stopping")

package saturation

import (
	"fmt"
	"slices"
	"time"

	"floodgate/internal/record"
	"floodgate/scenarios"
)

// Source is what a backlog was told from.
type Source string

// The sources, by what waits: messages sent, or due where a full socket holds its
// senders up, and not read or dropped yet, as the target tells; bytes in its
// socket; messages due that a unix socket has not taken. A drain is told from the
// messages that arrived at the intake, or from how long the target was not quiet.
const (
	NotTold  Source = ""
	Received Source = "received"
	Socket   Source = "socket"
	Sender   Source = "sender"
	Arrivals Source = "arrivals"
	Quiet    Source = "quiet"
)

// Backlog is what a target had not worked off of one load.
type Backlog struct {
	From Source
	// Growth is by how much the backlog rose over the second half of the load, as a
	// share of what was offered meanwhile; 0 where it fell. Nil where NotTold.
	Growth *float64

	DrainFrom Source
	Drain     *float64 // seconds from the end of the load until it was worked off; nil where NotTold
	Unended   bool     // the limit for draining came first
}

// growthLimit is the share of the load by which a backlog may grow. A target that
// takes 98 % of what is offered is within any precision that makes sense; less
// than that is lost in the readings, which come every 100 ms.
const growthLimit = 0.02

// leastReadings is how many readings of the second half it takes.
const leastReadings = 4

// readingSlack is what two readings, 100 ms apart, can add to a drain time.
const readingSlack = 200 * time.Millisecond

// growing says in words how the target falls behind; empty if it does not.
func (b Backlog) growing(l Limits) string {
	limit := 2 * l.Flush
	if b.DrainFrom == Quiet {
		limit *= 2 // quiet itself is told by two intervals
	}
	limit += readingSlack
	switch {
	case b.Growth != nil && *b.Growth > growthLimit:
		return fmt.Sprintf("the backlog grew by %s of the load", scenarios.Format(*b.Growth, scenarios.Ratio))
	case b.Unended:
		return "the target had not drained when the limit came"
	case b.Drain != nil && *b.Drain > limit.Seconds():
		return fmt.Sprintf("it took %s to drain, and %v is the limit", scenarios.Format(*b.Drain, scenarios.Seconds), limit)
	}
	return ""
}

// backlog reads what waited out of the timeline of a replicate.
func (l Limits) backlog(rate float64, rec *record.Record) Backlog {
	var b Backlog
	times, waiting, from := l.waiting(rec)
	if slope, told := theilSen(times, waiting); told {
		growth := max(0, slope/rate)
		b.Growth, b.From = &growth, from
	}
	b.Drain, b.DrainFrom = l.drain(rec)
	for _, p := range rec.Phases {
		b.Unended = b.Unended || p.Name == record.PhaseDraining && l.Drain > 0 && p.Duration >= l.Drain.Seconds()
	}
	return b
}

// waiting is what waited at each reading of the second half of the load, in
// messages.
func (l Limits) waiting(rec *record.Record) (times, waiting []float64, from Source) {
	columns := rec.Timeline.Columns
	at := columns[record.ColumnTime]
	_, udp := columns[record.ColumnKernelQueue]
	arrived := columns[record.ColumnOffered] // a unix socket that is full keeps messages with their sender
	if udp {
		arrived = columns[record.ColumnSent]
	}
	received := columns[record.ColumnReceived]
	take := func(value func(i int) (float64, bool)) {
		times, waiting = nil, nil
		for i, x := range at {
			if x < l.Over.Seconds()/2 || x > l.Over.Seconds() {
				continue
			}
			if y, told := value(i); told {
				times, waiting = append(times, x), append(waiting, y)
			}
		}
	}
	if received != nil && arrived != nil {
		dropped := columns[record.ColumnKernelDropped]
		take(func(i int) (float64, bool) {
			if i > 0 && received[i] == received[i-1] {
				return 0, false // an answer that was repeated, for want of another
			}
			y := arrived[i] - received[i]
			if dropped != nil {
				y -= dropped[i] * l.MessagesPerDatagram
			}
			return y, true
		})
		if len(times) >= leastReadings {
			return times, waiting, Received
		}
	}
	switch {
	case udp && l.BytesPerMessage > 0:
		queue := columns[record.ColumnKernelQueue]
		take(func(i int) (float64, bool) { return queue[i] / l.BytesPerMessage, true })
		return times, waiting, Socket
	case !udp && arrived != nil:
		sent := columns[record.ColumnSent]
		take(func(i int) (float64, bool) { return arrived[i] - sent[i], true })
		return times, waiting, Sender
	}
	return nil, nil, NotTold
}

// theilSen is the median of the slopes between all pairs of points, which a few
// wild readings do not move (Sen 1968, J. Am. Stat. Assoc. 63).
func theilSen(x, y []float64) (slope float64, told bool) {
	if len(x) < leastReadings {
		return 0, false
	}
	var slopes []float64
	for i := range x {
		for j := range i {
			if x[i] != x[j] {
				slopes = append(slopes, (y[i]-y[j])/(x[i]-x[j]))
			}
		}
	}
	if len(slopes) == 0 {
		return 0, false
	}
	slices.Sort(slopes)
	n := len(slopes)
	return (slopes[(n-1)/2] + slopes[n/2]) / 2, true
}

// drained is the share of what arrived that must have done so: what trickles in
// after it is no backlog.
const drained = 0.999

// drain is how long after the load everything had arrived, by the messages that
// the intake decoded: other uploads, such as figures of the target's own, do not
// count. Where that shows nothing, it is how long the target was not quiet.
func (l Limits) drain(rec *record.Record) (*float64, Source) {
	at, arrived := rec.Timeline.Columns[record.ColumnTime], rec.Timeline.Columns[record.ColumnDelivered]
	if n := len(arrived); n > 0 && arrived[n-1] > 0 {
		last := slices.IndexFunc(arrived, func(y float64) bool { return y >= drained*arrived[n-1] })
		drain := max(0, at[last]-l.Over.Seconds())
		return &drain, Arrivals
	}
	for _, p := range rec.Phases {
		if p.Name == record.PhaseDraining {
			return &p.Duration, Quiet
		}
	}
	return nil, NotTold
}

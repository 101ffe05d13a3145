package harness

import (
	"math"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"floodgate/internal/record"
	"floodgate/loadgen"
	"floodgate/scenarios"
)

// mostAges bounds how many messages the age is taken of; where there are more,
// each stands for its neighbours.
const mostAges = 1 << 20

// oldest is the end of the histogram of ages.
const oldest = time.Hour

// tellsAges reports whether the ages of messages can be told from what arrived:
// all messages of the load did, each as a share of a sum, by uploads that the
// target made of itself.
func tellsAges(l *record.Ledger, o *outcome, sink scenarios.Sink) bool {
	return l.Sent > 0 && l.Sent == l.Offered && l.Delivered != nil && *l.Delivered == l.Sent && l.Undecided == 0 &&
		l.Hostile == 0 && o.gauges == 0 && o.fractions == 0 && sink != scenarios.SinkPrometheus
}

// freshness is how old messages were, since they were due, when their effect
// arrived at the intake. Series have no mark of the messages in them, so these
// are matched in order: the k-th message to arrive is taken for the k-th that was
// due. Of all ways to match them this is the one with the smallest maximum; the
// mean is the same in all. Beside a gauge or a loss there is no such order, and
// the result is nil where the steps are not as many messages as the schedule has.
func freshness(schedule loadgen.Schedule, start time.Time, steps []step) *hdrhistogram.Histogram {
	total := schedule.Total()
	arrived := 0.0
	for _, s := range steps {
		arrived += s.messages
	}
	if total == 0 || math.Abs(arrived-float64(total)) > 0.5 {
		return nil
	}
	h := hdrhistogram.New(1, int64(oldest), 3)
	stride := 1 + (total-1)/mostAges
	next, through := 0, int64(math.Round(steps[0].messages))
	sum := steps[0].messages
	for i := int64(0); i < total; i += stride {
		for through <= i && next+1 < len(steps) {
			next++
			sum += steps[next].messages
			through = int64(math.Round(sum))
		}
		age := steps[next].at.Sub(start) - schedule.Due(i)
		// The clamps keep the recorder from refusing it.
		_ = h.RecordValues(int64(min(max(age, 0), oldest)), min(stride, total-i))
	}
	return h
}

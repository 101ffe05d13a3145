package saturation

import (
	"fmt"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"floodgate/internal/record"
	"floodgate/scenarios"
)

// Finding is what one replicate says of its rate.
type Finding string

// The findings. The zero Finding is none of them.
const (
	Held  Finding = "held"
	Broke Finding = "broke" // lost too much, fell behind, or failed
	Late  Finding = "late"  // the generator did not offer it as it should
	Doubt Finding = "doubt" // it was not measured
)

// Trial is one replicate at one rate. Pointers are nil where a quantity was not
// measured.
type Trial struct {
	Rate      int64 // offered, in messages per second
	Replicate int   // among those of its rate, from 0
	Finding   Finding
	Reason    string // in words, unless it held
	// Disturbed says in words what the machine did meanwhile that may be why it
	// did not hold; "" for nothing. Such a trial is repeated: see Counted.
	Disturbed string

	Loss       *float64 // share of the messages offered; also those that a sender who does not wait gave up
	CPU        *float64 // seconds per message
	LatencyP99 *float64 // seconds, from the socket until aggregated
	Backlog    Backlog
	Warnings   []string
}

// Patience is how many trials of one rate are repeated because the machine was
// disturbed. After that they count: it may be the load that disturbs it.
const Patience = 2

// Counted is the trials that say something of their rate: without those that
// did not hold while the machine was disturbed, up to Patience of each rate.
func Counted(trials []Trial) []Trial {
	var counted []Trial
	repeated := map[int64]int{}
	for _, t := range trials {
		if t.Disturbed != "" && (t.Finding == Broke || t.Finding == Late) && repeated[t.Rate] < Patience {
			repeated[t.Rate]++
			continue
		}
		counted = append(counted, t)
	}
	return counted
}

// disturbed says what the machine did during a replicate that may have made it
// fail.
func disturbed(rec *record.Record) string {
	if steal := rec.Environment.StealFraction; steal != nil && *steal > record.StealLimit {
		return fmt.Sprintf("the hypervisor took %s of the CPU time", scenarios.Format(*steal, scenarios.Ratio))
	}
	dropped := rec.Ledger.KernelDropped
	if late := measure(rec, "wake_late_max"); late != nil && *late > record.WakeLateLimit.Seconds() && dropped != nil && *dropped > 0 {
		return fmt.Sprintf("the target's reader was woken %s late", scenarios.Format(*late, scenarios.Seconds))
	}
	return ""
}

// Limits say when a rate holds, and what is needed to tell.
type Limits struct {
	Loss  float64       // the largest share that may be lost
	Flush time.Duration // interval at which the target flushes
	Over  time.Duration // length of the load
	Drain time.Duration // after which waiting for the target to drain was given up

	// MessagesPerDatagram and BytesPerMessage, on the wire, are those of the load.
	MessagesPerDatagram, BytesPerMessage float64
}

// Of says what a replicate shows of its rate: whether no more than Limits.Loss
// was lost and the backlog is stable. It reads the record only.
func (l Limits) Of(rate int64, rec *record.Record) Trial {
	t := Trial{Rate: rate, Replicate: rec.Replicate, Warnings: rec.Warnings, Disturbed: disturbed(rec)}
	t.Loss, t.CPU = loss(rec), measure(rec, "cpu_per_message")
	if h, err := hdrhistogram.Decode([]byte(rec.Histograms[record.HistogramIngestLatency])); err == nil && h.TotalCount() > 0 {
		p99 := time.Duration(h.ValueAtPercentile(99)).Seconds()
		t.LatencyP99 = &p99
	}
	if rec.Invalid != "" {
		t.Finding, t.Reason = invalid(rec), rec.Invalid
		return t
	}
	t.Backlog = l.backlog(float64(rate), rec)
	behind := t.Backlog.growing(l)
	switch {
	case t.Loss == nil:
		t.Finding, t.Reason = Doubt, "nothing tells what the target lost"
	case *t.Loss > l.Loss:
		t.Finding, t.Reason = Broke, fmt.Sprintf("%s was lost", scenarios.Format(*t.Loss, scenarios.Ratio))
		if t.Reason == "0% was lost" { // two decimals do not show it
			t.Reason = fmt.Sprintf("%d of %d messages were lost", rec.Ledger.Lost()+rec.Ledger.GivenUp, rec.Ledger.Offered)
		}
	case behind != "":
		t.Finding, t.Reason = Broke, behind
	default:
		t.Finding = Held
	}
	return t
}

// loss is the share of what was offered that did not arrive; nil where that is not
// known.
func loss(rec *record.Record) *float64 {
	l := &rec.Ledger
	if !l.LossKnown() || l.Offered == 0 {
		return nil
	}
	share := float64(l.Lost()+l.GivenUp) / float64(l.Offered)
	return &share
}

func measure(rec *record.Record, name string) *float64 {
	if m, measured := rec.Measure(name); measured {
		return &m.Value
	}
	return nil
}

// invalid is what a replicate that must not be judged says of its rate: that the
// generator was in the way, that the target failed under it, or nothing.
func invalid(rec *record.Record) Finding {
	if strings.HasPrefix(rec.Invalid, "the generator ") {
		return Late
	}
	// One that was accounted for is void for another reason than a failure.
	if len(rec.Measures) > 0 || len(rec.Phases) == 0 {
		return Doubt
	}
	switch last := rec.Phases[len(rec.Phases)-1].Name; {
	case last == record.PhaseMeasuring, last == record.PhaseDraining:
		return Broke
	case last == record.PhaseStopping && rec.LastWords != "": // kept when it died
		return Broke
	}
	return Doubt
}

package record

import "fmt"

// Ledger accounts for every message of a replicate, by the place where it
// went. All counts are messages (lines, not datagrams). A pointer is nil where
// the target does not tell: absent is not zero.
//
//	offered    = sent + given_up + not_sent
//	sent       = received + kernel_dropped
//	received   = aggregated + queue_dropped + malformed + truncated + rejected + shutdown_dropped
//	aggregated = delivered + upload_failed
//
// For a target that tells only what arrives at the intake, the stages between
// are one loss, Unattributed. Where the output is not counted, Delivered is
// absent, the last stage that is known takes its place, and Unattributed is
// what is behind no stage: lost, or of unknown fate. Unaccounted is what no
// stage explains; it must be 0 or the replicate is invalid.
type Ledger struct {
	Offered int64 `json:"offered"`  // due by the schedule
	NotSent int64 `json:"not_sent"` // due, but not handed to the kernel
	Sent    int64 `json:"sent"`     // handed to the kernel
	// GivenUp were dealt with on time, but there was no room for them, and their
	// sender does not wait. They were never sent, so no target has lost them.
	GivenUp int64 `json:"given_up,omitempty"`
	// Hostile is how many of the load are no messages, by intention: a target must
	// refuse them, so what it counts as malformed or truncated is no loss up to
	// that number. One that does not tell is taken to have refused all of them.
	Hostile int64 `json:"hostile,omitempty"`

	KernelDropped *int64 `json:"kernel_dropped,omitempty"` // lost in the target's socket buffer
	Received      *int64 `json:"received,omitempty"`       // read by the target

	QueueDropped    *int64 `json:"queue_dropped,omitempty"`    // no room in the target's queue
	Malformed       *int64 `json:"malformed,omitempty"`        // lines that were no message
	Truncated       *int64 `json:"truncated,omitempty"`        // lines cut by a datagram longer than the buffer
	Rejected        *int64 `json:"rejected,omitempty"`         // over the limit of contextKeys
	ShutdownDropped *int64 `json:"shutdown_dropped,omitempty"` // still queued when the target stopped

	Aggregated   *int64 `json:"aggregated,omitempty"`    // merged into a bucket
	UploadFailed *int64 `json:"upload_failed,omitempty"` // merged, but the intake never took them
	Delivered    *int64 `json:"delivered,omitempty"`     // their effect was decoded at the intake
	Undecided    int64  `json:"undecided,omitempty"`     // aggregated, in kinds whose delivery cannot be told from the series

	Unattributed int64 `json:"unattributed"` // lost inside a target that does not say where
	Unaccounted  int64 `json:"unaccounted"`  // explained by nothing
}

// Balance fills Unattributed and Unaccounted from the stages that are known
// and returns, in words, each equation that does not hold. It changes nothing
// else.
func (l *Ledger) Balance() []string {
	l.Unattributed, l.Unaccounted = 0, 0
	var faults []string
	// equation books the difference whole = sum(parts) as unaccounted.
	equation := func(name string, whole, parts int64) {
		if diff := whole - parts; diff != 0 {
			l.Unaccounted += abs(diff)
			faults = append(faults, fmt.Sprintf("%s: %d against %d, %+d unexplained", name, whole, parts, diff))
		}
	}
	equation("offered = sent + given_up + not_sent", l.Offered, l.Sent+l.GivenUp+l.NotSent)
	if l.Received == nil || l.Aggregated == nil {
		// A foreign target: only its socket and its output are visible.
		return append(faults, l.attribute()...)
	}
	if l.KernelDropped != nil {
		equation("sent = received + kernel_dropped", l.Sent, *l.Received+*l.KernelDropped)
	} else {
		// No drop counter (unix sockets): a blocking sender loses nothing there.
		equation("sent = received", l.Sent, *l.Received)
	}
	equation("received = aggregated + queue_dropped + malformed + truncated + rejected + shutdown_dropped",
		*l.Received, *l.Aggregated+value(l.QueueDropped)+value(l.Malformed)+value(l.Truncated)+value(l.Rejected)+value(l.ShutdownDropped))
	if l.Delivered != nil {
		equation("aggregated = delivered + upload_failed", *l.Aggregated, *l.Delivered+l.Undecided+value(l.UploadFailed))
	}
	return faults
}

// attribute makes one loss of the stages that are not known.
func (l *Ledger) attribute() []string {
	arrived, stage := value(l.Delivered)+l.Undecided, "delivered"
	if l.Delivered == nil {
		// What the target dropped knowingly has its place.
		arrived, stage = value(l.Aggregated), "aggregated"
		for _, place := range []*int64{l.QueueDropped, l.Malformed, l.Truncated, l.Rejected, l.ShutdownDropped} {
			arrived += value(place)
		}
	}
	lost := l.Sent - arrived - value(l.KernelDropped)
	if l.Delivered != nil {
		lost -= min(max(0, lost), l.refused())
	}
	if lost < 0 {
		l.Unaccounted += -lost
		return []string{fmt.Sprintf("%s %d of %d sent: %d more than can have arrived", stage, arrived, l.Sent, -lost)}
	}
	l.Unattributed = lost
	return nil
}

// LossKnown reports whether it is known what was lost: something tells how many
// messages came through.
func (l *Ledger) LossKnown() bool { return l.Delivered != nil || l.Aggregated != nil || l.Sent == 0 }

// Lost is every message that was sent and whose effect did not arrive, at
// whatever place; where the output is not counted, which the target itself does
// not say it aggregated and passed on. It means nothing unless LossKnown.
func (l *Ledger) Lost() int64 {
	if l.Delivered == nil && l.Aggregated != nil {
		return l.Sent - *l.Aggregated + value(l.UploadFailed) - l.refused()
	}
	return l.Sent - value(l.Delivered) - l.Undecided - l.refused()
}

// refused is how many lines that are no messages were refused as such.
func (l *Ledger) refused() int64 {
	if l.Malformed == nil {
		return l.Hostile
	}
	return min(l.Hostile, *l.Malformed+value(l.Truncated))
}

// Count returns a pointer to n, for the stages of a ledger that are known.
func Count(n int64) *int64 { return &n }

func value(p *int64) int64 {
	if p == nil {
		return 0
	}
	return *p
}

func abs(n int64) int64 {
	if n < 0 {
		return -n
	}
	return n
}

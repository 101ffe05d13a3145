package reports

import (
	"strconv"
	"strings"

	"floodgate/internal/record"
)

// place is one line of the ledger: a stage that messages reached, or a place
// where they were lost.
type place struct {
	name  string
	stage bool // a stage (offered, sent, …), not a loss
	words string
	count func(*record.Ledger) *int64 // nil: the target does not tell
}

// places lists the ledger in the order of the data path.
var places = []place{
	{"offered", true, "due by the schedule", func(l *record.Ledger) *int64 { return &l.Offered }},
	{"given_up", false, "never sent: there was no room, and the sender does not wait", func(l *record.Ledger) *int64 { return &l.GivenUp }},
	{"not_sent", false, "due, but never handed to the kernel", func(l *record.Ledger) *int64 { return &l.NotSent }},
	{"sent", true, "handed to the kernel", func(l *record.Ledger) *int64 { return &l.Sent }},
	{"kernel_dropped", false, "no room in the target's socket buffer", func(l *record.Ledger) *int64 { return l.KernelDropped }},
	{"received", true, "read by the target", func(l *record.Ledger) *int64 { return l.Received }},
	{"queue_dropped", false, "no room in the target's queue", func(l *record.Ledger) *int64 { return l.QueueDropped }},
	{"malformed", false, "lines that were no message", func(l *record.Ledger) *int64 { return l.Malformed }},
	{"truncated", false, "cut by a datagram longer than the buffer", func(l *record.Ledger) *int64 { return l.Truncated }},
	{"hostile", false, "of these two, what is no message by intention: no loss", func(l *record.Ledger) *int64 { return &l.Hostile }},
	{"rejected", false, "over the limit of contextKeys", func(l *record.Ledger) *int64 { return l.Rejected }},
	{"shutdown_dropped", false, "still queued when the target stopped", func(l *record.Ledger) *int64 { return l.ShutdownDropped }},
	{"aggregated", true, "merged into a bucket", func(l *record.Ledger) *int64 { return l.Aggregated }},
	{"upload_failed", false, "merged, but never taken by the intake", func(l *record.Ledger) *int64 { return l.UploadFailed }},
	{"delivered", true, "seen at the intake", func(l *record.Ledger) *int64 { return l.Delivered }},
	{"undecided", false, "aggregated in kinds whose delivery the series cannot show", func(l *record.Ledger) *int64 { return &l.Undecided }},
	{"unattributed", false, "inside a target that does not say where: lost, or of unknown fate where its output is not counted", func(l *record.Ledger) *int64 { return &l.Unattributed }},
	{"unaccounted", false, "explained by nothing", func(l *record.Ledger) *int64 { return &l.Unaccounted }},
}

// loss reports whether what is counted there is gone: neither a stage, nor what was
// no message by intention, nor what the series cannot tell.
func (p place) loss() bool { return !p.stage && p.name != "hostile" && p.name != "undecided" }

// placeWords explain the places among shown that are no stages.
func placeWords(shown []int) string {
	var words []string
	for _, i := range shown {
		if !places[i].stage {
			words = append(words, places[i].name+" ("+places[i].words+")")
		}
	}
	if len(words) == 0 {
		return ""
	}
	return "Places: " + strings.Join(words, ", ") + "."
}

// alwaysShown are the places that a table keeps even when they are 0.
var alwaysShown = map[string]bool{"offered": true, "sent": true, "delivered": true}

// ledgerWords explain the table of all scenarios.
const ledgerWords = "Sums over the valid replicates of each variant, in messages, from left to right as they go; – is not told by the target."

// tally is the ledger of a variant: the sums over its valid replicates.
type tally struct {
	role       string
	replicates int
	counts     []*int64 // by places; nil where some replicate does not tell
}

// sumLedgers adds up the ledgers of rs. A count that one of them does not tell
// is not told by the sum either.
func sumLedgers(role string, rs []*record.Record) tally {
	t := tally{role: role, replicates: len(rs), counts: make([]*int64, len(places))}
	if len(rs) == 0 {
		return t
	}
	for i, p := range places {
		var sum int64
		told := true
		for _, rec := range rs {
			n := p.count(&rec.Ledger)
			if n == nil {
				told = false
				break
			}
			sum += *n
		}
		if told {
			t.counts[i] = &sum
		}
	}
	return t
}

// of returns the count of the named place and whether it is told.
func (t tally) of(name string) (int64, bool) {
	for i, p := range places {
		if p.name == name && t.counts[i] != nil {
			return *t.counts[i], true
		}
	}
	return 0, false
}

// cell writes the count of place i.
func (t tally) cell(i int) string {
	if t.counts[i] == nil {
		return absent
	}
	return grouped(*t.counts[i])
}

// shareCell writes the count of place i as a share of what was sent. A loss
// that is not 0 never reads as 0 %.
func (t tally) shareCell(i int) string {
	sent, told := t.of("sent")
	if !told || sent == 0 || t.counts[i] == nil {
		return ""
	}
	n := *t.counts[i]
	percent := float64(n) / float64(sent) * 100
	text := strconv.FormatFloat(percent, 'f', 2, 64)
	switch {
	case n == 0:
		return "0 %"
	case n == sent:
		return "100 %"
	case text == "0.00":
		return "< 0.01 %"
	case text == "100.00":
		return "> 99.99 %"
	}
	return text + " %"
}

// tallies returns the ledger of each variant that ran in the scenario.
func (s *scene) tallies() []tally {
	var ts []tally
	for _, role := range s.roles() {
		ts = append(ts, sumLedgers(role, s.valid(role)))
	}
	return ts
}

// shownPlaces returns the indexes of the places worth a line or column: those
// always shown, and those that are not 0 in some tally.
func shownPlaces(ts []tally) []int {
	var shown []int
	for i, p := range places {
		keep := alwaysShown[p.name]
		for _, t := range ts {
			if n := t.counts[i]; n != nil && *n != 0 && !p.stage {
				keep = true
			}
		}
		if keep {
			shown = append(shown, i)
		}
	}
	return shown
}

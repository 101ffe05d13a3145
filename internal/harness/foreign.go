package harness

import (
	"fmt"

	"floodgate/internal/record"
)

// translated is the target's statistics as a ledger can use them. Those of the
// contract stay as they are. Those that were mapped from other names count
// datagrams, lines and events where the contract counts messages: what these are
// the same for is kept, and the rest is unknown, with a warning.
func translated(o observation) (s *Statistics, warnings []string) {
	if o.stats == nil || !o.stats.Foreign {
		return o.stats, nil
	}
	told := *o.stats
	s = &told
	if d := s.QueueDroppedDatagrams; d != nil && s.QueueDropped == nil {
		switch {
		case *d == 0 || o.oneLine:
			s.QueueDropped = record.Count(*d)
			if s.Received != nil { // they were read, but not looked at
				s.Received = record.Count(*s.Received + *d)
			}
		default:
			s.Received = nil
			warnings = append(warnings, fmt.Sprintf("the target's queue dropped %d datagrams; how many messages they held is not known", *d))
		}
	}
	if o.manyEvents && s.Aggregated != nil {
		s.Aggregated = nil
		warnings = append(warnings, "what the target says it aggregated is left out: it counts events, and sampled or packed messages make several of one")
	}
	if over := overCount(o, s); over != "" {
		s.Received, s.Aggregated = nil, nil
		warnings = append(warnings, "the target's own figures are left out, they cannot be of messages: "+over)
	}
	return s, warnings
}

// overCount says which figure is larger than it can be, or nothing.
func overCount(o observation, s *Statistics) string {
	sent := o.load.SentMessages
	switch {
	case s.Received != nil && *s.Received > sent:
		return fmt.Sprintf("%d received of %d sent", *s.Received, sent)
	case s.Aggregated != nil && *s.Aggregated > sent:
		return fmt.Sprintf("%d aggregated of %d sent", *s.Aggregated, sent)
	case s.Aggregated != nil && s.Received != nil && *s.Aggregated > *s.Received:
		return fmt.Sprintf("%d aggregated of %d received", *s.Aggregated, *s.Received)
	}
	return ""
}

// loosen makes one loss of unknown place of what a foreign target's figures do
// not explain: they are close to the contract's meaning, and not that meaning, so
// that a gap between them is no proof of a fault.
func loosen(l *record.Ledger) (warning string) {
	if l.Received == nil || l.Aggregated == nil {
		return ""
	}
	probe := *l
	if probe.Delivered == nil {
		probe.Delivered = record.Count(*l.Aggregated - value(l.UploadFailed))
	}
	if probe.Balance(); probe.Unaccounted == 0 {
		return ""
	}
	received := *l.Received
	l.Received = nil
	return fmt.Sprintf("the target's own figures leave a gap, which counts as lost at an unknown place: it says it received %d messages", received)
}

func value(n *int64) int64 {
	if n == nil {
		return 0
	}
	return *n
}

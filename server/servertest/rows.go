package servertest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"floodgate/internal/dogstatsd"
	"floodgate/internal/intake"
)

// row is messages, and what must come of them.
type row struct {
	why   string
	needs []Feature
	// send are datagrams. What a row sends has names of its own, so that all
	// rows can be sent to one target.
	send  []string
	wants []want
	// cause is why all but the good lines of a row are malformed, in the words of
	// malformed_by_cause; malformed is their number.
	cause     string
	malformed int64
	// datagrams says that the row means nothing on a stream.
	datagrams bool
}

// document is rows about one matter.
type document struct {
	name  string
	needs []Feature // of every row
	rows  []row
}

// documents are all documents.
func documents() []document {
	return []document{
		{"kinds", nil, kindRows}, {"lines", nil, lineRows}, {"packing", []Feature{Packing}, packingRows}, {"sampling", []Feature{Sampling}, samplingRows},
		{"tags", []Feature{Tags}, tagRows}, {"special tags", []Feature{Tags, SpecialTags}, specialTagRows}, {"names", []Feature{Names}, nameRows}, {"sections", []Feature{Sections}, sectionRows()},
		{"timestamps", []Feature{Timestamps}, timestampRows}, {"refusal", []Feature{Refusal}, refusalRows()},
		{"events", []Feature{Events}, eventRows}, {"service checks", []Feature{ServiceChecks}, checkRows},
	}
}

// skip says why a row is not for this target, or is empty.
func (s *suite) skip(d document, r row) string {
	if f := s.claims.missing(slices.Concat(d.needs, r.needs)...); f != "" {
		return fmt.Sprintf("the target does not claim %s", f)
	}
	for _, w := range r.wants {
		if w.kind != 0 && !slices.Contains(s.claims.Kinds, w.kind) {
			return fmt.Sprintf("the target does not claim the kind %v", w.kind)
		}
	}
	if s.stream() && r.datagrams {
		return "it is about datagrams, and this is a stream"
	}
	return ""
}

// messagesIn counts the lines of a datagram that are not empty.
func messagesIn(datagram string) int64 { return dogstatsd.CountMessages([]byte(datagram)) }

// documents sends every row that the claims allow to one target, ends it, and
// looks at what arrived.
func (s *suite) documents(t *testing.T) {
	o := s.open(t, atItsEnd, intake.Faults{})
	var wants []want
	malformed, causes := int64(0), map[string]int64{}
	for _, d := range documents() {
		for _, r := range d.rows {
			if s.skip(d, r) == "" {
				o.send(r.send...)
				wants = append(wants, r.wants...)
				malformed += r.malformed
				causes[r.cause] += r.malformed
			}
		}
	}
	quiet := o.settle()
	final := o.final()
	arrived := o.sink.Arrived()
	for _, d := range documents() {
		t.Run(d.name, func(t *testing.T) {
			for _, r := range d.rows {
				t.Run(r.why, func(t *testing.T) {
					if reason := s.skip(d, r); reason != "" {
						t.Skip(reason)
					}
					for _, w := range r.wants {
						for _, fault := range w.verify(arrived) {
							t.Error(fault)
						}
					}
					if t.Failed() {
						t.Logf("sent: %q", r.send)
					}
				})
			}
		})
	}
	for _, fault := range unexpected(arrived, wants) {
		t.Error(fault)
	}
	sent := stages{datagrams: o.datagrams, received: o.messages, malformed: malformed, causes: causes}
	if s.stream() {
		sent.datagrams = -1
	}
	s.verifyStages(t, "/stats", Statistics, quiet, sent)
	s.verifyStages(t, "final statistics", FinalStatistics, final, sent)
}

// each is messages with one datagram each.
func each(messages ...string) []string { return messages }

// together is messages in one datagram.
func together(messages ...string) []string { return []string{strings.Join(messages, "\n")} }

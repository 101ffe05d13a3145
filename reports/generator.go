package reports

import (
	"fmt"
	"math"

	"floodgate/internal/record"
	"floodgate/scenarios"
)

// generatorWords says how much of what the generator could send the loads of the
// records asked for, so that a reader can tell whether it was in the way itself;
// empty where no record knows. Loads differ, so both may be ranges.
func generatorWords(rs []*record.Record) string {
	of := func(value func(*record.Ceiling) float64) func(*record.Record) *float64 {
		return func(rec *record.Record) *float64 {
			if rec.Generator == nil || rec.Generator.Ceiling == nil {
				return nil
			}
			x := value(rec.Generator.Ceiling)
			return &x
		}
	}
	shares := span(of(func(c *record.Ceiling) float64 { return c.Share }), loadShare)(rs)
	if shares == "" {
		return ""
	}
	messages := span(of(func(c *record.Ceiling) float64 { return c.Messages }), rate)(rs)
	datagrams := span(of(func(c *record.Ceiling) float64 { return c.Datagrams }), rate)(rs)
	return fmt.Sprintf("at its busiest the load is %s of what this generator can send here: %s messages/s in %s datagrams/s", shares, messages, datagrams)
}

// ceilingOf is the ceiling that the load of a record came nearest to; nil where
// none was measured.
func ceilingOf(rs []*record.Record) *record.Ceiling {
	var nearest *record.Ceiling
	for _, rec := range rs {
		if g := rec.Generator; g != nil && g.Ceiling != nil && (nearest == nil || g.Ceiling.Share > nearest.Share) {
			nearest = g.Ceiling
		}
	}
	return nearest
}

// loadShare writes a share of the generator's ceiling, which is no more exact
// than to a few percent of itself.
func loadShare(x float64) string {
	if x < 0.01 {
		return "less than 1 %"
	}
	return grouped(int64(math.Round(100*x))) + " %"
}

// rate rounds to thousands, for the same reason.
func rate(x float64) string {
	if x < 1000 {
		return short(x, 2)
	}
	return grouped(int64(math.Round(x/1000)) * 1000)
}

// clientWords says which client library the messages went through, and what it
// dropped; empty without one.
func clientWords(rs []*record.Record) string {
	var all record.Client
	for _, rec := range rs {
		if rec.Generator == nil || rec.Generator.Client == nil {
			continue
		}
		c := rec.Generator.Client
		all.Name = c.Name
		all.Written += c.Written
		all.Payloads += c.Payloads
		all.QueueDropped += c.QueueDropped
		all.WriterDropped += c.WriterDropped
	}
	if all.Name == "" {
		return ""
	}
	words := fmt.Sprintf("%s wrote %s messages in %s payloads", all.Name, grouped(all.Written), grouped(all.Payloads))
	if all.QueueDropped+all.WriterDropped > 0 {
		words += fmt.Sprintf(" and dropped %s for its full queue and %s that could not be written", grouped(all.QueueDropped), grouped(all.WriterDropped))
	}
	return words
}

// sendingWords are the parts of a load that say how it is sent, where that is not
// the plain way.
func sendingWords(l scenarios.Load) []string {
	if words := l.Sender.Words(); words != "" {
		return []string{words}
	}
	return nil
}

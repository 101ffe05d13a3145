package aggregate

import (
	"strings"

	"floodgate/internal/dogstatsd"
)

// Event is one event that was received. It is not aggregated, only held until
// the next cut.
type Event struct {
	Title, Text    string
	Timestamp      int64 // Unix seconds; the time of receipt when the message had none
	Host           string
	AggregationKey string
	Priority       string
	SourceType     string
	AlertType      string
	Tags           []string
}

// ServiceCheck is one service check that was received, likewise.
type ServiceCheck struct {
	Name      string
	Status    int
	Timestamp int64
	Host      string
	Tags      []string
	Message   string
}

// addSpecial keeps a line that is an event or a service check, and reports
// whether it was one, well formed or not.
func (t *Table) addSpecial(line []byte) bool {
	switch {
	case dogstatsd.IsEvent(line):
		e, fault := dogstatsd.ParseEvent(line)
		if t.room(fault) {
			t.events = append(t.events, Event{
				Title: string(e.Title), Text: string(e.Text), Timestamp: t.timeOf(e.Timestamp), Host: string(e.Host), AggregationKey: string(e.AggregationKey),
				Priority: string(e.Priority), SourceType: string(e.SourceType), AlertType: string(e.AlertType), Tags: splitTags(e.Tags)})
		}
	case dogstatsd.IsServiceCheck(line):
		c, fault := dogstatsd.ParseServiceCheck(line)
		if t.room(fault) {
			t.checks = append(t.checks, ServiceCheck{
				Name: string(c.Name), Status: c.Status, Timestamp: t.timeOf(c.Timestamp), Host: string(c.Host), Tags: splitTags(c.Tags), Message: string(c.Message)})
		}
	default:
		return false
	}
	return true
}

// room counts an event or a service check, and reports whether it is held.
func (t *Table) room(fault dogstatsd.Fault) bool {
	switch {
	case fault != dogstatsd.NoFault:
		t.Counts.Faults[fault]++
	case len(t.events)+len(t.checks) >= t.config.MaxEvents:
		t.Counts.Rejected++
	default:
		t.Counts.Aggregated++
		return true
	}
	return false
}

func (t *Table) timeOf(timestamp int64) int64 {
	if timestamp == 0 {
		return t.now / 1e9
	}
	return timestamp
}

func splitTags(tags []byte) []string {
	if len(tags) == 0 {
		return nil
	}
	return strings.Split(string(tags), ",")
}

package dogstatsd

import (
	"bytes"
	"strconv"
)

// Event is one event message. Its slices alias the line, but for Title and
// Text, which are copies where something had to be unescaped.
type Event struct {
	Title, Text    []byte
	Timestamp      int64  // Unix seconds, 0 when absent
	Host           []byte // h:
	AggregationKey []byte // k:
	Priority       []byte // p: "normal" or "low"; nil when absent
	SourceType     []byte // s:
	AlertType      []byte // t: "error", "warning", "info" or "success"; nil when absent
	Tags           []byte // without the '#', nil when absent
}

// IsEvent reports whether a line is meant to be an event, well formed or not.
func IsEvent(line []byte) bool { return bytes.HasPrefix(line, eventPrefix) }

// IsServiceCheck reports whether a line is meant to be a service check.
func IsServiceCheck(line []byte) bool { return bytes.HasPrefix(line, checkPrefix) }

var (
	eventPrefix = []byte("_e{")
	checkPrefix = []byte("_sc|")
	escapedLine = []byte(`\n`)
	newline     = []byte("\n")
)

// ParseEvent reads _e{TITLE LENGTH,TEXT LENGTH}:TITLE|TEXT and the optional
// sections behind it, for which IsEvent must hold. The lengths count bytes of
// the text as it stands in the line, with line ends written as \n. An optional
// section that cannot be read is ignored: an event is worth more than its
// priority.
func ParseEvent(line []byte) (Event, Fault) {
	lengths, rest, ok := bytes.Cut(line[len(eventPrefix):], []byte("}:"))
	if !ok {
		return Event{}, BadEvent
	}
	titleLength, textLength, ok := bytes.Cut(lengths, []byte{','})
	if !ok {
		return Event{}, BadEvent
	}
	title, errTitle := strconv.ParseUint(text(titleLength), 10, 31)
	body, errText := strconv.ParseUint(text(textLength), 10, 31)
	if errTitle != nil || errText != nil || title == 0 || title+1+body > uint64(len(rest)) || rest[title] != '|' {
		return Event{}, BadEvent
	}
	e := Event{Title: unescape(rest[:title]), Text: unescape(rest[title+1 : title+1+body])}
	rest = rest[title+1+body:]
	if len(rest) > 0 && rest[0] != '|' {
		return Event{}, BadEvent // the text is longer than it says
	}
	for len(rest) > 0 {
		var section []byte
		section, rest = cutSection(rest[1:])
		e.optional(section)
	}
	return e, NoFault
}

func (e *Event) optional(section []byte) {
	key, value, found := bytes.Cut(section, []byte{':'})
	switch {
	case len(section) > 0 && section[0] == '#':
		e.Tags = section[1:]
	case !found:
	case string(key) == "d":
		e.Timestamp = timestamp(value)
	case string(key) == "h":
		e.Host = value
	case string(key) == "k":
		e.AggregationKey = value
	case string(key) == "s":
		e.SourceType = value
	case string(key) == "p":
		if v := string(value); v == "normal" || v == "low" {
			e.Priority = value
		}
	case string(key) == "t":
		if v := string(value); v == "error" || v == "warning" || v == "info" || v == "success" {
			e.AlertType = value
		}
	}
}

// ServiceCheck is one service check message. Its slices alias the line, but for
// Message, which is a copy where something had to be unescaped.
type ServiceCheck struct {
	Name      []byte
	Status    int    // 0 ok, 1 warning, 2 critical, 3 unknown
	Timestamp int64  // Unix seconds, 0 when absent
	Host      []byte // h:
	Tags      []byte // without the '#', nil when absent
	Message   []byte // m:
}

// ParseServiceCheck reads _sc|NAME|STATUS and the optional sections behind it,
// in any order, for which IsServiceCheck must hold. Optional sections that
// cannot be read are ignored.
func ParseServiceCheck(line []byte) (ServiceCheck, Fault) {
	name, rest := cutSection(line[len(checkPrefix):])
	if len(name) == 0 || len(rest) == 0 {
		return ServiceCheck{}, BadServiceCheck
	}
	status, rest := cutSection(rest[1:])
	if len(status) != 1 || status[0] < '0' || status[0] > '3' {
		return ServiceCheck{}, BadServiceCheck
	}
	c := ServiceCheck{Name: name, Status: int(status[0] - '0')}
	for len(rest) > 0 {
		var section []byte
		section, rest = cutSection(rest[1:])
		key, value, found := bytes.Cut(section, []byte{':'})
		switch {
		case len(section) > 0 && section[0] == '#':
			c.Tags = section[1:]
		case !found:
		case string(key) == "d":
			c.Timestamp = timestamp(value)
		case string(key) == "h":
			c.Host = value
		case string(key) == "m":
			c.Message = unescape(value)
		}
	}
	return c, NoFault
}

// timestamp is 0 for what is none, which leaves the time to the receiver.
func timestamp(value []byte) int64 {
	ts, err := strconv.ParseInt(text(value), 10, 64)
	if err != nil || ts < 0 {
		return 0
	}
	return ts
}

// unescape turns the two characters \n into a line end.
func unescape(b []byte) []byte {
	if !bytes.Contains(b, escapedLine) {
		return b
	}
	return bytes.ReplaceAll(b, escapedLine, newline)
}

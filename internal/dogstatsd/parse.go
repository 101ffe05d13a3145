package dogstatsd

import (
	"bytes"
	"math"
	"strconv"
	"unsafe"
)

// Fault says why a line is no message. The zero Fault is none.
type Fault uint8

// The faults, by cause. Each costs its own line only, never its datagram.
const (
	NoFault          Fault = iota
	NoSeparator            // no ':' or no '|'
	EmptyName              // nothing before the ':'
	EmptyValue             // no value at all between ':' and '|'
	UnknownKind            // a type that is none of c g ms h d s
	BadValue               // a value that is no finite number
	BadRate                // a sample rate that is no finite number above 0
	BadTimestamp           // a timestamp that is no positive whole number
	BadTimestampKind       // a timestamp on a kind that cannot be sent unaggregated
	BadEvent               // an event whose lengths and text do not agree
	BadServiceCheck        // a service check without a name or a status of 0 to 3
	faults
)

// Faults is the number of causes, NoFault included: the size of a table of
// counters by cause.
const Faults = int(faults)

// String is the fault as it stands in statistics.
func (f Fault) String() string {
	return [...]string{"none", "no_separator", "empty_name", "empty_value", "unknown_kind",
		"bad_value", "bad_rate", "bad_timestamp", "bad_timestamp_kind", "bad_event", "bad_service_check"}[f]
}

// Error makes a Fault usable as an error. NoFault must not be used as one.
func (f Fault) Error() string { return "malformed message: " + f.String() }

// Split cuts a line into the name, the raw values and the rest, which begins
// with the '|' before the type. Name and rest together identify a message up to
// its values: two lines with equal name and rest have the same contextKey and
// the same sample rate. The slices alias line.
func Split(line []byte) (name, values, rest []byte, fault Fault) {
	bar := bytes.IndexByte(line, '|')
	if bar < 0 {
		return nil, nil, nil, NoSeparator
	}
	colon := bytes.IndexByte(line[:bar], ':')
	switch {
	case colon < 0:
		return nil, nil, nil, NoSeparator
	case colon == 0:
		return nil, nil, nil, EmptyName
	case colon+1 == bar:
		return nil, nil, nil, EmptyValue
	}
	return line[:colon], line[colon+1 : bar], line[bar:], NoFault
}

// Rest is what follows the values of a message.
type Rest struct {
	Kind        Kind
	Rate        float64 // sample rate, 1 when absent
	Tags        []byte  // without the '#', nil when absent; aliases the line
	Timestamp   int64   // Unix seconds, 0 when absent
	ContainerID []byte  // c:
	External    []byte  // e:
	Cardinality []byte  // card:
}

// ParseRest reads the part of a line that Split calls the rest. Sections after
// the type may come in any order; unknown ones are ignored, so that a newer
// client can be understood; of repeated ones the last counts.
func ParseRest(rest []byte) (Rest, Fault) {
	r := Rest{Rate: 1}
	section, rest := cutSection(rest[1:])
	r.Kind = kindOf(section)
	if r.Kind == 0 {
		return r, UnknownKind
	}
	for len(rest) > 0 {
		section, rest = cutSection(rest[1:])
		if len(section) == 0 {
			continue
		}
		switch {
		case section[0] == '#':
			r.Tags = section[1:]
		case section[0] == '@':
			rate, err := strconv.ParseFloat(text(section[1:]), 64)
			if err != nil || !(rate > 0) || math.IsInf(rate, 0) || math.IsInf(1/rate, 0) {
				return r, BadRate
			}
			r.Rate = rate
		case section[0] == 'T':
			ts, err := strconv.ParseInt(text(section[1:]), 10, 64)
			if err != nil || ts <= 0 {
				return r, BadTimestamp
			}
			r.Timestamp = ts
		case bytes.HasPrefix(section, []byte("c:")):
			r.ContainerID = section[2:]
		case bytes.HasPrefix(section, []byte("e:")):
			r.External = section[2:]
		case bytes.HasPrefix(section, []byte("card:")):
			r.Cardinality = section[5:]
		}
	}
	return r, NoFault
}

// cutSection returns b up to the next '|', and what follows from that '|' on.
func cutSection(b []byte) (section, rest []byte) {
	if i := bytes.IndexByte(b, '|'); i >= 0 {
		return b[:i], b[i:]
	}
	return b, nil
}

func kindOf(section []byte) Kind {
	if len(section) == 1 {
		switch section[0] {
		case 'c':
			return Counter
		case 'g':
			return Gauge
		case 'h':
			return Histogram
		case 'd':
			return Distribution
		case 's':
			return Set
		}
	}
	if len(section) == 2 && section[0] == 'm' && section[1] == 's' {
		return Timer
	}
	return 0
}

// CutValue returns the first of the packed values and what follows its ':'.
// Empty values between two colons are skipped; it returns nil when none is left.
func CutValue(values []byte) (value, rest []byte) {
	for len(values) > 0 {
		i := bytes.IndexByte(values, ':')
		if i < 0 {
			return values, nil
		}
		if i > 0 {
			return values[:i], values[i+1:]
		}
		values = values[1:]
	}
	return nil, nil
}

// ParseValue reads one finite number in the forms strconv.ParseFloat takes.
func ParseValue(b []byte) (float64, bool) {
	if x, ok := ParseDigits(b); ok {
		return x, true
	}
	return parseFloat(b)
}

// ExactDigits is how many digits a whole number may have that every float64
// holds exactly.
const ExactDigits = 15

// ParseDigits reads what most messages carry: 1 to ExactDigits digits and
// nothing else. Anything else is not ok, and for ParseValue.
func ParseDigits(b []byte) (float64, bool) {
	var x uint64
	for _, c := range b {
		d := uint64(c - '0')
		if d > 9 {
			return 0, false
		}
		x = x*10 + d
	}
	return float64(x), len(b) > 0 && len(b) <= ExactDigits
}

func parseFloat(b []byte) (float64, bool) {
	x, err := strconv.ParseFloat(text(b), 64)
	if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
		return 0, false
	}
	return x, true
}

// text views b as a string without copying. strconv keeps its argument only
// inside errors, which are dropped above.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// CountMessages counts the lines of a datagram that hold a message: all but
// empty ones. Its complement, which of them are well formed, costs a parse.
func CountMessages(datagram []byte) int64 {
	var n int64
	for len(datagram) > 0 {
		var line []byte
		line, datagram = CutLine(datagram)
		if len(line) > 0 {
			n++
		}
	}
	return n
}

// CutLine returns the first line of b without its line end ('\n', or "\r\n"),
// and the rest of b.
func CutLine(b []byte) (line, rest []byte) {
	line = b
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		line, rest = b[:i], b[i+1:]
	}
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line, rest
}

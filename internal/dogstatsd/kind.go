// Package dogstatsd is the wire format: it appends messages to datagrams and
// parses them back. It is pure: no clock, no socket, no allocation on either
// path.
package dogstatsd

// Kind is the type of a message on the wire.
type Kind uint8

// The kinds. The zero Kind is none of them, so that a forgotten one is seen.
const (
	Counter      Kind = iota + 1 // c: summed
	Gauge                        // g: the last value stands
	Timer                        // ms: a histogram of milliseconds
	Histogram                    // h
	Distribution                 // d: aggregated as a sketch
	Set                          // s: distinct members are counted
)

// Kinds lists every kind in the order of the constants.
var Kinds = []Kind{Counter, Gauge, Timer, Histogram, Distribution, Set}

// String is the kind as it stands on the wire: "c", "g", "ms", "h", "d" or "s".
func (k Kind) String() string {
	switch k {
	case Counter:
		return "c"
	case Gauge:
		return "g"
	case Timer:
		return "ms"
	case Histogram:
		return "h"
	case Distribution:
		return "d"
	case Set:
		return "s"
	}
	return "?"
}

// KindOf returns the kind that stands for text on the wire, and whether there
// is one.
func KindOf(text string) (Kind, bool) {
	for _, k := range Kinds {
		if k.String() == text {
			return k, true
		}
	}
	return 0, false
}

// Package payload is the formats of the intake: series as version 2 JSON or
// protobuf, sketches as protobuf, events and service checks as JSON, and the
// compression around them. It is pure: bytes in, bytes out.
package payload

// Type is how an intake combines the points of a series.
type Type uint8

// The types, with the numbers of the version 2 series format.
const (
	Unspecified Type = 0
	Count       Type = 1 // the sum over the interval
	Rate        Type = 2 // the sum divided by the interval
	Gauge       Type = 3 // the value at the end of the interval
)

// String is the type in words, as version 1 spells it.
func (t Type) String() string {
	switch t {
	case Count:
		return "count"
	case Rate:
		return "rate"
	case Gauge:
		return "gauge"
	}
	return "unspecified"
}

// Series is one decoded series: the points of one contextKey.
type Series struct {
	Metric   string
	Type     Type
	Interval int64 // seconds; 0 when not given
	Points   []Point
	Tags     []string // in the order received
	Host     string
}

// Point is one value at one time.
type Point struct {
	Timestamp int64 // Unix seconds
	Value     float64
}

package dogstatsd

import (
	"math"
	"strconv"
)

// Out is everything of an outgoing message but its values. Name and Tags are
// written as they are: the caller keeps ':', '|' and newlines out of the name
// and '|' and newlines out of the tags. The Append functions keep neither.
type Out struct {
	Name []byte
	Kind Kind
	// Rate is the sample rate. It stands on the wire only when it is between 0
	// and 1, because a message without one counts once.
	Rate float64
	Tags []byte // joined by commas, without '#'; empty for none
}

// AppendInt appends the line of m with its values to dst and returns the longer
// slice. There must be at least one value; several are packed into one message,
// name:v1:v2|kind. No newline follows: lines of a datagram are joined by one.
// It allocates only to grow dst.
func AppendInt(dst []byte, m *Out, values ...int64) []byte {
	dst = append(dst, m.Name...)
	for _, v := range values {
		dst = strconv.AppendInt(append(dst, ':'), v, 10)
	}
	return appendTail(dst, m)
}

// AppendFloat is AppendInt for values that are no whole numbers. Each is written
// with the fewest digits that read back as the same float64, and with an
// exponent only where plain digits would be absurdly long.
func AppendFloat(dst []byte, m *Out, values ...float64) []byte {
	dst = append(dst, m.Name...)
	for _, v := range values {
		dst = appendFloat(append(dst, ':'), v)
	}
	return appendTail(dst, m)
}

// AppendMember appends a message whose one value is text, the member of a set.
// The caller keeps '|' and newlines out of it.
func AppendMember(dst []byte, m *Out, member []byte) []byte {
	dst = append(append(dst, m.Name...), ':')
	return appendTail(append(dst, member...), m)
}

func appendTail(dst []byte, m *Out) []byte {
	dst = append(append(dst, '|'), m.Kind.String()...)
	if m.Rate > 0 && m.Rate < 1 {
		dst = appendFloat(append(dst, "|@"...), m.Rate)
	}
	if len(m.Tags) > 0 {
		dst = append(append(dst, "|#"...), m.Tags...)
	}
	return dst
}

// appendFloat keeps to plain digits over the range that metrics have, because
// not every server reads exponents.
func appendFloat(dst []byte, v float64) []byte {
	if size := math.Abs(v); size != 0 && (size < 1e-6 || size >= 1e21) {
		return strconv.AppendFloat(dst, v, 'e', -1, 64)
	}
	return strconv.AppendFloat(dst, v, 'f', -1, 64)
}

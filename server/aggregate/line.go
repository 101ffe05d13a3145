package aggregate

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"floodgate/internal/dogstatsd"
)

// line is a message on its way: name, ':', values, rest.
type line struct {
	text       []byte
	colon, bar int // where the ':' stands and where the rest begins; bar 0: not known
	print      fingerprint
	slot       uint64 // the first that was looked at
	alias      *alias // nil when it must be looked for in the slow way
	value      float64
	whole      bool // the values are one whole number, and this is value
}

func (l *line) name() []byte   { return l.text[:l.colon] }
func (l *line) values() []byte { return l.text[l.colon+1 : l.bar] }
func (l *line) rest() []byte   { return l.text[l.bar:] }

// split finds the parts of a line that looks like a message and their
// fingerprint, and reads its value on the way when that is one whole number. It
// says no more than where the parts would be: only if they were seen before they
// are a message for sure, and a line that was not takes the slow way.
func (l *line) split(s seeds) {
	text := l.text
	l.bar, l.whole = 0, false
	name := s.begin()
	colon := -1
	for i := 0; i+8 <= len(text); i += 8 {
		w := binary.LittleEndian.Uint64(text[i:])
		// A byte that is ':' becomes 0, and the lowest 0 its highest bit.
		x := w ^ ':'*everyByte
		if zero := (x - everyByte) &^ x & (everyByte << 7); zero != 0 {
			bits := bits.TrailingZeros64(zero) &^ 7
			colon = i + bits/8
			name = s.end(name, w&(1<<bits-1), colon)
			break
		}
		name = s.word(name, w)
	}
	if colon < 0 { // it is not there, or among the last bytes of a short line
		if colon = bytes.IndexByte(text, ':'); colon < 0 {
			return
		}
		name = s.ofName(text[:colon])
	}
	l.colon = colon
	var x uint64
	i := colon + 1
	for i < len(text) && text[i]-'0' <= 9 {
		x = x*10 + uint64(text[i]-'0')
		i++
	}
	if i < len(text) && text[i] == '|' {
		if i == colon+1 {
			return // no value at all
		}
		l.value = float64(x)
		l.whole = i <= colon+1+dogstatsd.ExactDigits
	} else {
		bar := bytes.IndexByte(text[i:], '|')
		if bar < 0 {
			return
		}
		i += bar
	}
	l.bar = i
	l.print = name.and(s.of(text[i:]))
}

const everyByte = 0x0101010101010101

package aggregate

import (
	"bytes"
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

// cut takes the line that begins at from a datagram, and returns where the next
// one begins. What it finds is what split finds. It is made for lines whose name
// ends within 64 bytes and whose value is a whole number of up to seven digits;
// the others it leaves to split.
func (l *line) cut(datagram []byte, at int, blocks []separators, s *seeds) (next int) {
	b := (*[3]separators)(blocks[uint(at)/blockLen:])
	n := lineEnd(b, uint(at))
	if n == 2*blockLen {
		if n = bytes.IndexByte(datagram[at:], '\n'); n < 0 {
			n = len(datagram) - at
		}
	}
	next = at + n + 1
	text := datagram[at : at+n]
	if n > 0 && text[n-1] == '\r' {
		n--
		text = text[:n]
	}
	l.text = text
	colon := bits.TrailingZeros64(window(b[0].colons, b[1].colons, uint(at)))
	if value := datagram[at:]; colon < blockLen && colon+9 <= len(value) {
		v, digits := leadingDigits(word(value[colon+1:]))
		bar := colon + 1 + digits
		if digits > 0 && bar < len(text) && text[bar] == '|' {
			l.colon, l.bar, l.value, l.whole = colon, bar, v, true
			l.print = s.print(text[:colon], text[bar:])
			return next
		}
	}
	l.split(s)
	return next
}

// split finds the parts of a line that looks like a message. It says no more than
// where the parts would be: only if they were seen before they are a message for
// sure, and a line that was not takes the slow way.
func (l *line) split(s *seeds) {
	l.bar = 0
	if l.colon = bytes.IndexByte(l.text, ':'); l.colon < 0 {
		return
	}
	values := bytes.IndexByte(l.text[l.colon+1:], '|')
	if values <= 0 {
		return // or there is no value
	}
	l.bar = l.colon + 1 + values
	l.value, l.whole = dogstatsd.ParseDigits(l.values())
	l.print = s.print(l.name(), l.rest())
}

// leadingDigits returns the number that the first of 8 bytes spell, and how many
// they are; none where all eight are digits, which may go on. The digits are made
// two numbers at a time: tens and ones, hundreds and ones, and so on.
func leadingDigits(w uint64) (value float64, n int) {
	w ^= everyByte * '0'
	// A byte that is no digit has more than 9 now. What it adds to the next does not
	// matter, because only the first counts.
	others := (w | (w + everyByte*6)) & (everyByte * 0xf0)
	n = bits.TrailingZeros64(others) / 8 & 7
	w <<= uint(64-8*n) & 63 // moved to the end; what stands before counts as 0
	w = w*10 + w>>8
	w = (w&0x000000ff000000ff*(100+1000000<<32) + w>>16&0x000000ff000000ff*(1+10000<<32)) >> 32
	return float64(uint32(w)), n
}

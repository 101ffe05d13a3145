package payload

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// The protobuf wire format, as far as the intake needs it: appending in one
// pass, and walking a message that lies in memory. It is our own because a
// generated decoder holds the whole body as a tree, and because of the formats
// only a dozen fields are used; the tests hold it to bodies that generated code
// has written.

// The wire types of the fields that are in use. The others, groups, are
// refused.
const (
	wireVarint = 0
	wireFixed8 = 1
	wireBytes  = 2
	wireFixed4 = 5
)

var (
	errWireTruncated = errors.New("a field ends behind its message")
	errWireVarint    = errors.New("a number has more than 64 bits")
)

// appendKey appends what stands before a field. field is below 16, as all of
// ours are.
func appendKey(dst []byte, field, wire byte) []byte { return append(dst, field<<3|wire) }

// appendInt appends an int64 or an enum; 0 is left out.
func appendInt(dst []byte, field byte, value int64) []byte {
	if value == 0 {
		return dst
	}
	return binary.AppendUvarint(appendKey(dst, field, wireVarint), uint64(value))
}

// appendDouble appends a double; 0 is left out, but not the negative zero.
func appendDouble(dst []byte, field byte, value float64) []byte {
	bits := math.Float64bits(value)
	if bits == 0 {
		return dst
	}
	return binary.LittleEndian.AppendUint64(appendKey(dst, field, wireFixed8), bits)
}

// appendText appends a string, also an empty one. Each byte that is no valid
// UTF-8 becomes U+FFFD, as in JSON: receivers refuse a body for one bad byte.
func appendText[S []byte | string](dst []byte, field byte, s S) []byte {
	ascii := asciiLen(s)
	if ascii == len(s) {
		if len(s) < 1<<7 {
			return append(append(dst, field<<3|wireBytes, byte(len(s))), s...)
		}
		dst = binary.AppendUvarint(appendKey(dst, field, wireBytes), uint64(len(s)))
		return append(dst, s...)
	}
	dst, at := beginMessage(dst, field)
	dst = append(dst, s[:ascii]...)
	for i := ascii; i < len(s); {
		// A string of at most four bytes lives on the stack.
		r, size := utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
		dst = utf8.AppendRune(dst, r)
		i += size
	}
	return endMessage(dst, at)
}

// asciiLen is the length of the longest beginning of s that is ASCII, looked at
// eight bytes at a time: nearly all names and tags are ASCII to their end, and a
// flush looks at every one of them.
func asciiLen[S []byte | string](s S) int {
	n := 0
	for ; len(s)-n >= 8; n += 8 {
		w := s[n : n+8]
		if (w[0]|w[1]|w[2]|w[3]|w[4]|w[5]|w[6]|w[7])&utf8.RuneSelf != 0 {
			break
		}
	}
	for n < len(s) && s[n] < utf8.RuneSelf {
		n++
	}
	return n
}

// beginMessage appends the head of a field whose length is not known yet. What
// is appended next belongs to it, until endMessage is called with at.
func beginMessage(dst []byte, field byte) (extended []byte, at int) {
	dst = append(appendKey(dst, field, wireBytes), 0)
	return dst, len(dst)
}

// endMessage writes the length, for which one byte was left. Where it takes
// more the content moves up: it is short, and its length in advance would cost
// a second walk.
func endMessage(dst []byte, at int) []byte {
	n := len(dst) - at
	if n < 1<<7 {
		dst[at-1] = byte(n)
		return dst
	}
	var length [binary.MaxVarintLen64]byte
	size := binary.PutUvarint(length[:], uint64(n))
	dst = append(dst, length[:size-1]...) // room
	copy(dst[at-1+size:], dst[at:at+n])
	copy(dst[at-1:], length[:size])
	return dst
}

// fields walks the fields of one message:
//
//	for f.next() { switch f.number { … } }
//	return f.err
//
// A getter whose wire type is not that of the field sets err, which ends the
// walk: a count taken from it would be a guess.
type fields struct {
	rest   []byte
	number uint64
	wire   byte
	value  uint64 // of a varint or a fixed field
	data   []byte // of a field with a length
	err    error
}

func (f *fields) next() bool {
	if f.err != nil || len(f.rest) == 0 {
		return false
	}
	key := f.varint()
	f.number, f.wire = key>>3, byte(key&7)
	if f.err == nil {
		f.err = checkKey(key)
	}
	if f.err != nil {
		return false
	}
	switch f.wire {
	case wireVarint:
		f.value = f.varint()
	case wireFixed8:
		if data := f.take(8); data != nil {
			f.value = binary.LittleEndian.Uint64(data)
		}
	case wireFixed4:
		if data := f.take(4); data != nil {
			f.value = uint64(binary.LittleEndian.Uint32(data))
		}
	case wireBytes:
		f.data = f.take(f.varint())
	}
	return f.err == nil
}

// checkKey refuses field 0 and wire types that are no more in use.
func checkKey(key uint64) error {
	if number := key >> 3; number == 0 || number > 1<<29-1 {
		return fmt.Errorf("field number %d does not exist", number)
	}
	switch key & 7 {
	case wireVarint, wireFixed8, wireBytes, wireFixed4:
		return nil
	}
	return fmt.Errorf("field %d has wire type %d, want 0, 1, 2 or 5", key>>3, key&7)
}

func (f *fields) varint() uint64 {
	value, n := binary.Uvarint(f.rest)
	switch {
	case n > 0:
		f.rest = f.rest[n:]
		return value
	case f.err != nil:
	case n == 0:
		f.err = errWireTruncated
	default:
		f.err = errWireVarint
	}
	return 0
}

func (f *fields) take(n uint64) []byte {
	if f.err == nil && n > uint64(len(f.rest)) {
		f.err = errWireTruncated
	}
	if f.err != nil {
		return nil
	}
	data := f.rest[:n:n]
	f.rest = f.rest[n:]
	return data
}

func (f *fields) want(wire byte) bool {
	if f.wire != wire && f.err == nil {
		f.err = fmt.Errorf("field %d has wire type %d, want %d", f.number, f.wire, wire)
	}
	return f.err == nil
}

func (f *fields) integer() int64 {
	if !f.want(wireVarint) {
		return 0
	}
	return int64(f.value)
}

// double returns a finite number; others are errors, because no sum would mean
// anything with them.
func (f *fields) double() float64 {
	if !f.want(wireFixed8) {
		return 0
	}
	value := math.Float64frombits(f.value)
	if !finite(value) {
		f.err = fmt.Errorf("field %d is %v, want a finite number", f.number, value)
	}
	return value
}

// message returns the fields of a message inside.
func (f *fields) message() fields {
	if !f.want(wireBytes) {
		return fields{}
	}
	return fields{rest: f.data}
}

// join takes over the error of a message inside.
func (f *fields) join(inner *fields) {
	if f.err == nil {
		f.err = inner.err
	}
}

func (f *fields) text(strings *interned) string {
	if !f.want(wireBytes) {
		return ""
	}
	if !utf8.Valid(f.data) {
		return string([]rune(string(f.data))) // one replacement for each bad byte
	}
	return strings.keep(f.data)
}

// eachUint32 calls visit for each number of a repeated field, packed or not.
func (f *fields) eachUint32(visit func(uint32)) {
	if f.wire == wireVarint {
		f.visitUint32(f.value, visit)
		return
	}
	for packed := f.message(); f.err == nil && len(packed.rest) > 0; f.join(&packed) {
		if value := packed.varint(); packed.err == nil {
			f.visitUint32(value, visit)
		}
	}
}

func (f *fields) visitUint32(value uint64, visit func(uint32)) {
	if value > math.MaxUint32 {
		f.err = fmt.Errorf("field %d has the number %d, want 32 bits", f.number, value)
		return
	}
	visit(uint32(value))
}

func finite(value float64) bool { return !math.IsNaN(value) && !math.IsInf(value, 0) }

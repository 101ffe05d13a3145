package payload

import (
	"math"
	"strconv"
	"unicode/utf8"
)

// AppendSeries appends one series with one point to dst, as an object of the
// version 2 JSON format, and returns the extended slice. Parts that are empty
// (an Unspecified type, interval 0, no tags, no host) are left out. interval
// is in seconds, timestamp in Unix seconds. It allocates only when dst has no
// room.
//
// JSON has no form for NaN and the infinities: for those dst comes back
// unchanged, with its length as the sign, so that one bad value can never spoil
// a body. Callers refuse them where messages come in.
//
// The commas between series are the caller's.
func AppendSeries(dst []byte, metric []byte, typ Type, interval int64, timestamp int64, value float64, tags [][]byte, host string) []byte {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return dst
	}
	dst = append(dst, `{"metric":`...)
	dst = appendString(dst, metric)
	if typ != Unspecified {
		dst = append(dst, `,"type":`...)
		dst = strconv.AppendUint(dst, uint64(typ), 10)
	}
	if interval != 0 {
		dst = append(dst, `,"interval":`...)
		dst = strconv.AppendInt(dst, interval, 10)
	}
	dst = append(dst, `,"points":[{"timestamp":`...)
	dst = strconv.AppendInt(dst, timestamp, 10)
	dst = append(dst, `,"value":`...)
	dst = appendNumber(dst, value)
	dst = append(dst, `}]`...)
	if len(tags) > 0 {
		dst = append(dst, `,"tags":[`...)
		for i, tag := range tags {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendString(dst, tag)
		}
		dst = append(dst, ']')
	}
	if host != "" {
		dst = append(dst, `,"resources":[{"type":"host","name":`...)
		dst = appendString(dst, host)
		dst = append(dst, `}]`...)
	}
	return append(dst, '}')
}

// AppendString appends s to dst as a JSON string with its quotes. Quotes,
// backslashes and control characters are escaped, and each byte that is no
// valid UTF-8 becomes U+FFFD. The characters <, > and & stay as they are: a
// body is no web page.
func AppendString(dst, s []byte) []byte {
	return appendString(dst, s)
}

// plain holds the bytes that stand for themselves inside a JSON string: ASCII
// without control characters, the quote and the backslash.
var plain = func() (table [256]bool) {
	for c := range utf8.RuneSelf {
		table[c] = c >= ' ' && c != '"' && c != '\\'
	}
	return table
}()

func appendString[S []byte | string](dst []byte, s S) []byte {
	dst = append(dst, '"')
	start := 0 // s[start:i] is still to be copied
	for i := 0; i < len(s); {
		c := s[i]
		if plain[c] {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			dst = append(dst, s[start:i]...)
			dst = appendEscape(dst, c)
			i++
			start = i
			continue
		}
		// A string of at most four bytes lives on the stack.
		r, size := utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
		if r == utf8.RuneError && size == 1 {
			dst = append(dst, s[start:i]...)
			dst = append(dst, `\ufffd`...)
			start = i + 1
		}
		i += size
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	const hex = "0123456789abcdef"
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}

// appendNumber appends a finite value in the shortest form that reads back as
// the same number. Whole numbers, the common case, take the short way; the
// negative zero is not among them, because an integer has no such thing.
func appendNumber(dst []byte, value float64) []byte {
	const exact = 1 << 53
	if value > -exact && value < exact {
		whole := int64(value)
		if float64(whole) == value && (whole != 0 || !math.Signbit(value)) {
			return strconv.AppendInt(dst, whole, 10)
		}
	}
	return strconv.AppendFloat(dst, value, 'g', -1, 64)
}

package payload

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"unicode/utf8"
)

const (
	bufferSize = 64 << 10 // of the read buffer, in bytes
	tokenLimit = 1 << 20  // longest string or number, in bytes
	depthLimit = 64       // deepest nesting of arrays and objects
)

// scanner reads JSON tokens through one buffer. A token always lies in it as a
// whole, so that its bytes can be handed out without a copy; they are good
// until the next token is read.
type scanner struct {
	r        io.Reader
	buf      []byte
	pos, end int   // buf[pos:end] is read but not consumed
	before   int64 // bytes of the body before buf[0]
	readErr  error // what r said last, kept until the buffer is empty
}

func (s *scanner) reset(r io.Reader) {
	if len(s.buf) > bufferSize {
		s.buf = make([]byte, bufferSize) // one long token is no reason to keep a large buffer
	}
	s.r, s.pos, s.end, s.before, s.readErr = r, 0, 0, 0, nil
}

// offset is where in the body the scanner stands, in bytes.
func (s *scanner) offset() int64 { return s.before + int64(s.pos) }

// fill reads more, keeping what is not consumed. Positions relative to s.pos
// stay right.
func (s *scanner) fill() error {
	if s.readErr != nil {
		return s.readErr
	}
	s.before += int64(s.pos)
	s.end = copy(s.buf, s.buf[s.pos:s.end])
	s.pos = 0
	if s.end == len(s.buf) {
		if len(s.buf) >= tokenLimit {
			return fmt.Errorf("a string or number is longer than %d bytes", tokenLimit)
		}
		s.buf = append(s.buf, make([]byte, len(s.buf))...)
	}
	for range 100 {
		n, err := s.r.Read(s.buf[s.end:])
		s.end += n
		s.readErr = err
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// next skips white space and returns the byte after it, which stays unread.
func (s *scanner) next() (byte, error) {
	for {
		for s.pos < s.end {
			switch c := s.buf[s.pos]; c {
			case ' ', '\n', '\t', '\r':
				s.pos++
			default:
				return c, nil
			}
		}
		if err := s.fill(); err != nil {
			return 0, err
		}
	}
}

// object reads an object, or null as an empty one. member is called with the
// scanner before each value and has to read it.
func (s *scanner) object(member func(field) error) error {
	if null, err := s.null(); null || err != nil {
		return err
	}
	return s.list('{', '}', func() error {
		c, err := s.next()
		if err != nil {
			return err
		}
		if c != '"' {
			return unexpected(c, "the name of a member")
		}
		name, err := s.text()
		if err != nil {
			return err
		}
		f := fieldOf(name)
		if c, err = s.next(); err != nil {
			return err
		}
		if c != ':' {
			return unexpected(c, "a colon")
		}
		s.pos++
		return member(f)
	})
}

// array reads an array, or null as an empty one, likewise.
func (s *scanner) array(element func() error) error {
	if null, err := s.null(); null || err != nil {
		return err
	}
	return s.list('[', ']', element)
}

func (s *scanner) list(open, shut byte, item func() error) error {
	c, err := s.next()
	if err != nil {
		return err
	}
	if c != open {
		return unexpected(c, fmt.Sprintf("%q", open))
	}
	s.pos++
	if c, err = s.next(); err != nil {
		return err
	}
	if c == shut {
		s.pos++
		return nil
	}
	for {
		if err := item(); err != nil {
			return err
		}
		if c, err = s.next(); err != nil {
			return err
		}
		if c != ',' && c != shut {
			return unexpected(c, fmt.Sprintf("a comma or %q", shut))
		}
		s.pos++
		if c == shut {
			return nil
		}
	}
}

// skip reads one value of any kind. depth is how many arrays and objects are
// open around it.
func (s *scanner) skip(depth int) error {
	c, err := s.next()
	if err != nil {
		return err
	}
	switch c {
	case '{', '[':
		if depth >= depthLimit {
			return fmt.Errorf("arrays and objects are nested deeper than %d", depthLimit)
		}
		if c == '{' {
			return s.object(func(field) error { return s.skip(depth + 1) })
		}
		return s.array(func() error { return s.skip(depth + 1) })
	case '"':
		_, err = s.text()
		return err
	case 'n':
		return s.word("null")
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	}
	_, err = s.number()
	return err
}

// null reads a null, if there is one next.
func (s *scanner) null() (bool, error) {
	c, err := s.next()
	if err != nil || c != 'n' {
		return false, err
	}
	return true, s.word("null")
}

func (s *scanner) word(want string) error {
	for s.end-s.pos < len(want) {
		if err := s.fill(); err != nil {
			return err
		}
	}
	if string(s.buf[s.pos:s.pos+len(want)]) != want {
		return unexpected(s.buf[s.pos], "a value")
	}
	s.pos += len(want)
	return nil
}

// text reads a string and returns it without its quotes and escapes.
func (s *scanner) text() ([]byte, error) {
	c, err := s.next()
	if err != nil {
		return nil, err
	}
	if c != '"' {
		return nil, unexpected(c, "a string")
	}
	ascii, escaped := true, false
	for i := 1; ; {
		window := s.buf[s.pos:s.end]
		for i < len(window) && plain[window[i]] {
			i++
		}
		if i >= len(window) {
			if err := s.fill(); err != nil {
				return nil, err
			}
			continue
		}
		switch c := window[i]; {
		case c == '"':
			s.pos += i + 1
			if escaped || !ascii && !utf8.Valid(window[1:i]) {
				return unquote(window[:i+1])
			}
			return window[1:i], nil
		case c == '\\':
			escaped = true
			i += 2 // whatever it escapes, it does not end the string
		case c < ' ':
			return nil, unexpected(c, "a control character to be escaped")
		default:
			ascii = false
			i++
		}
	}
}

// unquote leaves the rare strings, with escapes or broken UTF-8, to the
// standard library.
func unquote(quoted []byte) ([]byte, error) {
	var text string
	if err := json.Unmarshal(quoted, &text); err != nil {
		return nil, err
	}
	return []byte(text), nil
}

var errNumber = errors.New("a number is not written as JSON has it")

// number reads a number and returns its text, checked against the grammar of
// JSON.
func (s *scanner) number() ([]byte, error) {
	c, err := s.next()
	if err != nil {
		return nil, err
	}
	if c != '-' && (c < '0' || c > '9') {
		return nil, unexpected(c, "a number")
	}
	for i := 1; ; i++ {
		if s.pos+i >= s.end {
			if err := s.fill(); err == io.EOF {
				return nil, io.ErrUnexpectedEOF // no body ends in a number
			} else if err != nil {
				return nil, err
			}
		}
		switch c := s.buf[s.pos+i]; {
		case c >= '0' && c <= '9', c == '.', c == 'e', c == 'E', c == '+', c == '-':
		default:
			text := s.buf[s.pos : s.pos+i]
			if !validNumber(text) {
				return nil, errNumber
			}
			s.pos += i
			return text, nil
		}
	}
}

// validNumber checks text against RFC 8259, section 6.
func validNumber(text []byte) bool {
	i := 0
	digits := func() bool {
		start := i
		for i < len(text) && text[i] >= '0' && text[i] <= '9' {
			i++
		}
		return i > start
	}
	if text[i] == '-' {
		i++
	}
	first := i
	if !digits() || text[first] == '0' && i-first > 1 {
		return false
	}
	if i < len(text) && text[i] == '.' {
		i++
		if !digits() {
			return false
		}
	}
	if i < len(text) && (text[i] == 'e' || text[i] == 'E') {
		i++
		if i < len(text) && (text[i] == '+' || text[i] == '-') {
			i++
		}
		if !digits() {
			return false
		}
	}
	return i == len(text)
}

func unexpected(c byte, want string) error {
	return fmt.Errorf("found %q, want %s", c, want)
}

// interned makes strings of bytes and hands out the same string for the same
// bytes while it remembers them. Metrics and tags repeat far more often than
// they are new. It is a table without chains: a newcomer replaces the older of
// the two that have its place, so that it never grows. With one to a place, two
// tags of the same series that meet there would drive each other out.
type interned struct {
	table [2048][2]string // the newer first
}

const internedLength = 256 // bytes of the longest string that is remembered

var internedSeed = maphash.MakeSeed()

func (t *interned) keep(text []byte) string {
	if len(text) == 0 {
		return ""
	}
	if len(text) > internedLength {
		return string(text)
	}
	place := &t.table[maphash.Bytes(internedSeed, text)%uint64(len(t.table))]
	switch string(text) {
	case place[0]:
		return place[0]
	case place[1]:
		return place[1]
	}
	place[1], place[0] = place[0], string(text)
	return place[0]
}

package loadgen

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

// stream is a connection that takes bytes.
type stream interface {
	// take hands over b, or what of it there is room for until giveUp; at once,
	// without wait. Fewer than len(b) beside a nil error means no room. An error
	// is final.
	take(b []byte, wait bool, giveUp time.Time) (int, error)
	// counted is what take adds to.
	counted() *SenderStats
	close() error
}

// The limits of what is handed to a stream in one write.
const (
	streamFrames = 64
	streamBytes  = 64 << 10
)

// streamSender sends each datagram as a frame: with its length in front, or as
// lines. A stream may take part of a frame; the rest then goes before anything
// else, and the datagram counts as sent when all of it was taken.
type streamSender struct {
	stream
	lines  bool // otherwise lengths
	drop   bool // gives up what there is no room for
	buffer []byte
	ends   [streamFrames]int // of the frames in the buffer
	// begun is how much of the frame of datagram at was taken already.
	begun, at int
}

func newStreamSender(conn net.Conn, network, name string, options DialOptions) (Sender, error) {
	stream, err := openStream(conn, name)
	if err != nil {
		return nil, err
	}
	return frames(stream, network, options), nil
}

func frames(s stream, network string, options DialOptions) *streamSender {
	return &streamSender{stream: s, lines: network == TCP, drop: options.DropWhenFull,
		// The last frame may begin just below the limit.
		buffer: make([]byte, 0, streamBytes+maxDatagram+8)}
}

func (s *streamSender) Stats() SenderStats { return *s.counted() }

func (s *streamSender) Close() error { return s.close() }

func (s *streamSender) Send(c *Corpus, from, to int) (int, error) {
	if s.begun > 0 && from != s.at {
		return 0, fmt.Errorf("cannot send datagram %d: the frame of %d is not complete", from, s.at)
	}
	giveUp := time.Now().Add(patience)
	refused := false // the last frame was, so the next one is asked for alone
	next := from
	for next < to {
		last := to
		if refused || s.drop && s.begun > 0 {
			last = next + 1
		}
		// What was begun must be finished, whatever it takes.
		wait := !s.drop || s.begun > 0
		count := s.frame(c, next, last)
		taken, err := s.take(s.buffer[s.begun:], wait, giveUp)
		whole := s.book(next, count, taken)
		next += whole
		refused = false
		switch {
		case err != nil || wait && whole < count:
			return next - from, err
		case whole < count && s.begun == 0:
			s.counted().giveUp(c, next, next+1)
			next++
			refused = true
		}
	}
	return next - from, nil
}

// frame lays out the frames of datagrams [from, to), as many as fit, and
// returns their number.
func (s *streamSender) frame(c *Corpus, from, to int) int {
	s.buffer = s.buffer[:0]
	count := 0
	for ; from < to && count < streamFrames && len(s.buffer) < streamBytes; count++ {
		datagram := c.Datagram(from)
		if s.lines {
			s.buffer = append(append(s.buffer, datagram...), '\n')
		} else {
			s.buffer = binary.LittleEndian.AppendUint32(s.buffer, uint32(len(datagram)))
			s.buffer = append(s.buffer, datagram...)
		}
		s.ends[count] = len(s.buffer)
		from++
	}
	return count
}

// book notes that the stream took so much more of the count frames from datagram
// next on, and returns how many are complete by that.
func (s *streamSender) book(next, count, taken int) (whole int) {
	through := s.begun + taken
	done := 0
	for whole < count && s.ends[whole] <= through {
		done = s.ends[whole]
		whole++
	}
	s.begun, s.at = through-done, next+whole
	return whole
}

// connStream is a stream through the net package, for systems without a way of
// their own.
type connStream struct {
	conn  net.Conn
	name  string
	stats SenderStats
}

func (s *connStream) counted() *SenderStats { return &s.stats }

func (s *connStream) close() error { return s.conn.Close() }

// take always waits: that there is no room shows only by the time it takes.
func (s *connStream) take(b []byte, _ bool, giveUp time.Time) (int, error) {
	begun := time.Now()
	if err := s.conn.SetWriteDeadline(giveUp); err != nil {
		return 0, fmt.Errorf("cannot send to %s: %w", s.name, err)
	}
	s.stats.Calls++
	n, err := s.conn.Write(b)
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.stats.EAGAIN++
		s.stats.Blocked += time.Since(begun)
		return n, nil
	case isGone(err):
		s.stats.Refused++
		return n, fmt.Errorf("cannot send to %s: %w: %w", s.name, ErrTargetGone, err)
	}
	return n, fmt.Errorf("cannot send to %s: %w", s.name, err)
}

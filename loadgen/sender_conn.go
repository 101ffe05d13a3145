package loadgen

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

// connSender writes one datagram at a time through the net package: what works
// on every system, and what the batching senders are compared with.
type connSender struct {
	conn  net.Conn
	name  string
	stats SenderStats
}

func (s *connSender) Stats() SenderStats { return s.stats }

func (s *connSender) Close() error { return s.conn.Close() }

// Send waits inside Write, where the runtime does the waiting: of Blocked and
// EAGAIN it sees only what outlasts patience.
func (s *connSender) Send(c *Corpus, from, to int) (sent int, err error) {
	for k := from; k < to; k++ {
		begun := time.Now()
		if err := s.conn.SetWriteDeadline(begun.Add(patience)); err != nil {
			return k - from, fmt.Errorf("cannot send to %s: %w", s.name, err)
		}
		s.stats.Calls++
		_, err := s.conn.Write(c.Datagram(k))
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded):
			s.stats.EAGAIN++
			s.stats.Blocked += time.Since(begun)
			return k - from, nil
		case errors.Is(err, syscall.ENOBUFS):
			s.stats.ENOBUFS++
			s.stats.Blocked += pause()
			return k - from, nil
		case isGone(err):
			s.stats.Refused++
			return k - from, fmt.Errorf("cannot send to %s: %w: %w", s.name, ErrTargetGone, err)
		default:
			return k - from, fmt.Errorf("cannot send to %s: %w", s.name, err)
		}
	}
	return to - from, nil
}

// pause waits a little for the kernel to find memory, and returns how long it
// was. There is no event to wait for.
func pause() time.Duration {
	begun := time.Now()
	time.Sleep(100 * time.Microsecond)
	return time.Since(begun)
}

// isGone tells refusals that mean that nobody receives any more.
func isGone(err error) bool {
	for _, gone := range []error{syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.ENOTCONN, syscall.EPIPE} {
		if errors.Is(err, gone) {
			return true
		}
	}
	return false
}

package loadgen

import (
	"errors"
	"time"
)

// Sender hands the datagrams of a corpus to the kernel. It is used by one
// goroutine at a time.
type Sender interface {
	// Send deals with datagrams [from, to) of c, in order, and returns with how
	// many: each was taken by the kernel, or by a client library, or was given up
	// and counted so in Stats. It returns fewer with a nil error when the receiver
	// had no room for a while, at most patience, and the caller may call again for
	// the rest. Any error is final; it wraps ErrTargetGone where nobody receives
	// any more.
	Send(c *Corpus, from, to int) (n int, err error)
	// Stats is what the sender counted since it was made.
	Stats() SenderStats
	// Close frees the socket. What was sent stays sent.
	Close() error
}

// preparer is a sender with work to do on a corpus before the clock starts. It
// refuses a corpus that it cannot send as it is.
type preparer interface {
	prepare(c *Corpus) error
}

// flusher is a sender that holds messages back. What it has taken is with the
// kernel, or given up, only after flush.
type flusher interface {
	flush() error
}

// ErrTargetGone is wrapped by the errors of a sender whose receiver has closed
// its socket. What the kernel took before it said so may have gone nowhere.
var ErrTargetGone = errors.New("target gone")

// patience bounds how long one call of Send waits for a full receiver, and so
// how long a cancelled run takes to notice.
const patience = 50 * time.Millisecond

// SenderStats counts what the socket said. A refusal that is tried again is
// counted each time.
type SenderStats struct {
	Calls   int64 // writes to the kernel, of one datagram or a batch
	EAGAIN  int64 // refused: the receiver's queue or the socket's buffer was full
	ENOBUFS int64 // refused: the kernel had no memory for it
	Refused int64 // refused: nobody receives (any more)
	// Segmented counts the datagrams that left in runs that the kernel cut up
	// (UDP GSO), several to a write.
	Segmented int64
	// GivenUpDatagrams, and the messages in them, were not sent because there was
	// no room for them and the sender does not wait. Of a client library only the
	// messages are known: it packs them as it likes.
	GivenUpDatagrams, GivenUpMessages int64
	// Blocked is the time spent waiting after EAGAIN and ENOBUFS. A unix socket
	// whose receiver is full blocks its sender, and this is where that shows.
	Blocked time.Duration
	// Client is what a client library says of itself; zero without one.
	Client ClientStats
}

// ClientStats is the account of a client library, in its own words: it packs
// messages into payloads, and may lose them before they reach the kernel.
// Submitted = Written + QueueDropped + WriterDropped once it has been flushed.
type ClientStats struct {
	Submitted     int64 // messages handed to its functions
	Written       int64 // messages that the kernel took
	QueueDropped  int64 // messages dropped because its queue was full
	WriterDropped int64 // messages dropped because the write failed or took too long

	// From its own telemetry.
	Payloads              int64 // datagrams or frames that the kernel took
	PayloadsQueueDropped  int64
	PayloadsWriterDropped int64
}

// Sub is what was counted since an earlier reading.
func (s SenderStats) Sub(earlier SenderStats) SenderStats { return s.plus(earlier, -1) }

// plus adds other, times sign.
func (s SenderStats) plus(other SenderStats, sign int64) SenderStats {
	s.Calls += sign * other.Calls
	s.EAGAIN += sign * other.EAGAIN
	s.ENOBUFS += sign * other.ENOBUFS
	s.Refused += sign * other.Refused
	s.Segmented += sign * other.Segmented
	s.GivenUpDatagrams += sign * other.GivenUpDatagrams
	s.GivenUpMessages += sign * other.GivenUpMessages
	s.Blocked += time.Duration(sign) * other.Blocked
	c, o := &s.Client, other.Client
	c.Submitted += sign * o.Submitted
	c.Written += sign * o.Written
	c.QueueDropped += sign * o.QueueDropped
	c.WriterDropped += sign * o.WriterDropped
	c.Payloads += sign * o.Payloads
	c.PayloadsQueueDropped += sign * o.PayloadsQueueDropped
	c.PayloadsWriterDropped += sign * o.PayloadsWriterDropped
	return s
}

// giveUp counts datagrams [from, to) of c as not sent for want of room.
func (s *SenderStats) giveUp(c *Corpus, from, to int) {
	s.GivenUpDatagrams += int64(to - from)
	s.GivenUpMessages += c.MessagesBefore(to) - c.MessagesBefore(from)
}

package loadgen

import (
	"encoding/binary"
	"errors"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"floodgate/internal/dogstatsd"
)

// clientPatience is how long datadog-go waits for a unix socket with room before
// it drops a payload, and longFrame how long for the rest of a frame.
const (
	clientPatience = 100 * time.Millisecond
	longFrame      = time.Second
)

// clientWriter is the socket under a client library: it writes each payload as
// the library's own writer would, and counts the messages in it.
type clientWriter struct {
	conn     net.Conn
	framed   bool
	name     string
	patience time.Duration // 0 waits as long as it takes
	frame    []byte

	calls, timeouts, refused atomic.Int64
	written, lost            atomic.Int64 // messages
	blocked                  atomic.Int64 // nanoseconds
	gone                     atomic.Bool
}

func (w *clientWriter) blockedTime() time.Duration { return time.Duration(w.blocked.Load()) }

func (w *clientWriter) Close() error { return w.conn.Close() }

// Write is called by one goroutine of the library.
func (w *clientWriter) Write(payload []byte) (int, error) {
	messages := dogstatsd.CountMessages(payload)
	begun := time.Now()
	err := w.write(payload, begun)
	w.calls.Add(1)
	if err == nil {
		w.written.Add(messages)
		return len(payload), nil
	}
	w.lost.Add(messages)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		w.timeouts.Add(1)
		w.blocked.Add(int64(time.Since(begun)))
	case isGone(err):
		w.refused.Add(1)
		w.gone.Store(true)
	}
	return 0, err
}

func (w *clientWriter) write(payload []byte, now time.Time) error {
	if w.gone.Load() {
		return ErrTargetGone
	}
	if w.patience > 0 {
		if err := w.conn.SetWriteDeadline(now.Add(w.patience)); err != nil {
			return err
		}
	}
	if !w.framed {
		_, err := w.conn.Write(payload)
		return err
	}
	w.frame = append(binary.LittleEndian.AppendUint32(w.frame[:0], uint32(len(payload))), payload...)
	n, err := w.conn.Write(w.frame)
	if err == nil || n == 0 {
		return err
	}
	// A frame that was begun must be finished, or the connection is of no use.
	if err := w.conn.SetWriteDeadline(now.Add(longFrame)); err != nil {
		return err
	}
	if _, err := w.conn.Write(w.frame[n:]); err != nil {
		w.gone.Store(true)
		return err
	}
	return nil
}

// splitTags cuts tags at their commas.
func splitTags(tags []byte) []string { return strings.Split(string(tags), ",") }

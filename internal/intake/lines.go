package intake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"floodgate/internal/payload"
	"floodgate/internal/payload/foreign"
)

// blockBytes is how much of a stream is read at once. Each block of whole lines
// is one upload.
const blockBytes = 64 << 10

// splitter cuts a stream into blocks of whole lines.
type splitter struct {
	limit    int    // of a line without its end, in bytes
	rest     []byte // of a line whose end has not come
	skipping bool   // the line at hand is too long
	dropped  int    // lines that were too long
}

// feed takes the next part of the stream and returns the lines that are whole
// with it, which are the caller's to keep; nil for none.
func (s *splitter) feed(p []byte) (block []byte) {
	for len(p) > 0 {
		end := bytes.IndexByte(p, '\n') + 1
		if s.skipping {
			if end == 0 {
				return block
			}
			s.skipping, p = false, p[end:]
			continue
		}
		if end == 0 {
			if s.rest = append(s.rest, p...); len(s.rest) > s.limit+1 { // \r may be of its end
				s.rest, s.skipping = nil, true
				s.dropped++
			}
			return block
		}
		line := bytes.TrimSuffix(p[:end-1], []byte("\r"))
		if end == 1 {
			s.rest = bytes.TrimSuffix(s.rest, []byte("\r"))
		}
		if len(s.rest)+len(line) > s.limit {
			s.dropped++
		} else {
			if block == nil {
				block = make([]byte, 0, len(s.rest)+len(p))
			}
			block = append(append(append(block, s.rest...), line...), '\n')
		}
		s.rest, p = s.rest[:0], p[end:]
	}
	return block
}

// stream moves blocks of lines from a reader into the spool.
type stream struct {
	intake *Intake
	format format
	output bool
	what   string // it comes from, for warnings
	cut    splitter
}

func (i *Intake) newStream(f format, what string) *stream {
	return &stream{intake: i, format: f, what: what, cut: splitter{limit: i.config.MaxLineBytes}}
}

// feed takes what has been read. A block that finds no room is lost, and counts
// as refused; the error says why.
func (s *stream) feed(p []byte) error {
	dropped := s.cut.dropped
	block := s.cut.feed(p)
	if tooLong := int64(s.cut.dropped - dropped); tooLong > 0 {
		s.intake.refused.Add(tooLong)
		s.intake.notes.addSome(fmt.Sprintf("a line of %s was dropped: it was longer than %d bytes", s.what, s.cut.limit), tooLong)
	}
	if len(block) == 0 {
		return nil
	}
	err := s.intake.take(upload{format: s.format, encoding: payload.Identity, precision: foreign.Nanoseconds, output: s.output, body: block}, "")
	if err != nil {
		s.intake.refused.Add(1)
		s.intake.notes.add(fmt.Sprintf("a block of lines of %s was refused: %v", s.what, err))
	}
	return err
}

// end says what is left when no more comes: a line without an end may have been
// cut off anywhere, also in its value.
func (s *stream) end() {
	if len(s.cut.rest) > 0 {
		s.intake.refused.Add(1)
		s.intake.notes.add(fmt.Sprintf("the last line of %s had no end and was dropped", s.what))
	}
	s.cut.rest = nil
}

// ReadLines counts the lines of a program's output, until r ends. Lines that are
// no metrics are skipped, with a warning, because a program may write others in
// between. The blocks of lines count as uploads. It runs apart from Run, as long
// as r does: whoever owns r ends it.
func (i *Intake) ReadLines(r io.Reader, lines Lines) error {
	f, known := lines.format()
	if !known {
		return fmt.Errorf("cannot read lines of %q, allowed are %s and %s", lines, LinesGraphite, LinesInflux)
	}
	s := i.newStream(f, "an output")
	s.output = true
	buffer := make([]byte, blockBytes)
	for {
		n, err := r.Read(buffer)
		_ = s.feed(buffer[:n]) // counted, and warned of
		if err == io.EOF {
			s.end()
			return nil
		}
		if err != nil {
			return fmt.Errorf("cannot read lines: %w", err)
		}
	}
}

// serveGraphite takes connections that send lines, until ctx ends. A connection
// that was made before is still taken: its lines were never acknowledged, so
// that its sender may be gone.
func (i *Intake) serveGraphite(ctx context.Context) error {
	defer i.graphite.Close()
	defer context.AfterFunc(ctx, func() { i.graphite.drain(streamIdle) })()
	var open sync.WaitGroup
	defer open.Wait()
	var graceEnds time.Time // once ctx has ended
	for {
		accepted, err := i.graphite.Accept()
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return nil
		default:
			return fmt.Errorf("cannot serve Graphite on %s: %w", i.graphite.Addr(), err)
		}
		if ctx.Err() != nil {
			if graceEnds.IsZero() {
				graceEnds = time.Now().Add(stopGrace)
			}
			i.graphite.drain(min(streamIdle, time.Until(graceEnds)))
		}
		open.Go(func() { i.readGraphite(ctx, accepted.(*conn)) })
	}
}

// streamIdle is how long a connection must be silent to be at its end once the
// intake is told to stop.
const streamIdle = 100 * time.Millisecond

// readGraphite reads one connection to its end.
func (i *Intake) readGraphite(ctx context.Context, c *conn) {
	defer c.Close()
	var graceEnds time.Time // once ctx has ended
	defer context.AfterFunc(ctx, func() { _ = c.SetReadDeadline(time.Now().Add(streamIdle)) })()
	s := i.newStream(graphiteLines, "a Graphite connection")
	buffer := make([]byte, blockBytes)
	for {
		n, err := c.Read(buffer)
		if n > 0 {
			d, stopping := i.decide(ctx, false)
			if d.Outage || d.Reset {
				i.refused.Add(1)
				c.reset()
				return
			}
			if s.feed(buffer[:n]) != nil {
				c.reset() // the sender shall see that not all was taken
				return
			}
			if stopping != nil || ctx.Err() != nil {
				if graceEnds.IsZero() {
					graceEnds = time.Now().Add(stopGrace)
				}
				_ = c.SetReadDeadline(earlier(graceEnds, time.Now().Add(streamIdle)))
			}
		}
		switch {
		case err == nil:
		case err == io.EOF, errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, net.ErrClosed):
			s.end()
			return
		default:
			i.notes.add("a Graphite connection was broken off by its sender")
			s.end()
			return
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

package server

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"
)

// stream takes frames from the connections of a unix stream socket: four bytes
// of length, little-endian, and as many of messages. A connection has a
// goroutine that reads; one more ingests for all of them. Unlike a datagram
// socket, a stream loses nothing when the server is slow: its clients wait.
type stream struct {
	listener *net.UnixListener
	free     chan *slot // bounded by its slots: what is not here is on its way
	filled   chan *slot
	places   chan struct{} // of connections
}

// maxConnections bounds the memory of connections; further clients wait to be
// accepted.
const maxConnections = 1024

func listenStream(path string, config *Config) (*stream, error) {
	if err := removeStale(path); err != nil {
		return nil, err
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	// A coupled reader has no queue: the next frame waits for this one.
	size := 1
	if config.Reader == Decoupled {
		size = config.QueueSize
	}
	s := &stream{listener: listener, free: make(chan *slot, size), filled: make(chan *slot, size), places: make(chan struct{}, maxConnections)}
	slots := newSlots(size, config.BufferSize)
	for i := range slots {
		s.free <- &slots[i]
	}
	return s, nil
}

// accept serves connections until the listener's deadline, and closes filled
// when the last of them has ended.
func (s *stream) accept(ctx context.Context, stats *laneStats) error {
	defer close(s.filled)
	var connections sync.WaitGroup
	defer connections.Wait()
	for {
		s.places <- struct{}{}
		conn, err := s.listener.AcceptUnix()
		if err != nil {
			<-s.places
			if errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) {
				return nil
			}
			// Out of descriptors, for example: those who are connected go on, and
			// somebody may leave.
			slog.Warn("connection not accepted", "err", err)
			time.Sleep(acceptPause)
			continue
		}
		connections.Go(func() {
			defer func() { <-s.places }()
			s.serve(ctx, conn, stats)
		})
	}
}

// acceptPause keeps a server that cannot accept from spinning.
const acceptPause = 100 * time.Millisecond

// leftover is how long a connection is still read after the server was told to
// stop: what its client had already sent arrives at once.
const leftover = 50 * time.Millisecond

// frameTimeout is how long the messages of a frame may take after its length.
const frameTimeout = 5 * time.Second

// serve reads the frames of one connection. A frame that is empty or longer
// than the buffer ends it: whoever sent that has lost count, and so would we.
func (s *stream) serve(ctx context.Context, conn *net.UnixConn, stats *laneStats) {
	defer conn.Close()
	release := context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Now().Add(leftover)) })
	defer release()
	r := bufio.NewReaderSize(conn, 64<<10)
	var header [4]byte
	var end time.Time // set once after the stop, or a client who goes on would never be left
	for {
		if _, err := io.ReadFull(r, header[:]); err != nil {
			return
		}
		to := <-s.free
		length := binary.LittleEndian.Uint32(header[:])
		if length == 0 || length > uint32(len(to.buffer)) {
			stats.badFrames.Add(1)
			s.free <- to
			return
		}
		// A client that stalls inside a frame must not keep the slot from others.
		conn.SetReadDeadline(time.Now().Add(frameTimeout))
		_, err := io.ReadFull(r, to.buffer[:length])
		if err != nil {
			stats.badFrames.Add(1)
			s.free <- to
			return
		}
		if ctx.Err() != nil && end.IsZero() {
			end = time.Now().Add(leftover)
		}
		conn.SetReadDeadline(end)
		if ctx.Err() != nil && end.IsZero() {
			conn.SetReadDeadline(time.Now().Add(leftover)) // the stop came in between
		}
		to.n = int(length)
		s.filled <- to
	}
}

// readStream ingests what the connections read, until all have ended.
func (l *lane) readStream(ctx context.Context) error {
	// Clients that have connected and written, and even gone again, before the
	// server was told to stop still wait to be accepted.
	release := context.AfterFunc(ctx, func() { l.stream.listener.SetDeadline(time.Now().Add(leftover)) })
	defer release()
	var failure error
	var accepting sync.WaitGroup
	accepting.Go(func() { failure = l.stream.accept(ctx, &l.stats) })
	timer := time.NewTimer(time.Until(l.nextFlush))
	defer timer.Stop()
	for open := true; open; {
		select {
		case s, ok := <-l.stream.filled:
			if open = ok; ok {
				l.stats.read([]slot{*s})
				l.ingest([]slot{*s}, time.Now())
				l.stream.free <- s
			}
		case now := <-timer.C:
			l.ingest(nil, now)
			timer.Reset(time.Until(l.nextFlush))
		}
	}
	accepting.Wait()
	return failure
}

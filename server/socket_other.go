//go:build !linux

package server

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"sync"
	"time"
)

// socket reads one datagram per call, with what every system has.
type socket struct {
	conn   datagramConn
	path   string // of a unix socket, removed at close
	buffer int    // not asked for here: reads are not batched

	mu       sync.Mutex
	stopped  bool
	deadline time.Time
}

// datagramConn is what UDP and unixgram connections have in common here.
type datagramConn interface {
	net.PacketConn
	SetReadBuffer(bytes int) error
}

// batching says whether a read may return several datagrams.
const batching = false

// msgTrunc is MSG_TRUNC on the BSDs and on macOS.
const msgTrunc = 0x10

func listen(network, address string, config *Config) (*socket, error) {
	s := &socket{}
	var err error
	if network == "unixgram" {
		s.path = address
		if err = removeStale(address); err == nil {
			s.conn, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
		}
	} else {
		var addr *net.UDPAddr
		if addr, err = net.ResolveUDPAddr("udp", address); err == nil {
			s.conn, err = net.ListenUDP("udp", addr)
		}
	}
	if err != nil {
		return nil, err
	}
	if size := config.ReceiveBuffer; size > 0 {
		if err := s.conn.SetReadBuffer(size); err != nil {
			s.close()
			return nil, fmt.Errorf("cannot set the receive buffer to %d bytes: %w", size, err)
		}
	}
	return s, nil
}

func (s *socket) addr() net.Addr { return s.conn.LocalAddr() }

func (s *socket) receive(slots []slot, deadline time.Time) (int, error) {
	if !deadline.Equal(s.deadline) {
		s.mu.Lock()
		if !s.stopped {
			s.conn.SetReadDeadline(deadline)
		}
		s.mu.Unlock()
		s.deadline = deadline
	}
	return s.read(slots)
}

func (s *socket) read(slots []slot) (int, error) {
	var flags int
	var err error
	switch conn := s.conn.(type) {
	case *net.UDPConn:
		slots[0].n, _, flags, _, err = conn.ReadMsgUDP(slots[0].buffer, nil)
	case *net.UnixConn:
		slots[0].n, _, flags, _, err = conn.ReadMsgUnix(slots[0].buffer, nil)
	}
	if err != nil {
		return 0, err
	}
	slots[0].truncated = flags&msgTrunc != 0
	return 1, nil
}

// drain reads with a deadline just ahead, because a passed one reads nothing.
func (s *socket) drain(slots []slot) (int, error) {
	s.deadline = time.Now().Add(time.Millisecond)
	s.conn.SetReadDeadline(s.deadline)
	n, err := s.read(slots)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return 0, nil
	}
	return n, err
}

// crowded is not told here.
func (s *socket) crowded() bool { return true }

func (s *socket) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	s.conn.SetReadDeadline(time.Unix(1, 0))
}

func (s *socket) close() error {
	err := s.conn.Close()
	if s.path != "" {
		if rm := os.Remove(s.path); rm != nil && !errors.Is(rm, fs.ErrNotExist) && err == nil {
			err = rm
		}
	}
	return err
}

func (*socket) busy([]slot, int) bool { return false }

func (*socket) spread(int) error { return errors.ErrUnsupported }

package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// datagramConn is what UDP and unixgram connections have in common here.
type datagramConn interface {
	net.PacketConn
	SyscallConn() (syscall.RawConn, error)
	SetReadBuffer(bytes int) error
}

// socket receives datagrams in batches. receive and drain belong to one
// goroutine; stop may be called from any.
type socket struct {
	conn    datagramConn
	path    string // of a unix socket, removed at close
	batches batchReceiver

	mu       sync.Mutex
	stopped  bool
	deadline time.Time
}

// readBatch is the most datagrams taken from a socket at once.
const readBatch = 64

// listen opens a datagram socket.
func listen(network, address string, config *Config) (*socket, error) {
	s := &socket{}
	var err error
	if network == "unixgram" {
		s.path = address
		s.conn, err = listenUnixgram(address)
	} else {
		s.conn, err = listenUDP(address, config)
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
	if err := s.batches.open(s.conn, config.KernelTime); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func listenUDP(address string, config *Config) (datagramConn, error) {
	addr, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return nil, err
	}
	if config.Readers == 1 && !config.GRO {
		return net.ListenUDP("udp", addr)
	}
	listener := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error { return prepareUDP(raw, config) }}
	conn, err := listener.ListenPacket(context.Background(), "udp", addr.String())
	if err != nil {
		return nil, err
	}
	return conn.(*net.UDPConn), nil
}

func listenUnixgram(path string) (datagramConn, error) {
	if err := removeStale(path); err != nil {
		return nil, err
	}
	return net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
}

// removeStale removes a socket that an earlier server left behind, which would
// make the bind fail. Any other kind of file is somebody's and stays.
func removeStale(path string) error {
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSocket != 0 {
		return os.Remove(path)
	}
	return nil
}

// receive waits until at least one datagram is there and reads as many as are,
// up to len(slots). It returns os.ErrDeadlineExceeded at the deadline or after
// stop. A zero deadline is none.
func (s *socket) receive(slots []slot, deadline time.Time) (int, error) {
	if !deadline.Equal(s.deadline) {
		s.mu.Lock()
		if !s.stopped {
			s.conn.SetReadDeadline(deadline)
		}
		s.mu.Unlock()
		s.deadline = deadline
	}
	return s.batches.receive(slots)
}

// drain reads what the kernel still holds, without waiting. It returns 0 when
// that is nothing.
func (s *socket) drain(slots []slot) (int, error) { return s.batches.drain(slots) }

// stop makes receive return, now and ever after.
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

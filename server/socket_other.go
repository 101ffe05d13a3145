//go:build !linux

package server

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

// batchReceiver reads one datagram per call, with what every system has.
type batchReceiver struct {
	conn datagramConn
}

// msgTrunc is MSG_TRUNC on the BSDs and on macOS.
const msgTrunc = 0x10

// prepareUDP is not called: Config.Validate refuses what it would do.
func prepareUDP(syscall.RawConn, *Config) error { return errors.ErrUnsupported }

func (s *socket) spread(int) error { return errors.ErrUnsupported }

func (r *batchReceiver) open(conn datagramConn, _ bool) error {
	r.conn = conn
	return nil
}

func (r *batchReceiver) receive(slots []slot) (int, error) {
	var flags int
	var err error
	switch conn := r.conn.(type) {
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
func (r *batchReceiver) drain(slots []slot) (int, error) {
	r.conn.SetReadDeadline(time.Now().Add(time.Millisecond))
	n, err := r.receive(slots)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return 0, nil
	}
	return n, err
}

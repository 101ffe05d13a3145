package loadgen

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// socket is a connected socket outside the net package: each write says
// MSG_DONTWAIT and so never waits, and where there is no room it polls. That
// way it is known exactly how long a sender was blocked, and never longer than
// patience. Nor is it in Go's poller, which would wake a thread of ours whenever
// the kernel has room again, after nearly every datagram.
type socket struct {
	fd    uintptr
	name  string
	poll  [1]unix.PollFd
	stats SenderStats
}

// newSocket takes conn over and closes it.
func newSocket(conn net.Conn, name string) (socket, error) {
	defer conn.Close()
	from, ok := conn.(syscall.Conn)
	if !ok {
		return socket{}, fmt.Errorf("%T has no file descriptor", conn)
	}
	raw, err := from.SyscallConn()
	if err != nil {
		return socket{}, err
	}
	var fd int
	if e := raw.Control(func(theirs uintptr) { fd, err = unix.FcntlInt(theirs, unix.F_DUPFD_CLOEXEC, 0) }); e != nil {
		return socket{}, e
	}
	if err != nil {
		return socket{}, os.NewSyscallError("fcntl", err)
	}
	s := socket{fd: uintptr(fd), name: name}
	s.poll[0] = unix.PollFd{Fd: int32(s.fd), Events: unix.POLLOUT}
	return s, nil
}

func (s *socket) Stats() SenderStats { return s.stats }

// await waits until the socket may take more, after it refused with errno, and
// reports whether there is time left to try.
func (s *socket) await(errno unix.Errno, giveUp time.Time) bool {
	begun := time.Now()
	left := giveUp.Sub(begun)
	if left <= 0 {
		return false
	}
	s.count(errno)
	if errno == unix.ENOBUFS {
		s.stats.Blocked += pause()
		return true
	}
	_, err := unix.Poll(s.poll[:], int((left+time.Millisecond-1)/time.Millisecond))
	s.stats.Blocked += time.Since(begun)
	// What poll itself cannot do, the next write will say.
	return err == nil || errors.Is(err, unix.EINTR)
}

// full says whether errno means that there is no room.
func full(errno unix.Errno) bool { return errno == unix.EAGAIN || errno == unix.ENOBUFS }

// count counts a refusal for want of room.
func (s *socket) count(errno unix.Errno) {
	if errno == unix.ENOBUFS {
		s.stats.ENOBUFS++
	} else {
		s.stats.EAGAIN++
	}
}

// take hands over b, or what of it there is room for until giveUp; at once,
// without wait.
func (s *socket) take(b []byte, wait bool, giveUp time.Time) (int, error) {
	taken := 0
	for taken < len(b) {
		s.stats.Calls++
		rest := b[taken:]
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, s.fd, uintptr(unsafe.Pointer(unsafe.SliceData(rest))), uintptr(len(rest)),
			unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
		runtime.KeepAlive(rest)
		switch {
		case errno == 0:
			taken += int(n)
		case errno == unix.EINTR:
		case full(errno):
			if !wait {
				s.count(errno)
				return taken, nil
			}
			if !s.await(errno, giveUp) {
				return taken, nil
			}
		default:
			return taken, s.failure(errno)
		}
	}
	return taken, nil
}

// failure is the final error of a socket that said errno.
func (s *socket) failure(errno unix.Errno) error {
	if isGone(errno) {
		s.stats.Refused++
		return fmt.Errorf("cannot send to %s: %w: %w", s.name, ErrTargetGone, errno)
	}
	return fmt.Errorf("cannot send to %s: %w", s.name, errno)
}

func (s *socket) close() error {
	fd := s.fd
	s.fd = ^uintptr(0) // whatever gets this number next is not ours
	return os.NewSyscallError("close", unix.Close(int(fd)))
}

func (s *socket) counted() *SenderStats { return &s.stats }

func openStream(conn net.Conn, name string) (stream, error) {
	s, err := newSocket(conn, name)
	return &s, err
}

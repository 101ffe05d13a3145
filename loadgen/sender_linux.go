package loadgen

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// batchSize is the largest number of datagrams in one sendmmsg. Beyond a few
// dozen the cost of the call itself no longer shows.
const batchSize = 64

// batchSender hands over up to batchSize datagrams per system call, straight
// from the corpus, and allocates nothing.
//
// It owns a socket of its own, outside the net package: each write says
// MSG_DONTWAIT and so never waits, and where there is no room it polls. That
// way it knows exactly how long it was blocked, and never longer than patience.
type batchSender struct {
	file *os.File
	fd   uintptr
	name string
	udp  bool
	// single counts the writes still to be made one datagram at a time; see
	// write.
	single  int
	headers [batchSize]unix.Mmsghdr
	vectors [batchSize]unix.Iovec
	poll    [1]unix.PollFd
	stats   SenderStats
}

func newSender(conn net.Conn, name string) (Sender, error) {
	defer conn.Close()
	socket, ok := conn.(interface{ File() (*os.File, error) })
	if !ok {
		return nil, fmt.Errorf("cannot send to %s: %T has no file descriptor", name, conn)
	}
	file, err := socket.File()
	if err != nil {
		return nil, fmt.Errorf("cannot send to %s: %w", name, err)
	}
	_, udp := conn.(*net.UDPConn)
	s := &batchSender{file: file, fd: file.Fd(), name: name, udp: udp}
	for i := range s.headers {
		s.headers[i].Hdr.Iov = &s.vectors[i]
		s.headers[i].Hdr.SetIovlen(1)
	}
	s.poll[0] = unix.PollFd{Fd: int32(s.fd), Events: unix.POLLOUT}
	return s, nil
}

func (s *batchSender) Stats() SenderStats { return s.stats }

func (s *batchSender) Close() error {
	clear(s.vectors[:]) // let go of the corpus
	return s.file.Close()
}

func (s *batchSender) Send(c *Corpus, from, to int) (int, error) {
	next := from
	var giveUp time.Time // zero until there was something to wait for
	for next < to {
		n, errno := s.write(c, next, to)
		next += n
		if errno == 0 || errno == unix.EINTR {
			continue
		}
		if errno == unix.EAGAIN || errno == unix.ENOBUFS {
			if giveUp.IsZero() {
				giveUp = time.Now().Add(patience)
			}
			if s.await(errno, giveUp) {
				continue
			}
			return next - from, nil
		}
		if isGone(errno) {
			s.stats.Refused++
			return next - from, fmt.Errorf("cannot send to %s: %w: %w", s.name, ErrTargetGone, errno)
		}
		return next - from, fmt.Errorf("cannot send datagram %d of %d bytes to %s: %w", next, len(c.Datagram(next)), s.name, errno)
	}
	return next - from, nil
}

// write makes one system call for datagrams from next on and returns how many
// the kernel took. It returns an error only when that is none.
//
// sendmmsg that fails after its first datagram returns how many it sent and
// forgets the error. For most errors the next call says it again, but a UDP
// socket reports once, and to whichever send comes next, that an earlier
// datagram was refused: in batches of a dead target that is always the second
// datagram, and the error is always forgotten. So after a short count the next
// two datagrams go alone: the first goes nowhere again, and the second is told.
func (s *batchSender) write(c *Corpus, next, to int) (int, unix.Errno) {
	count := min(to-next, batchSize)
	if s.single > 0 {
		s.single--
		count = 1
	}
	for i := range count {
		datagram := c.Datagram(next + i)
		s.vectors[i].Base = unsafe.SliceData(datagram)
		s.vectors[i].SetLen(len(datagram))
	}
	s.stats.Calls++
	// Raw, that is without telling Go's scheduler: the call cannot wait, and a
	// thread that is not seen to leave need not queue to come back.
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, s.fd, uintptr(unsafe.Pointer(&s.headers[0])), uintptr(count),
		unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
	runtime.KeepAlive(s)
	if errno != 0 {
		return 0, errno
	}
	if s.udp && int(n) < count {
		s.single = 2
	}
	return int(n), 0
}

// await waits until the socket may take datagrams again, and reports whether
// there is time left to try.
func (s *batchSender) await(errno unix.Errno, giveUp time.Time) bool {
	begun := time.Now()
	left := giveUp.Sub(begun)
	if left <= 0 {
		return false
	}
	if errno == unix.ENOBUFS {
		s.stats.ENOBUFS++
		s.stats.Blocked += pause()
		return true
	}
	s.stats.EAGAIN++
	_, err := unix.Poll(s.poll[:], int((left+time.Millisecond-1)/time.Millisecond))
	s.stats.Blocked += time.Since(begun)
	// What poll itself cannot do, the next write will say.
	return err == nil || errors.Is(err, unix.EINTR)
}

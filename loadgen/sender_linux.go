package loadgen

import (
	"fmt"
	"net"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// batches says that this system has sendmmsg.
const batches = true

// batchSize is the largest number of writes in one sendmmsg. Beyond a few dozen
// the cost of the call itself no longer shows.
const batchSize = 64

// The limits of one run of datagrams that the kernel cuts up: Linux takes 128,
// before 6.9 it took 64, and the whole must fit into one datagram of IPv6.
const (
	maxSegments      = 128
	maxSegmentsOld   = 64
	maxSegmentsBytes = 65_535 - 40 - 8
)

// batchSender hands over up to batchSize writes per system call, straight from
// the corpus, and allocates nothing. A write is a datagram, or with GSO a run of
// them.
type batchSender struct {
	socket
	udp  bool
	drop bool // gives up what there is no room for
	// single counts the writes still to be made one datagram at a time; see
	// write.
	single int
	// segments is the largest number of datagrams in a write: 1 without GSO.
	segments int
	headers  [batchSize]unix.Mmsghdr
	vectors  [batchSize]unix.Iovec
	lengths  [batchSize]segmentLength
	counts   [batchSize]int // datagrams in each write
}

// segmentLength is the control message that says where to cut a run.
type segmentLength struct {
	header unix.Cmsghdr
	bytes  uint16
	_      [6]byte // to the kernel's alignment
}

func newSender(conn net.Conn, name string, options DialOptions) (Sender, error) {
	_, udp := conn.(*net.UDPConn)
	socket, err := newSocket(conn, name)
	if err != nil {
		return nil, err
	}
	s := &batchSender{socket: socket, udp: udp, drop: options.DropWhenFull, segments: 1}
	// Asked, because a kernel that does not know UDP_SEGMENT may ignore it in a
	// write, and send a run as one long datagram.
	if options.Method == GSO && unix.SetsockoptInt(int(s.fd), unix.IPPROTO_UDP, unix.UDP_SEGMENT, 0) == nil {
		s.segments = maxSegments
	}
	for i := range s.headers {
		s.headers[i].Hdr.Iov = &s.vectors[i]
		s.headers[i].Hdr.SetIovlen(1)
		s.lengths[i].header.Level, s.lengths[i].header.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
		s.lengths[i].header.SetLen(unix.CmsgLen(2))
	}
	return s, nil
}

func (s *batchSender) Close() error {
	clear(s.vectors[:]) // let go of the corpus
	return s.close()
}

func (s *batchSender) Send(c *Corpus, from, to int) (int, error) {
	next := from
	var giveUp time.Time // zero until there was something to wait for
	for next < to {
		n, errno := s.write(c, next, to)
		next += n
		switch {
		case errno == 0 || errno == unix.EINTR:
		case full(errno) && s.drop:
			s.count(errno)
			s.stats.giveUp(c, next, next+s.counts[0])
			next += s.counts[0]
		case full(errno):
			if giveUp.IsZero() {
				giveUp = time.Now().Add(patience)
			}
			if !s.await(errno, giveUp) {
				return next - from, nil
			}
		case s.counts[0] > 1 && !isGone(errno):
			// An older kernel, or a device that cannot: shorter runs, then none.
			if s.segments > maxSegmentsOld {
				s.segments = maxSegmentsOld
			} else {
				s.segments = 1
			}
		case isGone(errno):
			return next - from, s.failure(errno)
		default:
			return next - from, fmt.Errorf("cannot send datagram %d of %d bytes to %s: %w", next, len(c.Datagram(next)), s.name, errno)
		}
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
	count := s.arrange(c, next, to)
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
	if s.segments == 1 {
		return int(n), 0
	}
	datagrams := 0
	for _, run := range s.counts[:n] {
		datagrams += run
		if run > 1 {
			s.stats.Segmented += int64(run)
		}
	}
	return datagrams, 0
}

// arrange lays out the writes of one system call, from datagram next on, and
// returns their number.
func (s *batchSender) arrange(c *Corpus, next, to int) int {
	if s.single > 0 {
		s.single--
		to = next + 1
	}
	count := 0
	for ; count < batchSize && next < to; count++ {
		first := c.Datagram(next)
		datagrams, length := 1, len(first)
		if s.segments > 1 {
			datagrams, length = run(c, next, min(to, next+s.segments))
			header := &s.headers[count].Hdr
			header.Control = nil
			header.SetControllen(0)
			if datagrams > 1 {
				s.lengths[count].bytes = uint16(len(first))
				header.Control = (*byte)(unsafe.Pointer(&s.lengths[count]))
				header.SetControllen(unix.CmsgSpace(2))
			}
		}
		s.vectors[count].Base = unsafe.SliceData(first)
		s.vectors[count].SetLen(length)
		s.counts[count] = datagrams
		next += datagrams
	}
	return count
}

// run returns how many of the datagrams [from, to) can leave as one write that
// is cut into pieces of the first one's length, and their length together: all
// must be as long as the first, only the last may be shorter, and they must
// stand one behind the other in memory.
func run(c *Corpus, from, to int) (datagrams, length int) {
	first := c.Datagram(from)
	length = len(first)
	for k := from + 1; k < to; k++ {
		next := c.Datagram(k)
		if len(next) > len(first) || len(next) == 0 || length+len(next) > maxSegmentsBytes ||
			unsafe.Pointer(unsafe.SliceData(next)) != unsafe.Add(unsafe.Pointer(unsafe.SliceData(first)), length) {
			return k - from, length
		}
		length += len(next)
		if len(next) < len(first) {
			return k + 1 - from, length
		}
	}
	return to - from, length
}

package server

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// socket reads up to readBatch datagrams per system call (recvmmsg). The headers
// are prepared once, so that a call allocates nothing.
//
// It is a descriptor of its own, outside of Go's poller. The poller would wake
// one of its threads whenever a datagram comes into an empty socket, also while
// the reader naps on purpose: under steady traffic a wake-up per nap, which
// costs more than reading what came.
//
// A UDP socket may be several of the same address, among which the kernel deals
// out what comes (see Config.Sockets): each has a buffer of its own.
type socket struct {
	fds     []int
	next    int           // of fds, to be read first
	wake    int           // an eventfd that ends a wait
	wait    []unix.PollFd // for any of fds, and wake
	path    string        // of a unix socket, removed at close
	address net.Addr
	headers [readBatch]unix.Mmsghdr
	vectors [readBatch]unix.Iovec
	control [readBatch][controlLen]byte
	buffer  int // of the kernel, in bytes as it counts them: the sum
	stopped atomic.Bool
	mu      sync.Mutex // stop must not write to a descriptor that is somebody else's by now
	closed  bool
}

// listen opens a datagram socket.
func listen(network, address string, config *Config) (*socket, error) {
	s := &socket{wake: -1}
	var err error
	if network == "unixgram" {
		err = s.listenUnix(address, config)
	} else if err = s.listenUDP(address, config); err == nil {
		for range config.Sockets - 1 {
			// The address as it was bound: the port that was asked for may be 0.
			err = errors.Join(err, s.listenUDP(s.address.String(), config))
		}
	}
	if err == nil {
		if s.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
			err = os.NewSyscallError("eventfd", err)
		}
	}
	if err != nil {
		s.close()
		return nil, err
	}
	for _, fd := range append(s.fds, s.wake) {
		s.wait = append(s.wait, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	}
	for i := range s.headers {
		h := &s.headers[i].Hdr
		h.Iov = &s.vectors[i]
		h.SetIovlen(1)
		h.Control = &s.control[i][0]
	}
	return s, nil
}

// open makes another descriptor, with the options that come before the bind.
func (s *socket) open(domain int, config *Config, options ...[2]int) (fd int, err error) {
	if fd, err = unix.Socket(domain, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0); err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	s.fds = append(s.fds, fd)
	for _, o := range options {
		if err := unix.SetsockoptInt(fd, o[0], o[1], 1); err != nil {
			return fd, os.NewSyscallError("setsockopt", err)
		}
	}
	if size := config.ReceiveBuffer; size > 0 {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, size); err != nil {
			return fd, fmt.Errorf("cannot set the receive buffer to %d bytes: %w", size, err)
		}
	}
	if size, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF); err == nil {
		s.buffer += size
	}
	if config.KernelTime {
		// Nothing depends on it where the kernel cannot tell.
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
	}
	return fd, nil
}

func (s *socket) listenUnix(path string, config *Config) error {
	if err := removeStale(path); err != nil {
		return err
	}
	fd, err := s.open(unix.AF_UNIX, config)
	if err != nil {
		return err
	}
	s.address = &net.UnixAddr{Name: path, Net: "unixgram"}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		return os.NewSyscallError("bind", err)
	}
	s.path = path // not before: until then whatever is there is not ours
	return nil
}

func (s *socket) listenUDP(address string, config *Config) error {
	addr, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return err
	}
	var options [][2]int
	if config.Readers > 1 || config.Sockets > 1 {
		options = append(options, [2]int{unix.SOL_SOCKET, unix.SO_REUSEPORT})
	}
	if config.GRO {
		options = append(options, [2]int{unix.SOL_UDP, unix.UDP_GRO})
	}
	var bind unix.Sockaddr
	var fd int
	if ip := addr.IP.To4(); ip != nil {
		bind = &unix.SockaddrInet4{Port: addr.Port, Addr: [4]byte(ip)}
		fd, err = s.open(unix.AF_INET, config, options...)
	} else {
		// Without an address it listens on all of both families.
		to := &unix.SockaddrInet6{Port: addr.Port}
		if addr.IP != nil {
			to.Addr = [16]byte(addr.IP.To16())
			if zone, err := net.InterfaceByName(addr.Zone); addr.Zone != "" && err == nil {
				to.ZoneId = uint32(zone.Index)
			}
		}
		only := 1
		if addr.IP == nil || addr.IP.IsUnspecified() {
			only = 0
		}
		bind = to
		if fd, err = s.open(unix.AF_INET6, config, options...); err == nil {
			err = os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, only))
		}
		if addr.IP == nil && errors.Is(err, unix.EAFNOSUPPORT) { // a kernel without IPv6
			bind = &unix.SockaddrInet4{Port: addr.Port}
			fd, err = s.open(unix.AF_INET, config, options...)
		}
	}
	if err != nil {
		return err
	}
	if err := unix.Bind(fd, bind); err != nil {
		return os.NewSyscallError("bind", err)
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		return os.NewSyscallError("getsockname", err)
	}
	// The port that was asked for may be 0.
	switch a := bound.(type) {
	case *unix.SockaddrInet4:
		s.address = &net.UDPAddr{IP: net.IP(a.Addr[:]), Port: a.Port}
	case *unix.SockaddrInet6:
		s.address = &net.UDPAddr{IP: net.IP(a.Addr[:]), Port: a.Port, Zone: addr.Zone}
	}
	return nil
}

func (s *socket) addr() net.Addr { return s.address }

func (s *socket) receive(slots []slot, deadline time.Time) (int, error) {
	for !s.stopped.Load() {
		n, err := s.drain(slots)
		if n > 0 || err != nil {
			return n, err
		}
		var timeout *unix.Timespec
		if !deadline.IsZero() {
			left := time.Until(deadline)
			if left <= 0 {
				break
			}
			ts := unix.NsecToTimespec(int64(left))
			timeout = &ts
		}
		if _, err := unix.Ppoll(s.wait, timeout, nil); err != nil && err != unix.EINTR {
			return 0, os.NewSyscallError("ppoll", err)
		}
	}
	return 0, os.ErrDeadlineExceeded
}

// drain reads each descriptor once, as long as there is room. It does not wait
// and is therefore invisible to Go's scheduler (a raw system call): copying a
// batch takes some 50 µs at most.
func (s *socket) drain(slots []slot) (int, error) {
	n, want := 0, min(len(slots), readBatch)
	for i := 0; i < len(s.fds) && n < want; i++ {
		fd := s.fds[s.next]
		s.next = (s.next + 1) % len(s.fds)
		got, err := s.read(fd, slots[:want], n)
		if err != nil && n == 0 {
			return 0, err // else it comes again
		}
		n += got
	}
	return n, nil
}

// read reads from one descriptor into the slots behind the first n.
func (s *socket) read(fd int, slots []slot, n int) (int, error) {
	for i := n; i < len(slots); i++ {
		s.vectors[i].Base = unsafe.SliceData(slots[i].buffer)
		s.vectors[i].SetLen(len(slots[i].buffer))
		s.headers[i].Hdr.SetControllen(controlLen)
	}
	var got int
	for {
		r, _, errno := syscall.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&s.headers[n])), uintptr(len(slots)-n), unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC, 0, 0)
		if got = int(r); errno == 0 {
			break
		}
		if errno == unix.EAGAIN {
			return 0, nil
		}
		if errno != unix.EINTR {
			return 0, os.NewSyscallError("recvmmsg", errno)
		}
	}
	for i := n; i < n+got; i++ {
		h := &s.headers[i]
		slots[i].n = int(h.Len)
		slots[i].truncated = h.Hdr.Flags&unix.MSG_TRUNC != 0
		slots[i].arrived, slots[i].segment = readControl(s.control[i][:h.Hdr.Controllen])
		if slots[i].segment >= slots[i].n {
			slots[i].segment = 0
		}
	}
	return got, nil
}

// controlLen has room for the two control messages that are asked for: the time
// of arrival, and the length of the datagrams that were joined.
const controlLen = 64

// readControl takes what it knows from control messages. It is our own because
// unix.ParseSocketControlMessage allocates.
func readControl(control []byte) (arrived int64, segment int) {
	for len(control) >= unix.SizeofCmsghdr {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&control[0]))
		length := int(h.Len)
		if length < unix.SizeofCmsghdr || length > len(control) {
			return
		}
		data := control[unix.CmsgLen(0):length]
		switch {
		case h.Level == unix.SOL_SOCKET && h.Type == unix.SCM_TIMESTAMPNS && len(data) >= int(unsafe.Sizeof(unix.Timespec{})):
			arrived = (*unix.Timespec)(unsafe.Pointer(&data[0])).Nano()
		case h.Level == unix.SOL_SOCKET && h.Type == unix.SCM_RIGHTS:
			// Somebody passes descriptors that nobody asked for: they are ours now.
			for ; len(data) >= 4; data = data[4:] {
				unix.Close(int(*(*int32)(unsafe.Pointer(&data[0]))))
			}
		case h.Level == unix.SOL_UDP && h.Type == unix.UDP_GRO && len(data) >= 4:
			segment = int(*(*int32)(unsafe.Pointer(&data[0])))
		}
		control = control[min(len(control), unix.CmsgSpace(length-unix.CmsgLen(0))):]
	}
	return
}

// batching says whether a read may return several datagrams.
const batching = true

// busy reports whether n slots just read say that there is more: they are all
// there was room for, or an eighth of what the socket's buffer holds.
func (s *socket) busy(slots []slot, n int) bool {
	if n == len(slots) {
		return true
	}
	bytes := 0
	for i := range n {
		bytes += slots[i].n
	}
	return n > 0 && bytes >= s.buffer/8
}

// crowded reports whether a buffer is three quarters full, or may be: the kernel
// does not tell of unix sockets, which are full after a few datagrams.
func (s *socket) crowded() bool {
	if s.path != "" {
		return true
	}
	for _, fd := range s.fds {
		var memory [9]uint32 // SK_MEMINFO_VARS of linux/sock_diag.h
		size := uint32(unsafe.Sizeof(memory))
		_, _, errno := syscall.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_MEMINFO, uintptr(unsafe.Pointer(&memory)), uintptr(unsafe.Pointer(&size)), 0)
		if errno != 0 || 4*uint64(memory[unix.SK_MEMINFO_RMEM_ALLOC]) >= 3*uint64(s.buffer/len(s.fds)) {
			return true
		}
	}
	return false
}

// stop is said twice: to who looks before it waits, and to who waits already.
func (s *socket) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped.Store(true)
	if !s.closed {
		_, _ = unix.Write(s.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	}
}

func (s *socket) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	var err error
	for _, fd := range s.fds {
		err = errors.Join(err, os.NewSyscallError("close", unix.Close(fd)))
	}
	if s.wake >= 0 {
		unix.Close(s.wake)
	}
	if s.path != "" {
		if rm := os.Remove(s.path); rm != nil && !errors.Is(rm, fs.ErrNotExist) && err == nil {
			err = rm
		}
	}
	return err
}

// spread lets the sockets that share the address of s get equal shares of its
// datagrams, whoever sends them: without, all from one sender go to the same one.
// The program for the kernel says: a random number, modulo n.
func (s *socket) spread(n int) error {
	const random = 0xfffff000 + 56 // SKF_AD_OFF + SKF_AD_RANDOM of linux/filter.h
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: random},
		{Code: unix.BPF_ALU | unix.BPF_MOD | unix.BPF_K, K: uint32(n)},
		{Code: unix.BPF_RET | unix.BPF_A},
	}
	return os.NewSyscallError("setsockopt", unix.SetsockoptSockFprog(s.fds[0], unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF,
		&unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}))
}

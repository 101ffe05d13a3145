package server

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// batchReceiver reads up to readBatch datagrams per system call (recvmmsg). The
// headers and the closure are prepared once, so that a call allocates nothing.
type batchReceiver struct {
	raw     syscall.RawConn
	headers [readBatch]unix.Mmsghdr
	vectors [readBatch]unix.Iovec
	control [readBatch][controlLen]byte
	want    int
	got     int
	errno   syscall.Errno
	wait    func(fd uintptr) bool
	once    func(fd uintptr)
}

func (r *batchReceiver) open(conn datagramConn, kernelTime bool) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	r.raw = raw
	for i := range r.headers {
		r.headers[i].Hdr.Iov = &r.vectors[i]
		r.headers[i].Hdr.SetIovlen(1)
		r.headers[i].Hdr.Control = &r.control[i][0]
	}
	if kernelTime {
		// Nothing depends on it where the kernel cannot tell.
		_ = raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1) })
	}
	r.wait = func(fd uintptr) bool {
		r.call(fd)
		return r.errno != syscall.EAGAIN
	}
	r.once = func(fd uintptr) { r.call(fd) }
	return nil
}

func (r *batchReceiver) call(fd uintptr) {
	for {
		n, _, errno := syscall.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&r.headers[0])), uintptr(r.want), unix.MSG_DONTWAIT, 0, 0)
		if r.got, r.errno = int(n), errno; errno != syscall.EINTR {
			return
		}
	}
}

func (r *batchReceiver) aim(slots []slot) {
	r.want = min(len(slots), readBatch)
	for i := range r.want {
		r.vectors[i].Base = unsafe.SliceData(slots[i].buffer)
		r.vectors[i].SetLen(len(slots[i].buffer))
		r.headers[i].Hdr.SetControllen(controlLen)
	}
}

func (r *batchReceiver) collect(slots []slot) (int, error) {
	if r.errno != 0 {
		return 0, r.errno
	}
	for i := range r.got {
		h := &r.headers[i]
		slots[i].n = int(h.Len)
		slots[i].truncated = h.Hdr.Flags&unix.MSG_TRUNC != 0
		slots[i].arrived, slots[i].segment = readControl(r.control[i][:h.Hdr.Controllen])
		if slots[i].segment >= slots[i].n {
			slots[i].segment = 0
		}
	}
	return r.got, nil
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
		case h.Level == unix.SOL_UDP && h.Type == unix.UDP_GRO && len(data) >= 4:
			segment = int(*(*int32)(unsafe.Pointer(&data[0])))
		}
		control = control[min(len(control), unix.CmsgSpace(length-unix.CmsgLen(0))):]
	}
	return
}

// prepareUDP is called between the making and the binding of a socket.
func prepareUDP(raw syscall.RawConn, config *Config) error {
	var err error
	set := func(fd uintptr, level, option int) {
		if err == nil {
			err = unix.SetsockoptInt(int(fd), level, option, 1)
		}
	}
	if e := raw.Control(func(fd uintptr) {
		if config.Readers > 1 {
			set(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT)
		}
		if config.GRO {
			set(fd, unix.SOL_UDP, unix.UDP_GRO)
		}
	}); e != nil {
		return e
	}
	return err
}

// spread lets the sockets that share the address of s get equal shares of its
// datagrams, whoever sends them: without, all from one sender go to the same one.
// The program for the kernel says: a random number, modulo n.
func (s *socket) spread(n int) error {
	raw, err := s.conn.SyscallConn()
	if err != nil {
		return err
	}
	const random = 0xfffff000 + 56 // SKF_AD_OFF + SKF_AD_RANDOM of linux/filter.h
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: random},
		{Code: unix.BPF_ALU | unix.BPF_MOD | unix.BPF_K, K: uint32(n)},
		{Code: unix.BPF_RET | unix.BPF_A},
	}
	if e := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_REUSEPORT_CBPF, &unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]})
	}); e != nil {
		return e
	}
	return err
}

func (r *batchReceiver) receive(slots []slot) (int, error) {
	r.aim(slots)
	if err := r.raw.Read(r.wait); err != nil {
		return 0, err
	}
	return r.collect(slots)
}

// drain goes around the poller, because its deadline has passed by then.
func (r *batchReceiver) drain(slots []slot) (int, error) {
	r.aim(slots)
	if err := r.raw.Control(r.once); err != nil {
		return 0, err
	}
	if r.errno == syscall.EAGAIN {
		return 0, nil
	}
	return r.collect(slots)
}

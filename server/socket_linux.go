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
	want    int
	got     int
	errno   syscall.Errno
	wait    func(fd uintptr) bool
	once    func(fd uintptr)
}

func (r *batchReceiver) open(conn datagramConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	r.raw = raw
	for i := range r.headers {
		r.headers[i].Hdr.Iov = &r.vectors[i]
		r.headers[i].Hdr.SetIovlen(1)
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
	}
}

func (r *batchReceiver) collect(slots []slot) (int, error) {
	if r.errno != 0 {
		return 0, r.errno
	}
	for i := range r.got {
		slots[i].n = int(r.headers[i].Len)
		slots[i].truncated = r.headers[i].Hdr.Flags&unix.MSG_TRUNC != 0
	}
	return r.got, nil
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

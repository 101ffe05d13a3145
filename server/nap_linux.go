package server

import (
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// nap blocks the thread for a moment, and its processor (in Go's sense) with
// it. That is the point: time.Sleep parks the goroutine, and an ordinary system
// call has its processor taken away, and either makes other threads wake up to
// look for work that is not there. On a virtual machine, where each such switch
// takes tens of microseconds, they came to several times the cost of reading and
// aggregating.
//
// The program must therefore have a processor more for each goroutine that naps
// (see Server.Processors). A stop of the world is not held up: its signal ends
// the nap.
func nap(d time.Duration) {
	ts := unix.NsecToTimespec(int64(d))
	syscall.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&ts)), 0, 0)
}

// alarm is a nap that somebody else can end.
type alarm struct{ rung atomic.Uint32 }

// set must be called before the other side learns that it may ring.
func (a *alarm) set() { a.rung.Store(0) }

// await naps for d, or until ring was called after set.
func (a *alarm) await(d time.Duration) {
	ts := unix.NsecToTimespec(int64(d))
	syscall.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&a.rung)), futexWaitPrivate, 0, uintptr(unsafe.Pointer(&ts)), 0, 0)
}

func (a *alarm) ring() {
	a.rung.Store(1)
	syscall.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&a.rung)), futexWakePrivate, 1, 0, 0, 0)
}

// FUTEX_WAIT and FUTEX_WAKE with FUTEX_PRIVATE_FLAG, of linux/futex.h.
const (
	futexWaitPrivate = 0 | 128
	futexWakePrivate = 1 | 128
)

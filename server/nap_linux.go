package server

import (
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

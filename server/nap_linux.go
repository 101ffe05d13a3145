package server

import (
	"time"

	"golang.org/x/sys/unix"
)

// nap blocks the thread for a moment. time.Sleep would park the goroutine, and
// the scheduler's search for other work, its timers and its poller take several
// times the CPU of one system call.
func nap(d time.Duration) {
	ts := unix.NsecToTimespec(int64(d))
	unix.Nanosleep(&ts, nil) // an interrupted nap is a shorter one
}

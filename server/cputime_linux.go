package server

import (
	"time"

	"golang.org/x/sys/unix"
)

// tellsThreadTime says whether this system tells the CPU time of one thread.
const tellsThreadTime = true

// threadTime is the CPU time of the calling thread: of a goroutine only as long
// as that is locked to its thread.
func threadTime() time.Duration { return cpuClock(unix.CLOCK_THREAD_CPUTIME_ID) }

// processTime is the CPU time of all threads.
func processTime() time.Duration { return cpuClock(unix.CLOCK_PROCESS_CPUTIME_ID) }

func cpuClock(id int32) time.Duration {
	var ts unix.Timespec
	_ = unix.ClockGettime(id, &ts) // it cannot fail with these arguments
	return time.Duration(ts.Nano())
}

package server

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkNap prints what a nap costs its thread in CPU time: what readers
// save by napping less often.
func BenchmarkNap(b *testing.B) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	used := func() int64 {
		var ts unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
			b.Fatal(err)
		}
		return ts.Nano()
	}
	before := used()
	for b.Loop() {
		nap(time.Millisecond)
	}
	b.ReportMetric(float64(used()-before)/float64(b.N)/1e3, "cpu-µs/nap")
}

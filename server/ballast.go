package server

import (
	"syscall"
	"time"
)

// ballast makes the server burn CPU time on top of what it needs, so that
// somebody who measures it can see whether they find what was planted.
type ballast struct {
	percent float64
	begun   time.Duration // the process's CPU time at the first call
	burnt   time.Duration
	started bool
}

// burn spins until the CPU time burnt since the first call is percent of all
// other CPU time of the process since then. It is called once per batch.
func (b *ballast) burn() {
	if b.percent <= 0 {
		return
	}
	now := processTime()
	if !b.started {
		b.started, b.begun = true, now
	}
	from := now
	for float64(b.burnt+now-from) < b.percent/100*float64(from-b.begun-b.burnt) {
		now = processTime()
	}
	b.burnt += now - from
}

// processTime is the CPU time that the process has used.
func processTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0 // it cannot fail with these arguments
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

package server

import (
	"runtime"
	"sync"
	"time"
)

// ballast makes the server burn CPU time on top of what it needs, so that
// somebody who measures it can see whether they find what was planted. All lanes
// share one: what each of them burns is no work of the others.
type ballast struct {
	percent float64

	mu      sync.Mutex
	started bool
	begun   time.Duration // the process's CPU time at the first call
	burnt   time.Duration // since then, and what somebody is about to
}

// burn spins until percent of the CPU time that the process has used since the
// first call, on whatever thread, was burnt or is about to be. It is called once
// per batch, by any number of goroutines. What is used while it spins is the next
// call's matter: a spin is as long as what it owes, and no longer.
func (b *ballast) burn() {
	if b.percent <= 0 {
		return
	}
	// The time of the process would book what other threads do meanwhile as burnt.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	from := threadTime()
	owed := b.claim() // itself a part of the ballast
	spun := threadTime() - from
	for spun < owed {
		spun = threadTime() - from
	}
	b.mu.Lock()
	b.burnt += spun - owed
	b.mu.Unlock()
}

// claim is what is owed, which counts as burnt from now on.
func (b *ballast) claim() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := processTime()
	if !b.started {
		b.started, b.begun = true, now
	}
	owed := max(0, time.Duration(b.percent/100*float64(now-b.begun-b.burnt))-b.burnt)
	b.burnt += owed
	return owed
}

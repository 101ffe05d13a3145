package server

import (
	"math"
	"runtime"
	"sync"
	"testing"
	"time"
)

// TestBallastBurnsItsShare, whatever the machine does and however many goroutines
// work: both sides are CPU time. Each goroutine holds a thread, so that what it
// burns can be read off the thread's clock, beside what the ballast says itself.
func TestBallastBurnsItsShare(t *testing.T) {
	if !tellsThreadTime {
		t.Skip("this system does not tell the CPU time of a thread")
	}
	// The clock's step, or what one look costs.
	step := time.Duration(math.MaxInt64)
	runtime.LockOSThread()
	for last, n := threadTime(), 0; n < 100; {
		if now := threadTime(); now > last {
			step, last, n = min(step, now-last), now, n+1
		}
	}
	runtime.UnlockOSThread()
	for _, workers := range []int{1, 4} {
		const percent, work = 25, 200 * time.Millisecond
		b := &ballast{percent: percent}
		b.burn() // the count begins
		begun := processTime()
		var mu sync.Mutex
		var burnt time.Duration
		calls := 1
		var all sync.WaitGroup
		for range workers {
			all.Go(func() {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				own, times, sum := time.Duration(0), 0, 0
				for done := time.Duration(0); done < work/time.Duration(workers); times++ {
					from := threadTime()
					for i := range 5_000_000 {
						sum += i
					}
					worked := threadTime()
					b.burn()
					done, own = done+worked-from, own+threadTime()-worked
				}
				mu.Lock()
				defer mu.Unlock()
				burnt, calls = burnt+own, calls+times
			})
		}
		all.Wait()
		runtime.LockOSThread()
		from := threadTime()
		b.burn() // what was used since the others' last call
		burnt += threadTime() - from
		runtime.UnlockOSThread()
		other := processTime() - begun - burnt
		want := other * percent / 100
		// A call cannot count its own ends, nor what it costs to wake up where threads
		// wait for each other: some microseconds.
		tolerance := want/20 + time.Duration(calls)*(10*time.Microsecond+step)
		t.Logf("%d workers: %v burnt beside %v, want %v ± %v; %d calls, the clock's step is %v", workers, burnt, other, want, tolerance, calls, step)
		if off := (burnt - want).Abs(); off > tolerance {
			t.Errorf("%d workers: burnt %v beside %v, want %v ± %v", workers, burnt, other, want, tolerance)
		}
		if off := (burnt - b.burnt).Abs(); off > tolerance {
			t.Errorf("%d workers: it says that it burnt %v, the threads %v", workers, b.burnt, burnt)
		}
	}
	none := ballast{}
	none.burn()
	if none.burnt != 0 || none.started {
		t.Error("a server without ballast burns CPU time")
	}
}

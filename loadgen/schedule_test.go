package loadgen

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestBurstBySmallNumbers(t *testing.T) {
	check := func(b Burst, want ...time.Duration) {
		t.Helper()
		got := make([]time.Duration, 0, len(want))
		for i := range b.Total() {
			got = append(got, b.Due(i))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%+v is due at %v, want %v", b, got, want)
		}
	}
	check(Burst{Count: 3, Over: 3}, 0, 1, 2)
	check(Burst{Count: 3, Over: 10}, 0, 3, 6)      // rounded down
	check(Burst{Count: 5, Over: 2}, 0, 0, 0, 1, 1) // several in one nanosecond
	check(Burst{Count: 2, Over: 0}, 0, 0)          // all at once
	check(Burst{Count: 0, Over: time.Hour})        // idle
	check(Burst{Count: 1, Over: time.Hour}, 0)
}

// TestBurstProperties draws schedules of every size and checks, for all of them:
// the count is exact, due times never fall and stay in the window, and DueBy is
// the inverse of Due on both sides of every instant that it is asked about.
func TestBurstProperties(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		// Exponents drawn evenly, so that tiny and astronomic ones both occur.
		b := Burst{
			Count: rng.Int64() >> rng.IntN(63),
			Over:  time.Duration(rng.Int64() >> rng.IntN(63)),
		}
		if b.DueBy(-1) != 0 || b.DueBy(math.MinInt64) != 0 {
			t.Fatalf("%+v: messages are due before the start", b)
		}
		if n := b.DueBy(b.Over); n != b.Count {
			t.Fatalf("%+v: %d messages are due at the end", b, n)
		}
		if n := b.DueBy(math.MaxInt64); n != b.Count {
			t.Fatalf("%+v: %d messages are due for ever", b, n)
		}
		checkInverse(t, b, time.Duration(rng.Int64N(int64(b.Over)+1)))
		if b.Count == 0 {
			continue
		}
		if b.Due(0) != 0 {
			t.Fatalf("%+v: the first message is due at %v", b, b.Due(0))
		}
		if last := b.Due(b.Count - 1); last >= b.Over && b.Over > 0 {
			t.Fatalf("%+v: the last message is due at %v, outside the window", b, last)
		}
		i := rng.Int64N(b.Count)
		if i > 0 && b.Due(i-1) > b.Due(i) {
			t.Fatalf("%+v: message %d is due before message %d", b, i, i-1)
		}
		checkInverse(t, b, b.Due(i)-1)
		checkInverse(t, b, b.Due(i))
		checkInverse(t, b, b.Due(i)+1)
	}
}

func checkInverse(t *testing.T, b Burst, at time.Duration) {
	t.Helper()
	n := b.DueBy(at)
	if n < 0 || n > b.Count {
		t.Fatalf("%+v: %d messages are due by %d", b, n, at)
	}
	if n > 0 && b.Due(n-1) > at {
		t.Fatalf("%+v: message %d counts as due at %d but is due at %d", b, n-1, at, b.Due(n-1))
	}
	if n < b.Count && b.Due(n) <= at {
		t.Fatalf("%+v: message %d is due at %d, so by %d, but is not counted", b, n, b.Due(n), at)
	}
}

// The whole of a common burst, step by step: exactly 300,000, and exactly one
// every 10 µs.
func TestBurstOf300kOver3s(t *testing.T) {
	b := Burst{Count: 300_000, Over: 3 * time.Second}
	for i := range b.Count {
		if due := b.Due(i); due != time.Duration(i)*10*time.Microsecond || b.DueBy(due) != i+1 || b.DueBy(due-1) != i {
			t.Fatalf("message %d is due at %v, with %d due then and %d just before", i, due, b.DueBy(due), b.DueBy(due-1))
		}
	}
}

func TestBurstValidate(t *testing.T) {
	for _, b := range []Burst{{Count: -1}, {Over: -1}} {
		if b.Validate() == nil {
			t.Errorf("%+v is accepted", b)
		}
	}
	if err := (Burst{}).Validate(); err != nil {
		t.Errorf("nothing over no time is refused: %v", err)
	}
}

func FuzzBurstInverse(f *testing.F) {
	f.Add(int64(300_000), int64(3*time.Second), int64(17))
	f.Add(int64(math.MaxInt64), int64(math.MaxInt64), int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, count, over, at int64) {
		b := Burst{Count: count, Over: time.Duration(over)}
		if b.Validate() == nil {
			checkInverse(t, b, time.Duration(at))
		}
	})
}

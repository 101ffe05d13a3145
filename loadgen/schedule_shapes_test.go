package loadgen

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func made(t testing.TB, s Schedule, err error) Schedule {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// drawSchedule is a random schedule of a random shape, combined up to depth
// times; none is large, because combinations of large ones are.
func drawSchedule(t *testing.T, rng *rand.Rand, depth int) (Schedule, string) {
	t.Helper()
	over := time.Duration(1 + rng.Int64N(1<<(1+rng.IntN(34)))) // up to 17 s
	rate := rng.Int64N(1 << (1 + rng.IntN(12)))
	parts := func() (all []Schedule, words string) {
		for range 1 + rng.IntN(4) {
			s, w := drawSchedule(t, rng, depth-1)
			all, words = append(all, s), words+" "+w
		}
		return all, words
	}
	kinds := 6
	if depth > 0 {
		kinds = 9
	}
	switch rng.IntN(kinds) {
	case 0:
		b := Burst{Count: rng.Int64N(200), Over: over * time.Duration(rng.IntN(2))}
		return b, fmt.Sprintf("%+v", b)
	case 1:
		s, err := Steady(rate, over)
		return made(t, s, err), fmt.Sprintf("steady(%d, %d)", rate, over)
	case 2:
		to := rng.Int64N(2000)
		s, err := Ramp(rate, to, over)
		return made(t, s, err), fmt.Sprintf("ramp(%d, %d, %d)", rate, to, over)
	case 3:
		period := over/10 + 1e6
		amplitude := rng.Int64N(rate + 2)
		s, err := Sine(rate+1, amplitude, period, 3*period)
		return made(t, s, err), fmt.Sprintf("sine(%d, %d, %d)", rate+1, amplitude, period)
	case 4, 5:
		count := rng.Int64N(200)
		s, err := Poisson(count, over, rng.Uint64())
		return made(t, s, err), fmt.Sprintf("poisson(%d, %d)", count, over)
	case 6:
		all, words := parts()
		s, err := Sequence(all...)
		return made(t, s, err), "sequence(" + words + ")"
	case 7:
		all, words := parts()
		s, err := Sum(all...)
		return made(t, s, err), "sum(" + words + ")"
	}
	s, words := drawSchedule(t, rng, depth-1)
	n := 1 + rng.IntN(5)
	i := rng.IntN(n)
	s, err := Shard(s, i, n)
	return made(t, s, err), fmt.Sprintf("shard(%s, %d, %d)", words, i, n)
}

// checkSchedule holds one schedule to the interface at one message and one
// instant.
func checkSchedule(t *testing.T, s Schedule, words string, rng *rand.Rand) {
	t.Helper()
	total := s.Total()
	inverse := func(at time.Duration) {
		n := s.DueBy(at)
		if n < 0 || n > total || n > 0 && s.Due(n-1) > at || n < total && s.Due(n) <= at {
			t.Fatalf("%s: %d of %d messages are due by %d", words, n, total, at)
		}
	}
	if s.DueBy(-1) != 0 || s.DueBy(math.MinInt64) != 0 || s.DueBy(s.End()) != total || s.DueBy(math.MaxInt64) != total {
		t.Fatalf("%s: due before the start %d, at the end %d, for ever %d of %d", words, s.DueBy(-1), s.DueBy(s.End()), s.DueBy(math.MaxInt64), total)
	}
	inverse(time.Duration(rng.Int64N(int64(s.End()) + 1)))
	if total == 0 {
		return
	}
	i := rng.Int64N(total)
	due := s.Due(i)
	if due < 0 || due > s.End() || i > 0 && s.Due(i-1) > due {
		t.Fatalf("%s: message %d of %d is due at %d of %d", words, i, total, due, s.End())
	}
	inverse(due - 1)
	inverse(due)
	inverse(due + 1)
}

// TestScheduleProperties holds 10,000 random schedules of every shape and
// combination to what Schedule promises: the exact count, due times that never
// fall and stay within bounds, and DueBy as the inverse of Due.
func TestScheduleProperties(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 10_000 {
		s, words := drawSchedule(t, rng, rng.IntN(3))
		checkSchedule(t, s, words, rng)
	}
}

// The shares of a schedule, put together again, are the schedule: every message
// once, at its own instant.
func TestShardsAreTheWhole(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for range 1000 {
		whole, words := drawSchedule(t, rng, 1)
		n := 1 + rng.IntN(7)
		var total int64
		at := time.Duration(rng.Int64N(int64(whole.End()) + 1))
		var due int64
		for i := range n {
			s, err := Shard(whole, i, n)
			share := made(t, s, err)
			total += share.Total()
			due += share.DueBy(at)
			if share.End() != whole.End() {
				t.Fatalf("%s: share %d of %d ends at %v", words, i, n, share.End())
			}
			for j := range share.Total() {
				if share.Due(j) != whole.Due(int64(i)+j*int64(n)) {
					t.Fatalf("%s: message %d of share %d of %d", words, j, i, n)
				}
			}
		}
		if total != whole.Total() || due != whole.DueBy(at) {
			t.Fatalf("%s: %d shares have %d messages of %d, and %d of %d due by %d", words, n, total, whole.Total(), due, whole.DueBy(at), at)
		}
	}
	for _, bad := range [][2]int{{0, 0}, {-1, 2}, {2, 2}} {
		if _, err := Shard(Burst{}, bad[0], bad[1]); err == nil {
			t.Errorf("share %d of %d is accepted", bad[0], bad[1])
		}
	}
}

// A sum has at every instant what its parts have together; a sequence has its
// parts end to end.
func TestCombinationsAddUp(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	for range 1000 {
		a, _ := drawSchedule(t, rng, 1)
		b, _ := drawSchedule(t, rng, 1)
		s, err := Sum(a, b)
		sum := made(t, s, err)
		s, err = Sequence(a, b)
		sequence := made(t, s, err)
		if sum.End() != max(a.End(), b.End()) || sequence.End() != a.End()+b.End() {
			t.Fatalf("%v and %v come to %v at once and %v in turn", a.End(), b.End(), sum.End(), sequence.End())
		}
		at := time.Duration(rng.Int64N(int64(sequence.End()) + 1))
		if sum.DueBy(at) != a.DueBy(at)+b.DueBy(at) {
			t.Fatalf("at %v: %d, want %d and %d", at, sum.DueBy(at), a.DueBy(at), b.DueBy(at))
		}
		want := a.DueBy(at)
		if at >= a.End() {
			want += b.DueBy(at - a.End())
		}
		if sequence.DueBy(at) != want {
			t.Fatalf("at %v: %d, want %d", at, sequence.DueBy(at), want)
		}
	}
	if _, err := Sum(Burst{Count: MaxTable, Over: 1}, Burst{Count: 1}); err == nil {
		t.Error("a sum beyond its limit is accepted")
	}
	if _, err := Sequence(Burst{Over: math.MaxInt64}, Burst{Over: 1}); err == nil {
		t.Error("a sequence of 2^63 ns is accepted")
	}
}

// The bound that Ramp and Sine state: fewer than 2 messages from the curve, at
// any instant, from a message a second to many millions.
func TestCurvesStayWithTheirFormula(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	for range 2000 {
		from, to := rng.Int64N(1<<(1+rng.IntN(24))), rng.Int64N(1<<(1+rng.IntN(24)))
		over := time.Duration(1 + rng.Int64N(1<<(20+rng.IntN(15))))
		s, err := Ramp(from, to, over)
		ramp := made(t, s, err)
		at := time.Duration(rng.Int64N(int64(over)))
		x, T := at.Seconds(), over.Seconds()
		if want := float64(from)*x + float64(to-from)*x*x/(2*T); math.Abs(float64(ramp.DueBy(at))-want) >= 2 {
			t.Fatalf("ramp(%d, %d, %v) has %d due at %v, its formula %f", from, to, over, ramp.DueBy(at), at, want)
		}
		if want := (float64(from) + float64(to)) / 2 * T; math.Abs(float64(ramp.Total())-want) > 0.5001 {
			t.Fatalf("ramp(%d, %d, %v) has %d messages, its formula %f", from, to, over, ramp.Total(), want)
		}

		mean := 1 + from
		amplitude, period := rng.Int64N(mean+1), over/8+time.Millisecond
		s, err = Sine(mean, amplitude, period, 4*period)
		sine := made(t, s, err)
		x, T = (at % (4 * period)).Seconds(), period.Seconds()
		want := float64(mean)*x + float64(amplitude)*T/(2*math.Pi)*(1-math.Cos(2*math.Pi*x/T))
		if got := sine.DueBy(at % (4 * period)); math.Abs(float64(got)-want) >= 2 {
			t.Fatalf("sine(%d, %d, %v) has %d due at %v, its formula %f", mean, amplitude, period, got, at, want)
		}
	}
}

// Poisson arrivals: as many in each tenth as chance allows, gaps of an
// exponential distribution, and the same ones for the same seed.
func TestPoissonArrivals(t *testing.T) {
	const count = 100_000
	s, err := Poisson(count, 10*time.Second, 1)
	arrivals := made(t, s, err)
	longest := 0
	for i := int64(1); i < count; i++ {
		if arrivals.Due(i)-arrivals.Due(i-1) > 300*time.Microsecond { // three mean gaps: e^-3 of them
			longest++
		}
	}
	if want := count * math.Exp(-3); math.Abs(float64(longest)-want) > 5*math.Sqrt(want) {
		t.Errorf("%d gaps above three means, want about %.0f", longest, want)
	}
	for tenth := range 10 {
		n := arrivals.DueBy(time.Duration(tenth+1)*time.Second) - arrivals.DueBy(time.Duration(tenth)*time.Second)
		if n < 9_500 || n > 10_500 { // five standard deviations
			t.Errorf("%d arrivals in tenth %d", n, tenth)
		}
	}
	again, _ := Poisson(count, 10*time.Second, 1)
	other, _ := Poisson(count, 10*time.Second, 2)
	if arrivals.Due(777) != again.Due(777) || arrivals.Due(777) == other.Due(777) {
		t.Error("arrivals do not follow their seed")
	}
}

func TestScheduleRefusals(t *testing.T) {
	refused := func(s Schedule, err error) {
		t.Helper()
		if err == nil || !strings.HasPrefix(err.Error(), "cannot schedule ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v, %v", s, err)
		}
	}
	refused(Steady(-1, time.Second))
	refused(Steady(1, -1))
	refused(Steady(math.MaxInt64, math.MaxInt64))
	refused(Ramp(-1, 1, 1))
	refused(Ramp(1, 1, 0))
	refused(Ramp(maxRate, maxRate, math.MaxInt64))
	refused(Sine(1, 2, time.Second, time.Second))
	refused(Sine(2, 1, time.Second, 1500*time.Millisecond))
	refused(Sine(2, 1, 100, time.Hour)) // more stretches than memory is meant for
	refused(Poisson(MaxTable+1, time.Second, 1))
	refused(Poisson(1, 0, 1))
}

// TestGoldenSchedules pins each shape: how many messages are due by each eighth
// of its length, and when the first and the last are.
func TestGoldenSchedules(t *testing.T) {
	const s = time.Second
	ok := func(sc Schedule, err error) Schedule { return made(t, sc, err) }
	base := ok(Steady(1000, 8*s))
	rows := []struct {
		name, why string
		schedule  Schedule
	}{
		{"burst", "evenly over the window, the first at once", Burst{Count: 300_000, Over: 3 * s}},
		{"all_out", "everything is due at instant 0", Burst{Count: 1_000_000}},
		{"idle", "no message, but a length", Burst{Over: 8 * s}},
		{"steady", "as a burst of rate times length", ok(Steady(100_000, 8*s))},
		{"steady_thirds", "3 messages/s for 1.5 s are 4.5, so 5", ok(Steady(3, 1500*time.Millisecond))},
		{"repeated", "a window of 1 s, a gap of 3 s, twice: the halves are alike", ok(Sequence(Burst{1000, s}, Burst{0, 3 * s}, Burst{1000, s}, Burst{0, 3 * s}))},
		{"ramp_up", "a quarter of the messages in the first half", ok(Ramp(0, 100_000, 8*s))},
		{"ramp_down", "three quarters of them", ok(Ramp(100_000, 0, 8*s))},
		{"slow_ramp", "fewer messages than stretches still come one by one", ok(Ramp(0, 2, 8*s))},
		{"sine", "above the mean in the first half of each period, below in the second", ok(Sine(1000, 1000, 4*s, 8*s))},
		{"spike", "eight times the base for the fourth second", ok(Sequence(Burst{3000, 3 * s}, Burst{8000, s}, Burst{4000, 4 * s}))},
		{"poisson", "exactly as many, at seeded instants", ok(Poisson(8000, 8*s, 1))},
		{"sum", "a burst in the second half, on a steady load", ok(Sum(base, ok(Sequence(Burst{0, 4 * s}, Burst{1000, 4 * s}))))},
		{"shard", "every third message of the steady load, from the second on", ok(Shard(base, 1, 3))},
	}
	var got strings.Builder
	got.WriteString("# Due by each eighth of the length; then the first and the last due time.\n")
	for _, r := range rows {
		fmt.Fprintf(&got, "\n%s: %s\n  %d messages in %v\n ", r.name, r.why, r.schedule.Total(), r.schedule.End())
		for eighth := range 9 {
			fmt.Fprintf(&got, " %d", r.schedule.DueBy(r.schedule.End()*time.Duration(eighth)/8))
		}
		if n := r.schedule.Total(); n > 0 {
			fmt.Fprintf(&got, "\n  %v to %v", r.schedule.Due(0), r.schedule.Due(n-1))
		}
		got.WriteString("\n")
	}
	golden(t, "schedules.txt", got.String())
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("it differs from %s; got:\n%s", path, got)
	}
}

// Asking a schedule costs no memory: it is done for every datagram.
func TestSchedulesDoNotAllocate(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	for range 50 {
		s, words := drawSchedule(t, rng, 2)
		if n := testing.AllocsPerRun(10, func() {
			s.DueBy(s.End() / 2)
			if s.Total() > 0 {
				s.Due(s.Total() / 2)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", words, n)
		}
	}
}

func BenchmarkDue(b *testing.B) {
	s, err := Ramp(0, 1_000_000, time.Minute)
	ramp := made(b, s, err)
	for b.Loop() {
		ramp.Due(12_345_678)
	}
}

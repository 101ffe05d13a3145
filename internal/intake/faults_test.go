package intake

import (
	"math"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestDecide(t *testing.T) {
	tests := []struct {
		name   string
		faults Faults
		since  time.Duration
		want   Decision
	}{
		{"no faults", Faults{}, 0, Decision{}},
		{"a latency", Faults{Latency: 5}, 0, Decision{Delay: 5}},
		{"every one fails", Faults{ErrorRate: 1, ErrorStatus: 429}, 0, Decision{Status: 429}},
		{"every one is reset, and would fail", Faults{ErrorRate: 1, ErrorStatus: 500, ResetRate: 1}, 0, Decision{Reset: true, Status: 500}},
		{"before an outage", Faults{OutageFrom: 10, OutageTo: 20}, 9, Decision{}},
		{"it begins", Faults{OutageFrom: 10, OutageTo: 20}, 10, Decision{Outage: true, Status: 503}},
		{"its last moment", Faults{OutageFrom: 10, OutageTo: 20}, 19, Decision{Outage: true, Status: 503}},
		{"after it", Faults{OutageFrom: 10, OutageTo: 20}, 20, Decision{}},
		{"an outage comes first, after the latency", Faults{Latency: 5, ErrorRate: 1, ErrorStatus: 429, ResetRate: 1, OutageTo: 20}, 1, Decision{Delay: 5, Outage: true, Status: 503}},
	}
	for _, test := range tests {
		for number := range uint64(100) {
			if got := test.faults.Decide(number, test.since); got != test.want {
				t.Fatalf("%s: upload %d: %+v, want %+v", test.name, number, got, test.want)
			}
		}
	}
}

func TestDecideIsSeeded(t *testing.T) {
	const n = 10000
	f := Faults{ErrorRate: 0.25, ErrorStatus: 429, ResetRate: 0.1, Latency: time.Second, LatencyShape: Uniform, Seed: 1}
	decisions := func(f Faults, since time.Duration) (all []Decision) {
		for number := range uint64(n) {
			all = append(all, f.Decide(number, since))
		}
		return all
	}
	first := decisions(f, 0)
	if !slices.Equal(first, decisions(f, time.Hour)) {
		t.Error("what is struck depends on more than the number and the seed")
	}
	failed, reset, both := 0, 0, 0
	for _, d := range first {
		switch {
		case d.Status != 0 && d.Reset:
			both++
		case d.Status != 0:
			failed++
		case d.Reset:
			reset++
		}
	}
	// Seeded, so exact from run to run; the bounds are 5 standard deviations.
	near := func(got int, p float64) bool { return math.Abs(float64(got)-n*p) < 5*math.Sqrt(n*p*(1-p)) }
	if !near(failed+both, 0.25) || !near(reset+both, 0.1) || !near(both, 0.025) {
		t.Errorf("%d failed, %d reset and %d both of %d, want .25 and .1, independent of each other", failed, reset, both, n)
	}
	other := f
	other.Seed = 2
	if slices.Equal(first, decisions(other, 0)) {
		t.Error("two seeds agree")
	}
	calm := f
	calm.ResetRate, calm.Latency = 0, 0
	for i, d := range decisions(calm, 0) {
		if d.Status != first[i].Status {
			t.Fatalf("upload %d: a change of the other faults moves the errors", i)
		}
	}
}

func TestLatencyShapes(t *testing.T) {
	const n = 20000
	for _, shape := range []LatencyShape{Fixed, Uniform, Exponential} {
		f := Faults{Latency: time.Second, LatencyShape: shape, Seed: 3}
		var sum, squares float64
		lowest, highest := time.Hour, time.Duration(0)
		for number := range uint64(n) {
			d := f.Decide(number, 0).Delay
			sum += d.Seconds()
			squares += d.Seconds() * d.Seconds()
			lowest, highest = min(lowest, d), max(highest, d)
		}
		mean := sum / n
		deviation := math.Sqrt(max(0, squares/n-mean*mean))
		want := map[LatencyShape]float64{Fixed: 0, Uniform: 1 / math.Sqrt(3), Exponential: 1}[shape]
		if math.Abs(mean-1) > 0.05 || math.Abs(deviation-want) > 0.05 {
			t.Errorf("%v: mean %.3f s, deviation %.3f s, want 1 and %.3f", shape, mean, deviation, want)
		}
		if lowest < 0 || shape == Uniform && highest > 2*time.Second {
			t.Errorf("%v: from %v to %v", shape, lowest, highest)
		}
	}
	// The ends of the random numbers are finite times.
	if d := Exponential.at(time.Second, math.Nextafter(1, 0)); d <= 0 || d > time.Minute {
		t.Errorf("the longest latency is %v", d)
	}
}

func TestParseOutage(t *testing.T) {
	if from, to, err := ParseOutage("2s-5s"); from != 2*time.Second || to != 5*time.Second || err != nil {
		t.Errorf("%v, %v, %v", from, to, err)
	}
	for _, text := range []string{"", "2s", "5s-2s", "2-5", "-1s-5s", "2s-5s-6s"} {
		if _, _, err := ParseOutage(text); err == nil || !strings.Contains(err.Error(), "want FROM-TO since the start, such as 2s-5s") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestPace reads a pipe on a synthetic clock.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from, to := net.Pipe()
		go func() {
			_, _ = to.Write(make([]byte, 3000))
			_ = to.Close()
		}()
		p := &pace{rate: 1000, closed: make(chan struct{})}
		buffer, read, start := make([]byte, 1<<16), 0, time.Now()
		for read < 3000 {
			n, err := p.read(from, buffer)
			if err != nil {
				t.Fatal(err)
			}
			if n > 50 {
				t.Fatalf("%d bytes at once, want at most a twentieth of a second's worth", n)
			}
			read += n
		}
		// The last part is paid for by a read that does not come.
		if took := time.Since(start); took < 2900*time.Millisecond || took > 3*time.Second {
			t.Errorf("3000 bytes took %v, want 3 s at 1000 a second", took)
		}
		close(p.closed)
		if _, err := p.read(from, buffer); err != net.ErrClosed {
			t.Errorf("a read that waits while the connection is closed: %v", err)
		}
	})
}

package procfs

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestDisturbanceSince(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(after, some time.Duration, total, steal float64) HostSnapshot {
		return HostSnapshot{At: start.Add(after), cpuSome: &some, cpuTimes: &cpuTimes{total: total, steal: steal}}
	}
	bare := func(after time.Duration) HostSnapshot { return HostSnapshot{At: start.Add(after)} }
	number := func(x float64) *float64 { return &x }
	tests := []struct {
		why       string
		prev, now HostSnapshot
		want      Disturbance
	}{
		{
			"two CPUs over 2 s, a task waiting for half of it, one second stolen",
			at(0, 10*time.Second, 100, 7), at(2*time.Second, 11*time.Second, 104, 8),
			Disturbance{CPUSome: number(.5), Steal: number(.25)},
		},
		{
			"undisturbed is zero and not absent",
			at(0, time.Second, 100, 7), at(time.Second, time.Second, 102, 7),
			Disturbance{CPUSome: number(0), Steal: number(0)},
		},
		{"a host that does not tell", bare(0), bare(time.Second), Disturbance{}},
		{"a host that told only at the end", bare(0), at(time.Second, 1, 1, 1), Disturbance{}},
		{"no time has passed", at(0, 1, 1, 1), at(0, 1, 1, 1), Disturbance{}},
		{
			"the kernel's steal counter can step back",
			at(0, 0, 100, 7), at(time.Second, 0, 102, 6.99),
			Disturbance{CPUSome: number(0), Steal: number(0)},
		},
		{
			"pressure is counted a little later than the clock is read",
			at(0, 0, 100, 0), at(time.Second, 1001*time.Millisecond, 102, 0),
			Disturbance{CPUSome: number(1), Steal: number(0)},
		},
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want, test.now.Since(test.prev)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.why, diff)
		}
	}
}

package target

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestSettings: the very texts that the kernel is given.
func TestSettings(t *testing.T) {
	type files map[string]string
	for _, test := range []struct {
		why     string
		limits  Limits
		version int
		want    files
	}{
		{"a quarter in the usual period", Limits{CPUs: 0.25, Period: 100 * time.Millisecond}, 2, files{"cpu.max": "25000 100000"}},
		{"more than one CPU", Limits{CPUs: 1.5, Period: 20 * time.Millisecond}, 2, files{"cpu.max": "30000 20000"}},
		{"no binary fraction: rounded, not cut off", Limits{CPUs: 0.29, Period: 100 * time.Millisecond}, 2, files{"cpu.max": "29000 100000"}},
		{"the older files", Limits{CPUs: 0.5, Period: 20 * time.Millisecond}, 1, files{"cpu.cfs_period_us": "20000", "cpu.cfs_quota_us": "10000"}},
		{"memory, and no way around it", Limits{Memory: 64 << 20}, 2, files{"memory.max": "67108864", "memory.swap.max": "0", "memory.oom.group": "1"}},
		{"memory in the older files, where swap counts besides", Limits{Memory: 64 << 20}, 1, files{"memory.limit_in_bytes": "67108864", "memory.memsw.limit_in_bytes": "67108864"}},
	} {
		got := files{}
		for _, s := range test.limits.settings(test.version) {
			got[s.file] = s.text
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.why, diff)
		}
	}
	// The kernel refuses a limit with swap that is below the one without.
	if s := (Limits{Memory: 64 << 20}).settings(1); s[0].file != "memory.limit_in_bytes" {
		t.Errorf("%s is written first", s[0].file)
	}
	// The period stands first: the kernel refuses a quota that does not fit to it.
	if s := (Limits{CPUs: 0.5, Period: time.Millisecond * 4}).settings(1); s[0].file != "cpu.cfs_period_us" {
		t.Errorf("%s is written first", s[0].file)
	}
}

func TestCPUsOf(t *testing.T) {
	for text, want := range map[string]float64{
		"25000 100000": 0.25, "30000 20000": 1.5, "max 100000": 0, "-1 100000": 0, "": 0, "25000": 0, "1 0": 0,
	} {
		if got := cpusOf(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestMemoryOf(t *testing.T) {
	for text, want := range map[string]int64{"67108864": 64 << 20, "max": 0, "9223372036854771712": 0, "": 0} {
		if got := memoryOf(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func TestUsageOf(t *testing.T) {
	count := func(n int64) *int64 { return &n }
	stood := 1500 * time.Millisecond
	want := Usage{Periods: count(96), ThrottledPeriods: count(84), Throttled: &stood}
	got := usageOf(2, "usage_usec 9\nnr_periods 96\nnr_throttled 84\nthrottled_usec 1500000\nnr_bursts 0\n", "")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("v2 (-want +got):\n%s", diff)
	}
	got = usageOf(1, "nr_periods 96\nnr_throttled 84\nthrottled_time 1500000000\n", "")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("v1 (-want +got):\n%s", diff)
	}
	// Without a quota the kernel leaves the lines out: not measured, not zero.
	got = usageOf(2, "usage_usec 9\nuser_usec 9\n", "low 0\nmax 7\noom 2\noom_kill 1\noom_group_kill 1\n")
	if diff := cmp.Diff(Usage{OOMKills: count(1)}, got); diff != "" {
		t.Errorf("memory (-want +got):\n%s", diff)
	}
	got = usageOf(1, "", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
	if diff := cmp.Diff(Usage{OOMKills: count(2)}, got); diff != "" {
		t.Errorf("memory in v1 (-want +got):\n%s", diff)
	}
}

func TestDeathByMemoryNamesItsLimit(t *testing.T) {
	s := State{Code: -1, Signal: syscall.SIGKILL, OutOfMemory: 64 << 20}
	if got := s.String(); !strings.Contains(got, "67108864 bytes") {
		t.Error(got)
	}
}

func TestNothingToLimitIsNoGroup(t *testing.T) {
	if g, err := NewCgroup(Limits{}); g != nil || err == nil {
		t.Errorf("%+v, %v", g, err)
	}
	var none *Cgroup
	if none.Applied() != (Applied{}) || none.Close() != nil {
		t.Error("a group that is not there limits something")
	}
}

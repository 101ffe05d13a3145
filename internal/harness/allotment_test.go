package harness

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"floodgate/internal/record"
	"floodgate/internal/target"
	"floodgate/scenarios"
)

// TestAllotmentTellsWhatHeld: the record keeps apart what was asked for and what
// limited the target in fact.
func TestAllotmentTellsWhatHeld(t *testing.T) {
	half := scenarios.TargetSetup{CPUs: 0.5, CPUPeriod: 20 * time.Millisecond}
	memory := scenarios.TargetSetup{Memory: 64 << 20}
	for _, test := range []struct {
		why   string
		setup scenarios.TargetSetup
		got   target.Applied
		cores int
		want  *record.Allotment
	}{
		{"nothing was asked for", scenarios.TargetSetup{CPUPeriod: time.Second}, target.Applied{}, 0, nil},
		{"a quota", half, target.Applied{Version: 1, CPUMax: "10000 20000", CPUs: 0.5}, 0,
			&record.Allotment{Asked: record.AllotmentAsked{CPUs: 0.5}, By: "cgroup", CPUsApplied: 0.5, CgroupVersion: 1, CPUMax: "10000 20000"}},
		{"whole cores in its place", half, target.Applied{}, 1,
			&record.Allotment{Asked: record.AllotmentAsked{CPUs: 0.5}, By: "affinity", CPUsApplied: 1}},
		{"neither", half, target.Applied{}, 0, &record.Allotment{Asked: record.AllotmentAsked{CPUs: 0.5}, By: "none"}},
		{"whole cores, as asked for, and memory", scenarios.TargetSetup{CPUs: 2, Memory: 64 << 20}, target.Applied{Version: 2, MemoryMax: 64 << 20}, 2,
			&record.Allotment{Asked: record.AllotmentAsked{CPUs: 2, MemoryBytes: 64 << 20}, By: "affinity", CPUsApplied: 2, CgroupVersion: 2, MemoryMaxBytes: 64 << 20}},
		{"memory that could not be limited", memory, target.Applied{}, 0, &record.Allotment{Asked: record.AllotmentAsked{MemoryBytes: 64 << 20}}},
	} {
		if diff := cmp.Diff(test.want, allotment(test.setup, test.got, test.cores)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.why, diff)
		}
	}
}

// TestAllotLimitsOrWarns: whatever this host permits, a target is either limited
// or the warnings say that it is not.
func TestAllotLimitsOrWarns(t *testing.T) {
	allowed, err := target.AllowedCPUs()
	if err != nil {
		t.Skip(err)
	}
	last := allowed[len(allowed)-1:]
	allotted := func(setup scenarios.TargetSetup) (target.Command, []string) {
		setup.CPUPeriod = 20 * time.Millisecond
		var c target.Command
		warnings := allot(&c, setup)
		t.Cleanup(func() { c.Cgroup.Close() })
		return c, warnings
	}
	if c, w := allotted(scenarios.TargetSetup{}); c.CPUs != nil || c.Cgroup != nil || w != nil {
		t.Errorf("nothing asked for: %+v, %q", c, w)
	}
	// A whole core takes no group, so that it means what it always did.
	if c, w := allotted(scenarios.TargetSetup{CPUs: 1}); !cmp.Equal(c.CPUs, last) || c.Cgroup != nil || w != nil {
		t.Errorf("a core: %+v, %q", c, w)
	}
	c, w := allotted(scenarios.TargetSetup{CPUs: 0.5})
	switch got := c.Cgroup.Applied(); {
	case got.CPUs == 0.5 && (c.CPUs != nil || w != nil):
		t.Errorf("a quota, and besides CPUs %v and warnings %q", c.CPUs, w)
	case got.CPUs != 0.5 && (!cmp.Equal(c.CPUs, last) || len(w) != 1 || !strings.Contains(w[0], "0.5 of a CPU")):
		t.Errorf("no quota: CPUs %v, warnings %q; want one core and a warning", c.CPUs, w)
	}
	c, w = allotted(scenarios.TargetSetup{Memory: 64 << 20})
	if limited := c.Cgroup.Applied().MemoryMax == 64<<20; limited != (w == nil) {
		t.Errorf("memory limited: %v, warnings %q", limited, w)
	}
	for _, cpus := range []float64{float64(len(allowed) + 1), float64(len(allowed)) + 0.5} {
		if c, w := allotted(scenarios.TargetSetup{CPUs: cpus}); c.CPUs != nil || c.Cgroup != nil || len(w) != 1 || !strings.Contains(w[0], "this host has") {
			t.Errorf("%v CPUs on a host of %d: %+v, %q", cpus, len(allowed), c, w)
		}
	}
}

// TestHeldBack: counters of both readings, or no measure.
func TestHeldBack(t *testing.T) {
	count := func(n int64) *int64 { return &n }
	stood := func(d time.Duration) *time.Duration { return &d }
	before := target.Usage{Periods: count(5), ThrottledPeriods: count(2), Throttled: stood(time.Second)}
	after := target.Usage{Periods: count(9), ThrottledPeriods: count(6), Throttled: stood(1500 * time.Millisecond), OOMKills: count(1)}
	want := target.Usage{Periods: count(4), ThrottledPeriods: count(4), Throttled: stood(500 * time.Millisecond)}
	got := heldBack(before, after)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	values := map[string]float64{}
	for _, m := range measures(findings{held: got}) {
		values[m.Name] = m.Value
	}
	if kills, measured := values["oom_kills"]; measured || values["throttled_time"] != 0.5 || values["throttled_periods"] != 4 {
		t.Errorf("measures %v; oom_kills %v was not measured", values, kills)
	}
}

package reports

import (
	"testing"

	"floodgate/internal/record"
)

// TestAllotmentText: what did not hold must not read as if it had.
func TestAllotmentText(t *testing.T) {
	asked := func(cpus float64, memory int64) record.AllotmentAsked {
		return record.AllotmentAsked{CPUs: cpus, MemoryBytes: memory}
	}
	for _, c := range []struct {
		allotment *record.Allotment
		want      string
	}{
		{nil, ""},
		{&record.Allotment{Asked: asked(0.5, 0), By: record.ByCgroup, CPUsApplied: 0.5, CPUMax: "10000 20000", CgroupVersion: 2},
			"0.5 CPU by quota (10000 of 20000 µs, cgroup v2)"},
		{&record.Allotment{Asked: asked(2, 0), By: record.ByAffinity, CPUsApplied: 2}, "2 CPU by affinity"},
		{&record.Allotment{Asked: asked(0.5, 0), By: record.ByAffinity, CPUsApplied: 1}, "asked for 0.5 CPU, got 1 CPU by affinity"},
		{&record.Allotment{Asked: asked(0.5, 256<<20), By: record.ByNone}, "asked for 0.5 CPU, not limited; asked for 256MiB of memory, not limited"},
		{&record.Allotment{Asked: asked(0, 256<<20), CgroupVersion: 2, MemoryMaxBytes: 256 << 20}, "256MiB of memory"},
	} {
		if got := allotmentText(c.allotment); got != c.want {
			t.Errorf("got  %q\nwant %q", got, c.want)
		}
	}
}

package harness

import (
	"fmt"
	"math"

	"floodgate/internal/record"
	"floodgate/internal/target"
	"floodgate/scenarios"
)

// allot gives a target what its scenario says it may use: memory and fractions
// of a CPU through a control group, whole CPUs by confining it to so many cores.
// A fraction confines it to no core: where quotas are used in earnest, in
// containers and functions, threads run on every core until the quota is gone.
// The warnings say what could not be done, and what was done instead.
func allot(c *target.Command, setup scenarios.TargetSetup) (warnings []string) {
	fraction := setup.CPUs != math.Trunc(setup.CPUs)
	cores := int(math.Ceil(setup.CPUs))
	limits := target.Limits{Memory: setup.Memory}
	if cores > 0 {
		cpus, err := lastCPUs(cores)
		switch {
		case err != nil:
			warnings = append(warnings, fmt.Sprintf("the target was not limited to %v CPUs: %v", setup.CPUs, err))
		case fraction:
			limits.CPUs, limits.Period = setup.CPUs, setup.CPUPeriod
		default:
			c.CPUs = cpus
		}
	}
	if limits == (target.Limits{}) {
		return warnings
	}
	var why error
	c.Cgroup, why = target.NewCgroup(limits)
	if why == nil {
		return warnings
	}
	got := c.Cgroup.Applied()
	if limits.CPUs > 0 && got.CPUs == 0 {
		// There were enough of them a moment ago; if not, its own warning follows.
		c.CPUs, _ = lastCPUs(cores)
		warnings = append(warnings, fmt.Sprintf("the target was not limited to %v of a CPU but confined to %d of the cores: %v", setup.CPUs, cores, why))
	}
	if limits.Memory > 0 && got.MemoryMax == 0 {
		warnings = append(warnings, fmt.Sprintf("the memory of the target was not limited to %s: %v", scenarios.Format(float64(setup.Memory), scenarios.Bytes), why))
	}
	return warnings
}

// lastCPUs are the n cores of the highest numbers, because the first serve most
// interrupts.
func lastCPUs(n int) ([]int, error) {
	allowed, err := target.AllowedCPUs()
	if err != nil {
		return nil, err
	}
	if n > len(allowed) {
		return nil, fmt.Errorf("this host has %d", len(allowed))
	}
	return allowed[len(allowed)-n:], nil
}

// allotment is what a record says of the limits that were asked for and of
// those that held; nil where none were asked for.
func allotment(setup scenarios.TargetSetup, got target.Applied, cores int) *record.Allotment {
	if setup.CPUs == 0 && setup.Memory == 0 {
		return nil
	}
	a := &record.Allotment{
		Asked:         record.AllotmentAsked{CPUs: setup.CPUs, MemoryBytes: setup.Memory},
		CgroupVersion: got.Version, CPUMax: got.CPUMax, MemoryMaxBytes: got.MemoryMax,
	}
	switch {
	case got.CPUs > 0:
		a.By, a.CPUsApplied = record.ByCgroup, got.CPUs
	case cores > 0:
		a.By, a.CPUsApplied = record.ByAffinity, float64(cores)
	case setup.CPUs > 0:
		a.By = record.ByNone
	}
	return a
}

// heldBack is what the counters of a control group have moved between two
// readings; nil where one of them is not known.
func heldBack(before, after target.Usage) target.Usage {
	return target.Usage{
		Periods:          since(before.Periods, after.Periods),
		ThrottledPeriods: since(before.ThrottledPeriods, after.ThrottledPeriods),
		Throttled:        since(before.Throttled, after.Throttled),
		OOMKills:         since(before.OOMKills, after.OOMKills),
	}
}

func since[T ~int64](before, after *T) *T {
	if before == nil || after == nil {
		return nil
	}
	d := *after - *before
	return &d
}

// heldMeasures adds what a control group counted to the values of measures.
func heldMeasures(held target.Usage, values map[string]float64) {
	if held.Throttled != nil && held.ThrottledPeriods != nil {
		values["throttled_time"] = held.Throttled.Seconds()
		values["throttled_periods"] = float64(*held.ThrottledPeriods)
	}
	if held.OOMKills != nil {
		values["oom_kills"] = float64(*held.OOMKills)
	}
}

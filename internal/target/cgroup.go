package target

import (
	"bufio"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Limits are what a control group keeps a target within.
type Limits struct {
	// CPUs is the CPU time per time that all threads together may use, over each
	// Period; 0 for no limit. One that has used it up stands still until the next
	// period begins.
	CPUs   float64
	Period time.Duration // from 1 ms to 1 s
	Memory int64         // bytes, beyond which the kernel kills; 0 for no limit
}

// any reports whether there is something to limit.
func (l Limits) any() bool { return l.CPUs > 0 || l.Memory > 0 }

// controllers are the parts of cgroup v2 that the limits need.
func (l Limits) controllers() []string {
	var names []string
	if l.CPUs > 0 {
		names = append(names, "cpu")
	}
	if l.Memory > 0 {
		names = append(names, "memory")
	}
	return names
}

// Applied is what a control group limits in fact, read back from the kernel.
type Applied struct {
	Version int // of cgroups, 1 or 2; 0 where there is no group
	// CPUMax is the quota and its period in microseconds, as cpu.max has them:
	// "25000 100000" is a quarter of a CPU. Empty where CPU time is not limited.
	CPUMax    string
	CPUs      float64 // the same as CPUs; 0 where it is not limited
	MemoryMax int64   // bytes; 0 where memory is not limited
}

// Usage is what a control group counted since it was made. Pointers are nil where
// the system does not tell.
type Usage struct {
	Periods          *int64         // in which the group was active
	ThrottledPeriods *int64         // of these, in which its quota was used up
	Throttled        *time.Duration // how long the group stood still for it
	OOMKills         *int64         // processes killed for the memory limit
}

// ErrNoCgroup is wrapped by the errors of NewCgroup where no group can be made
// that limits what was asked for.
var ErrNoCgroup = errors.New("no control group can be made")

// Cgroup is a control group made for one process. Start takes it over and
// removes it when the process has ended; one that is never started must be closed.
type Cgroup struct {
	dir     string
	home    string // v1: the group that the harness's threads belong to
	applied Applied
}

// Applied is what the group limits. A nil group limits nothing.
func (g *Cgroup) Applied() Applied {
	if g == nil {
		return Applied{}
	}
	return g.applied
}

// setting is one file of a group and what is written to it.
type setting struct {
	file, text string
	optional   bool // the kernel may not have it
}

// settings are the files that make a group of the version keep to l. The limits
// of v1 lack memory: its controller lives in another hierarchy, where a process
// cannot be born into a group of ours and of its starter's at once.
func (l Limits) settings(version int) []setting {
	quota, period := l.quota()
	var list []setting
	switch {
	case l.CPUs > 0 && version == 1:
		list = append(list, setting{file: "cpu.cfs_period_us", text: strconv.FormatInt(period, 10)},
			setting{file: "cpu.cfs_quota_us", text: strconv.FormatInt(quota, 10)})
	case l.CPUs > 0:
		list = append(list, setting{file: "cpu.max", text: fmt.Sprintf("%d %d", quota, period)})
	}
	if l.Memory > 0 && version == 2 {
		list = append(list, setting{file: "memory.max", text: strconv.FormatInt(l.Memory, 10)},
			// Otherwise a target would become slow instead of dying.
			setting{file: "memory.swap.max", text: "0", optional: true},
			// A server is not left with half of its processes.
			setting{file: "memory.oom.group", text: "1", optional: true})
	}
	return list
}

// quota is l.CPUs as the kernel has it, in microseconds.
func (l Limits) quota() (quota, period int64) {
	period = l.Period.Microseconds()
	return int64(l.CPUs*float64(period) + 0.5), period
}

// cpusOf is the CPU time per time that a text as in cpu.max allows; 0 where it
// limits nothing.
func cpusOf(cpuMax string) float64 {
	var quota, period float64
	if n, err := fmt.Sscanf(cpuMax, "%g %g", &quota, &period); n != 2 || err != nil || quota <= 0 || period <= 0 {
		return 0 // "max 100000", or "-1" in v1
	}
	return quota / period
}

// usageOf reads the texts of cpu.stat, in the version's units, and of
// memory.events; either may be empty.
func usageOf(version int, cpuStat, memoryEvents string) Usage {
	var u Usage
	cpu := counters(cpuStat)
	u.Periods, u.ThrottledPeriods = cpu["nr_periods"], cpu["nr_throttled"]
	key, unit := "throttled_usec", time.Microsecond
	if version == 1 {
		key, unit = "throttled_time", time.Nanosecond
	}
	if n := cpu[key]; n != nil {
		d := time.Duration(*n) * unit
		u.Throttled = &d
	}
	u.OOMKills = counters(memoryEvents)["oom_kill"]
	return u
}

// counters reads lines of a name and a number; others are passed over.
func counters(text string) map[string]*int64 {
	found := map[string]*int64{}
	for scanner := bufio.NewScanner(strings.NewReader(text)); scanner.Scan(); {
		name, number, _ := strings.Cut(scanner.Text(), " ")
		if n, err := strconv.ParseInt(number, 10, 64); err == nil {
			found[name] = &n
		}
	}
	return found
}

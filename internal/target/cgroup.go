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

// The controllers that can limit, by the names that both versions have for them.
const (
	cpuController    = "cpu"
	memoryController = "memory"
)

// controllers are those that the limits need.
func (l Limits) controllers() []string {
	var names []string
	if l.CPUs > 0 {
		names = append(names, cpuController)
	}
	if l.Memory > 0 {
		names = append(names, memoryController)
	}
	return names
}

// only is what one controller limits of l.
func (l Limits) only(controller string) Limits {
	if controller == memoryController {
		return Limits{Memory: l.Memory}
	}
	return Limits{CPUs: l.CPUs, Period: l.Period}
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
	parts   []part // one; in v1, where each controller has a tree of its own, one for each
	applied Applied
}

// part is the folder of a group in one tree.
type part struct {
	tree tree
	dir  string
}

// tree is a hierarchy of control groups: all of v2, or that of a controller in v1.
type tree struct {
	version  int
	own, top string // folders: of this process's group, and of the highest that it sees
	// The kernel gives the folder of a new group its files, and takes them away
	// with it.
	mkdir, rmdir func(dir string) error
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

// settings are the files that make a group of the version keep to l, in the order
// in which they are written.
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
	// Without swap: otherwise a target would become slow instead of dying.
	switch memory := strconv.FormatInt(l.Memory, 10); {
	case l.Memory > 0 && version == 1:
		list = append(list, setting{file: "memory.limit_in_bytes", text: memory},
			setting{file: "memory.memsw.limit_in_bytes", text: memory, optional: true})
	case l.Memory > 0:
		list = append(list, setting{file: "memory.max", text: memory},
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

// memoryOf is the limit of memory in a text as in memory.max; 0 where it limits
// nothing.
func memoryOf(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n >= 1<<60 {
		return 0 // "max", or in v1 all that fits
	}
	return n
}

// usageOf reads the texts of cpu.stat, in the version's units, and of
// memory.events, in v1 memory.oom_control; either may be empty.
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

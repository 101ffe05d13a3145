package procfs

import "time"

// HostFacts describes the machine. A pointer is nil and a text is empty where
// the host does not tell.
type HostFacts struct {
	OS   string // as Go names it
	Arch string // as Go names it
	// Kernel is the release of the kernel.
	Kernel   string
	CPUModel string
	// Cores is the number of CPUs that this process may use, so a container or
	// an affinity mask counts and not the whole machine.
	Cores int
	// MemoryBytes is all memory that the kernel manages.
	MemoryBytes *int64
	// RmemMax is net.core.rmem_max, in bytes: the most that SO_RCVBUF grants,
	// before the kernel doubles it.
	RmemMax *int64
	// Load1 is the load average over one minute.
	Load1 *float64
}

// HostSnapshot holds counters of the whole host, for the difference of two.
type HostSnapshot struct {
	At time.Time

	cpuSome  *time.Duration // since boot, from /proc/pressure/cpu
	cpuTimes *cpuTimes      // since boot, from /proc/stat
}

// cpuTimes is the CPU time of all CPUs of the host, in seconds.
type cpuTimes struct {
	total float64 // whatever it was spent on, idling included
	steal float64
}

// Disturbance says how much of a stretch of time others took. A field is nil
// where the host does not tell or the stretch was too short.
type Disturbance struct {
	// CPUSome is the share (0..1) of the stretch in which at least one task on
	// the host was ready to run and had no CPU (PSI "some").
	CPUSome *float64
	// Steal is the share (0..1) of the CPU time of all CPUs that the hypervisor
	// gave to somebody else.
	Steal *float64
}

// Since returns the disturbance in the stretch from prev to s. Steal is counted
// in ticks of 10 ms for each CPU, so it is coarse over less than a second.
func (s HostSnapshot) Since(prev HostSnapshot) Disturbance {
	var d Disturbance
	if elapsed := s.At.Sub(prev.At); s.cpuSome != nil && prev.cpuSome != nil && elapsed > 0 {
		d.CPUSome = share((*s.cpuSome - *prev.cpuSome).Seconds(), elapsed.Seconds())
	}
	if s.cpuTimes != nil && prev.cpuTimes != nil {
		if total := s.cpuTimes.total - prev.cpuTimes.total; total > 0 {
			d.Steal = share(s.cpuTimes.steal-prev.cpuTimes.steal, total)
		}
	}
	return d
}

// share is part/whole, kept in [0, 1]: the kernel takes the two at slightly
// different moments and is known to step its steal counter back.
func share(part, whole float64) *float64 {
	x := min(max(part/whole, 0), 1)
	return &x
}

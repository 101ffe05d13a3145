package procfs

import (
	"bytes"
	"os"
	"runtime"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// Host returns the facts of this machine. Those that cannot be read are left
// out.
func Host() HostFacts {
	facts := HostFacts{OS: runtime.GOOS, Arch: runtime.GOARCH, Cores: runtime.NumCPU()}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		facts.Kernel = unix.ByteSliceToString(name.Release[:])
	}
	if text, err := os.ReadFile("/proc/sys/net/core/rmem_max"); err == nil {
		if n, ok := decimal(bytes.TrimSpace(text)); ok {
			facts.RmemMax = &n
		}
	}
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return facts
	}
	if cpus, err := fs.CPUInfo(); err == nil && len(cpus) > 0 {
		facts.CPUModel = cpus[0].ModelName
	}
	if memory, err := fs.Meminfo(); err == nil && memory.MemTotalBytes != nil {
		total := int64(*memory.MemTotalBytes)
		facts.MemoryBytes = &total
	}
	if load, err := fs.LoadAvg(); err == nil {
		facts.Load1 = &load.Load1
	}
	return facts
}

// Snapshot takes the host's counters. Those that cannot be read, such as
// pressure on a kernel built without it, are left out.
func Snapshot() HostSnapshot {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return HostSnapshot{At: time.Now()}
	}
	return snapshot(fs, time.Now())
}

func snapshot(fs procfs.FS, at time.Time) HostSnapshot {
	s := HostSnapshot{At: at}
	if psi, err := fs.PSIStatsForResource("cpu"); err == nil && psi.Some != nil {
		some := time.Duration(psi.Some.Total) * time.Microsecond
		s.cpuSome = &some
	}
	if stat, err := fs.Stat(); err == nil {
		c := stat.CPUTotal
		// Guest time is left out: the kernel counts it in User and Nice already.
		s.cpuTimes = &cpuTimes{
			total: c.User + c.Nice + c.System + c.Idle + c.Iowait + c.IRQ + c.SoftIRQ + c.Steal,
			steal: c.Steal,
		}
	}
	return s
}

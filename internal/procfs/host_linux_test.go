package procfs

import (
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/procfs"
)

func TestHostTellsItsFacts(t *testing.T) {
	facts := Host()
	if facts.OS != "linux" || facts.Arch == "" || facts.Kernel == "" || facts.Cores < 1 {
		t.Errorf("facts %+v: one is missing that every Linux has", facts)
	}
	if facts.MemoryBytes == nil || *facts.MemoryBytes < 1<<20 {
		t.Errorf("memory %v: every Linux has some", facts.MemoryBytes)
	}
	if facts.Load1 == nil || *facts.Load1 < 0 {
		t.Errorf("load %v: every Linux has one", facts.Load1)
	}
	// Present in the host's own network namespace only.
	if text, err := os.ReadFile("/proc/sys/net/core/rmem_max"); err == nil && facts.RmemMax == nil {
		t.Errorf("rmem_max is %q, but absent from the facts", text)
	}
}

func TestSnapshotReadsPressureAndSteal(t *testing.T) {
	const stat = "cpu  100 10 30 800 40 0 5 15 50 5\ncpu0 100 10 30 800 40 0 5 15 50 5\nbtime 1\n"
	const pressure = "some avg10=1.00 avg60=1.00 avg300=1.00 total=2500000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
	host := func(files map[string]string) HostSnapshot {
		root := t.TempDir()
		for name, text := range files {
			path := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		fs, err := procfs.NewFS(root)
		if err != nil {
			t.Fatal(err)
		}
		return snapshot(fs, time.Unix(0, 0))
	}

	s := host(map[string]string{"stat": stat, "pressure/cpu": pressure})
	if s.cpuSome == nil || *s.cpuSome != 2500*time.Millisecond {
		t.Errorf("pressure %v, want 2.5 s", s.cpuSome)
	}
	// In ticks of 1/100 s; guest time is within user time and must not count twice.
	if s.cpuTimes == nil || math.Abs(s.cpuTimes.total-10) > 1e-9 || s.cpuTimes.steal != .15 {
		t.Errorf("CPU times %+v, want 10 s of which 0.15 s were stolen", s.cpuTimes)
	}
	if s := host(map[string]string{"stat": stat}); s.cpuSome != nil || s.cpuTimes == nil {
		t.Errorf("a kernel without pressure: %+v, want it absent and the CPU times present", s)
	}
	if s := host(nil); s.cpuSome != nil || s.cpuTimes != nil {
		t.Errorf("nothing to read: %+v, want everything absent", s)
	}
}

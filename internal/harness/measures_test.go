package harness

import (
	"testing"
	"time"

	"floodgate/internal/record"
)

// TestFlushCPU: what flushes took stands beside the CPU per message, over the
// same messages and the same stretch, and is absent where it cannot be told.
func TestFlushCPU(t *testing.T) {
	cpu := 3 * time.Millisecond
	told := &Statistics{FlushCPU: count(600_000)}
	ledger := record.Ledger{Offered: 1000, Sent: 1000, Delivered: count(1000)}
	for _, c := range []struct {
		why  string
		in   findings
		want time.Duration // 0 where it is absent
	}{
		{"of 3 µs per message 600 ns are the flushes'", findings{cpu: &cpu, ledger: ledger, stats: told}, 600},
		{"lost messages share no costs", findings{cpu: &cpu, ledger: record.Ledger{Sent: 1000, Delivered: count(500), KernelDropped: count(500)}, stats: told}, 1200},
		{"a target that does not tell", findings{cpu: &cpu, ledger: ledger, stats: &Statistics{}}, 0},
		{"one that tells nothing", findings{cpu: &cpu, ledger: ledger}, 0},
		{"without the whole there is no part", findings{ledger: ledger, stats: told}, 0},
		{"the flushes of the warm-up are left out with it", findings{cpu: &cpu, ledger: ledger, stats: told,
			warm: leftOut{cpu: time.Millisecond, messages: 500, flushCPU: count(100_000)}}, 1000},
		{"unless they are not known", findings{cpu: &cpu, ledger: ledger, stats: told, warm: leftOut{cpu: time.Millisecond, messages: 500}}, 0},
		{"nor is anything about the warm-up", findings{cpu: &cpu, ledger: ledger, stats: told, warm: leftOut{unknown: true}}, 0},
	} {
		c.in.elapsed = time.Second
		got := time.Duration(0)
		for _, m := range measures(c.in) {
			if m.Name == "flush_cpu_per_message" {
				got = time.Duration(m.Value*1e9 + .5)
			}
		}
		if got != c.want {
			t.Errorf("%s: %v, want %v", c.why, got, c.want)
		}
	}
}

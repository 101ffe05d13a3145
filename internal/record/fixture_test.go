package record

import (
	"flag"
	"time"
)

var update = flag.Bool("update", false, "rewrite the golden files under testdata")

// full is a record with every field set, and no two numbers alike where the
// meaning allows it.
func full() *Record {
	load, psi, steal, rmem := 0.75, 0.03, 0.001, int64(212992)
	cpu, outage := 1.25, 1.0
	return &Record{
		Schema: Schema, Scenario: "burst_300k",
		Variant:   Variant{Role: Candidate, Spec: "refserver:reader=decoupled,flush=async"},
		Replicate: 3, Attempt: 1,
		Order: Order{Kind: "blocks", Position: 7, First: Baseline, Roles: []string{Baseline, Candidate}, Planned: 10,
			Looks: []int{4, 8, 10}, Boundary: "pocock", Ended: 8},
		Seed:  18446744073709551615,
		Shard: &Shard{Index: 2, Of: 3, At: time.Date(2026, 3, 1, 12, 31, 0, 0, time.UTC)},

		Started: time.Date(2026, 3, 1, 12, 30, 0, 250e6, time.UTC),
		Build: Build{
			Floodgate: "v0.1.0-3-gabc", GoVersion: "go1.26.0", TargetPath: "bin/refserver",
			TargetDigest: "9f86d081884c7d65", CorpusDigest: "60303ae22b998861",
			Source: &Source{Ref: "HEAD~1", Commit: "b35d6220a1", Tree: "4b825dc642", Command: []string{"make", "OUT={{.Output}}"}},
		},
		Environment: Environment{
			OS: "linux", Arch: "amd64", Kernel: "6.18.0", CPUModel: "Example  CPU @ 3.00GHz", Cores: 2, MemoryBytes: 8 << 30,
			RmemMax: &rmem, Load1: &load, PSICPUSome: &psi, StealFraction: &steal,
		},
		Config: Config{
			ScenarioYAML: "name: burst_300k\n", ScenarioFile: "scenarios/burst_300k.yaml", TargetYAML: "name: refserver\n",
			Command: []string{"refserver", "--listen", "udp://127.0.0.1:0"}, Address: "udp://127.0.0.1:8125", CPUs: []int{1},
			Allotment: &Allotment{Asked: AllotmentAsked{CPUs: 0.25, MemoryBytes: 256 << 20}, CPUsApplied: 0.2501, By: ByCgroup, CgroupVersion: 2,
				CPUMax: "25010 100000", MemoryMaxBytes: 255 << 20},
		},
		Phases: []Phase{{PhaseStarting, 0, 0.125}, {PhaseWarmUp, 0.125, 0.2}, {PhaseMeasuring, 0.325, 3}, {PhaseDraining, 3.325, 1.1}, {PhaseStopping, 4.425, 0.05}},
		Ledger: Ledger{
			Offered: 300009, NotSent: 0, GivenUp: 9, Sent: 300000, KernelDropped: Count(100), Received: Count(299900),
			QueueDropped: Count(60), Malformed: Count(2), Truncated: Count(3), Hostile: 1, Rejected: Count(4), ShutdownDropped: Count(1),
			Aggregated: Count(299830), UploadFailed: Count(30), Delivered: Count(299000), Undecided: 800,
		},
		Values: &Values{ContextKeys: 1000, Wrong: 1, Examples: []string{"burst.c.7: sum 299, want 300"}},
		Generator: &Generator{CPU: &cpu, LastSent: 2.9999, Calls: 21000, Wakeups: 19000, Blocked: 0.25, EAGAIN: 5, ENOBUFS: 6, Refused: 7,
			Segmented: 20000, GivenUpDatagrams: 8,
			Client:  &Client{Name: "datadog-go", Submitted: 300009, Written: 300000, QueueDropped: 4, WriterDropped: 5, Payloads: 15000, PayloadsQueueDropped: 1, PayloadsWriterDropped: 2},
			Ceiling: &Ceiling{Datagrams: 800000.5, Messages: 1600001, Share: 0.0625}},
		Intake: &Intake{Uploads: 40, Delayed: 39, Errors: 3, Resets: 2, Outage: 9, Faults: IntakeFaults{Latency: 0.02, LatencyShape: "exponential",
			ErrorShare: 0.1, ErrorStatus: 429, ResetShare: 0.05, OutageFrom: &outage, OutageTo: 2.5, SlowRead: 65536, Seed: 45}},
		Measures: []Measure{
			{"cpu_per_message", "s", "lower", 1.8251e-6},
			{"rss_peak", "B", "lower", 31457280},
			{"lost_messages", "messages", "lower", 0},
			{"delivered_messages", "messages", "higher", 299800},
		},
		Histograms: map[string]string{HistogramLateness: "HISTFAAA", HistogramFlushStall: "HISTFBBB"},
		Timeline: Timeline{StepSeconds: 0.1, Columns: map[string][]float64{
			ColumnTime: {0, 0.1, 0.2}, ColumnSent: {0, 10000, 20000}, ColumnRSS: {1e6, 2e6, 3e6},
		}},
		Warnings:  []string{"the host was busy: 3 % of the time a task waited for a CPU"},
		Invalid:   "the target died",
		LastWords: "panic: <out of range> & \"gone\"\n",
	}
}

// valid is the record of one replicate that may be judged.
func valid(scenario, role string, replicate int, measures ...Measure) *Record {
	return &Record{
		Schema: Schema, Scenario: scenario, Variant: Variant{Role: role, Spec: "refserver"}, Replicate: replicate,
		Environment: Environment{OS: "linux", Arch: "amd64", CPUModel: "Example  CPU @ 3.00GHz", Cores: 2},
		Measures:    measures,
	}
}

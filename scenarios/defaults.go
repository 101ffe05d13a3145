package scenarios

import "time"

// The bounds of what a file may ask for. They keep every load finite: a typing
// mistake must not fill memory or run overnight.
const (
	maxSource      = 1 << 20 // bytes of a file
	maxMessages    = 1_000_000_000
	maxOver        = 10 * time.Minute
	maxContextKeys = 10_000_000
	maxTags        = 64
	maxPacked      = 1000
	maxWeight      = 1_000_000
	maxReplicates  = 1000
	maxRetries     = 100
	maxCPUs        = 4096
	maxLimit       = time.Hour
	maxBuffer      = 1 << 30
	// A Go program needs a few MiB before it does anything.
	minMemory = 4 << 20
	maxMemory = 1 << 40

	// minCPUPeriod and maxCPUPeriod are what Linux takes; it also takes no quota
	// below minCPUPeriod.
	minCPUPeriod = time.Millisecond
	maxCPUPeriod = time.Second
	minCPUs      = 0.01

	minPacking = 64
	// maxUDPPacking is the largest UDP payload that fits behind every legal IPv4
	// header: 65,535 bytes less 60 for the longest header and 8 for UDP.
	maxUDPPacking = 65467
	// maxUnixPacking leaves room for the kernel's own bookkeeping in the default
	// send buffer of a unix socket on Linux, 212,992 bytes.
	maxUnixPacking = 65507

	minFlushInterval = 10 * time.Millisecond
)

// Default is what a scenario has where its file says nothing. A file must give
// the name, the schedule and the goal. A key that is given counts as written,
// also when it says zero.
//
// An idle scenario has these defaults too; its corpus is never used.
func Default() Scenario {
	return Scenario{
		Load: Load{
			Transport: UDP,
			Sender:    Sender{Method: AutoMethod, Sockets: 1, WhenFull: Block},
			Corpus: Corpus{
				Seed:         1,
				ContextKeys:  1000,
				Popularity:   Cycle,
				Tags:         4,
				Kinds:        []KindWeight{{Kind: "c", Weight: 100}},
				Packing:      Packing{Bytes: 0}, // one line in each datagram
				SampledShare: 0,
				SampleRate:   1,
				PackedValues: 1,
			},
		},
		Target: TargetSetup{
			ReceiveBuffer: 0, // the system's
			FlushInterval: time.Second,
			CPUs:          0, // free
			CPUPeriod:     100 * time.Millisecond,
			Memory:        0, // free
		},
		Gate:       false,
		Order:      Blocks,
		Slice:      50 * time.Millisecond,
		Replicates: 6,
		Erratic:    false,
		Limits: Limits{
			Ready:       10 * time.Second,
			WarmUp:      200 * time.Millisecond,
			LatenessP99: 10 * time.Millisecond,
			Drain:       20 * time.Second,
			Stop:        10 * time.Second,
			Retries:     6,
		},
	}
}

// Package record is the run record: what one replicate did, in one
// self-describing JSON file. A run writes records; comparing and reporting
// only read them, so the file is the interface between measuring and judging.
//
// Zero is written, absent means not measured: every quantity that may be
// unknown is a map entry, a pointer or an omitted column, never a zero.
package record

import (
	"fmt"
	"strings"
	"time"
)

// Schema is the major version of the record format that this package writes.
// A reader refuses any other: a field that changed its meaning must not be
// compared in silence.
const Schema = 1

// The two roles a variant can have in a comparison. They name the folders of
// the records on disk.
const (
	Baseline  = "baseline"
	Candidate = "candidate"
)

// Record is one replicate: one fresh-process run of one variant under one
// scenario. It is the statistical unit.
type Record struct {
	Schema    int     `json:"schema"`
	Scenario  string  `json:"scenario"`
	Variant   Variant `json:"variant"`
	Replicate int     `json:"replicate"` // index of the pair within the scenario, from 0
	Attempt   int     `json:"attempt"`   // 0 for the first, one more for each repetition of an invalid pair
	Order     Order   `json:"order"`
	Seed      uint64  `json:"seed"` // of the run: orders and corpora derive from it

	Shard *Shard `json:"shard,omitempty"` // absent: the load was offered by one

	Started     time.Time   `json:"started"`
	Build       Build       `json:"build"`
	Environment Environment `json:"environment"`
	Config      Config      `json:"config"`
	Phases      []Phase     `json:"phases"`

	Ledger     Ledger            `json:"ledger"`
	Values     *Values           `json:"values,omitempty"`    // absent: values were not compared
	Generator  *Generator        `json:"generator,omitempty"` // absent: nothing was sent
	Intake     *Intake           `json:"intake,omitempty"`    // absent: it was to fail at nothing
	Measures   []Measure         `json:"measures"`
	Histograms map[string]string `json:"histograms,omitempty"` // name -> HdrHistogram V2, base64; values in nanoseconds
	Timeline   Timeline          `json:"timeline"`

	// Warnings are doubts about the result that do not void it.
	Warnings []string `json:"warnings,omitempty"`
	// Invalid says why this replicate must not be judged; empty when it may.
	Invalid string `json:"invalid,omitempty"`
	// LastWords is the end of what the target printed, kept when it died.
	LastWords string `json:"last_words,omitempty"`
}

// Variant is one of the servers or set-ups being compared.
type Variant struct {
	Role string `json:"role"` // Baseline or Candidate
	Spec string `json:"spec"` // as written by the user: "refserver:reader=coupled,flush=sync"
}

// Order is the place of the replicate in the run, recorded so that a reader
// can check the order's balance and look for drift.
type Order struct {
	Kind     string   `json:"kind"`     // "blocks" or "woven"
	Position int      `json:"position"` // of this replicate among all of the run, from 0
	First    string   `json:"first"`    // the role that ran first in this pair
	Roles    []string `json:"roles"`    // planned for this pair, in the order of their turns
	Planned  int      `json:"planned"`  // pairs of this scenario in the run; fewer may have come about
	// Looks are the numbers of pairs after which the run looked whether it could
	// end this scenario, declared before it began; the last is Planned. Absent
	// for a run that did not look.
	Looks []int `json:"looks,omitempty"`
	// Boundary is how the error probability was divided over the looks.
	Boundary string `json:"boundary,omitempty"`
	// Ended is the number of pairs after which a look ended the scenario early,
	// in the records of the last pair; 0 elsewhere.
	Ended int `json:"ended,omitempty"`
}

// Shard says that several offered the load together, and that this record is of
// one of them. Its ledger has what this one was to send. The first shard stands
// beside the target: its record has the stages of the target too, of what all of
// them sent, and everything that was measured of the target. See Merge.
type Shard struct {
	Index int `json:"index"` // from 1
	Of    int `json:"of"`
	// At is the instant that the schedules of all shards begin at, as it was asked.
	At time.Time `json:"at"`
}

// Build identifies what was run.
type Build struct {
	Floodgate    string `json:"floodgate"` // git describe of the harness, or "unknown"
	GoVersion    string `json:"go_version"`
	TargetPath   string `json:"target_path"`
	TargetDigest string `json:"target_digest"` // sha256 of the target binary, hex
	CorpusDigest string `json:"corpus_digest"` // of the messages offered, hex
	// Source is the revision that the target was built from; absent for a program
	// that was not built by the run.
	Source *Source `json:"source,omitempty"`
}

// Source is the revision that a target was built from.
type Source struct {
	Ref    string `json:"ref"`    // as written by the user: "HEAD~1"
	Commit string `json:"commit"` // its whole name, hex
	Tree   string `json:"tree"`   // of all its files, hex
	// Command are the words of the command that built it, before they were filled in.
	Command []string `json:"command,omitempty"`
}

// Text is the variant as people are shown it: as the user wrote it and, where
// that does not name it already, the commit that it was.
func (r *Record) Text() string {
	if r.Build.Source == nil {
		return r.Variant.Spec
	}
	return VariantText(r.Variant.Spec, r.Build.Source.Commit)
}

// VariantText is Record.Text of a variant and its commit; "" is none.
func VariantText(spec, commit string) string {
	if commit == "" || strings.HasPrefix(spec, "git:"+commit[:min(len(commit), 7)]) {
		return spec
	}
	return fmt.Sprintf("%s (%s)", spec, commit[:min(len(commit), 12)])
}

// Environment is the host at the start of the replicate. Pointers are absent
// where the host does not tell.
type Environment struct {
	OS          string   `json:"os"`
	Arch        string   `json:"arch"`
	Kernel      string   `json:"kernel"`
	CPUModel    string   `json:"cpu_model,omitempty"`
	Cores       int      `json:"cores"`
	MemoryBytes int64    `json:"memory_bytes"`
	RmemMax     *int64   `json:"rmem_max_bytes,omitempty"`
	Load1       *float64 `json:"load1,omitempty"`
	// PSICPUSome is the share (0..1) of the replicate during which some task
	// waited for a CPU, from /proc/pressure/cpu.
	PSICPUSome *float64 `json:"psi_cpu_some,omitempty"`
	// StealFraction is the share (0..1) of the host's CPU time that the
	// hypervisor took away during the replicate, from /proc/stat.
	StealFraction *float64 `json:"steal_fraction,omitempty"`
}

// Config is how the replicate was set up: enough to repeat it.
type Config struct {
	ScenarioYAML string   `json:"scenario_yaml"` // the scenario as loaded; parse it with package scenarios
	ScenarioFile string   `json:"scenario_file"`
	Command      []string `json:"command"` // the target's command line
	Address      string   `json:"address"` // what was loaded, as a URL: udp://127.0.0.1:8125, unixgram:///tmp/x, unixstream:///tmp/x, tcp://127.0.0.1:8125
	// TargetYAML is the target's description as loaded; absent in older records.
	TargetYAML string `json:"target_yaml,omitempty"`
	// CPUs that the target was confined to; absent when it was free.
	CPUs []int `json:"cpus,omitempty"`
	// Allotment of CPU time and memory; absent when the scenario asks for none.
	Allotment *Allotment `json:"allotment,omitempty"`
}

// Allotment is what the target was meant to be limited to, and what limited it
// in fact. A field that is absent limited nothing.
type Allotment struct {
	Asked AllotmentAsked `json:"asked"`
	// CPUsApplied is the CPU time per time that the target could use at most.
	CPUsApplied float64 `json:"cpus_applied,omitempty"`
	// By is how CPU time was limited; absent when that was not asked for.
	By            string `json:"by,omitempty"`
	CgroupVersion int    `json:"cgroup_version,omitempty"` // of the group that the target lived in
	// CPUMax is its quota and the period, in microseconds, as in its cpu.max.
	CPUMax         string `json:"cpu_max,omitempty"`
	MemoryMaxBytes int64  `json:"memory_max_bytes,omitempty"`
}

// AllotmentAsked is what the scenario says.
type AllotmentAsked struct {
	CPUs        float64 `json:"cpus,omitempty"`
	MemoryBytes int64   `json:"memory_bytes,omitempty"`
}

// The ways of limiting CPU time: a quota in a control group, confinement to
// whole cores, and not at all.
const (
	ByCgroup   = "cgroup"
	ByAffinity = "affinity"
	ByNone     = "none"
)

// Phase is a stretch of the replicate, in seconds since Started.
type Phase struct {
	Name     string  `json:"name"` // starting, warm_up, measuring, draining, stopping
	Start    float64 `json:"start_seconds"`
	Duration float64 `json:"duration_seconds"`
}

// Names of the phases, in their order.
const (
	PhaseStarting  = "starting"
	PhaseWarmUp    = "warm_up"
	PhaseMeasuring = "measuring"
	PhaseDraining  = "draining"
	PhaseStopping  = "stopping"
)

// Measure is one result with its unit and direction.
type Measure struct {
	Name   string  `json:"name"`
	Unit   string  `json:"unit"`
	Better string  `json:"better"` // "lower" or "higher"
	Value  float64 `json:"value"`
}

// Generator is what offering the load took, so that a reader can tell when the
// generator itself was in the way.
type Generator struct {
	CPU      *float64 `json:"cpu_seconds,omitempty"` // of its thread; absent where the system does not tell
	LastSent float64  `json:"last_sent_seconds"`     // since the first due time
	Calls    int64    `json:"calls"`                 // writes to the kernel
	Wakeups  int64    `json:"wakeups"`               // sleeps that ended
	Blocked  float64  `json:"blocked_seconds"`       // spent before a full receiver
	EAGAIN   int64    `json:"eagain"`                // refusals, by cause
	ENOBUFS  int64    `json:"enobufs"`
	Refused  int64    `json:"refused"`
	// Segmented counts the datagrams that left in runs that the kernel cut up.
	Segmented int64 `json:"segmented,omitempty"`
	// GivenUpDatagrams are those for whose messages see Ledger.GivenUp; a client
	// library packs by itself and has none.
	GivenUpDatagrams int64    `json:"given_up_datagrams,omitempty"`
	Client           *Client  `json:"client,omitempty"`  // absent: the datagrams were sent as they are
	Ceiling          *Ceiling `json:"ceiling,omitempty"` // absent: not measured
}

// Client is the account of a client library that the messages went through:
// submitted = written + queue_dropped + writer_dropped.
type Client struct {
	Name          string `json:"name"`           // such as "datadog-go"
	Submitted     int64  `json:"submitted"`      // messages handed to its functions
	Written       int64  `json:"written"`        // messages that the kernel took
	QueueDropped  int64  `json:"queue_dropped"`  // messages dropped because its queue was full
	WriterDropped int64  `json:"writer_dropped"` // messages dropped because the write failed or took too long
	// By its own telemetry, in the payloads that it packs.
	Payloads              int64 `json:"payloads"` // that the kernel took
	PayloadsQueueDropped  int64 `json:"payloads_queue_dropped"`
	PayloadsWriterDropped int64 `json:"payloads_writer_dropped"`
}

// Ceiling is how fast the generator was, before the run, into a UDP socket that
// nobody reads, with the same datagrams and the same way of sending. A load that
// comes near it measures the generator, not the target.
type Ceiling struct {
	Datagrams float64 `json:"datagrams_per_second"`
	Messages  float64 `json:"messages_per_second"`
	// Share of it that the load asks for in its busiest tenth of a second; above 1
	// where more is due than the generator can send.
	Share float64 `json:"share"`
}

// Intake is what the intake did to uploads on purpose, because the scenario asks
// for it, and how many of them it struck.
type Intake struct {
	Faults IntakeFaults `json:"faults"`
	// Uploads came since the first message was due, tries again included.
	Uploads int64 `json:"uploads"`
	Delayed int64 `json:"delayed"` // of these, held by the latency
	// Of these, refused, by cause: with the status, by a reset, in the outage.
	Errors int64 `json:"errors"`
	Resets int64 `json:"resets"`
	Outage int64 `json:"outage"`
}

// Refused is how many uploads were refused on purpose.
func (i *Intake) Refused() int64 { return i.Errors + i.Resets + i.Outage }

// IntakeFaults are what was asked of the intake. A field that is absent asks for
// nothing.
type IntakeFaults struct {
	Latency      float64 `json:"latency_seconds,omitempty"` // the mean
	LatencyShape string  `json:"latency_shape,omitempty"`   // "uniform" or "exponential"; absent: always the mean
	ErrorShare   float64 `json:"error_share,omitempty"`     // of the uploads, 0..1
	ErrorStatus  int     `json:"error_status,omitempty"`    // of HTTP, that they were refused with
	ResetShare   float64 `json:"reset_share,omitempty"`     // of the uploads, 0..1
	// The outage was from OutageFrom until before OutageTo, since the first message
	// was due; both are there or none.
	OutageFrom *float64 `json:"outage_from_seconds,omitempty"`
	OutageTo   float64  `json:"outage_to_seconds,omitempty"`
	SlowRead   int64    `json:"slow_read_bytes_per_second,omitempty"` // of each connection
	Seed       uint64   `json:"seed"`                                 // of which uploads were struck; both of a pair have the same
}

// Values says whether the series that arrived carried the right values, not
// only the right counts: per contextKey, against what the corpus expects.
type Values struct {
	ContextKeys int      `json:"context_keys"`       // expected by the corpus
	Wrong       int      `json:"wrong"`              // of these, with a value that differs
	Examples    []string `json:"examples,omitempty"` // the first few, in words
}

// Timeline holds readings taken about every StepSeconds while the replicate
// was measured and drained. All columns have the same length; a column that
// is absent was not measured. Counters are cumulative.
type Timeline struct {
	StepSeconds float64              `json:"step_seconds"`
	Columns     map[string][]float64 `json:"columns"`
}

// Names of the timeline's columns.
const (
	ColumnTime          = "seconds"            // since the first due time
	ColumnOffered       = "offered"            // messages due by then
	ColumnSent          = "sent"               // messages handed to the kernel
	ColumnReceived      = "received"           // messages read by the target
	ColumnDelivered     = "delivered"          // messages that arrived at the intake
	ColumnKernelDropped = "kernel_dropped"     // datagrams dropped by the target's socket
	ColumnQueueDropped  = "queue_dropped"      // messages dropped by the target's queue
	ColumnQueueLength   = "queue_length"       // datagrams in the target's queue
	ColumnKernelQueue   = "kernel_queue_bytes" // bytes in the target's socket buffer
	ColumnRSS           = "rss_bytes"          // resident memory of the target
	ColumnCPU           = "cpu_seconds"        // CPU used by the target, user and system
)

// Names of the histograms.
const (
	HistogramLateness      = "lateness"       // due time -> handed to the kernel
	HistogramIngestLatency = "ingest_latency" // arrival at the socket -> aggregated, where the target tells
	HistogramFreshness     = "freshness"      // due time -> its effect arrived at the intake, matched in order
	HistogramFlushStall    = "flush_stall"    // how long ingest stood still for a flush, where the target tells
)

// Measure returns the value of the named measure and whether it was measured.
func (r *Record) Measure(name string) (Measure, bool) {
	for _, m := range r.Measures {
		if m.Name == name {
			return m, true
		}
	}
	return Measure{}, false
}

// Validate reports what makes r unreadable as a record of this schema.
func (r *Record) Validate() error {
	if r.Schema != Schema {
		return fmt.Errorf("schema is %d, want %d: this record was written by another version of floodgate", r.Schema, Schema)
	}
	if r.Scenario == "" {
		return fmt.Errorf("scenario is empty")
	}
	if r.Variant.Role != Baseline && r.Variant.Role != Candidate {
		return fmt.Errorf("variant role is %q, want %q or %q", r.Variant.Role, Baseline, Candidate)
	}
	if s := r.Shard; s != nil && (s.Index < 1 || s.Index > s.Of) {
		return fmt.Errorf("shard is %d of %d, want one from 1 to their number", s.Index, s.Of)
	}
	for name, column := range r.Timeline.Columns {
		if want := len(r.Timeline.Columns[ColumnTime]); len(column) != want {
			return fmt.Errorf("timeline column %s has %d readings, want %d", name, len(column), want)
		}
	}
	return nil
}

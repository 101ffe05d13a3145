package scenarios

import (
	"slices"
	"strings"
	"time"
)

// Target describes a server that can be put under load, as a file says it: how
// its program is found, started, awaited and ended, where its output is
// counted, and what it can do. Texts that the fields call templates are those of
// text/template, filled in by Render.
type Target struct {
	Name        string // as a variant names it: target:NAME
	Description string

	// Binary is the name of its program, looked up among the peers that were
	// built and in PATH. It may be a path below the peers' folder.
	Binary string
	// Install says how a user gets the program, for the error that it is missing.
	Install string
	// Command is what follows the program, a template for each word. A word that
	// comes out empty is left out.
	Command     []string
	Files       []TargetFile     // written into its folder before it starts, sorted by name
	Environment []TargetVariable // all that it gets besides the variant's own, sorted by name
	Options     []TargetOption   // that a variant may set, in the order of the file

	Transports []Transport
	Ready      Readiness
	Stop       string // the signal that asks it to end, such as TERM
	Sink       Sink
	Scrape     string // a template: the URL that SinkPrometheus asks
	// Mapping names whose words for counters, timers and the like arrive at the
	// sink; empty for those of the target contract.
	Mapping string
	// FlushEvery is the target's own flush interval where it takes no other; 0
	// where it takes the scenario's.
	FlushEvery   time.Duration
	Statistics   *TargetStatistics // nil when it has none
	Capabilities Capabilities

	// Build is the command that builds the program from a checkout of its source,
	// a template for each word, with {{.Output}} as the file to write; empty when
	// it cannot be built.
	Build []string

	File   string // where it was read from, for messages
	Source []byte // the YAML itself
}

// TargetFile is one file that a target needs beside it.
type TargetFile struct {
	Name string // without folders
	Text string // a template
}

// TargetVariable is one environment variable of a target.
type TargetVariable struct {
	Name  string
	Value string // a template
}

// TargetOption is one setting that a variant of the target may make.
type TargetOption struct {
	Name    string
	Values  []string // allowed; none allows any text but the empty one
	Default string   // empty when there is none
	Help    string
}

// Option returns the option of that name.
func (t *Target) Option(name string) (TargetOption, bool) {
	at := slices.IndexFunc(t.Options, func(o TargetOption) bool { return o.Name == name })
	if at < 0 {
		return TargetOption{}, false
	}
	return t.Options[at], true
}

// Readiness is how it shows that a target may be loaded.
type Readiness struct {
	By   ReadyBy
	What string // a template: an http URL, a host:port, a text; empty for ReadyBound
}

// ReadyBy is a kind of readiness.
type ReadyBy string

// The kinds of readiness: the socket under load is there; a URL answers 200; a
// TCP port accepts; a text was printed on either output.
const (
	ReadyBound  ReadyBy = "bound"
	ReadyHTTP   ReadyBy = "http"
	ReadyTCP    ReadyBy = "tcp"
	ReadyOutput ReadyBy = "output"
)

// Sink is where the output of a target is counted.
type Sink string

// The sinks. SinkDatadog, SinkInflux and SinkOTLP are paths of the HTTP intake;
// SinkGraphite takes lines over TCP; SinkPrometheus asks the target at each flush
// interval and once more before it ends. With SinkNone the output is not counted,
// and what became of the messages is known only as far as the target's own
// statistics go.
const (
	SinkDatadog    Sink = "datadog"
	SinkGraphite   Sink = "graphite"
	SinkInflux     Sink = "influx"
	SinkOTLP       Sink = "otlp"
	SinkPrometheus Sink = "prometheus"
	SinkNone       Sink = "none"
)

// sinks are those that can be counted at.
var sinks = []Sink{SinkDatadog, SinkGraphite, SinkInflux, SinkOTLP, SinkPrometheus, SinkNone}

// TargetStatistics is how a target tells about itself.
type TargetStatistics struct {
	URL    string // a template
	Format StatisticsFormat
	// Every is the time between two questions during a replicate.
	Every time.Duration
	// Map says for a name of the ledger where its figure is found: the sum of what
	// these name. Empty for a target that uses the ledger's own names.
	Map map[string][]string
}

// StatisticsFormat is the form of a target's statistics.
type StatisticsFormat string

// The formats: JSON, where a figure is found by its path, with points between
// the keys; and the text format of Prometheus, where it is the sum of a metric's
// samples that have the labels given in braces.
const (
	StatisticsJSON       StatisticsFormat = "json"
	StatisticsPrometheus StatisticsFormat = "prometheus"
)

// Names that a target's statistics can be mapped to. All but
// QueueDroppedDatagrams are fields of the target contract.
const QueueDroppedDatagrams = "queue_dropped_datagrams" // datagrams dropped unread by a queue of the target

// statisticsNames are the names in the order of the data path.
var statisticsNames = []string{
	"datagrams", "received", "queue_dropped", QueueDroppedDatagrams, "malformed", "truncated", "rejected",
	"shutdown_dropped", "aggregated", "upload_failed", "pending", "queue_length", "queue_peak",
}

// Capabilities say what of a scenario's load a target understands.
type Capabilities struct {
	Kinds         []string // by their types on the wire: c, g, ms, h, d, s
	Tags          bool     // |#key:value
	Packing       bool     // several messages in one datagram
	PackedValues  bool     // several values in one message, a:1:2|c
	Sampling      bool     // |@0.1
	Timestamps    bool     // |T1656581400
	Origin        bool     // |c:… and |e:…
	Events        bool     // _e{…}
	ServiceChecks bool     // _sc|…
	// LargestDatagram is in bytes; 0 sets no limit.
	LargestDatagram int64
}

// defaultTarget is what a target has where its file says nothing: what every
// server takes that calls itself StatsD.
func defaultTarget() Target {
	return Target{
		Transports:   []Transport{UDP},
		Ready:        Readiness{By: ReadyBound},
		Stop:         "TERM",
		Sink:         SinkDatadog,
		Capabilities: Capabilities{Kinds: []string{"c", "g", "ms"}, Packing: true, Sampling: true},
	}
}

// Line is the line of the description's file in which a key stands, such as
// "capabilities.tags"; of the nearest key above it where it stands in none.
func (t *Target) Line(key string) int {
	r := &targetReader{reader: newReader(t.File)}
	if root, ok := r.document(t.Source); ok {
		r.target(&Target{}, value{line: 1, node: root})
	}
	for key != "" {
		if line, known := r.lines[key]; known {
			return line
		}
		key = key[:max(0, strings.LastIndexByte(key, '.'))]
	}
	return 1
}

package scenarios

import (
	"fmt"
	"slices"
	"strings"
)

// SeriesKind says how a record keeps a series.
type SeriesKind int

// The kinds of series. A column is read off the timeline; a rate is the change
// of a column per second; a difference is one column less another; a histogram
// holds how often each value came, but not in which order.
const (
	Column SeriesKind = iota
	RateOf
	Difference
	Histogram
)

// Series is a quantity of which a replicate keeps many values. A check bounds
// one value that is made of them, such as max(rss_bytes).
type Series struct {
	Name   string
	Kind   SeriesKind
	From   string // column or histogram of the record that it is read from
	Less   string // column that a Difference takes away
	Unit   Unit
	Better string // "lower" or "higher"
	Words  string
}

// SeriesCatalogue is what a check may reduce, in the order of help.
var SeriesCatalogue = []Series{
	{"rss_bytes", Column, "rss_bytes", "", Bytes, "lower", "resident memory of the target"},
	{"cpu_millicores", RateOf, "cpu_seconds", "", Millicores, "lower", "CPU in use by the target between two readings"},
	{"cpu_seconds", Column, "cpu_seconds", "", Seconds, "lower", "CPU used by the target so far"},
	{"lost_messages", Difference, "sent", "delivered", Messages, "lower", "messages sent and not yet arrived at the intake; the last reading is what was lost"},
	{"offered", Column, "offered", "", Messages, "higher", "messages due so far"},
	{"sent", Column, "sent", "", Messages, "higher", "messages handed to the kernel so far"},
	{"received", Column, "received", "", Messages, "higher", "messages read by the target so far"},
	{"delivered", Column, "delivered", "", Messages, "higher", "messages that arrived at the intake so far"},
	{"kernel_dropped", Column, "kernel_dropped", "", Datagrams, "lower", "datagrams dropped by the target's socket so far"},
	{"queue_dropped", Column, "queue_dropped", "", Messages, "lower", "messages dropped by the target's queue so far"},
	{"queue_length", Column, "queue_length", "", Datagrams, "lower", "datagrams in the target's queue"},
	{"kernel_queue_bytes", Column, "kernel_queue_bytes", "", Bytes, "lower", "bytes in the target's socket buffer"},
	{"lateness", Histogram, "lateness", "", Seconds, "lower", "how late the generator was, by datagram"},
	{"ingest_latency", Histogram, "ingest_latency", "", Seconds, "lower", "from arrival at the socket until aggregated, where the target tells"},
	{"freshness", Histogram, "freshness", "", Seconds, "lower", "how old messages were when their effect arrived at the intake, since they were due"},
	{"flush_stall", Histogram, "flush_stall", "", Seconds, "lower", "how long ingest stood still for a flush, where the target tells"},
}

// needsMessages reports whether the series has values only where messages were
// sent.
func (s Series) needsMessages() bool {
	return s.Name == "lost_messages" || s.Name == "lateness" || s.Name == "ingest_latency" || s.Name == "freshness"
}

// Reduction makes one value of a series: max, min, avg, last, or a percentile
// such as p99.
type Reduction string

// Reductions is what may stand before the parenthesis. avg of a rate weighs each
// value by the time it stands for; last has no meaning for a histogram.
var Reductions = []Reduction{"max", "min", "avg", "last", "p50", "p90", "p95", "p99", "p99.9"}

// Percentile returns which one the reduction asks for, 99 for p99, and whether
// it asks for any.
func (r Reduction) Percentile() (float64, bool) {
	switch r {
	case "p50":
		return 50, true
	case "p90":
		return 90, true
	case "p95":
		return 95, true
	case "p99":
		return 99, true
	case "p99.9":
		return 99.9, true
	}
	return 0, false
}

// LookUpSeries returns the series of that name.
func LookUpSeries(name string) (Series, bool) {
	i := slices.IndexFunc(SeriesCatalogue, func(s Series) bool { return s.Name == name })
	if i < 0 {
		return Series{}, false
	}
	return SeriesCatalogue[i], true
}

// Reduced is the value of a series that a check bounds. The zero value stands
// for a plain measure, which needs none.
type Reduced struct {
	By     Reduction
	Series Series
}

// measure is the reduced series as a measure, so that checks on both read alike.
func (r Reduced) measure() Measure {
	return Measure{
		Name: string(r.By) + "(" + r.Series.Name + ")", Unit: r.Series.Unit, Better: r.Series.Better,
		Words: string(r.By) + " of: " + r.Series.Words,
	}
}

// parseQuantityName reads what a check bounds: a measure, or a reduced series
// such as max(rss_bytes).
func parseQuantityName(text string) (Measure, Reduced, error) {
	by, rest, reduced := strings.Cut(text, "(")
	if !reduced {
		m, err := parseMeasure(text)
		return m, Reduced{}, err
	}
	name, closed := strings.CutSuffix(strings.TrimSpace(rest), ")")
	by, name = strings.TrimSpace(by), strings.TrimSpace(name)
	if !closed {
		return Measure{}, Reduced{}, fmt.Errorf("%q lacks its closing parenthesis: want a reduced series such as max(rss_bytes)", clip(text))
	}
	if !slices.Contains(Reductions, Reduction(by)) {
		words := joinedWords(Reductions)
		return Measure{}, Reduced{}, fmt.Errorf("%q is no reduction: %swant one of %s", clip(by), meant(by, words), strings.Join(words, ", "))
	}
	s, known := LookUpSeries(name)
	if !known {
		var names []string
		for _, s := range SeriesCatalogue {
			names = append(names, s.Name)
		}
		return Measure{}, Reduced{}, fmt.Errorf("%q is no series: %swant one of %s", clip(name), meant(name, names), strings.Join(names, ", "))
	}
	if s.Kind == Histogram && by == "last" {
		return Measure{}, Reduced{}, fmt.Errorf("%q asks for the last value of a histogram, which keeps no order: want max, min, avg or a percentile such as p99", clip(text))
	}
	r := Reduced{Reduction(by), s}
	return r.measure(), r, nil
}

func joinedWords(reductions []Reduction) []string {
	words := make([]string, len(reductions))
	for i, r := range reductions {
		words[i] = string(r)
	}
	return words
}

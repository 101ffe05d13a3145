package foreign

import (
	"fmt"
	"slices"
	"strings"

	"floodgate/internal/payload"
)

// Fate is what becomes of a series.
type Fate uint8

// The fates.
const (
	Kept    Fate = iota // it is counted
	Derived             // left out: it repeats another, or the server tells of itself
	Values              // each point is one value of a distribution
)

// Mapping turns what one server calls things into what a target of the contract
// does: counters keep their name, sets and gauges are gauges of theirs, and
// summaries of timers have .count, .sum, .min, .max, .avg and .median. It may
// change the series, which has one point, and is a pure function otherwise.
type Mapping func(s *payload.Series) Fate

// mappings by their names. What a server does to names before it writes them
// cannot be undone: such names arrive as they are.
var mappings = map[string]Mapping{
	"none":              func(*payload.Series) Fate { return Kept },
	"brubeck":           brubeck,
	"collectd":          collectd,
	"etsy":              etsy,
	"etsy_legacy":       etsyLegacy,
	"gostatsd":          gostatsd,
	"statsd_exporter":   statsdExporter,
	"statsdaemon":       statsdaemon,
	"statsite":          statsite,
	"statsite_extended": statsiteExtended,
	"telegraf":          telegraf,
}

// Mappings lists the names that MappingOf knows, sorted.
func Mappings() []string {
	names := make([]string, 0, len(mappings))
	for name := range mappings {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// MappingOf returns the mapping of a name; that of the empty one is nil.
func MappingOf(name string) (Mapping, error) {
	m, known := mappings[name]
	if !known && name != "" {
		return nil, fmt.Errorf("mapping is %q, allowed are %s", name, strings.Join(Mappings(), ", "))
	}
	return m, nil
}

// timerParts are the words of servers for the parts of a summary. All others
// (percentiles, deviations, rates) are derived from the same values.
var timerParts = map[string]struct {
	part string
	typ  payload.Type
}{
	"count": {"count", payload.Count}, "sum": {"sum", payload.Count},
	"lower": {"min", payload.Gauge}, "min": {"min", payload.Gauge},
	"upper": {"max", payload.Gauge}, "max": {"max", payload.Gauge},
	"mean": {"avg", payload.Gauge}, "average": {"avg", payload.Gauge}, "median": {"median", payload.Gauge},
}

// timer names name.part, where name is what stands before the last separator.
func timer(s *payload.Series, name string, separator byte) Fate {
	at := strings.LastIndexByte(name, separator)
	if at <= 0 {
		return Derived
	}
	return timerPart(s, name[:at], name[at+1:])
}

func timerPart(s *payload.Series, name, word string) Fate {
	p, known := timerParts[word]
	if !known {
		return Derived
	}
	s.Metric, s.Type = name+"."+p.part, p.typ
	return Kept
}

// named keeps a series under another name.
func named(s *payload.Series, name string, typ payload.Type) Fate {
	if name == "" {
		return Derived
	}
	s.Metric, s.Type = name, typ
	return Kept
}

// etsy is the namespace of etsy statsd without legacyNamespace, which gostatsd
// shares: stats.counters.NAME.count and .rate, stats.timers.NAME.PART,
// stats.gauges.NAME, stats.sets.NAME.count. Counters of the server about itself
// begin with statsd.
func etsy(s *payload.Series) Fate {
	rest, ok := strings.CutPrefix(s.Metric, "stats.")
	if !ok {
		return Derived
	}
	kind, name, _ := strings.Cut(rest, ".")
	switch kind {
	case "counters":
		count, isCount := strings.CutSuffix(name, ".count")
		if !isCount || strings.HasPrefix(count, "statsd.") {
			return Derived
		}
		return named(s, count, payload.Count)
	case "timers":
		return timer(s, name, '.')
	case "gauges":
		if name == "statsd.timestamp_lag" {
			return Derived
		}
		return named(s, name, payload.Gauge)
	case "sets":
		return named(s, strings.TrimSuffix(name, ".count"), payload.Gauge)
	}
	return Derived
}

// etsyLegacy is etsy statsd with legacyNamespace: counters are stats_counts.NAME,
// and stats.NAME is their rate.
func etsyLegacy(s *payload.Series) Fate {
	if name, ok := strings.CutPrefix(s.Metric, "stats_counts."); ok {
		if strings.HasPrefix(name, "statsd.") {
			return Derived
		}
		return named(s, name, payload.Count)
	}
	if strings.HasPrefix(s.Metric, "stats.counters.") {
		return Derived // the rate of a counter of that name
	}
	return etsy(s)
}

// gostatsd writes Graphite lines in the namespaces of etsy, tags without a
// value as unnamed:TAG, and version 1 series with the parts of timers as gauges.
// There a counter comes as a rate, and again as the gauge NAME.count, which
// cannot be told from the count of a timer and stays. A gauge that ends like a
// part of a timer is taken for one.
func gostatsd(s *payload.Series) Fate {
	for i, tag := range s.Tags {
		if name, ok := strings.CutPrefix(tag, "unnamed:"); ok {
			s.Tags[i] = name
		}
	}
	switch {
	case strings.HasPrefix(s.Metric, "stats_counts."):
		return etsyLegacy(s)
	case strings.HasPrefix(s.Metric, "stats.") && s.Type == payload.Unspecified:
		return etsy(s)
	case s.Type == payload.Gauge:
		at := strings.LastIndexByte(s.Metric, '.')
		switch word := s.Metric[at+1:]; {
		case at <= 0:
		case word == "count" || word == "sum" || word == "lower" || word == "upper" || word == "mean" || word == "median":
			return timerPart(s, s.Metric[:at], word)
		case word == "count_ps" || word == "std" || word == "sum_squares" || strings.Contains(word, "_") && isPercentile(word):
			return Derived
		}
	}
	return Kept
}

// isPercentile knows count_90, mean_90, upper_90 and the like.
func isPercentile(word string) bool {
	part, number, _ := strings.Cut(word, "_")
	switch part {
	case "count", "mean", "sum", "upper", "lower":
		return number != "" && strings.Trim(number, "0123456789_-") == "" || strings.HasPrefix(number, "squares_")
	}
	return false
}

// statsdaemon and brubeck write counters, gauges and sets alike, under their
// own name: their type stays unspecified. A name that ends like a part of a
// timer is taken for one.
func statsdaemon(s *payload.Series) Fate {
	at := strings.LastIndexByte(s.Metric, '.')
	if at <= 0 {
		return Kept
	}
	switch word := s.Metric[at+1:]; {
	case word == "count" || word == "lower" || word == "upper" || word == "mean":
		return timerPart(s, s.Metric[:at], word)
	case isPercentile(word):
		return Derived
	}
	return Kept
}

func brubeck(s *payload.Series) Fate {
	at := strings.LastIndexByte(s.Metric, '.')
	if at <= 0 {
		return Kept
	}
	name, word := s.Metric[:at], s.Metric[at+1:]
	switch word {
	case "count", "sum", "min", "max", "mean", "median":
		return timerPart(s, name, word)
	case "75", "95", "98", "99", "999":
		if strings.HasSuffix(name, ".percentile") {
			return Derived
		}
	}
	return Kept
}

// statsite writes counts.NAME, gauges.NAME, sets.NAME and timers.NAME.PART.
func statsite(s *payload.Series) Fate {
	kind, name, _ := strings.Cut(s.Metric, ".")
	switch kind {
	case "counts":
		return named(s, name, payload.Count)
	case "gauges", "sets":
		return named(s, name, payload.Gauge)
	case "timers":
		return timer(s, name, '.')
	}
	return Derived
}

// statsiteExtended is statsite with extended_counters, which writes counters as
// counts.NAME.count and .rate. legacy_extended_counters has to be off: with it
// the count is that of messages.
func statsiteExtended(s *payload.Series) Fate {
	name, isCounter := strings.CutPrefix(s.Metric, "counts.")
	if !isCounter {
		return statsite(s)
	}
	name, isCount := strings.CutSuffix(name, ".count")
	if !isCount {
		return Derived
	}
	return named(s, name, payload.Count)
}

// collectd writes HOST.statsd.TYPE.NAME, or TYPE-NAME: count for what a counter
// got in an interval (CounterSum), derive for its rate, gauge, objects for sets,
// latency for the parts of timers as NAME-PART, in seconds with steps of 2^-30,
// which become milliseconds again, and gauge for their NAME-count.
// Unless PreserveSeparator is set, dots of names arrive as underscores.
func collectd(s *payload.Series) Fate {
	_, rest, ok := strings.Cut(s.Metric, ".statsd.")
	at := strings.IndexAny(rest, ".-")
	if !ok || at < 0 {
		return Derived
	}
	kind, name := rest[:at], rest[at+1:]
	switch kind {
	case "count":
		return named(s, name, payload.Count)
	case "gauge":
		if timer, isCount := strings.CutSuffix(name, "-count"); isCount {
			return timerPart(s, timer, "count")
		}
		return named(s, name, payload.Gauge)
	case "objects":
		return named(s, name, payload.Gauge)
	case "latency":
		for i := range s.Points {
			s.Points[i].Value *= 1000
		}
		return timer(s, name, '-')
	}
	return Derived
}

// statsdExporter leaves out what the exporter tells of itself. Its names are
// those of PrometheusName.
func statsdExporter(s *payload.Series) Fate {
	for _, own := range []string{"statsd_exporter_", "statsd_metric_mapper_", "go_", "process_", "promhttp_"} {
		if strings.HasPrefix(s.Metric, own) {
			return Derived
		}
	}
	return Kept
}

// telegraf knows the type from the tag metric_type, which its statsd input adds
// and the mapping takes away. Its counters have to be those of an interval
// (delete_counters, which is the default). A tag without a value arrives as
// TAG:true.
func telegraf(s *payload.Series) Fate {
	at := slices.IndexFunc(s.Tags, func(tag string) bool { return strings.HasPrefix(tag, "metric_type:") })
	if at < 0 {
		return Kept
	}
	kind := strings.TrimPrefix(s.Tags[at], "metric_type:")
	s.Tags = slices.Delete(s.Tags, at, at+1)
	switch kind {
	case "counter":
		s.Type = payload.Count
	case "gauge", "set":
		s.Type = payload.Gauge
	case "timing", "histogram":
		return timer(s, s.Metric, '.')
	case "distribution":
		return Values
	}
	return Kept
}

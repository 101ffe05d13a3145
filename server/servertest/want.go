package servertest

import (
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"floodgate/internal/dogstatsd"
	"floodgate/internal/intake"
	"floodgate/internal/payload"
)

// want is one thing that must arrive: what a contextKey comes to, an event, or a
// service check.
type want struct {
	kind dogstatsd.Kind // 0 for events and service checks
	key  string         // as intake.Key makes it: metric|tag,tag
	// value is the sum of a counter, the last value of a gauge, the members of a
	// set, the sum of a sketch.
	value           float64
	count, min, max float64 // of timers, histograms, distributions
	host            *string // of every series; nil for any
	at              int64   // Unix seconds of the last point; 0 for any

	event *payload.Event // of time 0 when any time will do
	check *payload.ServiceCheck
}

func counter(key string, sum float64) want {
	return want{kind: dogstatsd.Counter, key: key, value: sum}
}

func gauge(key string, last float64) want {
	return want{kind: dogstatsd.Gauge, key: key, value: last}
}

func set(key string, members float64) want {
	return want{kind: dogstatsd.Set, key: key, value: members}
}

// summary is what values of one of the summarised kinds come to.
func summary(kind dogstatsd.Kind, key string, count, low, high, sum float64) want {
	return want{kind: kind, key: key, count: count, min: low, max: high, value: sum}
}

func (w want) atTime(unix int64) want {
	w.at = unix
	return w
}

func (w want) onHost(name string) want {
	w.host = &name
	return w
}

// verify returns what is wrong with what arrived, as far as w goes.
func (w want) verify(a *Arrived) []string {
	if w.host != nil {
		a = a.onHost(*w.host)
	}
	switch {
	case w.event != nil:
		return verifyOne("event", w.event.Title, *w.event, a.Events, func(e payload.Event) string { return e.Title }, func(e *payload.Event) { e.Timestamp = 0 })
	case w.check != nil:
		return verifyOne("service check", w.check.Name, *w.check, a.Checks, func(c payload.ServiceCheck) string { return c.Name }, func(c *payload.ServiceCheck) { c.Timestamp = 0 })
	}
	d := differences{key: w.key}
	switch w.kind {
	case dogstatsd.Counter:
		d.sum(&a.Totals, w.key, w.value, w.at)
	case dogstatsd.Gauge, dogstatsd.Set:
		d.gauge(&a.Totals, w.key, w.value, w.at)
	default:
		w.verifySummary(a, &d)
	}
	return d.found
}

// verifySummary takes a sketch for a distribution, and for all kinds the series
// with suffixes.
func (w want) verifySummary(a *Arrived, d *differences) {
	if s, found := a.Totals.GetSketch(w.key); found && w.kind == dogstatsd.Distribution {
		d.compare("count of the sketch", float64(s.Count), w.count)
		d.compare("minimum of the sketch", s.Min, w.min)
		d.compare("maximum of the sketch", s.Max, w.max)
		d.compare("sum of the sketch", s.Sum, w.value)
		return
	}
	d.sum(&a.Totals, suffixed(w.key, ".count"), w.count, 0)
	d.gauge(&a.Totals, suffixed(w.key, ".min"), w.min, 0)
	d.gauge(&a.Totals, suffixed(w.key, ".max"), w.max, 0)
}

// suffixed is the key of a series that belongs to another.
func suffixed(key, suffix string) string {
	metric, tags, _ := strings.Cut(key, "|")
	return metric + suffix + "|" + tags
}

// differences collects what is not as it should be with one contextKey.
type differences struct {
	key   string
	found []string
}

func (d *differences) add(format string, args ...any) {
	d.found = append(d.found, d.key+": "+fmt.Sprintf(format, args...))
}

// compare allows for the last bits: a rate was divided and multiplied again.
func (d *differences) compare(what string, got, want float64) {
	if !near(got, want) {
		d.add("%s is %v, want %v", what, got, want)
	}
}

func near(a, b float64) bool {
	return a == b || math.Abs(a-b) <= 1e-9*max(math.Abs(a), math.Abs(b))
}

func (d *differences) sum(t *intake.Totals, key string, want float64, at int64) {
	counts, isCount := t.Get(payload.Count, key)
	rates, isRate := t.Get(payload.Rate, key)
	if !isCount && !isRate {
		d.add("no count or rate %s arrived", key)
		return
	}
	d.compare("sum of "+key, counts.Sum+rates.Sum, want)
	if last := max(counts.LastTimestamp, rates.LastTimestamp); at != 0 && last != at {
		d.add("time is %d, want %d", last, at)
	}
}

func (d *differences) gauge(t *intake.Totals, key string, want float64, at int64) {
	g, found := t.Get(payload.Gauge, key)
	if !found {
		d.add("no gauge %s arrived", key)
		return
	}
	d.compare("last value of "+key, g.Last, want)
	if at != 0 && g.LastTimestamp != at {
		d.add("time is %d, want %d", g.LastTimestamp, at)
	}
}

// verifyOne finds the one thing of a name and compares it. anyTime takes its
// time away; where the wanted one has none, any time will do.
func verifyOne[T any](what, name string, want T, all []T, nameOf func(T) string, anyTime func(*T)) []string {
	var named []T
	for _, one := range all {
		if nameOf(one) == name {
			named = append(named, one)
		}
	}
	if len(named) != 1 {
		return []string{fmt.Sprintf("%s %q arrived %d times, want once", what, name, len(named))}
	}
	got := named[0]
	timeless := want
	if anyTime(&timeless); reflect.DeepEqual(timeless, want) {
		before := got
		if anyTime(&got); reflect.DeepEqual(before, got) {
			return []string{fmt.Sprintf("%s %q has no time", what, name)}
		}
	}
	if !reflect.DeepEqual(got, want) {
		return []string{fmt.Sprintf("%s is %+v, want %+v", what, got, want)}
	}
	return nil
}

// known are the suffixes of series beside a summary's count, minimum and
// maximum: they are not compared.
var known = regexp.MustCompile(`\.(count|min|max|avg|sum|median|[0-9.]+percentile)\|`)

// unexpected returns what arrived and belongs to none of the wants.
func unexpected(a *Arrived, wants []want) []string {
	sums, gauges, sketches, names := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, w := range wants {
		switch {
		case w.event != nil:
			names["event "+w.event.Title] = true
		case w.check != nil:
			names["check "+w.check.Name] = true
		case w.kind == dogstatsd.Counter:
			sums[w.key] = true
		case w.kind == dogstatsd.Gauge || w.kind == dogstatsd.Set:
			gauges[w.key] = true
		default:
			sketches[w.key] = true
		}
	}
	var found []string
	report := func(what, key string) { found = append(found, fmt.Sprintf("unexpected %s %s", what, key)) }
	for i := range a.Series {
		s := &a.Series[i]
		key := intake.Key(s.Metric, s.Tags)
		expected := sums
		if s.Type == payload.Gauge {
			expected = gauges
		}
		if !expected[key] && !(known.MatchString(key) && sketches[known.ReplaceAllString(key, "|")]) {
			report(s.Type.String(), key)
		}
	}
	for i := range a.Sketches {
		if key := intake.Key(a.Sketches[i].Metric, a.Sketches[i].Tags); !sketches[key] {
			report("sketch", key)
		}
	}
	for _, e := range a.Events {
		if !names["event "+e.Title] {
			report("event", e.Title)
		}
	}
	for _, c := range a.Checks {
		if !names["check "+c.Name] {
			report("service check", c.Name)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

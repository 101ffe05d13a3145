package capability

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"floodgate/internal/payload"
	"floodgate/scenarios"
)

// mostArrivals bounds how many different series an observation keeps. Probes
// lead to a few each; a server that makes many of them is known by the first.
const mostArrivals = 4096

// Observation is all that has arrived of probes. Its memory is bounded.
type Observation struct {
	Sink     scenarios.Sink
	arrivals []arrival
	events   []string // titles
	checks   []string // names
}

// arrival is what arrived in one series or sketch, over all its points.
type arrival struct {
	metric      string
	typ         payload.Type
	sketch      bool
	tags        string // sorted, with commas between them
	points      int
	sum, latest float64 // for a sketch the number of its values
	least, most float64
	// Of the latest and of the oldest point, in Unix seconds: some servers send a
	// value again and again.
	time, oldest int64
}

// Series takes note of a series. It keeps no part of s.
func (o *Observation) Series(s *payload.Series) {
	a := o.find(s.Metric, s.Type, false, s.Tags)
	if a == nil {
		return
	}
	for _, p := range s.Points {
		value := p.Value
		if s.Type == payload.Rate && s.Interval > 0 {
			value *= float64(s.Interval)
		}
		a.add(value, value, value, p.Timestamp)
	}
}

// Sketch takes note of a sketch. It keeps no part of s.
func (o *Observation) Sketch(s *payload.Sketch) {
	a := o.find(s.Metric, payload.Unspecified, true, s.Tags)
	if a == nil {
		return
	}
	for _, p := range s.Points {
		if p.Count > 0 {
			a.add(float64(p.Count), p.Min, p.Max, p.Timestamp)
		}
	}
}

// Event takes note of an event by its title.
func (o *Observation) Event(e *payload.Event) { o.events = note(o.events, e.Title) }

// Check takes note of a service check by its name.
func (o *Observation) Check(c *payload.ServiceCheck) { o.checks = note(o.checks, c.Name) }

func note(names []string, name string) []string {
	if !strings.Contains(name, "probe") || len(names) == mostArrivals || slices.Contains(names, name) {
		return names
	}
	return append(names, name)
}

func (a *arrival) add(value, least, most float64, at int64) {
	if a.points == 0 {
		a.least, a.most, a.oldest = least, most, at
	}
	a.points++
	a.sum += value
	a.least, a.most, a.oldest = min(a.least, least), max(a.most, most), min(a.oldest, at)
	if at >= a.time {
		a.latest, a.time = value, at
	}
}

// find is the arrival of a series, made if it is new; nil for what is of no probe.
func (o *Observation) find(metric string, typ payload.Type, sketch bool, tags []string) *arrival {
	if !strings.Contains(strings.ToLower(metric), "probe") {
		return nil
	}
	sorted := strings.Join(slices.Sorted(slices.Values(tags)), ",")
	for i := range o.arrivals {
		if a := &o.arrivals[i]; a.metric == metric && a.typ == typ && a.sketch == sketch && a.tags == sorted {
			return a
		}
	}
	if len(o.arrivals) == mostArrivals {
		return nil
	}
	o.arrivals = append(o.arrivals, arrival{metric: metric, typ: typ, sketch: sketch, tags: sorted})
	return &o.arrivals[len(o.arrivals)-1]
}

// Arrived reports whether anything has come of a metric.
func (o *Observation) Arrived(metric string) bool {
	return slices.ContainsFunc(o.arrivals, func(a arrival) bool { return a.metric == metric && a.points > 0 })
}

// Judge says whether the server did what the probe asks for, and why. malformed
// is by how much the probe raised the server's own count of malformed lines, nil
// where it does not tell: a server may well skip a part that it calls malformed,
// and take the rest.
func (p *Probe) Judge(o *Observation, malformed *int64) (answer Answer, why string) {
	if len(p.Effects) == 0 {
		return Unclear, "it takes no kind to ask with"
	}
	answer = Yes
	for i := range p.Effects {
		switch one, reason := p.Effects[i].judge(o); {
		case one == No:
			return No, reason
		case one == Unclear && answer == Yes:
			answer, why = Unclear, reason
		}
	}
	if answer == Yes && malformed != nil && *malformed > 0 {
		return No, fmt.Sprintf("it arrived, and the server counted %d malformed", *malformed)
	}
	return answer, why
}

func (e *Effect) judge(o *Observation) (Answer, string) {
	switch e.way {
	case titled, checked:
		return e.judgeOther(o)
	case counted:
		return e.judgeSummary(o)
	}
	got := o.all(e.Metric, func(a *arrival) bool { return !a.sketch && a.tags == e.tag })
	value := got.sum
	switch e.way {
	case last:
		value = got.latest
	case highest:
		value = got.most
	}
	switch {
	case got.points == 0:
		return No, e.missing(o)
	case !near(value, e.value):
		return No, fmt.Sprintf("%s is %s, want %s", e.Metric, number(value), number(e.value))
	case e.time != 0 && o.Sink == scenarios.SinkPrometheus:
		return Unclear, "a scrape has no timestamps of messages"
	case e.time != 0 && got.time != e.time && got.oldest != e.time:
		return No, e.Metric + " has another timestamp"
	}
	return Yes, ""
}

// missing says what is there in the place of an effect. A tag that was added
// makes another series of it, as one that was left out does.
func (e *Effect) missing(o *Observation) string {
	switch {
	case !o.Arrived(e.Metric):
		return e.Metric + " did not arrive"
	case e.tag != "":
		return e.Metric + " has not that tag and no other"
	}
	return e.Metric + " has tags that were not sent"
}

// all adds up what arrived under a name.
func (o *Observation) all(metric string, counts func(*arrival) bool) arrival {
	var sum arrival
	for i := range o.arrivals {
		a := &o.arrivals[i]
		if a.metric != metric || a.points == 0 || !counts(a) {
			continue
		}
		if sum.points == 0 {
			sum.least, sum.most, sum.oldest = a.least, a.most, a.oldest
		}
		sum.points += a.points
		sum.sum += a.sum
		sum.least, sum.most, sum.oldest = min(sum.least, a.least), max(sum.most, a.most), min(sum.oldest, a.oldest)
		if a.time >= sum.time {
			sum.latest, sum.time = a.latest, a.time
		}
	}
	return sum
}

// judgeSummary looks for the parts of a summary, or a sketch.
func (e *Effect) judgeSummary(o *Observation) (Answer, string) {
	plain := func(a *arrival) bool { return !a.sketch && a.tags == "" }
	count, least, most := o.all(e.Metric+".count", plain), o.all(e.Metric+".min", plain), o.all(e.Metric+".max", plain)
	if sketch := o.all(e.Metric, func(a *arrival) bool { return a.sketch && a.tags == "" }); sketch.points > 0 {
		count, least, most = sketch, sketch, sketch
	}
	switch {
	case count.points == 0 && o.Arrived(e.Metric):
		return No, e.Metric + " arrived as another kind"
	case count.points == 0 && (least.points > 0 || most.points > 0):
		return Unclear, "how many values " + e.Metric + " is made of is not told"
	case count.points == 0:
		return No, (&Effect{Metric: e.Metric + ".count"}).missing(o)
	case !near(count.sum, e.value):
		return No, fmt.Sprintf("%s has %s values, want %s", e.Metric, number(count.sum), number(e.value))
	case least.points > 0 && !near(least.least, e.least):
		return No, fmt.Sprintf("the least value of %s is %s, want %s", e.Metric, number(least.least), number(e.least))
	case most.points > 0 && !near(most.most, e.most):
		return No, fmt.Sprintf("the largest value of %s is %s, want %s", e.Metric, number(most.most), number(e.most))
	}
	return Yes, ""
}

// judgeOther looks for an event or a service check, which only one sink takes.
func (e *Effect) judgeOther(o *Observation) (Answer, string) {
	names, what := o.events, "events"
	if e.way == checked {
		names, what = o.checks, "service checks"
	}
	switch {
	case slices.Contains(names, e.Metric):
		return Yes, ""
	case o.Sink != scenarios.SinkDatadog:
		return Unclear, fmt.Sprintf("the sink %s has no %s", o.Sink, what)
	}
	return No, e.Metric + " did not arrive"
}

// near allows for what formats do to numbers: seconds for milliseconds and back.
func near(a, b float64) bool { return math.Abs(a-b) <= 1e-4*math.Max(math.Abs(a), math.Abs(b)) }

func number(x float64) string { return strconv.FormatFloat(x, 'g', 6, 64) }

// mostSeen is how many arrivals of a probe are told in words.
const mostSeen = 6

// Seen is what has come of a probe, in words, under whatever name that holds one
// of its own.
func (p *Probe) Seen(o *Observation) string {
	var seen []string
	for _, e := range p.Effects {
		ours := func(name string) bool { return strings.Contains(strings.ToLower(name), e.Metric) }
		for i := range o.arrivals {
			if a := &o.arrivals[i]; ours(a.metric) && a.points > 0 {
				seen = append(seen, a.String())
			}
		}
		for _, title := range o.events {
			if e.way == titled && ours(title) {
				seen = append(seen, "event "+title)
			}
		}
		for _, name := range o.checks {
			if e.way == checked && ours(name) {
				seen = append(seen, "check "+name)
			}
		}
	}
	if len(seen) > mostSeen {
		seen = append(seen[:mostSeen], fmt.Sprintf("and %d more", len(seen)-mostSeen))
	}
	if len(seen) == 0 {
		return "nothing"
	}
	return strings.Join(seen, "  ")
}

// String is the arrival as "name{tags} value".
func (a *arrival) String() string {
	name := clip(a.metric)
	if a.tags != "" {
		name += "{" + clip(a.tags) + "}"
	}
	switch {
	case a.sketch:
		return fmt.Sprintf("%s sketch of %s", name, number(a.sum))
	case a.typ == payload.Gauge:
		return name + " " + number(a.latest)
	}
	return name + " " + number(a.sum)
}

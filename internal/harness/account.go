package harness

import (
	"fmt"
	"iter"
	"math"
	"strings"
	"time"

	"floodgate/internal/dogstatsd"
	"floodgate/internal/intake"
	"floodgate/internal/payload"
	"floodgate/internal/record"
	"floodgate/loadgen"
)

// expectations is what a corpus must come to at the intake, indexed by the
// series that show it. It is built once per corpus and only read afterwards.
type expectations struct {
	keys  []expectation
	index map[string]part
}

// expectation is what one contextKey must come to.
type expectation struct {
	name     string // for messages to people
	kind     dogstatsd.Kind
	messages int64
	count    float64 // values, weighted
	sum      float64
	last     float64
	min, max float64
	// anyLast says that several senders sent it: which of its messages came last
	// nobody knows, so its last value may be any.
	anyLast bool
}

// part says what one series shows of one contextKey.
type part struct {
	key  int32
	role role
}

type role uint8

const (
	total      role = iota // a sum: counters, the counts of summaries, the cardinalities of sets
	lastValue              // gauges
	minimum                // summaries
	maximum                //
	unverified             // known, but not implied by the corpus: averages and quantiles per bucket
	sketched               // distributions that come as sketches, not as series
)

// summaryParts are the series of the kinds that a target summarises.
var summaryParts = []struct {
	suffix string
	role   role
}{
	{".count", total}, {".min", minimum}, {".max", maximum},
	{".sum", unverified}, {".avg", unverified}, {".median", unverified}, {".95percentile", unverified},
}

func newExpectations(expected iter.Seq[*loadgen.Expectation]) *expectations {
	e := &expectations{index: make(map[string]part)}
	for x := range expected {
		id := int32(len(e.keys))
		key := intake.Key(x.Metric, x.Tags)
		e.keys = append(e.keys, expectation{name: key, kind: x.Kind, messages: x.Messages, count: x.Count, sum: x.Sum, last: x.Last, min: x.Min, max: x.Max})
		switch x.Kind {
		case dogstatsd.Counter, dogstatsd.Set:
			e.index[key] = part{id, total}
		case dogstatsd.Gauge:
			e.index[key] = part{id, lastValue}
		default:
			_, tags, _ := strings.Cut(key, "|")
			for _, p := range summaryParts {
				e.index[x.Metric+p.suffix+"|"+tags] = part{id, p.role}
			}
			if x.Kind == dogstatsd.Distribution {
				e.index[key] = part{id, sketched}
			}
		}
	}
	return e
}

// perMessage is what one message adds to the total of its contextKey.
func (x *expectation) perMessage() float64 {
	switch x.kind {
	case dogstatsd.Counter:
		return x.sum / float64(x.messages)
	case dogstatsd.Set:
		return 1 // every member of the corpus is unique
	}
	return x.count / float64(x.messages)
}

// arrivals folds what the intake decoded, against the expectations.
type arrivals struct {
	expected   *expectations
	got        []arrival
	unexpected int64 // points of series that the corpus does not lead to
	stranger   string
	others     int64 // events and service checks
	steps      []step
	tags       []string // scratch
}

// arrival is what came of one contextKey.
type arrival struct {
	total    float64
	last     float64
	lastTime int64
	min, max float64
	seen     bool // any series of it
}

// step is how many messages showed in the uploads of one instant.
type step struct {
	at       time.Time
	messages float64
}

func newArrivals(e *expectations) *arrivals {
	a := &arrivals{expected: e, got: make([]arrival, len(e.keys))}
	for i := range a.got {
		a.got[i].min, a.got[i].max = math.Inf(1), math.Inf(-1)
	}
	return a
}

// find is what a series shows. The tag host:NAME may have become its host, but its
// host may also be one that the target gives to all.
func (a *arrivals) find(metric string, tags []string, host string) (p part, known bool) {
	if host != "" {
		a.tags = append(append(a.tags[:0], tags...), "host:"+host)
		if p, known = a.expected.index[intake.Key(metric, a.tags)]; known {
			return p, true
		}
	}
	p, known = a.expected.index[intake.Key(metric, tags)]
	return p, known
}

// add folds one series that arrived at an instant. Its signature is that of the
// intake's visitor.
func (a *arrivals) add(at time.Time, s *payload.Series) error {
	p, known := a.find(s.Metric, s.Tags, s.Host)
	if !known {
		a.unexpected += int64(len(s.Points))
		a.stranger = s.Metric
		return nil
	}
	x, g := &a.expected.keys[p.key], &a.got[p.key]
	g.seen = true
	for _, point := range s.Points {
		value := point.Value
		if s.Type == payload.Rate && s.Interval > 0 {
			value *= float64(s.Interval)
		}
		switch p.role {
		case total:
			g.total += value
			a.arrived(at, value/x.perMessage())
		case lastValue:
			if point.Timestamp >= g.lastTime {
				g.last, g.lastTime = value, point.Timestamp
			}
		case minimum:
			g.min = math.Min(g.min, value)
		case maximum:
			g.max = math.Max(g.max, value)
		}
	}
	return nil
}

// addSketch folds one sketch, likewise.
func (a *arrivals) addSketch(at time.Time, s *payload.Sketch) error {
	p, known := a.find(s.Metric, s.Tags, s.Host)
	if !known || p.role != sketched {
		a.unexpected += int64(len(s.Points))
		a.stranger = s.Metric
		return nil
	}
	x, g := &a.expected.keys[p.key], &a.got[p.key]
	g.seen = true
	for _, point := range s.Points {
		g.total += float64(point.Count)
		g.min, g.max = math.Min(g.min, point.Min), math.Max(g.max, point.Max)
		a.arrived(at, float64(point.Count)/x.perMessage())
	}
	return nil
}

// addEvent and addCheck count what is neither merged nor compared.
func (a *arrivals) addEvent(at time.Time, _ *payload.Event) error {
	a.others++
	a.arrived(at, 1)
	return nil
}

func (a *arrivals) addCheck(at time.Time, _ *payload.ServiceCheck) error {
	a.others++
	a.arrived(at, 1)
	return nil
}

func (a *arrivals) arrived(at time.Time, messages float64) {
	if n := len(a.steps); n > 0 && a.steps[n-1].at.Equal(at) {
		a.steps[n-1].messages += messages
		return
	}
	a.steps = append(a.steps, step{at, messages})
}

// outcome is what the arrivals say about the messages.
type outcome struct {
	decided     int64 // messages whose effect was seen, of the kinds that add up
	gauges      int64 // messages of gauges in the corpus
	gaugesSeen  int64 // of these, in contextKeys that arrived at all
	gaugesRight int64 // of these, in contextKeys whose last value is right
	fractions   int   // contextKeys whose total is no whole number of messages
	values      record.Values
}

// outcome counts messages and compares values. Values are compared as if
// nothing was lost; the caller knows whether that was so.
func (a *arrivals) outcome() outcome {
	o := outcome{decided: a.others}
	o.values.ContextKeys = len(a.got)
	for i := range a.got {
		x, g := &a.expected.keys[i], &a.got[i]
		if fault := g.compare(x); fault != "" {
			o.values.Wrong++
			if len(o.values.Examples) < 5 {
				o.values.Examples = append(o.values.Examples, x.name+": "+fault)
			}
		}
		if x.kind == dogstatsd.Gauge {
			o.gauges += x.messages
			if g.seen {
				o.gaugesSeen += x.messages
				if g.lastRight(x) {
					o.gaugesRight += x.messages
				}
			}
			continue
		}
		messages := g.total / x.perMessage()
		whole := math.Round(messages)
		if !near(messages, whole) {
			o.fractions++
		}
		o.decided += int64(whole)
	}
	return o
}

// compare says in words how the arrival differs from what was expected.
func (g *arrival) compare(x *expectation) string {
	want := x.count
	switch x.kind {
	case dogstatsd.Gauge:
		if !g.seen || !g.lastRight(x) {
			return fmt.Sprintf("last value %v, want %v", g.last, x.last)
		}
		return ""
	case dogstatsd.Counter:
		want = x.sum
	case dogstatsd.Set:
		want = float64(x.messages)
	default:
		if g.seen && (!near(g.min, x.min) || !near(g.max, x.max)) {
			return fmt.Sprintf("range %v to %v, want %v to %v", g.min, g.max, x.min, x.max)
		}
	}
	if !near(g.total, want) {
		return fmt.Sprintf("total %v, want %v", g.total, want)
	}
	return ""
}

// lastRight reports whether a gauge ended as it must.
func (g *arrival) lastRight(x *expectation) bool {
	if x.anyLast {
		return g.last >= x.min && g.last <= x.max
	}
	return near(g.last, x.last)
}

// near allows for the rounding of sums of floating-point numbers, no more.
func near(a, b float64) bool {
	return math.Abs(a-b) <= 1e-9*math.Max(math.Abs(a), math.Abs(b))
}

// observation is everything that was counted in one replicate.
type observation struct {
	load    loadgen.Result
	oneLine bool   // every datagram that the target gets holds one message
	drops   *int64 // datagrams that the target's socket dropped; nil when unknown
	stats   *Statistics
	outcome outcome
	// uncounted says that the target's output went nowhere that counts.
	uncounted bool
	// manyEvents says that some messages may be several events to a target: sampled
	// ones, and those with several values.
	manyEvents bool
	hostile    int64 // messages of the load that are none, by intention
}

// account balances the ledger of one replicate. It is pure. The faults say in
// words what does not balance; the warnings, what could not be decided.
func account(o observation) (ledger record.Ledger, faults, warnings []string) {
	ledger = record.Ledger{Offered: o.load.OfferedMessages, NotSent: o.load.NotSent, GivenUp: o.load.GivenUp, Sent: o.load.SentMessages, Hostile: o.hostile}
	o.stats, warnings = translated(o)
	if s := o.stats; s != nil {
		ledger.Received, ledger.Aggregated = s.Received, s.Aggregated
		ledger.QueueDropped, ledger.Malformed, ledger.Truncated = s.QueueDropped, s.Malformed, s.Truncated
		ledger.Rejected, ledger.ShutdownDropped, ledger.UploadFailed = s.Rejected, s.ShutdownDropped, s.UploadFailed
	}
	var missing int64
	if o.drops != nil {
		var warning string
		ledger.KernelDropped, missing, warning = kernelDropped(o)
		if warning != "" {
			warnings = append(warnings, warning)
		}
	}
	if warning := cutOff(o, &ledger); warning != "" {
		warnings = append(warnings, warning)
	}
	if !o.uncounted {
		delivered, undecided, warning := delivered(o.outcome, arrivable(&ledger))
		ledger.Delivered, ledger.Undecided = &delivered, undecided
		if warning != "" {
			warnings = append(warnings, warning)
		}
	}
	if o.stats != nil && o.stats.Foreign {
		if warning := loosen(&ledger); warning != "" {
			warnings = append(warnings, warning)
		}
	}
	faults = ledger.Balance()
	if missing != 0 {
		ledger.Unaccounted += max(missing, -missing)
		faults = append(faults, fmt.Sprintf("datagrams sent = read + dropped by the kernel: %+d unexplained", missing))
	}
	if o.outcome.fractions > 0 {
		faults = append(faults, fmt.Sprintf("%d contextKeys arrived with a total that is no whole number of messages", o.outcome.fractions))
	}
	return ledger, faults, warnings
}

// kernelDropped turns the socket's drop counter, which counts datagrams, into
// messages. Where datagrams hold several, the difference between what was sent
// and what was read is exact, provided that the datagrams themselves add up:
// missing is by how many they do not.
func kernelDropped(o observation) (messages *int64, missing int64, warning string) {
	if o.stats != nil && o.stats.Datagrams != nil {
		missing = o.load.SentDatagrams - *o.stats.Datagrams - *o.drops
	}
	switch {
	case o.oneLine || *o.drops == 0:
		return record.Count(*o.drops), missing, ""
	case o.stats != nil && o.stats.Received != nil && o.stats.Datagrams != nil:
		return record.Count(o.load.SentMessages - *o.stats.Received), missing, ""
	}
	return nil, missing, fmt.Sprintf("the kernel dropped %d datagrams; how many messages they held is not known", *o.drops)
}

// cutOff books the messages that stood behind the cut of truncated datagrams.
// They never reached the target, so it cannot have counted them; but when every
// datagram was read, they are all that is missing. The warning says so, or, beside
// datagrams that the kernel dropped, that the two cannot be told apart.
func cutOff(o observation, l *record.Ledger) (warning string) {
	s := o.stats
	if o.oneLine || s == nil || s.Received == nil || s.Datagrams == nil || s.Truncated == nil || *s.Truncated == 0 {
		return ""
	}
	if o.drops != nil && *o.drops > 0 {
		return "datagrams were truncated: what stood behind the cuts is counted as dropped by the kernel, because it cannot be told apart"
	}
	behind := o.load.SentMessages - *s.Received
	if behind <= 0 || *s.Datagrams != o.load.SentDatagrams {
		return ""
	}
	l.Received, l.Truncated = record.Count(*s.Received+behind), record.Count(*s.Truncated+behind)
	return fmt.Sprintf("%d messages stood behind the cut of truncated datagrams; they count as received and truncated", behind)
}

// arrivable is how many messages can have arrived at the intake, by what is known
// of the stages before it. Of a target that does not say what it aggregated it is
// only the most.
func arrivable(l *record.Ledger) int64 {
	less := func(n int64, lost *int64) int64 {
		if lost != nil {
			n -= *lost
		}
		return n
	}
	if l.Aggregated != nil {
		return less(*l.Aggregated, l.UploadFailed)
	}
	return less(l.Sent, l.KernelDropped)
}

// delivered decides how many messages took effect. Gauges keep only their last
// value, so their share is what the other kinds leave of those that can have
// arrived. When that is exactly all messages of gauges, and every last value is
// right, they did. Otherwise they are undecided, and that is said; but a
// contextKey that never showed has lost all of its messages.
func delivered(o outcome, arrivable int64) (messages, undecided int64, warning string) {
	left := arrivable - o.decided
	switch {
	case o.gauges == 0:
		return o.decided, 0, ""
	case left == o.gauges && o.gaugesRight == o.gauges:
		return o.decided + left, 0, ""
	}
	if left = max(0, min(left, o.gaugesSeen)); left == 0 {
		return o.decided, 0, ""
	}
	return o.decided, left, fmt.Sprintf("%d messages of gauges are undecided: a gauge shows only the last of its messages", left)
}

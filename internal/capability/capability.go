// Package capability finds out what a metric server can do, from what comes of
// small probes at the sink that it flushes to. It is pure: it says what is to be
// sent, and judges what arrived; sending and waiting are the caller's.
//
// Each probe uses metrics of its own, whose names are letters that no server
// changes, and is judged by the values that arrive: that something arrives does
// not mean that it was understood.
package capability

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Answer is what the probes say of one capability.
type Answer string

// The answers. Unclear stands where the sink cannot show the difference, and
// where there is no way to ask.
const (
	Yes     Answer = "yes"
	No      Answer = "no"
	Unclear Answer = "unclear"
)

// The capabilities, as the keys of a description name them.
const (
	Kinds           = "kinds"
	Tags            = "tags"
	Packing         = "packing"
	PackedValues    = "packed_values"
	Sampling        = "sampling"
	Timestamps      = "timestamps"
	Origin          = "origin"
	Events          = "events"
	ServiceChecks   = "service_checks"
	LargestDatagram = "largest_datagram"
)

// Probe is one question to a server: what to send, and what must come of it.
type Probe struct {
	Key       string   // of the capability
	Kind      string   // for Kinds: which one
	Datagrams []string // in their order; lines have no end but between two in one datagram
	Effects   []Effect // all of which must be seen
}

// Name is the probe in words: its key, and for kinds which one.
func (p *Probe) Name() string {
	if p.Kind == "" {
		return p.Key
	}
	return p.Key + ": " + p.Kind
}

// Effect is one thing that must be seen at the sink.
type Effect struct {
	Metric string // or the title of an event, or the name of a service check
	way    way
	value  float64
	tag    string  // that it must have; no others may be there
	least  float64 // of a summary
	most   float64 // likewise
	time   int64   // that a point must have, in Unix seconds; 0 for any
}

// way is how an effect shows.
type way uint8

const (
	summed  way = iota // the points add up to the value
	last               // the last point is the value
	highest            // so is the highest one
	counted            // a summary or a sketch of so many values
	titled             // an event
	checked            // a service check
)

// probeTag is the tag that probes carry.
const probeTag = "probekey:probevalue"

// KindProbes ask for each kind of message, the counter first.
func KindProbes() []Probe {
	name := func(kind string) string { return "probekind" + kind }
	one := func(kind, value string, e Effect) Probe {
		e.Metric = name(kind)
		return Probe{Key: Kinds, Kind: kind, Datagrams: []string{name(kind) + ":" + value + "|" + kind}, Effects: []Effect{e}}
	}
	summary := func(kind string) Probe {
		p := one(kind, "2", Effect{way: counted, value: 2, least: 2, most: 4})
		p.Datagrams = append(p.Datagrams, name(kind)+":4|"+kind)
		return p
	}
	set := one("s", "a", Effect{way: highest, value: 2})
	// In this order two of a kind are next to each other wherever a flush falls.
	set.Datagrams = append(set.Datagrams, name("s")+":b|s", name("s")+":a|s")
	return []Probe{
		one("c", "3", Effect{way: summed, value: 3}),
		one("g", "7", Effect{way: last, value: 7}),
		summary("ms"), summary("h"), summary("d"), set,
	}
}

// Probes ask for everything but the kinds and the largest datagram; kinds are
// those that the server takes, and now is the time in Unix seconds.
func Probes(kinds []string, now int64) []Probe {
	at := strconv.FormatInt(now-60, 10)
	line := func(key, name, rest string, e Effect) Probe {
		e.Metric = name
		return Probe{Key: key, Datagrams: []string{name + rest}, Effects: []Effect{e}}
	}
	three := Effect{way: summed, value: 3}
	return []Probe{
		line(Tags, "probetags", ":3|c|#"+probeTag, Effect{way: summed, value: 3, tag: probeTag}),
		{Key: Packing, Datagrams: []string{"probepackinga:3|c\nprobepackingb:4|c"}, Effects: []Effect{
			{Metric: "probepackinga", way: summed, value: 3}, {Metric: "probepackingb", way: summed, value: 4},
		}},
		packedValues(kinds), sampling(kinds),
		joined(
			line(Timestamps, "probetimestampsc", ":3|c|T"+at, Effect{way: summed, value: 3, time: now - 60}),
			line(Timestamps, "probetimestampsg", ":3|g|T"+at, Effect{way: last, value: 3, time: now - 60}),
		),
		joined(
			line(Origin, "probecontainer", ":3|c|c:ci-0123456789ab", three),
			line(Origin, "probeexternal", ":3|c|e:it-false,cn-probe", three),
			line(Origin, "probecardinality", ":3|c|card:low", three),
		),
		line(Events, "probeevents", "", Effect{way: titled}).sending("_e{11,9}:probeevents|probetext"),
		line(ServiceChecks, "probechecks", "", Effect{way: checked}).sending("_sc|probechecks|0"),
	}
}

func (p Probe) sending(datagram string) Probe {
	p.Datagrams = []string{datagram}
	return p
}

// joined makes one probe of several.
func joined(probes ...Probe) Probe {
	all := Probe{Key: probes[0].Key}
	for _, p := range probes {
		all.Datagrams = append(all.Datagrams, p.Datagrams...)
		all.Effects = append(all.Effects, p.Effects...)
	}
	return all
}

// packedValues asks with each kind of which a load may pack values.
func packedValues(kinds []string) Probe {
	p := Probe{Key: PackedValues}
	for _, kind := range kinds {
		e := Effect{Metric: "probepackedvalues" + kind}
		switch kind {
		case "c":
			e.way, e.value = summed, 3
		case "g":
			e.way, e.value = last, 2
		case "s":
			continue
		default:
			e.way, e.value, e.least, e.most = counted, 2, 1, 2
		}
		p.Datagrams, p.Effects = append(p.Datagrams, e.Metric+":1:2|"+kind), append(p.Effects, e)
	}
	return p
}

// sampling asks with each kind that a load may sample.
func sampling(kinds []string) Probe {
	p := Probe{Key: Sampling}
	for _, kind := range kinds {
		e, value := Effect{Metric: "probesampling" + kind, way: counted, value: 2, least: 5, most: 5}, ":5|"
		switch kind {
		case "c":
			e, value = Effect{Metric: e.Metric, way: summed, value: 2}, ":1|"
		case "g", "s":
			continue
		}
		p.Datagrams, p.Effects = append(p.Datagrams, e.Metric+value+kind+"|@0.5"), append(p.Effects, e)
	}
	return p
}

// End is what is sent behind probes, for the time number n: once its metric has
// arrived, so has all that was sent before, or it never will. The other counters
// are always the same, for servers that write only when a buffer has filled up.
func End(n int) (metric string, datagrams []string) {
	metric = fmt.Sprintf("probeend%d", n)
	datagrams = []string{metric + ":1|c"}
	for i := range 15 {
		datagrams = append(datagrams, fmt.Sprintf("probefilling%d:1|c", i))
	}
	return metric, datagrams
}

// The datagrams of a load over UDP have from smallestDatagram to mostBytes bytes.
const (
	smallestDatagram = 64
	mostBytes        = 65467
)

// Filled is the probe of one datagram of exactly size bytes, at least 64, full of
// counters: its last line arrives only if all of it was read.
func Filled(size int) Probe {
	name := fmt.Sprintf("probelargest%d", size)
	end := name + ":12|c"
	const filling = "probepadding"
	const line = filling + ":1|c\n"
	var b strings.Builder
	b.Grow(size)
	for b.Len()+2*len(line)+len(end) <= size {
		b.WriteString(line)
	}
	b.WriteString(filling + strings.Repeat("x", size-b.Len()-len(line)-len(end)) + ":1|c\n")
	return Probe{Key: LargestDatagram, Datagrams: []string{b.String() + end}, Effects: []Effect{{Metric: name, way: summed, value: 12}}}
}

// Search bisects for the largest datagram that arrives whole.
type Search struct {
	said  int // the description's limit, which is tried first; 0 for none
	fits  int // the largest that arrived
	fails int // the smallest that did not
}

// NewSearch begins a search, at what the description says in bytes; 0 is no
// limit.
func NewSearch(said int64) *Search {
	return &Search{said: int(min(said, mostBytes)), fits: smallestDatagram - 1, fails: mostBytes + 1}
}

// Next is the size in bytes to try next; more is false when the search is over.
func (s *Search) Next() (size int, more bool) {
	between := func(size int) bool { return s.fits < size && size < s.fails }
	switch {
	case s.fails-s.fits <= 1:
		return 0, false
	case s.fails > mostBytes && s.fits < mostBytes:
		return mostBytes, true
	case between(s.said):
		return s.said, true
	case s.said > 0 && s.said == s.fits:
		return s.said + 1, true
	}
	return s.fits + (s.fails-s.fits)/2, true
}

// Tried takes note of whether a datagram of that size arrived whole.
func (s *Search) Tried(size int, whole bool) {
	if whole {
		s.fits = max(s.fits, size)
	} else {
		s.fails = min(s.fails, size)
	}
}

// Largest is the largest size in bytes that arrived; 0 while none has.
func (s *Search) Largest() int64 {
	if s.fits < smallestDatagram {
		return 0
	}
	return int64(s.fits)
}

// wireKinds are the kinds in the order of KindProbes.
func wireKinds() []string {
	var kinds []string
	for _, p := range KindProbes() {
		kinds = append(kinds, p.Kind)
	}
	return kinds
}

// clip shortens a text for a table; the end of a datagram says the most.
func clip(text string) string {
	const most = 90
	text = strings.ReplaceAll(text, "\n", `\n`)
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most/2]) + "…" + string(runes[len(runes)-most/2:])
	}
	return text
}

// Sent is what the probe sends, for people: datagrams with blanks between them,
// the end of a line as \n, and the middle of long ones left out.
func (p *Probe) Sent() string {
	texts := slices.Clone(p.Datagrams)
	for i := range texts {
		texts[i] = clip(texts[i])
	}
	return strings.Join(texts, "  ")
}

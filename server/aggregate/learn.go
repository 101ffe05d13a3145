package aggregate

import (
	"bytes"
	"encoding/binary"
	"slices"

	"floodgate/internal/dogstatsd"
)

// lesson is what a line that was not seen before says, and where in the keyring
// to look for it. All of a batch are prepared before the first is learnt, so that
// they wait for memory together.
type lesson struct {
	fault     dogstatsd.Fault
	kind      dogstatsd.Kind
	rate      float64
	timestamp int64  // Unix seconds, 0 when absent
	tags      []byte // canonical; valid as long as the batch
	hash      uint64 // of the contextKey
}

// prepare keeps the aliases that are what was looked for, and makes lessons of
// the lines that have none.
func (t *Table) prepare(batch []line) {
	lessons := 0
	for i := range batch {
		l := &batch[i]
		if l.bar != 0 && l.alias != nil && l.alias.print == l.print {
			continue
		}
		l.alias = nil
		if l.bar == 0 {
			continue
		}
		if l.colon == 0 || bytes.IndexByte(l.name(), '|') >= 0 {
			l.bar = 0 // it is no message after all
			continue
		}
		if lessons == 0 {
			t.ring.forgetLessons()
		}
		lessons++
		t.ring.prepare(&t.lessons[i], l)
	}
	for i := 0; i < len(batch) && lessons > 0; i++ {
		if l := &batch[i]; l.alias == nil && l.bar != 0 {
			t.touched += byte(t.ring.byKey.first(t.lessons[i].hash)) // where learn will look
			lessons--
		}
	}
}

// addNew applies a line that is written in a way not seen before, or is no
// message at all.
func (t *Table) addNew(l *line, x *lesson) {
	if l.bar == 0 {
		if !t.addSpecial(l.text) { // a service check has no ':' where a message has one
			_, _, _, fault := dogstatsd.Split(l.text)
			t.Counts.Faults[fault]++
		}
		return
	}
	if l.text[0] == '_' && t.addSpecial(l.text) {
		return
	}
	// An earlier line of the same batch may have taught it.
	if a := t.ring.alias(l.print); a != nil {
		t.apply(a, l.values())
		return
	}
	fault := x.fault
	if fault == dogstatsd.NoFault && x.kind != dogstatsd.Set && !l.whole {
		// A bad line must not take a place among the contextKeys.
		fault = checkValues(l.values())
	}
	if fault == dogstatsd.NoFault && x.timestamp != 0 && x.kind != dogstatsd.Counter && x.kind != dogstatsd.Gauge {
		fault = dogstatsd.BadTimestampKind
	}
	if fault != dogstatsd.NoFault {
		t.Counts.Faults[fault]++
		return
	}
	a, ok := t.ring.learn(l.print, l.name(), x)
	if !ok {
		t.Counts.Rejected++
		return
	}
	if x.timestamp != 0 {
		t.addPoints(&a, l.values(), x.timestamp)
		return
	}
	t.apply(&a, l.values())
}

// prepare makes the lesson of a line. It changes nothing that is kept.
func (r *keyring) prepare(x *lesson, l *line) {
	m, fault := dogstatsd.ParseRest(l.rest())
	*x = lesson{fault: fault, kind: m.Kind, rate: m.Rate, timestamp: m.Timestamp}
	if fault == dogstatsd.NoFault {
		x.tags = r.canonicalTags(m.Tags)
		x.hash = r.keyHash(l.name(), x.kind, x.tags)
	}
}

// scratchLen is what canonicalTags keeps for the next batch, in bytes.
const scratchLen = 64 << 10

// forgetLessons ends what canonicalTags returned.
func (r *keyring) forgetLessons() {
	if r.joined = r.joined[:0]; cap(r.joined) > scratchLen {
		r.joined = nil
	}
}

// sortedTag is a tag with its first bytes as a number, which has the order of the
// tags: nearly all comparisons end there.
type sortedTag struct {
	first uint64
	text  []byte
}

func newSortedTag(text []byte) sortedTag {
	if len(text) >= 8 {
		return sortedTag{binary.BigEndian.Uint64(text), text}
	}
	var first uint64
	for i, c := range text {
		first |= uint64(c) << (56 - 8*i)
	}
	return sortedTag{first, text}
}

func (t sortedTag) compare(o sortedTag) int {
	switch {
	case t.first < o.first:
		return -1
	case t.first > o.first:
		return 1
	}
	return bytes.Compare(t.text, o.text)
}

// canonicalTags sorts the tags and drops repeated and internal ones. The host
// stands before the others, where dogstatsd.CutHost finds it; of several the last
// counts. The result is valid until forgetLessons, and as long as tags are.
func (r *keyring) canonicalTags(tags []byte) []byte {
	if len(tags) == 0 {
		return nil
	}
	r.tags = r.tags[:0]
	var host []byte // with its prefix
	asTheyAre := true
	for rest, more := tags, true; more; {
		tag := rest
		i := bytes.IndexByte(rest, ',')
		if more = i >= 0; more {
			tag, rest = rest[:i], rest[i+1:]
		}
		switch role := dogstatsd.RoleOf(tag); {
		case role == dogstatsd.HostTag:
			host, asTheyAre = tag, false
			continue
		case role == dogstatsd.InternalTag:
			asTheyAre = false
			continue
		}
		t := newSortedTag(tag)
		if n := len(r.tags); n > 0 && r.tags[n-1].compare(t) >= 0 {
			asTheyAre = false
		}
		r.tags = append(r.tags, t)
	}
	if asTheyAre { // as clients that sort them send them
		return tags
	}
	sortTags(r.tags)
	begin := len(r.joined)
	joined := append(r.joined, host...)
	if n := len(r.tags); n > 0 && len(r.tags[n-1].text) > 0 { // empty tags alone are none, with a host as without
		for i, tag := range r.tags {
			if i > 0 && tag.compare(r.tags[i-1]) == 0 {
				continue
			}
			if i > 0 || host != nil {
				joined = append(joined, ',')
			}
			joined = append(joined, tag.text...)
		}
	}
	r.joined = joined
	return joined[begin:]
}

// fewTags are sorted by insertion.
const fewTags = 16

func sortTags(tags []sortedTag) {
	if len(tags) > fewTags {
		slices.SortFunc(tags, sortedTag.compare)
		return
	}
	for i := 1; i < len(tags); i++ {
		t, at := tags[i], i
		for ; at > 0 && t.compare(tags[at-1]) < 0; at-- {
			tags[at] = tags[at-1]
		}
		tags[at] = t
	}
}

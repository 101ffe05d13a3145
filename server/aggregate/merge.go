package aggregate

import (
	"math"

	"floodgate/internal/dogstatsd"
)

// Merge returns one cut with what several hold, so that a contextKey which came
// in through several tables leaves as one series per bucket. Counts and sums
// add up, sets are united, sketches joined; of a gauge that several tables have
// in one bucket the value of the last of them stands, because their order is
// not known. The given cuts are released. A single cut is returned as it is.
func Merge(cuts ...*Cut) *Cut {
	if len(cuts) == 1 {
		return cuts[0]
	}
	m := merger{ring: newKeyring(newSeeds(), math.MaxInt32/4), buckets: map[int64]*bucket{}}
	merged := &Cut{}
	for _, cut := range cuts {
		merged.interval, merged.summary = cut.interval, cut.summary
		merged.Events = append(merged.Events, cut.Events...)
		merged.Checks = append(merged.Checks, cut.Checks...)
		for _, b := range cut.buckets {
			into := m.buckets[b.start]
			if into == nil {
				into = &bucket{start: b.start}
				m.buckets[b.start] = into
				merged.buckets = append(merged.buckets, into)
			}
			m.add(into, b)
		}
		cut.Release()
	}
	for _, b := range merged.buckets {
		b.view = m.ring.view()
	}
	return merged
}

type merger struct {
	ring    *keyring
	buckets map[int64]*bucket // by start
}

// key finds or adds a contextKey. There is room for 4 GiB of text; to merge
// what has no room into some other contextKey would be worse than to stop.
func (m *merger) key(name []byte, kind dogstatsd.Kind, tags []byte) uint32 {
	id, ok := m.ring.keyOf(m.ring.keyHash(name, kind, tags), name, kind, tags)
	if !ok {
		panic("aggregate: no room to merge cuts")
	}
	return id
}

// add merges the cells and points of one bucket into another of the same time.
func (m *merger) add(into, from *bucket) {
	from.eachCell(func(c *cell, name, tags []byte, kind dogstatsd.Kind) error {
		id := m.key(name, kind, tags)
		to := into.use(id)
		to.messages += c.messages - 1 // one was counted by use
		switch kind {
		case dogstatsd.Counter:
			to.value += c.value
		case dogstatsd.Gauge:
			to.value = c.value
		case dogstatsd.Set:
			set := into.set(to)
			for member := range from.sets[c.ref-1] {
				set[member] = struct{}{}
			}
		default:
			into.sketch(to).merge(&from.sketches[c.ref-1])
		}
		return nil
	})
	for _, p := range from.points {
		name, tags, kind := from.view.key(p.key)
		p.key = m.key(name, kind, tags)
		into.points = append(into.points, p)
	}
}

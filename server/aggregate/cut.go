package aggregate

import (
	"time"

	"floodgate/internal/dogstatsd"
)

// Cut is what a flush works on: closed buckets, and a view of the contextKeys
// they refer to. It shares no state that the table still writes.
type Cut struct {
	buckets  []*bucket
	keys     keyring // a view: chunks and slabs as they were
	interval time.Duration
	spare    chan *bucket
}

// Cut detaches the closed buckets from the table; with final also the open
// one. It takes the same few instructions whatever the number of contextKeys,
// because the keyring only grows and its view is a copy of two slice headers.
func (t *Table) Cut(final bool) *Cut {
	if final {
		t.closeOpen()
	}
	cut := &Cut{buckets: t.closed, interval: t.config.Interval, spare: t.spare}
	cut.keys.slabs, cut.keys.keys, cut.keys.nkeys = t.ring.slabs, t.ring.keys, t.ring.nkeys
	t.closed = nil
	return cut
}

// CutCopy is Cut with a copy of the contextKeys in place of the view: the way
// of servers whose key table is changed in place. It is kept to be measured
// against Cut, which does not have to pay for it.
func (t *Table) CutCopy(final bool) *Cut {
	cut := t.Cut(final)
	slabs, keys := make([]*[slabLen]byte, len(cut.keys.slabs)), make([]*[chunkLen]key, len(cut.keys.keys))
	for i, slab := range cut.keys.slabs {
		slabs[i] = new([slabLen]byte)
		*slabs[i] = *slab
	}
	for i, chunk := range cut.keys.keys {
		keys[i] = new([chunkLen]key)
		*keys[i] = *chunk
	}
	cut.keys.slabs, cut.keys.keys = slabs, keys
	return cut
}

// Empty reports whether there is nothing to flush.
func (c *Cut) Empty() bool { return len(c.buckets) == 0 }

// Type is how the points of a series combine over time.
type Type uint8

// The types of series.
const (
	CountSeries Type = iota + 1 // a sum over the interval
	GaugeSeries                 // a value at its end
)

// Series is one time series with one point, on its way out.
type Series struct {
	Name     []byte // of the contextKey; valid during the visit only
	Suffix   string // ".count", ".max" … for kinds with several series
	Type     Type
	Tags     []byte // sorted, joined by ','; valid during the visit only
	Time     int64  // start of the bucket, Unix seconds
	Interval time.Duration
	Value    float64
	// Messages that this series stands for. Of the several series of one
	// contextKey the first carries them all, so that they can be summed.
	Messages int64
}

// Each calls visit for every series of the cut, in the order in which
// contextKeys were first seen, and stops at the first error. The Series is
// reused between visits.
func (c *Cut) Each(visit func(*Series) error) error {
	var s Series
	for _, b := range c.buckets {
		for chunk := range b.cells {
			for i := range b.cells[chunk] {
				cell := &b.cells[chunk][i]
				if cell.messages == 0 {
					continue
				}
				k := c.keys.keyAt(uint32(chunk<<chunkBits | i))
				s = Series{
					Name: c.keys.bytesAt(k.name, int(k.nameLen)), Tags: c.keys.bytesAt(k.tags, int(k.tagsLen)),
					Time: b.start / int64(time.Second), Interval: c.interval, Messages: int64(cell.messages),
				}
				if err := s.emit(b, cell, k.kind, visit); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// emit visits the series of one cell: one for counters, gauges and sets,
// several for the kinds that are summarised.
func (s *Series) emit(b *bucket, c *cell, kind dogstatsd.Kind, visit func(*Series) error) error {
	switch kind {
	case dogstatsd.Counter:
		s.Type, s.Value = CountSeries, c.value
		return visit(s)
	case dogstatsd.Gauge:
		s.Type, s.Value = GaugeSeries, c.value
		return visit(s)
	case dogstatsd.Set:
		s.Type, s.Value = GaugeSeries, float64(len(b.sets[c.ref-1]))
		return visit(s)
	}
	sk := &b.sketches[c.ref-1]
	for _, part := range [...]struct {
		suffix string
		typ    Type
		value  float64
	}{
		{".count", CountSeries, sk.count},
		{".min", GaugeSeries, sk.min},
		{".max", GaugeSeries, sk.max},
		{".avg", GaugeSeries, sk.sum / sk.count},
		{".median", GaugeSeries, sk.quantile(.5)},
		{".95percentile", GaugeSeries, sk.quantile(.95)},
	} {
		s.Suffix, s.Type, s.Value = part.suffix, part.typ, part.value
		if err := visit(s); err != nil {
			return err
		}
		s.Messages = 0
	}
	return nil
}

// Release empties the buckets and gives them back to their table for reuse.
// The cut must not be used afterwards.
func (c *Cut) Release() {
	for _, b := range c.buckets {
		b.reset()
		select {
		case c.spare <- b:
		default: // the table has enough; this one is garbage
		}
	}
	c.buckets = nil
}

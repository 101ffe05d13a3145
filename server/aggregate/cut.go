package aggregate

import (
	"math"
	"time"

	"floodgate/internal/dogstatsd"
)

// Cut is what a flush works on: closed buckets with a view of the contextKeys
// they refer to, and the events and service checks since the last cut. It
// shares no state that the table still writes.
type Cut struct {
	Events []Event
	Checks []ServiceCheck

	buckets  []*bucket
	interval time.Duration
	summary  *summary
	spare    chan *bucket
}

// Cut detaches the closed buckets from the table; with final also the open
// one. It takes the same few instructions whatever the number of contextKeys,
// because a keyring only grows and a view of it is a copy of two slice headers.
func (t *Table) Cut(final bool) *Cut {
	if final {
		t.closeOpen()
	}
	cut := &Cut{Events: t.events, Checks: t.checks, buckets: t.closed, interval: t.config.Interval, summary: t.summary, spare: t.spare}
	t.closed, t.events, t.checks = nil, nil, nil
	return cut
}

// CutCopy is Cut with a copy of the contextKeys in place of the view: the way
// of servers whose key table is changed in place. It is kept to be measured
// against Cut, which does not have to pay for it.
func (t *Table) CutCopy(final bool) *Cut {
	cut := t.Cut(final)
	for _, b := range cut.buckets {
		b.view = b.view.copy()
	}
	return cut
}

// Empty reports whether there is nothing to flush.
func (c *Cut) Empty() bool { return len(c.buckets) == 0 && len(c.Events) == 0 && len(c.Checks) == 0 }

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
	Host     []byte // as a tag names it; nil where none does, empty where it says none; valid during the visit only
	Tags     []byte // the others, sorted, joined by ','; valid during the visit only
	Time     int64  // Unix seconds: start of the bucket, or the message's own timestamp
	Interval time.Duration
	Value    float64
	// Messages that this series stands for. Of the several series of one
	// contextKey the first carries them all, so that they can be summed.
	Messages int64
}

// Each calls visit for every series of the cut (of distributions see
// EachSketch), bucket by bucket in the order in which contextKeys were first
// seen, and stops at the first error. The Series is reused between visits.
func (c *Cut) Each(visit func(*Series) error) error {
	for _, b := range c.buckets {
		s := Series{Interval: c.interval}
		if err := b.eachCell(func(cell *cell, name, tags []byte, kind dogstatsd.Kind) error {
			if kind == dogstatsd.Distribution {
				return nil
			}
			s.Name, s.Suffix, s.Time, s.Messages = name, "", b.start/int64(time.Second), int64(cell.messages)
			s.Host, s.Tags = dogstatsd.CutHost(tags)
			return s.emit(b, cell, kind, c.summary, visit)
		}); err != nil {
			return err
		}
		for _, p := range b.points {
			name, tags, kind := b.view.key(p.key)
			s.Name, s.Suffix, s.Time, s.Messages = name, "", p.time, 1
			s.Host, s.Tags = dogstatsd.CutHost(tags)
			s.Type, s.Value = typeOf(kind), p.value
			if err := visit(&s); err != nil {
				return err
			}
		}
	}
	return nil
}

func typeOf(kind dogstatsd.Kind) Type {
	if kind == dogstatsd.Counter {
		return CountSeries
	}
	return GaugeSeries
}

// eachCell visits every cell that was used.
func (b *bucket) eachCell(visit func(c *cell, name, tags []byte, kind dogstatsd.Kind) error) error {
	for chunk, cells := range b.cells {
		for i := range cells {
			if cells[i].messages == 0 {
				continue
			}
			name, tags, kind := b.view.key(uint32(chunk<<chunkBits | i))
			if err := visit(&cells[i], name, tags, kind); err != nil {
				return err
			}
		}
	}
	return nil
}

// emit visits the series of one cell: one for counters, gauges and sets,
// several for the kinds that are summarised.
func (s *Series) emit(b *bucket, c *cell, kind dogstatsd.Kind, sum *summary, visit func(*Series) error) error {
	switch kind {
	case dogstatsd.Counter, dogstatsd.Gauge:
		s.Type, s.Value = typeOf(kind), c.value
		return visit(s)
	case dogstatsd.Set:
		s.Type, s.Value = GaugeSeries, float64(len(b.sets[c.ref-1]))
		return visit(s)
	}
	sk := &b.sketches[c.ref-1]
	part := func(suffix string, typ Type, value float64) error {
		s.Suffix, s.Type, s.Value = suffix, typ, value
		err := visit(s)
		s.Messages = 0
		return err
	}
	err := part(".count", CountSeries, sk.count)
	for _, p := range [...]struct {
		suffix string
		value  float64
	}{{".min", sk.min}, {".max", sk.max}, {".avg", sk.sum / sk.count}, {".median", sk.quantile(.5)}} {
		if err == nil {
			err = part(p.suffix, GaugeSeries, p.value)
		}
	}
	for i := range sum.quantiles {
		if err == nil {
			err = part(sum.suffixes[i], GaugeSeries, sk.quantile(sum.quantiles[i]))
		}
	}
	return err
}

// Sketch is the distribution of one contextKey in one bucket, on its way out.
// Keys and Counts are the bins of the Datadog agent's sketch.
type Sketch struct {
	Name, Host, Tags   []byte // as in Series; valid during the visit only
	Time               int64  // Unix seconds: start of the bucket
	Count              float64
	Sum, Min, Max, Avg float64
	Keys               []int32  // ascending; valid during the visit only
	Counts             []uint32 // of each key, rounded; valid during the visit only
	Messages           int64
}

// EachSketch calls visit for every distribution of the cut and stops at the
// first error. The Sketch is reused between visits.
func (c *Cut) EachSketch(visit func(*Sketch) error) error {
	var s Sketch
	for _, b := range c.buckets {
		if err := b.eachCell(func(cell *cell, name, tags []byte, kind dogstatsd.Kind) error {
			if kind != dogstatsd.Distribution {
				return nil
			}
			sk := &b.sketches[cell.ref-1]
			s.Name, s.Time, s.Messages = name, b.start/int64(time.Second), int64(cell.messages)
			s.Host, s.Tags = dogstatsd.CutHost(tags)
			s.Count, s.Sum, s.Min, s.Max, s.Avg = sk.count, sk.sum, sk.min, sk.max, sk.sum/sk.count
			s.Keys, s.Counts = s.Keys[:0], s.Counts[:0]
			for i, n := range sk.bins {
				if n > 0 {
					s.Keys = append(s.Keys, int32(sk.low+i))
					s.Counts = append(s.Counts, uint32(math.Round(float64(n))))
				}
			}
			return visit(&s)
		}); err != nil {
			return err
		}
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
	c.buckets, c.Events, c.Checks = nil, nil, nil
}

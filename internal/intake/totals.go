package intake

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"floodgate/internal/payload"
)

// Totals folds series into totals per contextKey and type, and sketches into
// totals per contextKey; it counts events and service checks. The zero value is
// ready. It costs at most 128 bytes per contextKey and type, and the key's own
// length. It is for one goroutine at a time.
type Totals struct {
	// First and Last are when the first and the last of all that is folded in
	// arrived; zero before.
	First, Last time.Time
	// Events and Checks are how many there were.
	Events, Checks int64

	types           [payload.Gauge + 1]typeTotals
	sketches        sketchTotals
	withoutInterval int64 // points of rates that could not be turned back
	keys            textArena
	free            []Total // of the chunk at hand
	scratch         []byte
	sorted          []string
}

// Total is what arrived for one contextKey with one type. The values of rates
// count as what they were made from: the rate times the interval of the series.
// (For an interval of 10 s and whole counts that product is exact; for others it
// can be off by its last bit.)
type Total struct {
	Points        int64
	Sum           float64
	Min, Max      float64
	Last          float64 // with the highest timestamp; of two, the one that came last
	LastTimestamp int64   // Unix seconds
}

// TypeTotal is what arrived with one type, over all contextKeys.
type TypeTotal struct {
	Keys   int // different contextKeys
	Series int64
	Points int64
	Sum    float64
}

type typeTotals struct {
	keys  map[string]*Total
	total TypeTotal
}

// Key is the text of a contextKey: the metric and the sorted tags, as
// metric|tag1,tag2. Tags that stand twice are kept twice. The type and the host
// are not part of it. tags is left as it is.
func Key(metric string, tags []string) string {
	key, _ := appendKey(nil, metric, tags, nil)
	return string(key)
}

// appendKey appends the key to dst; room is for a sorted copy of tags, where
// they are not sorted yet, and comes back for the next call.
func appendKey(dst []byte, metric string, tags, room []string) (key []byte, again []string) {
	if !slices.IsSorted(tags) {
		room = append(room[:0], tags...)
		slices.Sort(room)
		tags = room
	}
	dst = append(dst, metric...)
	dst = append(dst, '|')
	for i, tag := range tags {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, tag...)
	}
	return dst, room
}

// Add folds in a series that arrived at the time at. It keeps no part of s. It
// allocates only for a contextKey that is new.
func (t *Totals) Add(at time.Time, s *payload.Series) {
	t.arrived(at)
	typ := s.Type
	if int(typ) >= len(t.types) {
		typ = payload.Unspecified // the decoder lets none through
	}
	of := &t.types[typ]
	total := t.find(of, s)
	scale := 1.0
	if typ == payload.Rate {
		if s.Interval > 0 {
			scale = float64(s.Interval)
		} else {
			t.withoutInterval += int64(len(s.Points))
		}
	}
	of.total.Series++
	of.total.Points += int64(len(s.Points))
	for _, p := range s.Points {
		value := p.Value * scale
		of.total.Sum += value
		total.add(p.Timestamp, value)
	}
}

func (t *Totals) arrived(at time.Time) {
	if t.First.IsZero() || at.Before(t.First) {
		t.First = at
	}
	if at.After(t.Last) {
		t.Last = at
	}
}

func (t *Total) add(timestamp int64, value float64) {
	if t.Points == 0 {
		t.Min, t.Max, t.LastTimestamp = value, value, timestamp
	}
	t.Points++
	t.Sum += value
	t.Min, t.Max = min(t.Min, value), max(t.Max, value)
	if timestamp >= t.LastTimestamp {
		t.Last, t.LastTimestamp = value, timestamp
	}
}

// find returns the total of s, a new one where there is none yet.
func (t *Totals) find(of *typeTotals, s *payload.Series) *Total {
	t.scratch, t.sorted = appendKey(t.scratch[:0], s.Metric, s.Tags, t.sorted)
	if total, known := of.keys[string(t.scratch)]; known {
		return total
	}
	if of.keys == nil {
		of.keys = make(map[string]*Total)
	}
	if len(t.free) == 0 {
		t.free = make([]Total, 256)
	}
	total := &t.free[0]
	t.free = t.free[1:]
	of.keys[t.keys.keep(t.scratch)] = total
	of.total.Keys++
	return total
}

// Get returns the total of a contextKey with one type, and whether anything
// arrived for it. key is as Key makes it.
func (t *Totals) Get(typ payload.Type, key string) (Total, bool) {
	if int(typ) >= len(t.types) {
		return Total{}, false
	}
	total, found := t.types[typ].keys[key]
	if !found {
		return Total{}, false
	}
	return *total, true
}

// All yields the key and the total of every contextKey with one type, in no
// particular order.
func (t *Totals) All(typ payload.Type) iter.Seq2[string, Total] {
	return func(yield func(string, Total) bool) {
		if int(typ) >= len(t.types) {
			return
		}
		for key, total := range t.types[typ].keys {
			if !yield(key, *total) {
				return
			}
		}
	}
}

// OfType returns what arrived with one type.
func (t *Totals) OfType(typ payload.Type) TypeTotal {
	if int(typ) >= len(t.types) {
		return TypeTotal{}
	}
	return t.types[typ].total
}

// Warnings says in words what is doubtful about the totals.
func (t *Totals) Warnings() []string {
	if t.withoutInterval == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%d points of rates had no interval and count as they are", t.withoutInterval)}
}

// textArena keeps texts in chunks: far fewer allocations than one each, and
// less for the garbage collector to walk.
type textArena struct{ chunk strings.Builder }

const chunkBytes = 64 << 10

func (a *textArena) keep(text []byte) string {
	if a.chunk.Cap()-a.chunk.Len() < len(text) {
		a.chunk.Reset() // strings made from it stay as they are
		a.chunk.Grow(max(chunkBytes, len(text)))
	}
	start := a.chunk.Len()
	a.chunk.Write(text)
	return a.chunk.String()[start:]
}

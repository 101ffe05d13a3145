package intake

import (
	"iter"
	"time"

	"floodgate/internal/payload"
)

// SketchTotal is what arrived for one contextKey in sketches.
type SketchTotal struct {
	Points   int64
	Count    int64   // of values, over all points
	Sum      float64 // of values
	Min, Max float64 // of points with values; 0 without one
}

// SketchesTotal is what arrived in sketches, over all contextKeys.
type SketchesTotal struct {
	Keys     int // different contextKeys
	Sketches int64
	Points   int64
	Count    int64
	Sum      float64
}

type sketchTotals struct {
	keys  map[string]*SketchTotal
	free  []SketchTotal // of the chunk at hand
	total SketchesTotal
}

// Visitor folds in everything that DecodeAll yields.
func (t *Totals) Visitor() Visitor {
	return Visitor{
		Series: func(at time.Time, s *payload.Series) error { t.Add(at, s); return nil },
		Sketch: func(at time.Time, s *payload.Sketch) error { t.AddSketch(at, s); return nil },
		Event:  func(at time.Time, _ *payload.Event) error { t.arrived(at); t.Events++; return nil },
		Check:  func(at time.Time, _ *payload.ServiceCheck) error { t.arrived(at); t.Checks++; return nil },
	}
}

// AddSketch folds in a sketch that arrived at the time at. It keeps no part of
// s, and allocates only for a contextKey that is new.
func (t *Totals) AddSketch(at time.Time, s *payload.Sketch) {
	t.arrived(at)
	total, of := t.findSketch(s), &t.sketches.total
	of.Sketches++
	of.Points += int64(len(s.Points))
	for i := range s.Points {
		p := &s.Points[i]
		total.Points++
		if p.Count == 0 {
			continue // it has no minimum or sum, whatever it says
		}
		of.Count += p.Count
		of.Sum += p.Sum
		total.add(p)
	}
}

func (t *SketchTotal) add(p *payload.SketchPoint) {
	if t.Count == 0 {
		t.Min, t.Max = p.Min, p.Max
	}
	t.Count += p.Count
	t.Sum += p.Sum
	t.Min, t.Max = min(t.Min, p.Min), max(t.Max, p.Max)
}

func (t *Totals) findSketch(s *payload.Sketch) *SketchTotal {
	of := &t.sketches
	t.scratch, t.sorted = appendKey(t.scratch[:0], s.Metric, s.Tags, t.sorted)
	if total, known := of.keys[string(t.scratch)]; known {
		return total
	}
	if of.keys == nil {
		of.keys = make(map[string]*SketchTotal)
	}
	if len(of.free) == 0 {
		of.free = make([]SketchTotal, 256)
	}
	total := &of.free[0]
	of.free = of.free[1:]
	of.keys[t.keys.keep(t.scratch)] = total
	of.total.Keys++
	return total
}

// GetSketch returns what arrived for a contextKey in sketches, and whether
// anything did. key is as Key makes it.
func (t *Totals) GetSketch(key string) (SketchTotal, bool) {
	total, found := t.sketches.keys[key]
	if !found {
		return SketchTotal{}, false
	}
	return *total, true
}

// AllSketches yields the key and the total of every contextKey with sketches,
// in no particular order.
func (t *Totals) AllSketches() iter.Seq2[string, SketchTotal] {
	return func(yield func(string, SketchTotal) bool) {
		for key, total := range t.sketches.keys {
			if !yield(key, *total) {
				return
			}
		}
	}
}

// Sketches returns what arrived in sketches, over all contextKeys.
func (t *Totals) Sketches() SketchesTotal { return t.sketches.total }

package loadgen

import (
	"fmt"
	"time"
)

// Weave plays one half of two that share the time: the messages of Schedule, in
// slices of length Slice, with gaps as long in which the other half plays. The
// halves of one Seed never overlap. Which of the two comes first is drawn for
// every second pair of slices and turned around for the next, ABBA or BAAB, so
// that a steady drift of the machine weighs on both alike and no rhythm of a
// target can fall in with that of the slices.
type Weave struct {
	Schedule
	Slice time.Duration
	Half  int // 0 or 1
	Seed  uint64
}

// Validate names what is wrong.
func (w Weave) Validate() error {
	if w.Slice <= 0 || w.Half != 0 && w.Half != 1 {
		return fmt.Errorf("cannot weave half %d in slices of %v: want half 0 or 1 and a slice longer than 0", w.Half, w.Slice)
	}
	return nil
}

// begin is when the slice of this half within a pair of slices starts.
func (w Weave) begin(pair int64) time.Duration {
	at := time.Duration(2*pair) * w.Slice
	turned := int64(mix(w.Seed, uint64(pair/2)) & 1)
	if (turned^pair^int64(w.Half))&1 == 1 {
		at += w.Slice
	}
	return at
}

// Due is when message i is due, gaps included.
func (w Weave) Due(i int64) time.Duration {
	own := w.Schedule.Due(i)
	return w.begin(int64(own/w.Slice)) + own%w.Slice
}

// DueBy is the inverse of Due.
func (w Weave) DueBy(elapsed time.Duration) int64 {
	if elapsed < 0 {
		return 0
	}
	pair := int64(elapsed / (2 * w.Slice))
	played := min(max(-1, elapsed-w.begin(pair)), w.Slice-1) // of this pair's slice; -1: nothing
	return w.Schedule.DueBy(time.Duration(pair)*w.Slice + played)
}

// End is the length of both halves together.
func (w Weave) End() time.Duration {
	pairs := int64((w.Schedule.End() + w.Slice - 1) / w.Slice)
	return time.Duration(2*pairs) * w.Slice
}

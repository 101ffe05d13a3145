package loadgen

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// The order of a seed, written out: each block of four slices is ABBA or BAAB.
func TestWeaveOrder(t *testing.T) {
	order := func(seed uint64) string {
		text := ""
		a := Weave{Schedule: Burst{Count: 8, Over: 8}, Slice: 1, Seed: seed}
		for pair := range int64(8) {
			if a.begin(pair) == time.Duration(2*pair) {
				text += "AB"
			} else {
				text += "BA"
			}
			if pair%2 == 1 {
				text += " "
			}
		}
		return text
	}
	if got := order(1); got != "BAAB BAAB ABBA BAAB " {
		t.Errorf("seed 1 is played %s", got)
	}
	if order(1) == order(2) {
		t.Error("two seeds have the same order")
	}
}

// For random schedules: nothing is lost or moved within its slice, the halves
// keep out of each other's way, and DueBy is the inverse of Due.
func TestWeave(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		inner := Burst{Count: 1 + random.Int64N(200), Over: time.Duration(1 + random.Int64N(5000))}
		slice, seed := time.Duration(1+random.Int64N(700)), random.Uint64()
		name := fmt.Sprintf("%+v in slices of %d, seed %d", inner, slice, seed)
		played := map[time.Duration]int{} // which half has which slice
		for half := range 2 {
			w := Weave{Schedule: inner, Slice: slice, Half: half, Seed: seed}
			if err := w.Validate(); err != nil {
				t.Fatal(err)
			}
			if w.Total() != inner.Total() || w.End() < 2*inner.End() || w.End() >= 2*(inner.End()+slice) {
				t.Fatalf("%s: %d messages in %d, want %d in about %d", name, w.Total(), w.End(), inner.Total(), 2*inner.End())
			}
			for i := range w.Total() {
				due, own := w.Due(i), inner.Due(i)
				if due%slice != own%slice || due < own || due >= w.End() || i > 0 && due < w.Due(i-1) {
					t.Fatalf("%s: half %d has message %d at %d, alone at %d", name, half, i, due, own)
				}
				if n := w.DueBy(due); n <= i {
					t.Fatalf("%s: half %d: message %d is due at %d, and DueBy says %d", name, half, i, due, n)
				}
				if n := w.DueBy(due - 1); n > i {
					t.Fatalf("%s: half %d: message %d is due at %d, and DueBy says %d just before", name, half, i, due, n)
				}
				if other, taken := played[due/slice]; taken && other != half {
					t.Fatalf("%s: both halves play in slice %d", name, due/slice)
				}
				played[due/slice] = half
			}
			if w.DueBy(-1) != 0 || w.DueBy(w.End()) != w.Total() {
				t.Fatalf("%s: half %d is not empty before its start or not complete at its end", name, half)
			}
		}
	}
}

func TestWeaveRefuses(t *testing.T) {
	for _, w := range []Weave{{Slice: 0}, {Slice: -1}, {Slice: 1, Half: 2}, {Slice: 1, Half: -1}} {
		if w.Validate() == nil {
			t.Errorf("%+v is accepted", w)
		}
	}
}

package server

import "testing"

// The share is exact up to the last spin, whatever the machine does, because
// both sides are CPU time of this process.
func TestBallastBurnsItsShare(t *testing.T) {
	b := ballast{percent: 25}
	b.burn()
	sum := 0
	for processTime()-b.begun < 100_000_000 {
		for i := range 100_000 {
			sum += i
		}
		b.burn()
	}
	other := processTime() - b.begun - b.burnt
	if share := 100 * float64(b.burnt) / float64(other); share < 24 || share > 26 {
		t.Errorf("burnt %.1f %% of %v, want 25 (%d)", share, other, sum)
	}
	none := ballast{}
	none.burn()
	if none.burnt != 0 {
		t.Error("a server without ballast burns CPU time")
	}
}

package regress

import (
	"math"
	"testing"
)

// The fifteen p-values of the example in Benjamini and Hochberg (1995). At 0.05
// Holm rejects the first three, their own procedure the first four.
var heart = []float64{0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1}

func TestFamilyPublished(t *testing.T) {
	for name, c := range map[string]struct {
		adjust func([]float64) []float64
		want   int
	}{"Holm": {Holm, 3}, "Benjamini–Hochberg": {BenjaminiHochberg, 4}} {
		rejected := 0
		for _, p := range c.adjust(heart) {
			if p <= 0.05 {
				rejected++
			}
		}
		if rejected != c.want {
			t.Errorf("%s rejects %d, want %d", name, rejected, c.want)
		}
	}
}

// TestFamily compares with R's p.adjust and keeps order, ties and edges.
func TestFamily(t *testing.T) {
	for _, c := range []struct {
		name          string
		p, holm, benj []float64
	}{
		{"unsorted", []float64{0.01, 0.04, 0.03, 0.005}, []float64{0.03, 0.06, 0.06, 0.02}, []float64{0.02, 0.04, 0.04, 0.02}},
		{"ties", []float64{0.02, 0.02, 0.5}, []float64{0.06, 0.06, 0.5}, []float64{0.03, 0.03, 0.5}},
		{"capped at 1", []float64{0.9, 0.8, 1}, []float64{1, 1, 1}, []float64{1, 1, 1}},
		{"alone, nothing to adjust", []float64{0.05}, []float64{0.05}, []float64{0.05}},
		{"none", nil, nil, nil},
	} {
		for i := range c.p {
			if got := Holm(c.p)[i]; math.Abs(got-c.holm[i]) > 1e-12 {
				t.Errorf("%s: Holm of p[%d] is %v, want %v", c.name, i, got, c.holm[i])
			}
			if got := BenjaminiHochberg(c.p)[i]; math.Abs(got-c.benj[i]) > 1e-12 {
				t.Errorf("%s: Benjamini–Hochberg of p[%d] is %v, want %v", c.name, i, got, c.benj[i])
			}
		}
	}
	if len(Holm(nil)) != 0 || len(BenjaminiHochberg(nil)) != 0 {
		t.Error("no tests have adjusted values")
	}
}

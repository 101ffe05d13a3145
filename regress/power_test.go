package regress

import (
	"fmt"
	"math"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"

	"floodgate/internal/documented"
	"floodgate/scenarios"
)

// powerTable holds the pairs that exclude a change of the tolerance with 90 %
// power when there is none, on one side, and those that do so on both.
var powerTable = []struct {
	spread float64
	pairs  map[float64]int // by tolerance
	settle map[float64]int
}{
	{0.02, map[float64]int{0.02: 11, 0.05: 4, 0.10: 3}, map[float64]int{0.02: 13, 0.05: 4, 0.10: 3}},
	{0.04, map[float64]int{0.02: 37, 0.05: 8, 0.10: 4}, map[float64]int{0.02: 46, 0.05: 9, 0.10: 4}},
	{0.08, map[float64]int{0.02: 142, 0.05: 25, 0.10: 8}, map[float64]int{0.02: 178, 0.05: 31, 0.10: 10}},
	{0.15, map[float64]int{0.02: 493, 0.05: 83, 0.10: 23}, map[float64]int{0.02: 623, 0.05: 104, 0.10: 29}},
}

// TestDocumentedTables: the tables that people plan by are those of the code.
func TestDocumentedTables(t *testing.T) {
	page := documented.Open(t, statistics)
	for _, row := range powerTable {
		pairs, changes := fmt.Sprintf("| %.0f %% |", 100*row.spread), fmt.Sprintf("| %.0f %% |", 100*row.spread)
		for _, tolerance := range []float64{0.02, 0.05, 0.10} {
			pairs += fmt.Sprintf(" %d (%d) |", row.pairs[tolerance], row.settle[tolerance])
		}
		for _, n := range []int{3, 6, 10, 20} {
			changes += fmt.Sprintf(" %.1f %% |", 100*MinimumDetectable(n, row.spread, 0.9))
		}
		t.Log(pairs)
		t.Log(changes)
		page.Says(t, pairs)
		page.Says(t, changes)
	}
}

// TestDocumentedFigures: so are the figures in its sentences that need no
// simulation.
func TestDocumentedFigures(t *testing.T) {
	page := documented.Open(t, statistics)
	student := distuv.StudentsT{Sigma: 1, Nu: 2}.Quantile(0.95)
	law := distuv.ChiSquared{K: 5} // six pairs, an interval of 90 %
	nine := scenarios.Share{K: 9, N: 10}
	low, high := math.Sqrt(5/law.Quantile(0.95)), math.Sqrt(5/law.Quantile(0.05))
	for _, sentence := range []string{
		fmt.Sprintf("a normal approximation takes %.2f for the critical value of 3 pairs, where it is %.2f", distuv.UnitNormal.Quantile(0.95), student),
		fmt.Sprintf("from 6 pairs, by a factor of about %.1f to %.0f", low, high),
		fmt.Sprintf("exists from %d pairs on (%d at 95 %%)", leastRobust(0.90), leastRobust(0.95)),
		fmt.Sprintf("from %d replicates of each side on; the normal limit where there are more than %d differences", leastRobustApart(0.90), mostExactRanks),
		fmt.Sprintf("beyond %d pairs %d,000 drawn ones", signFlipExact, signFlipDraws/1000),
		fmt.Sprintf("The search ends at %d pairs", MaxPairs),
		fmt.Sprintf("(whole blocks, at least %d pairs)", leastPairs),
		fmt.Sprintf("(from %.2f %% to +5 %%)", 100*math.Expm1(-math.Log1p(0.05))),
		fmt.Sprintf("whose q is at most %.0f %%", 100*FalseShare),
		fmt.Sprintf("`9 of 10` asks for %d of 6 and %d of 20", nine.Of(6), nine.Of(20)),
	} {
		t.Log(sentence)
		page.Says(t, sentence)
	}
}

func TestPairsNeeded(t *testing.T) {
	for _, row := range powerTable {
		for tolerance, want := range row.pairs {
			got := PairsNeeded(row.spread, tolerance, 0.9, TargetPower)
			if got != want {
				t.Errorf("spread %v, tolerance %v: %d pairs, want %d", row.spread, tolerance, got, want)
			}
			if settle := pairsToSettle(row.spread, Options{Confidence: 0.9, Tolerance: tolerance}); settle != row.settle[tolerance] {
				t.Errorf("spread %v, tolerance %v: %d pairs settle it, want %d", row.spread, tolerance, settle, row.settle[tolerance])
			}
			// The definition, from both sides: enough now, not enough with one less.
			change := math.Log1p(tolerance)
			if Power(got, row.spread, change, 0.9) < TargetPower || Power(got-1, row.spread, change, 0.9) >= TargetPower {
				t.Errorf("spread %v, tolerance %v: %d pairs are not the smallest number", row.spread, tolerance, got)
			}
			// The same question asked the other way round has the same answer.
			if MinimumDetectable(got, row.spread, 0.9) > tolerance || MinimumDetectable(got-1, row.spread, 0.9) <= tolerance {
				t.Errorf("spread %v, tolerance %v: the detectable change contradicts the pairs", row.spread, tolerance)
			}
		}
	}
}

// TestPowerPublished compares with R's power.t.test(type = "one.sample") and
// with the tables that it reproduces.
func TestPowerPublished(t *testing.T) {
	for _, c := range []struct {
		pairs      int
		effect     float64 // in standard deviations
		confidence float64 // of the two-sided interval
		want       float64
	}{
		{20, 0.5, 0.95, 0.5645},
		{34, 0.5, 0.95, 0.8078},
		{27, 0.5, 0.90, 0.8118},
	} {
		if got := Power(c.pairs, 1, c.effect, c.confidence); math.Abs(got-c.want) > 1e-3 {
			t.Errorf("%d pairs, effect %v: power %.4f, want %.4f", c.pairs, c.effect, got, c.want)
		}
	}
}

// TestPowerByIntegration compares with the definition, integrated over the
// spread that the sample may happen to show.
func TestPowerByIntegration(t *testing.T) {
	for _, pairs := range []int{2, 3, 5, 10, 30, 200} {
		for _, shift := range []float64{0, 0.5, 2, 3.5, 8} {
			for _, confidence := range []float64{0.8, 0.9, 0.95, 0.99} {
				want := integratedPower(pairs, shift, confidence)
				if got := powerAtShift(pairs, shift, confidence); math.Abs(got-want) > 1e-6 {
					t.Errorf("%d pairs, shift %v, confidence %v: power %v, want %v", pairs, shift, confidence, got, want)
				}
			}
		}
	}
}

// integratedPower is the integral over u = s/σ, whose square times ν is
// chi-squared, of P(Z > critical·u - shift), by Simpson's rule.
func integratedPower(pairs int, shift, confidence float64) float64 {
	nu := float64(pairs - 1)
	critical := distuv.StudentsT{Sigma: 1, Nu: nu}.Quantile((1 + confidence) / 2)
	gamma, _ := math.Lgamma(nu / 2)
	density := func(u float64) float64 {
		if u == 0 {
			u = 1e-300
		}
		log := math.Ln2 + nu/2*math.Log(nu/2) - gamma + (nu-1)*math.Log(u) - nu*u*u/2
		return math.Exp(log) * distuv.UnitNormal.CDF(shift-critical*u)
	}
	const steps, end = 8_000, 8.0
	h := end / steps
	sum := density(0) + density(end)
	for i := 1; i < steps; i++ {
		sum += density(float64(i)*h) * float64(2+2*(i%2))
	}
	return sum * h / 3
}

// TestPowerAtTheEdges: each search ends, and what is unknown is 0.
func TestPowerAtTheEdges(t *testing.T) {
	for _, c := range []struct {
		name string
		got  float64
		want float64
	}{
		{"power of one pair", Power(1, 0.04, 0.05, 0.9), 0},
		{"power without spread", Power(3, 0, 0.05, 0.9), 1},
		{"power without spread or change", Power(3, 0, 0, 0.9), 0},
		{"one pair detects nothing known", MinimumDetectable(1, 0.04, 0.9), 0},
		{"no spread, any change is found", MinimumDetectable(6, 0, 0.9), 0},
		{"a spread past all numbers", MinimumDetectable(2, 1e6, 0.9), 0},
		{"pairs for a spread past all patience", float64(PairsNeeded(3, 0.05, 0.9, TargetPower)), 0},
		{"pairs for no tolerance", float64(PairsNeeded(0.04, 0, 0.9, TargetPower)), 0},
		{"pairs without spread", float64(PairsNeeded(0, 0.05, 0.9, TargetPower)), 2},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v, want %v", c.name, c.got, c.want)
		}
	}
}

// TestPowerIsMonotonic: the binary search for pairs relies on it.
func TestPowerIsMonotonic(t *testing.T) {
	for _, spread := range []float64{0.02, 0.15, 0.6} {
		last := 0.0
		for pairs := 2; pairs <= 120; pairs++ {
			p := Power(pairs, spread, math.Log1p(0.05), 0.9)
			if p < last-1e-9 {
				t.Fatalf("spread %v: power falls from %v to %v at %d pairs", spread, last, p, pairs)
			}
			last = p
		}
	}
}

// TestDetectionPower: the marks, found by simulation with other numbers, are as
// many as was promised. Power alone would promise too many: .80 in the first row.
func TestDetectionPower(t *testing.T) {
	detect, prove := DefaultOptions(), DefaultOptions()
	prove.Rule = Prove
	for _, c := range []struct {
		why            string
		pairs          int
		spread, change float64
		o              Options
		want           float64 // of 200,000 simulated runs
	}{
		{"the robust interval has to agree", 6, 0.08, 0.10, detect, 0.754},
		{"nearly always", 6, 0.04, 0.10, detect, 0.997},
		{"the estimate has to reach the tolerance", 10, 0.06, 0.08, detect, 0.926},
		{"proving takes more", 10, 0.04, 0.10, prove, 0.960},
		{"no change is seldom marked", 10, 0.15, 0, detect, 0.038},
		{"one pair shows nothing", 1, 0.01, 0.10, detect, 0},
		{"no pairs", 0, 0.01, 0.10, detect, 0},
		{"few pairs that agree hide their spread", 3, 0, 0.10, detect, 0},
		{"enough of them do not", 5, 0, 0.10, detect, 1},
	} {
		if got := DetectionPower(c.pairs, c.spread, c.change, c.o); math.Abs(got-c.want) > atMost(c.want, detectionDraws)-c.want+0.002 {
			t.Errorf("%s: %.3f, want %.3f", c.why, got, c.want)
		}
	}
}

func ExamplePairsNeeded() {
	// CPU per message, measured woven and in blocks on the same machine.
	for _, spread := range []float64{0.0195, 0.136} {
		fmt.Printf("spread %.2f %%: 10 pairs find changes from %.1f %% on; %d pairs exclude one of 5 %%\n",
			100*spread, 100*MinimumDetectable(10, spread, 0.90), PairsNeeded(spread, 0.05, 0.90, TargetPower))
	}
	// Output:
	// spread 1.95 %: 10 pairs find changes from 2.0 % on; 4 pairs exclude one of 5 %
	// spread 13.60 %: 10 pairs find changes from 14.6 % on; 68 pairs exclude one of 5 %
}

package calibration

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"floodgate/internal/record"
	"floodgate/regress"
	"floodgate/scenarios"
)

func mustFind(t *testing.T, name string) scenarios.Scenario {
	t.Helper()
	s, err := scenarios.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	s.Slice = 50 * time.Millisecond // whatever the file says: the tables below are of this one
	return s
}

// pairsOf makes the records of one arm from its log ratios. Each replicate took
// three seconds.
func pairsOf(arm Arm, ratios []float64) []*record.Record {
	var records []*record.Record
	for i, d := range ratios {
		for k, role := range []string{record.Baseline, record.Candidate} {
			first := []string{record.Baseline, record.Candidate}[(i+i/2)%2]
			records = append(records, &record.Record{
				Schema: record.Schema, Scenario: arm.Copy.Name, Replicate: i, Variant: record.Variant{Role: role, Spec: "refserver"},
				Order:    record.Order{Kind: string(arm.Copy.Order), First: first, Position: 2*i + k},
				Started:  time.Unix(1000+int64(i), 0),
				Phases:   []record.Phase{{Name: record.PhaseStarting, Duration: 1}, {Name: record.PhaseStopping, Start: 1, Duration: 2}},
				Measures: []record.Measure{{Name: arm.Copy.Goal.Name, Value: 1e-6 * math.Exp(float64(k)*d)}},
			})
		}
	}
	return records
}

// normal draws n log ratios around a relative change.
func normal(rng *rand.Rand, n int, change, spread float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = math.Log1p(change) + spread*rng.NormFloat64()
	}
	return out
}

func close(got, want, relative float64) bool { return math.Abs(got-want) <= relative*math.Abs(want) }

// TestOf holds a calibration against figures worked out by hand: two log ratios
// of ±d have the spread d·√2.
func TestOf(t *testing.T) {
	s := mustFind(t, "packed_steady_cpu")
	arms, err := Arms(s, true, []time.Duration{50 * time.Millisecond}, []float64{2})
	if err != nil {
		t.Fatal(err)
	}
	exact := func(centre, spread float64) []float64 { // ten values, spread as asked
		d := spread * 3 / math.Sqrt(10)
		var out []float64
		for range 5 {
			out = append(out, centre-d, centre+d)
		}
		return out
	}
	var records []*record.Record
	for _, x := range []struct {
		arm            int
		centre, spread float64
	}{{0, 0, 0.14}, {1, 0, 0.02}, {2, math.Log1p(0.02), 0.14}, {3, math.Log1p(0.08), 0.02}} {
		records = append(records, pairsOf(arms[x.arm], exact(x.centre, x.spread))...)
	}
	c := Of(Input{Scenario: s, Arms: arms, Pairs: 10, Records: records, Options: regress.DefaultOptions()})
	if len(c.Rows) != 4 || c.Missing != 0 || c.Baseline != "refserver" || !c.Began.Equal(time.Unix(1000, 0)) {
		t.Fatalf("%+v", c)
	}
	for i, want := range []struct {
		order    string
		planted  float64
		spread   float64
		estimate float64
		holds    bool
		ofBlocks float64
		pairTime time.Duration
	}{
		{"blocks", 0, 0.14, 0, true, 1, 6 * time.Second},
		{"50ms", 0, 0.02, 0, true, 1.0 / 49, 3 * time.Second},
		{"blocks", 0.02, 0.14, 0.02, true, 1, 6 * time.Second},
		{"50ms", 0.02, 0.02, 0.08, false, 1.0 / 49, 3 * time.Second},
	} {
		r := c.Rows[i]
		if r.Order() != want.order || r.Planted != want.planted || r.Holds != want.holds || r.PairTime != want.pairTime {
			t.Errorf("row %d: %s, planted %v, holds %v, %v", i, r.Order(), r.Planted, r.Holds, r.PairTime)
		}
		if !close(r.Spread, want.spread, 1e-9) || math.Abs(r.Comparison.Delta.Estimate-want.estimate) > 1e-9 || !close(r.OfBlocks, want.ofBlocks, 1e-9) {
			t.Errorf("row %d: spread %v, estimate %v, %v of blocks", i, r.Spread, r.Comparison.Delta.Estimate, r.OfBlocks)
		}
		// χ² with 9 degrees of freedom has the 5 % and 95 % points 3.325 and 16.919.
		if !close(r.SpreadLow, want.spread*math.Sqrt(9/16.919), 1e-4) || !close(r.SpreadHigh, want.spread*math.Sqrt(9/3.325), 1e-4) {
			t.Errorf("row %d: spread from %v to %v", i, r.SpreadLow, r.SpreadHigh)
		}
		if want := regress.MinimumDetectable(10, want.spread, 0.9); !close(r.Visible, want, 1e-9) {
			t.Errorf("row %d: visible from %v on, want %v", i, r.Visible, want)
		}
	}
	// The documented table: at a spread of 2 %, ten pairs see 2 %, four settle 5 %.
	if r := c.Rows[1]; math.Round(r.Visible*1000) != 20 || r.Needed != 4 {
		t.Errorf("a spread of 2 %%: visible from %v on, %d pairs settle 5 %%", r.Visible, r.Needed)
	}
}

// TestNoise: what is declared and what is measured are held against each other,
// with the doubt that few pairs leave.
func TestNoise(t *testing.T) {
	for _, c := range []struct {
		why      string
		scenario string
		spread   float64
		pairs    int
		declared bool
		noise    Noise
		words    string
	}{
		{"ten pairs in slices, quiet", "packed_steady_cpu", 0.02, 20, false, Steady, "does not declare the goal erratic, and it is steady here: both agree"},
		{"as noisy as pairs in blocks", "packed_steady_cpu", 0.3, 20, false, Erratic, "but it is erratic here"},
		{"no longer erratic", "packed_steady_cpu", 0.02, 20, true, Steady, "declares the goal erratic, but it is steady here"},
		{"few pairs near the limit", "packed_steady_cpu", 0.095, 4, false, NearTheLimit, "more pairs would have to tell"},
		{"its own order is not there", "packed_3m", 0.02, 20, false, Unknown, "no two pairs in its own order are here"},
	} {
		s := mustFind(t, c.scenario)
		s.Erratic = c.declared
		arms, err := Arms(s, false, []time.Duration{50 * time.Millisecond}, nil)
		if err != nil {
			t.Fatal(err)
		}
		ratios := make([]float64, c.pairs)
		for i := range ratios {
			ratios[i] = c.spread * float64(2*(i%2)-1) * math.Sqrt(float64(c.pairs-1)/float64(c.pairs))
		}
		got := Of(Input{Scenario: s, Arms: arms, Pairs: c.pairs, Records: pairsOf(arms[0], ratios), Options: regress.DefaultOptions()})
		if got.Noise != c.noise || !strings.Contains(got.Erratic(), c.words) {
			t.Errorf("%s: %s: %s", c.why, got.Noise, got.Erratic())
		}
	}
}

// TestWhatThereIs: an interrupted calibration keeps the figures of the pairs that
// came about, and says how many are missing. An arm without any has no figures.
func TestWhatThereIs(t *testing.T) {
	s := mustFind(t, "packed_steady_cpu")
	arms, err := Arms(s, true, []time.Duration{50 * time.Millisecond, 100 * time.Millisecond}, nil)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	records := append(pairsOf(arms[0], normal(rng, 3, 0, 0.1)), pairsOf(arms[1], normal(rng, 1, 0, 0.1))...)
	records[1].Invalid = "late"
	c := Of(Input{Scenario: s, Arms: arms, Pairs: 10, Records: records, Options: regress.DefaultOptions()})
	if c.Missing != 8+9+10 {
		t.Errorf("%d pairs are missing", c.Missing)
	}
	if r := c.Rows[0]; !r.Measured() || r.Spread == 0 || r.Visible == 0 || len(r.Comparison.Pairs) != 2 {
		t.Errorf("two pairs: %+v", r)
	}
	for _, r := range c.Rows[1:] {
		if r.Measured() || r.Spread != 0 || r.Visible != 0 || r.Holds {
			t.Errorf("%d pairs: %+v", len(r.Comparison.Pairs), r)
		}
	}
	if c := Of(Input{Scenario: s, Arms: arms, Pairs: 10, Options: regress.DefaultOptions()}); c.Missing != 30 || c.Noise != Unknown || len(c.Rows) != 3 {
		t.Errorf("nothing was measured: %+v", c)
	}
}

// TestSpreadInterval: the interval of the spread covers the truth as often as it
// says, and so does the one of the change.
func TestSpreadInterval(t *testing.T) {
	s := mustFind(t, "packed_steady_cpu")
	arms, err := Arms(s, false, []time.Duration{50 * time.Millisecond}, []float64{5})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	const runs = 400
	spread, change := 0, 0
	for range runs {
		c := Of(Input{Scenario: s, Arms: arms[1:], Pairs: 6, Records: pairsOf(arms[1], normal(rng, 6, 0.05, 0.03)), Options: regress.DefaultOptions()})
		r := c.Rows[0]
		if r.SpreadLow <= 0.03 && 0.03 <= r.SpreadHigh {
			spread++
		}
		if r.Holds {
			change++
		}
	}
	// Four standard deviations of a share of .9 in 400 runs are .06.
	for what, n := range map[string]int{"the spread": spread, "the change": change} {
		if share := float64(n) / runs; math.Abs(share-0.9) > 0.06 {
			t.Errorf("the interval of %s covers it in %.2f of all runs, want .90", what, share)
		}
	}
}

func TestArms(t *testing.T) {
	s := mustFind(t, "burst_300k")
	ms := time.Millisecond
	arms, err := Arms(s, true, []time.Duration{200 * ms, 25 * ms}, []float64{2.5})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, a := range arms {
		names = append(names, a.Copy.Name)
		if a.Copy.Load.Schedule.Count != s.Load.Schedule.Count {
			t.Errorf("%s has another load", a.Copy.Name)
		}
	}
	want := "burst_300k_blocks burst_300k_25ms burst_300k_200ms burst_300k_blocks_plus2_5 burst_300k_25ms_plus2_5 burst_300k_200ms_plus2_5"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, c := range []struct {
		why    string
		blocks bool
		slices []time.Duration
		plant  []float64
		words  string
	}{
		{"nothing", false, nil, nil, "want blocks, or a slice at least"},
		{"twice", false, []time.Duration{50 * ms, 50 * ms}, nil, "the same arm twice: burst_300k_50ms"},
		{"too short", false, []time.Duration{ms}, nil, "want 5ms to 10s"},
		{"too many", true, nil, make([]float64, MostArms), "41 arms: want at most 40"},
	} {
		if _, err := Arms(s, c.blocks, c.slices, c.plant); err == nil || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v", c.why, err)
		}
	}
}

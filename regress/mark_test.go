package regress

import (
	"math"
	"strings"
	"testing"
)

// changes turns relative changes into log ratios.
func changes(relative ...float64) []float64 {
	d := make([]float64, len(relative))
	for i, x := range relative {
		d[i] = math.Log1p(x)
	}
	return d
}

func TestMarks(t *testing.T) {
	outlier := changes(0.003, 0.0031, 0.0029, 0.0032, 0.0028, 0.003, 0.9)
	for _, c := range []struct {
		name    string
		d       []float64
		worse   float64
		erratic bool
		want    Mark
		reason  string // part of it
		pairs   int    // -1: any number above that of d
	}{
		{"a clear change for the worse", changes(0.18, 0.22, 0.20, 0.19, 0.21, 0.20), 1, false, Regressed, "+20.0 % is at least 5 %", 0},
		{"the same where higher is better", changes(0.18, 0.22, 0.20, 0.19, 0.21, 0.20), -1, false, Improved, "excludes 0", 0},
		{"a clear change for the better", changes(-0.18, -0.22, -0.20, -0.19, -0.21, -0.20), 1, false, Improved, "-20.0 % is at least 5 %", 0},
		{"a loss where higher is better", changes(-0.18, -0.22, -0.20, -0.19, -0.21, -0.20), -1, false, Regressed, "excludes 0", 0},
		{"exactly the tolerance counts", changes(0.05, 0.05, 0.05, 0.05, 0.05), 1, false, Regressed, "+5.0 % is at least 5 %", 0},
		{"flat and quiet is proved", changes(0.01, -0.01, 0.02, -0.02, 0.005, 0), 1, false, NoChange, "lies within ±5 %", 0},
		{"a small real change is still no change", changes(0.019, 0.021, 0.020, 0.018, 0.022), 1, false, NoChange, "lies within ±5 %", 0},
		{"down by 4.8 % is outside the symmetric tolerance, and not yet 5 %", changes(-0.0479, -0.0481, -0.048, -0.048, -0.0482), 1, false, Inconclusive, "a change for the better, but not whether it reaches 5 %", 0},
		{"flat but noisy is not proved", changes(0.10, -0.10, 0.12, -0.12, 0.05, -0.04), 1, false, Inconclusive, "contains 0 and reaches beyond", -1},
		{"worse, but perhaps by less than the tolerance", changes(0.02, 0.06, 0.05, 0.03, 0.06, 0.05), 1, false, Inconclusive, "a change for the worse, but not whether it reaches 5 %", 0},
		{"one pair", changes(0.4), 1, false, Inconclusive, "at least 2 pairs are needed", 2},
		{"two equal pairs may be chance", changes(0.1, 0.1), 1, false, Inconclusive, "hides the spread: 5 such pairs", 5},
		{"four unchanged pairs may be chance", changes(0, 0, 0, 0), 1, false, Inconclusive, "hides the spread: 5 such pairs", 5},
		{"five unchanged pairs are not", changes(0, 0, 0, 0, 0), 1, false, NoChange, "within", 0},
		{"declared erratic, a change is not judged", changes(0.18, 0.22, 0.20, 0.19, 0.21, 0.20), 1, true, Inconclusive, "declared erratic", 0},
		{"declared erratic, none is still none", changes(0.01, -0.01, 0.02, -0.02, 0.005, 0), 1, true, NoChange, "within", 0},
		{"one outlier cannot make a change", outlier, 1, false, Inconclusive, "contains 0", -1},
		{"Student sees a change that the ranks do not", changes(0.16, 0.15, 0.14, 0.16, -0.02, -0.01), 1, false, Inconclusive, "contradict each other", -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := estimateOf(c.d, 0.9, c.worse)
			j := e.outlook(DefaultOptions(), e.judge(DefaultOptions(), c.erratic))
			if j.mark != c.want || !strings.Contains(j.reason, c.reason) {
				t.Errorf("%s: %s; want %s: …%s…", j.mark, j.reason, c.want, c.reason)
			}
			if c.pairs >= 0 && j.pairs != c.pairs || c.pairs < 0 && j.pairs <= len(c.d) {
				t.Errorf("%d pairs needed, want %d: %s", j.pairs, c.pairs, j.reason)
			}
		})
	}
}

// TestRobustMustAgree builds the contradictions by hand, because few data show
// the rarer ones.
func TestRobustMustAgree(t *testing.T) {
	student := logInterval{0.10, 0.02, 0.18, 0.9}
	for _, c := range []struct {
		name   string
		robust logInterval
		want   Mark
	}{
		{"agrees", logInterval{0.09, 0.01, 0.17, 0.91}, Regressed},
		{"has no interval, and the same sign", logInterval{0.09, 0.09, 0.09, 0}, Regressed},
		{"has no interval, and the other sign", logInterval{-0.01, -0.01, -0.01, 0}, Inconclusive},
		{"has an estimate of 0", logInterval{0, -0.1, 0.1, 0.91}, Inconclusive},
		{"contains 0", logInterval{0.09, -0.01, 0.17, 0.91}, Inconclusive},
		{"touches 0", logInterval{0.09, 0, 0.17, 0.91}, Inconclusive},
		{"lies on the other side", logInterval{-0.09, -0.17, -0.01, 0.91}, Inconclusive},
	} {
		e := estimate{n: 6, mean: 0.10, spread: 0.1, student: student, robust: c.robust, worse: 1}
		if j := e.judge(DefaultOptions(), false); j.mark != c.want {
			t.Errorf("the robust interval %s: %s (%s), want %s", c.name, j.mark, j.reason, c.want)
		}
	}
	flat := estimate{n: 6, mean: 0.001, spread: 0.01, worse: 1,
		student: logInterval{0.001, -0.01, 0.012, 0.9}, robust: logInterval{0.06, 0.05, 0.07, 0.91}}
	if j := flat.judge(DefaultOptions(), false); j.mark != Inconclusive {
		t.Errorf("flat by the mean, changed by the ranks: %s, want inconclusive", j.mark)
	}
}

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		o    Options
		part string // of the fault; empty for none
	}{
		{DefaultOptions(), ""},
		{Options{Confidence: 0.9}, ""}, // a tolerance of zero means zero
		{Options{Tolerance: 0.05}, "confidence of 0"},
		{Options{Confidence: 90, Tolerance: 0.05}, "0.9 for 90 %"},
		{Options{Confidence: math.NaN()}, "confidence of NaN"},
		{Options{Confidence: 0.9, Tolerance: 5}, "0.05 for 5 %"},
		{Options{Confidence: 0.9, Tolerance: -0.1}, "tolerance of -0.1"},
		{Options{Confidence: 0.9, Tolerance: math.NaN()}, "tolerance of NaN"},
	} {
		err := c.o.Validate()
		if c.part == "" && err != nil || c.part != "" && (err == nil || !strings.Contains(err.Error(), c.part)) {
			t.Errorf("%+v: %v, want %q", c.o, err, c.part)
		}
	}
}

// TestNoTolerance: every change counts that is told from 0, and its absence
// cannot be proved.
func TestNoTolerance(t *testing.T) {
	o := Options{Confidence: 0.9}
	if j := estimateOf(changes(0.011, 0.012, 0.010, 0.011, 0.013), 0.9, 1).judge(o, false); j.mark != Regressed {
		t.Errorf("+1.1 %% with a tolerance of 0: %s, want regressed", j.mark)
	}
	if j := estimateOf(changes(0, 0, 0, 0, 0), 0.9, 1).judge(o, false); j.mark != Inconclusive {
		t.Errorf("no change with a tolerance of 0: %s, want inconclusive", j.mark)
	}
}

// TestSignedKeepsWhatExcludesZero: a bound near 0 must not read as 0.
func TestSignedKeepsWhatExcludesZero(t *testing.T) {
	for x, want := range map[float64]string{0.123: "+12.3", -0.0804: "-8.0", 0.0003: "+0.03", -0.00001: "+0.00", 12.5: "+1250.0"} {
		if got := signed(x); got != want {
			t.Errorf("signed(%v) is %s, want %s", x, got, want)
		}
	}
}

// TestSymbols: each mark has its own sign, and what is unknown is no pass.
func TestSymbols(t *testing.T) {
	for mark, want := range map[Mark]string{Improved: "✅", Regressed: "❌", NoChange: "➖", Inconclusive: "❔", NoVerdict: "⛔", "": "⛔"} {
		if got := mark.Symbol(); got != want {
			t.Errorf("%q is %s, want %s", mark, got, want)
		}
	}
}

// TestProbability: no p reads as 0, and none as certain unless it is.
func TestProbability(t *testing.T) {
	for p, want := range map[float64]string{0: "p < 0.001", 0.0009: "p < 0.001", 0.001: "p 0.001", 0.0123: "p 0.012", 0.28: "p 0.28", 0.994: "p 0.99", 1: "p 1"} {
		if got := probability(p); got != want {
			t.Errorf("probability(%v) is %s, want %s", p, got, want)
		}
	}
}

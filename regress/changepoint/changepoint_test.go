package changepoint

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"

	"floodgate/internal/documented"
)

const statistics = "../../docs/statistics.md"

// series scales the simulations. Those of docs/statistics.md have 2000: with as many
// the figures are those of the document to the last digit, with fewer within what
// chance allows.
var series = flag.Int("series", 100, "series to simulate for each line of a table")

const documentedSeries = 2000

// share holds a documented share against a count in all series.
func share(t *testing.T, what string, f documented.Figure, count int) {
	t.Helper()
	f.Share(t, what, float64(count)/float64(*series), *series, documentedSeries)
}

type noise struct {
	name string
	draw func(*rand.Rand) float64
}

// Noises of which only the first is normal. The spiky one has the standard
// deviation 2.7, the others 1.
var noises = []noise{
	{"normal", func(r *rand.Rand) float64 { return r.NormFloat64() }},
	{"spiky", func(r *rand.Rand) float64 {
		x := r.NormFloat64()
		if r.IntN(5) == 0 {
			x += math.Copysign(4*r.ExpFloat64(), r.Float64()-0.5)
		}
		return x
	}},
	{"one-sided", func(r *rand.Rand) float64 { return r.ExpFloat64() - 1 }},
	{"coarse", func(r *rand.Rand) float64 { return math.Round(r.NormFloat64()*2) / 2 }},
}

// quick draws fewer permutations than the default, so that many series can be
// simulated. More of them find a little more.
func quick() Options {
	o := DefaultOptions()
	o.Permutations = 199
	return o
}

func draw(r *rand.Rand, n int, sd float64, of noise, mean func(i int) float64) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = mean(i) + sd*of.draw(r)
	}
	return x
}

func level(int) float64 { return 0 }

// step is 0 before a run and log(1+change) from it on.
func step(at int, change float64) func(int) float64 {
	return func(i int) float64 {
		if i < at {
			return 0
		}
		return math.Log1p(change)
	}
}

// mostly is the largest count of n that chance reaches with probability 1 in
// 1000 where each has the probability p.
func mostly(n int, p float64) int {
	b := distuv.Binomial{N: float64(n), P: p}
	k := 0
	for b.CDF(float64(k)) < 0.999 {
		k++
	}
	return k
}

// TestFalseAlarmsSimulated: in a series that never changes, anything is found
// no more often than the significance says, whatever the noise looks like. The
// test permutes, so it needs no assumption about it.
func TestFalseAlarmsSimulated(t *testing.T) {
	o := DefaultOptions()
	o.Significance, o.Permutations = 0.05, 99
	page := documented.Open(t, statistics)
	for _, of := range noises {
		for k, n := range []int{8, 20, 40} {
			r := rand.New(rand.NewPCG(7, uint64(n)))
			alarms := 0
			for range *series {
				if len(Detect(draw(r, n, 0.02, of, level), o)) > 0 {
					alarms++
				}
			}
			what := fmt.Sprintf("%-9s noise, %2d runs", of.name, n)
			t.Logf("%s: false alarms %.3f, nominal %.2f", what, float64(alarms)/float64(*series), o.Significance)
			share(t, what, page.Row(t, "| noise | 8 runs |", "| "+of.name)[k], alarms)
			if most := mostly(*series, o.Significance); alarms > most {
				t.Errorf("%s noise, %d runs: %d false alarms in %d series, want at most %d", of.name, n, alarms, *series, most)
			}
		}
	}
}

// TestStepSimulated: a step of 5 % in noise of 2 % is found, and where it is.
func TestStepSimulated(t *testing.T) {
	page := documented.Open(t, statistics)
	for _, c := range []struct {
		of            noise
		row           string
		before, after int
		found, near   float64 // shares at least; near is within two runs
	}{
		{noises[0], "normal", 15, 15, 0.97, 0.92},
		{noises[0], "normal", 30, 10, 0.97, 0.92},
		{noises[0], "normal", 20, 5, 0.75, 0.70},
		{noises[1], "spiky, standard deviation 5.4 % in all", 15, 15, 0.65, 0.55},
	} {
		r := rand.New(rand.NewPCG(11, 0))
		found, within1, within2, covered := 0, 0, 0, 0
		for range *series {
			x := draw(r, c.before+c.after, 0.02, c.of, step(c.before, 0.05))
			points := Detect(x, quick())
			if len(points) == 0 {
				continue
			}
			found++
			closest := points[0]
			for _, p := range points {
				if abs(p.Index-c.before) < abs(closest.Index-c.before) {
					closest = p
				}
			}
			if abs(closest.Index-c.before) <= 1 {
				within1++
			}
			if abs(closest.Index-c.before) <= 2 {
				within2++
			}
			if closest.Change.Low < math.Log1p(0.05) && math.Log1p(0.05) < closest.Change.High {
				covered++
			}
		}
		n := float64(*series)
		what := fmt.Sprintf("%s noise, step after %d of %d runs", c.of.name, c.before, c.before+c.after)
		t.Logf("%s: found %.3f, within one run %.3f, within two %.3f, interval right %.3f",
			what, float64(found)/n, float64(within1)/n, float64(within2)/n, float64(covered)/n)
		for k, f := range page.Row(t, "| noise | step |", fmt.Sprintf("| %s | after %d of %d runs |", c.row, c.before, c.before+c.after)) {
			share(t, what, f, []int{found, within1, within2}[k])
		}
		if float64(found)/n < c.found || float64(within2)/n < c.near {
			t.Errorf("%s noise, step after %d of %d runs: found in %d of %d series, within two runs in %d",
				c.of.name, c.before, c.before+c.after, found, *series, within2)
		}
	}
}

func abs(i int) int { return max(i, -i) }

// TestTwoSteps: up and down again are two points; a stay that is too short is
// none.
func TestTwoSteps(t *testing.T) {
	bump := func(from, to int) func(int) float64 {
		return func(i int) float64 {
			if i >= from && i < to {
				return 0.10
			}
			return 0
		}
	}
	r := rand.New(rand.NewPCG(3, 4))
	points := Detect(draw(r, 45, 0.01, noises[0], bump(15, 30)), quick())
	if len(points) != 2 || points[0].Index != 15 || points[1].Index != 30 {
		t.Fatalf("up at 15 and down at 30 came out as %+v", points)
	}
	if c := points[0].Change; c.Low > 0.10 || c.High < 0.10 || c.Low < 0.08 {
		t.Errorf("the step up is %+v, want 0.10", c)
	}
	if c := points[1].Change; c.Estimate > -0.08 || points[1].P > 0.01 {
		t.Errorf("the step down is %+v", points[1])
	}
	for _, p := range Detect(draw(r, 45, 0.01, noises[0], bump(20, 21)), quick()) {
		t.Errorf("one run that is far out was taken for a change: %+v", p)
	}
}

// TestSplitAgainstSlow compares the running sums with the definition.
func TestSplitAgainstSlow(t *testing.T) {
	slow := func(x []float64, least int) (at int, q float64) {
		mean := func(a, b []float64, same bool) float64 {
			sum, n := 0.0, 0.0
			for i := range a {
				for j := range b {
					if !same || i < j {
						sum += math.Abs(a[i] - b[j])
						n++
					}
				}
			}
			return sum / n
		}
		for k := least; k <= len(x)-least; k++ {
			a, b := x[:k], x[k:]
			m, n := float64(len(a)), float64(len(b))
			here := m * n / (m + n) * (2*mean(a, b, false) - mean(a, a, true) - mean(b, b, true))
			if at == 0 || here > q {
				at, q = k, here
			}
		}
		return at, q
	}
	r := rand.New(rand.NewPCG(5, 6))
	for n := range 30 {
		x := draw(r, n, 1, noises[n%len(noises)], level)
		at, q := bestSplit(x, 2)
		if wantAt, wantQ := slow(x, 2); at != wantAt || math.Abs(q-wantQ) > 1e-9 {
			t.Errorf("%d runs: split at %d with %v, want %d with %v", n, at, q, wantAt, wantQ)
		}
	}
}

func TestDetectEdges(t *testing.T) {
	o := quick()
	for what, x := range map[string][]float64{
		"nothing": nil, "one run": {1}, "too short to be split": {0, 0, 0, 9, 9}, "all the same": make([]float64, 20),
	} {
		if points := Detect(x, o); len(points) > 0 {
			t.Errorf("%s: %+v", what, points)
		}
	}
	clean := append(make([]float64, 10), 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)
	points := Detect(clean, o)
	if len(points) != 1 || points[0].Index != 10 || points[0].Change != (Interval{1, 1, 1}) {
		t.Errorf("a step without noise came out as %+v", points)
	}
	long := append(make([]float64, 2*MaxRuns), clean...)
	o.Significance, o.Permutations = 0.1, 9
	if points := Detect(long, o); len(points) != 1 || points[0].Index != 2*MaxRuns+10 {
		t.Errorf("in a long series the step came out as %+v", points)
	}
	o = quick()
	r := rand.New(rand.NewPCG(1, 1))
	x := draw(r, 40, 0.02, noises[0], step(20, 0.05))
	before := append([]float64(nil), x...)
	first, again := Detect(x, o), Detect(x, o)
	if len(first) == 0 || first[0] != again[0] {
		t.Error("the same series gives two answers")
	}
	for i := range x {
		if x[i] != before[i] {
			t.Fatal("the caller's series was changed")
		}
	}
}

// TestDriftSimulated: twenty changes of half a percent, none of which its own
// comparison tells from 0, are +10.5 % together, and the interval says so in
// nine of ten series.
func TestDriftSimulated(t *testing.T) {
	const runs, pairs, sd = 20, 6, 0.015
	truth := runs * math.Log1p(0.005)
	r := rand.New(rand.NewPCG(13, 0))
	covered, told, seen, lines := 0, 0, 0, 0
	for range *series {
		var steps []Step
		var means []float64
		for range runs {
			d := draw(r, pairs, sd, noises[0], step(0, 0.005))
			mean, variance := 0.0, 0.0
			for _, x := range d {
				mean += x / pairs
			}
			for _, x := range d {
				variance += (x - mean) * (x - mean) / (pairs - 1)
			}
			s := Step{mean, variance / pairs, pairs - 1}
			if one := Cumulate([]Step{s}, 0.9); one.ExcludesZero() && math.Abs(mean) > math.Log1p(0.05) {
				seen++
			}
			steps, means = append(steps, s), append(means, mean)
		}
		sum := Cumulate(steps, 0.9)
		if sum.Low < truth && truth < sum.High {
			covered++
		}
		if sum.ExcludesZero() {
			told++
		}
		if Fit(means, 0.9).Change.ExcludesZero() {
			lines++
		}
	}
	n := float64(*series)
	t.Logf("drift of %d x 0.5 %%: interval right %.3f, told from 0 %.3f, single comparisons marked %.4f, ratios themselves on a slope %.3f",
		runs, float64(covered)/n, float64(told)/n, float64(seen)/n/runs, float64(lines)/n)
	page := documented.Open(t, statistics)
	share(t, "interval right", page.After(t, "its 90 % interval held the true +10.5 % in"), covered)
	share(t, "told from 0", page.After(t, "the chain was told from 0 (at 90 %) in"), told)
	if low, high := *series-mostly(*series, 0.10), *series-int(0.04*n); covered < low || covered > high {
		t.Errorf("the interval is right in %d of %d series, want about 90 %%", covered, *series)
	}
	if float64(told) < 0.93*n || seen > 0 {
		t.Errorf("told from 0 in %d of %d series; %d single comparisons saw it", told, *series, seen)
	}
	if lines > mostly(*series, 0.10) {
		t.Errorf("a constant drift is no slope of the ratios, which was found in %d of %d series", lines, *series)
	}
}

// TestSteadierSimulated: a ramp is told from a step.
func TestSteadierSimulated(t *testing.T) {
	const runs = 30
	ramp := func(i int) float64 { return 0.10 * float64(i) / (runs - 1) }
	r := rand.New(rand.NewPCG(17, 0))
	ramps, steps, covered := 0, 0, 0
	for range *series {
		x := draw(r, runs, 0.015, noises[0], ramp)
		line := Fit(x, 0.9)
		if points := Detect(x, quick()); len(points) > 0 && Steadier(x, points, line) {
			ramps++
		}
		if line.Change.Low < 0.10 && 0.10 < line.Change.High {
			covered++
		}
		x = draw(r, runs, 0.015, noises[0], step(15, 0.10))
		if points := Detect(x, quick()); len(points) > 0 && !Steadier(x, points, Fit(x, 0.9)) {
			steps++
		}
	}
	n := float64(*series)
	t.Logf("10 %% over %d runs, noise 1.5 %%: ramps told %.3f, steps told %.3f, interval of the rise right %.3f", runs, float64(ramps)/n, float64(steps)/n, float64(covered)/n)
	page := documented.Open(t, statistics)
	share(t, "ramps told", page.After(t, "Of rises of 10 % over 30 runs in noise of 1.5 %,"), ramps)
	page.Says(t, "were called a drift; of steps of that size fewer than 0.1 %")
	if float64(ramps) < 0.9*n || float64(steps) < 0.999*n {
		t.Errorf("of %d each, %d ramps and %d steps are told for what they are", *series, ramps, steps)
	}
	if covered < *series-mostly(*series, 0.10) {
		t.Errorf("the interval of the rise is right in %d of %d series", covered, *series)
	}
}

// TestFit against figures worked out by hand: y = 1, 3, 2, 4 over 0..3 has slope
// 0.8 and residuals -0.3, 0.9, -0.9, 0.3.
func TestFit(t *testing.T) {
	line := Fit([]float64{1, 3, 2, 4}, 0.9)
	half := 2.919986 * math.Sqrt(1.8/2/5) * 3 // t(0.95, 2)
	for _, c := range [][2]float64{{line.Change.Estimate, 2.4}, {line.Residual, 1.8}, {line.Change.High, 2.4 + half}, {line.Change.Low, 2.4 - half}} {
		if math.Abs(c[0]-c[1]) > 1e-5 {
			t.Errorf("got %v, want %v", c[0], c[1])
		}
	}
}

func TestOptions(t *testing.T) {
	if err := DefaultOptions().Validate(); err != nil {
		t.Error(err)
	}
	for what, change := range map[string]func(*Options){
		"no significance":      func(o *Options) { o.Significance = 0 },
		"too few permutations": func(o *Options) { o.Permutations = 98 },
		"one run on a side":    func(o *Options) { o.MinSegment = 1 },
		"no confidence":        func(o *Options) { o.Confidence = 0 },
	} {
		o := DefaultOptions()
		if change(&o); o.Validate() == nil {
			t.Errorf("%s is taken", what)
		}
	}
}

package regress

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"

	"floodgate/internal/documented"
)

// families scales the simulations. docs/statistics.md says with how many its tables
// were printed: with as many they are those of the document to the last digit, with
// fewer within what chance allows.
var families = flag.Int("families", 150, "runs to simulate for each line of a table")

// The families of the tables.
const (
	usualFamilies = 2_000
	holmFamilies  = 20_000
)

const (
	statistics = "../docs/statistics.md"
	holmsNull  = "../docs/adr/0004-holm-null.md"
)

// noise draws log ratios around 0.
type noise struct {
	name string
	draw func(*rand.Rand) float64
}

var (
	normal = noise{"normal", func(r *rand.Rand) float64 { return r.NormFloat64() }}
	// spiky has one pair in five far out, to either side: a run disturbed by
	// something else on the machine.
	spiky = noise{"spiky", func(r *rand.Rand) float64 {
		x := r.NormFloat64()
		if r.IntN(5) == 0 {
			x += math.Copysign(4*r.ExpFloat64(), r.Float64()-0.5)
		}
		return x
	}}
)

// sample draws n log ratios with a true change, given as a ratio.
func (n noise) sample(r *rand.Rand, pairs int, spread, change float64) []float64 {
	d := make([]float64, pairs)
	for i := range d {
		d[i] = math.Log1p(change) + spread*n.draw(r)
	}
	return d
}

// atMost is the largest share that trials of probability p show by chance,
// but for one simulation in 10,000.
func atMost(p float64, trials int) float64 {
	return p + 3.72*math.Sqrt(p*(1-p)/float64(trials))
}

// TestFalseMarks: without a change, ❌ and ✅ together are at most as frequent
// as the level of the interval says, with few pairs too and with outliers.
func TestFalseMarks(t *testing.T) {
	const trials = 1500
	o := DefaultOptions()
	for _, n := range []noise{normal, spiky} {
		for _, pairs := range []int{3, 6, 10} {
			random := rand.New(rand.NewPCG(11, uint64(pairs)))
			excluded, marked := 0, 0
			for range trials {
				e := estimateOf(n.sample(random, pairs, 0.15, 0), o.Confidence, 1)
				if e.student.excludesZero() {
					excluded++
				}
				if m := e.judge(o, false).mark; m == Regressed || m == Improved {
					marked++
				}
			}
			limit := atMost(1-o.Confidence, trials)
			if share := float64(excluded) / trials; share > limit {
				t.Errorf("%s, %d pairs: the interval excludes 0 in %.3f, want at most %.3f", n.name, pairs, share, limit)
			}
			// A simulation that could not fail would be of no use: at a spread of
			// 15 % the tolerance hides little, so most of the 10 % must show.
			if share := float64(marked) / trials; share > limit || n.name == "normal" && share < 0.04 {
				t.Errorf("%s, %d pairs: marked without a change in %.3f, want 0.04 to %.3f", n.name, pairs, share, limit)
			}
		}
	}
}

// TestCoverage: each interval covers the true change at least as often as its
// level says; Student's on normal noise neither more nor less.
func TestCoverage(t *testing.T) {
	const trials, pairs, change = 2000, 8, 0.10
	for _, n := range []noise{normal, spiky} {
		random := rand.New(rand.NewPCG(12, 0))
		student, robust, level := 0, 0, 0.0
		truth := math.Log1p(change)
		for range trials {
			e := estimateOf(n.sample(random, pairs, 0.05, change), 0.9, 1)
			if e.student.low <= truth && truth <= e.student.high {
				student++
			}
			if e.robust.low <= truth && truth <= e.robust.high {
				robust++
			}
			level = e.robust.level
		}
		missed, missedRobust := 1-float64(student)/trials, 1-float64(robust)/trials
		if missed > atMost(0.10, trials) || n.name == "normal" && missed < 0.075 {
			t.Errorf("%s: Student's 90 %% interval misses the change in %.3f", n.name, missed)
		}
		if missedRobust > atMost(1-level, trials) || missedRobust < (1-level)/2 {
			t.Errorf("%s: the %.1f %% signed-rank interval misses the change in %.3f", n.name, 100*level, missedRobust)
		}
	}
}

// TestPowerIsWhatItSays: the pairs that PairsNeeded asks for do find, and do
// prove absent, what they were asked for.
func TestPowerIsWhatItSays(t *testing.T) {
	const trials, spread = 600, 0.04
	o := DefaultOptions()
	pairs := pairsToSettle(spread, o)
	least := MinimumDetectable(pairs, spread, o.Confidence)
	random := rand.New(rand.NewPCG(13, 0))
	found, proved := 0, 0
	for range trials {
		if e := estimateOf(normal.sample(random, pairs, spread, least), o.Confidence, 1); e.student.low > 0 {
			found++
		}
		if estimateOf(normal.sample(random, pairs, spread, 0), o.Confidence, 1).judge(o, false).mark == NoChange {
			proved++
		}
	}
	for what, share := range map[string]float64{"find the detectable change": float64(found) / trials, "prove no change": float64(proved) / trials} {
		if math.Abs(share-TargetPower) > atMost(0.1, trials)-0.1 {
			t.Errorf("%d pairs %s in %.3f, want %.2f", pairs, what, share, TargetPower)
		}
	}
}

// TestFixedOrderMakesFalseAlarms reproduces what the warning about the order
// says: a second place that is 1.5 % slower, with the baseline always first, or
// with the places balanced.
func TestFixedOrderMakesFalseAlarms(t *testing.T) {
	const trials, pairs, spread, slower = 1000, 10, 0.03, 0.015
	alarms := func(balanced bool) float64 {
		random := rand.New(rand.NewPCG(14, 0))
		excluded := 0
		for range trials {
			d := normal.sample(random, pairs, spread, 0)
			for i := range d {
				if balanced && (i%4 == 1 || i%4 == 2) {
					d[i] -= math.Log1p(slower)
				} else {
					d[i] += math.Log1p(slower)
				}
			}
			if estimateOf(d, 0.9, 1).student.excludesZero() {
				excluded++
			}
		}
		return float64(excluded) / trials
	}
	if fixed := alarms(false); fixed < 0.40 || fixed > 0.55 {
		t.Errorf("fixed order: the interval excludes 0 in %.3f, the warning says about 5 of 10", fixed)
	}
	if balanced := alarms(true); balanced > atMost(0.10, trials) {
		t.Errorf("balanced order: the interval excludes 0 in %.3f, want at most 1 of 10", balanced)
	}
}

// rule is one way in which a ❌ may come to count against the run.
type rule struct {
	name   string
	margin float64 // H0: the change for the worse is at most this log ratio
	alpha  float64
}

// rules are the mark alone, the rule in use, and what it was chosen over.
func rules(o Options) []rule {
	return []rule{
		{"the mark alone", 0, 1},
		{"Holm, δ <= 0, at 5 %", 0, o.Alpha()},
		{"Holm, δ <= 0, at 10 %", 0, 2 * o.Alpha()},
		{"Holm, δ <= τ, at 5 %", o.margin(), o.Alpha()},
		{"Holm, δ <= τ, at 10 %", o.margin(), 2 * o.Alpha()},
	}
}

// decided simulates one run of several scenarios, of which the first has a true
// change, and returns by rule whether any scenario decides, and whether the
// first does.
func decided(random *rand.Rand, n noise, scenarios, pairs int, spread, change float64, rules []rule) (any, first []bool) {
	o := DefaultOptions()
	estimates := make([]estimate, scenarios)
	regressed := make([]bool, scenarios)
	for i := range estimates {
		estimates[i] = estimateOf(n.sample(random, pairs, spread, change), o.Confidence, 1)
		regressed[i] = estimates[i].judge(o, false).mark == Regressed
		change = 0
	}
	any, first = make([]bool, len(rules)), make([]bool, len(rules))
	for k, rule := range rules {
		p := make([]float64, scenarios)
		for i, e := range estimates {
			p[i] = e.p
			if rule.margin > 0 {
				t := (e.mean - rule.margin) / (e.spread / math.Sqrt(float64(pairs)))
				p[i] = distuv.StudentsT{Sigma: 1, Nu: float64(pairs - 1)}.CDF(-t)
			}
		}
		for i, adjusted := range Holm(p) {
			if regressed[i] && adjusted <= rule.alpha {
				any[k] = true
				first[k] = first[k] || i == 0
			}
		}
	}
	return any, first
}

// TestHolmFalseAlarms: 25 scenarios without any change. The decision is wrong
// in at most 5 % of the runs, while the marks alone would be in most.
func TestHolmFalseAlarms(t *testing.T) {
	o := DefaultOptions()
	rules := rules(o)
	page, decision := documented.Open(t, statistics), documented.Open(t, holmsNull)
	most := 0.0
	for i, n := range []noise{normal, spiky} {
		for _, spread := range []float64{0.02, 0.04, 0.08, 0.15} {
			random := rand.New(rand.NewPCG(15, math.Float64bits(spread)))
			wrong := make([]int, len(rules))
			for range *families {
				any, _ := decided(random, n, 25, 6, spread, 0, rules)
				count(wrong, any)
			}
			title := fmt.Sprintf("%s, sd %2.0f %%", n.name, 100*spread)
			t.Log(line(title, rules, wrong))
			for k, f := range page.Row(t, "| spread of log ratios | ❌ alone |", fmt.Sprintf("| %.0f %% |", 100*spread))[2*i : 2*i+2] {
				f.Share(t, title+", "+rules[k].name, share(wrong[k]), *families, holmFamilies)
			}
			if n.name == normal.name && spread > 0.02 {
				hold(t, decision, fmt.Sprintf("| nothing changed, 25 scenarios, sd %.0f %% |", 100*spread), rules, wrong)
			}
			if limit := atMost(o.Alpha(), *families); share(wrong[1]) > limit {
				t.Errorf("%s, spread %v: %.3f of the runs fail without a change, want at most %.3f", n.name, spread, share(wrong[1]), limit)
			}
			most = math.Max(most, share(wrong[0]))
		}
	}
	if most < 0.4 {
		t.Errorf("without Holm at most %.2f of the runs would fail: the simulation shows nothing", most)
	}
}

// TestHolmPower: a true change in one scenario of the run, spread 4 %. A
// change of 20 % is caught nearly always; below 10 % the rule in use is the
// only one of the two nulls that catches much.
func TestHolmPower(t *testing.T) {
	rules := rules(DefaultOptions())
	page, decision := documented.Open(t, statistics), documented.Open(t, holmsNull)
	for _, c := range []struct {
		scenarios, pairs int
		change           float64
		low, high        float64 // bounds of the share caught by the rule in use
		phrase           string  // before that share in the document
		row              string  // of the decision record
	}{
		{4, 6, 0.04, 0.08, 0.35, "(+4 % at a spread of 4 %, 6 pairs, 4 scenarios: in", "| one of 4 scenarios +4 %, sd 4 % |"},
		{4, 6, 0.06, 0.40, 0.75, "", "| one of 4 scenarios +6 %, sd 4 % |"},
		{4, 6, 0.08, 0.75, 0.97, "", ""},
		{4, 6, 0.10, 0.92, 1, "", "| one of 4 scenarios +10 %, sd 4 % |"},
		{4, 6, 0.20, 0.99, 1, "", "| one of 4 scenarios +20 %, sd 4 % |"},
		{25, 6, 0.10, 0.50, 0.90, "fail the run, of +10 %", "| one of 25 scenarios +10 %, sd 4 % |"},
		{25, 10, 0.10, 0.95, 1, "with 10 pairs", ""},
		{25, 6, 0.20, 0.99, 1, "in one of 25 scenarios (spread 4 %, 6 pairs)", ""},
	} {
		random := rand.New(rand.NewPCG(16, math.Float64bits(c.change)))
		caught := make([]int, len(rules))
		for range *families {
			_, first := decided(random, normal, c.scenarios, c.pairs, 0.04, c.change, rules)
			count(caught, first)
		}
		title := fmt.Sprintf("%d scenarios, %d pairs, true %+3.0f %%", c.scenarios, c.pairs, 100*c.change)
		t.Log(line(title, rules, caught))
		got := share(caught[1])
		if got < c.low || got > c.high {
			t.Errorf("%s: caught in %.3f of the runs, want %.2f to %.2f", title, got, c.low, c.high)
		}
		if c.phrase != "" {
			page.After(t, c.phrase).Share(t, title, got, *families, holmFamilies)
		}
		if c.row != "" {
			hold(t, decision, c.row, rules, caught)
		}
	}
}

// hold holds a row of the decision record, which has a figure for each rule.
func hold(t *testing.T, decision documented.Page, row string, rules []rule, counts []int) {
	t.Helper()
	for k, f := range decision.Row(t, "| | ❌ alone |", row) {
		f.Share(t, row+" "+rules[k].name, share(counts[k]), *families, holmFamilies)
	}
}

func count(counts []int, seen []bool) {
	for k, yes := range seen {
		if yes {
			counts[k]++
		}
	}
}

func share(n int) float64 { return float64(n) / float64(*families) }

// line is one line of a table: a share for each rule.
func line(title string, rules []rule, counts []int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s:", title)
	for k, rule := range rules {
		fmt.Fprintf(&b, " | %s %.3f", rule.name, share(counts[k]))
	}
	return b.String()
}

// TestPowerFormula: the share of runs that find a true change is the one that the
// noncentral t promises, within 3 points, for few pairs and many.
func TestPowerFormula(t *testing.T) {
	trials := 30 * *families
	page := documented.Open(t, statistics)
	for _, c := range []struct {
		pairs  int
		spread float64
		change float64
	}{{3, 0.04, 0.10}, {4, 0.08, 0.15}, {6, 0.04, 0.05}, {6, 0.08, 0.10}, {10, 0.08, 0.05}, {20, 0.15, 0.10}} {
		random := rand.New(rand.NewPCG(17, uint64(c.pairs)))
		found := 0
		for range trials {
			if estimateOf(normal.sample(random, c.pairs, c.spread, c.change), 0.9, 1).student.low > 0 {
				found++
			}
		}
		got, want := float64(found)/float64(trials), Power(c.pairs, c.spread, math.Log1p(c.change), 0.9)
		row := fmt.Sprintf("| %d | %.0f %% | %+.0f %% |", c.pairs, 100*c.spread, 100*c.change)
		t.Logf("%s %.3f | %.3f |", row, want, got)
		figures := page.Row(t, "| pairs | spread | true change |", row)
		figures[0].Near(t, row+" by the formula", want, 0.0006)
		figures[1].Share(t, row, got, trials, 30*usualFamilies)
		if math.Abs(got-want) > 0.03 {
			t.Errorf("%+v: found in %.3f of the runs, the formula says %.3f", c, got, want)
		}
	}
}

// TestProveClaims: under the rule of proof, a true change of exactly the tolerance is
// marked in at most 5 % of the runs, where detecting marks about half.
func TestProveClaims(t *testing.T) {
	trials := 15 * *families
	detect, prove := DefaultOptions(), DefaultOptions()
	prove.Rule = Prove
	page := documented.Open(t, statistics)
	for _, spread := range []float64{0.02, 0.04, 0.08} {
		random := rand.New(rand.NewPCG(18, math.Float64bits(spread)))
		detected, proved := 0, 0
		for range trials {
			e := estimateOf(normal.sample(random, 10, spread, 0.05), 0.9, 1)
			if e.judge(detect, false).mark == Regressed {
				detected++
			}
			if e.judge(prove, false).mark == Regressed {
				proved++
				if p := e.pBeyond(prove.null()); p > prove.Alpha() {
					t.Fatalf("proved with p %v", p)
				}
			}
		}
		row := fmt.Sprintf("| %.0f %% |", 100*spread)
		t.Logf("%s %.3f | %.3f |", row, float64(detected)/float64(trials), float64(proved)/float64(trials))
		for k, f := range page.Row(t, "| spread of log ratios | detect |", row) {
			f.Share(t, row, float64([]int{detected, proved}[k])/float64(trials), trials, 15*usualFamilies)
		}
		if share := float64(proved) / float64(trials); share > atMost(0.05, trials) || share < 0.02 {
			t.Errorf("spread %v: a change of the tolerance is proved to be larger in %.3f, want at most .05", spread, share)
		}
		if share := float64(detected) / float64(trials); share < 0.4 {
			t.Errorf("spread %v: detected in %.3f, want about half", spread, share)
		}
	}
}

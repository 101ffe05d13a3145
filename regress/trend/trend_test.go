package trend

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"floodgate/internal/documented"
	"floodgate/internal/history"
	"floodgate/internal/record"
	"floodgate/regress"
	"floodgate/regress/changepoint"
	"floodgate/scenarios"
)

func quick() changepoint.Options {
	o := DefaultOptions()
	o.Permutations = 199
	return o
}

// past makes a history of one measure: the candidate's level by run, the ratio
// that each comparison measured, and who was compared.
type past struct {
	runs      int
	level     func(i int) float64
	change    func(i int) float64 // true change of the ratio
	spread    float64             // of the log ratios and of the level
	baseline  func(i int) string  // commits
	candidate func(i int) string
}

const pairs = 6

func (p past) lines(seed uint64) []history.Line {
	r := rand.New(rand.NewPCG(seed, 1))
	var lines []history.Line
	for i := range p.runs {
		var mean, square float64
		var d [pairs]float64
		for k := range d {
			d[k] = math.Log1p(p.change(i)) + p.spread*r.NormFloat64()
			mean += d[k] / pairs
		}
		for _, x := range d {
			square += (x - mean) * (x - mean) / (pairs - 1)
		}
		ratio, spread := math.Exp(mean), math.Sqrt(square)
		level := p.level(i) * math.Exp(p.spread*r.NormFloat64())
		half := 2.015 * spread / math.Sqrt(pairs)
		low, high := math.Exp(mean-half), math.Exp(mean+half)
		mark := regress.NoChange
		if math.Abs(mean) > math.Log1p(0.05) && low > 1 {
			mark = regress.Regressed
		}
		lines = append(lines, history.Line{
			Schema: history.Schema, Time: time.Date(2026, 1, 1, 3, 0, 0, 0, time.UTC).AddDate(0, 0, i),
			Scenario: "burst", Measure: "cpu_per_message", Unit: "s", Better: "lower",
			Ratio: &ratio, Low: &low, High: &high, Confidence: 0.9, Spread: &spread, Pairs: pairs, Mark: string(mark),
			Baseline:  history.Side{Spec: "git:" + p.baseline(i), Commit: p.baseline(i)},
			Candidate: history.Side{Spec: "git:" + p.candidate(i), Commit: p.candidate(i), Level: &level},
			Host:      history.Host{Fingerprint: "0011", Words: "a host"},
		})
	}
	return lines
}

func commit(i int) string                  { return fmt.Sprintf("c%07d", i) }
func next(i int) string                    { return commit(i + 1) }
func always(string) func(int) string       { return func(int) string { return "base" } }
func constant(x float64) func(int) float64 { return func(int) float64 { return x } }

// TestStep: a change that the comparisons of the day all missed, because each
// was made with a release as its baseline, is a point in level and ratio.
func TestStep(t *testing.T) {
	at := func(i int) float64 {
		if i >= 18 {
			return 0.05
		}
		return 0
	}
	s := one(t, past{runs: 30, spread: 0.015, level: func(i int) float64 { return 2e-6 * (1 + at(i)) }, change: at, baseline: always("base"), candidate: next})
	for what, f := range map[string]Finding{"ratio": s.Ratio, "level": s.Level} {
		if f.Drift != nil || len(f.Points) != 1 || abs(f.Points[0].Line-18) > 2 || !f.Points[0].Worse {
			t.Fatalf("%s: %+v", what, f)
		}
		if c := f.Points[0].Change; c.Low > 0.05 || c.High < 0.05 || c.Confidence != 0.9 {
			t.Errorf("%s changed by %+v, want 0.05", what, c)
		}
	}
	if s.Chain != nil {
		t.Errorf("one baseline for all is no chain: %+v", s.Chain)
	}
}

func abs(i int) int { return max(i, -i) }

// TestSlowDrift: half a percent with each of twenty changes. Every comparison
// says that nothing changed; the chain says what they come to.
func TestSlowDrift(t *testing.T) {
	p := past{runs: 20, spread: 0.012, level: func(i int) float64 { return math.Pow(1.005, float64(i)) },
		change: constant(0.005), baseline: commit, candidate: next}
	s := one(t, p)
	for _, l := range s.Lines {
		if l.Mark != string(regress.NoChange) {
			t.Fatalf("the comparison of %v is %s", l.Time, l.Mark)
		}
	}
	truth := math.Pow(1.005, 20) - 1
	c := s.Chain
	if c == nil || c.Runs != 20 || !c.Told || !c.Worse || !c.Slow || c.From != 0 || c.To != 19 {
		t.Fatalf("the chain is %+v", c)
	}
	if c.Change.Low > truth || c.Change.High < truth || c.Change.Low < 0.03 {
		t.Errorf("the chain comes to %+v, want %.3f", c.Change, truth)
	}
	if d := s.Level.Drift; d == nil || !d.Worse || !d.Slow || len(s.Level.Points) > 0 || d.Change.Low > 0.1 || d.Change.High < 0.1 {
		t.Errorf("the level rises along a line: %+v", s.Level)
	}
	if s.Ratio.Drift != nil || len(s.Ratio.Points) > 0 {
		t.Errorf("the ratios themselves do not change: %+v", s.Ratio)
	}
}

// TestNothing: a chain without any change is told as such, with an interval
// that has 0 in it.
func TestNothing(t *testing.T) {
	s := one(t, past{runs: 20, spread: 0.012, level: constant(1), change: constant(0), baseline: commit, candidate: next})
	if c := s.Chain; c == nil || c.Told || c.Change.Low > 0 || c.Change.High < 0 {
		t.Errorf("the chain is %+v", c)
	}
	if s.Ratio.Drift != nil || s.Level.Drift != nil || len(s.Ratio.Points)+len(s.Level.Points) > 0 {
		t.Errorf("found %+v and %+v", s.Ratio, s.Level)
	}
}

// TestFalseAlarmsSimulated: both searches together find something in series
// that never change no more often than was asked for.
func TestFalseAlarmsSimulated(t *testing.T) {
	const series, significance = 400, 0.10
	o := quick()
	o.Significance, o.Permutations = significance, 99
	ratios, levels := 0, 0
	for seed := range uint64(series) {
		p := past{runs: 20, spread: 0.02, level: constant(1), change: constant(0), baseline: always("base"), candidate: next}
		s := Analyse(p.lines(seed), o)[0]
		if s.Ratio.Drift != nil || len(s.Ratio.Points) > 0 {
			ratios++
		}
		if s.Level.Drift != nil || len(s.Level.Points) > 0 {
			levels++
		}
	}
	t.Logf("false alarms: ratios %.3f, levels %.3f, nominal %.2f", float64(ratios)/series, float64(levels)/series, significance)
	// Three standard deviations above the nominal count.
	if most := int(series*significance + 3*math.Sqrt(series*significance*(1-significance))); ratios > most || levels > most {
		t.Errorf("%d and %d false alarms in %d series, want at most %d", ratios, levels, series, most)
	}
}

func one(t *testing.T, p past) Series {
	t.Helper()
	all := Analyse(p.lines(5), quick())
	if len(all) != 1 {
		t.Fatalf("%d series, want 1", len(all))
	}
	return all[0]
}

// TestChains: which comparisons form a chain.
func TestChains(t *testing.T) {
	side := func(commit, digest, spec string) history.Side {
		return history.Side{Commit: commit, Digest: digest, Spec: spec}
	}
	a, b, c, d := side("a", "", "git:a"), side("b", "", "git:b"), side("c", "", "git:c"), side("d", "", "git:d")
	for _, k := range []struct {
		why   string
		sides [][2]history.Side
		runs  int // of the chain; 0 for none
	}{
		{"each candidate is the next baseline", [][2]history.Side{{a, b}, {b, c}, {c, d}}, 3},
		{"two links are too few", [][2]history.Side{{a, b}, {b, c}}, 0},
		{"a comparison that was repeated is one link", [][2]history.Side{{a, b}, {b, c}, {b, c}, {c, d}}, 4},
		{"and does not make two links three", [][2]history.Side{{b, c}, {b, c}, {c, d}}, 0},
		{"a gap ends it", [][2]history.Side{{a, c}, {a, b}, {b, c}, {c, d}}, 3},
		{"one baseline for all", [][2]history.Side{{a, b}, {a, c}, {a, d}}, 0},
		{"by the binary, where no commit is known", [][2]history.Side{
			{side("", "1", "bin:x"), side("", "2", "bin:y")}, {side("", "2", "bin:old/y"), side("", "3", "bin:y")}, {side("", "3", "bin:z"), side("", "4", "bin:y")}}, 3},
		{"one binary with other options is another", [][2]history.Side{
			{side("", "1", "refserver:flush=sync"), side("", "1", "refserver:flush=async")},
			{side("", "1", "refserver:flush=sync"), side("", "1", "refserver:flush=async")},
			{side("", "1", "refserver:flush=sync"), side("", "1", "refserver:flush=async")}}, 0},
		{"nothing is known", [][2]history.Side{{{}, {}}, {{}, {}}, {{}, {}}}, 0},
	} {
		lines := past{runs: len(k.sides), spread: 0.01, level: constant(1), change: constant(0), baseline: commit, candidate: next}.lines(3)
		for i := range lines {
			lines[i].Baseline, lines[i].Candidate = k.sides[i][0], k.sides[i][1]
		}
		s := Analyse(lines, quick())[0]
		got := 0
		if s.Chain != nil {
			got = s.Chain.Runs
		}
		if got != k.runs {
			t.Errorf("%s: a chain of %d, want %d", k.why, got, k.runs)
		}
	}
	// A repeated measurement halves the variance of its link; it adds no change.
	repeated := meanOf([]changepoint.Step{{Change: 0.1, Variance: 4, Freedom: 5}, {Change: 0.3, Variance: 4, Freedom: 5}})
	if diff := cmp.Diff(changepoint.Step{Change: 0.2, Variance: 2, Freedom: 10}, repeated); diff != "" {
		t.Error(diff)
	}
	lines := past{runs: 4, spread: 0.01, level: constant(1), change: constant(0), baseline: commit, candidate: next}.lines(3)
	lines[0].Spread = nil
	if c := Analyse(lines, quick())[0].Chain; c == nil || c.Runs != 3 || c.From != 1 {
		t.Errorf("a comparison without an interval ends the chain: %+v", c)
	}
}

// TestSeriesApart: scenario, measure and host each make a series, and lines
// come in any order.
func TestSeriesApart(t *testing.T) {
	base := past{runs: 1, level: constant(1), change: constant(0), baseline: commit, candidate: next}.lines(1)[0]
	var lines []history.Line
	for i, k := range [][3]string{{"b", "rss_peak", "1"}, {"a", "rss_peak", "2"}, {"a", "rss_peak", "1"}, {"a", "cpu_seconds", "1"}, {"a", "rss_peak", "1"}} {
		l := base
		l.Scenario, l.Measure, l.Host.Fingerprint = k[0], k[1], k[2]
		l.Time = base.Time.AddDate(0, 0, -i)
		lines = append(lines, l)
	}
	var got []string
	for _, s := range Analyse(lines, quick()) {
		got = append(got, fmt.Sprint(s.Scenario, " ", s.Measure, " ", s.Host.Fingerprint, " ", len(s.Lines)))
		for i := 1; i < len(s.Lines); i++ {
			if s.Lines[i].Time.Before(s.Lines[i-1].Time) {
				t.Error("lines do not come by time")
			}
		}
	}
	if diff := cmp.Diff([]string{"a cpu_seconds 1 1", "a rss_peak 1 2", "a rss_peak 2 1", "b rss_peak 1 1"}, got); diff != "" {
		t.Error(diff)
	}
}

func recordOf(role, spec, digest string, minute int) *record.Record {
	return &record.Record{
		Variant: record.Variant{Role: role, Spec: spec}, Seed: 7, Started: time.Date(2026, 3, 1, 12, minute, 0, 0, time.UTC),
		Build:       record.Build{Floodgate: "v0.1.0", TargetDigest: digest},
		Environment: record.Environment{OS: "linux", Arch: "amd64", Kernel: "6.1", CPUModel: "Example  CPU", Cores: 2, MemoryBytes: 8<<30 - 4096},
	}
}

func TestLines(t *testing.T) {
	records := []*record.Record{
		recordOf(record.Candidate, "git:0123abc:flush=async", "22", 1), recordOf(record.Baseline, "git:main", "11", 0), nil,
	}
	o := OriginOf(records)
	goal, _ := scenarios.LookUp("rss_peak")
	v := regress.Verdict{Comparisons: []regress.Comparison{
		{Scenario: "burst", Goal: goal, Mark: regress.NoChange, Spread: 0.02, Pairs: []regress.Pair{{Baseline: 100, Candidate: 104}, {Baseline: 400, Candidate: 416}},
			Delta: regress.Interval{Estimate: 0.04, Low: 0.03, High: 0.05, Level: 0.9}},
		{Scenario: "single", Goal: goal, Mark: regress.Inconclusive, Pairs: []regress.Pair{{Baseline: 1, Candidate: 2}}, Delta: regress.Interval{Estimate: 1, Low: 1, High: 1}},
		{Scenario: "dead", Goal: goal, Mark: regress.NoVerdict, Delta: regress.Interval{Estimate: math.NaN()}},
	}}
	lines, err := Lines(v, o)
	if err != nil {
		t.Fatal(err)
	}
	x := func(f float64) *float64 { return &f }
	host := history.Host{Fingerprint: o.Host.Fingerprint, Words: "linux/amd64, Example CPU, 2 cores, 8 GiB"}
	common := history.Line{Schema: 1, Time: records[1].Started, Measure: "rss_peak", Unit: "B", Better: "lower", Host: host, Seed: 7, Floodgate: "v0.1.0",
		Baseline:  history.Side{Spec: "git:main", Digest: "11"},
		Candidate: history.Side{Spec: "git:0123abc:flush=async", Digest: "22", Commit: "0123abc"}}
	burst, single, dead := common, common, common
	burst.Scenario, burst.Mark, burst.Pairs = "burst", "no change", 2
	burst.Ratio, burst.Low, burst.High, burst.Confidence, burst.Spread = x(1.04), x(1.03), x(1.05), 0.9, x(0.02)
	burst.Baseline.Level, burst.Candidate.Level = x(200), x(208)
	single.Scenario, single.Mark, single.Pairs, single.Ratio = "single", "inconclusive", 1, x(2)
	single.Baseline.Level, single.Candidate.Level = x(1), x(2)
	dead.Scenario, dead.Mark = "dead", "no verdict"
	near := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-9 })
	if diff := cmp.Diff([]history.Line{burst, single, dead}, lines, near); diff != "" {
		t.Error(diff)
	}
	for i := range lines {
		if err := lines[i].Validate(); err != nil {
			t.Error(err)
		}
	}

	other := recordOf(record.Candidate, "git:0123abc:flush=async", "22", 2)
	other.Environment.Cores = 64
	for want, o := range map[string]Origin{
		"it was made on 2 hosts":           OriginOf(append(records, other)),
		"it does not say when it was made": {},
	} {
		if _, err := Lines(v, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	apart := regress.Verdict{Comparisons: []regress.Comparison{{Scenario: "burst", Goal: goal, Mark: regress.NoChange}}}
	if _, err := Lines(apart, o); err == nil || !strings.Contains(err.Error(), "burst was compared without pairs") {
		t.Errorf("two runs made apart: %v", err)
	}
	if _, err := Lines(regress.Verdict{}, o); err == nil || !strings.Contains(err.Error(), "it has no comparisons") {
		t.Errorf("no comparisons: %v", err)
	}
}

// TestDocumentedFigures: the settings of the searches are those of
// docs/statistics.md.
func TestDocumentedFigures(t *testing.T) {
	page := documented.Open(t, "../../docs/statistics.md")
	o := DefaultOptions()
	for _, sentence := range []string{
		fmt.Sprintf("(%d permutations within the segments", o.Permutations),
		fmt.Sprintf("At least %d runs on either side, from %d runs on, in the latest %d", o.MinSegment, leastRuns, changepoint.MaxRuns),
		fmt.Sprintf("chain of at least %d links is shown, and called a change where its interval excludes 0 at %.0f %%", leastLinks, 100*(1-o.Significance/searches)),
		fmt.Sprintf("`--false-alarms`, %.0f %%, is the probability", 100*o.Significance),
	} {
		t.Log(sentence)
		page.Says(t, sentence)
	}
}

func TestCommits(t *testing.T) {
	for spec, want := range map[string]string{
		"git:0123abc": "0123abc", "git:0123abc:flush=sync": "0123abc", "git:main": "", "git:v1.2.3": "", "bin:0123abc": "", "refserver:flush=sync": "",
	} {
		if got := commitOf(recordOf("", spec, "", 0)); got != want {
			t.Errorf("%s names commit %q, want %q", spec, got, want)
		}
	}
	a, b := recordOf("", "", "", 0), recordOf("", "", "", 0)
	b.Environment.Kernel, b.Environment.MemoryBytes = "6.2", 8<<30
	if HostOf(a.Environment) != HostOf(b.Environment) {
		t.Error("another kernel, or a few pages, make another host")
	}
	if b.Environment.CPUModel = "Other CPU"; HostOf(a.Environment) == HostOf(b.Environment) {
		t.Error("another processor makes no other host")
	}
	// What a branch was when it was built is known; two of its commits are none.
	built, later := recordOf(record.Candidate, "git:main", "1", 0), recordOf(record.Candidate, "git:main", "1", 1)
	built.Build.Source, later.Build.Source = &record.Source{Ref: "main", Commit: "0123abcd"}, &record.Source{Ref: "main", Commit: "4567ef01"}
	if o := OriginOf([]*record.Record{built}); o.Candidate.Commit != "0123abcd" {
		t.Errorf("a branch that was built is %+v", o.Candidate)
	}
	if o := OriginOf([]*record.Record{built, later}); o.Candidate != (Build{Spec: "git:main", Digest: "1"}) {
		t.Errorf("two commits of a branch are %+v", o.Candidate)
	}
	mixed := OriginOf([]*record.Record{recordOf(record.Candidate, "bin:a", "1", 0), recordOf(record.Candidate, "bin:b", "2", 0)})
	if want := (Build{Spec: "several"}); mixed.Candidate != want {
		t.Errorf("two builds in one role are %+v", mixed.Candidate)
	}
}

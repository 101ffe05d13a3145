package regress

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"floodgate/internal/record"
)

// balanced records six pairs between which nothing changed.
func balanced(r *run) { r.pairs(wobble, shaken) }

// decisions are whole runs with all their reasons, in their order.
var decisions = []struct {
	name    string
	build   func(*run)
	outcome Outcome
	reasons []string
}{
	{"nothing changed", func(r *run) {
		r.scenario("packed_3m", "cpu_per_message", 6)
		balanced(r)
	}, Pass, []string{"1 comparison: 1 no change."}},

	{"a regression that survives Holm fails the run", func(r *run) {
		r.scenario("burst_300k", "rss_peak", 6)
		balanced(r)
		r.scenario("packed_3m", "cpu_per_message", 6)
		r.pairs(wobble, times(shaken, 1.2))
	}, Fail, []string{
		"packed_3m: cpu_per_message regressed by +20.0 % [+18.9, +21.1], p < 0.001 after Holm.",
		"2 comparisons: 1 regressed, 1 no change.",
	}},

	{"an improvement passes", func(r *run) {
		r.scenario("packed_3m", "delivered_messages", 6)
		r.pairs(wobble, times(shaken, 1.2))
	}, Pass, []string{"1 comparison: 1 improved."}},

	{"a gate that holds in every replicate passes", func(r *run) {
		r.scenario("burst_300k", "cpu_seconds", 6).Gate = true
		balanced(r)
		r.check("lost_messages", "==", 0)
		for _, x := range r.in.Records {
			add(x, "lost_messages", 0)
		}
	}, Pass, []string{
		"burst_300k, bounds check lost_messages: 6/6 replicas passed. Gate passed.",
		"1 comparison: 1 no change.",
	}},

	{"one replicate is enough to fail a gate", func(r *run) {
		r.scenario("burst_300k", "cpu_seconds", 6).Gate = true
		balanced(r)
		r.check("lost_messages", "==", 0)
		for i, x := range r.in.Records {
			add(x, "lost_messages", float64(i/11)) // the last record alone: the candidate's sixth
		}
	}, Fail, []string{
		"burst_300k, bounds check lost_messages: 5/6 replicas passed. Failed 1 which is > 0. Gate FAILED.",
		"1 comparison: 1 no change.",
	}},

	{"a failed gate decides although another replicate is missing", func(r *run) {
		r.scenario("burst_300k", "cpu_seconds", 6).Gate = true
		balanced(r)
		r.check("rss_peak", "<=", 50)
		for i, x := range r.in.Records {
			if i > 1 {
				add(x, "rss_peak", 64)
			}
		}
	}, Fail, []string{
		"burst_300k, bounds check rss_peak: 0/6 replicas passed. Not measured in 1. Failed 5 which is > 0. Gate FAILED.",
		"1 comparison: 1 no change.",
	}},

	{"a gate without its measure is not decided", func(r *run) {
		r.scenario("burst_300k", "cpu_seconds", 6).Gate = true
		balanced(r)
		r.check("queue_length_peak", "<=", 1024)
	}, Unmeasured, []string{
		"burst_300k, bounds check queue_length_peak: 0/6 replicas passed. Not measured in 6. Gate NOT DECIDED.",
		"1 comparison: 1 no change.",
	}},

	{"checks outside a gate, or for information, do not decide", func(r *run) {
		r.scenario("burst_300k", "cpu_seconds", 6)
		r.check("cpu_seconds", "<=", 1)
		balanced(r)
		r.scenario("packed_3m", "cpu_seconds", 6).Gate = true
		r.check("cpu_seconds", "<=", 1).Informational = true
		balanced(r)
	}, Pass, []string{"2 comparisons: 2 no change."}},

	{"an invalid replicate is named", func(r *run) {
		r.scenario("packed_3m", "cpu_seconds", 6)
		balanced(r)
		r.in.Records[5].Invalid = "the generator was late: p99 3ms, limit 1ms."
	}, Unmeasured, []string{
		"packed_3m: cpu_seconds has no verdict: replicate 2: the candidate is invalid: the generator was late: p99 3ms, limit 1ms.",
		"1 comparison: 1 no verdict.",
	}},

	{"a planned scenario without records is not forgotten", func(r *run) {
		r.scenario("packed_3m", "cpu_seconds", 6)
		balanced(r)
		r.scenario("idle", "rss_peak", 6)
	}, Unmeasured, []string{
		"idle: rss_peak has no verdict: none of the 6 planned pairs left a record.",
		"2 comparisons: 1 no change, 1 no verdict.",
	}},

	{"a regression beats missing data", func(r *run) {
		r.scenario("idle", "rss_peak", 6)
		r.scenario("packed_3m", "cpu_seconds", 6)
		r.pairs(wobble, times(shaken, 2))
	}, Fail, []string{
		"packed_3m: cpu_seconds regressed by +100.0 % [+98.2, +101.8], p < 0.001 after Holm.",
		"idle: rss_peak has no verdict: none of the 6 planned pairs left a record.",
		"2 comparisons: 1 regressed, 1 no verdict.",
	}},

	{"nothing planned is nothing passed", func(*run) {}, Unmeasured, []string{"no scenario was judged."}},

	{"options that judge nothing", func(r *run) {
		r.scenario("packed_3m", "cpu_seconds", 6)
		balanced(r)
		r.in.Options.Confidence = 90
	}, Unmeasured, []string{"cannot judge at a confidence of 90: want a share from 0.5 to 0.999, such as 0.9 for 90 %."}},
}

func TestDecision(t *testing.T) {
	for _, c := range decisions {
		t.Run(c.name, func(t *testing.T) {
			r := newRun(t)
			c.build(r)
			got := Judge(r.in).Decision
			if diff := cmp.Diff(Decision{c.outcome, c.reasons}, got); diff != "" {
				t.Errorf("decision (-want +got):\n%s", diff)
			}
		})
	}
}

// TestHolmDecides: a ❌ that is one of many surprises is shown, but does not
// fail the run; with fewer scenarios the same figures do.
func TestHolmDecides(t *testing.T) {
	judge := func(others int) Verdict {
		r := newRun(t)
		r.scenario("suspect", "cpu_seconds", 6)
		r.pairs([]float64{100, 100, 100, 100, 100, 100}, []float64{112, 104, 118, 101, 110, 99})
		for range others {
			r.scenario("other_"+string(rune('a'+len(r.in.Scenarios))), "cpu_seconds", 6)
			r.pairs(wobble, shaken)
		}
		return Judge(r.in)
	}
	alone, crowd := judge(0), judge(9)
	for _, v := range []Verdict{alone, crowd} {
		if c := v.Comparisons[0]; c.Mark != Regressed {
			t.Fatalf("the mark is %s (%s), want regressed", c.Mark, c.Reason)
		}
	}
	if alone.Decision.Outcome != Fail || !alone.Comparisons[0].Confirmed(alone.Options) {
		t.Errorf("alone: %+v, want a failed run", alone.Decision)
	}
	want := "suspect: cpu_seconds is marked as regressed by +7.1 % [+1.4, +13.2], but its p 0.027 is p 0.27 after Holm over 10 scenarios, above 0.05: it does not decide."
	if crowd.Decision.Outcome != Pass || crowd.Decision.Reasons[0] != want || crowd.Comparisons[0].Confirmed(crowd.Options) {
		t.Errorf("in a crowd: %+v,\nwant a passed run that says: %s", crowd.Decision, want)
	}
}

// TestErraticIsOutsideTheFamily: scenarios that can never decide do not make
// the others harder to confirm.
func TestErraticIsOutsideTheFamily(t *testing.T) {
	r := newRun(t)
	r.scenario("suspect", "cpu_seconds", 6)
	r.pairs(wobble, times(shaken, 1.2))
	r.scenario("noisy", "cpu_seconds", 6).Erratic = true
	r.pairs(wobble, times(shaken, 1.2))
	v := Judge(r.in)
	if c := v.Comparisons[0]; c.PAdjusted != c.P {
		t.Errorf("p %v became %v: the erratic scenario was counted", c.P, c.PAdjusted)
	}
	if c := v.Comparisons[1]; c.Mark != Inconclusive || c.PAdjusted != 1 || !strings.HasPrefix(c.Reason, "declared erratic") {
		t.Errorf("erratic: %s (%s), p %v", c.Mark, c.Reason, c.PAdjusted)
	}
}

// TestMissingStaysInTheFamily: a scenario without a verdict was to be judged.
func TestMissingStaysInTheFamily(t *testing.T) {
	r := newRun(t)
	r.scenario("suspect", "cpu_seconds", 6)
	r.pairs(wobble, times(shaken, 1.2))
	r.scenario("absent", "cpu_seconds", 6)
	v := Judge(r.in)
	if c := v.Comparisons[0]; math.Abs(c.PAdjusted-2*c.P) > 1e-15 {
		t.Errorf("p %v became %v, want it doubled", c.P, c.PAdjusted)
	}
}

// TestWorthALook: what is worse without deciding is listed, and nothing else.
func TestWorthALook(t *testing.T) {
	r := newRun(t)
	for _, c := range []struct {
		name   string
		values []float64
	}{
		{"confirmed", times(shaken, 1.2)},
		{"smaller_than_the_tolerance", times(shaken, 1.045)},
		{"proved_unchanged", times(shaken, 1.01)},
		{"better", times(shaken, 0.8)},
		{"noisy", []float64{80, 130, 90, 120, 70, 110}},
		{"erratic", times(shaken, 1.3)},
		{"absent", nil},
	} {
		r.scenario(c.name, "cpu_seconds", 6).Erratic = c.name == "erratic"
		r.pairs(wobble[:len(c.values)], c.values)
	}
	v := Judge(r.in)
	var listed []string
	for _, c := range v.Comparisons {
		if c.WorthALook(v.Options) {
			listed = append(listed, c.Scenario)
		}
		if c.Mark == NoVerdict && c.Q != 1 {
			t.Errorf("%s has no verdict and a q of %v", c.Scenario, c.Q)
		}
	}
	if want := []string{"smaller_than_the_tolerance", "erratic"}; !slices.Equal(listed, want) {
		t.Errorf("worth a look are %q, want %q: %+v", listed, want, v.Comparisons)
	}
	// The rule of proof asks more of a mark, and so leaves more to look at.
	r.in.Options.Rule = Prove
	if c := Judge(r.in).Comparisons[1]; c.Mark != Inconclusive || !c.WorthALook(r.in.Options) || c.P < c.Q {
		t.Errorf("under the rule of proof: %s, p %v, q %v", c.Mark, c.P, c.Q)
	}
}

// TestProve: under the rule of proof the whole interval has to lie beyond the
// tolerance, and so has the robust estimate.
func TestProve(t *testing.T) {
	o := DefaultOptions()
	o.Rule = Prove
	for _, c := range []struct {
		name   string
		d      []float64
		worse  float64
		mark   Mark
		reason string
	}{
		{"all of it beyond", changes(0.18, 0.22, 0.20, 0.19, 0.21, 0.20), 1, Regressed, "the whole 90 % interval [+18.8, +21.2] lies beyond 5 %"},
		{"all of it beyond, for the better", changes(-0.18, -0.22, -0.20, -0.19, -0.21, -0.20), 1, Improved, "lies beyond 5 %"},
		{"the estimate alone beyond", changes(0.02, 0.10, 0.07, 0.03, 0.08, 0.06), 1, Inconclusive, "a change for the worse, but not whether it reaches 5 %"},
		{"exactly the tolerance", changes(0.05, 0.05, 0.05, 0.05, 0.05), 1, Regressed, "lies beyond"},
		{"nothing", changes(0.01, -0.01, 0.02, -0.02, 0.005, 0), 1, NoChange, "lies within"},
	} {
		e := estimateOf(c.d, o.Confidence, c.worse)
		if j := e.judge(o, false); j.mark != c.mark || !strings.Contains(j.reason, c.reason) {
			t.Errorf("%s: %s: %s; want %s: …%s…", c.name, j.mark, j.reason, c.mark, c.reason)
		}
	}
	split := estimate{n: 6, mean: 0.10, spread: 0.1, worse: 1,
		student: logInterval{0.10, 0.06, 0.14, 0.9}, robust: logInterval{0.03, 0.01, 0.12, 0.91}}
	if j := split.judge(o, false); j.mark != Inconclusive || !strings.Contains(j.reason, "contradict") {
		t.Errorf("a robust estimate within the tolerance: %s: %s", j.mark, j.reason)
	}
	o.Rule = "guess"
	if o.Validate() == nil {
		t.Error("an unknown rule is accepted")
	}
}

func TestFailOnInconclusive(t *testing.T) {
	r := newRun(t)
	r.scenario("packed_3m", "cpu_seconds", 1)
	r.pairs([]float64{100}, []float64{101})
	if got := Judge(r.in).Decision.Outcome; got != Pass {
		t.Errorf("by default an inconclusive run is %s, want pass", got)
	}
	r.in.Options.FailOnInconclusive = true
	if got := Judge(r.in).Decision; got.Outcome != Unmeasured || !strings.Contains(got.Reasons[0], "at least 2 pairs are needed") {
		t.Errorf("where asked for, an inconclusive run is %+v, want unmeasured", got)
	}
}

// TestComparisonFigures checks that every figure of a comparison is where the
// reports look for it.
func TestComparisonFigures(t *testing.T) {
	r := newRun(t)
	r.scenario("packed_3m", "cpu_seconds", 6)
	r.pairs(wobble, times(shaken, 1.2))
	for i := range r.in.Records[4:6] { // the third pair needed two repeats
		r.in.Records[4+i].Attempt = 2
	}
	c := Judge(r.in).Comparisons[0]
	if len(c.Pairs) != 6 || c.Planned != 6 || c.Repeats != 2 || len(c.Warnings) != 0 {
		t.Errorf("%d of %d pairs, %d repeats, warnings %q", len(c.Pairs), c.Planned, c.Repeats, c.Warnings)
	}
	if want := (Pair{Replicate: 1, First: record.Candidate, Baseline: 104, Candidate: 103 * 1.2}); c.Pairs[1] != want {
		t.Errorf("pair 1 is %+v, want %+v", c.Pairs[1], want)
	}
	if c.Delta.Level != 0.9 || c.Robust.Level < 0.9 || !(c.Delta.Low < c.Delta.Estimate && c.Delta.Estimate < c.Delta.High) ||
		!(c.Robust.Low < c.Robust.Estimate && c.Robust.Estimate < c.Robust.High) {
		t.Errorf("intervals %+v and %+v", c.Delta, c.Robust)
	}
	if c.PRandom != 2.0/64 {
		t.Errorf("six changes of one sign have a sign-flip p of %v, want 2/64", c.PRandom)
	}
	if c.Spread <= 0 || c.MinimumDetectable <= 0 || c.MinimumDetectable > 0.05 || c.PairsNeeded != 0 {
		t.Errorf("spread %v, detectable %v, pairs needed %d", c.Spread, c.MinimumDetectable, c.PairsNeeded)
	}
}

// TestPairSelection: which attempt counts, and what is said where none does.
func TestPairSelection(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*run)
		mark   Mark
		reason string // part
	}{
		{"the last attempt counts", func(r *run) {
			r.in.Records[0].Invalid, r.in.Records[1].Invalid = "late", "late"
			r.record(record.Baseline, 0, 100).Attempt = 1
			r.record(record.Candidate, 0, 101).Attempt = 1
		}, NoChange, ""},
		{"also if it is the invalid one", func(r *run) {
			x := r.record(record.Baseline, 0, 100)
			x.Attempt, x.Invalid = 1, "the target died"
		}, NoVerdict, "replicate 0: the baseline is invalid: the target died"},
		{"one role alone is no pair", func(r *run) {
			r.drop(func(x *record.Record) bool { return x.Variant.Role == record.Candidate && x.Replicate == 3 })
		}, NoVerdict, "replicate 3: no record of the candidate"},
		{"both roles are named", func(r *run) {
			r.drop(func(x *record.Record) bool { return x.Replicate == 5 })
		}, NoVerdict, "replicate 5: no record of the baseline and no record of the candidate"},
		{"two records of one attempt are ambiguous", func(r *run) {
			r.record(record.Baseline, 2, 100)
		}, NoVerdict, "replicate 2: two records of attempt 0 of the baseline"},
		{"the goal must have been measured", func(r *run) {
			r.in.Records[1].Measures = nil
		}, NoVerdict, "replicate 0: the candidate has no cpu_seconds"},
		{"and must be a number", func(r *run) {
			r.in.Records[1].Measures[0].Value = math.NaN()
		}, NoVerdict, "replicate 0: the candidate has no cpu_seconds"},
		{"no ratio without a value above zero", func(r *run) {
			r.in.Records[2].Measures[0].Value = 0
		}, NoVerdict, "replicate 1 of the baseline has 0s: a count that may be zero is bounded by a check"},
		{"nor of all zeros", func(r *run) {
			for _, x := range r.in.Records {
				x.Measures[0].Value = 0
			}
		}, NoVerdict, "no replicate has one: a count that may be zero is bounded by a check"},
		{"many faults are cut short", func(r *run) {
			r.drop(func(x *record.Record) bool { return x.Variant.Role == record.Candidate && x.Replicate > 0 })
		}, NoVerdict, "; and 2 more"},
		{"no pairs planned", func(r *run) {
			r.in.Replicates = map[string]int{"packed_3m": 0}
		}, NoVerdict, "no pairs were planned"},
		{"more planned than the scenario says", func(r *run) {
			r.in.Replicates = map[string]int{"packed_3m": 7}
		}, NoVerdict, "replicate 6: no record"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRun(t)
			r.scenario("packed_3m", "cpu_seconds", 6)
			r.pairs(wobble, shaken)
			c.change(r)
			v := Judge(r.in)
			got := v.Comparisons[0]
			if got.Mark != c.mark || !strings.Contains(got.Reason, c.reason) {
				t.Errorf("%s: %s; want %s: …%s…", got.Mark, got.Reason, c.mark, c.reason)
			}
			if want := map[Mark]Outcome{NoVerdict: Unmeasured, NoChange: Pass}[c.mark]; v.Decision.Outcome != want {
				t.Errorf("the run is %s, want %s", v.Decision.Outcome, want)
			}
		})
	}
}

// TestStrayRecords: what was not planned is left out, and said so.
func TestStrayRecords(t *testing.T) {
	r := newRun(t)
	r.scenario("packed_3m", "cpu_seconds", 6)
	r.pairs(wobble, shaken)
	r.record(record.Baseline, 6, 500)
	r.record(record.Baseline, -1, 500)
	r.record(record.Candidate, 0, 500).Scenario = "yesterday"
	r.in.Records = append(r.in.Records, nil)
	v := Judge(r.in)
	want := []string{
		"1 record left out of scenario yesterday, which was not planned",
		"2 records left out of scenario packed_3m beyond the 6 planned replicates",
	}
	if diff := cmp.Diff(want, v.Warnings); diff != "" || v.Comparisons[0].Mark != NoChange {
		t.Errorf("%s; warnings (-want +got):\n%s", v.Comparisons[0].Mark, diff)
	}
}

// TestDeterministic: the order of the records says nothing, and the input is
// left as it was.
func TestDeterministic(t *testing.T) {
	r := newRun(t)
	for _, name := range []string{"a", "b", "c"} {
		r.scenario(name, "cpu_seconds", 6)
		r.check("cpu_seconds", "<=", 102)
		r.pairs(wobble, times(shaken, 1.05))
		r.record(record.Baseline, 7, 1)
	}
	want := Judge(r.in)
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		random.Shuffle(len(r.in.Records), func(i, j int) {
			r.in.Records[i], r.in.Records[j] = r.in.Records[j], r.in.Records[i]
		})
		before := slices.Clone(r.in.Records)
		if diff := cmp.Diff(want, Judge(r.in)); diff != "" {
			t.Fatalf("another order, another verdict:\n%s", diff)
		}
		if !slices.Equal(before, r.in.Records) {
			t.Fatal("the caller's records were reordered")
		}
	}
}

// FuzzJudge holds two promises for any numbers: the verdict can be written as
// JSON, and a run with a gap never passes.
func FuzzJudge(f *testing.F) {
	f.Add(uint64(1), 6, 1.0, 0.05)
	f.Add(uint64(2), 1, 0.0, 0.0)
	f.Add(uint64(3), 2, 1e300, 3.0)
	f.Add(uint64(4), 5, math.SmallestNonzeroFloat64, 700.0)
	f.Add(uint64(5), 21, -1.0, 1e-9)
	f.Add(uint64(6), 3, math.Inf(1), math.NaN())
	f.Fuzz(func(t *testing.T, seed uint64, pairs int, scale, spread float64) {
		pairs = max(min(pairs, 24), 0)
		random := rand.New(rand.NewPCG(seed, 0))
		value := func() float64 { return scale * math.Exp(spread*random.NormFloat64()) }
		r := newRun(t)
		r.scenario("any", "cpu_seconds", pairs).Gate = true
		r.check("cpu_seconds", "<=", 1)
		for i := range pairs {
			r.record(record.Baseline, i, value())
			r.record(record.Candidate, i, value())
		}
		v := Judge(r.in)
		if _, err := json.Marshal(v); err != nil {
			t.Errorf("%v: %+v", err, v)
		}
		if pairs == 0 {
			return
		}
		gap := int(seed % uint64(len(r.in.Records)))
		r.in.Records = slices.Delete(r.in.Records, gap, gap+1)
		r.in.Roles = []string{record.Baseline, record.Candidate}
		if got := Judge(r.in).Decision.Outcome; got == Pass {
			t.Errorf("without record %d of %d the run passes", gap, 2*pairs)
		}
	})
}

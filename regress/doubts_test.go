package regress

import (
	"strings"
	"testing"

	"floodgate/internal/record"
)

// TestDoubts changes one thing about six sound pairs and looks for the warning.
func TestDoubts(t *testing.T) {
	each := func(change func(*record.Record)) func([]*record.Record) {
		return func(records []*record.Record) {
			for _, r := range records {
				change(r)
			}
		}
	}
	for _, c := range []struct {
		name   string
		change func([]*record.Record)
		want   string // part of the only warning; empty for none
	}{
		{"sound", func([]*record.Record) {}, ""},
		{"the baseline always first", each(func(r *record.Record) { r.Order.First = record.Baseline }),
			"the baseline ran first in 6 of 6 pairs"},
		{"the candidate first in all but one", each(func(r *record.Record) {
			if r.Order.First = record.Candidate; r.Replicate == 0 {
				r.Order.First = record.Baseline
			}
		}), "the candidate ran first in 5 of 6 pairs"},
		{"no order recorded", each(func(r *record.Record) { r.Order.First = "" }), "the records of 6 of 6 pairs do not say which role ran first"},
		{"a pair that contradicts itself", func(r []*record.Record) { r[0].Order.First = record.Candidate },
			"the records of 1 of 6 pairs do not say which role ran first"},
		{"one role after the other", each(func(r *record.Record) {
			r.Order.Position = r.Replicate
			if r.Variant.Role == record.Baseline {
				r.Order.Position += 6
			}
		}), "every replicate of the candidate ran before every one of the baseline"},
		{"a woven pair shares its position", each(func(r *record.Record) { r.Order.Position = r.Replicate }), ""},
		{"attempts that did not meet", func(r []*record.Record) { r[4].Attempt = 1 }, "pairs attempt 1 of the baseline with attempt 0 of the candidate"},
		{"another load", func(r []*record.Record) { r[4].Build.CorpusDigest = "beef" }, "replicate 2 was offered different messages"},
		{"another machine", func(r []*record.Record) { r[4].Environment.Cores = 64 }, "replicate 2 ran on different machines"},
		{"pairs on two machines are sound", each(func(r *record.Record) { r.Environment.Cores = 2 + r.Replicate }), ""},
		{"another set-up half way", func(r []*record.Record) { r[7].Variant.Spec = "refserver:flush=sync" }, "the candidate of replicate 3 is not what it was in replicate 0"},
		{"another binary half way", func(r []*record.Record) { r[6].Build.TargetDigest = "beef" }, "the baseline of replicate 3 is not what it was in replicate 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRun(t)
			r.scenario("packed_3m", "cpu_seconds", 6)
			r.pairs(wobble, shaken)
			c.change(r.in.Records)
			got := Judge(r.in).Comparisons[0]
			if c.want == "" && len(got.Warnings) > 0 || c.want != "" && (len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], c.want)) {
				t.Errorf("warnings %q, want one with %q", got.Warnings, c.want)
			}
			if got.Mark != NoChange {
				t.Errorf("a doubt made the mark %s", got.Mark)
			}
		})
	}
}

// TestOnePairHasNoOrder: one pair cannot be balanced, and nobody claims it is.
func TestOnePairHasNoOrder(t *testing.T) {
	r := newRun(t)
	r.scenario("packed_3m", "cpu_seconds", 1)
	r.pairs([]float64{1}, []float64{1})
	if got := Judge(r.in).Comparisons[0].Warnings; len(got) > 0 {
		t.Errorf("warnings %q, want none", got)
	}
}

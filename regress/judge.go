package regress

import (
	"fmt"
	"math"
	"strings"

	"floodgate/internal/record"
	"floodgate/scenarios"
)

// Input is everything a judgement depends on. Judge changes none of it.
type Input struct {
	// Scenarios are those that were planned, in the order of the verdict.
	Scenarios []scenarios.Scenario
	// Replicates holds the planned pairs by scenario name. A scenario that is
	// not in it planned its own Scenario.Replicates.
	Replicates map[string]int
	// Records are all replicates of the run, in any order, with their invalid
	// attempts.
	Records []*record.Record
	// Roles are the roles that were planned. Leave it empty to judge by the
	// roles that occur in Records; say both to have a run whose baseline left
	// no record at all come out as unmeasured and not as a run of one variant.
	Roles   []string
	Options Options
}

// Judge compares, checks and decides. It never fails: what it cannot judge is
// part of the verdict, and missing data never pass.
//
// With records of one role only there is nothing to compare: the checks of that
// role alone make the decision.
func Judge(in Input) Verdict {
	v := Verdict{Options: in.Options}
	if err := in.Options.Validate(); err != nil {
		v.Decision = Decision{Outcome: Unmeasured, Reasons: []string{err.Error() + "."}}
		return v
	}
	b := newBook(in)
	v.Warnings = b.warnings
	role := record.Candidate
	if !b.roles[record.Candidate] {
		role = record.Baseline
	}
	var missing []string
	for _, s := range in.Scenarios {
		if b.roles[record.Baseline] && b.roles[record.Candidate] {
			v.Comparisons = append(v.Comparisons, b.compare(s, in.Options))
		} else {
			missing = append(missing, b.missingOf(s, role)...)
		}
		for _, c := range s.Checks {
			v.Checks = append(v.Checks, b.check(s, c, role))
		}
	}
	adjust(v.Comparisons)
	v.Decision = decide(v, missing, len(in.Scenarios))
	return v
}

// Confirmed reports whether c is a regression that counts against the run: it
// is marked as one and survives Holm over the scenarios of the run.
func (c Comparison) Confirmed(o Options) bool {
	return c.Mark == Regressed && c.PAdjusted <= o.Alpha()
}

// compare judges the goal of one scenario.
func (b *book) compare(s scenarios.Scenario, o Options) Comparison {
	c := Comparison{
		Scenario: s.Name, Goal: s.Goal, Erratic: s.Erratic, Planned: b.planned[s.Name],
		P: 1, PAdjusted: 1, PRandom: 1, Mark: NoVerdict,
	}
	pairs, faults := b.pairs(s)
	for _, p := range pairs {
		c.Pairs = append(c.Pairs, p.Pair)
	}
	c.Repeats = b.repeats(s.Name)
	c.Warnings = doubts(pairs)
	if fault := unfitForRatios(c); fault != "" {
		faults = append(faults, fault)
	} else if len(c.Pairs) > 0 {
		j := c.estimate(o)
		c.Mark, c.Reason, c.PairsNeeded = j.mark, j.reason, j.pairs
	}
	if len(faults) > 0 {
		c.Mark, c.Reason, c.PairsNeeded = NoVerdict, firstOf(faults), 0
	}
	return c
}

// estimate fills in the figures of c from its pairs, at least one and all with
// values above zero, and judges them.
func (c *Comparison) estimate(o Options) judgement {
	worse := 1.0
	if c.Goal.Better == "higher" {
		worse = -1
	}
	d := make([]float64, len(c.Pairs))
	for i, p := range c.Pairs {
		d[i] = math.Log(p.Candidate) - math.Log(p.Baseline)
	}
	e := estimateOf(d, o.Confidence, worse)
	c.Delta, c.Robust = e.student.relative(), e.robust.relative()
	c.Spread, c.P, c.PRandom = e.spread, e.p, signFlip(d)
	c.MinimumDetectable = MinimumDetectable(e.n, e.spread, o.Confidence)
	return e.outlook(o, e.judge(o, c.Erratic))
}

// unfitForRatios says why the pairs of c have no ratios; empty when they have.
func unfitForRatios(c Comparison) string {
	zeros, first := 0, ""
	for _, p := range c.Pairs {
		for _, side := range []struct {
			role  string
			value float64
		}{{record.Baseline, p.Baseline}, {record.Candidate, p.Candidate}} {
			if side.value > 0 {
				continue
			}
			zeros++
			if first == "" {
				first = fmt.Sprintf("replicate %d of the %s has %s", p.Replicate, side.role, scenarios.Format(side.value, c.Goal.Unit))
			}
		}
	}
	switch zeros {
	case 0:
		return ""
	case 2 * len(c.Pairs):
		first = "no replicate has one"
	}
	return fmt.Sprintf("ratios of %s need values above zero and %s: a count that may be zero is bounded by a check, not compared", c.Goal.Name, first)
}

// adjust fills in PAdjusted: Holm over all comparisons that could decide. One
// without a verdict stays in the family, with a p of 1, because it was to be
// judged: leaving it out would make the others easier to confirm.
func adjust(comparisons []Comparison) {
	var family []int
	var p []float64
	for i, c := range comparisons {
		if c.Erratic {
			continue
		}
		family = append(family, i)
		if c.Mark == NoVerdict {
			p = append(p, 1)
		} else {
			p = append(p, c.P)
		}
	}
	for k, adjusted := range Holm(p) {
		comparisons[family[k]].PAdjusted = adjusted
	}
}

// firstOf joins the first few faults into one sentence.
func firstOf(faults []string) string {
	const most = 3
	if rest := len(faults) - most; rest > 0 {
		faults = append(append([]string(nil), faults[:most]...), fmt.Sprintf("and %d more", rest))
	}
	return strings.Join(faults, "; ")
}

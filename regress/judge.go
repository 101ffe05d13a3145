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
	Roles []string
	// Apart says that the two roles come from runs of their own. Then replicates of
	// one number are no pair: two samples are compared (Welch's test on the
	// logarithms), and how many replicates each side planned its records say.
	Apart   bool
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
	var compared []comparison
	for _, s := range in.Scenarios {
		if b.roles[record.Baseline] && b.roles[record.Candidate] {
			compared = append(compared, b.compare(s, in.Options))
		} else {
			missing = append(missing, b.missingOf(s, role)...)
		}
		for _, c := range s.Checks {
			v.Checks = append(v.Checks, b.check(s, c, role))
		}
	}
	v.Comparisons = adjust(compared)
	v.Decision = decide(v, missing, len(in.Scenarios))
	return v
}

// Confirmed reports whether c is a regression that counts against the run: it
// is marked as one and survives Holm over the scenarios of the run.
func (c Comparison) Confirmed(o Options) bool {
	return c.Mark == Regressed && c.PAdjusted <= o.Alpha()
}

// comparison is a Comparison before it is adjusted for the others of the run.
type comparison struct {
	Comparison
	p float64 // of H0: no change for the worse, whatever the rule
}

// compare judges the goal of one scenario.
func (b *book) compare(s scenarios.Scenario, o Options) comparison {
	c := comparison{Comparison: Comparison{
		Scenario: s.Name, Goal: s.Goal, Erratic: s.Erratic, Planned: b.planned[side{s.Name, record.Baseline}],
		P: 1, PAdjusted: 1, PRandom: 1, Q: 1, Mark: NoVerdict,
	}, p: 1}
	c.Repeats = b.repeats(s.Name)
	var faults []string
	var logs logarithms
	if b.apart {
		c.Apart = new(Samples)
		*c.Apart, faults, c.Warnings = b.samples(s)
		c.Planned = max(c.Planned, b.planned[side{s.Name, record.Candidate}])
		logs.baseline, logs.candidate = logsOf(c.Apart.Baseline), logsOf(c.Apart.Candidate)
	} else {
		var pairs []recordPair
		pairs, faults = b.pairs(s)
		for _, p := range pairs {
			c.Pairs = append(c.Pairs, p.Pair)
			logs.ratios = append(logs.ratios, math.Log(p.Candidate)-math.Log(p.Baseline))
		}
		c.Warnings = doubts(pairs)
	}
	design, fault := b.looksOf(s.Name)
	if fault != "" {
		faults = append(faults, fault)
	}
	if fault := unfitForRatios(c.Comparison); fault != "" {
		faults = append(faults, fault)
	} else if logs.enough() {
		var at *looked
		if design != nil {
			at = design.at(len(logs.ratios), o.Confidence)
			c.Looked = &at.Looked
		}
		c.judge(logs, at, o)
	}
	if len(faults) > 0 {
		c.Mark, c.Reason, c.PairsNeeded, c.p = NoVerdict, firstOf(faults), 0, 1
	}
	return c
}

// judge fills in the figures of c and its mark, at a look if there is one.
func (c *comparison) judge(logs logarithms, at *looked, o Options) {
	worse := 1.0
	if c.Goal.Better == "higher" {
		worse = -1
	}
	holds := func(p float64) float64 { return p }
	if at != nil {
		o.Confidence, holds = at.confidence, at.adjust
	}
	var e estimate
	if c.Apart != nil {
		e = estimateApart(logs.baseline, logs.candidate, o.Confidence, worse)
	} else {
		e = estimateOf(logs.ratios, o.Confidence, worse)
		c.PRandom = signFlip(logs.ratios)
	}
	c.Delta, c.Robust = e.student.relative(), e.robust.relative()
	c.Spread, c.P, c.p = e.spread, holds(e.pBeyond(o.null())), holds(e.p)
	c.MinimumDetectable = detectable(e.freedom, e.deviation, o.Confidence)
	j := e.outlook(o, e.judge(o, c.Erratic))
	c.Mark, c.Reason, c.PairsNeeded = j.mark, j.reason, j.pairs
}

// logarithms are the values that a comparison is computed from: log ratios of
// pairs, or the logarithms of two samples.
type logarithms struct{ ratios, baseline, candidate []float64 }

func (l logarithms) enough() bool {
	return len(l.ratios) > 0 || len(l.baseline) > 0 && len(l.candidate) > 0
}

func logsOf(values []float64) []float64 {
	logs := make([]float64, len(values))
	for i, x := range values {
		logs[i] = math.Log(x)
	}
	return logs
}

// unfitForRatios says why the values of c have no ratios; empty when they have.
func unfitForRatios(c Comparison) string {
	zeros, all, first := 0, 0, ""
	look := func(role string, replicate int, value float64) {
		all++
		if value > 0 {
			return
		}
		zeros++
		if first == "" {
			first = fmt.Sprintf("replicate %d of the %s has %s", replicate, role, scenarios.Format(value, c.Goal.Unit))
		}
	}
	for _, p := range c.Pairs {
		look(record.Baseline, p.Replicate, p.Baseline)
		look(record.Candidate, p.Replicate, p.Candidate)
	}
	if c.Apart != nil {
		for i, x := range c.Apart.Baseline {
			look(record.Baseline, i, x)
		}
		for i, x := range c.Apart.Candidate {
			look(record.Candidate, i, x)
		}
	}
	switch zeros {
	case 0:
		return ""
	case all:
		first = "no replicate has one"
	}
	return fmt.Sprintf("ratios of %s need values above zero and %s: a count that may be zero is bounded by a check, not compared", c.Goal.Name, first)
}

// adjust fills in PAdjusted and Q. Holm takes all comparisons that could decide;
// one without a verdict stays in the family, with a p of 1, because it was to be
// judged: leaving it out would make the others easier to confirm. Benjamini and
// Hochberg take all that have a verdict, because their list decides nothing.
func adjust(compared []comparison) []Comparison {
	var adjusted []Comparison
	var deciding, seen []int
	var p, q []float64
	for i, c := range compared {
		adjusted = append(adjusted, c.Comparison)
		if !c.Erratic {
			deciding = append(deciding, i)
			if c.Mark == NoVerdict {
				c.P = 1
			}
			p = append(p, c.P)
		}
		if c.Mark != NoVerdict {
			seen, q = append(seen, i), append(q, c.p)
		}
	}
	for k, x := range Holm(p) {
		adjusted[deciding[k]].PAdjusted = x
	}
	for k, x := range BenjaminiHochberg(q) {
		adjusted[seen[k]].Q = x
	}
	return adjusted
}

// FalseShare is the share of false ones that the list of comparisons worth a look
// may have, in expectation.
const FalseShare = 0.10

// WorthALook reports whether c shows a change for the worse that does not count
// against the run, but should not be passed over either: at most FalseShare of
// such a list are there by chance. A change that is proved to be within the
// tolerance needs no look.
func (c Comparison) WorthALook(o Options) bool {
	return c.Mark != NoVerdict && c.Mark != NoChange && c.Q <= FalseShare && !c.Confirmed(o)
}

// firstOf joins the first few faults into one sentence.
func firstOf(faults []string) string {
	const most = 3
	if rest := len(faults) - most; rest > 0 {
		faults = append(append([]string(nil), faults[:most]...), fmt.Sprintf("and %d more", rest))
	}
	return strings.Join(faults, "; ")
}

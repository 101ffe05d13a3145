package regress

import (
	"fmt"
	"math"
)

// judgement is a mark with its reason.
type judgement struct {
	mark   Mark
	reason string
	pairs  int // that would settle it, where the rule itself knows
	// powered asks for the reason to go on with what these pairs can see and how
	// many would settle the matter.
	powered bool
}

// judge applies the rules of the marks to an estimate, in this order:
//
//   - ❌ and ✅ need a change of at least the tolerance, an interval that
//     excludes 0 (under Prove: that lies beyond the tolerance), a robust estimate
//     that agrees, and a goal that is not declared erratic;
//   - ➖ needs the whole interval within the tolerance;
//   - all else is ❔.
func (e estimate) judge(o Options, erratic bool) judgement {
	if e.n == 1 {
		return judgement{mark: Inconclusive, reason: fmt.Sprintf("one %s shows no spread and so has no interval: at least 2 %s are needed", e.one(), e.many()), pairs: 2}
	}
	if e.same && e.robust.level == 0 {
		return judgement{mark: Inconclusive, pairs: e.least, reason: fmt.Sprintf(
			"all %d %s show the same change, which hides the spread: %d such %s would settle it", e.n, e.many(), e.least, e.many())}
	}
	change := math.Abs(math.Expm1(e.mean)) + rounding
	interval := e.student.relative().named()
	if e.student.excludesZero() && change >= o.Tolerance && (o.Rule != Prove || e.student.beyond(o.margin())) {
		return e.judgeChange(o, erratic, interval)
	}
	if margin := o.margin(); e.student.low > -margin && e.student.high < margin {
		if math.Abs(e.robust.centre) >= margin {
			return open("the mean lies within ±%s but the robust estimate, %s, does not: a few pairs are far out",
				percent(o.Tolerance), signedPercent(relative(e.robust.centre)))
		}
		return judgement{mark: NoChange, reason: fmt.Sprintf("the whole %s lies within ±%s", interval, percent(o.Tolerance))}
	}
	return open("%s", e.openQuestion(o, interval))
}

// judgeChange marks a change that is large enough and told from 0 by Student's
// interval, unless something speaks against it.
func (e estimate) judgeChange(o Options, erratic bool, interval string) judgement {
	size := signedPercent(relative(e.mean))
	switch {
	case e.robust.centre*e.mean <= 0:
		return open("the mean change is %s but the robust estimate is %s: they contradict each other",
			size, signedPercent(relative(e.robust.centre)))
	case e.robust.level > 0 && !(e.robust.excludesZero() && e.robust.low*e.mean > 0):
		return open("the %s excludes 0 but the robust one, %s, does not: they contradict each other",
			interval, e.robust.relative().bounds())
	case o.Rule == Prove && !(math.Abs(e.robust.centre) >= o.margin()-rounding):
		return open("the whole %s lies beyond ±%s but the robust estimate, %s, does not: they contradict each other",
			interval, percent(o.Tolerance), signedPercent(relative(e.robust.centre)))
	case erratic:
		return judgement{mark: Inconclusive, reason: fmt.Sprintf("declared erratic: a change of %s is not judged", size)}
	}
	mark := Improved
	if e.worse*e.mean > 0 {
		mark = Regressed
	}
	if o.Rule == Prove {
		return judgement{mark: mark, reason: fmt.Sprintf("the whole %s lies beyond %s", interval, percent(o.Tolerance))}
	}
	return judgement{mark: mark, reason: fmt.Sprintf("%s is at least %s and the %s excludes 0", size, percent(o.Tolerance), interval)}
}

// open is an inconclusive judgement that more pairs may settle.
func open(format string, arguments ...any) judgement {
	return judgement{mark: Inconclusive, reason: fmt.Sprintf(format, arguments...), powered: true}
}

// openQuestion says what the interval leaves open.
func (e estimate) openQuestion(o Options, interval string) string {
	switch {
	case !e.student.excludesZero():
		return fmt.Sprintf("the %s contains 0 and reaches beyond ±%s: neither a change nor its absence is shown", interval, percent(o.Tolerance))
	case e.worse*e.mean > 0:
		return fmt.Sprintf("the %s shows a change for the worse, but not whether it reaches %s", interval, percent(o.Tolerance))
	}
	return fmt.Sprintf("the %s shows a change for the better, but not whether it reaches %s", interval, percent(o.Tolerance))
}

// outlook ends the reason of an open judgement with what these pairs can see
// and how many would settle the matter.
func (e estimate) outlook(o Options, j judgement) judgement {
	if !j.powered {
		return j
	}
	if least := detectable(e.freedom, e.deviation, o.Confidence); least > 0 {
		j.reason += fmt.Sprintf("; %d %s find changes from %s on", e.n, e.many(), percent(least))
	}
	switch j.pairs = pairsToSettle(e.spread, o); {
	case j.pairs == 0:
		j.reason += fmt.Sprintf(", and even %d would hardly settle it", MaxPairs)
	case j.pairs <= e.n:
		j.reason += ", so it is not for want of pairs"
		j.pairs = 0
	default:
		j.reason += fmt.Sprintf(", about %d would settle it", j.pairs)
	}
	return j
}

// one and many are what an estimate counts.
func (e estimate) one() string {
	if e.apart {
		return "replicate of a side"
	}
	return "pair"
}

func (e estimate) many() string {
	if e.apart {
		return "replicates of each side"
	}
	return "pairs"
}

// beyond reports whether the whole interval lies at least margin from 0, on one
// side of it.
func (i logInterval) beyond(margin float64) bool {
	return i.level > 0 && (i.low >= margin-rounding || i.high <= rounding-margin)
}

// leastRobust is the number of pairs from which on a signed-rank interval
// exists: 5 at 90 %, 6 at 95 %.
func leastRobust(confidence float64) int {
	n := 1
	for math.Ldexp(1, -n) > (1-confidence)/2 {
		n++
	}
	return n
}

// percent writes a ratio as people read it: "5 %", "7.2 %".
func percent(x float64) string {
	if x >= 1 {
		return fmt.Sprintf("%.0f %%", 100*x)
	}
	return fmt.Sprintf("%.3g %%", 100*x)
}

// signed writes a relative change in percent, without the sign for percent:
// "+12.3", and with one more digit near 0, so that what excludes 0 shows it.
func signed(x float64) string {
	text := fmt.Sprintf("%+.1f", 100*x)
	if math.Abs(x) < 0.01 {
		text = fmt.Sprintf("%+.2f", 100*x)
	}
	if text == "-0.00" {
		return "+0.00"
	}
	return text
}

// signedPercent writes a relative change: "+12.3 %".
func signedPercent(x float64) string { return signed(x) + " %" }

// bounds writes the ends of an interval: "[+8.0, +16.9]".
func (i Interval) bounds() string { return "[" + signed(i.Low) + ", " + signed(i.High) + "]" }

// named writes an interval with its level: "90 % interval [+8.0, +16.9]".
func (i Interval) named() string { return percent(i.Level) + " interval " + i.bounds() }

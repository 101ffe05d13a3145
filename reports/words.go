package reports

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"floodgate/internal/record"
	"floodgate/regress"
	"floodgate/scenarios"
)

// absent stands where nothing was measured or nothing can be said.
const absent = "–"

// percent writes a relative change as the origin's tables do: +8.10.
func percent(x float64) string {
	if !finite(x) {
		return absent
	}
	text := strconv.FormatFloat(x*100, 'f', 2, 64)
	if text == "-0.00" {
		text = "0.00"
	}
	if !strings.HasPrefix(text, "-") {
		text = "+" + text
	}
	return text
}

// measured reports whether a comparison came to an estimate at all.
func measured(c regress.Comparison) bool {
	return c.Mark != regress.NoVerdict && (len(c.Pairs) > 0 || c.Apart != nil) && finite(c.Delta.Estimate)
}

func deltaCell(c regress.Comparison) string {
	if !measured(c) {
		return absent
	}
	return percent(c.Delta.Estimate)
}

func intervalCell(c regress.Comparison) string {
	if !measured(c) || c.Delta.Level == 0 {
		return absent
	}
	return interval(c.Delta)
}

func interval(i regress.Interval) string {
	return "[" + percent(i.Low) + ", " + percent(i.High) + "]"
}

// trialsCell is the number of pairs judged, and of those asked for where they
// differ, or the replicates of either side.
func trialsCell(c regress.Comparison) string {
	if c.Apart != nil {
		return fmt.Sprintf("%d and %d", len(c.Apart.Baseline), len(c.Apart.Candidate))
	}
	if c.Planned > len(c.Pairs) {
		return fmt.Sprintf("%d of %d", len(c.Pairs), c.Planned)
	}
	return strconv.Itoa(len(c.Pairs))
}

// share writes a ratio without sign: 5 %, 9.3 %.
func share(x float64) string {
	if !finite(x) {
		return absent
	}
	return strconv.FormatFloat(math.Round(x*1000)/10, 'f', -1, 64) + " %"
}

// probability writes a p-value; tiny ones are bounded, not rounded to 0.
func probability(p float64) string {
	switch {
	case !finite(p):
		return absent
	case p < 0.0005:
		return "< 0.001"
	}
	return strconv.FormatFloat(p, 'f', 3, 64)
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// grouped writes a count with commas between thousands.
func grouped(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if digits[0] == '-' {
		sign, digits = "-", digits[1:]
	}
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return sign + b.String()
}

// clean makes text from outside (names, a target's last words) safe to print:
// no control characters, so no terminal escapes, and no broken UTF-8.
func clean(text string) string {
	text = terminalEscapes.ReplaceAllString(text, "")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
}

// terminalEscapes are the sequences with which programs colour their output.
var terminalEscapes = regexp.MustCompile("\x1b\\[[0-9;?]*[ -/]*[@-~]")

// cleanLines is clean for text of several lines.
func cleanLines(text string) []string {
	lines := strings.Split(strings.TrimRight(strings.ReplaceAll(text, "\r\n", "\n"), "\n"), "\n")
	for i, line := range lines {
		lines[i] = clean(line)
	}
	return lines
}

// outcomeSymbol is the decision as one character, with the same shapes as the
// marks.
func outcomeSymbol(o regress.Outcome) string {
	switch o {
	case regress.Pass:
		return "✅"
	case regress.Fail:
		return "❌"
	}
	return "⛔"
}

// outcomeWord is the decision in a word; a verdict without one did not measure.
func outcomeWord(o regress.Outcome) string {
	switch o {
	case regress.Pass:
		return "Pass"
	case regress.Fail:
		return "Fail"
	}
	return "Could not measure"
}

// summary counts what the run came to, in one sentence.
func (v *view) summary() string {
	var parts []string
	if len(v.comparisons) == 0 {
		parts = append(parts, "nothing was compared")
	} else {
		marks := map[regress.Mark]int{}
		for _, c := range v.comparisons {
			marks[c.Mark]++
		}
		var counts []string
		for _, m := range []regress.Mark{regress.Regressed, regress.NoVerdict, regress.Inconclusive, regress.Improved, regress.NoChange} {
			if n := marks[m]; n > 0 {
				counts = append(counts, fmt.Sprintf("%d %s", n, m))
			}
		}
		parts = append(parts, plural(len(v.comparisons), "comparison")+": "+strings.Join(counts, ", "))
	}
	if text := v.checksSummary(); text != "" {
		parts = append(parts, plural(len(v.checks), "bound")+": "+text)
	}
	return strings.Join(parts, "; ")
}

// checksSummary counts the checks by what became of them.
func (v *view) checksSummary() string {
	if len(v.checks) == 0 {
		return ""
	}
	held, broken, missing := 0, 0, 0
	for _, c := range v.checks {
		switch {
		case c.OK:
			held++
		case c.Failed():
			broken++
		default:
			missing++
		}
	}
	if held == len(v.checks) {
		return "all held"
	}
	var parts []string
	for _, part := range []struct {
		n    int
		word string
	}{{broken, "broken"}, {missing, "not measured"}, {held, "held"}} {
		if part.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", part.n, part.word))
		}
	}
	return strings.Join(parts, ", ")
}

// markRules say how the marks come about, with this run's numbers.
func markRules(o regress.Options) []string {
	change := fmt.Sprintf("❌ regressed, ✅ improved: the mean of the paired changes is at least %s, its %s interval leaves out 0, and the scenario is not declared erratic.",
		share(o.Tolerance), share(o.Confidence))
	if o.Rule == regress.Prove {
		change = fmt.Sprintf("❌ regressed, ✅ improved: the whole %s interval of the mean of the paired changes lies beyond %s, and the scenario is not declared erratic.",
			share(o.Confidence), share(o.Tolerance))
	}
	return []string{
		change,
		fmt.Sprintf("➖ no change: the whole interval lies within ±%s. This is proved, not assumed.", share(o.Tolerance)),
		"❔ inconclusive: neither of these. The row says which change could have been found, and how many pairs would settle it.",
		"⛔ no verdict: too few valid pairs to judge.",
	}
}

// decisionRule says how the decision of a run comes about.
func decisionRule(comparisons int) string {
	regression := "a regression is found"
	if comparisons > 1 {
		regression = fmt.Sprintf("a regression survives Holm's correction over the %d comparisons", comparisons)
	}
	return "A run fails when a gate's check breaks in any replicate, or when " + regression + ". Missing data never passes."
}

// note is the second line of a comparison: why, and what would help. It is
// empty where the figures say it all. The reason of an inconclusive comparison
// ends with what its pairs could have found; only without a reason the figures
// are put in words here.
func note(c regress.Comparison, o regress.Options) string {
	var parts []string
	switch c.Mark {
	case regress.Regressed:
		counts := "does not count against the run"
		if c.Confirmed(o) {
			counts = "counts against the run"
		}
		parts = append(parts, fmt.Sprintf("%s: p %s, %s after Holm", counts, probability(c.P), probability(c.PAdjusted)))
	case regress.Improved, regress.NoChange:
	default:
		if c.Reason != "" {
			parts = append(parts, c.Reason)
		} else {
			parts = append(parts, outlook(c)...)
		}
	}
	if c.Erratic && !strings.Contains(c.Reason, "erratic") {
		parts = append(parts, "declared erratic")
	}
	if text := design(c); text != "" && measured(c) {
		parts = append(parts, text)
	}
	if c.Repeats > 0 {
		parts = append(parts, plural(c.Repeats, "invalid pair")+" repeated")
	}
	return strings.Join(parts, "; ")
}

// outlook says what the pairs of a comparison could have found, and how many
// would settle it.
func outlook(c regress.Comparison) []string {
	var parts []string
	if finite(c.MinimumDetectable) && c.MinimumDetectable > 0 {
		parts = append(parts, fmt.Sprintf("%s find changes from %s on with 90 %% power", trials(c), share(c.MinimumDetectable)))
	}
	if c.PairsNeeded > 0 {
		parts = append(parts, fmt.Sprintf("about %s would settle it", plural(c.PairsNeeded, "pair")))
	}
	return parts
}

// checkMark is a check's result as symbol and word.
func checkMark(c regress.CheckResult) (symbol, word string) {
	switch {
	case c.OK:
		return "✅", "held"
	case c.Total == 0 || c.Missing == c.Total:
		return "⛔", "not measured"
	case !c.Failed():
		return "⛔", "data missing"
	case !decides(c):
		return "❕", "broken, only informs"
	}
	return "❌", "broken"
}

func passedCell(c regress.CheckResult) string {
	text := fmt.Sprintf("%d/%d", c.Passed, c.Total)
	if c.Spare > 0 {
		text += fmt.Sprintf(" (%d needed)", c.Total-c.Spare)
	}
	if c.Missing > 0 {
		text += fmt.Sprintf(" (%d missing)", c.Missing)
	}
	return text
}

// observedCell sets the worst value beside the bound with the sign that is
// true of the two: 158.81MiB > 147MiB.
func observedCell(c regress.CheckResult) string {
	bound := scenarios.Format(c.Check.Bound, c.Check.Measure.Unit)
	if c.Total == 0 || c.Missing >= c.Total || !finite(c.Observed) {
		return absent + " (" + sign(c.Check.Op, true) + " " + bound + ")"
	}
	return scenarios.Format(c.Observed, c.Check.Measure.Unit) + " " +
		sign(c.Check.Op, c.Check.Holds(c.Observed)) + " " + bound
}

func sign(op string, holds bool) string {
	switch {
	case op == "<=" && holds:
		return "≤"
	case op == "<=":
		return ">"
	case op == ">=" && holds:
		return "≥"
	case op == ">=":
		return "<"
	case holds:
		return "="
	}
	return "≠"
}

// baselineCell is the same check on the baseline, or a dash.
func baselineCell(c regress.CheckResult) string {
	if c.BaselineTotal == 0 {
		return absent
	}
	text := fmt.Sprintf("%d/%d", c.BaselinePassed, c.BaselineTotal)
	if finite(c.BaselineObserved) {
		text += ", " + scenarios.Format(c.BaselineObserved, c.Check.Measure.Unit)
	}
	return text
}

// runName names one replicate: "candidate, pair 3" or "candidate, pair 3,
// attempt 1". Numbers are the records' own, from 0.
func runName(rec *record.Record) string {
	name := fmt.Sprintf("%s, pair %d", rec.Variant.Role, rec.Replicate)
	if rec.Attempt > 0 {
		name += fmt.Sprintf(", attempt %d", rec.Attempt)
	}
	return name
}

func (run invalidRun) line() string {
	text := run.record.Scenario + ", " + runName(run.record) + ": " + run.record.Invalid
	if run.repeated {
		return text + " (repeated)"
	}
	return text + " (not repeated)"
}

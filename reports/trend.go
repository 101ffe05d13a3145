package reports

import (
	"fmt"
	"io"
	"math"
	"strings"

	"floodgate/internal/history"
	"floodgate/regress"
	"floodgate/regress/trend"
	"floodgate/scenarios"
)

// Trends is everything that the reports of a history show.
type Trends struct {
	Source    string // the file, as the user wrote it
	Version   string // of the floodgate that searched it
	Tolerance float64
	Series    []trend.Series
	Warnings  []string
}

// found is one thing that a history shows.
type found struct {
	symbol string // ❌ for the worse, ✅ for the better, ➖ for nothing
	text   string
}

func (f found) class() string {
	switch f.symbol {
	case regress.Regressed.Symbol():
		return "bad"
	case regress.Improved.Symbol():
		return "good"
	}
	return "same"
}

func directionSymbol(worse bool) string {
	if worse {
		return regress.Regressed.Symbol()
	}
	return regress.Improved.Symbol()
}

func changeWords(c trend.Change) string {
	return percent(c.Estimate) + " % [" + percent(c.Low) + ", " + percent(c.High) + "]"
}

// findings puts in words what was found in a series: the chain first, then what
// changed or drifted.
func findings(s trend.Series) []found {
	var out []found
	if c := s.Chain; c != nil {
		text := fmt.Sprintf("%d comparisons, each against the candidate before it, come to %s", c.Runs, changeWords(c.Change))
		switch {
		case !c.Told:
			out = append(out, found{regress.NoChange.Symbol(), text + ", not told from 0 at " + share(c.Certainty)})
		case c.Slow:
			out = append(out, found{directionSymbol(c.Worse), "slow drift: " + text + "; none of them was marked by itself"})
		default:
			out = append(out, found{directionSymbol(c.Worse), text})
		}
	}
	for _, part := range []struct {
		what string
		trend.Finding
	}{{"level", s.Level}, {"ratio", s.Ratio}} {
		if d := part.Drift; d != nil {
			text := fmt.Sprintf("%s drifted by %s over %d runs, from %s to %s", part.what, changeWords(d.Change), d.Runs, day(s.Lines[d.From]), day(s.Lines[d.To]))
			if d.Slow {
				text = "slow drift: " + text + "; no comparison on the way was marked"
			}
			out = append(out, found{directionSymbol(d.Worse), text})
		}
		for _, p := range part.Points {
			l := s.Lines[p.Line]
			out = append(out, found{directionSymbol(p.Worse),
				fmt.Sprintf("%s changed by %s from %s on, with %s (p %s)", part.what, changeWords(p.Change), day(l), sideWords(l.Candidate), probability(p.P))})
		}
	}
	return out
}

// summary counts what was found in all series.
func (t Trends) summary() string {
	runs, worse, better, short := 0, 0, 0, 0
	for _, s := range t.Series {
		runs += len(s.Lines)
		if !s.Searched() {
			short++
		}
		for _, f := range findings(s) {
			switch f.class() {
			case "bad":
				worse++
			case "good":
				better++
			}
		}
	}
	text := fmt.Sprintf("%s in %d series", plural(runs, "comparison"), len(t.Series))
	switch {
	case short == len(t.Series):
		return text + ": too few to be searched for changes"
	case worse+better == 0:
		text += ": no change of level and no drift found"
	default:
		text = fmt.Sprintf("%s: found %d for the worse, %d for the better", text, worse, better)
	}
	if short > 0 {
		text += fmt.Sprintf("; %d of the series too short to be searched", short)
	}
	return text
}

func day(l history.Line) string { return l.Time.UTC().Format("2006-01-02") }

// sideWords names one side of a comparison in a few characters.
func sideWords(s history.Side) string {
	if s.Commit != "" {
		return shorten(s.Commit, 11)
	}
	return shorten(s.Spec, 40)
}

func hostWords(s trend.Series) string {
	if s.Host.Fingerprint == "" {
		return "unknown host"
	}
	return "host " + s.Host.Fingerprint + ": " + s.Host.Words
}

// trendCells are one comparison as a row.
func trendCells(l history.Line) []string {
	delta, interval, level := absent, absent, absent
	if l.Ratio != nil {
		delta = percent(*l.Ratio - 1)
	}
	if l.Low != nil {
		interval = "[" + percent(*l.Low-1) + ", " + percent(*l.High-1) + "]"
	}
	if l.Candidate.Level != nil {
		level = scenarios.Format(*l.Candidate.Level, scenarios.Unit(l.Unit))
	}
	return []string{regress.Mark(l.Mark).Symbol() + " " + l.Mark, l.Time.UTC().Format("2006-01-02 15:04"), delta, interval, fmt.Sprint(l.Pairs), level,
		sideWords(l.Baseline) + " → " + sideWords(l.Candidate)}
}

var trendHead = []string{"perf", "time (UTC)", "Δ mean %", "Δ mean % CI", "trials", "candidate", "baseline → candidate"}

// sparks are the heights of a sparkline.
var sparks = []rune("▁▂▃▄▅▆▇█")

// leastSpan is the range that a sparkline or a chart shows at least, as a
// logarithm: noise must not look like mountains.
var leastSpan = math.Log1p(0.10)

// sparkline draws positive values, nil for a gap, on a logarithmic scale.
func sparkline(values []*float64) string {
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if v != nil {
			low, high = min(low, math.Log(*v)), max(high, math.Log(*v))
		}
	}
	if missing := leastSpan - (high - low); missing > 0 {
		low, high = low-missing/2, high+missing/2
	}
	var b strings.Builder
	for _, v := range values {
		if v == nil {
			b.WriteByte(' ')
			continue
		}
		at := int((math.Log(*v) - low) / (high - low) * float64(len(sparks)))
		b.WriteRune(sparks[max(0, min(at, len(sparks)-1))])
	}
	return b.String()
}

func ratioOf(l history.Line) *float64 { return l.Ratio }
func levelOf(l history.Line) *float64 { return l.Candidate.Level }

// numbersOf are one number of each line.
func numbersOf(lines []history.Line, number func(history.Line) *float64) []*float64 {
	var out []*float64
	for _, l := range lines {
		out = append(out, number(l))
	}
	return out
}

// latest keeps the last n of items.
func latest[T any](items []T, n int) []T { return items[max(len(items)-n, 0):] }

// TrendsTerminal writes the history as text: of each series its course, what
// was found, and the last comparisons, at most last of them.
func TrendsTerminal(w io.Writer, h Trends, last int, opt TerminalOptions) error {
	t := terminal{style: style{opt.Color}, width: opt.Width}
	t.add(t.bold(upperFirst(h.summary())))
	if h.Source != "" {
		t.add(t.dim(pad("history", 10)) + clean(h.Source))
	}
	for _, s := range h.Series {
		t.heading(clean(s.Scenario + ", " + s.Measure + " (" + s.Better + " is better)"))
		t.add(t.dim(clean(hostWords(s))))
		t.course(s)
		for _, f := range findings(s) {
			line := f.symbol + " " + clean(f.text)
			for i, text := range wrap(line, t.width) {
				if paint := t.symbol(f.symbol); i == 0 && paint != nil {
					text = paint(f.symbol) + strings.TrimPrefix(text, f.symbol)
				}
				t.add(text)
			}
		}
		if last > 0 {
			t.trendTable(s, last)
		}
	}
	t.list("Warnings", h.Warnings)
	for i, line := range t.lines {
		t.lines[i] = strings.TrimRight(line, " ")
	}
	_, err := io.WriteString(w, strings.Join(t.lines, "\n")+"\n")
	return err
}

// course draws a series as sparklines, the latest run last.
func (t *terminal) course(s trend.Series) {
	room := 60
	if t.width > 0 {
		room = max(min(room, t.width-30), leastGive)
	}
	lines := latest(s.Lines, room)
	for _, c := range []struct {
		what   string
		number func(history.Line) *float64
		format func(float64) string
	}{
		{"ratio", ratioOf, func(x float64) string { return percent(x-1) + " %" }},
		{"level", levelOf, func(x float64) string { return scenarios.Format(x, scenarios.Unit(s.Unit)) }},
	} {
		now := absent
		if x := c.number(lines[len(lines)-1]); x != nil {
			now = c.format(*x)
		}
		t.add(t.dim(c.what) + "  " + sparkline(numbersOf(lines, c.number)) + "  " + now)
	}
	t.add(t.dim(fmt.Sprintf("%s, %s to %s", plural(len(s.Lines), "comparison"), day(s.Lines[0]), day(s.Lines[len(s.Lines)-1]))))
}

func (t *terminal) trendTable(s trend.Series, last int) {
	table := textTable{head: trendHead, right: []bool{false, false, true, true, true, true, false}, give: []int{6}}
	for _, l := range latest(s.Lines, last) {
		table.rows = append(table.rows, textRow{cells: cleaned(trendCells(l)), paint: t.symbol(regress.Mark(l.Mark).Symbol())})
	}
	t.add(table.lines(t.width, t.style)...)
}

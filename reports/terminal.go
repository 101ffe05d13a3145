package reports

import (
	"io"
	"strconv"
	"strings"

	"floodgate/internal/record"
	"floodgate/regress"
)

// TerminalOptions say what the terminal can show.
type TerminalOptions struct {
	Color bool // write ANSI colours
	Width int  // cells in a line; 0 for no limit
}

// style paints text for the terminal, or leaves it alone.
type style struct{ color bool }

func (s style) paint(code, text string) string {
	if !s.color {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s style) bold(text string) string   { return s.paint("1", text) }
func (s style) dim(text string) string    { return s.paint("2", text) }
func (s style) green(text string) string  { return s.paint("32", text) }
func (s style) red(text string) string    { return s.paint("31", text) }
func (s style) yellow(text string) string { return s.paint("33", text) }

// symbol returns the paint for cells that begin with one of the marks.
func (s style) symbol(mark string) func(string) string {
	switch mark {
	case "✅":
		return s.green
	case "❌":
		return s.red
	case "➖":
		return nil
	}
	return s.yellow
}

// terminal collects the lines of the report.
type terminal struct {
	view
	style
	width int
	lines []string
}

// Terminal writes the report as text: the verdict first, then the tables, and
// the decision with its reasons last, next to the prompt.
func Terminal(w io.Writer, r Report, opt TerminalOptions) error {
	t := terminal{view: newView(r), style: style{opt.Color}, width: opt.Width}
	t.header()
	t.comparisonTable()
	t.measuredTable()
	t.checkTable()
	t.ledgerTable()
	t.invalidRuns()
	t.list(worthTitle, t.worth())
	t.list("Warnings", t.warnings())
	t.decision()
	t.list(nextTitle, t.next())
	for i, line := range t.lines {
		t.lines[i] = strings.TrimRight(line, " ")
	}
	_, err := io.WriteString(w, strings.Join(t.lines, "\n")+"\n")
	return err
}

func (t *terminal) add(lines ...string) { t.lines = append(t.lines, lines...) }

func (t *terminal) heading(text string) {
	t.add("")
	for _, line := range wrap(text, t.width) {
		t.add(t.bold(line))
	}
}

func (t *terminal) header() {
	d := t.Verdict.Decision
	plain := outcomeSymbol(d.Outcome) + " " + outcomeWord(d.Outcome)
	head := plain
	if paint := t.symbol(outcomeSymbol(d.Outcome)); paint != nil {
		head = paint(head)
	}
	// Wrapped as plain text, then painted: wrapping counts every byte as a cell.
	for i, line := range wrap(plain+": "+t.summary(), t.width) {
		if i == 0 {
			line = t.bold(head) + strings.TrimPrefix(line, plain)
		}
		t.add(line)
	}
	for _, role := range []string{record.Baseline, record.Candidate} {
		if what := t.variants(role); what != "" {
			t.add(t.dim(pad(role, 10)) + clean(what))
		}
	}
	if t.Command != "" {
		t.add(t.dim(pad("command", 10)) + clean(t.Command))
	}
	if words := generatorWords(t.Records); words != "" {
		lines := wrap(words, max(t.width-10, 0))
		t.add(t.dim(pad("generator", 10)) + lines[0])
		for _, line := range lines[1:] {
			t.add(pad("", 10) + line)
		}
	}
}

func pad(text string, cells int) string {
	return text + strings.Repeat(" ", max(1, cells-displayWidth(text)))
}

func (t *terminal) comparisonTable() {
	if len(t.comparisons) == 0 {
		return
	}
	o := t.Verdict.Options
	t.heading("Comparisons (" + share(o.Confidence) + " intervals, tolerance ±" + share(o.Tolerance) + ")")
	table := textTable{
		head:  []string{"perf", "experiment", "goal", "Δ mean %", "Δ mean % CI", "trials"},
		right: []bool{false, false, false, true, true, true},
		give:  []int{1, 2},
	}
	for _, c := range t.comparisons {
		row := textRow{
			cells: []string{c.Mark.Symbol() + " " + string(c.Mark), clean(c.Scenario), clean(c.Goal.Name),
				deltaCell(c), intervalCell(c), trialsCell(c)},
			paint: t.symbol(c.Mark.Symbol()),
		}
		if text := note(c, t.Verdict.Options); text != "" {
			row.notes = []string{clean(text)}
		}
		table.rows = append(table.rows, row)
	}
	t.add(table.lines(t.width, t.style)...)
}

func (t *terminal) checkTable() {
	if len(t.checks) == 0 {
		return
	}
	t.heading("Bounds checks: " + t.checksSummary())
	table := textTable{
		head: []string{"perf", "experiment", "bounds_check_name", "replicates_passed", "observed_value", "baseline"},
		give: []int{1, 2, 5, 4},
	}
	for _, c := range t.checks {
		symbol, word := checkMark(c)
		table.rows = append(table.rows, textRow{
			cells: []string{symbol + " " + word, clean(c.Scenario), clean(c.Check.Name()), passedCell(c), observedCell(c), baselineCell(c)},
			paint: t.symbol(symbol),
		})
	}
	t.add(table.lines(t.width, t.style)...)
	for _, line := range t.gates() {
		t.item(line)
	}
}

func (t *terminal) ledgerTable() {
	var all []tally
	for i := range t.scenes {
		all = append(all, t.scenes[i].tallies()...)
	}
	if len(all) == 0 {
		return
	}
	t.heading("Where the messages went (sums over valid replicates; – is not told by the target)")
	shown := shownPlaces(all)
	table := textTable{give: []int{0}, head: []string{"experiment", "variant", "runs"}, right: []bool{false, false, true}}
	for _, i := range shown {
		table.head = append(table.head, places[i].name)
		table.right = append(table.right, true)
	}
	for i := range t.scenes {
		for _, sum := range t.scenes[i].tallies() {
			cells := []string{clean(t.scenes[i].name), sum.role, strconv.Itoa(sum.replicates)}
			for _, p := range shown {
				cells = append(cells, sum.cell(p))
			}
			table.rows = append(table.rows, textRow{cells: cells})
		}
	}
	t.add(table.lines(t.width, t.style)...)
	if words := placeWords(shown); words != "" {
		for _, line := range wrap(words, t.width) {
			t.add(t.dim(line))
		}
	}
}

func (t *terminal) invalidRuns() {
	if len(t.invalid) == 0 {
		return
	}
	t.heading("Invalid replicates (not judged)")
	for _, run := range t.invalid {
		t.item(run.line())
		if run.lastWords == "" {
			continue
		}
		t.add(t.dim("    last words of the target:"))
		for _, line := range cleanLines(run.lastWords) {
			t.add(t.dim("    | ") + line)
		}
	}
}

func (t *terminal) list(title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	t.heading(title)
	for _, line := range lines {
		t.item(line)
	}
}

// item writes one line of a list, wrapped.
func (t *terminal) item(text string) {
	room := 0
	if t.width > 0 {
		room = max(t.width-4, leastGive)
	}
	for i, line := range wrap(clean(text), room) {
		lead := "  - "
		if i > 0 {
			lead = "    "
		}
		t.add(lead + line)
	}
}

func (t *terminal) decision() {
	d := t.Verdict.Decision
	head := outcomeSymbol(d.Outcome) + " " + outcomeWord(d.Outcome)
	if paint := t.symbol(outcomeSymbol(d.Outcome)); paint != nil {
		head = paint(head)
	}
	t.add("", t.bold("Decision:")+" "+t.bold(head))
	reasons := t.ownReasons()
	if len(reasons) == 0 && d.Outcome != regress.Pass {
		reasons = []string{"no reason was recorded"}
	}
	for _, reason := range reasons {
		t.item(reason)
	}
}

package reports

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"floodgate/internal/record"
	"floodgate/regress"
)

// Marker is the hidden first line of every Markdown report. A bot that finds it
// in its own comment updates that comment instead of writing another.
const Marker = "<!-- floodgate -->"

// markdownLimit leaves room for a footer: GitHub takes comments of 65,536
// characters. Bytes are never fewer than these, so counting them is safe.
const markdownLimit = 64000

// foldAbove is the number of unchanged comparisons from which on they are
// folded away.
const foldAbove = 6

// block is a part of the Markdown report. Rows can be cut from its end one by
// one; head and tail stay or go with the whole block.
type block struct {
	name string // what is named when rows of it were cut
	head []string
	rows []string
	tail []string
	// cut orders the blocks for cutting, the lowest first. 0 is never cut.
	cut int
}

func (b block) size() int {
	n := 0
	for _, part := range [][]string{b.head, b.rows, b.tail} {
		for _, line := range part {
			n += len(line) + 1
		}
	}
	return n
}

// Markdown writes the report for a pull request: GitHub tables, at most 64,000
// characters, beginning with Marker. What does not fit is cut from the least
// important end, and a note says what was cut.
func Markdown(w io.Writer, r Report) error {
	v := newView(r)
	blocks := []block{v.mdHeader(), v.mdNext(), v.mdComparisons(), v.mdUnchanged(), v.mdChecks(), v.mdGates(), v.mdLedger(),
		v.mdInvalid(), v.mdWorth(), v.mdWarnings(), v.mdDecision(), v.mdExplanation(), v.mdRun()}
	return writeBlocks(w, blocks, fit(blocks, markdownLimit))
}

// writeBlocks writes the lines of all blocks and a note below them.
func writeBlocks(w io.Writer, blocks []block, note string) error {
	var b strings.Builder
	for _, block := range blocks {
		for _, part := range [][]string{block.head, block.rows, block.tail} {
			for _, line := range part {
				b.WriteString(line + "\n")
			}
		}
	}
	b.WriteString(note)
	_, err := io.WriteString(w, b.String())
	return err
}

// fit cuts rows until everything is at most limit bytes, and returns the note
// that says so, empty when nothing was cut.
func fit(blocks []block, limit int) string {
	const room = 600 // for the note
	total := 0
	for _, b := range blocks {
		total += b.size()
	}
	if total <= limit {
		return ""
	}
	var cuts []string
	for rank := 1; total > limit-room; rank++ {
		found := false
		for i := range blocks {
			if blocks[i].cut < rank {
				continue
			}
			found = true
			if blocks[i].cut == rank {
				before := len(blocks[i].rows)
				total -= shrink(&blocks[i], total-(limit-room))
				if n := before - len(blocks[i].rows); n > 0 {
					cuts = append(cuts, fmt.Sprintf("%d of %d rows of %s", n, before, blocks[i].name))
				}
			}
		}
		if !found {
			break
		}
	}
	return "\n_Cut to fit a comment: " + strings.Join(cuts, ", ") + ". The HTML report has everything._\n"
}

// shrink cuts rows from b until excess bytes are saved, and the whole block
// when no row is left. It returns the bytes saved.
func shrink(b *block, excess int) int {
	before := b.size()
	for saved := 0; saved < excess && len(b.rows) > 0; {
		last := len(b.rows) - 1
		saved += len(b.rows[last]) + 1
		b.rows = b.rows[:last]
	}
	if len(b.rows) == 0 {
		b.head, b.tail = nil, nil
	}
	return before - b.size()
}

// md makes text safe within a line or table cell of GitHub's Markdown.
func md(text string) string {
	return markdownEscaper.Replace(strings.ReplaceAll(clean(text), "\uFFFD", "?"))
}

var markdownEscaper = strings.NewReplacer(
	"&", "&amp;", "<", "&lt;", ">", "&gt;", "|", "\\|", "*", "\\*", "`", "\\`",
	"[", "\\[", "~", "\\~", "\\", "\\\\",
)

// code writes text as a code span; backticks within become quotes.
func code(text string) string {
	return "`" + strings.ReplaceAll(strings.ReplaceAll(clean(text), "`", "'"), "|", "\\|") + "`"
}

func mdRow(cells ...string) string { return "| " + strings.Join(cells, " | ") + " |" }

// limitLine shortens free text, so that no single line can fill a comment.
func limitLine(text string) string { return shorten(text, 600) }

func (v *view) mdHeader() block {
	d := v.Verdict.Decision
	lines := []string{Marker,
		fmt.Sprintf("## %s %s: %s", outcomeSymbol(d.Outcome), md(limitLine(v.Title)), strings.ToLower(outcomeWord(d.Outcome))),
		"", upperFirst(v.summary()) + ".", ""}
	for _, role := range []string{record.Baseline, record.Candidate} {
		if what := v.variants(role); what != "" {
			lines = append(lines, upperFirst(role)+": "+code(limitLine(what))+"  ")
		}
	}
	return block{head: append(lines, "")}
}

// mdNext stands right below the verdict: why it is so, and what to do about it.
func (v *view) mdNext() block {
	var lines []string
	for _, reason := range v.leading() {
		lines = append(lines, "- "+md(limitLine(reason)))
	}
	if next := v.next(); len(next) > 0 {
		if len(lines) > 0 {
			lines = append(lines, "")
		}
		lines = append(lines, nextTitle+":", "")
		for _, line := range next {
			lines = append(lines, "- "+md(limitLine(line)))
		}
	}
	if len(lines) > 0 {
		lines = append(lines, "")
	}
	return block{head: lines}
}

func upperFirst(text string) string {
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

func comparisonHead() []string {
	return []string{
		mdRow("perf", "experiment", "goal", "Δ mean %", "Δ mean % CI", "trials"),
		mdRow(":--", ":--", ":--", "--:", "--:", "--:"),
	}
}

func mdComparison(c regress.Comparison, o regress.Options) string {
	name := md(limitLine(c.Scenario))
	if text := note(c, o); text != "" {
		name += "<br><sub>" + md(limitLine(text)) + "</sub>"
	}
	return mdRow(c.Mark.Symbol()+" "+string(c.Mark), name, md(c.Goal.Name), deltaCell(c), intervalCell(c), trialsCell(c))
}

// foldUnchanged reports whether proven no-changes stand in a fold of their own.
func (v *view) foldUnchanged() bool {
	n := 0
	for _, c := range v.comparisons {
		if c.Mark == regress.NoChange {
			n++
		}
	}
	return n > foldAbove
}

func (v *view) mdComparisons() block {
	b := block{name: "the comparisons", cut: 6}
	if len(v.comparisons) == 0 {
		return b
	}
	fold := v.foldUnchanged()
	for _, c := range v.comparisons {
		if !fold || c.Mark != regress.NoChange {
			b.rows = append(b.rows, mdComparison(c, v.Verdict.Options))
		}
	}
	b.head = []string{"### Comparisons", ""}
	if len(b.rows) == 0 {
		b.tail = []string{"Nothing improved or regressed.", ""}
		return b
	}
	b.head = append(b.head, comparisonHead()...)
	b.tail = []string{""}
	return b
}

func (v *view) mdUnchanged() block {
	b := block{name: "the comparisons without change", cut: 3}
	if !v.foldUnchanged() {
		return b
	}
	for _, c := range v.comparisons {
		if c.Mark == regress.NoChange {
			b.rows = append(b.rows, mdComparison(c, v.Verdict.Options))
		}
	}
	b.head = append([]string{"<details><summary>➖ " + plural(len(b.rows), "comparison") + " with no change, proved</summary>", ""}, comparisonHead()...)
	b.tail = []string{"", "</details>", ""}
	return b
}

func (v *view) mdChecks() block {
	b := block{name: "the bounds checks", cut: 5}
	if len(v.checks) == 0 {
		return b
	}
	b.head = []string{"### Bounds checks: " + v.checksSummary(), "",
		mdRow("perf", "experiment", "bounds_check_name", "replicates_passed", "observed_value", "baseline"),
		mdRow(":--", ":--", ":--", "--:", ":--", ":--")}
	for _, c := range v.checks {
		symbol, word := checkMark(c)
		b.rows = append(b.rows, mdRow(symbol+" "+word, md(limitLine(c.Scenario)), md(c.Check.Name()),
			passedCell(c), md(observedCell(c)), baselineCell(c)))
	}
	b.tail = []string{""}
	return b
}

// mdGates is one line for each gate, below the bounds.
func (v *view) mdGates() block {
	b := block{name: "the gates", cut: 5}
	for _, line := range v.gates() {
		b.rows = append(b.rows, "- "+md(limitLine(line)))
	}
	if len(b.rows) > 0 {
		b.tail = []string{""}
	}
	return b
}

func (v *view) mdWorth() block {
	b := block{name: "what is worth a look", cut: 4}
	for _, line := range v.worth() {
		b.rows = append(b.rows, "- "+md(limitLine(line)))
	}
	if len(b.rows) > 0 {
		b.head, b.tail = []string{"### " + worthTitle, ""}, []string{""}
	}
	return b
}

func (v *view) mdLedger() block {
	b := block{name: "the ledger", cut: 2}
	var all []tally
	for i := range v.scenes {
		all = append(all, v.scenes[i].tallies()...)
	}
	if len(all) == 0 {
		return b
	}
	head := []string{"experiment", "variant", "runs"}
	align := []string{":--", ":--", "--:"}
	shown := shownPlaces(all)
	for _, i := range shown {
		head = append(head, places[i].name)
		align = append(align, "--:")
	}
	for i := range v.scenes {
		for _, sum := range v.scenes[i].tallies() {
			cells := []string{md(limitLine(v.scenes[i].name)), sum.role, strconv.Itoa(sum.replicates)}
			for _, p := range shown {
				cells = append(cells, sum.cell(p))
			}
			b.rows = append(b.rows, mdRow(cells...))
		}
	}
	b.head = []string{"### Where the messages went", "",
		md(strings.TrimSpace(ledgerWords + " " + placeWords(shown))), "", mdRow(head...), mdRow(align...)}
	b.tail = []string{""}
	return b
}

func (v *view) mdInvalid() block {
	b := block{name: "the invalid replicates", cut: 4}
	if len(v.invalid) == 0 {
		return b
	}
	b.head = []string{"### Invalid replicates, not judged", ""}
	for _, run := range v.invalid {
		row := "- " + md(limitLine(run.line()))
		if run.lastWords != "" {
			row += mdLastWords(run.lastWords)
		}
		b.rows = append(b.rows, row)
	}
	b.tail = []string{""}
	return b
}

// mdLastWords shows the last lines of what a target printed, fenced with more
// backticks than it contains.
func mdLastWords(text string) string {
	lines := cleanLines(text)
	if len(lines) > 10 {
		lines = lines[len(lines)-10:]
	}
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	var b strings.Builder
	b.WriteString("\n\n  " + fence + "text\n")
	for _, line := range lines {
		b.WriteString("  " + shorten(line, 200) + "\n")
	}
	b.WriteString("  " + fence)
	return b.String()
}

func (v *view) mdWarnings() block {
	b := block{name: "the warnings", cut: 4}
	warnings := v.warnings()
	if len(warnings) == 0 {
		return b
	}
	b.head = []string{"### Warnings", ""}
	for _, w := range warnings {
		b.rows = append(b.rows, "- "+md(limitLine(w)))
	}
	b.tail = []string{""}
	return b
}

func (v *view) mdDecision() block {
	d := v.Verdict.Decision
	b := block{name: "the reasons", cut: 7}
	b.head = []string{"### Decision", "", fmt.Sprintf("**%s %s.**", outcomeSymbol(d.Outcome), outcomeWord(d.Outcome)), ""}
	for _, reason := range v.ownReasons() {
		b.rows = append(b.rows, "- "+md(limitLine(reason)))
	}
	b.tail = []string{""}
	return b
}

func (v *view) mdExplanation() block {
	b := block{head: []string{"<details><summary>How to read this</summary>", ""}}
	for _, line := range append(markRules(v.Verdict.Options), decisionRule(len(v.comparisons))) {
		b.head = append(b.head, "- "+line)
	}
	b.head = append(b.head, "",
		fmt.Sprintf("Δ mean %% is the candidate against the baseline, whatever direction is better: the mean of the log ratios of pairs that ran next to each other, with a %s Student interval.", share(v.Verdict.Options.Confidence)),
		"", "</details>")
	return b
}

// mdRun says how to repeat the run.
func (v *view) mdRun() block {
	var lines []string
	if v.Command != "" {
		lines = append(lines, "", "Repeat it with "+code(limitLine(v.Command))+".")
	}
	if words := generatorWords(v.Records); words != "" {
		lines = append(lines, "", upperFirst(words)+".")
	}
	if v.Version != "" {
		lines = append(lines, "", "<sub>floodgate "+md(limitLine(v.Version))+"</sub>")
	}
	return block{head: lines}
}

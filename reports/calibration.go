package reports

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"floodgate/regress"
	"floodgate/regress/calibration"
	"floodgate/regress/trend"
	"floodgate/scenarios"
)

// Calibration is everything that the reports of a calibration show.
type Calibration struct {
	calibration.Calibration
	Command string // with which it can be repeated
	Version string // of the floodgate that measured
}

// armWords names the order of an arm, and what was planted.
func armWords(r calibration.Row) string {
	words := "blocks"
	if r.Copy.Order == scenarios.Woven {
		words = "woven, " + r.Order()
	}
	return words
}

func plantedCell(r calibration.Row) string {
	if r.Planted == 0 {
		return "nothing"
	}
	return "+" + share(r.Planted)
}

// fine writes a ratio with two digits that mean something: 1.95 %, 13.6 %.
func fine(x float64) string {
	if !finite(x) {
		return absent
	}
	digits := 2
	if x >= 0.1 {
		digits = 1
	}
	return strconv.FormatFloat(x*100, 'f', digits, 64) + " %"
}

// ofBlocksCell says which share of the pairs in blocks is as certain: 1/49.
func ofBlocksCell(r calibration.Row) string {
	switch x := r.OfBlocks; {
	case x == 0:
		return absent
	case x > 0.67:
		return short(x, 1)
	default:
		return "1/" + short(1/x, 0)
	}
}

// calibrationHead are the columns; the figures of the last but one are changes.
func calibrationHead(c Calibration) []string {
	return []string{"pairs", "planted", "n", "spread", "of blocks", fmt.Sprintf("visible in %d", calibration.VisiblePairs),
		"settle ±" + share(c.Options.Tolerance), "found, Δ mean %", "a pair takes"}
}

func calibrationCells(c Calibration, r calibration.Row) []string {
	cells := []string{armWords(r), plantedCell(r), strconv.Itoa(len(r.Comparison.Pairs)), absent, absent, absent, absent, absent, absent}
	if n := len(r.Comparison.Pairs); n < c.Pairs {
		cells[2] = fmt.Sprintf("%d of %d", n, c.Pairs)
	}
	if !r.Measured() {
		return cells
	}
	cells[3] = fmt.Sprintf("%s [%s, %s]", fine(r.Spread), fine(r.SpreadLow), fine(r.SpreadHigh))
	cells[4] = ofBlocksCell(r)
	if r.Visible > 0 {
		cells[5] = fine(r.Visible)
	}
	if cells[6] = "> " + strconv.Itoa(regress.MaxPairs); r.Needed > 0 {
		cells[6] = plural(r.Needed, "pair")
	}
	cells[7] = percent(r.Comparison.Delta.Estimate) + " " + interval(r.Comparison.Delta)
	if !r.Holds {
		cells[7] += " (not within)"
	}
	if r.PairTime > 0 {
		cells[8] = r.PairTime.Round(100 * time.Millisecond).String()
	}
	return cells
}

// calibrationNotes say what the columns mean, and what the figures come to.
func (c Calibration) notes() []string {
	notes := []string{upperFirst(c.Erratic()) + "."}
	if c.Found > 0 {
		notes[0] += fmt.Sprintf(" Its own %s find changes from %s on with 90 %% power; beyond %d times the tolerance of %s a goal is called erratic.",
			plural(c.Scenario.Replicates, "pair"), fine(c.Found), calibration.ErraticFactor, share(c.Options.Tolerance))
	}
	level := share(c.Options.Confidence)
	notes = append(notes,
		fmt.Sprintf("Spread: standard deviation of the log ratios, with its %s interval; of blocks: the share of the pairs in blocks that is as certain; "+
			"visible: the smallest change that so many pairs find with 90 %% power; settle: the pairs that prove ➖ in 90 %% of all runs without a change.", level))
	away, all := 0, 0
	for _, r := range c.Rows {
		if r.Measured() {
			if all++; !r.Holds {
				away++
			}
		}
	}
	if all > 0 {
		notes = append(notes, fmt.Sprintf("Found: the estimate with its %s interval. Intervals that leave out what was planted: %d of %d; by chance about %s.",
			level, away, all, short((1-c.Options.Confidence)*float64(all), 1)))
	}
	if c.Missing > 0 {
		notes = append(notes, plural(c.Missing, "pair")+" of the plan did not come about or were invalid.")
	}
	return notes
}

// facts are what a reader needs to repeat the calibration.
func (c Calibration) facts() []fact {
	facts := []fact{
		{"Scenario", c.Scenario.Name + ", " + c.Scenario.Goal.Name, false},
		{"Variant", c.Baseline, true},
	}
	if c.Digest != "" {
		facts = append(facts, fact{"Program", "sha256 " + firstRunes(c.Digest, 16), true})
	}
	if !c.Began.IsZero() {
		host := trend.HostOf(c.Environment).Words
		if c.Environment.Kernel != "" {
			host += ", kernel " + c.Environment.Kernel
		}
		if c.Steal != nil {
			host += ", steal " + fine(*c.Steal) + " in the median replicate"
		}
		facts = append(facts, fact{"Machine", host, false}, fact{"Time", c.Began.UTC().Format("2006-01-02 15:04 UTC"), false})
	}
	if c.Command != "" {
		facts = append(facts, fact{"Command", c.Command, true})
	}
	if c.Version != "" {
		facts = append(facts, fact{"Floodgate", c.Version, false})
	}
	return facts
}

// CalibrationTerminal writes a calibration as text.
func CalibrationTerminal(w io.Writer, c Calibration, opt TerminalOptions) error {
	t := terminal{style: style{opt.Color}, width: opt.Width}
	for _, f := range c.facts() {
		t.add(t.dim(pad(strings.ToLower(f.Name), 10)) + clean(f.Value))
	}
	t.add("")
	table := textTable{head: calibrationHead(c), right: []bool{false, true, true, true, true, true, true, true, true}}
	for _, r := range c.Rows {
		row := textRow{cells: cleaned(calibrationCells(c, r))}
		if r.Comparison.Mark == regress.NoVerdict && r.Comparison.Reason != "" {
			row.notes = []string{clean(r.Comparison.Reason)}
		}
		table.rows = append(table.rows, row)
	}
	t.add(table.lines(t.width, t.style)...)
	t.add("")
	for _, note := range c.notes() {
		t.add(wrap(clean(note), t.width)...)
	}
	for i, line := range t.lines {
		t.lines[i] = strings.TrimRight(line, " ")
	}
	_, err := io.WriteString(w, strings.Join(t.lines, "\n")+"\n")
	return err
}

// The lines around a calibration in Markdown. Whatever stands between them in a
// page is generated, and may be replaced.
const (
	CalibrationBegin = "<!-- floodgate calibrate: begin -->"
	CalibrationEnd   = "<!-- floodgate calibrate: end -->"
)

// CalibrationMarkdown writes a calibration as a block to paste into a page, from
// CalibrationBegin to CalibrationEnd.
func CalibrationMarkdown(w io.Writer, c Calibration) error {
	lines := []string{CalibrationBegin}
	for _, f := range c.facts() {
		value := md(limitLine(f.Value))
		if f.Code {
			value = code(limitLine(f.Value))
		}
		lines = append(lines, "- "+f.Name+": "+value)
	}
	head := calibrationHead(c)
	rule := []string{":--"}
	for range head[1:] {
		rule = append(rule, "--:")
	}
	lines = append(lines, "", mdRow(head...), mdRow(rule...))
	for _, r := range c.Rows {
		var cells []string
		for _, cell := range calibrationCells(c, r) {
			cells = append(cells, md(cell))
		}
		lines = append(lines, mdRow(cells...))
	}
	for _, note := range c.notes() {
		lines = append(lines, "", md(note))
	}
	lines = append(lines, CalibrationEnd)
	_, err := io.WriteString(w, strings.Join(lines, "\n")+"\n")
	return err
}

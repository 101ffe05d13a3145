package benchstat

import (
	_ "embed" // for the page
	"fmt"
	"html/template"
	"io"
	"math"
	"strings"

	"golang.org/x/perf/benchproc"
	"golang.org/x/perf/benchunit"

	"floodgate/regress"
)

//go:embed page.html
var pageText string

//go:embed page.css
var pageStyle string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// page is what the template shows.
type page struct {
	Style    template.CSS
	Title    string
	Outcome  string // a headline, "" without a decision
	Class    string // of the decision
	Reasons  []string
	Tables   []pageTable
	Reading  []string
	Warnings []string
}

type pageTable struct {
	ID, Unit, Towards, Tally string
	Config                   []Setting // that is new
	Heads                    [][]pageHead
	Units                    []pageHead // the last line of the header
	Rows                     []pageRow
	Geomean                  []pageCell // empty for a single row
	Notes                    []string
}

type pageHead struct {
	Text  string
	Span  int
	Class string
}

type pageRow struct {
	Label string
	Cells []pageCell
}

// pageCell is a median, and beside all but the first of a row a change.
type pageCell struct {
	Present                  bool
	First                    bool
	Center, Range, Full      string
	Notes                    []int
	Delta, Direction, Result string
	ChangeNotes              []int
	Bar                      *pageBar
}

// pageBar is a change as a line from the middle, in the coordinates of its
// picture.
type pageBar struct{ X, Width float64 }

// HTML writes the tables as one page that needs nothing else: no script, no
// network. A decision stands on top if there is one.
func (r *Report) HTML(w io.Writer, decision *regress.Decision) error {
	p := page{Style: template.CSS(pageStyle), Title: r.title(), Reading: r.Options.reading()}
	if decision != nil {
		p.Outcome, p.Reasons = decided(decision.Outcome), decision.Reasons
		p.Class = map[regress.Outcome]string{regress.Pass: "good", regress.Fail: "bad", regress.Unmeasured: "unsure"}[decision.Outcome]
	}
	for _, warning := range r.Warnings {
		p.Warnings = append(p.Warnings, warning.Error())
	}
	for i, t := range r.Tables {
		p.Tables = append(p.Tables, t.page(fmt.Sprintf("t%d", i+1)))
	}
	return pageTemplate.Execute(w, p)
}

// title names what is compared.
func (r *Report) title() string {
	var labels []string
	for _, c := range r.columns {
		labels = append(labels, c.Label)
	}
	switch {
	case len(labels) < 2:
		return strings.Join(append([]string{"Benchmarks"}, labels...), " ")
	case len(labels) == 2:
		return labels[1] + " against " + labels[0]
	}
	return fmt.Sprintf("%s and %d more against %s", labels[1], len(labels)-2, labels[0])
}

func (t *Table) page(id string) pageTable {
	p := pageTable{ID: id, Unit: t.Unit, Towards: t.towards(), Tally: t.tally(), Config: t.News}
	for level := t.Header.Top; len(level) > 0; {
		var line []pageHead
		var below []*benchproc.KeyHeaderNode
		for _, node := range level {
			span := 4 * node.Len // median; change as bar and as figure, p and n
			if node.Start == 0 {
				span -= 3
			}
			line = append(line, pageHead{Text: node.Value, Span: span, Class: "group"})
			below = append(below, node.Children...)
		}
		p.Heads = append(p.Heads, line)
		level = below
	}
	for i := range t.Columns {
		p.Units = append(p.Units, pageHead{Text: t.Unit, Span: 1, Class: "group"})
		if i > 0 {
			p.Units = append(p.Units, pageHead{Text: "vs base", Span: 3})
		}
	}
	var notes footnotes
	widest := t.widest()
	for _, row := range t.Rows {
		line := pageRow{Label: row.Label}
		for i, cell := range row.Cells {
			line.Cells = append(line.Cells, t.pageCell(row, i, cell, &notes, widest))
		}
		p.Rows = append(p.Rows, line)
	}
	if len(t.Rows) > 1 {
		for i, mean := range t.Geomean {
			c := pageCell{First: i == 0, Present: true, Notes: notes.numbers(mean.Warnings)}
			if mean.HasCenter {
				c.Center = benchunit.Scale(mean.Center, benchunit.ClassOf(t.Unit))
			}
			if i > 0 {
				c.Delta = mean.Delta()
			}
			p.Geomean = append(p.Geomean, c)
		}
	}
	p.Notes = notes
	return p
}

func (t *Table) pageCell(row Row, i int, cell *Cell, notes *footnotes, widest float64) pageCell {
	c := pageCell{First: i == 0, Present: cell != nil}
	if cell == nil {
		return c
	}
	s := cell.Summary
	c.Center, c.Range, c.Notes = t.scaler(row).Format(s.Center), s.PctRangeString(), notes.numbers(cell.Warnings)
	c.Full = fmt.Sprintf("%g %s, from %g to %g, n=%d", s.Center, t.Unit, s.Lo, s.Hi, len(cell.Values))
	if cell.Change == nil {
		return c
	}
	change := cell.Change
	c.Delta, c.Direction, c.Result = change.Delta(), t.direction(change), change.String()
	c.ChangeNotes = notes.numbers(change.Warnings)
	if length := distance(change); c.Direction != "" && length != 0 {
		half := barWidth / 2 * math.Abs(length) / widest
		c.Bar = &pageBar{X: barWidth / 2, Width: math.Round(10*half) / 10}
		if length < 0 {
			c.Bar.X -= c.Bar.Width
		}
	}
	return c
}

// barWidth is the width of the picture of a change.
const barWidth = 60.0

// distance is a change on the log scale, where twice and half are as far from
// nothing; 0 where there is no ratio.
func distance(c *Change) float64 {
	d := math.Log(c.New / c.Base)
	if math.IsNaN(d) || math.IsInf(d, 0) {
		return 0
	}
	return d
}

// widest is the largest significant change of a table.
func (t *Table) widest() float64 {
	widest := 0.0
	for _, row := range t.Rows {
		for _, cell := range row.Cells {
			if cell != nil && cell.Change != nil && cell.Change.Significant() {
				widest = max(widest, math.Abs(distance(cell.Change)))
			}
		}
	}
	return widest
}

// numbers are the footnotes of a cell.
func (f *footnotes) numbers(warnings []error) []int {
	var list []int
	for _, warning := range warnings {
		list = append(list, f.number(warning.Error()))
	}
	return list
}

package benchstat

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"golang.org/x/perf/benchproc"
	"golang.org/x/perf/benchunit"
)

// Text writes the tables for a fixed-width font.
func (r *Report) Text(w io.Writer) error {
	b := bufio.NewWriter(w)
	for i, t := range r.Tables {
		if i > 0 {
			b.WriteString("\n")
		}
		for _, s := range t.News {
			fmt.Fprintf(b, "%s: %s\n", s.Key, s.Value)
		}
		if err := t.text(b); err != nil {
			return err
		}
	}
	return b.Flush()
}

// The columns of the grid. The first one has the labels of the rows. Then come
// three for each column of the table (median, interval, footnotes) and, in all
// but the first of these, three more (change, p and n, footnotes).
const (
	labelColumns  = 1
	centerColumns = 3
	changeColumns = 3
)

// startOf is the first column of the grid that belongs to a column of the table.
func startOf(column int) int {
	if column == 0 {
		return labelColumns
	}
	return labelColumns + centerColumns + (column-1)*(centerColumns+changeColumns)
}

func (t *Table) text(w io.Writer) error {
	g := grid{stretch: map[int]bool{}}
	for i := range t.Columns {
		g.stretch[startOf(i)] = true
	}
	t.header(&g)
	var notes footnotes
	for _, row := range t.Rows {
		t.measured(&g, row, &notes)
	}
	if len(t.Rows) > 1 {
		t.summary(&g, &notes)
	}
	if err := g.write(w); err != nil {
		return err
	}
	return notes.write(w)
}

// header has a row for each key of the columns, and one for the unit.
func (t *Table) header(g *grid) {
	const rule = " │ "
	// The rule on the right stands beyond the columns of one more.
	edge := func() { g.over(startOf(len(t.Columns)+1), 1, "", strings.TrimRight(rule, " "), left) }
	for level := t.Header.Top; len(level) > 0; {
		g.nextRow()
		var below []*benchproc.KeyHeaderNode
		for _, node := range level {
			from, to := startOf(node.Start), startOf(node.Start+node.Len)
			g.over(from, to-from, node.Value, rule, center)
			below = append(below, node.Children...)
		}
		edge()
		level = below
	}
	g.nextRow()
	for i := range t.Columns {
		g.over(startOf(i), centerColumns, t.Unit, rule, center)
		if i > 0 {
			g.over(startOf(i)+centerColumns, changeColumns, "vs base", "  ", left)
		}
	}
	edge()
}

func (t *Table) measured(g *grid, row Row, notes *footnotes) {
	g.nextRow()
	g.put(0, row.Label, left)
	scale := t.scaler(row)
	for i, cell := range row.Cells {
		if cell == nil {
			continue
		}
		at := startOf(i)
		g.put(at, scale.Format(cell.Summary.Center), right)
		g.over(at+1, 1, cell.Summary.PctRangeString(), " ± ", right)
		g.put(at+2, notes.mark(cell.Warnings), left)
		if cell.Change != nil {
			g.put(at+3, cell.Change.Delta(), right)
			g.put(at+4, "("+cell.Change.String()+")", left)
			g.put(at+5, notes.mark(cell.Change.Warnings), left)
		}
	}
}

// geomeanLabel is the label of the last row.
const geomeanLabel = "geomean"

func (t *Table) summary(g *grid, notes *footnotes) {
	g.nextRow()
	g.put(0, geomeanLabel, left)
	for i, mean := range t.Geomean {
		if mean.HasCenter {
			g.put(startOf(i), benchunit.Scale(mean.Center, benchunit.ClassOf(t.Unit)), right)
		}
		if i > 0 {
			a := right
			if !mean.HasRatio {
				a = left
			}
			g.put(startOf(i)+centerColumns, mean.Delta(), a)
		}
		g.put(startOf(i+1)-1, notes.mark(mean.Warnings), left)
	}
}

// footnotes numbers the different warnings of a table.
type footnotes []string

// mark returns the numbers of warnings, as they stand in a cell.
func (f *footnotes) mark(warnings []error) string {
	var marks []string
	for _, warning := range warnings {
		marks = append(marks, superscript(f.number(warning.Error())))
	}
	return strings.Join(marks, " ")
}

// number is the number of a text, from 1.
func (f *footnotes) number(text string) int {
	for i, known := range *f {
		if known == text {
			return i + 1
		}
	}
	*f = append(*f, text)
	return len(*f)
}

func (f footnotes) write(w io.Writer) error {
	for i, text := range f {
		if _, err := fmt.Fprintf(w, "%s %s\n", superscript(i+1), text); err != nil {
			return err
		}
	}
	return nil
}

func superscript(n int) string {
	return strings.NewReplacer("0", "⁰", "1", "¹", "2", "²", "3", "³", "4", "⁴", "5", "⁵", "6", "⁶", "7", "⁷", "8", "⁸", "9", "⁹").Replace(fmt.Sprint(n))
}

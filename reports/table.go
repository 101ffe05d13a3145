package reports

import (
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// displayWidth is the number of terminal cells that text takes: two for wide
// characters such as ✅, none for combining ones.
func displayWidth(text string) int {
	n := 0
	for _, r := range text {
		switch {
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		case isWide(r):
			n += 2
		default:
			n++
		}
	}
	return n
}

func isWide(r rune) bool {
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return true
	}
	return false
}

// shorten cuts text to at most cells terminal cells, with an ellipsis.
func shorten(text string, cells int) string {
	if displayWidth(text) <= cells {
		return text
	}
	used := 1 // the ellipsis
	for i, r := range text {
		used += displayWidth(string(r))
		if used > cells {
			return text[:i] + "…"
		}
	}
	return text
}

// wrap breaks text at spaces into lines of at most cells terminal cells. Words
// longer than that stay whole. No limit when cells is 0.
func wrap(text string, cells int) []string {
	if cells <= 0 {
		return []string{text}
	}
	var lines []string
	line, used := "", 0
	for _, word := range strings.Fields(text) {
		n := displayWidth(word)
		if used > 0 && used+1+n > cells {
			lines = append(lines, line)
			line, used = "", 0
		}
		if used > 0 {
			line += " "
			used++
		}
		line += word
		used += n
	}
	return append(lines, line)
}

// textTable is a table for the terminal, aligned by display width.
type textTable struct {
	head  []string
	right []bool // columns aligned to the right, by index
	give  []int  // the columns that are shortened, in turn, when the table is too wide
	rows  []textRow
}

type textRow struct {
	cells []string
	paint func(string) string // of the first cell; nil for none
	notes []string            // lines under the row
}

const (
	columnGap = "  "
	noteLead  = "   ↳ "
	leastGive = 12 // cells below which a column is not shortened
)

// lines lays the table out within limit cells (0: no limit). The widths are
// those of the widest cells, so a table that is wide only by its notes wraps
// these instead.
func (t *textTable) lines(limit int, s style) []string {
	widths := t.widths()
	total := len(columnGap) * (len(widths) - 1)
	for _, w := range widths {
		total += w
	}
	if limit > 0 {
		for _, i := range t.give {
			narrowed := max(min(leastGive, widths[i]), widths[i]-max(total-limit, 0))
			for narrowed < widths[i] && t.alike(i, narrowed) {
				narrowed++ // a table that is too wide can be read, one that does not tell its rows apart cannot
			}
			total -= widths[i] - narrowed
			widths[i] = narrowed
		}
	}
	out := []string{s.dim(t.line(t.head, widths, nil))}
	for _, row := range t.rows {
		out = append(out, t.line(row.cells, widths, row.paint))
		for _, note := range row.notes {
			room := 0
			if limit > 0 {
				room = max(limit-displayWidth(noteLead), leastGive)
			}
			for i, line := range wrap(note, room) {
				lead := noteLead
				if i > 0 {
					lead = strings.Repeat(" ", displayWidth(noteLead))
				}
				out = append(out, s.dim(lead+line))
			}
		}
	}
	return out
}

// alike reports whether different cells of a column are the same when they are
// cut to so many terminal cells.
func (t *textTable) alike(column, cells int) bool {
	whole := map[string]string{}
	for _, row := range t.rows {
		cut := shorten(row.cells[column], cells)
		if other, known := whole[cut]; known && other != row.cells[column] {
			return true
		}
		whole[cut] = row.cells[column]
	}
	return false
}

func (t *textTable) widths() []int {
	widths := make([]int, len(t.head))
	measure := func(cells []string) {
		for i, cell := range cells {
			widths[i] = max(widths[i], displayWidth(cell))
		}
	}
	measure(t.head)
	for _, row := range t.rows {
		measure(row.cells)
	}
	return widths
}

func (t *textTable) line(cells []string, widths []int, paint func(string) string) string {
	var b strings.Builder
	for i, cell := range cells {
		cell = shorten(cell, widths[i])
		pad := strings.Repeat(" ", widths[i]-displayWidth(cell))
		if i == 0 && paint != nil {
			cell = paint(cell)
		}
		if i > 0 {
			b.WriteString(columnGap)
		}
		if t.right != nil && t.right[i] {
			b.WriteString(pad + cell)
			continue
		}
		b.WriteString(cell)
		if i < len(cells)-1 {
			b.WriteString(pad)
		}
	}
	return b.String()
}

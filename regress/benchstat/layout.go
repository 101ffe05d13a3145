package benchstat

import (
	"bufio"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// grid lays out text in columns of a fixed-width font. Its rules are those of
// the table that people know, down to where it breaks; see write.
type grid struct {
	items []item
	row   int // of the items added now; 0 before the first
	// stretch has the columns that give way to a text over several of them.
	stretch map[int]bool
}

// item is a text over one or several columns.
type item struct {
	row, col, span int
	text           string
	margin         string // in front of the text, and of the whole column
	align          align
}

type align int

const (
	left align = iota
	center
	right
)

// nextRow begins a row. The first one needs no beginning.
func (g *grid) nextRow() {
	if len(g.items) > 0 {
		g.row++
	}
}

// put adds a text to a single column, behind a blank if there is something to
// keep apart.
func (g *grid) put(col int, text string, a align) {
	margin := " "
	if col == 0 || text == "" {
		margin = ""
	}
	g.items = append(g.items, item{g.row, col, 1, text, margin, a})
}

// over adds a text over several columns, behind a margin of its own.
func (g *grid) over(col, span int, text, margin string, a align) {
	g.items = append(g.items, item{g.row, col, span, text, margin, a})
}

// measure computes the width of each column, and of the margin within it.
func (g *grid) measure() (widths, margins []int) {
	columns := 0
	for _, it := range g.items {
		columns = max(columns, it.col+it.span)
	}
	widths, margins = make([]int, columns), make([]int, columns)
	for _, it := range g.items {
		margins[it.col] = max(margins[it.col], utf8.RuneCountInString(it.margin))
	}
	// Narrow spans first: what they claim, wide ones need not.
	bySpan := slices.Clone(g.items)
	slices.SortStableFunc(bySpan, func(a, b item) int { return a.span - b.span })
	for _, it := range bySpan {
		need := margins[it.col] + utf8.RuneCountInString(it.text)
		if it.span == 1 {
			widths[it.col] = max(widths[it.col], need)
			continue
		}
		g.widen(widths, it.col, it.span, need)
	}
	return widths, margins
}

// widen makes the columns under a text as wide as the text needs. Only stretch
// columns grow, the narrowest first, towards the same width.
func (g *grid) widen(widths []int, col, span, need int) {
	var growing []int
	have := 0
	for c := col; c < col+span; c++ {
		have += widths[c]
		if g.stretch[c] {
			growing = append(growing, c)
		}
	}
	if have >= need {
		return
	}
	for _, c := range growing {
		have -= widths[c]
	}
	need -= have // what the growing ones have to share
	slices.SortFunc(growing, func(a, b int) int { return widths[b] - widths[a] })
	for i, c := range growing {
		rest := len(growing) - i
		widths[c] = max(widths[c], (need+rest-1)/rest)
		need -= widths[c]
	}
}

// write prints the grid. A text that found no stretch column to grow runs over
// its end; what follows is then moved right once more by what it ran over,
// because benchstat does so.
func (g *grid) write(w io.Writer) error {
	if len(g.items) == 0 {
		return nil
	}
	widths, margins := g.measure()
	starts := make([]int, len(widths)+1)
	for i, width := range widths {
		starts[i+1] = starts[i] + width
	}
	b := bufio.NewWriter(w)
	row, cursor := 0, 0
	for _, it := range g.items {
		if strings.TrimSpace(it.text+it.margin) == "" {
			continue // no blanks at the end of a line
		}
		for ; row < it.row; row++ {
			b.WriteByte('\n')
			cursor = 0
		}
		blanks(b, max(starts[it.col]-cursor, cursor-starts[it.col]))
		blanks(b, margins[it.col]-utf8.RuneCountInString(it.margin))
		b.WriteString(it.margin)
		length := utf8.RuneCountInString(it.text)
		free := starts[it.col+it.span] - starts[it.col] - margins[it.col] - length
		pad := 0
		switch it.align {
		case right:
			pad = max(free, 0)
		case center:
			pad = max(free/2, 0)
		}
		blanks(b, pad)
		b.WriteString(it.text)
		cursor = starts[it.col] + margins[it.col] + pad + length
	}
	b.WriteByte('\n')
	return b.Flush()
}

func blanks(b *bufio.Writer, n int) {
	for range n {
		b.WriteByte(' ')
	}
}

package benchstat

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"golang.org/x/perf/benchunit"

	"floodgate/regress"
)

// Markdown writes the tables for GitHub and its like, with a decision on top if
// there is one.
func (r *Report) Markdown(w io.Writer, decision *regress.Decision) error {
	b := bufio.NewWriter(w)
	b.WriteString("### Benchmarks\n\n")
	if decision != nil {
		fmt.Fprintf(b, "**%s**\n\n", decided(decision.Outcome))
		for _, reason := range decision.Reasons {
			fmt.Fprintf(b, "- %s\n", mdText(reason))
		}
		b.WriteString("\n")
	}
	for _, t := range r.Tables {
		if len(t.News) > 0 {
			b.WriteString("```\n")
			for _, s := range t.News {
				fmt.Fprintf(b, "%s: %s\n", s.Key, s.Value)
			}
			b.WriteString("```\n\n")
		}
		t.markdown(b)
	}
	b.WriteString("<details><summary>How to read this</summary>\n\n")
	for _, line := range r.Options.reading() {
		fmt.Fprintf(b, "- %s\n", mdText(line))
	}
	b.WriteString("\n</details>\n")
	return b.Flush()
}

func (t *Table) markdown(b *bufio.Writer) {
	fmt.Fprintf(b, "#### %s\n\n%s (%s)\n\n", mdCode(t.Unit), mdText(t.tally()), t.towards())
	heads, rules := []string{"benchmark"}, []string{"---"}
	for i, column := range t.Columns {
		heads, rules = append(heads, mdCode(column.Label)), append(rules, "--:")
		if i > 0 {
			heads, rules = append(heads, "vs base", ""), append(rules, "--:", "---")
		}
	}
	mdRow(b, heads)
	mdRow(b, rules)
	var notes footnotes
	for _, row := range t.Rows {
		cells, scale := []string{mdCode(row.Label)}, t.scaler(row)
		for i, cell := range row.Cells {
			if cell == nil {
				cells = append(cells, "")
			} else {
				cells = append(cells, join(scale.Format(cell.Summary.Center)+" ± "+cell.Summary.PctRangeString(), notes.mark(cell.Warnings)))
			}
			switch {
			case i == 0:
			case cell == nil || cell.Change == nil:
				cells = append(cells, "", "")
			default:
				c := cell.Change
				cells = append(cells, mdChange(c.Delta(), t.direction(c)), join("("+c.String()+")", notes.mark(c.Warnings)))
			}
		}
		mdRow(b, cells)
	}
	if len(t.Rows) > 1 {
		mdRow(b, t.mdGeomean(&notes))
	}
	b.WriteString("\n")
	for i, note := range notes {
		fmt.Fprintf(b, "%s %s<br>\n", superscript(i+1), mdText(note))
	}
	if len(notes) > 0 {
		b.WriteString("\n")
	}
}

func (t *Table) mdGeomean(notes *footnotes) []string {
	cells := []string{"**" + geomeanLabel + "**"}
	for i, mean := range t.Geomean {
		center := ""
		if mean.HasCenter {
			center = benchunit.Scale(mean.Center, benchunit.ClassOf(t.Unit))
		}
		mark := notes.mark(mean.Warnings)
		if i == 0 {
			cells = append(cells, join(center, mark))
		} else {
			cells = append(cells, center, mean.Delta(), mark)
		}
	}
	return cells
}

// mdChange makes a change for the worse stand out, in words: colours are not to
// be had.
func mdChange(delta, direction string) string {
	switch direction {
	case "worse", "changed":
		return "**" + delta + " " + direction + "**"
	case "":
		return delta
	}
	return delta + " " + direction
}

func mdRow(b *bufio.Writer, cells []string) {
	b.WriteString("|")
	for _, cell := range cells {
		if cell == "" {
			b.WriteString(" |")
			continue
		}
		b.WriteString(" " + cell + " |")
	}
	b.WriteString("\n")
}

// join puts what is not empty side by side.
func join(parts ...string) string { return strings.TrimSpace(strings.Join(parts, " ")) }

// mdCode quotes a name: nothing in it is markup, or calls for anybody.
func mdCode(name string) string {
	if strings.TrimSpace(name) == "" {
		return ""
	}
	longest, run := 0, 0
	for _, c := range name {
		if c == '`' {
			run++
			longest = max(longest, run)
		} else {
			run = 0
		}
	}
	fence := strings.Repeat("`", longest+1)
	if longest > 0 {
		name = " " + name + " " // a quote at the end would belong to the fence
	}
	return fence + strings.ReplaceAll(name, "|", `\|`) + fence
}

// mdText takes the meaning from the signs of Markdown, and keeps names that
// follow an @ from being called.
func mdText(text string) string {
	var b strings.Builder
	for _, c := range text {
		switch {
		case c == '@':
			b.WriteString("&#64;")
		case strings.ContainsRune("\\`*_~[]<>|&#", c):
			b.WriteRune('\\')
			b.WriteRune(c)
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

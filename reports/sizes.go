package reports

import (
	"fmt"
	"io"
	"strings"

	"floodgate/internal/artefact"
	"floodgate/regress"
	"floodgate/regress/sizes"
	"floodgate/scenarios"
)

// SizesMarker is the hidden first line of the Markdown of static gates, as
// Marker is that of a run's report.
const SizesMarker = "<!-- floodgate sizes -->"

// Sizes is everything that the reports of static gates show.
type Sizes struct {
	Baseline, Candidate string // as the user wrote them; empty for none
	Codec               string // of what is not compressed by itself
	Version             string // of the floodgate that judged
	Verdict             sizes.Verdict
	Inventories         []sizes.Inventory // of the products that have files, compared with those before
}

// mostFiles is how many changed files of one product are listed for people.
const mostFiles = 50

const (
	inventoryTitle = "Files inventory check summary"
	mostlyHidden   = "--format json lists all"
)

// sizeTitles are the headings of both tables.
func (s Sizes) title(d sizes.Dimension) string {
	if d == sizes.OnDisk {
		return "On-disk sizes"
	}
	return "On-wire sizes (compressed, " + s.Codec + " where a product is not compressed by itself)"
}

var sizeHead = []string{"perf", "gate", "change", "size (previous → current → max)", "growth limit"}

// sizeMark is the mark of a row as symbol and word. What held and did not
// change has one of its own: there is nothing to look at.
func sizeMark(r sizes.Row) (symbol, word string) {
	if r.Mark == sizes.Held && r.Neutral() {
		return regress.NoChange.Symbol(), "neutral"
	}
	return r.Mark.Symbol(), string(r.Mark)
}

func sizeCells(r sizes.Row) []string {
	symbol, word := sizeMark(r)
	return []string{symbol + " " + word, r.Gate, sizeChange(r), sizePath(r), growthCell(r)}
}

func byteCell(n *int64) string {
	if n == nil {
		return absent
	}
	return scenarios.Format(float64(*n), scenarios.Bytes)
}

// sizePath is a size on its way from before to the limit.
func sizePath(r sizes.Row) string {
	return byteCell(r.Previous) + " → " + byteCell(r.Current) + " → " + byteCell(r.Limit.Max)
}

// sizeChange is the change in bytes and as a share: "+1.20MiB (+4.08 %)".
func sizeChange(r sizes.Row) string {
	change, ok := r.Change()
	if !ok {
		return absent
	}
	text := scenarios.Format(float64(change), scenarios.Bytes)
	if change > 0 {
		text = "+" + text
	}
	if *r.Previous > 0 && change != 0 {
		text += " (" + percent(float64(change)/float64(*r.Previous)) + " %)"
	}
	return text
}

func growthCell(r sizes.Row) string {
	if r.Limit.Growth == nil {
		return absent
	}
	return r.Limit.Growth.String()
}

// summary counts the marks, in one phrase.
func (s Sizes) summary() string {
	count := map[string]int{}
	for _, r := range s.Verdict.Rows {
		_, word := sizeMark(r)
		count[word]++
	}
	var parts []string
	for _, word := range []string{string(sizes.Broken), string(sizes.NotMeasured), string(sizes.BrokenBefore), string(sizes.Held), "neutral"} {
		if count[word] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", count[word], word))
		}
	}
	if len(parts) == 0 {
		return "nothing was measured"
	}
	return plural(len(s.Verdict.Rows), "size") + ": " + strings.Join(parts, ", ")
}

// fileLine is one changed file: what happened, its path, its mode and size.
func fileLine(c sizes.FileChange) []string {
	what, detail := c.What(), ""
	switch {
	case c.Before == nil:
		detail = fileWords(*c.After)
	case c.After == nil:
		detail = fileWords(*c.Before)
	default:
		what, detail = "changed: "+what, fileWords(*c.Before)+" → "+fileWords(*c.After)
	}
	return []string{what, c.Path, detail}
}

func fileWords(e artefact.Entry) string {
	text := e.Mode.String()
	switch {
	case e.Link != "":
		return text + " to " + e.Link
	case e.Mode.IsRegular():
		return text + " " + grouped(e.Size) + "B"
	}
	return text
}

// changes lists what happened to the files of a product: at most so many for
// people, and how many that leaves out.
func changes(i sizes.Inventory, most int) (listed []sizes.FileChange, more int) {
	for _, part := range [][]sizes.FileChange{i.Added, i.Removed, i.Changed} {
		listed = append(listed, part...)
	}
	if len(listed) > most {
		return listed[:most], len(listed) - most
	}
	return listed, 0
}

func inventorySummary(i sizes.Inventory) string {
	if i.Same() {
		return "no change detected in " + plural(i.Unchanged, "file")
	}
	return fmt.Sprintf("%d added, %d removed, %d changed, %d as before", len(i.Added), len(i.Removed), len(i.Changed), i.Unchanged)
}

// SizesTerminal writes the static gates as text.
func SizesTerminal(w io.Writer, s Sizes, opt TerminalOptions) error {
	t := terminal{style: style{opt.Color}, width: opt.Width}
	d := s.Verdict.Decision
	head := outcomeSymbol(d.Outcome) + " " + outcomeWord(d.Outcome)
	if paint := t.symbol(outcomeSymbol(d.Outcome)); paint != nil {
		head = paint(head)
	}
	t.add(t.bold(head) + ": " + s.summary())
	for _, side := range [][2]string{{"baseline", s.Baseline}, {"candidate", s.Candidate}} {
		if side[1] != "" {
			t.add(t.dim(pad(side[0], 10)) + clean(side[1]))
		}
	}
	for _, dimension := range []sizes.Dimension{sizes.OnDisk, sizes.OnWire} {
		table := textTable{head: sizeHead, right: []bool{false, false, true, false, true}, give: []int{1}}
		for _, r := range s.Verdict.Rows {
			if r.Dimension != dimension {
				continue
			}
			symbol, _ := sizeMark(r)
			row := textRow{cells: cleaned(sizeCells(r)), paint: t.symbol(symbol)}
			if r.Reason != "" {
				row.notes = []string{clean(r.Reason)}
			}
			table.rows = append(table.rows, row)
		}
		if len(table.rows) > 0 {
			t.heading(s.title(dimension))
			t.add(table.lines(t.width, t.style)...)
		}
	}
	if len(s.Inventories) > 0 {
		t.heading(inventoryTitle)
	}
	for _, i := range s.Inventories {
		t.add(clean(i.Gate) + ": " + inventorySummary(i))
		t.fileTable(i)
	}
	t.Verdict.Decision = d
	t.decision()
	for i, line := range t.lines {
		t.lines[i] = strings.TrimRight(line, " ")
	}
	_, err := io.WriteString(w, strings.Join(t.lines, "\n")+"\n")
	return err
}

func (t *terminal) fileTable(i sizes.Inventory) {
	listed, more := changes(i, mostFiles)
	if len(listed) == 0 {
		return
	}
	table := textTable{head: []string{"  change", "file", "mode and size"}, give: []int{1, 2}}
	for _, c := range listed {
		cells := cleaned(fileLine(c))
		cells[0] = "  " + cells[0]
		table.rows = append(table.rows, textRow{cells: cells})
	}
	t.add(table.lines(t.width, t.style)...)
	if more > 0 {
		t.add(t.dim(fmt.Sprintf("  and %d more: %s", more, mostlyHidden)))
	}
}

func cleaned(cells []string) []string {
	out := make([]string, len(cells))
	for i, c := range cells {
		out[i] = clean(c)
	}
	return out
}

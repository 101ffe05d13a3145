package reports

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"floodgate/regress"
	"floodgate/regress/sizes"
	"floodgate/scenarios"
)

// SizesMarkdown writes the static gates for a pull request, in at most the
// 65,536 characters of a comment. What held without a change is folded.
func SizesMarkdown(w io.Writer, s Sizes) error {
	d := s.Verdict.Decision
	head := block{head: []string{SizesMarker,
		fmt.Sprintf("## %s Static quality checks: %s", outcomeSymbol(d.Outcome), strings.ToLower(outcomeWord(d.Outcome))),
		"", upperFirst(s.summary()) + ".", ""}}
	for _, side := range [][2]string{{"Baseline", s.Baseline}, {"Candidate", s.Candidate}} {
		if side[1] != "" {
			head.head = append(head.head, side[0]+": "+code(limitLine(side[1]))+"  ")
		}
	}
	head.head = append(head.head, "")
	blocks := []block{head, s.mdSizes(sizes.OnDisk), s.mdSizes(sizes.OnWire), s.mdNeutral()}
	blocks = append(blocks, s.mdInventories()...)
	v := view{Report: Report{Version: s.Version}}
	v.Verdict.Decision = d
	blocks = append(blocks, v.mdDecision(), v.mdRun())
	cut := fit(blocks, markdownLimit)
	if cut != "" {
		cut = "\n_Cut to fit a comment: " + mostlyHidden + "._\n"
	}
	return writeBlocks(w, blocks, cut)
}

func mdSizeHead(more ...string) []string {
	rule := make([]string, len(sizeHead))
	for i := range rule {
		rule[i] = ":--"
	}
	rule[2], rule[4] = "--:", "--:"
	for range more {
		rule = append(rule, ":--")
	}
	return []string{mdRow(append(append([]string(nil), sizeHead...), more...)...), mdRow(rule...)}
}

func mdSizeCells(r sizes.Row) []string {
	var cells []string
	for _, c := range sizeCells(r) {
		cells = append(cells, md(limitLine(c)))
	}
	if r.Reason != "" {
		cells[1] += "<br><sub>" + md(limitLine(r.Reason)) + "</sub>"
	}
	return cells
}

func unremarkable(r sizes.Row) bool { return r.Mark == sizes.Held && r.Neutral() }

func (s Sizes) mdSizes(d sizes.Dimension) block {
	b := block{name: "the sizes", cut: 3}
	for _, r := range s.Verdict.Rows {
		if r.Dimension == d && !unremarkable(r) {
			b.rows = append(b.rows, mdRow(mdSizeCells(r)...))
		}
	}
	if len(b.rows) > 0 {
		b.head = append([]string{"### " + s.title(d), ""}, mdSizeHead()...)
		b.tail = []string{""}
	}
	return b
}

func (s Sizes) mdNeutral() block {
	b := block{name: "the sizes without a change", cut: 2}
	for _, r := range s.Verdict.Rows {
		if unremarkable(r) {
			b.rows = append(b.rows, mdRow(append(mdSizeCells(r), "on "+string(r.Dimension))...))
		}
	}
	if len(b.rows) > 0 {
		b.head = append([]string{fmt.Sprintf("<details><summary>%s %s with minimal change (&lt; %s)</summary>", regress.NoChange.Symbol(),
			plural(len(b.rows), "successful check"), scenarios.Format(sizes.Neutral, scenarios.Bytes)), ""}, mdSizeHead("size of")...)
		b.tail = []string{"", "</details>", ""}
	}
	return b
}

func (s Sizes) mdInventories() []block {
	if len(s.Inventories) == 0 {
		return nil
	}
	blocks := []block{{head: []string{"### " + inventoryTitle, ""}}}
	for _, i := range s.Inventories {
		b := block{name: "the files", cut: 1, head: []string{"Results for " + code(limitLine(i.Gate)) + ": " + inventorySummary(i) + ".", ""}}
		listed, more := changes(i, mostFiles)
		if len(listed) > 0 {
			b.head = append(b.head, mdRow("change", "file", "mode and size"), mdRow(":--", ":--", ":--"))
		}
		for _, c := range listed {
			cells := fileLine(c)
			b.rows = append(b.rows, mdRow(cells[0], code(limitLine(cells[1])), md(limitLine(cells[2]))))
		}
		if more > 0 {
			b.tail = append(b.tail, "", "And "+strconv.Itoa(more)+" more: "+mostlyHidden+".")
		}
		if len(listed) > 0 {
			b.tail = append(b.tail, "")
		}
		blocks = append(blocks, b)
	}
	return blocks
}

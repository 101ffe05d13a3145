package reports

import (
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"

	"floodgate/internal/record"
	"floodgate/scenarios"
)

// sceneView is the section of one scenario.
type sceneView struct {
	ID, Name, Symbol, Mark, Class string
	Description, Note             string
	Headline                      string // the change, in words
	Facts                         []fact
	Timelines                     []figure
	TimelineNotes                 []string
	Legend                        []legendEntry
	TimelineTables                []*table
	Percentiles                   []percentileView
	PercentileTable               *table
	PercentileNotes               []string
	Ledger                        *table
	LedgerNote                    string
	Checks                        []checkRow
	Replicates                    *table
	YAML                          string

	charts string // begins the ids of the charts; short, because there are many
}

type figure struct {
	SVG     template.HTML
	Title   string
	Caption string
}

type legendEntry struct {
	Swatch template.HTML
	Words  string
}

type percentileView struct {
	Title, Words string
	SVG          template.HTML
}

func (v *view) sceneView(i int, id string) (sceneView, error) {
	s := &v.scenes[i]
	out := sceneView{ID: id, charts: fmt.Sprintf("c%d", i), Name: s.name, Facts: s.facts(), YAML: s.yaml(), Replicates: s.replicates()}
	if s.scenario != nil {
		out.Description = s.scenario.Description
	}
	if c := s.comparison; c != nil {
		out.Symbol, out.Mark, out.Class = c.Mark.Symbol(), string(c.Mark), markClass(c.Mark)
		out.Note = upperFirst(note(*c, v.Verdict.Options))
		if measured(*c) {
			out.Headline = c.Goal.Name + " " + deltaCell(*c) + " %"
			if c.Delta.Level > 0 {
				out.Headline += ", " + share(c.Delta.Level) + " interval " + intervalCell(*c)
			}
		}
	}
	for _, c := range s.checks {
		out.Checks = append(out.Checks, checkRowOf(c, id))
	}
	out.addLedger(s)
	if err := out.addTimelines(s, detailFor(len(v.scenes))); err != nil {
		return sceneView{}, err
	}
	return out, out.addPercentiles(s)
}

func (s *scene) facts() []fact {
	var facts []fact
	add := func(name, value string) {
		if value != "" {
			facts = append(facts, fact{Name: name, Value: value})
		}
	}
	if c := s.comparison; c != nil {
		words := c.Goal.Words
		if words != "" {
			words = ": " + words
		}
		if s.scenario != nil {
			if after := s.scenario.WarmedUp(c.Goal.Name); after != "" {
				words += ", " + after
			}
		}
		add("Goal", c.Goal.Name+words+"; "+c.Goal.Better+" is better")
	}
	if s.scenario != nil {
		add("Load", loadWords(s.scenario.Load))
		add("Intake", s.scenario.Intake.Words())
		if s.scenario.Order == scenarios.Woven {
			add("Order", "woven: both targets alive, the load alternating between them")
		} else {
			add("Order", "blocks: each replicate alone on the machine")
		}
		if s.scenario.Gate {
			add("Gate", "its checks decide the run")
		}
	}
	if c := s.comparison; c != nil && measured(*c) {
		if c.Robust.Level > 0 {
			add("Robust estimate", minus(fmt.Sprintf("%s %% %s", percent(c.Robust.Estimate), interval(c.Robust)))+", Hodges–Lehmann at "+share(c.Robust.Level))
		}
		if c.MinimumDetectable > 0 {
			add("Power", fmt.Sprintf("these %s find changes from %s on, 9 times in 10", trials(*c), share(c.MinimumDetectable)))
		}
		if c.PairsNeeded > 0 {
			unit := "pair"
			if c.Apart != nil {
				unit = "replicate"
			}
			add("To settle it", "about "+plural(c.PairsNeeded, unit))
		}
		if c.Looked != nil {
			add("Looks", fmt.Sprintf("%d, with the boundary %s; ended at look %d", c.Looked.Looks, c.Looked.Boundary, c.Looked.Look))
		}
	}
	return facts
}

// loadWords says what is offered.
func loadWords(l scenarios.Load) string {
	if l.Replay != nil {
		return "the captured lines of " + l.Replay.File + " over " + string(l.Transport)
	}
	if l.Schedule.Count == 0 {
		return "none: idle for " + l.Schedule.Over.String()
	}
	parts := []string{fmt.Sprintf("%s messages in %s over %s", grouped(l.Schedule.Count), l.Schedule.Over, l.Transport)}
	parts = append(parts, sendingWords(l)...)
	if l.Corpus.ContextKeys > 0 {
		parts = append(parts, grouped(int64(l.Corpus.ContextKeys))+" contextKeys")
	}
	if l.Corpus.Tags > 0 {
		parts = append(parts, plural(l.Corpus.Tags, "tag"))
	}
	switch {
	case l.Sender.Client != scenarios.NoClient && l.Corpus.Packing == scenarios.Packing{}:
		parts = append(parts, "packed as it likes")
	case l.Corpus.Packing.Bytes > 0:
		parts = append(parts, "datagrams up to "+scenarios.Format(float64(l.Corpus.Packing.Bytes), scenarios.Bytes))
	case l.Corpus.Packing.Lines > 1:
		parts = append(parts, fmt.Sprintf("up to %d messages in each datagram", l.Corpus.Packing.Lines))
	default:
		parts = append(parts, "one message in each datagram")
	}
	return strings.Join(parts, ", ")
}

func (s *scene) yaml() string {
	if s.scenario != nil && len(s.scenario.Source) > 0 {
		return string(s.scenario.Source)
	}
	for _, rec := range s.records {
		if rec.Config.ScenarioYAML != "" {
			return rec.Config.ScenarioYAML
		}
	}
	return ""
}

// addLedger writes the ledger as a statement of account: stages with the losses
// between them.
func (out *sceneView) addLedger(s *scene) {
	var ts []tally
	for _, t := range s.tallies() {
		if t.replicates > 0 {
			ts = append(ts, t)
		}
	}
	if len(ts) == 0 {
		out.LedgerNote = "No valid replicate, so nothing to account for."
		return
	}
	if sent, told := ts[0].of("offered"); told && sent == 0 {
		out.LedgerNote = "Nothing was offered, so nothing could be lost."
		return
	}
	t := &table{Label: "Ledger", Head: []column{{"place", false}, {"", false}}}
	for _, sum := range ts {
		t.Head = append(t.Head, column{sum.role + ", " + plural(sum.replicates, "run"), true}, column{"of sent", true})
	}
	for i, p := range places {
		known, nonzero := false, false
		for _, sum := range ts {
			known = known || sum.counts[i] != nil
			nonzero = nonzero || sum.counts[i] != nil && *sum.counts[i] != 0
		}
		if !known || !nonzero && !p.stage && p.name != "unaccounted" && p.name != "kernel_dropped" && p.name != "queue_dropped" {
			continue
		}
		name := p.name
		if !p.stage {
			name = "−\u00a0" + name
		}
		cells := []string{name, p.words}
		for _, sum := range ts {
			cells = append(cells, sum.cell(i), sum.shareCell(i))
		}
		t.add(cells...)
	}
	out.Ledger = t
}

func (out *sceneView) addTimelines(s *scene, d detail) error {
	t := newTimelines(s, d.points)
	if len(t.records) == 0 {
		out.TimelineNotes = []string{"No replicate has readings over time."}
		return nil
	}
	out.TimelineNotes = append(out.TimelineNotes, t.words)
	if len(t.panels) > 0 {
		for i, rec := range t.records {
			svg, err := t.drawing(i, fmt.Sprintf("%st%d", out.charts, i)).svg()
			if err != nil {
				return err
			}
			f := figure{SVG: template.HTML(svg), Title: runName(rec), Caption: describeTimeline(rec)}
			if rec.Invalid != "" {
				f.Title += " (invalid: " + rec.Invalid + ")"
			}
			out.Timelines = append(out.Timelines, f)
		}
		for _, c := range t.legend() {
			out.Legend = append(out.Legend, legendEntry{c.swatch(), c.words})
		}
	}
	out.TimelineNotes = append(out.TimelineNotes, t.notes()...)
	for _, rec := range t.records {
		out.TimelineTables = append(out.TimelineTables, readingsTable(rec, d.rows))
	}
	return nil
}

// notes says what is not drawn, and why.
func (t *timelines) notes() []string {
	var notes []string
	if len(t.zero) > 0 {
		notes = append(notes, "Always zero, so not drawn: "+strings.Join(t.zero, "; ")+".")
	}
	if len(t.missing) > 0 {
		notes = append(notes, "Not told by the targets: "+strings.Join(dedupe(t.missing), ", ")+".")
	}
	if t.reduced {
		notes = append(notes, fmt.Sprintf("Long curves show the least and the greatest reading of each of %d stretches.", t.points/2))
	}
	return notes
}

// swatch is the sample of a curve in the legend, in words of the style sheet.
func (c curve) swatch() template.HTML {
	kind := "key"
	switch {
	case c.area:
		kind += " area"
	case len(c.dashes) > 0:
		kind += " dashed"
	}
	return template.HTML(fmt.Sprintf(`<i class="%s" style="color:var(--%s)"></i>`, kind, c.ink.name()))
}

// detail is how much of each scenario's readings the page shows. It shrinks
// with the number of scenarios, so that the page stays below a megabyte.
type detail struct {
	points int // of a curve
	rows   int // of a table of readings
}

func detailFor(scenes int) detail {
	return detail{
		points: min(max(2000/max(scenes, 1), 60), 240),
		rows:   min(max(300/max(scenes, 1), 8), 20),
	}
}

// readingsTable holds the readings of one replicate as figures: every column
// in which something happened.
func readingsTable(rec *record.Record, rows int) *table {
	times := rec.Timeline.Columns[record.ColumnTime]
	every := (len(times) + rows - 1) / rows
	t := &table{Caption: upperFirst(runName(rec)) + ". Counters are cumulative; columns of zeros are left out.", Figures: true, Label: "Readings"}
	if every > 1 {
		t.Caption += fmt.Sprintf(" Every %d. of %d readings, and the last; the record has all.", every, len(times))
	}
	var columns [][]float64
	for _, name := range timelineColumns {
		values := rec.Timeline.Columns[name]
		if len(values) == len(times) && slices.ContainsFunc(values, func(x float64) bool { return x != 0 }) {
			t.Head = append(t.Head, column{name, true})
			columns = append(columns, values)
		}
	}
	for i := range times {
		if i%every != 0 && i != len(times)-1 {
			continue
		}
		var cells []string
		for _, values := range columns {
			cells = append(cells, reading(values[i]))
		}
		t.add(cells...)
	}
	return t
}

var timelineColumns = []string{record.ColumnTime, record.ColumnOffered, record.ColumnSent, record.ColumnReceived,
	record.ColumnDelivered, record.ColumnKernelDropped, record.ColumnQueueDropped, record.ColumnQueueLength,
	record.ColumnKernelQueue, record.ColumnRSS, record.ColumnCPU}

func reading(x float64) string {
	if !finite(x) {
		return absent
	}
	return strconv.FormatFloat(x, 'f', -1, 64)
}

func (out *sceneView) addPercentiles(s *scene) error {
	var none []string
	t := percentileTable()
	for i, h := range histogramWords {
		var ds []distribution
		for _, role := range s.roles() {
			d := s.distribution(role, h.name)
			ds = append(ds, d)
			out.PercentileNotes = append(out.PercentileNotes, d.faults...)
		}
		p := newPercentilePlot(h.title, h.words, ds)
		if len(p.distributions) == 0 {
			none = append(none, h.name)
			continue
		}
		svg, err := p.drawing(fmt.Sprintf("%sp%d", out.charts, i)).svg()
		if err != nil {
			return err
		}
		out.Percentiles = append(out.Percentiles, percentileView{h.title, upperFirst(h.words) + ".", template.HTML(svg)})
		for _, d := range p.distributions {
			t.add(d.row(h.name)...)
		}
	}
	if len(t.Rows) > 0 {
		out.PercentileTable = t
	}
	if len(none) > 0 {
		out.PercentileNotes = append(out.PercentileNotes, "No valid replicate recorded "+strings.Join(none, ", ")+".")
	}
	return nil
}

func percentileTable() *table {
	return &table{
		Label:   "Percentiles",
		Caption: "All valid replicates together. * fewer than 10 samples beyond: a matter of chance.",
		Head:    append([]column{{"histogram", false}, {"variant", false}}, numberColumns("p50", "p90", "p99", "p99.9", "p99.99", "longest", "samples")...),
	}
}

// row is the distribution as a row of the table of percentiles.
func (d distribution) row(name string) []string {
	cells := []string{name, d.role}
	for _, percentile := range percentileColumns {
		text := secondsText(d.at(percentile))
		if !d.sure(percentile) {
			text += " *"
		}
		cells = append(cells, text)
	}
	return append(cells, secondsText(d.at(100)), grouped(d.samples()))
}

package reports

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"floodgate/internal/record"
	"floodgate/scenarios"
)

// League is what several servers came to under the same loads, side by side.
// It ranks nothing by itself and decides nothing: servers differ in what they
// do with a message.
type League struct {
	Command string // how to repeat it
	Version string // of the floodgate that measured
	First   string // the server that the others are compared with
	Entries []LeagueEntry
}

// LeagueEntry is one server under one scenario.
type LeagueEntry struct {
	Scenario, Target string
	Records          []*record.Record // in the order of the run, invalid ones too
}

// leagueMeasures are the columns of the table, each the median over the valid
// replicates.
var leagueMeasures = []struct{ name, head string }{
	{"lost_fraction", "lost"},
	{"cpu_per_message", "CPU per message"},
	{"flush_cpu_per_message", "of it flush"},
	{"rss_peak", "peak memory"},
	{"ingest_latency_p99", "ingest latency p99"},
	{"flush_stall_max", "longest flush stall"},
	{"drain_time", "drain time"},
}

// leagueRow is an entry as it is shown.
type leagueRow struct {
	target     string
	replicates int
	values     map[string]float64 // medians, by measure; absent where no replicate has it
	ratio      float64            // of CPU per message to that of League.First; 0 where either is absent
	notes      []string
}

// scenarios returns the names in the order of the entries.
func (l League) scenarios() []string {
	var names []string
	for _, e := range l.Entries {
		if !slices.Contains(names, e.Scenario) {
			names = append(names, e.Scenario)
		}
	}
	return names
}

// rows are the entries of a scenario, the cheapest per message first; what was
// not measured stands last.
func (l League) rows(scenario string) []leagueRow {
	var rows []leagueRow
	reference := 0.0
	for _, e := range l.Entries {
		if e.Scenario != scenario {
			continue
		}
		row := e.row()
		if e.Target == l.First {
			reference = row.values["cpu_per_message"]
		}
		rows = append(rows, row)
	}
	for i := range rows {
		if reference > 0 {
			rows[i].ratio = rows[i].values["cpu_per_message"] / reference
		}
	}
	slices.SortStableFunc(rows, func(a, b leagueRow) int {
		x, known := a.values["cpu_per_message"]
		y, other := b.values["cpu_per_message"]
		if known != other {
			return cmp.Compare(b2i(other), b2i(known))
		}
		return cmp.Compare(x, y)
	})
	return rows
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (e LeagueEntry) row() leagueRow {
	row := leagueRow{target: e.Target, values: map[string]float64{}}
	note := func(words string) {
		if !slices.Contains(row.notes, words) {
			row.notes = append(row.notes, words)
		}
	}
	found := map[string][]float64{}
	invalid := 0
	for _, rec := range e.Records {
		if text := rec.Text(); text != rec.Variant.Spec {
			note(text)
		}
		if rec.Invalid != "" {
			invalid++
			continue
		}
		row.replicates++
		for _, m := range rec.Measures {
			if finite(m.Value) {
				found[m.Name] = append(found[m.Name], m.Value)
			}
		}
		for _, w := range rec.Warnings {
			// What was left out of its load, or of its settings, makes a server's
			// figures another thing than its neighbours'.
			if words, ok := leagueNote(w); ok {
				note(words)
			}
		}
	}
	for name, values := range found {
		row.values[name] = median(values)
	}
	switch {
	case row.replicates == 0 && invalid > 0:
		row.notes = append(row.notes, "no valid replicate: "+e.Records[len(e.Records)-1].Invalid)
	case row.replicates == 0:
		row.notes = append(row.notes, "not run")
	case invalid > 0:
		row.notes = append(row.notes, plural(invalid, "invalid replicate")+" repeated")
	}
	return row
}

// leagueNote is the part of a record's warning that belongs beside its figures.
func leagueNote(warning string) (string, bool) {
	if _, left, found := strings.Cut(warning, "adapted for "); found {
		if _, left, found = strings.Cut(left, ": "); found {
			return left, true
		}
	}
	if strings.Contains(warning, "has no setting for its receive buffer") {
		return "the system's receive buffer, not the scenario's", true
	}
	if strings.Contains(warning, "is not counted") {
		return "its output is not counted", true
	}
	return "", false
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// leagueTable is what every format shows of a scenario.
type leagueTable struct {
	head    []string
	numbers int // columns of figures, behind the first one
	rows    []leagueRow
	cells   [][]string // of each row
}

// table lays out a scenario. A measure that no server has takes no column.
func (l League) table(scenario string) leagueTable {
	t := leagueTable{head: []string{"server"}, rows: l.rows(scenario)}
	var shown []scenarios.Measure
	for _, m := range leagueMeasures {
		if slices.ContainsFunc(t.rows, func(r leagueRow) bool { _, known := r.values[m.name]; return known }) {
			measure, _ := scenarios.LookUp(m.name)
			shown = append(shown, measure)
			t.head = append(t.head, m.head)
		}
	}
	t.numbers = len(shown) + 2
	t.head = append(t.head, "CPU ratio", "n")
	noted := slices.ContainsFunc(t.rows, func(r leagueRow) bool { return len(r.notes) > 0 })
	if noted {
		t.head = append(t.head, "note")
	}
	for _, r := range t.rows {
		cells := r.cells(shown)
		if noted {
			cells = append(cells, clean(strings.Join(r.notes, "; ")))
		}
		t.cells = append(t.cells, cells)
	}
	return t
}

// shown is a measure as people write it.
func (r leagueRow) shown(name string) string {
	value, known := r.values[name]
	measure, listed := scenarios.LookUp(name)
	if !known || !listed {
		return "–"
	}
	return scenarios.Format(value, measure.Unit)
}

func (r leagueRow) cells(shown []scenarios.Measure) []string {
	cells := []string{clean(r.target)}
	for _, m := range shown {
		cells = append(cells, r.shown(m.Name))
	}
	ratio := "–"
	if r.ratio > 0 {
		ratio = fmt.Sprintf("%.3g", r.ratio)
	}
	return append(cells, ratio, strconv.Itoa(r.replicates))
}

// words explain the tables.
func (l League) words() string {
	return "Medians over n replicates; the servers took turns. Lost is the share of the messages sent whose effect did not come out; " +
		"the CPU ratio is that of the CPU per message to " + l.First + "'s; – is not told or not known."
}

// LeagueTerminal writes the tables for a terminal of so many columns.
func LeagueTerminal(w io.Writer, l League, opt TerminalOptions) error {
	t := terminal{style: style{opt.Color}, width: opt.Width}
	for _, name := range l.scenarios() {
		t.heading(name)
		league := l.table(name)
		last := 1 + league.numbers // the notes stand below their row
		table := textTable{head: league.head[:last], right: make([]bool, last), give: []int{0}}
		for i := range league.numbers {
			table.right[1+i] = true
		}
		for i, cells := range league.cells {
			r := textRow{cells: cells[:last]}
			for _, note := range league.rows[i].notes {
				r.notes = append(r.notes, clean(note))
			}
			table.rows = append(table.rows, r)
		}
		t.add(table.lines(t.width, t.style)...)
	}
	t.add("")
	t.add(wrap(l.words(), t.width)...)
	_, err := io.WriteString(w, strings.Join(t.lines, "\n")+"\n")
	return err
}

// LeagueMarkdown writes the tables as Markdown.
func LeagueMarkdown(w io.Writer, l League) error {
	var b strings.Builder
	for _, name := range l.scenarios() {
		league := l.table(name)
		notes := len(league.head) - 1 - league.numbers
		fmt.Fprintf(&b, "### %s\n\n%s\n|---|%s%s\n", md(name), mdRow(league.head...), strings.Repeat("---:|", league.numbers), strings.Repeat("---|", notes))
		for _, cells := range league.cells {
			for i := range cells {
				cells[i] = md(cells[i])
			}
			b.WriteString(mdRow(cells...) + "\n")
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "%s\n", md(l.words()))
	if l.Command != "" {
		fmt.Fprintf(&b, "\nMeasured with `%s`.\n", strings.ReplaceAll(l.Command, "`", "'"))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

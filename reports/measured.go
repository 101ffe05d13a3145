package reports

import (
	"slices"
	"strings"

	"floodgate/internal/record"
	"floodgate/scenarios"
)

// summarised are the measures that a run of one variant shows beside the goal.
var summarised = []string{"cpu_per_message", "flush_cpu_per_message", "rss_peak", "lost_messages", "flush_stall_max", "ingest_latency_p99", "freshness_p99", "drain_time", "lateness_p99"}

// quantity is one measure over the valid replicates of a scenario.
type quantity struct {
	scenario, name       string
	warmedUp             string // after which warm-up it counts; empty for the whole load
	unit                 scenarios.Unit
	replicates           int
	median, lowest, high float64
}

// measuredRows are what a run of one variant found. A comparison has its own
// table, and none of these.
func (v *view) measuredRows() []quantity {
	if len(v.comparisons) > 0 {
		return nil
	}
	var rows []quantity
	for _, s := range v.scenes {
		names := summarised
		if s.scenario != nil {
			names = append([]string{s.scenario.Goal.Name}, names...)
		}
		var seen []string
		for _, name := range names {
			if slices.Contains(seen, name) {
				continue
			}
			seen = append(seen, name)
			if row, ok := s.measured(name); ok {
				if s.scenario != nil {
					row.warmedUp = s.scenario.WarmedUp(name)
				}
				rows = append(rows, row)
			}
		}
	}
	return rows
}

func (s *scene) measured(name string) (quantity, bool) {
	row := quantity{scenario: s.name, name: name}
	var values []float64
	for _, rec := range s.valid(record.Candidate) {
		if m, ok := rec.Measure(name); ok && finite(m.Value) {
			values = append(values, m.Value)
			row.unit = scenarios.Unit(m.Unit)
		}
	}
	if len(values) == 0 {
		return row, false
	}
	slices.Sort(values)
	row.replicates, row.lowest, row.high = len(values), values[0], values[len(values)-1]
	row.median = median(values)
	return row, true
}

// cells are the row as every format shows it.
func (m quantity) cells() []string {
	format := func(x float64) string { return scenarios.Format(x, m.unit) }
	name := strings.TrimSpace(m.name + " " + m.warmedUp)
	return []string{m.scenario, name, format(m.median), format(m.lowest), format(m.high), plural(m.replicates, "replicate")}
}

var measuredHead = []string{"experiment", "measure", "median", "lowest", "highest", "of"}

func (t *terminal) measuredTable() {
	rows := t.measuredRows()
	if len(rows) == 0 {
		return
	}
	t.heading("Measured")
	table := textTable{head: measuredHead, right: []bool{false, false, true, true, true, false}, give: []int{0, 1}}
	for _, row := range rows {
		cells := row.cells()
		for i := range cells {
			cells[i] = clean(cells[i])
		}
		table.rows = append(table.rows, textRow{cells: cells})
	}
	t.add(table.lines(t.width, t.style)...)
}

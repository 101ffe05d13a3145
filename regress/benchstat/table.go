package benchstat

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"runtime"
	"slices"
	"strings"

	"github.com/aclements/go-moremath/stats"
	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchmath"
	"golang.org/x/perf/benchproc"
	"golang.org/x/perf/benchunit"
	"golang.org/x/sync/errgroup"
)

// Table compares the benchmarks of one configuration in one unit.
type Table struct {
	// Config is the configuration that all results of the table share.
	Config []Setting
	// News are the settings that the table before did not have: what is printed
	// above this one.
	News []Setting

	Unit   string // tidied: sec and B, not ns and MB
	Better int    // 1 when higher is better, -1 when lower is, 0 when nobody said
	Exact  bool   // the log declares the unit to be without noise

	Columns []Column
	Header  *benchproc.KeyHeader // of the columns, one level for each key
	Rows    []Row
	Geomean []Geomean // by column
}

// Setting is a key of the configuration with its value, "" where it is not set.
type Setting struct{ Key, Value string }

// Column is one of the things that are compared. In a table the first one is
// the base of the others.
type Column struct {
	Label string
	key   benchproc.Key
}

// Row is one benchmark.
type Row struct {
	Label string
	Cells []*Cell // by column; nil where the column does not have the benchmark
}

// Cell is one sample with its summary.
type Cell struct {
	Values  []float64 // ascending
	Summary benchmath.Summary
	// Warnings are about the sample and its summary.
	Warnings []error
	// Change compares the cell with the first one of its row. It is nil for that
	// one, and where the first column does not have the benchmark.
	Change *Change
}

// Change is how a cell differs from its base.
type Change struct {
	benchmath.Comparison
	Base, New float64 // the two centers
}

// Significant reports whether the difference is more than noise at the alpha of
// the options.
func (c *Change) Significant() bool { return c.P <= c.Alpha }

// Delta is the change in percent as tables show it: "~" without significance,
// "?" from 0 to something else.
func (c *Change) Delta() string { return c.FormatDelta(c.Base, c.New) }

// Relative is the change as a share of the base: 0.05 is 5 % more. It is
// infinite from 0 to something else.
func (c *Change) Relative() float64 {
	if c.Base == c.New {
		return 0
	}
	return (c.New - c.Base) / math.Abs(c.Base)
}

// finite reports whether both centers are numbers, so that there is something to
// judge: +Inf is what a benchmark reports that divided by zero.
func (c *Change) finite() bool {
	return !math.IsNaN(c.Base-c.New) && !math.IsInf(c.Base-c.New, 0)
}

// Geomean summarizes a column.
type Geomean struct {
	Center, Ratio       float64 // of the medians; of new by old, row by row
	HasCenter, HasRatio bool
	Warnings            []error
}

// Delta is the change of the geometric mean in percent, "?" where there is none.
func (g Geomean) Delta() string {
	if !g.HasRatio {
		return "?"
	}
	return fmt.Sprintf("%+.2f%%", (g.Ratio-1)*100)
}

// tables computes what was collected.
func (c *collector) tables(o Options, units benchfmt.UnitMetadataMap) []*Table {
	keys := sorted(c.tableKeys)
	if len(keys) == 0 {
		return nil
	}
	var tables []*Table
	var before []Setting
	for _, key := range keys {
		t := &Table{Unit: key.Get(c.unit), Config: c.settings(key)}
		t.Better = units.GetBetter(t.Unit)
		t.News = news(before, t.Config)
		before = t.Config
		assumption := units.GetAssumption(t.Unit)
		t.Exact = assumption == benchmath.Assumption(benchmath.AssumeExact)
		cols := sorted(c.columnsOf[key])
		for _, col := range cols {
			t.Columns = append(t.Columns, Column{Label: col.StringValues(), key: col})
		}
		t.Header = benchproc.NewKeyHeader(cols)
		rows := sorted(c.rowsOf[key])
		t.Rows = make([]Row, len(rows))
		var all errgroup.Group // the exact test of many runs with ties is slow
		all.SetLimit(runtime.GOMAXPROCS(0))
		for i, row := range rows {
			all.Go(func() error {
				t.Rows[i] = c.fill(key, row, cols, assumption, o)
				return nil
			})
		}
		all.Wait()
		for i := range cols {
			t.Geomean = append(t.Geomean, geomean(t.Rows, i))
		}
		tables = append(tables, t)
	}
	return tables
}

// sorted lists keys in the order of their projection, which is the order in
// which they were met unless the expression says otherwise.
func sorted(set map[benchproc.Key]bool) []benchproc.Key {
	keys := slices.Collect(maps.Keys(set))
	benchproc.SortKeys(keys)
	return keys
}

// settings lists what a table's key says but its unit. All tables have the same
// keys, because the projection has grown to all of them by now.
func (c *collector) settings(key benchproc.Key) []Setting {
	var list []Setting
	for _, field := range c.table.FlattenedFields() {
		if field.Name != c.unit.Name {
			list = append(list, Setting{field.Name, key.Get(field)})
		}
	}
	return list
}

// news lists the settings that differ from those before, all of them if there
// was nothing before.
func news(before, now []Setting) []Setting {
	var list []Setting
	for i, s := range now {
		if before == nil || before[i] != s {
			list = append(list, s)
		}
	}
	return list
}

// fill computes a row.
func (c *collector) fill(table, row benchproc.Key, cols []benchproc.Key, assumption benchmath.Assumption, o Options) Row {
	r := Row{Label: row.StringValues(), Cells: make([]*Cell, len(cols))}
	thresholds := benchmath.DefaultThresholds
	thresholds.CompareAlpha = o.Alpha
	var base *benchmath.Sample
	for i, col := range cols {
		s, measured := c.samples[place{table, row, col}]
		if !measured {
			continue
		}
		values := benchmath.NewSample(s.values, &thresholds) // sorts them: their order is of no use here
		cell := &Cell{Values: values.Values, Summary: assumption.Summary(values, o.Confidence)}
		if mixed := benchproc.NonSingularFields(sorted(s.hidden)); len(mixed) > 0 {
			var names []string
			for _, field := range mixed {
				names = append(names, field.Name)
			}
			cell.Warnings = append(cell.Warnings, fmt.Errorf("benchmarks vary in %s", strings.Join(names, ", ")))
		}
		cell.Warnings = append(cell.Warnings, cell.Summary.Warnings...)
		if i == 0 {
			base = values
		} else if base != nil {
			cell.Change = &Change{Comparison: compare(assumption, base, values), Base: r.Cells[0].Summary.Center, New: cell.Summary.Center}
		}
		r.Cells[i] = cell
	}
	return r
}

// errNaN explains a comparison that was not made.
var errNaN = errors.New("values that are not numbers cannot be compared")

// compare tests the difference of two samples. The test does not end for values
// that are not numbers (nor does benchstat), so it is not begun.
func compare(assumption benchmath.Assumption, base, values *benchmath.Sample) benchmath.Comparison {
	if slices.ContainsFunc(base.Values, math.IsNaN) || slices.ContainsFunc(values.Values, math.IsNaN) {
		return benchmath.Comparison{
			P: 1, N1: len(base.Values), N2: len(values.Values), Alpha: base.Thresholds.CompareAlpha,
			Warnings: []error{errNaN},
		}
	}
	return assumption.Compare(base, values)
}

// geomean summarizes a column. The ratio is the mean of the rows' ratios, not
// the ratio of the means: where the columns do not have the same benchmarks, it
// still compares only what both have.
func geomean(rows []Row, column int) Geomean {
	var g Geomean
	var centers, ratios []float64
	bases, compared, fromZero := 0, 0, false
	for _, row := range rows {
		if row.Cells[0] != nil {
			bases++
		}
		cell := row.Cells[column]
		if cell == nil {
			continue
		}
		centers = append(centers, cell.Summary.Center)
		if cell.Change == nil {
			continue
		}
		compared++
		switch c := cell.Change; {
		case c.New == c.Base: // also 0 and 0
			ratios = append(ratios, 1)
		case c.Base == 0:
			fromZero = true
		default:
			ratios = append(ratios, c.New/c.Base)
		}
	}
	warn := func(text string) { g.Warnings = append(g.Warnings, fmt.Errorf("%s", text)) }
	if column > 0 && compared != bases {
		warn("benchmark set differs from baseline; geomeans may not be comparable")
	}
	if mean := stats.GeoMean(centers); math.IsNaN(mean) {
		warn("summaries must be >0 to compute geomean")
	} else {
		g.Center, g.HasCenter = mean, true
	}
	if column == 0 || fromZero {
		return g
	}
	if mean := stats.GeoMean(ratios); math.IsNaN(mean) {
		warn("ratios must be >0 to compute geomean")
	} else {
		g.Ratio, g.HasRatio = mean, true
	}
	return g
}

// scaler is the common scale of a row's medians.
func (t *Table) scaler(row Row) benchunit.Scaler {
	var centers []float64
	for _, cell := range row.Cells {
		if cell != nil {
			centers = append(centers, cell.Summary.Center)
		}
	}
	return benchunit.CommonScale(centers, benchunit.ClassOf(t.Unit))
}

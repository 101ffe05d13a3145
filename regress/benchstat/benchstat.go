// Package benchstat makes comparison tables of Go benchmark logs: medians with
// their intervals, changes against the first column with p and n, geometric
// means, footnotes. The statistics are those of golang.org/x/perf, and text and
// CSV are, byte for byte, what its command benchstat prints; a test runs both.
// Markdown, HTML and rules that fail a run are ours.
//
// The package opens nothing: its caller brings a Source.
package benchstat

import (
	"fmt"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchmath"
	"golang.org/x/perf/benchproc"
)

// Options say what is compared with what. The expressions are those of
// golang.org/x/perf/benchproc/syntax.
type Options struct {
	Table  string // what splits results into tables, beside their unit
	Row    string // what makes a row of a table
	Col    string // what makes a column; the first one is the base
	Ignore string // keys that neither split nor warn
	Filter string // which results and units are used at all

	Alpha      float64 // a change with p up to this is called significant
	Confidence float64 // of the intervals around the medians
}

// DefaultOptions compare files: a table for each configuration, a row for each
// benchmark, a column for each file; significant up to 0.05, intervals at 95 %.
func DefaultOptions() Options {
	return Options{
		Table: ".config", Row: ".fullname", Col: ".file", Filter: "*",
		Alpha: benchmath.DefaultThresholds.CompareAlpha, Confidence: 0.95,
	}
}

// Source is a sequence of benchmark records, such as a *benchfmt.Files.
type Source interface {
	Scan() bool
	Result() benchfmt.Record
	Err() error
	Units() map[benchfmt.UnitMetadataKey]*benchfmt.UnitMetadata
}

// Report is everything that was compared.
type Report struct {
	Options Options
	Tables  []*Table
	// Warnings are about lines that were left out, in their order: malformed
	// ones, and those that a filter refused with a reason.
	Warnings  []error
	Malformed int // how many of the warnings are malformed lines
	// Records counts the lines of each file, by the path it was opened with, that
	// are results or unit metadata. A file without any was not understood.
	Records map[string]int

	columns []Column // of all tables; the first is the base
}

// Read compares the records of a source. An error is either a fault of the
// options (then nothing was read), or one of the source; with the latter the
// report has no tables, but still the warnings and counts up to there.
func Read(src Source, o Options) (*Report, error) {
	c, err := newCollector(o)
	if err != nil {
		return nil, err
	}
	r := &Report{Options: o, Records: map[string]int{}}
	for src.Scan() {
		record := src.Result()
		file, _ := record.Pos()
		switch record := record.(type) {
		case *benchfmt.SyntaxError:
			r.Warnings = append(r.Warnings, record)
			r.Malformed++
		case *benchfmt.UnitMetadata:
			r.Records[file]++
		case *benchfmt.Result:
			r.Records[file]++
			if keep, reason := c.filter.Apply(record); keep {
				c.add(record)
			} else if reason != nil {
				r.Warnings = append(r.Warnings, reason)
			}
		}
	}
	if err := src.Err(); err != nil {
		return r, err
	}
	r.Tables, r.columns = c.tables(o, src.Units()), c.allColumns()
	return r, nil
}

// Validate reports the first option that cannot be used, by the name of its
// flag.
func (o Options) Validate() error {
	_, err := newCollector(o)
	return err
}

// collector sorts the values of results into the samples of cells.
type collector struct {
	filter            *benchproc.Filter
	table, row, col   *benchproc.Projection
	unit              *benchproc.Field // of table
	residue           *benchproc.Projection
	samples           map[place]*sample
	tableKeys         map[benchproc.Key]bool
	rowsOf, columnsOf map[benchproc.Key]map[benchproc.Key]bool // of a table
}

// place is where a sample stands.
type place struct{ table, row, col benchproc.Key }

// sample is what was measured for one cell.
type sample struct {
	values []float64
	// hidden are the different rests of the results, without table, row, column
	// and what is ignored: more than one, and the cell mixes different things.
	hidden map[benchproc.Key]bool
}

func newCollector(o Options) (*collector, error) {
	for _, share := range []struct {
		flag  string
		value float64
	}{{"alpha", o.Alpha}, {"confidence", o.Confidence}} {
		if !(share.value >= 0 && share.value <= 1) {
			return nil, fmt.Errorf("cannot use -%s %v: want a share from 0 to 1, such as 0.05", share.flag, share.value)
		}
	}
	filter, err := benchproc.NewFilter(o.Filter)
	if err != nil {
		return nil, fmt.Errorf("cannot parse -filter: %w", err)
	}
	c := &collector{
		filter: filter, samples: map[place]*sample{}, tableKeys: map[benchproc.Key]bool{},
		rowsOf: map[benchproc.Key]map[benchproc.Key]bool{}, columnsOf: map[benchproc.Key]map[benchproc.Key]bool{},
	}
	// One parser for all: a key that one expression names is taken out of the
	// groups, such as .config, of the others.
	var parser benchproc.ProjectionParser
	if c.table, c.unit, err = parser.ParseWithUnit(o.Table, filter); err != nil {
		return nil, fmt.Errorf("cannot parse -table: %w", err)
	}
	if c.row, err = parser.Parse(o.Row, filter); err != nil {
		return nil, fmt.Errorf("cannot parse -row: %w", err)
	}
	if c.col, err = parser.Parse(o.Col, filter); err != nil {
		return nil, fmt.Errorf("cannot parse -col: %w", err)
	}
	if _, err = parser.Parse(o.Ignore, filter); err != nil {
		return nil, fmt.Errorf("cannot parse -ignore: %w", err)
	}
	c.residue = parser.Residue()
	return c, nil
}

// add puts each value of a result where it belongs. Nothing of the result is
// kept: its reader uses it again.
func (c *collector) add(result *benchfmt.Result) {
	tables := c.table.ProjectValues(result)
	row, col, hidden := c.row.Project(result), c.col.Project(result), c.residue.Project(result)
	for i, table := range tables {
		if !c.tableKeys[table] {
			c.tableKeys[table] = true
			c.rowsOf[table], c.columnsOf[table] = map[benchproc.Key]bool{}, map[benchproc.Key]bool{}
		}
		c.rowsOf[table][row], c.columnsOf[table][col] = true, true
		at := place{table, row, col}
		s := c.samples[at]
		if s == nil {
			s = &sample{hidden: map[benchproc.Key]bool{}}
			c.samples[at] = s
		}
		s.values = append(s.values, result.Values[i].Value)
		s.hidden[hidden] = true
	}
}

// allColumns lists all columns of all tables in their order.
func (c *collector) allColumns() []Column {
	set := map[benchproc.Key]bool{}
	for at := range c.samples {
		set[at.col] = true
	}
	var list []Column
	for _, key := range sorted(set) {
		list = append(list, Column{key.StringValues(), key})
	}
	return list
}

package benchstat

import (
	"encoding/csv"
	"fmt"
	"io"
)

// CSV writes the tables as comma-separated values with all digits. Warnings go
// to a writer of their own, each with the cell that it is about, counted over
// the whole file.
func (r *Report) CSV(w, warnings io.Writer) error {
	s := sheet{out: csv.NewWriter(w), warnings: warnings, line: 1}
	for i, t := range r.Tables {
		if i > 0 {
			s.add("")
			s.end()
		}
		for _, setting := range t.News {
			s.add(setting.Key + ": " + setting.Value)
			s.end()
		}
		t.csv(&s)
	}
	s.out.Flush()
	if err := s.out.Error(); err != nil {
		return err
	}
	return s.err
}

// sheet is a CSV file that is being written.
type sheet struct {
	out      *csv.Writer
	warnings io.Writer
	line     int // that is being filled, from 1
	cells    []string
	err      error // the first of writing warnings
}

func (s *sheet) add(cells ...string) { s.cells = append(s.cells, cells...) }

// to fills the line with empty cells up to a column.
func (s *sheet) to(column int) {
	for len(s.cells) < column {
		s.cells = append(s.cells, "")
	}
}

func (s *sheet) end() {
	s.out.Write(s.cells) // its errors are kept until Error
	s.cells = s.cells[:0]
	s.line++
}

// warn writes what is to be known of the cell that comes next.
func (s *sheet) warn(warnings []error) {
	for _, warning := range warnings {
		if _, err := fmt.Fprintf(s.warnings, "%s%d: %s\n", columnName(len(s.cells)), s.line, warning); err != nil && s.err == nil {
			s.err = err
		}
	}
}

// columnName is the name of a column in benchstat's warnings: its number with
// the digits A to Z. A spreadsheet counts alike up to Z; beyond it says AA where
// this says BA.
func columnName(n int) string {
	name := string(rune('A' + n%26))
	for n /= 26; n > 0; n /= 26 {
		name = string(rune('A'+n%26)) + name
	}
	return name
}

// csvStart is the first cell of a column of the table: median and interval for
// each, change and p for all but the first.
func csvStart(column int) int {
	if column == 0 {
		return 1
	}
	return 3 + (column-1)*4
}

func (t *Table) csv(s *sheet) {
	width := csvStart(len(t.Columns))
	for _, field := range t.Header.Levels {
		for i, column := range t.Columns {
			s.to(csvStart(i))
			s.add(column.key.Get(field))
		}
		s.to(width)
		s.end()
	}
	for i := range t.Columns {
		s.to(csvStart(i))
		s.add(t.Unit, "CI")
		if i > 0 {
			s.add("vs base", "P")
		}
	}
	s.end()
	for _, row := range t.Rows {
		s.add(row.Label)
		for i, cell := range row.Cells {
			if cell == nil {
				continue
			}
			s.to(csvStart(i))
			s.warn(cell.Warnings)
			s.add(fmt.Sprint(cell.Summary.Center), cell.Summary.PctRangeString())
			if cell.Change != nil {
				s.warn(cell.Change.Warnings)
				s.add(cell.Change.Delta(), cell.Change.String())
			}
		}
		s.end()
	}
	s.add(geomeanLabel)
	for i, mean := range t.Geomean {
		s.to(csvStart(i))
		s.warn(mean.Warnings)
		if mean.HasCenter {
			s.add(fmt.Sprint(mean.Center))
		}
		if i > 0 {
			s.to(csvStart(i) + 2)
			s.add(mean.Delta())
		}
	}
	s.to(width)
	s.end()
}

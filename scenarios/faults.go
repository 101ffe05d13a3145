package scenarios

import (
	"fmt"
	"sort"
	"strings"
)

// maxFaults bounds how many faults of one file are kept. Beyond it they are
// only counted: nobody reads more, and a hostile file must not fill memory.
const maxFaults = 100

// Fault is one thing wrong with a scenario's file: what was found, and what is
// allowed instead.
type Fault struct {
	File string
	Line int // from 1
	Text string
}

// String is the fault as compilers write theirs, "file:line: text", so that
// editors can jump to it.
func (f Fault) String() string {
	return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Text)
}

// FaultError holds everything that is wrong with one file, so that its author
// mends it in one go. Loaders return it as *FaultError; find it with errors.As.
type FaultError struct {
	Faults []Fault // sorted by line, never empty, at most 100
	More   int     // faults beyond those
}

// Error has one line for each fault.
func (e *FaultError) Error() string {
	lines := make([]string, 0, len(e.Faults)+1)
	for _, f := range e.Faults {
		lines = append(lines, f.String())
	}
	if e.More > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", e.More))
	}
	return strings.Join(lines, "\n")
}

// faults collects what is wrong with a file while it is read.
type faults struct {
	file  string
	list  []Fault
	total int
}

func (f *faults) add(line int, format string, args ...any) {
	f.total++
	if len(f.list) < maxFaults {
		f.list = append(f.list, Fault{File: f.file, Line: max(line, 1), Text: fmt.Sprintf(format, args...)})
	}
}

// err is what was collected, or nil. Faults of one line stay in the order in
// which they were found.
func (f *faults) err() error {
	if f.total == 0 {
		return nil
	}
	sort.SliceStable(f.list, func(i, j int) bool { return f.list[i].Line < f.list[j].Line })
	return &FaultError{Faults: f.list, More: f.total - len(f.list)}
}

// Package documented reads figures out of the documents, so that tests can hold
// them: a table or a sentence that says something else than the code fails a test.
package documented

import (
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
)

// Page is the text of a document.
type Page struct {
	path string
	// lines are as they stand; prose is the whole text with single blanks, so that a
	// sentence is found wherever its lines break.
	lines []string
	prose string
}

// Open reads a document. A failure ends the test.
func Open(t testing.TB, path string) Page {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return Page{path, strings.Split(string(text), "\n"), strings.Join(strings.Fields(string(text)), " ")}
}

// Figure is a number as it is printed: "72 %" is 0.72, and its last digit is worth
// 0.01.
type Figure struct{ Value, Digit float64 }

// Row returns the figures of the row that begins so, in the table whose header
// begins so: those of the cells after its beginning. What is not there ends the
// test.
func (p Page) Row(t testing.TB, header, row string) []Figure {
	t.Helper()
	within := false
	for _, line := range p.lines {
		switch {
		case strings.HasPrefix(line, header):
			within = true
		case !strings.HasPrefix(line, "|"):
			within = false
		case within && strings.HasPrefix(line, row):
			_, rest, _ := strings.Cut(strings.TrimPrefix(line, strings.TrimSuffix(row, "|")), "|")
			var figures []Figure
			for _, cell := range strings.Split(strings.TrimSuffix(strings.TrimSpace(rest), "|"), "|") {
				figures = append(figures, p.figure(t, cell))
			}
			return figures
		}
	}
	t.Fatalf("%s has no row %s in a table %s", p.path, row, header)
	return nil
}

// After returns the figure that follows a phrase, whose lines may break anywhere.
func (p Page) After(t testing.TB, phrase string) Figure {
	t.Helper()
	_, rest, found := strings.Cut(p.prose, phrase+" ")
	if !found {
		t.Fatalf("%s does not say: %s", p.path, phrase)
	}
	words := strings.SplitN(rest, " ", 3)
	if len(words) > 1 && strings.HasPrefix(words[1], "%") {
		return p.figure(t, words[0]+" %")
	}
	return p.figure(t, strings.TrimRight(words[0], ".,;:)"))
}

// Says fails the test if the document lacks the sentence, wherever its lines break.
func (p Page) Says(t testing.TB, sentence string) {
	t.Helper()
	if !strings.Contains(p.prose, sentence) {
		t.Errorf("%s does not say: %s", p.path, sentence)
	}
}

// figure reads a cell: 1.000, **.006**, +5 %, 14.4.
func (p Page) figure(t testing.TB, cell string) Figure {
	t.Helper()
	number, percent := strings.CutSuffix(strings.Trim(cell, " *+"), " %")
	value, err := strconv.ParseFloat(number, 64)
	if err != nil {
		t.Fatalf("%s has %q where a number is wanted", p.path, cell)
	}
	_, decimals, _ := strings.Cut(number, ".")
	f := Figure{value, math.Pow10(-len(decimals))}
	if percent {
		f.Value, f.Digit = f.Value/100, f.Digit/100
	}
	return f
}

// Share fails the test if a simulated share is not the documented one: in as many
// trials as the document has, but for rounding; in another number of them, but for
// one test in 10,000 by chance.
func (f Figure) Share(t testing.TB, what string, got float64, trials, documented int) {
	t.Helper()
	fewer := float64(min(trials, documented))
	within := f.Digit/2 + 2/fewer // another processor may round a trial or two to the other side
	if trials != documented {
		within += 3.9 * math.Sqrt((f.Value*(1-f.Value)+1/fewer)/fewer)
	}
	f.Near(t, what, got, within)
}

// Near fails the test if a value is not within so much of the documented one.
func (f Figure) Near(t testing.TB, what string, got, within float64) {
	t.Helper()
	if !(math.Abs(got-f.Value) <= within) {
		t.Errorf("%s: %.4f, and the document says %v", what, got, f.Value)
	}
}

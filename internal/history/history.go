// Package history is the file that outlives a run: one line of JSON for every
// comparison that was judged. Lines are only ever added, so version control
// merges the file, and an artefact store can keep it.
package history

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// Schema is the major version of the lines that this package writes. A reader
// refuses any other.
const Schema = 1

// Line is one judged comparison. Pointers are absent where there was nothing to
// say: a comparison without a verdict has no ratio, one pair no interval.
type Line struct {
	Schema int `json:"schema"`
	// Time is when the run's first replicate started.
	Time     time.Time `json:"time"`
	Scenario string    `json:"scenario"`
	Measure  string    `json:"measure"`
	Unit     string    `json:"unit"`
	Better   string    `json:"better"` // "lower" or "higher"

	Ratio      *float64 `json:"ratio,omitempty"` // candidate over baseline
	Low        *float64 `json:"low,omitempty"`   // of its interval
	High       *float64 `json:"high,omitempty"`
	Confidence float64  `json:"confidence,omitempty"` // of the interval
	Spread     *float64 `json:"spread,omitempty"`     // standard deviation of the paired log ratios
	Pairs      int      `json:"pairs"`
	Mark       string   `json:"mark"`

	Baseline  Side   `json:"baseline"`
	Candidate Side   `json:"candidate"`
	Host      Host   `json:"host"`
	Seed      uint64 `json:"seed"`
	Floodgate string `json:"floodgate,omitempty"` // that made the run
}

// Side is one of the two variants.
type Side struct {
	Spec   string   `json:"spec"`
	Commit string   `json:"commit,omitempty"`
	Digest string   `json:"digest,omitempty"` // of its binary, hex
	Level  *float64 `json:"level,omitempty"`  // geometric mean of the measure, in its unit
}

// Host is where the run was made. Absolute levels are comparable only where the
// fingerprint is the same.
type Host struct {
	Fingerprint string `json:"fingerprint"`
	Words       string `json:"words"`
}

// Validate reports what makes l unreadable as a line of this schema.
func (l *Line) Validate() error {
	switch {
	case l.Schema != Schema:
		return fmt.Errorf("its schema is %d, this floodgate reads %d: use the version that wrote it", l.Schema, Schema)
	case l.Time.IsZero():
		return errors.New("it has no time")
	case l.Scenario == "" || l.Measure == "":
		return errors.New("it names no scenario or no measure")
	case l.Better != "lower" && l.Better != "higher":
		return fmt.Errorf("better is %q: want lower or higher", l.Better)
	case (l.Low == nil) != (l.High == nil) || l.Low != nil && l.Ratio == nil:
		return errors.New("it has half an interval")
	case l.Pairs < 0:
		return fmt.Errorf("it has %d pairs", l.Pairs)
	case l.Spread != nil && !(*l.Spread >= 0):
		return fmt.Errorf("spread is %v: want no less than 0", *l.Spread)
	}
	for _, x := range []struct {
		name  string
		value *float64
	}{{"ratio", l.Ratio}, {"low", l.Low}, {"high", l.High}, {"baseline.level", l.Baseline.Level}, {"candidate.level", l.Candidate.Level}} {
		if x.value != nil && !(*x.value > 0 && !math.IsInf(*x.value, 0)) {
			return fmt.Errorf("%s is %v: want a number above 0", x.name, *x.value)
		}
	}
	if l.Low != nil && (*l.Low > *l.Ratio || *l.High < *l.Ratio) {
		return fmt.Errorf("the ratio %v lies outside of its interval, %v to %v", *l.Ratio, *l.Low, *l.High)
	}
	return nil
}

// same reports whether l and other tell of the same comparison of one run: it
// may have been judged twice.
func (l *Line) same(other *Line) bool {
	return l.Time.Equal(other.Time) && l.Scenario == other.Scenario && l.Measure == other.Measure && l.Host.Fingerprint == other.Host.Fingerprint &&
		l.Baseline.Spec == other.Baseline.Spec && l.Candidate.Spec == other.Candidate.Spec
}

// content is a history as it was read.
type content struct {
	lines []Line
	// whole is how many bytes are whole lines; cut is what follows them, of a
	// writer that was stopped.
	whole int
	cut   int
	// open says that the last whole line has no line break.
	open bool
}

// parse reads lines. What is wrong with one is an error, except for a last line
// that breaks off.
func parse(text []byte) (content, error) {
	var c content
	for number := 1; c.whole < len(text); number++ {
		line, rest, ended := bytes.Cut(text[c.whole:], []byte("\n"))
		if len(bytes.TrimSpace(line)) > 0 {
			l, err := parseLine(line)
			if err != nil && !ended && !json.Valid(line) {
				c.cut = len(line)
				return c, nil
			}
			if err != nil {
				return c, fmt.Errorf("line %d: %w", number, err)
			}
			c.lines = append(c.lines, l)
		}
		c.whole = len(text) - len(rest)
		c.open = !ended
	}
	return c, nil
}

func parseLine(text []byte) (Line, error) {
	// The version first: in another one the fields may have other types.
	var head struct {
		Schema *int `json:"schema"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return Line{}, fmt.Errorf("it is no line of a history: %w", err)
	}
	if head.Schema == nil {
		return Line{}, errors.New("it is no line of a history: it has no schema")
	}
	l := Line{Schema: *head.Schema}
	if l.Schema == Schema {
		if err := json.Unmarshal(text, &l); err != nil {
			return Line{}, fmt.Errorf("it is no line of a history: %w", err)
		}
	}
	return l, l.Validate()
}

// missing returns those of lines that have does not tell of yet.
func missing(have, lines []Line) []Line {
	var out []Line
	for i := range lines {
		told := func(l Line) bool { return l.same(&lines[i]) }
		if !slices.ContainsFunc(have, told) && !slices.ContainsFunc(out, told) {
			out = append(out, lines[i])
		}
	}
	return out
}

// encode writes lines, each with its line break.
func encode(lines []Line) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for i := range lines {
		if err := lines[i].Validate(); err != nil {
			return nil, fmt.Errorf("%s, %s: %w", lines[i].Scenario, lines[i].Measure, err)
		}
		if err := enc.Encode(&lines[i]); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

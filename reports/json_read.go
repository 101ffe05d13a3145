package reports

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"floodgate/regress"
	"floodgate/regress/trend"
	"floodgate/scenarios"
)

// ReadJSON reads back, of what JSON wrote, the comparisons with their pairs,
// changes and marks, and the origin; all else of the verdict is left empty. A
// report without an origin was made from no records, or by a floodgate that
// did not write one, and has a zero one.
func ReadJSON(r io.Reader) (regress.Verdict, trend.Origin, error) {
	var d document
	text, err := io.ReadAll(io.LimitReader(r, maxDocument+1))
	switch {
	case err != nil:
		return regress.Verdict{}, trend.Origin{}, err
	case len(text) > maxDocument:
		return regress.Verdict{}, trend.Origin{}, fmt.Errorf("it has more than %d bytes, which no report has", maxDocument)
	}
	// The version first: in another one the fields may have other types.
	var head struct {
		Schema *int `json:"schema"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return regress.Verdict{}, trend.Origin{}, fmt.Errorf("it is no report: %w", err)
	}
	switch {
	case head.Schema == nil:
		return regress.Verdict{}, trend.Origin{}, errors.New("it is no report: it has no schema")
	case *head.Schema != JSONSchema:
		return regress.Verdict{}, trend.Origin{}, fmt.Errorf("its schema is %d, this floodgate reads %d: use the version that wrote it", *head.Schema, JSONSchema)
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return regress.Verdict{}, trend.Origin{}, fmt.Errorf("it is no report: %w", err)
	}
	var v regress.Verdict
	for _, c := range d.Comparisons {
		v.Comparisons = append(v.Comparisons, c.comparison())
	}
	if d.Origin == nil {
		return v, trend.Origin{}, nil
	}
	return v, *d.Origin, nil
}

// maxDocument bounds what is taken into memory, in bytes. A report has some
// hundred KiB.
const maxDocument = 64 << 20

func (j jsonComparison) comparison() regress.Comparison {
	c := regress.Comparison{
		Scenario: j.Scenario, Erratic: j.Erratic, Planned: j.Planned, Mark: regress.Mark(j.Mark), Reason: j.Reason,
		Goal:   scenarios.Measure{Name: j.Goal, Unit: scenarios.Unit(j.Unit), Better: j.Better},
		Spread: known(j.Spread), Delta: regress.Interval{Estimate: math.NaN()},
	}
	for _, p := range j.Pairs {
		c.Pairs = append(c.Pairs, regress.Pair{Replicate: p.Replicate, First: p.First, Baseline: known(p.Baseline), Candidate: known(p.Candidate)})
	}
	if d := j.Delta; d != nil {
		c.Delta = regress.Interval{Estimate: known(d.Estimate), Low: known(d.Low), High: known(d.High)}
		if d.Level != nil {
			c.Delta.Level = *d.Level
		}
	}
	return c
}

// known is NaN where JSON has null.
func known(x *float64) float64 {
	if x == nil {
		return math.NaN()
	}
	return *x
}

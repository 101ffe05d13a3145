package reports

import (
	"encoding/json"
	"io"
	"time"

	"floodgate/internal/record"
	"floodgate/scenarios"
)

// calibrationDocument is a calibration as JSON. Changes and spreads are ratios;
// null where they are not known.
type calibrationDocument struct {
	Schema      int                `json:"schema"`
	Version     string             `json:"version"`
	Command     string             `json:"command"`
	Scenario    string             `json:"scenario"`
	Goal        string             `json:"goal"`
	Variant     string             `json:"variant"`
	Digest      string             `json:"target_digest"`
	Began       *time.Time         `json:"began"`
	Environment record.Environment `json:"environment"`
	Steal       *float64           `json:"steal_fraction"` // median
	Confidence  float64            `json:"confidence"`
	Tolerance   float64            `json:"tolerance"`
	Planned     int                `json:"planned_pairs"`
	Missing     int                `json:"missing_pairs"`
	Declared    bool               `json:"declared_erratic"`
	Noise       string             `json:"noise"` // steady, erratic, near the limit or unknown
	Found       *float64           `json:"found_by_own_pairs"`
	Arms        []jsonArm          `json:"arms"`
}

type jsonArm struct {
	Name        string        `json:"name"`
	Order       string        `json:"order"`
	Slice       *float64      `json:"slice_seconds"` // null in blocks
	Planted     float64       `json:"planted"`
	Pairs       []jsonPair    `json:"pairs"`
	Spread      *float64      `json:"spread"`
	SpreadLow   *float64      `json:"spread_low"`
	SpreadHigh  *float64      `json:"spread_high"`
	OfBlocks    *float64      `json:"of_blocks"`
	Visible     *float64      `json:"visible_in_10_pairs"`
	Needed      *int          `json:"pairs_to_settle"` // null: more than anybody waits for, or unknown
	Delta       *jsonInterval `json:"delta"`
	Holds       bool          `json:"holds_planted"`
	PairSeconds *float64      `json:"pair_seconds"`
	Reason      string        `json:"reason,omitempty"` // why pairs are missing
}

// CalibrationJSON writes a calibration for programs: one object, indented, in the
// schema JSONSchema.
func CalibrationJSON(w io.Writer, c Calibration) error {
	doc := calibrationDocument{
		Schema: JSONSchema, Version: c.Version, Command: c.Command, Scenario: c.Scenario.Name, Goal: c.Scenario.Goal.Name,
		Variant: c.Baseline, Digest: c.Digest, Environment: c.Environment, Steal: c.Steal,
		Confidence: c.Options.Confidence, Tolerance: c.Options.Tolerance, Planned: c.Pairs, Missing: c.Missing,
		Declared: c.Scenario.Erratic, Noise: string(c.Noise), Found: unlessZero(c.Found), Arms: []jsonArm{},
	}
	if !c.Began.IsZero() {
		doc.Began = &c.Began
	}
	for _, r := range c.Rows {
		j := jsonArm{Name: r.Copy.Name, Order: string(r.Copy.Order), Planted: r.Planted, Pairs: []jsonPair{},
			Spread: unlessZero(r.Spread), SpreadLow: unlessZero(r.SpreadLow), SpreadHigh: unlessZero(r.SpreadHigh), OfBlocks: unlessZero(r.OfBlocks),
			Visible: unlessZero(r.Visible), Holds: r.Holds, PairSeconds: unlessZero(r.PairTime.Seconds()), Reason: r.Comparison.Reason}
		if r.Copy.Order == scenarios.Woven {
			j.Slice = unlessZero(r.Copy.Slice.Seconds())
		}
		if r.Needed > 0 {
			j.Needed = &r.Needed
		}
		if r.Measured() {
			j.Delta = jsonIntervalOf(r.Comparison.Delta)
		}
		for _, p := range r.Comparison.Pairs {
			j.Pairs = append(j.Pairs, jsonPair{p.Replicate, p.First, number(p.Baseline), number(p.Candidate)})
		}
		doc.Arms = append(doc.Arms, j)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(doc)
}

// unlessZero is x for JSON, nil for 0, which stands for unknown.
func unlessZero(x float64) *float64 {
	if x == 0 {
		return nil
	}
	return number(x)
}

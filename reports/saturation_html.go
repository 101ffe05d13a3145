package reports

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"

	"floodgate/regress/saturation"
)

//go:embed saturation.html
var saturationSource string

var saturationTemplate = template.Must(template.Must(pageTemplate.Clone()).New("saturation").Parse(saturationSource))

// saturationPage is what the template shows.
type saturationPage struct {
	Scenario, Title string
	Style           template.CSS
	Facts           []fact
	Answers         []trendFound
	Charts          []template.HTML
	Caption         string
	Targets         []saturationView
	Notes           []string
}

type saturationView struct {
	ID, Label, Rule string
	Reasons         []trendFound
	Table           *table
}

// SaturationHTML writes the search as one file that needs nothing else: the rate
// against loss, CPU and latency, and the curves as tables.
func SaturationHTML(w io.Writer, s Saturation) error {
	p := saturationPage{Scenario: s.Scenario, Title: upperFirst(s.title()) + ".", Style: template.CSS(pageStyle), Notes: s.notes()}
	if s.Command != "" {
		p.Facts = append(p.Facts, fact{"Command", s.Command, true})
	}
	if s.Version != "" {
		p.Facts = append(p.Facts, fact{"Floodgate", s.Version, false})
	}
	for i, t := range s.Targets {
		p.Answers = append(p.Answers, trendFound{t.symbol(), symbolClass(t.symbol()), s.label(t) + ": " + t.sentence()})
		v := saturationView{ID: fmt.Sprintf("target-%d", i), Label: s.label(t), Rule: upperFirst(t.rule()) + ".",
			Table: &table{Label: "Rates", Head: append([]column{{saturationHead[0], false}}, numberColumns(saturationHead[1:]...)...)}}
		for _, point := range t.points(s.Confirm) {
			v.Table.add(point.cells()...)
			if point.reason != "" {
				v.Reasons = append(v.Reasons, trendFound{point.symbol(), symbolClass(point.symbol()), grouped(point.rate) + " messages/s: " + point.reason})
			}
		}
		p.Targets = append(p.Targets, v)
	}
	chart := newSaturationChart(s)
	if len(chart.panels) > 0 {
		for _, layout := range trendLayouts {
			svg, err := chart.drawing("curve", layout).svg()
			if err != nil {
				return err
			}
			p.Charts = append(p.Charts, template.HTML(svg))
		}
		p.Caption = chart.caption()
	}
	if err := saturationTemplate.Execute(w, p); err != nil {
		return fmt.Errorf("cannot write the HTML of the search: %w", err)
	}
	return nil
}

// symbolClass is the CSS class of a mark.
func symbolClass(symbol string) string {
	switch symbol {
	case "✅":
		return "good"
	case "❌":
		return "bad"
	}
	return "unsure"
}

// saturationDocument is the search as JSON. Rates are messages per second, times
// seconds, shares between 0 and 1; null where something was not measured.
type saturationDocument struct {
	Schema    int             `json:"schema"`
	Version   string          `json:"version"`
	Command   string          `json:"command"`
	Scenario  string          `json:"scenario"`
	Over      float64         `json:"load_seconds"`
	Loss      float64         `json:"loss_ratio"`
	Precision float64         `json:"precision_ratio"`
	Confirm   int             `json:"confirm"`
	Ceiling   *float64        `json:"generator_ceiling_per_second"`
	Targets   []jsonSaturated `json:"targets"`
}

type jsonSaturated struct {
	Role   string                `json:"role"`
	Spec   string                `json:"spec"`
	Commit string                `json:"commit,omitempty"` // that it was built from
	End    string                `json:"end"`              // found, at_least, no_rate, unmeasured or unfinished
	Rate   *int64                `json:"rate_per_second"`
	Above  *int64                `json:"above_per_second"`
	Reason string                `json:"reason"`
	Trials []jsonSaturationTrial `json:"trials"`
}

type jsonSaturationTrial struct {
	Rate      int64    `json:"rate_per_second"`
	Replicate int      `json:"replicate"`
	Finding   string   `json:"finding"` // held, broke, late or doubt
	Reason    string   `json:"reason,omitempty"`
	Disturbed string   `json:"disturbed,omitempty"` // by the machine, in words: such a trial may not count
	Loss      *float64 `json:"lost_fraction"`
	CPU       *float64 `json:"cpu_per_message_seconds"`
	P99       *float64 `json:"ingest_latency_p99_seconds"`
	Growth    *float64 `json:"backlog_growth_ratio"`
	From      string   `json:"backlog_from,omitempty"`
	Drain     *float64 `json:"drain_seconds"`
	DrainFrom string   `json:"drain_from,omitempty"`
}

// SaturationJSON writes the search for programs: one object, indented, in the
// schema JSONSchema.
func SaturationJSON(w io.Writer, s Saturation) error {
	doc := saturationDocument{Schema: JSONSchema, Version: s.Version, Command: s.Command, Scenario: s.Scenario, Over: s.Over.Seconds(),
		Loss: s.Loss, Precision: s.Precision, Confirm: s.Confirm, Targets: []jsonSaturated{}}
	if s.Ceiling > 0 {
		doc.Ceiling = &s.Ceiling
	}
	known := func(rate int64) *int64 {
		if rate == 0 {
			return nil
		}
		return &rate
	}
	for _, t := range s.Targets {
		j := jsonSaturated{Role: t.Role, Spec: t.Spec, Commit: t.Commit, End: string(t.Answer.End), Rate: known(t.Answer.Rate), Above: known(t.Answer.Above),
			Reason: t.Answer.Reason, Trials: []jsonSaturationTrial{}}
		if t.Answer.End == saturation.Unfinished {
			j.End = "unfinished"
		}
		for _, trial := range t.Trials {
			b := trial.Backlog
			j.Trials = append(j.Trials, jsonSaturationTrial{trial.Rate, trial.Replicate, string(trial.Finding), trial.Reason, trial.Disturbed,
				trial.Loss, trial.CPU, trial.LatencyP99, b.Growth, string(b.From), b.Drain, string(b.DrainFrom)})
		}
		doc.Targets = append(doc.Targets, j)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(doc)
}

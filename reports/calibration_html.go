package reports

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"

	"floodgate/regress"
)

//go:embed calibration.html
var calibrationSource string

var calibrationTemplate = template.Must(template.Must(pageTemplate.Clone()).New("calibration").Parse(calibrationSource))

// calibrationPage is what the template of a calibration shows.
type calibrationPage struct {
	Scenario, Summary string
	Style             template.CSS
	Facts             []fact
	Charts            []template.HTML
	Table             *table
	Notes, Reasons    []string
}

// CalibrationHTML writes a calibration as one file that needs nothing else.
func CalibrationHTML(w io.Writer, c Calibration) error {
	notes := c.notes()
	p := calibrationPage{Scenario: c.Scenario.Name, Summary: notes[0], Style: template.CSS(pageStyle), Facts: c.facts(), Notes: notes[1:],
		Table: &table{Label: "Arms"}}
	for i, name := range calibrationHead(c) {
		p.Table.Head = append(p.Table.Head, column{name, i > 0})
	}
	for _, r := range c.Rows {
		p.Table.add(calibrationCells(c, r)...)
		if r.Comparison.Mark == regress.NoVerdict && r.Comparison.Reason != "" {
			p.Reasons = append(p.Reasons, r.Copy.Name+": "+r.Comparison.Reason)
		}
	}
	if chart := newCalibrationChart(c); len(chart.measured()) > 0 {
		for _, layout := range trendLayouts {
			svg, err := chart.drawing(layout).svg()
			if err != nil {
				return err
			}
			p.Charts = append(p.Charts, template.HTML(svg))
		}
	}
	if err := calibrationTemplate.Execute(w, p); err != nil {
		return fmt.Errorf("cannot write the HTML of the calibration: %w", err)
	}
	return nil
}

package reports

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
)

//go:embed trend.html
var trendSource string

var trendTemplate = template.Must(template.Must(pageTemplate.Clone()).New("trend").Parse(trendSource))

// trendPage is what the template of a history shows.
type trendPage struct {
	Summary  string
	Style    template.CSS
	Facts    []fact
	Series   []trendView
	Warnings []string
}

type trendView struct {
	ID, Title, Host string
	Found           []trendFound
	None            string // what is said where nothing was found
	Charts          []template.HTML
	Caption         string
	Table           *table
}

type trendFound struct{ Symbol, Class, Text string }

// mostListed is how many comparisons of a series the page lists at most: the
// latest ones. The history has them all.
const mostListed = 100

// TrendsHTML writes the history as one file that needs nothing else: a chart of
// each series, what was found in it, and its comparisons as a table.
func TrendsHTML(w io.Writer, t Trends) error {
	p := trendPage{Summary: upperFirst(t.summary()) + ".", Style: template.CSS(pageStyle), Warnings: t.Warnings}
	if t.Source != "" {
		p.Facts = append(p.Facts, fact{"History", t.Source, true})
	}
	if t.Version != "" {
		p.Facts = append(p.Facts, fact{"Floodgate", t.Version, false})
	}
	for i, s := range t.Series {
		chart := newTrendChart(s, t.Tolerance)
		v := trendView{ID: fmt.Sprintf("t%d", i), Title: s.Scenario + ", " + s.Measure, Host: hostWords(s),
			Caption: fmt.Sprintf("Above: the ratio of each comparison with its interval; shaded: ±%s; up is %s.%s",
				share(t.Tolerance), direction(s.Better), chart.skippedWords()),
			Table: &table{Label: "Comparisons", Head: []column{{trendHead[0], false}, {trendHead[1], false}, {trendHead[2], true}, {trendHead[3], true},
				{trendHead[4], true}, {trendHead[5], true}, {trendHead[6], false}}}}
		if v.None = "No change of level and no drift found."; !s.Searched() {
			v.None = "Too few comparisons to be searched for changes."
		}
		for _, f := range findings(s) {
			v.Found = append(v.Found, trendFound{f.symbol, f.class(), f.text})
		}
		if len(chart.panels()) > 0 {
			for _, layout := range trendLayouts {
				svg, err := chart.drawing(v.ID+"-chart", layout).svg()
				if err != nil {
					return err
				}
				v.Charts = append(v.Charts, template.HTML(svg))
			}
		}
		for _, l := range latest(s.Lines, mostListed) {
			v.Table.add(trendCells(l)...)
		}
		p.Series = append(p.Series, v)
	}
	if err := trendTemplate.Execute(w, p); err != nil {
		return fmt.Errorf("cannot write the HTML of the history: %w", err)
	}
	return nil
}

// direction is what up means for a measure.
func direction(better string) string {
	if better == "higher" {
		return "better"
	}
	return "worse"
}

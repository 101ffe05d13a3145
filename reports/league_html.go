package reports

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

//go:embed league.html
var leagueSource string

var leagueTemplate = template.Must(template.Must(pageTemplate.Clone()).New("league").Parse(leagueSource))

type leaguePage struct {
	Style     template.CSS
	Facts     []fact
	Words     string
	Scenarios []leagueView
}

type leagueView struct {
	ID, Title string
	Chart     template.HTML
	Table     *table
}

// LeagueHTML writes the league as one file that needs nothing else.
func LeagueHTML(w io.Writer, l League) error {
	p := leaguePage{Style: template.CSS(pageStyle), Words: l.words()}
	if l.Command != "" {
		p.Facts = append(p.Facts, fact{"Command", l.Command, true})
	}
	if l.Version != "" {
		p.Facts = append(p.Facts, fact{"Floodgate", l.Version, false})
	}
	for i, name := range l.scenarios() {
		league := l.table(name)
		svg, err := leagueDrawing(fmt.Sprintf("l%d", i), name, league.rows).svg()
		if err != nil {
			return err
		}
		head := []column{}
		for k, text := range league.head {
			head = append(head, column{text, k > 0 && k <= league.numbers})
		}
		v := leagueView{ID: fmt.Sprintf("s%d", i), Title: name, Chart: template.HTML(svg), Table: &table{Label: name, Head: head}}
		for _, cells := range league.cells {
			v.Table.add(cells...)
		}
		p.Scenarios = append(p.Scenarios, v)
	}
	if err := leagueTemplate.Execute(w, p); err != nil {
		return fmt.Errorf("cannot write the HTML of the league: %w", err)
	}
	return nil
}

// LeagueSVG writes the chart of one scenario as a picture of its own, for pages
// that are not ours. It follows the reader's light or dark scheme.
func LeagueSVG(w io.Writer, l League, scenario string) error {
	d := leagueDrawing("league", scenario, l.rows(scenario))
	svg, err := d.svg()
	if err != nil {
		return err
	}
	open := fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%s" height="%s" `, short(d.width, 1), short(d.height, 1))
	svg = strings.Replace(svg, "<svg ", open, 1)
	at := strings.Index(svg, "<title")
	style := "<style>" + strings.ReplaceAll(pageStyle, "body {", "nothing {") + " svg { background: var(--paper); }</style>"
	_, err = io.WriteString(w, svg[:at]+style+svg[at:]+"\n")
	return err
}

// Places of the chart, in the units of its view box.
const (
	leagueWidth  = 860
	leagueRow0   = 34 // of the heads
	leagueRowH   = 24
	leagueNames  = 130
	leagueColumn = 340
	leagueLabel  = 84 // behind a bar
)

// leagueDrawing draws the servers as rows of two bars: CPU time per message,
// and the share that was lost.
func leagueDrawing(id, scenario string, rows []leagueRow) drawing {
	height := float64(leagueRow0 + leagueRowH*len(rows) + 6)
	described := []string{}
	for _, r := range rows {
		described = append(described, fmt.Sprintf("%s: %s lost, %s of CPU per message", r.target, r.shown("lost_fraction"), r.shown("cpu_per_message")))
	}
	return drawing{
		id: id, class: "chart", title: "CPU time per message and loss under " + scenario, description: strings.Join(described, ". "),
		width: leagueWidth, height: height,
		draw: func(c draw.Canvas) {
			top := vg.Points(height)
			for i, part := range []struct {
				name, head string
				ink        ink
			}{{"cpu_per_message", "CPU time per message", inkCandidate}, {"lost_fraction", "lost; the whole width is 100 %", inkLost}} {
				left := float64(leagueNames + i*(leagueColumn+20))
				c.FillText(textStyle(smallSize, inkMuted, 0, -.5), vg.Point{X: vg.Points(left), Y: top - vg.Points(leagueRow0/2)}, part.head)
				longest := 0.0
				for _, r := range rows {
					longest = max(longest, r.values[part.name])
				}
				if part.ink == inkLost {
					longest = 1 // a share: the least loss must not look like all of it
				}
				for k, r := range rows {
					middle := top - vg.Points(float64(leagueRow0+leagueRowH*k)+leagueRowH/2)
					if i == 0 {
						c.FillText(textStyle(textSize, inkText, -1, -.5), vg.Point{X: vg.Points(leagueNames - 10), Y: middle}, clean(r.target))
					}
					value, known := r.values[part.name]
					length := 0.0
					if known && longest > 0 {
						length = (leagueColumn - leagueLabel) * value / longest
					}
					if length > 0 {
						bar := math.Max(length, 1)
						c.FillPolygon(part.ink.color(), []vg.Point{
							{X: vg.Points(left), Y: middle - vg.Points(7)}, {X: vg.Points(left + bar), Y: middle - vg.Points(7)},
							{X: vg.Points(left + bar), Y: middle + vg.Points(7)}, {X: vg.Points(left), Y: middle + vg.Points(7)}})
					}
					c.FillText(textStyle(textSize, inkMuted, 0, -.5), vg.Point{X: vg.Points(left + length + 6), Y: middle}, r.shown(part.name))
				}
			}
		},
	}
}

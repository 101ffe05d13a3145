package reports

import (
	"fmt"
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"floodgate/internal/history"
	"floodgate/regress"
	"floodgate/regress/trend"
	"floodgate/scenarios"
)

// mostDrawn is how many runs a chart shows at most: the latest ones.
const mostDrawn = 200

// trendChart is a series drawn over its runs, which stand equally far apart:
// the ratio of each with its interval, and below the candidate's level.
type trendChart struct {
	series    trend.Series
	tolerance float64
	skipped   int // runs before the first one that is drawn
}

func newTrendChart(s trend.Series, tolerance float64) trendChart {
	return trendChart{s, tolerance, max(len(s.Lines)-mostDrawn, 0)}
}

func (t trendChart) lines() []history.Line { return t.series.Lines[t.skipped:] }

// trendPanel is one of both parts of the chart. Values are drawn as they come
// out of shown.
type trendPanel struct {
	trendChart
	label   string
	number  func(history.Line) *float64
	shown   func(float64) float64
	format  func(float64) string
	base    int
	finding trend.Finding
	ratio   bool // with intervals, marks and the tolerance
}

func (t trendChart) panels() []trendPanel {
	unit := scenarios.Unit(t.series.Unit)
	base := 10
	if unit == scenarios.Bytes {
		base = 2
	}
	var out []trendPanel
	for _, p := range []trendPanel{
		{label: "ratio of each comparison, Δ mean %", number: ratioOf, shown: func(x float64) float64 { return (x - 1) * 100 },
			format: signedPercent, base: 10, finding: t.series.Ratio, ratio: true},
		{label: t.series.Measure + " of the candidate; the axis need not begin at 0", number: levelOf, shown: func(x float64) float64 { return x },
			format: func(x float64) string { return scenarios.Format(x, unit) }, base: base, finding: t.series.Level},
	} {
		p.trendChart = t
		if len(p.present()) > 0 {
			out = append(out, p)
		}
	}
	return out
}

// present are the runs that have the number.
func (p trendPanel) present() plotter.XYs {
	var xys plotter.XYs
	for i, l := range p.lines() {
		if x := p.number(l); x != nil {
			xys = append(xys, plotter.XY{X: float64(i), Y: p.shown(*x)})
		}
	}
	return xys
}

// span is the range of the axis: what is drawn, and no less than leastSpan.
func (p trendPanel) span() (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	middle := 0.0
	points := p.present()
	for _, xy := range points {
		low, high = min(low, xy.Y), max(high, xy.Y)
		middle += xy.Y / float64(len(points))
	}
	least := math.Expm1(leastSpan) * math.Abs(middle)
	if p.ratio {
		least = 3 * p.tolerance * 100
		// One wild interval must not squeeze all the others.
		room := 2 * max(high-low, least)
		for _, l := range p.lines() {
			if l.Low != nil {
				low, high = min(low, max(p.shown(*l.Low), middle-room)), max(high, min(p.shown(*l.High), middle+room))
			}
		}
		low, high = min(low, 0), max(high, 0)
	}
	if missing := least - (high - low); missing > 0 {
		low, high = low-missing/2, high+missing/2
	}
	margin := 0.06 * (high - low)
	return low - margin, high + margin
}

// trendLayout is the same chart for wide and for narrow pages.
type trendLayout struct {
	class, suffix string
	width         float64
	ticks         int
}

var trendLayouts = []trendLayout{{"chart wide", "", 1040, 9}, {"chart narrow", "-narrow", 372, 3}}

const trendHeight = 150 // of a panel

func (t trendChart) drawing(id string, l trendLayout) drawing {
	panels := t.panels()
	return drawing{
		id: id + l.suffix, class: l.class, width: l.width, height: float64(len(panels))*trendHeight + 16,
		title:       "History of " + t.series.Measure + " under " + t.series.Scenario,
		description: t.describe(),
		draw: func(c draw.Canvas) {
			plots := make([][]*plot.Plot, len(panels))
			for i, p := range panels {
				plots[i] = []*plot.Plot{p.plot(l, i == len(panels)-1)}
			}
			tiles := draw.Tiles{Rows: len(plots), Cols: 1, PadTop: panelHead, PadY: panelHead, PadRight: 10}
			for i, row := range plot.Align(plots, tiles, c) {
				plots[i][0].Draw(row[0])
				data := plots[i][0].DataCanvas(row[0])
				c.FillText(textStyle(textSize, inkText, 0, 0), vg.Point{X: c.Min.X, Y: data.Max.Y + 6}, panels[i].label)
			}
		},
	}
}

// describe says in words what the chart shows.
func (t trendChart) describe() string {
	parts := []string{plural(len(t.lines()), "comparison")}
	for _, f := range findings(t.series) {
		parts = append(parts, f.text)
	}
	return strings.Join(parts, ". ") + "."
}

func (p trendPanel) plot(l trendLayout, labelled bool) *plot.Plot {
	drawn := newPlot()
	drawn.X.Min, drawn.X.Max = -0.5, float64(len(p.lines()))-0.5
	drawn.Y.Min, drawn.Y.Max = p.span()
	ticks := []plot.Tick{}
	if labelled {
		ticks = p.dates(l.ticks)
	}
	drawn.X.Tick.Marker = plot.ConstantTicks(ticks)
	drawn.Y.Tick.Marker = plot.ConstantTicks(niceTicks(drawn.Y.Min, drawn.Y.Max, 4, p.base, p.format))
	drawn.Add(grid{y: true}, p)
	return drawn
}

// dates labels about n of the runs with their day.
func (p trendPanel) dates(n int) []plot.Tick {
	lines := p.lines()
	step := max((len(lines)+n-1)/n, 1)
	var ticks []plot.Tick
	for i := 0; i < len(lines); i += step {
		ticks = append(ticks, plot.Tick{Value: float64(i), Label: day(lines[i])})
	}
	return ticks
}

// Plot implements plot.Plotter.
func (p trendPanel) Plot(c draw.Canvas, drawn *plot.Plot) {
	trX, trY := drawn.Transforms(&c)
	clamp := func(y float64) vg.Length { return trY(max(drawn.Y.Min, min(drawn.Y.Max, y))) }
	if p.ratio {
		low, high := clamp(-p.tolerance*100), clamp(p.tolerance*100)
		c.FillPolygon(inkBand.color(), []vg.Point{{X: c.Min.X, Y: low}, {X: c.Max.X, Y: low}, {X: c.Max.X, Y: high}, {X: c.Min.X, Y: high}})
		c.StrokeLine2(lineStyle(inkMuted, 1), c.Min.X, clamp(0), c.Max.X, clamp(0))
	}
	p.drawFinding(c, trX, clamp)
	for i, l := range p.lines() {
		x := p.number(l)
		if x == nil {
			continue
		}
		at := vg.Point{X: trX(float64(i)), Y: clamp(p.shown(*x))}
		glyph := draw.GlyphStyle{Color: inkCandidate.color(), Radius: vg.Points(2.6), Shape: draw.CircleGlyph{}}
		if p.ratio {
			mark := regress.Mark(l.Mark)
			glyph.Color, glyph.Shape = markInk(mark).color(), markGlyph(mark)
			if l.Low != nil {
				c.StrokeLine2(lineStyle(markInk(mark), 1), at.X, clamp(p.shown(*l.Low)), at.X, clamp(p.shown(*l.High)))
			}
		}
		c.DrawGlyphNoClip(glyph, at)
	}
}

// drawFinding draws the drift as a line, or the levels between the points with
// an upright line at each.
func (p trendPanel) drawFinding(c draw.Canvas, trX, trY func(float64) vg.Length) {
	paint := func(worse bool) ink {
		if worse {
			return inkBad
		}
		return inkGood
	}
	if d := p.finding.Drift; d != nil {
		// Through the middle of the series, as high as the whole change.
		middle, n := 0.0, 0.0
		for _, l := range p.series.Lines[d.From : d.To+1] {
			if x := p.number(l); x != nil {
				middle, n = middle+math.Log(*x), n+1
			}
		}
		half := math.Log1p(d.Change.Estimate) / 2
		from, to := math.Exp(middle/n-half), math.Exp(middle/n+half)
		c.StrokeLine2(lineStyle(paint(d.Worse), curveWidth, 5, 3),
			trX(float64(d.From-p.skipped)), trY(p.shown(from)), trX(float64(d.To-p.skipped)), trY(p.shown(to)))
		return
	}
	if len(p.finding.Points) == 0 {
		return
	}
	start := 0
	for i := 0; i <= len(p.finding.Points); i++ {
		end := len(p.series.Lines)
		if i < len(p.finding.Points) {
			end = p.finding.Points[i].Line
		}
		p.drawLevel(c, trX, trY, start, end)
		start = end
	}
	for _, point := range p.finding.Points {
		if x := float64(point.Line-p.skipped) - 0.5; x >= 0 {
			c.StrokeLine2(lineStyle(paint(point.Worse), 1, 3, 2), trX(x), c.Min.Y, trX(x), c.Max.Y)
		}
	}
}

// drawLevel draws the mean of the runs from start up to, not including, end.
func (p trendPanel) drawLevel(c draw.Canvas, trX, trY func(float64) vg.Length, start, end int) {
	sum, n := 0.0, 0.0
	for _, l := range p.series.Lines[start:end] {
		if x := p.number(l); x != nil {
			sum, n = sum+math.Log(*x), n+1
		}
	}
	from, to := max(float64(start-p.skipped)-0.5, -0.5), float64(end-p.skipped)-0.5
	if n == 0 || to <= from {
		return
	}
	y := trY(p.shown(math.Exp(sum / n)))
	c.StrokeLine2(lineStyle(inkText, curveWidth), trX(from), y, trX(to), y)
}

// skippedWords says how many runs are not drawn; empty for none.
func (t trendChart) skippedWords() string {
	if t.skipped == 0 {
		return ""
	}
	return fmt.Sprintf(" The latest %d of %d comparisons.", mostDrawn, len(t.series.Lines))
}

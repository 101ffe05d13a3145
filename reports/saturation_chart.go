package reports

import (
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"floodgate/regress/saturation"
	"floodgate/scenarios"
)

// saturationChart draws loss, CPU and latency against the rate, one above the
// other, for all targets.
type saturationChart struct {
	s         Saturation
	low, high float64 // of the rates
	panels    []saturationPanel
}

// saturationPanel is one figure over the rates.
type saturationPanel struct {
	label  string
	unit   scenarios.Unit
	number func(saturationPoint) *float64
	chart  *saturationChart
	most   float64
}

func newSaturationChart(s Saturation) *saturationChart {
	c := &saturationChart{s: s, low: math.Inf(1), high: math.Inf(-1)}
	for _, p := range []saturationPanel{
		{label: "messages lost, worst replicate", unit: scenarios.Ratio, number: func(p saturationPoint) *float64 { return p.loss }},
		{label: "CPU per message, mean", unit: scenarios.Seconds, number: func(p saturationPoint) *float64 { return p.cpu }},
		{label: "ingest latency, 99th percentile, worst replicate", unit: scenarios.Seconds, number: func(p saturationPoint) *float64 { return p.p99 }},
	} {
		p.chart = c
		drawn := false
		for _, t := range s.Targets {
			for _, point := range t.points(s.Confirm) {
				if x := p.number(point); x != nil {
					drawn = true
					p.most = max(p.most, *x)
					c.low, c.high = min(c.low, float64(point.rate)), max(c.high, float64(point.rate))
				}
			}
		}
		if drawn {
			c.panels = append(c.panels, p)
		}
	}
	// Room at the sides, so that no point stands on the frame.
	c.low, c.high = c.low/1.15, c.high*1.15
	return c
}

func (c *saturationChart) drawing(id string, l trendLayout) drawing {
	return drawing{
		id: id + l.suffix, class: l.class, width: l.width, height: float64(len(c.panels))*trendHeight + 30,
		title: "Loss, CPU and latency of " + c.s.Scenario + " by rate", description: c.describe(),
		draw: func(canvas draw.Canvas) {
			plots := make([][]*plot.Plot, len(c.panels))
			for i, p := range c.panels {
				plots[i] = []*plot.Plot{p.plot(l, i == len(c.panels)-1)}
			}
			tiles := draw.Tiles{Rows: len(plots), Cols: 1, PadTop: panelHead, PadY: panelHead, PadRight: 10, PadBottom: 14}
			for i, row := range plot.Align(plots, tiles, canvas) {
				plots[i][0].Draw(row[0])
				data := plots[i][0].DataCanvas(row[0])
				canvas.FillText(textStyle(textSize, inkText, 0, 0), vg.Point{X: canvas.Min.X, Y: data.Max.Y + 6}, c.panels[i].label)
			}
			canvas.FillText(textStyle(textSize, inkMuted, -1, 0), vg.Point{X: canvas.Max.X - 10, Y: canvas.Min.Y + 3}, "messages offered per second (log scale)")
		},
	}
}

// describe says in words what the chart shows.
func (c *saturationChart) describe() string {
	var parts []string
	for _, t := range c.s.Targets {
		parts = append(parts, c.s.label(t)+": "+t.sentence())
	}
	return strings.Join(parts, ". ") + "."
}

// caption explains the signs.
func (c *saturationChart) caption() string {
	words := "Each point is a rate: a dot holds, a box is too many, a ring is not known. The upright line stands at the highest rate that holds."
	if len(c.s.Targets) > 1 {
		words += " Dashed: the baseline; solid: the candidate."
	}
	return words
}

func (p saturationPanel) plot(l trendLayout, labelled bool) *plot.Plot {
	drawn := newPlot()
	drawn.X.Scale = plot.LogScale{}
	drawn.X.Min, drawn.X.Max = p.chart.low, p.chart.high
	drawn.Y.Min, drawn.Y.Max = 0, p.most*1.08
	if p.most == 0 {
		drawn.Y.Max = 0.01 // nothing was lost at any rate
	}
	ticks := []plot.Tick{}
	if labelled {
		ticks = rateTicks(p.chart.low, p.chart.high, l.ticks)
	}
	drawn.X.Tick.Marker = plot.ConstantTicks(ticks)
	drawn.Y.Tick.Marker = plot.ConstantTicks(niceTicks(0, drawn.Y.Max, 4, 10, func(x float64) string { return scenarios.Format(x, p.unit) }))
	drawn.Add(grid{y: true}, p)
	return drawn
}

// rateTicks are round rates on a logarithmic axis, at most n of them or those at
// powers of ten.
func rateTicks(low, high float64, n int) []plot.Tick {
	for _, steps := range [][]float64{{1, 1.5, 2, 3, 4, 5, 6, 8}, {1, 2, 3, 5}, {1, 2, 5}, {1, 3}, {1}} {
		var ticks []plot.Tick
		for d := decadeBelow(low); d <= high; d *= 10 {
			for _, s := range steps {
				if v := d * s; v >= low && v <= high {
					ticks = append(ticks, plot.Tick{Value: v, Label: compact(v)})
				}
			}
		}
		if len(ticks) <= n {
			return ticks
		}
	}
	return nil
}

// Plot implements plot.Plotter.
func (p saturationPanel) Plot(c draw.Canvas, drawn *plot.Plot) {
	trX, trY := drawn.Transforms(&c)
	for _, t := range p.chart.s.Targets {
		paint, dashes := t.inkOf()
		if rate := float64(t.Answer.Rate); rate >= p.chart.low && rate <= p.chart.high {
			c.StrokeLine2(lineStyle(paint, 1, 3, 2), trX(rate), c.Min.Y, trX(rate), c.Max.Y)
		}
		var points plotter.XYs
		var of []saturationPoint
		for _, point := range t.points(p.chart.s.Confirm) {
			if y := p.number(point); y != nil {
				points = append(points, plotter.XY{X: float64(point.rate), Y: *y})
				of = append(of, point)
			}
		}
		line := make([]vg.Point, len(points))
		for i, xy := range points {
			line[i] = vg.Point{X: trX(xy.X), Y: trY(xy.Y)}
		}
		if len(line) > 1 {
			c.StrokeLines(lineStyle(paint, curveWidth, dashes...), line)
		}
		for i, at := range line {
			glyph := draw.GlyphStyle{Color: paint.color(), Radius: vg.Points(3), Shape: draw.CircleGlyph{}}
			if of[i].finding == saturation.Broke {
				glyph.Color, glyph.Shape = inkBad.color(), draw.BoxGlyph{}
			}
			c.DrawGlyphNoClip(glyph, at)
			if of[i].finding != saturation.Broke && of[i].finding != saturation.Held {
				glyph.Color, glyph.Radius = inkPaper.color(), vg.Points(1.6)
				c.DrawGlyphNoClip(glyph, at)
			}
		}
	}
}

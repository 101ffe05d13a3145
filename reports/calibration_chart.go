package reports

import (
	"fmt"
	"html"
	"io"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"floodgate/regress/calibration"
)

// calibrationChart draws the arms side by side: above the spread in each order,
// below the change that was found beside the one that was planted.
type calibrationChart struct {
	c       Calibration
	orders  []string // of the arms, in their order
	planted []float64
}

func newCalibrationChart(c Calibration) calibrationChart {
	chart := calibrationChart{c: c}
	for _, r := range c.Rows {
		if !slices.Contains(chart.orders, armWords(r)) {
			chart.orders = append(chart.orders, armWords(r))
		}
		if !slices.Contains(chart.planted, r.Planted) {
			chart.planted = append(chart.planted, r.Planted)
		}
	}
	return chart
}

// measured are the rows that can be drawn.
func (k calibrationChart) measured() []calibration.Row {
	return slices.DeleteFunc(slices.Clone(k.c.Rows), func(r calibration.Row) bool { return !r.Measured() || r.Spread <= 0 })
}

// x is the place of a row: orders stand equally far apart, and the arms of one
// order next to each other.
func (k calibrationChart) x(r calibration.Row) float64 {
	step := 0.6 / float64(len(k.planted))
	return float64(slices.Index(k.orders, armWords(r))) + step*(float64(slices.Index(k.planted, r.Planted))-float64(len(k.planted)-1)/2)
}

func (k calibrationChart) drawing(l trendLayout) drawing {
	const panelHeight = 190
	return drawing{
		id: "calibration" + l.suffix, class: l.class, width: l.width, height: 2*panelHeight + 16,
		title:       "What pairs of " + k.c.Scenario.Name + " can see",
		description: k.describe(),
		draw: func(c draw.Canvas) {
			panels := []calibrationPanel{{k, true}, {k, false}}
			plots := [][]*plot.Plot{{panels[0].plot(l)}, {panels[1].plot(l)}}
			tiles := draw.Tiles{Rows: 2, Cols: 1, PadTop: panelHead, PadY: panelHead, PadRight: 10}
			for i, row := range plot.Align(plots, tiles, c) {
				plots[i][0].Draw(row[0])
				data := plots[i][0].DataCanvas(row[0])
				c.FillText(textStyle(textSize, inkText, 0, 0), vg.Point{X: c.Min.X, Y: data.Max.Y + 6}, panels[i].label())
			}
		},
	}
}

// describe says in words what the chart shows.
func (k calibrationChart) describe() string {
	var parts []string
	for _, r := range k.measured() {
		parts = append(parts, fmt.Sprintf("%s, planted %s: spread %s, found %s %%", armWords(r), plantedCell(r), fine(r.Spread), percent(r.Comparison.Delta.Estimate)))
	}
	return strings.Join(append(parts, plural(len(k.measured()), "arm")), ". ") + "."
}

// calibrationPanel is one of both parts.
type calibrationPanel struct {
	calibrationChart
	spread bool
}

func (p calibrationPanel) label() string {
	switch {
	case p.spread && len(p.planted) > 1:
		return "spread of the log ratios, with its interval (log scale); grey: a change is planted"
	case p.spread:
		return "spread of the log ratios, with its interval (log scale)"
	}
	return "change found, Δ mean %, with its interval; dashed: planted"
}

// bounds are the value of a row with its interval, on the scale of the axis.
func (p calibrationPanel) bounds(r calibration.Row) (low, at, high float64) {
	if p.spread {
		return log10(r.SpreadLow), log10(r.Spread), log10(r.SpreadHigh)
	}
	d := r.Comparison.Delta
	return d.Low * 100, d.Estimate * 100, d.High * 100
}

func (p calibrationPanel) plot(l trendLayout) *plot.Plot {
	drawn := newPlot()
	drawn.X.Min, drawn.X.Max = -0.5, float64(len(p.orders))-0.5
	rows := p.measured()
	for i, r := range rows {
		low, _, high := p.bounds(r)
		if i == 0 {
			drawn.Y.Min, drawn.Y.Max = low, high
		}
		drawn.Y.Min, drawn.Y.Max = min(drawn.Y.Min, low), max(drawn.Y.Max, high)
	}
	if !p.spread {
		for _, x := range p.planted {
			drawn.Y.Min, drawn.Y.Max = min(drawn.Y.Min, 100*x), max(drawn.Y.Max, 100*x)
		}
	}
	margin := max(0.06*(drawn.Y.Max-drawn.Y.Min), 0.02)
	drawn.Y.Min, drawn.Y.Max = drawn.Y.Min-margin, drawn.Y.Max+margin
	ticks := niceTicks(drawn.Y.Min, drawn.Y.Max, 5, 10, signedPercent)
	if p.spread {
		ticks = nil
		for _, x := range []float64{.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5} {
			if y := log10(x); y >= drawn.Y.Min && y <= drawn.Y.Max {
				ticks = append(ticks, plot.Tick{Value: y, Label: share(x)})
			}
		}
	}
	drawn.Y.Tick.Marker = plot.ConstantTicks(ticks)
	var names []plot.Tick
	for i, name := range p.orders {
		if l.suffix != "" {
			name = strings.TrimPrefix(name, "woven, ") // there is little room
		}
		names = append(names, plot.Tick{Value: float64(i), Label: name})
	}
	drawn.X.Tick.Marker = plot.ConstantTicks(names)
	drawn.Add(grid{y: true}, p)
	return drawn
}

// Plot implements plot.Plotter.
func (p calibrationPanel) Plot(c draw.Canvas, drawn *plot.Plot) {
	trX, trY := drawn.Transforms(&c)
	if !p.spread {
		for _, x := range p.planted {
			c.StrokeLine2(lineStyle(inkMuted, 1, 4, 3), c.Min.X, trY(100*x), c.Max.X, trY(100*x))
		}
	}
	for _, r := range p.measured() {
		low, at, high := p.bounds(r)
		colour := inkCandidate
		if r.Planted != 0 {
			colour = inkBaseline
		}
		if !p.spread && !r.Holds {
			colour = inkBad
		}
		x := trX(p.x(r))
		line := lineStyle(colour, 1.5)
		c.StrokeLine2(line, x, trY(low), x, trY(high))
		for _, end := range []float64{low, high} {
			c.StrokeLine2(line, x-3, trY(end), x+3, trY(end))
		}
		c.DrawGlyphNoClip(draw.GlyphStyle{Color: colour.color(), Radius: vg.Points(3.2), Shape: draw.CircleGlyph{}}, vg.Point{X: x, Y: trY(at)})
	}
}

// CalibrationSVG writes the picture of a calibration as a file of its own, with
// the colours of the page: it follows the reader's choice of light or dark.
func CalibrationSVG(w io.Writer, c Calibration) error {
	d := newCalibrationChart(c).drawing(trendLayouts[0])
	text, err := d.svg()
	if err != nil {
		return err
	}
	text = strings.Replace(text, "<svg ", fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%s" height="%s" `, short(d.width, 1), short(d.height, 1)), 1)
	paper := fmt.Sprintf(`</desc><style>%s</style><rect class="f-paper" width="%s" height="%s"/>`, html.EscapeString(chartStyle()), short(d.width, 1), short(d.height, 1))
	_, err = io.WriteString(w, strings.Replace(text, "</desc>", paper, 1)+"\n")
	return err
}

// chartStyle is the part of the page's style sheet that charts need: the colours
// in light and dark, and which shape has which.
func chartStyle() string {
	var b strings.Builder
	for _, part := range [][2]string{{":root", "* {"}, {"svg.chart { display", ".legend"}, {".s-text", "@media (max-width"}} {
		_, after, _ := strings.Cut(pageStyle, part[0])
		inside, _, _ := strings.Cut(after, part[1])
		b.WriteString(part[0] + inside)
	}
	return b.String()
}

// log10 keeps axes finite where there is nothing to draw.
func log10(x float64) float64 { return math.Log10(max(x, 1e-9)) }

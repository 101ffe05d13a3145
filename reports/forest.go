package reports

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"floodgate/regress"
)

// forest is the plot of all comparisons under one another: interval, estimate
// and pairs of each, on one axis with the tolerance and zero. All in percent.
type forest struct {
	comparisons []regress.Comparison
	tolerance   float64
	low, high   float64 // of the axis
	beyond      int     // pairs that lie outside the axis
	crowded     bool    // with changes so small that they need the axis for themselves
}

// forestCap is the change in percent above which the axis is not stretched for
// an interval's end alone: one wild interval must not squeeze all the others.
const forestCap = 60

func newForest(cs []regress.Comparison, tolerance float64) forest {
	f := forest{comparisons: cs, tolerance: tolerance * 100}
	f.low, f.high = -2*f.tolerance, 2*f.tolerance
	floor, ceiling := -100.0, max(forestCap, 4*f.tolerance)
	f.crowded = slices.ContainsFunc(cs, func(c regress.Comparison) bool {
		return measured(c) && math.Abs(c.Delta.Estimate)*100 <= ceiling/2
	})
	if f.crowded {
		floor = -ceiling
	}
	for _, c := range cs {
		if measured(c) && !f.far(c) {
			ceiling = max(ceiling, 1.15*c.Delta.Estimate*100)
		}
	}
	stretch := func(x float64) {
		if finite(x) {
			f.low = min(f.low, max(x*100, floor))
			f.high = max(f.high, min(x*100, ceiling))
		}
	}
	for _, c := range cs {
		if !measured(c) || f.far(c) {
			continue
		}
		stretch(c.Delta.Low)
		stretch(c.Delta.High)
		stretch(c.Delta.Estimate)
	}
	f.stretchToPairs()
	margin := 0.04 * (f.high - f.low)
	if !(margin > 0) {
		margin = 1
	}
	f.low, f.high = f.low-margin, f.high+margin
	for _, c := range cs {
		for _, p := range c.Pairs {
			if x, ok := change(p); ok && !f.far(c) && (x < f.low || x > f.high) {
				f.beyond++
			}
		}
	}
	return f
}

// far reports whether a change is so large that on one axis with the small ones
// it would hide what these are: an arrow and its figure stand for it.
func (f *forest) far(c regress.Comparison) bool {
	return f.crowded && math.Abs(c.Delta.Estimate)*100 > max(forestCap, 4*f.tolerance)
}

// stretchToPairs makes room for single pairs, up to half as much again as the
// intervals need; the rest are counted and not drawn.
func (f *forest) stretchToPairs() {
	room := 0.25 * (f.high - f.low)
	low, high := f.low, f.high
	for _, c := range f.comparisons {
		for _, p := range c.Pairs {
			if x, ok := change(p); ok && measured(c) && !f.far(c) {
				low, high = min(low, max(x, f.low-room)), max(high, min(x, f.high+room))
			}
		}
	}
	f.low, f.high = low, high
}

// change is the relative change of one pair in percent; not ok when a value is
// no positive number.
func change(p regress.Pair) (float64, bool) {
	if !(p.Baseline > 0) || !(p.Candidate > 0) || !finite(p.Baseline) || !finite(p.Candidate) {
		return 0, false
	}
	return (p.Candidate/p.Baseline - 1) * 100, true
}

// markInk is the colour of a mark. Shapes and words say the same.
func markInk(m regress.Mark) ink {
	switch m {
	case regress.Improved:
		return inkGood
	case regress.Regressed:
		return inkBad
	case regress.NoChange:
		return inkText
	}
	return inkUnsure
}

func markGlyph(m regress.Mark) draw.GlyphDrawer {
	switch m {
	case regress.Improved:
		return draw.PyramidGlyph{}
	case regress.Regressed:
		return draw.BoxGlyph{}
	}
	return draw.CircleGlyph{}
}

// describe says in words what the plot shows.
func (f forest) describe() string {
	var lines []string
	for _, c := range f.comparisons {
		line := c.Scenario + ", " + c.Goal.Name + ": " + string(c.Mark)
		if measured(c) {
			line += fmt.Sprintf(", %s %%, interval %s %%", deltaCell(c), intervalCell(c))
		}
		lines = append(lines, line)
	}
	return fmt.Sprintf("Tolerance ±%s %%. %s.", short(f.tolerance, 2), strings.Join(lines, ". "))
}

// forestLayout is the same plot for wide and for narrow pages.
type forestLayout struct {
	id, class     string
	width, row    float64
	right         float64 // room for the mark's word
	names         int     // longest name in characters
	namesOnTop    bool    // above the interval instead of left of it
	foot, ticks   float64
	glyph, stroke float64
}

var (
	wideForest = forestLayout{id: "forest", class: "chart wide", width: 1040, row: 30, right: 96, names: 40,
		foot: 40, ticks: 10, glyph: 4.5, stroke: 2}
	narrowForest = forestLayout{id: "forest-narrow", class: "chart narrow", width: 372, row: 46, right: 8, names: 52,
		namesOnTop: true, foot: 40, ticks: 6, glyph: 4.5, stroke: 2}
)

func (f forest) drawing(l forestLayout) drawing {
	n := len(f.comparisons)
	return drawing{
		id: l.id, class: l.class,
		title:       "Change of each scenario's goal, with its interval",
		description: f.describe(),
		width:       l.width, height: float64(n)*l.row + l.foot,
		draw: func(c draw.Canvas) {
			p := newPlot()
			p.X.Min, p.X.Max = f.low, f.high
			p.X.Label.Text = "Δ mean %, candidate against baseline"
			p.X.Tick.Marker = plot.ConstantTicks(niceTicks(f.low, f.high, int(l.ticks), 10, signedPercent))
			p.Y.Min, p.Y.Max = -0.5, float64(n)-0.5
			p.Y.Tick.Marker = plot.ConstantTicks(f.names(l))
			p.Y.Tick.Label.Color = inkText.color()
			p.Y.Tick.Label.Font.Size = vg.Points(12)
			p.Add(grid{x: true}, forestRows{f, l})
			p.Draw(draw.Crop(c, 2, -vg.Points(l.right), 0, 0))
		},
	}
}

// names are the labels left of the rows; none when they stand above them.
func (f forest) names(l forestLayout) []plot.Tick {
	var ticks []plot.Tick
	for i, c := range f.comparisons {
		if !l.namesOnTop {
			ticks = append(ticks, plot.Tick{Value: f.y(i), Label: shorten(clean(c.Scenario), l.names)})
		}
	}
	return ticks
}

// y is the position of row i: the first on top.
func (f forest) y(i int) float64 { return float64(len(f.comparisons) - 1 - i) }

func signedPercent(x float64) string {
	switch {
	case math.Abs(x) < 1e-9:
		return "0"
	case x > 0:
		return "+" + short(x, 2) + " %"
	}
	return "−" + short(-x, 2) + " %"
}

// forestRows draws the rows.
type forestRows struct {
	forest
	forestLayout
}

// Plot implements plot.Plotter.
func (f forestRows) Plot(c draw.Canvas, p *plot.Plot) {
	trX, trY := p.Transforms(&c)
	left, right := trX(max(-f.tolerance, f.low)), trX(min(f.tolerance, f.high))
	c.FillPolygon(inkBand.color(), []vg.Point{{X: left, Y: c.Min.Y}, {X: right, Y: c.Min.Y}, {X: right, Y: c.Max.Y}, {X: left, Y: c.Max.Y}})
	zero := trX(0)
	c.StrokeLine2(lineStyle(inkMuted, 1), zero, c.Min.Y, zero, c.Max.Y)
	for i, comparison := range f.comparisons {
		y := trY(f.y(i))
		if f.namesOnTop {
			y -= vg.Points(f.row * 0.12)
			c.FillText(textStyle(textSize+0.5, inkText, 0, 0), vg.Point{X: c.Min.X, Y: y + vg.Points(f.row*0.24)}, shorten(clean(comparison.Scenario), f.forestLayout.names))
			word := textStyle(textSize+0.5, markInk(comparison.Mark), -1, 0)
			c.FillText(word, vg.Point{X: c.Max.X, Y: y + vg.Points(f.row*0.24)}, string(comparison.Mark))
		} else {
			c.FillText(textStyle(12, markInk(comparison.Mark), 0, -0.5), vg.Point{X: c.Max.X + 12, Y: y + 2.5}, string(comparison.Mark))
		}
		if !measured(comparison) {
			c.FillText(textStyle(textSize, inkMuted, 0, -0.5), vg.Point{X: zero + 8, Y: y + 2}, "not enough valid pairs")
			continue
		}
		if f.far(comparison) {
			f.arrow(c, y, comparison)
			continue
		}
		f.interval(c, trX, y, comparison)
	}
}

// arrow draws a row whose change is far beyond the axis.
func (f forestRows) arrow(c draw.Canvas, y vg.Length, comparison regress.Comparison) {
	x, inward, align := c.Max.X-3, vg.Length(-1), -1.0
	if comparison.Delta.Estimate < 0 {
		x, inward, align = c.Min.X+3, 1, 0
	}
	line := lineStyle(markInk(comparison.Mark), f.stroke)
	c.StrokeLine2(line, x, y, x+inward*18, y)
	f.end(c, line, x, y, true, inward)
	c.FillText(textStyle(textSize, markInk(comparison.Mark), align, -0.5), vg.Point{X: x + inward*24, Y: y + 2}, minus(deltaCell(comparison))+" %")
}

// interval draws one row: the pairs as dots below the line of the interval.
func (f forestRows) interval(c draw.Canvas, trX func(float64) vg.Length, y vg.Length, comparison regress.Comparison) {
	for _, pair := range comparison.Pairs {
		if x, ok := change(pair); ok && x >= f.low && x <= f.high {
			c.DrawGlyphNoClip(draw.GlyphStyle{Color: inkPair.color(), Radius: vg.Points(1.8), Shape: draw.CircleGlyph{}},
				vg.Point{X: trX(x), Y: y - vg.Points(8)})
		}
	}
	d := comparison.Delta
	colour := markInk(comparison.Mark)
	line := lineStyle(colour, f.stroke)
	low, high := max(d.Low*100, f.low), min(d.High*100, f.high)
	if finite(low) && finite(high) {
		c.StrokeLine2(line, trX(low), y, trX(high), y)
		f.end(c, line, trX(low), y, d.Low*100 < f.low, 1)
		f.end(c, line, trX(high), y, d.High*100 > f.high, -1)
	}
	f.estimate(c, vg.Point{X: trX(d.Estimate * 100), Y: y}, comparison.Mark)
}

// estimate draws the mark's shape. A ring is two discs: the line must not show
// through it.
func (f forestRows) estimate(c draw.Canvas, at vg.Point, m regress.Mark) {
	glyph := draw.GlyphStyle{Color: markInk(m).color(), Radius: vg.Points(f.glyph), Shape: markGlyph(m)}
	c.DrawGlyphNoClip(glyph, at)
	if m == regress.Inconclusive {
		glyph.Color, glyph.Radius = inkPaper.color(), vg.Points(f.glyph-1.6)
		c.DrawGlyphNoClip(glyph, at)
	}
}

// end closes an interval: a bar, or an arrow where it goes on beyond the axis.
// inward is the direction towards the estimate.
func (f forestRows) end(c draw.Canvas, line draw.LineStyle, x, y vg.Length, beyond bool, inward vg.Length) {
	const size = 3.5
	if !beyond {
		c.StrokeLine2(line, x, y-size, x, y+size)
		return
	}
	c.StrokeLines(line, []vg.Point{{X: x + inward*2*size, Y: y - size}, {X: x, Y: y}, {X: x + inward*2*size, Y: y + size}})
}

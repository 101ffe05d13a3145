package reports

import (
	"fmt"
	"math"
	"strings"

	"github.com/HdrHistogram/hdrhistogram-go"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"floodgate/internal/record"
	"floodgate/scenarios"
)

// histogramWords names the histograms in the order in which they are shown.
var histogramWords = []struct{ name, title, words string }{
	{record.HistogramFlushStall, "Flush stalls", "how long ingest stood still for a flush"},
	{record.HistogramIngestLatency, "Ingest latency", "from arrival at the socket until the target had aggregated it"},
	{record.HistogramFreshness, "Freshness", "how old messages were when their effect arrived at the intake, since they were due; the k-th to arrive is taken for the k-th due"},
	{record.HistogramLateness, "Lateness of the generator", "from the due time until the kernel had the message; it judges the measurement, not the target"},
}

// fewSamples is the number of samples beyond a percentile below which its
// value is a matter of chance.
const fewSamples = 10

// percentileColumns are the percentiles of the table.
var percentileColumns = []float64{50, 90, 99, 99.9, 99.99}

// distribution is one histogram of one variant, merged over its replicates.
type distribution struct {
	role       string
	histogram  *hdrhistogram.Histogram // nil when no replicate has it
	replicates int                     // that were merged
	faults     []string                // what could not be merged, in words
}

// mergeHistograms puts the named histogram of all replicates together.
// Percentiles of the result are those of all messages; they are never averages
// of percentiles.
func mergeHistograms(role string, rs []*record.Record, name string) distribution {
	d := distribution{role: role}
	var parts []*hdrhistogram.Histogram
	highest := int64(1)
	for _, rec := range rs {
		text, recorded := rec.Histograms[name]
		if !recorded {
			continue
		}
		h, err := hdrhistogram.Decode([]byte(text))
		if err != nil {
			d.faults = append(d.faults, fmt.Sprintf("%s: histogram %s cannot be read: %v", runName(rec), name, err))
			continue
		}
		if h.TotalCount() > 0 {
			parts = append(parts, h)
			highest = max(highest, h.HighestTrackableValue())
		}
	}
	d.replicates = len(parts)
	if len(parts) == 0 {
		return d
	}
	d.histogram = hdrhistogram.New(1, highest, 3)
	for _, part := range parts {
		if dropped := d.histogram.Merge(part); dropped > 0 {
			d.faults = append(d.faults, fmt.Sprintf("%s: %s samples of histogram %s did not fit when merged", role, grouped(dropped), name))
		}
	}
	return d
}

// distribution merges the named histogram of one variant's valid replicates.
// It keeps the result, because charts, tables and data all ask for it.
func (s *scene) distribution(role, name string) distribution {
	key := role + " " + name
	d, known := s.merged[key]
	if !known {
		d = mergeHistograms(role, s.valid(role), name)
		s.merged[key] = d
	}
	return d
}

// samples is the number of values in the distribution.
func (d distribution) samples() int64 {
	if d.histogram == nil {
		return 0
	}
	return d.histogram.TotalCount()
}

// at returns the value at a percentile, in seconds.
func (d distribution) at(percentile float64) float64 {
	return float64(d.histogram.ValueAtPercentile(percentile)) / 1e9
}

// sure reports whether enough samples lie beyond the percentile.
func (d distribution) sure(percentile float64) bool {
	beyond := float64(d.samples()) * (1 - percentile/100)
	return beyond >= fewSamples*(1-1e-9)
}

// floor is the least value that is drawn on the logarithmic axis, in seconds:
// what was shorter, also 0, is drawn there.
const floor = 100e-9

// curve returns the points of the percentile plot: x is 1/(1-p), so that each
// further nine takes the same room, up to the last sample.
func (d distribution) curve() plotter.XYs {
	const perDecade = 12
	last := math.Log10(float64(max(d.samples(), 2)))
	steps := int(math.Ceil(last * perDecade))
	var xys plotter.XYs
	for i := range steps + 1 {
		x := math.Pow(10, min(float64(i)/perDecade, last))
		y := d.at((1 - 1/x) * 100)
		if x >= float64(d.samples()) {
			y = d.at(100)
		}
		xys = append(xys, plotter.XY{X: x, Y: max(y, floor)})
	}
	return xys
}

// percentilePlot overlays the variants.
type percentilePlot struct {
	title, words  string
	distributions []distribution // those with samples
	doubtFrom     float64        // 1/(1-p) from which on samples are few
	right         float64        // end of the axis
	low, high     float64        // of the values, in seconds
}

func newPercentilePlot(title, words string, ds []distribution) percentilePlot {
	p := percentilePlot{title: title, words: words, low: math.Inf(1), right: 10, doubtFrom: math.Inf(1)}
	for _, d := range ds {
		if d.samples() == 0 {
			continue
		}
		p.distributions = append(p.distributions, d)
		p.right = max(p.right, float64(d.samples()))
		p.doubtFrom = min(p.doubtFrom, max(1, float64(d.samples())/fewSamples))
		for _, xy := range d.curve() {
			p.low, p.high = min(p.low, xy.Y), max(p.high, xy.Y)
		}
	}
	p.low, p.high = decadeBelow(p.low), max(p.high*1.15, decadeBelow(p.low)*10)
	return p
}

func decadeBelow(x float64) float64 {
	if !(x > 0) || math.IsInf(x, 0) {
		return floor
	}
	return math.Pow(10, math.Floor(math.Log10(x)+1e-9))
}

func (p percentilePlot) drawing(id string) drawing {
	return drawing{
		id: id, class: "chart", width: timelineWidth, height: 208,
		title:       p.title + ": percentiles",
		description: p.describe(),
		draw:        p.draw,
	}
}

func (p percentilePlot) describe() string {
	var parts []string
	for _, d := range p.distributions {
		parts = append(parts, fmt.Sprintf("%s: median %s, 99th percentile %s, longest %s, %s samples",
			d.role, secondsText(d.at(50)), secondsText(d.at(99)), secondsText(d.at(100)), grouped(d.samples())))
	}
	return upperFirst(strings.Join(parts, ". ")) + "."
}

func secondsText(x float64) string { return scenarios.Format(x, scenarios.Seconds) }

func (p percentilePlot) draw(c draw.Canvas) {
	chart := newPlot()
	chart.X.Scale, chart.Y.Scale = plot.LogScale{}, plot.LogScale{}
	chart.X.Min, chart.X.Max = 1, p.right
	chart.Y.Min, chart.Y.Max = p.low, p.high
	chart.X.Tick.Marker = plot.ConstantTicks(nines(p.right))
	chart.Y.Tick.Marker = plot.ConstantTicks(decades(p.low, p.high))
	chart.Add(doubt{p.doubtFrom}, grid{x: true, y: true})
	for _, d := range p.distributions {
		line := &plotter.Line{XYs: straightenLog(d.curve(), math.Log(p.high/p.low)), LineStyle: lineStyle(inkCandidate, curveWidth)}
		if d.role == record.Baseline {
			line.LineStyle = lineStyle(inkBaseline, curveWidth, 5, 3)
		}
		chart.Add(line)
	}
	chart.X.Min, chart.X.Max, chart.Y.Min, chart.Y.Max = 1, p.right, p.low, p.high
	// The label is drawn by hand: the library would centre it on a linear axis.
	chart.Draw(draw.Crop(c, 2, -14, 16, -6))
	c.FillText(textStyle(textSize, inkMuted, -1, 0), vg.Point{X: c.Max.X - 14, Y: c.Min.Y + 3}, "share of the samples that took at most this long")
}

// straightenLog is straighten on logarithmic axes, of which the upright one
// spans height.
func straightenLog(xys plotter.XYs, height float64) plotter.XYs {
	logs := make(plotter.XYs, len(xys))
	for i, xy := range xys {
		logs[i] = plotter.XY{X: math.Log(xy.X), Y: math.Log(xy.Y)}
	}
	logs = straighten(logs, 0.002*height)
	for i, xy := range logs {
		logs[i] = plotter.XY{X: math.Exp(xy.X), Y: math.Exp(xy.Y)}
	}
	return logs
}

// nines are the ticks at 50 %, 90 %, 99 %, 99.9 % and so on.
func nines(right float64) []plot.Tick {
	ticks := []plot.Tick{{Value: 2, Label: "50 %"}}
	for x, digits := 10.0, 0; x <= right*1.0001; x, digits = x*10, digits+1 {
		label := fmt.Sprintf("%.*f %%", max(digits-1, 0), (1-1/x)*100)
		ticks = append(ticks, plot.Tick{Value: x, Label: label})
	}
	return ticks
}

// decades are the ticks at powers of ten of a second; between them, the ticks
// at 2 and 5 where there are few decades.
func decades(low, high float64) []plot.Tick {
	steps := []float64{1}
	switch n := math.Log10(high / low); {
	case n < 1.2:
		steps = []float64{1, 2, 3, 5, 7}
	case n < 2.2:
		steps = []float64{1, 2, 5}
	}
	var ticks []plot.Tick
	for d := low; d <= high; d *= 10 {
		for _, s := range steps {
			if v := d * s; v <= high {
				ticks = append(ticks, plot.Tick{Value: v, Label: secondsText(v)})
			}
		}
	}
	return ticks
}

// doubt shades where fewer than ten samples lie beyond.
type doubt struct{ from float64 }

// Plot implements plot.Plotter.
func (d doubt) Plot(c draw.Canvas, p *plot.Plot) {
	if !(d.from < p.X.Max) {
		return
	}
	trX, _ := p.Transforms(&c)
	left := trX(max(d.from, p.X.Min))
	c.FillPolygon(inkDoubt.color(), []vg.Point{{X: left, Y: c.Min.Y}, {X: c.Max.X, Y: c.Min.Y}, {X: c.Max.X, Y: c.Max.Y}, {X: left, Y: c.Max.Y}})
	c.FillText(textStyle(smallSize, inkMuted, -1, 0), vg.Point{X: c.Max.X - 4, Y: c.Min.Y + 4}, "fewer than 10 samples beyond")
}

package reports

import (
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"floodgate/internal/record"
	"floodgate/scenarios"
)

// curve is one column of the timeline as it is drawn.
type curve struct {
	column string
	words  string // in the legend
	ink    ink
	dashes []float64
	area   bool // filled down to zero instead of drawn as a line
	rate   bool // drawn as change per second
}

// panel is one small chart: curves of one unit over time.
type panel struct {
	label  string
	base   int // of round numbers: 10, or 2 for bytes
	format func(float64) string
	curves []curve
	whole  bool // over the whole replicate; else only while messages are under way
}

func bytesLabel(x float64) string { return scenarios.Format(x, scenarios.Bytes) }

func coresLabel(x float64) string { return short(x, 2) }

// Panels of every scenario, from what was asked to what came out.
var (
	ratePanel = panel{"messages per second", 10, compact, []curve{
		{column: record.ColumnOffered, words: "offered", ink: inkOffered, area: true, rate: true},
		{column: record.ColumnSent, words: "sent", ink: inkSent, dashes: []float64{3, 2}, rate: true},
		{column: record.ColumnReceived, words: "read by the target", ink: inkReceived, rate: true},
	}, false}
	kernelPanel = panel{"waiting in the kernel's socket buffer", 2, bytesLabel, []curve{
		{column: record.ColumnKernelQueue, words: "kernel queue", ink: inkQueue},
	}, false}
	queuePanel = panel{"waiting in the target's queue, datagrams", 10, compact, []curve{
		{column: record.ColumnQueueLength, words: "target's queue", ink: inkQueue},
	}, false}
	deliveredPanel = panel{"arrived so far, messages", 10, compact, []curve{
		{column: record.ColumnOffered, words: "offered", ink: inkOffered, area: true},
		{column: record.ColumnDelivered, words: "delivered", ink: inkDelivered},
	}, true}
	lostPanel = panel{"lost so far: kernel (datagrams), queue (messages)", 10, compact, []curve{
		{column: record.ColumnKernelDropped, words: "lost in the kernel", ink: inkLost},
		{column: record.ColumnQueueDropped, words: "lost in the queue", ink: inkLostQueue, dashes: []float64{4, 2}},
	}, false}
	memoryPanel = panel{"resident memory", 2, bytesLabel, []curve{
		{column: record.ColumnRSS, words: "resident memory", ink: inkReceived},
	}, true}
	cpuPanel = panel{"CPU in use, cores", 10, coresLabel, []curve{
		{column: record.ColumnCPU, words: "CPU", ink: inkReceived, rate: true},
	}, true}
)

// panelsFor chooses the panels: the path of the messages, and what the goal or
// a check is about.
func panelsFor(s *scene) []panel {
	panels := []panel{ratePanel, kernelPanel, queuePanel, lostPanel, deliveredPanel}
	names := ""
	if s.comparison != nil {
		names += " " + s.comparison.Goal.Name
	}
	for _, c := range s.checks {
		names += " " + c.Check.Name()
	}
	if strings.Contains(names, "rss") || strings.Contains(names, "pss") {
		panels = append(panels, memoryPanel)
	}
	if strings.Contains(names, "cpu") {
		panels = append(panels, cpuPanel)
	}
	return panels
}

// drawnPanel is a panel with its data for every chosen replicate.
type drawnPanel struct {
	panel
	points [][]plotter.XYs // by replicate, then by curve
	top    float64
}

// timelines are the charts of a scenario: one for each variant, with the same
// panels on the same scales, so that they can be compared by eye.
type timelines struct {
	chosen
	panels   []drawnPanel
	missing  []string // columns that no replicate has, in words
	zero     []string // panels that are left out because nothing happened
	reduced  bool
	from, to float64
	underWay float64 // until when messages moved or waited
	points   int     // of a curve at most
}

// newTimelines draws at most points points of each curve.
func newTimelines(s *scene, points int) timelines {
	t := timelines{chosen: s.choose(), points: points}
	for _, rec := range t.records {
		for _, x := range rec.Timeline.Columns[record.ColumnTime] {
			if finite(x) {
				t.from, t.to = min(t.from, x), max(t.to, x)
			}
		}
		t.underWay = max(t.underWay, underWay(rec.Timeline))
	}
	// A cut that saves little is not worth a second axis.
	if t.underWay = min(t.to, t.underWay+0.04*t.to); t.underWay > 0.75*t.to {
		t.underWay = t.to
	}
	for _, p := range panelsFor(s) {
		t.addPanel(p)
	}
	return t
}

func (t *timelines) addPanel(p panel) {
	d := drawnPanel{panel: p, points: make([][]plotter.XYs, len(t.records))}
	var told []curve
	for _, c := range p.curves {
		var of []plotter.XYs
		seen := false
		for _, rec := range t.records {
			xys := c.points(rec.Timeline)
			seen = seen || len(xys) > 1
			for _, xy := range xys {
				d.top = max(d.top, xy.Y)
			}
			of = append(of, xys)
		}
		if !seen {
			t.missing = append(t.missing, c.words)
			continue
		}
		told = append(told, c)
		for i := range of {
			d.points[i] = append(d.points[i], of[i])
		}
	}
	d.curves = told
	switch {
	case len(told) == 0:
		return
	case d.top == 0:
		t.zero = append(t.zero, p.label)
		return
	}
	for i := range d.points {
		for j, xys := range d.points[i] {
			if len(xys) > t.points {
				t.reduced = true
			}
			d.points[i][j] = straighten(reduce(xys, t.points), d.top*0.004)
		}
	}
	t.panels = append(t.panels, d)
}

// legend returns the curves that are drawn, each once.
func (t *timelines) legend() []curve {
	var out []curve
	for _, p := range t.panels {
		for _, c := range p.curves {
			if !slices.ContainsFunc(out, func(o curve) bool { return o.words == c.words }) {
				out = append(out, c)
			}
		}
	}
	return out
}

// Sizes of a timeline chart, in the units of its view box.
const (
	timelineWidth = 440
	panelHeight   = 100
	panelHead     = 21 // above each panel, for its label
)

// drawing draws replicate i. The id must be unique in the page.
func (t *timelines) drawing(i int, id string) drawing {
	rec := t.records[i]
	return drawing{
		id: id, class: "chart", width: timelineWidth, height: float64(len(t.panels))*panelHeight + 16,
		title:       "What happened over time: " + runName(rec),
		description: describeTimeline(rec),
		draw:        func(c draw.Canvas) { t.draw(c, i) },
	}
}

func (t *timelines) draw(c draw.Canvas, replicate int) {
	plots := make([][]*plot.Plot, len(t.panels))
	for i, panel := range t.panels {
		// Panels with the same span of time share the labels of the lowest one.
		labelled := i == len(t.panels)-1 || t.end(t.panels[i+1].panel) != t.end(panel.panel)
		plots[i] = []*plot.Plot{t.plot(panel, replicate, labelled)}
	}
	tiles := draw.Tiles{Rows: len(plots), Cols: 1, PadTop: panelHead, PadY: panelHead, PadRight: 10}
	for i, row := range plot.Align(plots, tiles, c) {
		plots[i][0].Draw(row[0])
		data := plots[i][0].DataCanvas(row[0])
		c.FillText(textStyle(textSize, inkText, 0, 0), vg.Point{X: c.Min.X, Y: data.Max.Y + 6}, t.panels[i].label)
	}
}

// end is where the panel's axis of time ends.
func (t *timelines) end(p panel) float64 {
	if p.whole {
		return t.to
	}
	return t.underWay
}

func (t *timelines) plot(panel drawnPanel, replicate int, labelled bool) *plot.Plot {
	p := newPlot()
	to := t.end(panel.panel)
	p.X.Min, p.X.Max = t.from, to
	p.Y.Min, p.Y.Max = 0, panel.top*1.04
	ticks := niceTicks(t.from, to, 6, 10, func(x float64) string { return short(x, 2) + " s" })
	if !labelled {
		ticks = nil
	}
	p.X.Tick.Marker = plot.ConstantTicks(ticks)
	p.Y.Tick.Marker = plot.ConstantTicks(niceTicks(0, panel.top, 3, panel.base, panel.format))
	p.Add(grid{y: true})
	for i, c := range panel.curves {
		xys := panel.points[replicate][i]
		if len(xys) < 2 {
			continue
		}
		line := &plotter.Line{XYs: xys, LineStyle: lineStyle(c.ink, curveWidth, c.dashes...)}
		if c.area {
			line.FillColor, line.LineStyle.Width = c.ink.color(), 0
		}
		p.Add(line)
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = t.from, to, 0, panel.top*1.04
	return p
}

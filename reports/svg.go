package reports

import (
	"bytes"
	"fmt"
	"html"
	"image/color"
	"math"
	"regexp"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// ink is a colour by its role. Charts are drawn with placeholder colours and
// get CSS classes afterwards, so that the page's style sheet gives the colour:
// one drawing serves light, dark and print.
type ink int

const (
	inkText ink = iota + 1 // not 0: the library leaves the style of black shapes out
	inkMuted
	inkGrid
	inkAxis
	inkBand
	inkDoubt
	inkBaseline
	inkCandidate
	inkOffered
	inkSent
	inkReceived
	inkQueue
	inkDelivered
	inkLost
	inkLostQueue
	inkGood
	inkBad
	inkUnsure
	inkPaper
	inkPair
)

// inkNames are the CSS classes: a stroke has class "s-" and the name, a fill
// "f-" and the name.
var inkNames = []string{"text", "muted", "grid", "axis", "band", "doubt", "baseline", "candidate", "offered",
	"sent", "received", "queue", "delivered", "lost", "lostqueue", "good", "bad", "unsure", "paper", "pair"}

// inkStep keeps the placeholders apart by more than rounding can blur.
const inkStep = 8

func (i ink) color() color.Color { return color.RGBA{B: uint8(i) * inkStep, A: 255} }

// inkClass returns the name of the ink that was written as a hexadecimal
// colour by the plotting library.
func inkClass(hex string) string {
	n, err := strconv.ParseUint(strings.TrimPrefix(hex, "#"), 16, 32)
	i := ink((int(n) + inkStep/2) / inkStep)
	if err != nil || i < inkText || int(i) > len(inkNames) {
		return inkText.name() // black: what the library draws unasked
	}
	return i.name()
}

func (i ink) name() string { return inkNames[i-1] }

// Sizes of text in charts, in the units of their view box.
const (
	textSize  = 10.5
	smallSize = 9.5
)

// chartFont has the metrics of Arial and Helvetica, so that text placed by the
// plotting library fits in browsers that know only these.
var chartFont = font.Font{Typeface: "Liberation", Variant: "Sans"}

// textStyle returns a style for text in a chart.
func textStyle(size float64, i ink, x, y float64) draw.TextStyle {
	return draw.TextStyle{
		Color:   i.color(),
		Font:    font.From(chartFont, vg.Points(size)),
		XAlign:  draw.XAlignment(x),
		YAlign:  draw.YAlignment(y),
		Handler: plot.DefaultTextHandler,
	}
}

func lineStyle(i ink, width float64, dashes ...float64) draw.LineStyle {
	s := draw.LineStyle{Color: i.color(), Width: vg.Points(width)}
	for _, d := range dashes {
		s.Dashes = append(s.Dashes, vg.Points(d))
	}
	return s
}

// Widths of lines that the style sheet knows by their class: those of axes and
// grids, and those of curves.
const (
	hairline   = 0.75
	curveWidth = 1.5
)

// newPlot returns a plot in the house style: no background, quiet axes.
func newPlot() *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Padding = 0
		axis.LineStyle = lineStyle(inkAxis, hairline)
		axis.Tick.LineStyle = lineStyle(inkAxis, hairline)
		axis.Tick.Length = vg.Points(3)
		axis.Tick.Label.Font = font.From(chartFont, textSize)
		axis.Tick.Label.Color = inkMuted.color()
		axis.Label.TextStyle.Font = font.From(chartFont, textSize)
		axis.Label.TextStyle.Color = inkMuted.color()
		axis.Label.Padding = vg.Points(2)
	}
	p.Y.LineStyle.Width = 0
	p.Y.Tick.Length = 0
	return p
}

// drawing is a chart as it stands in the page: with a title and a description
// for those who cannot see it.
type drawing struct {
	id, class          string // of the svg element
	title, description string
	width, height      float64 // of the view box
	draw               func(draw.Canvas)
}

// svg renders the drawing as an svg element for use inside HTML.
func (d drawing) svg() (string, error) {
	canvas := vgsvg.New(vg.Points(d.width), vg.Points(d.height))
	d.draw(draw.New(canvas))
	var raw bytes.Buffer
	if _, err := canvas.WriteTo(&raw); err != nil {
		return "", fmt.Errorf("cannot draw chart %s: %w", d.id, err)
	}
	// The prolog and the opening tag of the library go: an XML prolog is no
	// HTML, and sizes in points would not let the chart follow the page.
	_, body, found := strings.Cut(raw.String(), "xlink\">")
	if !found {
		return "", fmt.Errorf("cannot draw chart %s: the SVG has no opening tag that is understood", d.id)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="%s" viewBox="0 0 %s %s" role="img" aria-labelledby="%s-t %s-d">`,
		d.class, short(d.width, 1), short(d.height, 1), d.id, d.id)
	fmt.Fprintf(&b, `<title id="%s-t">%s</title><desc id="%s-d">%s</desc>`,
		d.id, html.EscapeString(clean(d.title)), d.id, html.EscapeString(clean(d.description)))
	b.WriteString(compactSVG(body, d.height))
	return b.String(), nil
}

var (
	styleAttribute = regexp.MustCompile(`\s*style="([^"]*)"`)
	numbers        = regexp.MustCompile(`-?\d+\.\d{2,}(e-?\d+)?|-?\d+(\.\d+)?e-\d+`)
	textElement    = regexp.MustCompile(`^<text x="([^"]*)" y="([^"]*)" transform="scale\(1, -1\)"(.*)$`)
	pathElement    = regexp.MustCompile(`^<path d="([^"]*)"(.*?) ?/>$`)
)

// compactSVG rewrites what the library drew, one element in each line, into a
// third of its size: inline styles become classes, coordinates are rounded to
// a tenth, paths of one look become one path, and text leaves the group that
// turns the picture over, so that it need not be turned back one by one. No
// chart of this package has rotated text.
func compactSVG(body string, height float64) string {
	body = styleAttribute.ReplaceAllStringFunc(body, func(attribute string) string {
		return attributes(styleAttribute.FindStringSubmatch(attribute)[1])
	})
	var shapes, texts strings.Builder
	var data []string // of the path being put together
	look := ""
	flush := func() {
		if len(data) > 0 {
			fmt.Fprintf(&shapes, `<path d="%s"%s/>`, strings.Join(data, ""), look)
		}
		data = nil
	}
	for line := range strings.Lines(body) {
		line = strings.TrimSpace(line)
		if m := pathElement.FindStringSubmatch(line); m != nil {
			if m[2] != look {
				flush()
			}
			if look = m[2]; m[1] != "" {
				data = append(data, rounded(m[1]))
			}
			continue
		}
		if m := textElement.FindStringSubmatch(line); m != nil {
			y, _ := strconv.ParseFloat(m[2], 64)
			fmt.Fprintf(&texts, `<text x="%s" y="%s"%s`, rounded(m[1]), short(height+y, 1), m[3])
			continue
		}
		flush()
		if line == "</svg>" {
			shapes.WriteString(texts.String())
		}
		shapes.WriteString(line)
	}
	return shapes.String()
}

// rounded cuts every number in text to a tenth.
func rounded(text string) string {
	return numbers.ReplaceAllStringFunc(text, func(number string) string {
		x, err := strconv.ParseFloat(number, 64)
		if err != nil {
			return number
		}
		return short(x, 1)
	})
}

// attributes translates one inline style. Text has a font-size, lines have
// fill:none, and what remains is an area.
func attributes(css string) string {
	set := map[string]string{}
	for declaration := range strings.SplitSeq(css, ";") {
		name, value, _ := strings.Cut(declaration, ":")
		set[name] = value
	}
	switch {
	case set["font-size"] != "":
		size := strings.TrimSuffix(set["font-size"], "px")
		out := ""
		if i := inkClass(set["fill"]); i != inkMuted.name() { // the style sheet's default
			out = fmt.Sprintf(` class="f-%s"`, i)
		}
		if size != short(textSize, 2) {
			out += fmt.Sprintf(` font-size="%s"`, size)
		}
		return out
	case set["fill"] == "none":
		out := fmt.Sprintf(` class="s-%s"`, inkClass(set["stroke"]))
		if w := set["stroke-width"]; w != short(hairline, 2) && w != short(curveWidth, 2) {
			out += fmt.Sprintf(` stroke-width="%s"`, w)
		}
		if d := set["stroke-dasharray"]; d != "" {
			out += fmt.Sprintf(` stroke-dasharray="%s"`, d)
		}
		return out
	}
	return fmt.Sprintf(` class="f-%s"`, inkClass(set["fill"]))
}

// short writes x with at most digits decimals and no trailing zeros.
func short(x float64, digits int) string {
	scale := math.Pow10(digits)
	x = math.Round(x*scale) / scale
	if x == 0 {
		return "0"
	}
	return strconv.FormatFloat(x, 'f', -1, 64)
}

// grid draws lines at the labelled ticks of both axes, behind the data.
type grid struct{ x, y bool }

// Plot implements plot.Plotter.
func (g grid) Plot(c draw.Canvas, p *plot.Plot) {
	trX, trY := p.Transforms(&c)
	style := lineStyle(inkGrid, hairline)
	if g.x {
		for _, t := range p.X.Tick.Marker.Ticks(p.X.Min, p.X.Max) {
			if x := trX(t.Value); !t.IsMinor() && c.ContainsX(x) {
				c.StrokeLine2(style, x, c.Min.Y, x, c.Max.Y)
			}
		}
	}
	if g.y {
		for _, t := range p.Y.Tick.Marker.Ticks(p.Y.Min, p.Y.Max) {
			if y := trY(t.Value); !t.IsMinor() && c.ContainsY(y) {
				c.StrokeLine2(style, c.Min.X, y, c.Max.X, y)
			}
		}
	}
}

// niceTicks returns about n round ticks from lo to hi with their labels. Base
// is 10, or 2 for bytes, whose round numbers are multiples of 1024.
func niceTicks(lo, hi float64, n int, base int, label func(float64) string) []plot.Tick {
	if !finite(lo) || !finite(hi) || hi < lo {
		return nil
	}
	step := niceStep((hi-lo)/float64(n)*0.8, base)
	var ticks []plot.Tick
	for i := math.Ceil(lo/step - 1e-9); i*step <= hi+step*1e-9; i++ {
		value := i * step
		ticks = append(ticks, plot.Tick{Value: value, Label: label(value)})
	}
	return ticks
}

// niceStep is the smallest round number that is at least raw.
func niceStep(raw float64, base int) float64 {
	if !(raw > 0) || math.IsInf(raw, 0) {
		return 1
	}
	unit := 1.0
	if base == 2 {
		for raw/unit >= 1024 {
			unit *= 1024
		}
	}
	magnitude := unit * math.Pow(10, math.Floor(math.Log10(raw/unit)))
	for _, m := range []float64{1, 2, 2.5, 5, 10} {
		if m*magnitude >= raw*(1-1e-9) {
			return m * magnitude
		}
	}
	return 10 * magnitude
}

// compact writes a count for an axis: 250k, 1.5M.
func compact(x float64) string {
	switch {
	case math.Abs(x) >= 1e6:
		return short(x/1e6, 2) + "M"
	case math.Abs(x) >= 1e3:
		return short(x/1e3, 2) + "k"
	}
	return short(x, 2)
}

package reports

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"
	"gonum.org/v1/plot/plotter"

	"floodgate/internal/record"
	"floodgate/regress"
)

func randomCurve(rng *rand.Rand, n int) plotter.XYs {
	xys := make(plotter.XYs, n)
	for i := range xys {
		xys[i] = plotter.XY{X: float64(i) / 10, Y: rng.Float64()}
	}
	return xys
}

func extremes(xys plotter.XYs) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, p := range xys {
		low, high = min(low, p.Y), max(high, p.Y)
	}
	return low, high
}

func interpolate(xys plotter.XYs, x float64) float64 {
	for i := 1; i < len(xys); i++ {
		if a, b := xys[i-1], xys[i]; x >= a.X && x <= b.X {
			return a.Y + (b.Y-a.Y)*(x-a.X)/(b.X-a.X)
		}
	}
	return xys[0].Y
}

// TestInksHaveStyles: a shape without a style would be black on black in the
// dark.
func TestInksHaveStyles(t *testing.T) {
	css, err := os.ReadFile("style.css")
	if err != nil {
		t.Fatal(err)
	}
	for i := inkText; int(i) <= len(inkNames); i++ {
		r, g, b, _ := i.color().RGBA()
		if got := inkClass(fmt.Sprintf("#%02X%02X%02X", r>>8, g>>8, b>>8)); got != i.name() {
			t.Errorf("ink %s comes back as %s", i.name(), got)
		}
		for _, kind := range []string{".s-", ".f-"} {
			if !strings.Contains(string(css), kind+i.name()+" {") {
				t.Errorf("style.css has no rule %s%s", kind, i.name())
			}
		}
	}
	if int(inkPair) != len(inkNames) {
		t.Errorf("%d inks have %d names", inkPair, len(inkNames))
	}
}

// TestChartsHaveNoInlineStyle: everything drawn is dressed by the style sheet.
func TestChartsHaveNoInlineStyle(t *testing.T) {
	page := string(render(t, HTML, fixture(t)))
	for _, svg := range regexp.MustCompile(`(?s)<svg class="chart.*?</svg>`).FindAllString(page, -1) {
		if strings.Contains(svg, "style=") {
			t.Errorf("inline style in %.200s", svg)
		}
		for _, shape := range regexp.MustCompile(`<path [^>]*>`).FindAllString(svg, -1) {
			if !strings.Contains(shape, `class="`) {
				t.Errorf("%s has no class", shape)
			}
		}
		if strings.Count(svg, "<g") != strings.Count(svg, "</g>") {
			t.Error("groups do not close")
		}
	}
}

func TestCompactSVG(t *testing.T) {
	got := compactSVG(`
<g transform="scale(1, -1) translate(0, -100)">
<path d="M1.2345,2L3,4" style="fill:none;stroke:#000018;stroke-width:0.75" />
<path d="M5,6L7,8" style="fill:none;stroke:#000018;stroke-width:0.75" />
<path d="M0,0L1,1Z" style="fill:#000028" />
<path d="" style="fill:#000028" />
<text x="10.06" y="-30.04" transform="scale(1, -1)"
	style="font-family:Liberation Sans;font-size:10.5px;fill:#000010">a &lt; b</text>
</g>
</svg>
`, 100)
	want := `<g transform="scale(1, -1) translate(0, -100)">` +
		`<path d="M1.2,2L3,4M5,6L7,8" class="s-grid"/><path d="M0,0L1,1Z" class="f-band"/></g>` +
		`<text x="10.1" y="70">a &lt; b</text></svg>`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestNiceTicks(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		n, base   int
		label     func(float64) string
		want      string
	}{
		{0, 100000, 3, 10, compact, "0 50k 100k"},
		{0, 7, 3, 10, compact, "0 2 4 6"},
		{0, 425984, 3, 2, bytesLabel, "0B 200KiB 400KiB"},
		{0, 160 << 20, 3, 2, bytesLabel, "0B 50MiB 100MiB 150MiB"},
		{-7.2, 9, 4, 10, signedPercent, "−5 % 0 +5 %"},
		{0, 0, 3, 10, compact, "0"},
		{0, math.Inf(1), 3, 10, compact, ""},
		{math.NaN(), 1, 3, 10, compact, ""},
	} {
		var labels []string
		for _, tick := range niceTicks(c.low, c.high, c.n, c.base, c.label) {
			labels = append(labels, tick.Label)
		}
		if got := strings.Join(labels, " "); got != c.want {
			t.Errorf("from %v to %v: %s, want %s", c.low, c.high, got, c.want)
		}
	}
}

// TestForestAxis: one wild interval must not squeeze the others, and what lies
// beyond the axis is counted.
func TestForestAxis(t *testing.T) {
	at := func(low, estimate, high float64, pairs ...float64) regress.Comparison {
		c := regress.Comparison{Mark: regress.Inconclusive, Delta: regress.Interval{Estimate: estimate, Low: low, High: high, Level: 0.9}}
		for _, p := range append(pairs, 0) {
			c.Pairs = append(c.Pairs, regress.Pair{Baseline: 1, Candidate: 1 + p})
		}
		return c
	}
	for name, c := range map[string]struct {
		comparisons []regress.Comparison
		low, high   float64 // what the axis must at least, and at most roughly, span
		beyond      int
	}{
		"nothing outside the tolerance": {[]regress.Comparison{at(-0.01, 0, 0.01)}, -10, 10, 0},
		"a real change is never cut":    {[]regress.Comparison{at(0.9, 1.5, 2.2)}, -10, 172, 0},
		"a wild end is cut":             {[]regress.Comparison{at(-0.99, 0.05, 50)}, -60, 60, 0},
		"a far change leaves the axis":  {[]regress.Comparison{at(-0.01, 0, 0.01), at(-0.9995, -0.999, -0.998, -0.999), at(4, 5, 6, 5)}, -10, 10, 0},
		"a wild pair is counted":        {[]regress.Comparison{at(-0.01, 0, 0.01, 3)}, -10, 15, 1},
		"no verdict has no extent":      {[]regress.Comparison{{Mark: regress.NoVerdict}}, -10, 10, 0},
	} {
		f := newForest(c.comparisons, 0.05)
		slack := 0.06 * (c.high - c.low)
		if f.low > c.low || f.low < c.low-slack || f.high < c.high || f.high > c.high+slack {
			t.Errorf("%s: the axis is %.1f to %.1f, want about %v to %v", name, f.low, f.high, c.low, c.high)
		}
		if f.beyond != c.beyond {
			t.Errorf("%s: %d pairs beyond, want %d", name, f.beyond, c.beyond)
		}
	}
}

// TestMergeHistograms: percentiles of a variant are those of all its messages.
func TestMergeHistograms(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	one := &record.Record{Histograms: map[string]string{"x": histogram(t, rng, 1000, 1e-3, 0.01)}}
	two := &record.Record{Histograms: map[string]string{"x": histogram(t, rng, 3000, 1e-1, 0.01)}}
	small := hdrhistogram.New(1, 1000, 1) // another range and precision
	if err := small.RecordValue(500); err != nil {
		t.Fatal(err)
	}
	encoded, err := small.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		t.Fatal(err)
	}
	three := &record.Record{Histograms: map[string]string{"x": string(encoded)}}
	broken := &record.Record{Variant: record.Variant{Role: "candidate"}, Replicate: 5, Histograms: map[string]string{"x": "!"}}
	without := &record.Record{}
	d := mergeHistograms("candidate", []*record.Record{one, two, three, broken, without}, "x")
	if d.samples() != 4001 || d.replicates != 3 {
		t.Errorf("%d samples of %d replicates, want 4001 of 3", d.samples(), d.replicates)
	}
	if p10, p50 := d.at(10), d.at(50); math.Abs(p10-1e-3) > 1e-4 || math.Abs(p50-1e-1) > 1e-2 {
		t.Errorf("p10 %v, p50 %v: want about 1 ms and 100 ms", p10, p50)
	}
	if len(d.faults) != 1 || !strings.Contains(d.faults[0], "candidate, pair 5") {
		t.Errorf("faults %q, want one that names candidate, pair 5", d.faults)
	}
}

func TestPercentilesKnowTheirDoubt(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 1))
	d := mergeHistograms("baseline", []*record.Record{{Histograms: map[string]string{"x": histogram(t, rng, 1000, 1e-3, 1)}}}, "x")
	for p, sure := range map[float64]bool{50: true, 90: true, 99: true, 99.9: false, 99.99: false} {
		if d.sure(p) != sure {
			t.Errorf("p%v of 1000 samples: sure is %v", p, !sure)
		}
	}
	plot := newPercentilePlot("", "", []distribution{d, {role: "candidate"}})
	if plot.doubtFrom != 100 || plot.right != 1000 || len(plot.distributions) != 1 {
		t.Errorf("doubt from %v to %v, want 100 to 1000", plot.doubtFrom, plot.right)
	}
	last := d.curve()[len(d.curve())-1]
	if last.Y != d.at(100) {
		t.Errorf("the curve ends at %v, want the longest, %v", last.Y, d.at(100))
	}
}

// TestZeroTimesAreDrawn: a logarithmic axis has no place for 0.
func TestZeroTimesAreDrawn(t *testing.T) {
	h := hdrhistogram.New(1, 1e9, 3)
	for range 50 {
		if err := h.RecordValue(0); err != nil {
			t.Fatal(err)
		}
	}
	p := newPercentilePlot("t", "w", []distribution{{role: "baseline", histogram: h, replicates: 1}})
	if _, err := p.drawing("x").svg(); err != nil {
		t.Error(err)
	}
	if p.low > floor {
		t.Errorf("the axis begins at %v, above the floor", p.low)
	}
}

func timelineOf(columns map[string][]float64) record.Timeline {
	n := 0
	for _, c := range columns {
		n = len(c)
	}
	for i := range n {
		columns[record.ColumnTime] = append(columns[record.ColumnTime], float64(i)/10)
	}
	return record.Timeline{StepSeconds: 0.1, Columns: columns}
}

func TestLongestStall(t *testing.T) {
	for name, c := range map[string]struct {
		sent, read, queue []float64
		want              float64
		ok                bool
	}{
		"reads all the time":              {[]float64{0, 10, 20, 30}, []float64{0, 10, 20, 30}, []float64{0, 0, 0, 0}, 0, true},
		"stands still while offered":      {[]float64{0, 10, 20, 30, 40}, []float64{0, 10, 10, 10, 40}, nil, 0.2, true},
		"stands still while messages lie": {[]float64{0, 10, 10, 10, 10}, []float64{0, 5, 5, 5, 10}, []float64{0, 9, 9, 9, 0}, 0.2, true},
		"rests when nothing is there":     {[]float64{0, 10, 10, 10, 10}, []float64{0, 10, 10, 10, 10}, []float64{0, 0, 0, 0, 0}, 0, true},
		"the target does not tell":        {[]float64{0, 10, 20}, nil, nil, 0, false},
	} {
		columns := map[string][]float64{record.ColumnSent: c.sent}
		if c.read != nil {
			columns[record.ColumnReceived] = c.read
		}
		if c.queue != nil {
			columns[record.ColumnKernelQueue] = c.queue
		}
		got, ok := longestStall(timelineOf(columns))
		if math.Abs(got-c.want) > 1e-9 || ok != c.ok {
			t.Errorf("%s: %v, %v; want %v, %v", name, got, ok, c.want, c.ok)
		}
	}
}

// TestTheChartsShowTheMiddlePair: neither the best nor the worst.
func TestTheChartsShowTheMiddlePair(t *testing.T) {
	s := scene{name: "x", comparison: &regress.Comparison{Mark: regress.Inconclusive}}
	for i, candidate := range []float64{1.5, 0.8, 1.1, 9, 1.2} {
		s.comparison.Pairs = append(s.comparison.Pairs, regress.Pair{Replicate: i, Baseline: 1, Candidate: candidate})
		for _, role := range []string{record.Baseline, record.Candidate} {
			s.records = append(s.records, &record.Record{Scenario: "x", Variant: record.Variant{Role: role}, Replicate: i,
				Timeline: timelineOf(map[string][]float64{record.ColumnSent: {0, 1}})})
		}
	}
	c := s.choose()
	if len(c.records) != 2 || c.records[0].Replicate != 4 || c.records[1].Replicate != 4 {
		t.Fatalf("chose %v, want both of pair 4 (change +20 %%)", c.words)
	}
	s.comparison.Pairs = nil
	s.records[0].Invalid = "late"
	if c := s.choose(); len(c.records) != 2 || c.records[0].Replicate != 1 || c.records[1].Replicate != 0 {
		t.Errorf("without a judged pair it chose %d and %d, want the first valid ones, 1 and 0", c.records[0].Replicate, c.records[1].Replicate)
	}
}

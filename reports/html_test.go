package reports

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"floodgate/internal/record"
	"floodgate/regress"
)

// element is a start tag with its attributes.
type element struct {
	name string
	attr map[string]string
	text string // character data directly after the start tag
}

// parse reads a page as its start tags, and fails where tags do not nest. Our
// pages close every element but the void ones, so the lenient mode of
// encoding/xml reads them.
func parse(t *testing.T, page []byte) []element {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(page))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	var out []element
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("the page is not well formed: %v", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			e := element{name: token.Name.Local, attr: map[string]string{}}
			for _, a := range token.Attr {
				e.attr[a.Name.Local] = a.Value
			}
			out = append(out, e)
		case xml.CharData:
			if len(out) > 0 && out[len(out)-1].text == "" {
				out[len(out)-1].text = string(token)
			}
		}
	}
}

// scriptless removes the JSON data, which is no markup.
var scriptless = regexp.MustCompile(`(?s)<script type="application/json"[^>]*>.*?</script>`)

func TestHTMLStandsAlone(t *testing.T) {
	page := render(t, HTML, fixture(t))
	if got := bytes.Count(page, []byte("<script")); got != 1 {
		t.Errorf("the page has %d scripts, want only the data", got)
	}
	for _, e := range parse(t, scriptless.ReplaceAll(page, nil)) {
		switch e.name {
		case "link", "iframe", "img", "image", "object", "embed", "base", "use", "script":
			t.Errorf("the page has a <%s>, which loads something", e.name)
		}
		for name, value := range e.attr {
			local := name == "href" && strings.HasPrefix(value, "#")
			if (name == "href" && !local) || name == "src" || name == "srcset" || strings.HasPrefix(name, "on") {
				t.Errorf(`<%s %s="%s"> leaves the page`, e.name, name, value)
			}
		}
	}
	for _, word := range []string{"url(", "@import", "http:", "https:", "<?xml"} {
		if bytes.Contains(page, []byte(word)) {
			t.Errorf("the page contains %q", word)
		}
	}
}

func TestHTMLIsAccessible(t *testing.T) {
	page := render(t, HTML, fixture(t))
	elements := parse(t, scriptless.ReplaceAll(page, nil))
	ids := map[string]bool{}
	for _, e := range elements {
		if id, has := e.attr["id"]; has {
			if ids[id] {
				t.Errorf("id %s is there twice", id)
			}
			ids[id] = true
		}
	}
	charts := 0
	for i, e := range elements {
		for _, id := range strings.Fields(e.attr["aria-labelledby"]) {
			if !ids[id] {
				t.Errorf("<%s> is labelled by %s, which is not there", e.name, id)
			}
		}
		if target, has := strings.CutPrefix(e.attr["href"], "#"); has && !ids[target] {
			t.Errorf("a link leads to #%s, which is not there", target)
		}
		switch {
		case e.name == "html" && e.attr["lang"] == "":
			t.Error("the page does not say its language")
		case e.name == "th" && e.attr["scope"] == "":
			t.Errorf("a table head (%q) does not say its scope", e.text)
		case e.name == "svg" && e.attr["aria-hidden"] == "":
			charts++
			title, description := elements[i+1], elements[i+2]
			if e.attr["role"] != "img" || title.name != "title" || title.text == "" || description.name != "desc" || description.text == "" {
				t.Errorf("chart %d has no role, title or description", charts)
			}
		}
	}
	if charts < 10 {
		t.Errorf("the page has %d charts, want at least 10", charts)
	}
	for _, word := range []string{`name="viewport"`, "prefers-color-scheme: dark", "@media print", `<html lang="en">`} {
		if !bytes.Contains(page, []byte(word)) {
			t.Errorf("the page lacks %s", word)
		}
	}
}

// TestMarksHaveWords: colour or an emoji alone must never carry the meaning.
func TestMarksHaveWords(t *testing.T) {
	page := string(render(t, HTML, fixture(t)))
	found := 0
	for _, m := range regexp.MustCompile(`<span aria-hidden="true">(✅|❌|➖|❔|❕|⛔)</span>(?: <span class="word">)?([^<]*)<`).FindAllStringSubmatch(page, -1) {
		found++
		if strings.TrimSpace(m[2]) == "" {
			t.Errorf("the mark %s stands without a word", m[1])
		}
	}
	if found < 10 {
		t.Errorf("found %d marks, want at least 10", found)
	}
	for _, symbol := range []string{"✅", "❌", "➖", "❔", "⛔"} {
		if strings.Count(page, symbol) == 0 {
			t.Errorf("the fixture's mark %s is not on the page", symbol)
		}
	}
}

// hostile is text that must come out harmless in every format.
const hostile = "<script>alert(1)</script>\"'|`*]]>&\x1b[31m\x00\xff\u202eabc\n[x](y)"

// hostileReport has hostile text wherever text from outside can stand.
func hostileReport(t testing.TB) Report {
	r := fixture(t).only("burst", "churn")
	r.Title, r.Command, r.Version = hostile, hostile, hostile
	rename := map[string]string{"burst": hostile, "churn": "churn" + hostile}
	for i := range r.Verdict.Comparisons {
		c := &r.Verdict.Comparisons[i]
		c.Scenario, c.Reason = rename[c.Scenario], hostile
		c.Warnings = []string{hostile}
	}
	for i := range r.Verdict.Checks {
		r.Verdict.Checks[i].Scenario = hostile
	}
	for i, rec := range r.Records {
		mine := *rec
		mine.Scenario, mine.Variant.Spec, mine.LastWords = rename[rec.Scenario], hostile, hostile
		mine.Warnings = []string{hostile}
		mine.Config.ScenarioYAML, mine.Environment.CPUModel = hostile, hostile
		if mine.Invalid != "" {
			mine.Invalid = hostile
		}
		r.Records[i] = &mine
	}
	r.Scenarios = nil
	r.Verdict.Decision.Reasons = []string{hostile}
	r.Verdict.Warnings = []string{hostile}
	return r
}

func TestHostileTextIsHarmless(t *testing.T) {
	r := hostileReport(t)
	for name, f := range renderers {
		out := scriptless.ReplaceAll(render(t, f, r), nil)
		if name != "report.json" && bytes.ContainsAny(out, "\x1b\x00\u202e") {
			t.Errorf("%s lets control characters through", name)
		}
	}
	page := render(t, HTML, r)
	for _, e := range parse(t, scriptless.ReplaceAll(page, nil)) {
		if e.name == "script" {
			t.Error("a name became a script")
		}
	}
	if !bytes.Contains(page, []byte("&lt;script&gt;alert(1)")) {
		t.Error("the page does not show the name")
	}
	md := string(render(t, Markdown, r))
	if strings.Contains(strings.ReplaceAll(md, "`", ""), "<script>") && strings.Contains(stripCode(md), "<script>") {
		t.Error("Markdown lets a script through outside of code")
	}
	var anything any
	if err := json.Unmarshal(render(t, JSON, r), &anything); err != nil {
		t.Errorf("the JSON is broken: %v", err)
	}
	if err := xml.Unmarshal(render(t, JUnit, r), new(junitSuites)); err != nil {
		t.Errorf("the JUnit XML is broken: %v", err)
	}
}

// stripCode removes code spans and fences from Markdown.
func stripCode(text string) string {
	text = regexp.MustCompile("(?s)  ```.*?\n  ```+\n").ReplaceAllString(text, "")
	return regexp.MustCompile("(^|[^\\\\`])`[^`\n]*`").ReplaceAllString(text, "$1")
}

// TestHTMLDataIsTheJSONReport: the page carries its own data.
func TestHTMLDataIsTheJSONReport(t *testing.T) {
	r := fixture(t)
	page := render(t, HTML, r)
	m := regexp.MustCompile(`(?s)<script type="application/json" id="floodgate-data">(.*?)</script>`).FindSubmatch(page)
	if m == nil {
		t.Fatal("the page has no data")
	}
	var inPage, alone bytes.Buffer
	if err := json.Compact(&inPage, m[1]); err != nil {
		t.Fatal(err)
	}
	if err := json.Compact(&alone, render(t, JSON, r)); err != nil {
		t.Fatal(err)
	}
	var a, b any
	if json.Unmarshal(inPage.Bytes(), &a) != nil || json.Unmarshal(alone.Bytes(), &b) != nil {
		t.Fatal("the data is no JSON")
	}
	if fmt.Sprint(a) != fmt.Sprint(b) {
		t.Error("the data of the page is not that of the JSON report")
	}
}

// TestNoNumbersAtAll: a judge or a record may hold NaN and infinities.
func TestNoNumbersAtAll(t *testing.T) {
	r := fixture(t)
	bad := []float64{math.NaN(), math.Inf(1), math.Inf(-1)}
	for i := range r.Verdict.Comparisons {
		c := &r.Verdict.Comparisons[i]
		x := bad[i%3]
		c.Delta = regress.Interval{Estimate: 0.1, Low: math.Inf(-1), High: x, Level: 0.9}
		c.P, c.PAdjusted, c.Spread, c.MinimumDetectable = x, x, x, x
		c.Pairs = append([]regress.Pair{{Baseline: x, Candidate: 1}, {Baseline: 0, Candidate: 0}}, c.Pairs...)
	}
	for i := range r.Verdict.Checks {
		r.Verdict.Checks[i].Observed = bad[i%3]
	}
	for i, rec := range r.Records {
		mine := *rec
		mine.Histograms = map[string]string{record.HistogramLateness: "no histogram", record.HistogramFlushStall: ""}
		mine.Measures = []record.Measure{{Name: "rss_peak", Unit: "B", Value: bad[i%3]}}
		mine.Timeline.Columns = map[string][]float64{}
		for name, column := range rec.Timeline.Columns {
			mine.Timeline.Columns[name] = slices.Clone(column)
			mine.Timeline.Columns[name][3] = bad[i%3]
			mine.Timeline.Columns[name][0] = bad[(i+1)%3]
		}
		r.Records[i] = &mine
	}
	for name, f := range renderers {
		out := render(t, f, r)
		if regexp.MustCompile(`NaN|[^A-Za-z-]Inf\b`).Match(out) {
			t.Errorf("%s shows NaN or Inf", name)
		}
	}
	if page := render(t, HTML, r); !bytes.Contains(page, []byte("cannot be read")) {
		t.Error("the page does not say that histograms cannot be read")
	}
}

var madeMany = map[int]*Report{}

// manyScenarios makes a run of n scenarios, once.
func manyScenarios(t testing.TB, n int) Report {
	if madeMany[n] == nil {
		r := makeScenarios(t, n)
		madeMany[n] = &r
	}
	r := *madeMany[n]
	r.Verdict.Comparisons = slices.Clone(r.Verdict.Comparisons)
	r.Verdict.Checks = slices.Clone(r.Verdict.Checks)
	return r
}

// makeScenarios is a run of n scenarios with the worst readings for the size of
// the page: a target just too slow, so that every curve is ragged.
func makeScenarios(t testing.TB, n int) Report {
	s := burst("ragged", 1000000, 10*time.Second)
	s.Goal = measureOf("drain_time")
	b := behaviour{count: 1000000, over: 10, capacity: 99000, buffer: 4 << 20, rss: 400 << 20, readings: 300}
	position := 0
	rs, pairs := plan{scenario: s, pairs: 10, noise: 0.05,
		baseline: side{b, 1, 0.2, 1e-3}, candidate: side{b, 1.01, 0.001, 1e-3}}.run(t, 9, &position)
	var r Report
	r.Verdict.Options = regress.Options{Confidence: 0.9, Tolerance: 0.05}
	for i := range n {
		mine := s
		mine.Name = fmt.Sprintf("scenario_with_a_long_name_%02d", i)
		var records []*record.Record
		for _, rec := range rs {
			copied := *rec
			copied.Scenario = mine.Name
			records = append(records, &copied)
		}
		marks := []regress.Mark{regress.NoChange, regress.Improved, regress.Inconclusive, regress.Regressed}
		c := compare(mine, pairs, marks[i%len(marks)])
		c.Reason = "the 90 % interval contains 0 and reaches beyond ±5 %: neither a change nor its absence is shown"
		checks := []regress.CheckResult{{Check: limit("lost_messages", "==", 0), Gate: true, Passed: 10, Total: 10, OK: true},
			{Check: limit("rss_peak", "<=", 1<<29), Gate: true, Passed: 10, Total: 10, OK: true, Observed: 1 << 28}}
		r.add(mine, records, c, checks...)
	}
	return r
}

func TestHTMLStaysBelowAMegabyte(t *testing.T) {
	page := render(t, HTML, manyScenarios(t, 25))
	if len(page) >= 1e6 {
		t.Errorf("the page of 25 scenarios has %d bytes, want less than 1,000,000", len(page))
	}
	if !bytes.Contains(page, []byte("the least and the greatest reading")) {
		t.Error("curves were cut without saying so")
	}
	t.Logf("%d bytes", len(page))
}

// TestForestManyComparisons: rows may not leave the picture.
func TestForestManyComparisons(t *testing.T) {
	r := manyScenarios(t, 25)
	for _, layout := range []forestLayout{wideForest, narrowForest} {
		svg, err := newForest(r.Verdict.Comparisons, 0.05).drawing(layout).svg()
		if err != nil {
			t.Fatal(err)
		}
		d := newForest(r.Verdict.Comparisons, 0.05).drawing(layout)
		for _, m := range regexp.MustCompile(`<text x="([^"]*)" y="([^"]*)"`).FindAllStringSubmatch(svg, -1) {
			var x, y float64
			if _, err := fmt.Sscan(m[1]+" "+m[2], &x, &y); err != nil {
				t.Fatal(err)
			}
			if x < 0 || x > d.width || y < 0 || y > d.height {
				t.Errorf("%s: text at %v, %v is outside of %v by %v", layout.id, x, y, d.width, d.height)
			}
		}
	}
}

func BenchmarkHTML25(b *testing.B) {
	r := manyScenarios(b, 25)
	for b.Loop() {
		if err := HTML(io.Discard, r); err != nil {
			b.Fatal(err)
		}
	}
}

// TestReduceKeepsExtremes: what is cut from a long curve is never a peak.
func TestReduceKeepsExtremes(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for n := 1; n < 2000; n += 37 {
		xys := randomCurve(rng, n)
		out := reduce(xys, 60)
		if len(out) > 60 && len(out) > n {
			t.Fatalf("%d points became %d", n, len(out))
		}
		low, high := extremes(xys)
		gotLow, gotHigh := extremes(out)
		if low != gotLow || high != gotHigh {
			t.Fatalf("%d points: extremes %v, %v became %v, %v", n, low, high, gotLow, gotHigh)
		}
		for i := 1; i < len(out); i++ {
			if out[i].X <= out[i-1].X {
				t.Fatalf("%d points: the order of time is lost at %d", n, i)
			}
		}
	}
}

// TestStraightenStaysClose compares the straightened curve with every point of
// the curve that it stands for.
func TestStraightenStaysClose(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	const eps = 0.01
	for n := 1; n < 400; n += 13 {
		xys := randomCurve(rng, n)
		for i := range xys { // idle stretches
			if i%20 > 8 {
				xys[i].Y = 0
			}
		}
		out := straighten(xys, eps)
		if n > 40 && len(out) >= n {
			t.Errorf("%d points stayed %d", n, len(out))
		}
		for _, p := range xys {
			if y := interpolate(out, p.X); math.Abs(y-p.Y) > eps*1.0001 {
				t.Fatalf("%d points: at %v the curve is %v, was %v", n, p.X, y, p.Y)
			}
		}
	}
}

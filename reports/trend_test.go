package reports

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"floodgate/internal/history"
	"floodgate/regress"
	"floodgate/regress/trend"
)

// trendLines simulates a history: of each run the true level and ratio are
// given by its number. Figures keep four digits.
func trendLines(scenario, measure, unit string, seed uint64, runs int, level, ratio func(i int) float64, baseline func(i int) string) []history.Line {
	rng := rand.New(rand.NewPCG(seed, 1))
	var lines []history.Line
	for i := range runs {
		const spread, pairs = 0.012, 8
		r := rounding(ratio(i) * math.Exp(0.004*rng.NormFloat64()))
		low, high, sd := rounding(r*0.992), rounding(r*1.008), spread
		y := rounding(level(i) * math.Exp(0.006*rng.NormFloat64()))
		b := rounding(y / r)
		mark := regress.NoChange
		if low > 1.04 {
			mark = regress.Regressed
		}
		lines = append(lines, history.Line{
			Schema: history.Schema, Time: time.Date(2026, 1, 1, 3, 15, 0, 0, time.UTC).AddDate(0, 0, i),
			Scenario: scenario, Measure: measure, Unit: unit, Better: "lower",
			Ratio: &r, Low: &low, High: &high, Confidence: 0.9, Spread: &sd, Pairs: pairs, Mark: string(mark),
			Baseline:  history.Side{Spec: "git:" + baseline(i), Commit: baseline(i), Level: &b},
			Candidate: history.Side{Spec: "git:" + baseline(i+1), Commit: fmt.Sprintf("c%07d", i+1), Level: &y},
			Host:      history.Host{Fingerprint: "5fbef6c51379", Words: "linux/amd64, Example CPU @ 2.5 GHz, 2 cores, 8 GiB"},
		})
	}
	return lines
}

// trendsFixture has a step that a fixed baseline shows, a drift in a chain, and
// a series that has too little to say.
func trendsFixture() Trends {
	commit := func(i int) string { return fmt.Sprintf("c%07d", i) }
	release := func(int) string { return "a000001" }
	step := func(i int) float64 {
		if i >= 14 {
			return 1.06
		}
		return 1
	}
	lines := trendLines("burst_300k", "cpu_per_message", "s", 1, 24, func(i int) float64 { return 1.8e-6 * step(i) }, step, release)
	lines = append(lines, trendLines("idle", "rss_peak", "B", 2, 20, func(i int) float64 { return 40e6 * math.Pow(1.006, float64(i)) }, func(int) float64 { return 1.006 }, commit)...)
	young := trendLines("churn\x1b[31m<b>", "drain_time", "s", 3, 2, func(int) float64 { return 1.3 }, func(int) float64 { return 1 }, commit)
	young[0].Ratio, young[0].Low, young[0].High, young[0].Spread, young[0].Mark = nil, nil, nil, nil, string(regress.NoVerdict)
	young[0].Baseline.Level, young[0].Candidate.Level = nil, nil
	lines = append(lines, young...)
	return Trends{Source: "history.jsonl", Version: "v0.1.0", Tolerance: 0.05, Series: trend.Analyse(lines, trend.DefaultOptions()),
		Warnings: []string{"the last line of history.jsonl breaks off after 100 bytes and is left out"}}
}

// TestTrendGoldens shows a history as people see it.
func TestTrendGoldens(t *testing.T) {
	h := trendsFixture()
	var terminal, page bytes.Buffer
	if err := TrendsTerminal(&terminal, h, 3, TerminalOptions{Width: 110}); err != nil {
		t.Fatal(err)
	}
	golden(t, "trend.txt", terminal.Bytes())
	if err := TrendsHTML(&page, h); err != nil {
		t.Fatal(err)
	}
	if *keep != "" {
		if err := os.WriteFile(filepath.Join(*keep, "trend.html"), page.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	whole := page.Bytes()
	elements := parse(t, whole)
	charts := 0
	for _, e := range elements {
		if e.name == "svg" {
			charts++
		}
		if e.name == "script" || e.name == "link" || e.name == "img" || e.attr["src"] != "" {
			t.Errorf("the page has a <%s>, which may load something", e.name)
		}
	}
	if charts != 2*len(h.Series) || len(whole) > 1<<20 {
		t.Errorf("%d charts of %d series in %d bytes", charts, len(h.Series), len(whole))
	}
	for _, e := range elided {
		whole = e.pattern.ReplaceAll(whole, []byte(e.by))
	}
	golden(t, "trend.html", whole)
	if strings.Contains(terminal.String()+page.String(), "\x1b") {
		t.Error("a name brings a terminal escape along")
	}
}

// TestTrendNothing: an empty history, and a series of which nothing is known.
func TestTrendNothing(t *testing.T) {
	bare := trend.Series{Scenario: "a", Measure: "rss_peak", Unit: "B", Better: "lower", Lines: []history.Line{{Mark: string(regress.NoVerdict)}}}
	for what, h := range map[string]Trends{"empty": {}, "no numbers": {Series: []trend.Series{bare}}} {
		var terminal, page bytes.Buffer
		if err := TrendsTerminal(&terminal, h, 5, TerminalOptions{}); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if err := TrendsHTML(&page, h); err != nil || bytes.Contains(page.Bytes(), []byte("NaN")) || bytes.Contains(page.Bytes(), []byte("<svg")) {
			t.Errorf("%s: %v", what, err)
		}
		if !strings.Contains(terminal.String(), "too few to be searched") {
			t.Errorf("%s: %s", what, terminal.String())
		}
	}
}

// TestLongTrend: a history of years still makes a small page.
func TestLongTrend(t *testing.T) {
	lines := trendLines("burst", "rss_peak", "B", 4, 700, func(int) float64 { return 4e7 }, func(int) float64 { return 1 }, func(int) string { return "a000001" })
	o := trend.DefaultOptions()
	o.Permutations = 99
	h := Trends{Tolerance: 0.05, Series: trend.Analyse(lines, o)}
	var page bytes.Buffer
	if err := TrendsHTML(&page, h); err != nil {
		t.Fatal(err)
	}
	if page.Len() > 200<<10 || !strings.Contains(page.String(), "The latest 200 of 700 comparisons.") {
		t.Errorf("the page has %d bytes", page.Len())
	}
}

func TestSparkline(t *testing.T) {
	x := func(values ...float64) []*float64 {
		var out []*float64
		for _, v := range values {
			if v == 0 {
				out = append(out, nil)
				continue
			}
			out = append(out, &v)
		}
		return out
	}
	for _, c := range []struct {
		why    string
		values []*float64
		want   string
	}{
		{"from the lowest to the highest", x(1, 2, 4, 8), "▁▃▆█"},
		{"a gap stays one", x(1, 0, 8), "▁ █"},
		{"noise is flat", x(1, 1.001, 0.999), "▅▅▄"},
		{"one value stands in the middle", x(5), "▅"},
		{"nothing at all", x(0, 0), "  "},
	} {
		if got := sparkline(c.values); got != c.want {
			t.Errorf("%s: %q, want %q", c.why, got, c.want)
		}
	}
}

// TestReadJSON: a report read back makes the same lines of a history as the run
// itself.
func TestReadJSON(t *testing.T) {
	r := fixture(t)
	for i, rec := range r.Records {
		moved := *rec
		moved.Started = time.Date(2026, 3, 1, 12, 0, i, 0, time.UTC)
		r.Records[i] = &moved
	}
	v, origin, err := ReadJSON(bytes.NewReader(render(t, JSON, r)))
	if err != nil {
		t.Fatal(err)
	}
	got, err := trend.Lines(v, origin)
	if err != nil {
		t.Fatal(err)
	}
	want, err := trend.Lines(r.Verdict, trend.OriginOf(r.Records))
	if err != nil {
		t.Fatal(err)
	}
	byScenario := map[string]history.Line{}
	for _, l := range got {
		byScenario[l.Scenario] = l
	}
	if len(got) != len(want) {
		t.Errorf("%d lines, want %d", len(got), len(want))
	}
	for _, l := range want {
		if a, b := fmt.Sprint(plain(l)), fmt.Sprint(plain(byScenario[l.Scenario])); a != b {
			t.Errorf("read back as\n%s\nwant\n%s", b, a)
		}
	}
	for text, want := range map[string]string{
		"": "it is no report", "[]": "it is no report", "{}": "it has no schema", `{"schema":2}`: "its schema is 2, this floodgate reads 1",
	} {
		if _, _, err := ReadJSON(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
	if _, origin, err := ReadJSON(strings.NewReader(`{"schema":1}`)); err != nil || !origin.Started.IsZero() {
		t.Errorf("a report without an origin: %+v, %v", origin, err)
	}
}

// plain is a line with its numbers in place of pointers.
func plain(l history.Line) []any {
	out := []any{l.Scenario, l.Time, l.Measure, l.Unit, l.Better, l.Confidence, l.Pairs, l.Mark, l.Host, l.Baseline.Spec, l.Candidate.Digest}
	for _, x := range []*float64{l.Ratio, l.Low, l.High, l.Spread, l.Baseline.Level, l.Candidate.Level} {
		if x != nil {
			out = append(out, *x)
		} else {
			out = append(out, nil)
		}
	}
	return out
}

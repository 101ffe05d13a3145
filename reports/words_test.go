package reports

import (
	"encoding/xml"
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"

	"floodgate/internal/record"
	"floodgate/regress"
	"floodgate/scenarios"
)

func TestDisplayWidth(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "abc": 3, "Δ mean %": 8, "≤ ≥ ≠ –": 7,
		"✅": 2, "❌": 2, "➖": 2, "❔": 2, "❕": 2, "⛔": 2, "✅ improved": 11,
		"e\u0301": 1, "漢字": 4, "ｆ": 2, "µs": 2,
	} {
		if got := displayWidth(text); got != want {
			t.Errorf("%q takes %d cells, want %d", text, got, want)
		}
	}
}

func TestShortenAndWrap(t *testing.T) {
	for _, c := range []struct {
		text  string
		cells int
		want  string
	}{{"scenario", 8, "scenario"}, {"scenario", 7, "scenar…"}, {"漢字漢字", 5, "漢字…"}, {"✅✅✅", 4, "✅…"}} {
		got := shorten(c.text, c.cells)
		if got != c.want || displayWidth(got) > c.cells {
			t.Errorf("%q in %d cells is %q, want %q", c.text, c.cells, got, c.want)
		}
	}
	got := wrap("one two three averyverylongword four", 9)
	if want := "one two|three|averyverylongword|four"; strings.Join(got, "|") != want {
		t.Errorf("wrapped to %q, want %q", strings.Join(got, "|"), want)
	}
}

func TestFigures(t *testing.T) {
	for x, want := range map[float64]string{
		0.081: "+8.10", -0.03224: "-3.22", 0: "+0.00", -0.000001: "+0.00", 12.5: "+1250.00", math.Inf(1): "–",
	} {
		if got := percent(x); got != want {
			t.Errorf("percent(%v) is %s, want %s", x, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567", 300000: "300,000"} {
		if got := grouped(n); got != want {
			t.Errorf("grouped(%d) is %s, want %s", n, got, want)
		}
	}
	for p, want := range map[float64]string{1: "1.000", 0.0123: "0.012", 0.0004: "< 0.001", math.NaN(): "–"} {
		if got := probability(p); got != want {
			t.Errorf("probability(%v) is %s, want %s", p, got, want)
		}
	}
	if got := share(0.05) + " " + share(0.149) + " " + share(0.905); got != "5 % 14.9 % 90.5 %" {
		t.Errorf("shares: %s", got)
	}
}

// TestObservedCell: the sign is the one that is true of the two numbers.
func TestObservedCell(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		measure, op     string
		bound, observed float64
		want            string
	}{
		{"rss_peak", "<=", 147 * mib, 158.81 * mib, "158.81MiB > 147MiB"},
		{"rss_peak", "<=", 370 * mib, 261.73 * mib, "261.73MiB ≤ 370MiB"},
		{"delivered_messages", ">=", 26, 693, "693 ≥ 26"},
		{"delivered_messages", ">=", 26, 25, "25 < 26"},
		{"lost_messages", "==", 0, 0, "0 = 0"},
		{"lost_messages", "==", 0, 17481, "17481 ≠ 0"},
		{"lateness_p99", "<=", 2e-4, 1.19e-4, "119µs ≤ 200µs"},
		{"intake_connections", "<=", 9, 5, "5 ≤ 9"},
	} {
		check := regress.CheckResult{Check: limit(c.measure, c.op, c.bound), Observed: c.observed, Total: 10}
		if got := observedCell(check); got != c.want {
			t.Errorf("%s %s: %q, want %q", c.measure, c.op, got, c.want)
		}
		check.Missing = 10
		if got := observedCell(check); !strings.HasPrefix(got, "– (") {
			t.Errorf("%s without measures: %q", c.measure, got)
		}
	}
}

func TestCheckMark(t *testing.T) {
	for _, c := range []struct {
		check        regress.CheckResult
		symbol, word string
	}{
		{regress.CheckResult{Gate: true, Total: 10, Passed: 10, OK: true}, "✅", "held"},
		{regress.CheckResult{Gate: true, Total: 10, Passed: 9}, "❌", "broken"},
		{regress.CheckResult{Gate: true, Total: 10, Passed: 8, Missing: 1}, "❌", "broken"},
		{regress.CheckResult{Gate: false, Total: 10, Passed: 9}, "❕", "broken, only informs"},
		{regress.CheckResult{Gate: true, Total: 10, Passed: 9, Missing: 1}, "⛔", "data missing"},
		{regress.CheckResult{Gate: true, Total: 10, Missing: 10}, "⛔", "not measured"},
		{regress.CheckResult{Gate: true}, "⛔", "not measured"},
	} {
		if symbol, word := checkMark(c.check); symbol != c.symbol || word != c.word {
			t.Errorf("%+v: %s %s, want %s %s", c.check, symbol, word, c.symbol, c.word)
		}
	}
}

// TestClean: what a target prints is not trusted with the reader's terminal.
func TestClean(t *testing.T) {
	for text, want := range map[string]string{
		"plain ✅ é":             "plain ✅ é",
		"\x1b[31mred\x1b[0m":    "red",
		"\x1b]0;title\x07":      "\uFFFD]0;title\uFFFD",
		"a\tb\x00c\xff":         "a b\uFFFDc\uFFFD",
		"right\u202eto left":    "right\uFFFDto left",
		"\x1b[2J\x1b[1;1Hclear": "clear",
	} {
		if got := clean(text); got != want {
			t.Errorf("clean(%q) is %q, want %q", text, got, want)
		}
	}
}

// TestSumLedgersKeepsUnknown: absent is not zero, also not in a sum.
func TestSumLedgersKeepsUnknown(t *testing.T) {
	told := &record.Record{Ledger: record.Ledger{Offered: 10, Sent: 10, KernelDropped: record.Count(1), Delivered: record.Count(9)}}
	untold := &record.Record{Ledger: record.Ledger{Offered: 10, Sent: 10, Delivered: record.Count(10)}}
	sum := sumLedgers("candidate", []*record.Record{told, untold})
	if n, ok := sum.of("offered"); n != 20 || !ok {
		t.Errorf("offered is %d, %v; want 20", n, ok)
	}
	if n, ok := sum.of("kernel_dropped"); ok {
		t.Errorf("kernel_dropped is %d although one replicate does not tell", n)
	}
	if n, ok := sum.of("delivered"); n != 19 || !ok {
		t.Errorf("delivered is %d, %v; want 19", n, ok)
	}
	if _, ok := sumLedgers("candidate", nil).of("offered"); ok {
		t.Error("no replicate, but a sum")
	}
}

// TestShareNeverHidesALoss: 3 of 300,000 is not 0 %.
func TestShareNeverHidesALoss(t *testing.T) {
	rec := &record.Record{Ledger: record.Ledger{Offered: 300000, Sent: 300000, KernelDropped: record.Count(3),
		QueueDropped: record.Count(0), Received: record.Count(299997), Aggregated: record.Count(150000), Delivered: record.Count(300000)}}
	sum := sumLedgers("candidate", []*record.Record{rec})
	want := map[string]string{"kernel_dropped": "< 0.01 %", "queue_dropped": "0 %", "received": "> 99.99 %", "aggregated": "50.00 %", "delivered": "100 %"}
	for i, p := range places {
		if w, asked := want[p.name]; asked && sum.shareCell(i) != w {
			t.Errorf("%s: %q, want %q", p.name, sum.shareCell(i), w)
		}
	}
}

// TestEveryPlaceIsListed: a place added to the ledger must reach the reports.
func TestEveryPlaceIsListed(t *testing.T) {
	l := record.Ledger{Offered: 1, NotSent: 2, Sent: 3, KernelDropped: record.Count(4), Received: record.Count(5), QueueDropped: record.Count(6),
		Malformed: record.Count(7), Truncated: record.Count(8), Rejected: record.Count(9), ShutdownDropped: record.Count(10),
		Aggregated: record.Count(11), UploadFailed: record.Count(12), Delivered: record.Count(13), Undecided: 14, Unattributed: 15, Unaccounted: 16, Hostile: 17}
	seen := map[int64]string{}
	for _, p := range places {
		n := p.count(&l)
		if n == nil || seen[*n] != "" {
			t.Errorf("%s reads no field of its own", p.name)
			continue
		}
		seen[*n] = p.name
	}
	if fields := strings.Count(fmt.Sprintf("%+v", l), ":"); len(seen) != fields {
		t.Errorf("%d places for %d fields of the ledger", len(seen), fields)
	}
}

// cellOf is the cell in which word begins.
func cellOf(line, word string) int {
	before, _, found := strings.Cut(line, word)
	if !found {
		return -1
	}
	return displayWidth(before)
}

// TestTerminalColumnsLineUp: marks are two cells wide, and tables must not
// stagger because of them.
func TestTerminalColumnsLineUp(t *testing.T) {
	lines := strings.Split(string(render(t, renderers["report.txt"], fixture(t))), "\n")
	want := -1
	rows := 0
	for _, line := range lines {
		if strings.HasPrefix(line, "perf") && strings.Contains(line, "goal") {
			want = cellOf(line, "goal")
		}
		for _, goal := range []string{"cpu_per_message  ", "rss_peak         ", "drain_time       "} {
			if c := cellOf(line, goal); c >= 0 && want >= 0 && strings.Contains(line, "  ") && rows < 5 {
				rows++
				if c != want {
					t.Errorf("the goal stands in cell %d, its head in %d:\n%s", c, want, line)
				}
			}
		}
	}
	if rows != 5 {
		t.Errorf("found %d rows of the table, want 5", rows)
	}
}

func TestTerminalColourOnlyAdds(t *testing.T) {
	r := fixture(t)
	var plain, coloured strings.Builder
	if err := Terminal(&plain, r, TerminalOptions{Width: 100}); err != nil {
		t.Fatal(err)
	}
	if err := Terminal(&coloured, r, TerminalOptions{Width: 100, Color: true}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(plain.String(), "\x1b") {
		t.Error("colour without being asked")
	}
	stripped := regexp.MustCompile(`\x1b\[\d+m`).ReplaceAllString(coloured.String(), "")
	trim := regexp.MustCompile(`(?m) +$`)
	if trim.ReplaceAllString(stripped, "") != plain.String() {
		t.Error("the coloured text says something else than the plain one")
	}
	if coloured.String() == plain.String() {
		t.Error("no colour although asked")
	}
}

// TestTerminalOrder: the verdict first, the decision with its reasons last.
func TestTerminalOrder(t *testing.T) {
	out := string(render(t, renderers["report.txt"], fixture(t)))
	if !strings.HasPrefix(out, "❌ Fail: ") {
		t.Errorf("begins with %.40q", out)
	}
	at := 0
	for _, part := range []string{"Comparisons", "Bounds checks", "Where the messages went", "Invalid replicates", "Warnings", "Decision: ❌ Fail", "5 comparisons: 1 regressed, 1 improved"} {
		i := strings.Index(out[at:], part)
		if i < 0 {
			t.Fatalf("%q is missing or out of order", part)
		}
		at += i
	}
}

func TestTerminalWidth(t *testing.T) {
	r := fixture(t)
	for _, width := range []int{100, 120, 200} {
		var b strings.Builder
		if err := Terminal(&b, r, TerminalOptions{Width: width}); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			// The command is for copying, so it is never broken.
			if displayWidth(strings.TrimSuffix(line, "\n")) > width && !strings.HasPrefix(line, "command") {
				t.Errorf("wider than %d cells: %s", width, line)
			}
		}
	}
}

func TestMarkdownFitsAComment(t *testing.T) {
	r := manyScenarios(t, 1)
	for i := range 2000 {
		c := r.Verdict.Comparisons[0]
		c.Scenario = fmt.Sprintf("scenario_%04d", i)
		c.Mark = []regress.Mark{regress.NoChange, regress.Improved}[i%2]
		r.Verdict.Comparisons = append(r.Verdict.Comparisons, c)
		check := r.Verdict.Checks[0]
		check.Scenario = c.Scenario
		r.Verdict.Checks = append(r.Verdict.Checks, check)
	}
	r.Verdict.Comparisons[0].Mark = regress.Regressed
	r.Verdict.Decision = regress.Decision{Outcome: regress.Fail, Reasons: []string{"this is why"}}
	r.Verdict.Warnings = []string{strings.Repeat("long ", 100000)}
	out := string(render(t, Markdown, r))
	if len(out) > markdownLimit {
		t.Errorf("%d bytes, want at most %d", len(out), markdownLimit)
	}
	if len(out) < markdownLimit*3/4 {
		t.Errorf("%d bytes: more was cut than needed", len(out))
	}
	for _, want := range []string{"this is why", "❌ regressed", "_Cut to fit a comment: ", "rows of the comparisons without change"} {
		if !strings.Contains(out, want) {
			t.Errorf("the cut report lacks %q", want)
		}
	}
	if strings.Count(out, "<details>") != strings.Count(out, "</details>") {
		t.Error("cutting broke a fold")
	}
	if small := string(render(t, Markdown, fixture(t))); strings.Contains(small, "_Cut to fit") {
		t.Error("a small report says that it was cut")
	}
}

func TestMarkdownBeginsWithTheMarker(t *testing.T) {
	for _, r := range []Report{{}, fixture(t)} {
		if out := string(render(t, Markdown, r)); !strings.HasPrefix(out, Marker+"\n") {
			t.Errorf("begins with %.30q", out)
		}
	}
}

// TestMarkdownTablesStayWhole: a bar in a name must not open a column.
func TestMarkdownTablesStayWhole(t *testing.T) {
	out := string(render(t, Markdown, hostileReport(t)))
	columns := 0
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "| ") {
			columns = 0
			continue
		}
		n := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|")
		if columns == 0 {
			columns = n
		}
		if n != columns {
			t.Errorf("%d bars, the head has %d: %s", n, columns, line)
		}
	}
}

// TestJUnitOutcomes: a case fails exactly when it counts against the run, so
// that a CI that reads JUnit agrees with the exit code.
func TestJUnitOutcomes(t *testing.T) {
	o := regress.Options{Confidence: 0.9, Tolerance: 0.05}
	strict := o
	strict.FailOnInconclusive = true
	for _, c := range []struct {
		name       string
		comparison regress.Comparison
		options    regress.Options
		want       string
	}{
		{"a confirmed regression fails", regress.Comparison{Mark: regress.Regressed, PAdjusted: 0.01}, o, "failure"},
		{"one that Holm takes back does not", regress.Comparison{Mark: regress.Regressed, PAdjusted: 0.2}, o, "skipped"},
		{"inconclusive is skipped", regress.Comparison{Mark: regress.Inconclusive}, o, "skipped"},
		{"unless it decides", regress.Comparison{Mark: regress.Inconclusive}, strict, "error"},
		{"no verdict is an error", regress.Comparison{Mark: regress.NoVerdict}, o, "error"},
		{"improved passes", regress.Comparison{Mark: regress.Improved}, o, ""},
		{"no change passes", regress.Comparison{Mark: regress.NoChange}, o, ""},
	} {
		if got := outcomeOf(comparisonCase(c.comparison, c.options)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	check := limit("rss_peak", "<=", 1)
	informing := check
	informing.Informational = true
	for _, c := range []struct {
		name   string
		result regress.CheckResult
		want   string
	}{
		{"a broken gate fails", regress.CheckResult{Check: check, Gate: true, Total: 3, Passed: 2}, "failure"},
		{"one that only informs does not", regress.CheckResult{Check: informing, Total: 3, Passed: 2}, "skipped"},
		{"missing data are an error", regress.CheckResult{Check: check, Gate: true, Total: 3, Passed: 2, Missing: 1}, "error"},
		{"a broken bound is broken whatever else is missing", regress.CheckResult{Check: check, Gate: true, Total: 3, Passed: 1, Missing: 1}, "failure"},
		{"a kept bound passes", regress.CheckResult{Check: check, Gate: true, Total: 3, Passed: 3, OK: true}, ""},
	} {
		if got := outcomeOf(checkCase(c.result)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func outcomeOf(c junitCase) string {
	switch {
	case c.Failure != nil:
		return "failure"
	case c.Error != nil:
		return "error"
	case c.Skipped != nil:
		return "skipped"
	}
	return ""
}

func TestJUnitCounts(t *testing.T) {
	var doc junitSuites
	if err := xml.Unmarshal(render(t, JUnit, fixture(t)), &doc); err != nil {
		t.Fatal(err)
	}
	var cases, failures, errors, skipped int
	for _, s := range doc.Suites {
		for _, c := range s.Cases {
			cases++
			switch outcomeOf(c) {
			case "failure":
				failures++
			case "error":
				errors++
			case "skipped":
				skipped++
			}
			if c.Class != s.Name {
				t.Errorf("case %s of suite %s has class %s", c.Name, s.Name, c.Class)
			}
		}
	}
	if doc.Tests != cases || doc.Failures != failures || doc.Errors != errors || doc.Skipped != skipped {
		t.Errorf("says %d/%d/%d/%d, has %d/%d/%d/%d", doc.Tests, doc.Failures, doc.Errors, doc.Skipped, cases, failures, errors, skipped)
	}
	if failures != 2 || errors != 1 {
		t.Errorf("%d failures and %d errors, want 2 and 1", failures, errors)
	}
}

func TestNotes(t *testing.T) {
	o := regress.Options{Confidence: 0.9, Tolerance: 0.05}
	pairs := make([]regress.Pair, 8)
	for _, c := range []struct {
		comparison regress.Comparison
		want       string
	}{
		{regress.Comparison{Mark: regress.Regressed, P: 0.001, PAdjusted: 0.004}, "counts against the run: p 0.001, 0.004 after Holm"},
		{regress.Comparison{Mark: regress.Regressed, P: 0.04, PAdjusted: 0.2}, "does not count against the run: p 0.040, 0.200 after Holm"},
		{regress.Comparison{Mark: regress.Improved, Reason: "the figures say it"}, ""},
		{regress.Comparison{Mark: regress.NoChange, Repeats: 2}, "2 invalid pairs repeated"},
		{regress.Comparison{Mark: regress.Inconclusive, Pairs: pairs, MinimumDetectable: 0.093, PairsNeeded: 24}, "8 pairs find changes from 9.3 % on with 90 % power; about 24 pairs would settle it"},
		{regress.Comparison{Mark: regress.Inconclusive, Reason: "why; 24 pairs would settle it", PairsNeeded: 24}, "why; 24 pairs would settle it"},
		{regress.Comparison{Mark: regress.Inconclusive, Reason: "why", Erratic: true}, "why; declared erratic"},
	} {
		if got := note(c.comparison, o); got != c.want {
			t.Errorf("%s: %q, want %q", c.comparison.Mark, got, c.want)
		}
	}
}

func TestLoadWords(t *testing.T) {
	s := burst("x", 300000, 3e9)
	if got, want := loadWords(s.Load), "300,000 messages in 3s over udp, 1,000 contextKeys, 4 tags, datagrams up to 1.40KiB"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := loadWords(scenarios.Load{Schedule: scenarios.Schedule{Over: 1e10}}), "none: idle for 10s"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

package reports

import (
	"bytes"
	"flag"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"floodgate/internal/record"
)

var (
	update = flag.Bool("update", false, "write the golden files anew")
	keep   = flag.String("keep", "", "also write the whole rendered reports to this folder, to look at them")
)

// renderers are all formats by the name of their file.
var renderers = map[string]func(io.Writer, Report) error{
	"report.html": HTML,
	"report.md":   Markdown,
	"report.json": JSON,
	"junit.xml":   JUnit,
	"report.txt": func(w io.Writer, r Report) error {
		return Terminal(w, r, TerminalOptions{Width: 110})
	},
}

func render(t testing.TB, f func(io.Writer, Report) error, r Report) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := f(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// elided are the parts of the page that have tests of their own, or that would
// bury a change of the page in figures.
var elided = []struct {
	pattern *regexp.Regexp
	by      string
}{
	{regexp.MustCompile(`(?s)<style>.*?</style>`), "<style>…</style>"},
	{regexp.MustCompile(`(?s)(<script[^>]*>).*?</script>`), "$1…</script>"},
	{regexp.MustCompile(`(?s)(<svg class="chart[^>]*>)(<title.*?</desc>)?.*?</svg>`), "$1$2…</svg>"},
	{regexp.MustCompile(`(?s)(<table class="figures">.*?</thead>).*?</table>`), "$1…</table>"},
}

// only keeps the scenarios named, for goldens that need not show all of them.
func (r Report) only(names ...string) Report {
	other := func(name string) bool { return !slices.Contains(names, name) }
	out := Report{Title: r.Title, Command: r.Command, Version: r.Version, Verdict: r.Verdict, Scenarios: r.Scenarios}
	out.Verdict.Comparisons, out.Verdict.Checks = nil, nil
	for _, c := range r.Verdict.Comparisons {
		if !other(c.Scenario) {
			out.Verdict.Comparisons = append(out.Verdict.Comparisons, c)
		}
	}
	for _, c := range r.Verdict.Checks {
		if !other(c.Scenario) {
			out.Verdict.Checks = append(out.Verdict.Checks, c)
		}
	}
	for _, rec := range r.Records {
		if !other(rec.Scenario) {
			out.Records = append(out.Records, rec)
		}
	}
	return out
}

// TestGoldens shows a whole run in each format: read the files in testdata to
// see what people get.
func TestGoldens(t *testing.T) {
	whole := fixture(t)
	for name, f := range renderers {
		t.Run(name, func(t *testing.T) {
			r := whole
			switch name {
			case "report.html":
				r = whole.only("burst", "churn")
			case "report.json":
				r = whole.only("idle", "churn")
			}
			got := render(t, f, r)
			if name == "report.html" {
				for _, e := range elided {
					got = e.pattern.ReplaceAll(got, []byte(e.by))
				}
			}
			golden(t, name, got)
			if *keep != "" {
				if err := os.WriteFile(filepath.Join(*keep, name), render(t, f, whole), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (go test ./reports -update writes it anew):\n%s", name, diff)
	}
}

// TestSameBytes renders the same report with its records in another order:
// reports go into version control and caches, so the bytes must not change.
func TestSameBytes(t *testing.T) {
	r := fixture(t)
	shuffled := r
	shuffled.Records = slices.Clone(r.Records)
	rng := rand.New(rand.NewPCG(1, 2))
	rng.Shuffle(len(shuffled.Records), func(i, j int) {
		shuffled.Records[i], shuffled.Records[j] = shuffled.Records[j], shuffled.Records[i]
	})
	slices.Reverse(shuffled.Verdict.Checks)
	slices.Reverse(shuffled.Verdict.Comparisons)
	for name, f := range renderers {
		if !bytes.Equal(render(t, f, r), render(t, f, shuffled)) {
			t.Errorf("%s depends on the order of its input", name)
		}
	}
}

// TestInputIsLeftAlone: several renderers share one report.
func TestInputIsLeftAlone(t *testing.T) {
	r := fixture(t)
	first := r.Records[0]
	before := slices.Clone(r.Records)
	for _, f := range renderers {
		render(t, f, r)
	}
	if r.Records[0] != first || !slices.Equal(before, r.Records) {
		t.Error("a renderer changed the order of the caller's records")
	}
	if got := r.Verdict.Comparisons[0].Scenario; got != "burst" {
		t.Errorf("a renderer changed the order of the caller's comparisons: %s is first", got)
	}
}

// TestNothingToShow renders reports that lack parts or all of it.
func TestNothingToShow(t *testing.T) {
	whole := fixture(t)
	noVerdict := whole
	noVerdict.Verdict.Comparisons, noVerdict.Verdict.Checks = nil, nil
	noRecords := whole
	noRecords.Records, noRecords.Scenarios = nil, nil
	oneVariant := noVerdict
	oneVariant.Records = slices.DeleteFunc(slices.Clone(whole.Records), func(r *record.Record) bool { return r.Variant.Role == record.Baseline })
	holes := whole
	holes.Records = append([]*record.Record{nil}, whole.Records...)
	for what, r := range map[string]Report{
		"nothing at all": {}, "no verdict": noVerdict, "no records": noRecords, "one variant": oneVariant, "nil records": holes,
	} {
		for name, f := range renderers {
			t.Run(what+"/"+name, func(t *testing.T) {
				if len(render(t, f, r)) == 0 {
					t.Error("wrote nothing")
				}
			})
		}
	}
	page := string(render(t, HTML, Report{}))
	for _, want := range []string{"Could not measure", "Nothing was compared", "No reason was recorded"} {
		if !bytes.Contains([]byte(page), []byte(want)) {
			t.Errorf("the empty page does not say %q", want)
		}
	}
	if regexp.MustCompile(`<svg class="chart`).MatchString(page) {
		t.Error("the empty page has an empty chart")
	}
}

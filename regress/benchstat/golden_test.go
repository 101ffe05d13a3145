package benchstat

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/perf/benchfmt"

	"floodgate/regress"
)

var update = flag.Bool("update", false, "write the golden files anew")

// read compares logs of testdata; paths may have labels.
func read(t testing.TB, o Options, paths ...string) *Report {
	t.Helper()
	t.Chdir("testdata")
	r, err := Read(&benchfmt.Files{Paths: paths, AllowLabels: true}, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// published are the options and logs of the flush change's published table: 29
// benchmarks, three units, ten runs each. Its samples were not published; those
// of the logs were searched for by machine so that medians, intervals and p come
// out as in the table.
func published(t testing.TB) *Report {
	t.Helper()
	o := DefaultOptions()
	o.Row = "/event"
	return read(t, o, "baseline/benchmark.log", "current/benchmark.log")
}

// mixed is everything at once: ties, zeros, single runs, missing rows, and a
// decision.
func mixed(t testing.TB) (*Report, *regress.Decision) {
	t.Helper()
	r := read(t, DefaultOptions(), "before=made-old.txt", "after=made-new.txt")
	rules, err := ParseRules(">3%")
	if err != nil {
		t.Fatal(err)
	}
	d := r.Judge(rules)
	return r, &d
}

func units(t testing.TB) *Report {
	o := DefaultOptions()
	o.Ignore = "commit"
	return read(t, o, "units-old.txt", "units-new.txt")
}

func TestGolden(t *testing.T) {
	style := regexp.MustCompile(`(?s)<style>.*?</style>`)
	for _, c := range []struct {
		file   string
		render func(testing.TB, io.Writer) error
	}{
		{"published.txt", func(t testing.TB, w io.Writer) error { return published(t).Text(w) }},
		{"published.md", func(t testing.TB, w io.Writer) error { return published(t).Markdown(w, nil) }},
		{"published.html", func(t testing.TB, w io.Writer) error { return published(t).HTML(w, nil) }},
		{"mixed.md", func(t testing.TB, w io.Writer) error { r, d := mixed(t); return r.Markdown(w, d) }},
		{"mixed.html", func(t testing.TB, w io.Writer) error { r, d := mixed(t); return r.HTML(w, d) }},
		{"units.md", func(t testing.TB, w io.Writer) error { return units(t).Markdown(w, nil) }},
	} {
		t.Run(c.file, func(t *testing.T) {
			file, err := filepath.Abs(filepath.Join("testdata", "golden", c.file))
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if err := c.render(t, &b); err != nil {
				t.Fatal(err)
			}
			// The style has no figures: a change of it need not show here.
			got := style.ReplaceAll(b.Bytes(), []byte("<style>…</style>"))
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatalf("%v; go test -update writes it", err)
			}
			if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
				t.Errorf("not the golden file (-) but (+); go test -update accepts it\n%s", diff)
			}
		})
	}
}

// TestPublishedTable compares every cell with the flush change's published
// table: medians, intervals, changes, p, n, geometric means and the footnote.
func TestPublishedTable(t *testing.T) {
	var b bytes.Buffer
	if err := published(t).Text(&b); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("published-cells.txt")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(b.String()) {
		// As it was published, without the blanks of the layout. The package is ours.
		line = strings.Join(strings.Fields(line), " ")
		if line != "" && !strings.HasPrefix(line, "pkg: ") {
			got = append(got, line)
		}
	}
	if diff := cmp.Diff(strings.Split(strings.TrimSpace(string(want)), "\n"), got); diff != "" {
		t.Errorf("not as published (-) but (+)\n%s", diff)
	}
	if rows := strings.Count(string(want), "n=10)"); rows != 3*29 {
		t.Errorf("the published table has %d comparisons, want 29 rows in three units", rows)
	}
}

// TestHTMLNeedsNothing makes sure that the page is complete in itself, and that
// names from a log are text.
func TestHTMLNeedsNothing(t *testing.T) {
	log := "pkg: <script>alert(1)</script>\nBenchmark<b>/x=\"&'-8 1 5 <i>/op\n"
	src := &benchfmt.Files{Paths: []string{filepath.Join(t.TempDir(), "<img src=x>.txt")}}
	if err := os.WriteFile(src.Paths[0], []byte(log), 0o644); err != nil {
		t.Fatal(err)
	}
	r, err := Read(src, DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := r.HTML(&b, &regress.Decision{Outcome: regress.Fail, Reasons: []string{"<b>bold</b>"}}); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<script", "<img", "<b>", "<i>", "http:", "https:", "url(", "@import", "<link"} {
		if strings.Contains(b.String(), bad) {
			t.Errorf("the page has %s", bad)
		}
	}
	if !strings.Contains(b.String(), "&lt;script&gt;alert(1)") {
		t.Error("the page has lost the package's name")
	}
}

// TestMarkdownQuotes makes sure that names from a log neither break the table
// nor call anybody.
func TestMarkdownQuotes(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{mdCode("a|b"), "`a\\|b`"},
		{mdCode("a`b"), "`` a`b ``"},
		{mdCode("@everyone"), "`@everyone`"},
		{mdCode(" "), ""},
		{mdText("<b> *x* @me ~y~ [z](w) a|b"), `\<b\> \*x\* &#64;me \~y\~ \[z\](w) a\|b`},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
}

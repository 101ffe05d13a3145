package documented

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const page = `# Title

A sentence says that .098 of them
fail, of others 72 %, and in 20 % of the rest (up to 1.5).

| spread | a | b |
|---|---|---|
| 2 % | .000 | **1.5 %** |

| spread | change | c |
|---|---|---|
| 2 % | +5 % | 14.4 |
| 4 %: wide | +5 % | 1 |
`

// refused stands in for a test, to see it fail.
type refused struct {
	testing.TB
	failed bool
}

func (r *refused) Helper()               {}
func (r *refused) Errorf(string, ...any) { r.failed = true }

// TestFigures: figures are found, and told from those of other tables.
func TestFigures(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
	p := Open(t, path)
	for _, c := range []struct {
		why  string
		got  []Figure
		want []Figure
	}{
		{"a row of the first table", p.Row(t, "| spread | a |", "| 2 % |"), []Figure{{0, 0.001}, {0.015, 0.001}}},
		{"a row of the second that begins alike", p.Row(t, "| spread | change |", "| 2 % |"), []Figure{{0.05, 0.01}, {14.4, 0.1}}},
		{"from the second cell on", p.Row(t, "| spread | change |", "| 2 % | +5 % |"), []Figure{{14.4, 0.1}}},
		{"the beginning of a cell", p.Row(t, "| spread | change |", "| 4 %"), []Figure{{0.05, 0.01}, {1, 1}}},
		{"a number in a sentence", []Figure{p.After(t, "says that")}, []Figure{{0.098, 0.001}}},
		{"a phrase over the end of a line", []Figure{p.After(t, "of them fail, of others")}, []Figure{{0.72, 0.01}}},
		{"a number at the end of a sentence", []Figure{p.After(t, "of the rest (up to")}, []Figure{{1.5, 0.1}}},
	} {
		if diff := cmp.Diff(c.want, c.got, cmpopts.EquateApprox(0, 1e-12)); diff != "" {
			t.Errorf("%s: %s", c.why, diff)
		}
	}
	p.Says(t, "that .098 of them fail")
	for _, c := range []struct {
		why  string
		test func(testing.TB)
		want bool
	}{
		{"a sentence that is not there", func(t testing.TB) { p.Says(t, "of them pass") }, true},
		{"rounded as it should be", func(t testing.TB) { Figure{0.098, 0.001}.Share(t, "", 0.0984, 40000, 40000) }, false},
		{"another last digit", func(t testing.TB) { Figure{0.098, 0.001}.Share(t, "", 0.0990, 40000, 40000) }, true},
		{"chance", func(t testing.TB) { Figure{0.098, 0.001}.Share(t, "", 0.115, 3000, 40000) }, false},
		{"more than chance", func(t testing.TB) { Figure{0.098, 0.001}.Share(t, "", 0.125, 3000, 40000) }, true},
		{"never, and once by chance", func(t testing.TB) { Figure{0, 0.001}.Share(t, "", 1/150., 150, 20000) }, false},
		{"never, and now and then", func(t testing.TB) { Figure{0, 0.001}.Share(t, "", 0.1, 150, 20000) }, true},
	} {
		r := refused{TB: t}
		if c.test(&r); r.failed != c.want {
			t.Errorf("%s: failed is %v", c.why, r.failed)
		}
	}
}

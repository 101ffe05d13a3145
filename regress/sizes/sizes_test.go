package sizes

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"floodgate/internal/artefact"
	"floodgate/internal/documented"
	"floodgate/regress"
)

const mib = 1 << 20

func limit(t *testing.T, most, growth string) Limit {
	t.Helper()
	disk, _, err := Limits{MaxDisk: most, MaxGrowthDisk: growth}.Parse(func(key string) string { return key })
	if err != nil {
		t.Fatal(err)
	}
	return disk
}

// TestJudge is the rule, one size at a time. -1 is a size that is missing.
func TestJudge(t *testing.T) {
	for _, c := range []struct {
		why             string
		previous, now   int64
		maximum, growth string
		mark            Mark
		outcome         regress.Outcome
		reasonHas       string
		neutral         bool
	}{
		{why: "no limit, nothing to break", previous: mib, now: 9 * mib, mark: Held, outcome: regress.Pass},
		{why: "at the limit is within it", previous: mib, now: 2 * mib, maximum: "2MiB", mark: Held, outcome: regress.Pass},
		{why: "a new break", previous: mib, now: 3 * mib, maximum: "2MiB", mark: Broken, outcome: regress.Fail, reasonHas: "3MiB is above the limit of 2MiB"},
		{why: "a break without a baseline is new", previous: -1, now: 3 * mib, maximum: "2MiB", mark: Broken, outcome: regress.Fail},
		{why: "a break that was there before is shown and does not block", previous: 3 * mib, now: 3 * mib, maximum: "2MiB", mark: BrokenBefore, outcome: regress.Pass, reasonHas: "was before", neutral: true},
		{why: "nor when it is larger still", previous: 3 * mib, now: 4 * mib, maximum: "2MiB", mark: BrokenBefore, outcome: regress.Pass},
		{why: "unless growth is limited", previous: 3 * mib, now: 4 * mib, maximum: "2MiB", growth: "1%", mark: Broken, outcome: regress.Fail, reasonHas: "grew by 1MiB"},
		{why: "a neutral change can cross the limit, and that is a new break", previous: 2 * mib, now: 2*mib + 1, maximum: "2MiB", mark: Broken, outcome: regress.Fail, reasonHas: "2097153B is above the limit of 2097152B", neutral: true},
		{why: "a limit that holds again", previous: 3 * mib, now: mib, maximum: "2MiB", growth: "1%", mark: Held, outcome: regress.Pass},
		{why: "growth within a share", previous: 100 * mib, now: 101 * mib, growth: "1%", mark: Held, outcome: regress.Pass},
		{why: "growth beyond a share", previous: 100 * mib, now: 101*mib + 1, growth: "1%", mark: Broken, outcome: regress.Fail, reasonHas: "above the limit of 1%"},
		{why: "growth within bytes", previous: mib, now: mib + 600<<10, growth: "600KiB", mark: Held, outcome: regress.Pass},
		{why: "growth beyond bytes", previous: mib, now: mib + 600<<10 + 1, growth: "600KiB", mark: Broken, outcome: regress.Fail},
		{why: "no growth at all still allows what is neutral", previous: mib, now: mib + Neutral - 1, growth: "0", mark: Held, outcome: regress.Pass, neutral: true},
		{why: "and nothing more", previous: mib, now: mib + Neutral, growth: "0", mark: Broken, outcome: regress.Fail},
		{why: "a share of nothing is nothing", previous: 0, now: mib, growth: "50%", mark: Broken, outcome: regress.Fail},
		{why: "shrinking is no growth", previous: mib, now: 1, growth: "0", mark: Held, outcome: regress.Pass},
		{why: "limited growth needs a baseline", previous: -1, now: mib, growth: "1%", mark: NotMeasured, outcome: regress.Unmeasured, reasonHas: "there is no baseline"},
		{why: "a missing candidate never passes", previous: mib, now: -1, mark: NotMeasured, outcome: regress.Unmeasured},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := Gate{Name: "deb", Disk: limit(t, c.maximum, c.growth)}
			if c.previous >= 0 {
				g.Baseline = &Size{Disk: c.previous}
			}
			if c.now >= 0 {
				g.Candidate = &Size{Disk: c.now}
			}
			v := Judge([]Gate{g})
			r := v.Rows[0]
			if r.Mark != c.mark || v.Decision.Outcome != c.outcome || !strings.Contains(r.Reason, c.reasonHas) {
				t.Errorf("%s (%s), run %s; want %s (%s), run %s", r.Mark, r.Reason, v.Decision.Outcome, c.mark, c.reasonHas, c.outcome)
			}
			if r.Neutral() != c.neutral {
				t.Errorf("neutral is %v", r.Neutral())
			}
		})
	}
}

// TestDecision: what failed comes first; a failure beats what is missing.
func TestDecision(t *testing.T) {
	size := func(disk, wire int64) *Size { return &Size{disk, wire} }
	v := Judge([]Gate{
		{Name: "old", Wire: limit(t, "1MiB", ""), Baseline: size(0, 2*mib), Candidate: size(0, 2*mib)},
		{Name: "gone", Baseline: size(1, 1), Fault: "cannot read artefact gone: no such file"},
		{Name: "new", Disk: limit(t, "1MiB", ""), Baseline: size(0, 0), Candidate: size(2*mib, 0)},
	})
	want := regress.Decision{Outcome: regress.Fail, Reasons: []string{
		"new, on disk: 2MiB is above the limit of 1MiB.",
		"gone, on disk: cannot read artefact gone: no such file.",
		"gone, on wire: cannot read artefact gone: no such file.",
		"old, on wire: 2MiB is above the limit of 1MiB, and was before at 2MiB.",
	}}
	if diff := cmp.Diff(want, v.Decision); diff != "" {
		t.Error(diff)
	}
	g := Gate{Name: "first", Disk: limit(t, "1MiB", "1%"), Candidate: size(1, 1), New: true}
	if got := Judge([]Gate{g}).Decision.Outcome; got != regress.Pass {
		t.Errorf("a product that is new comes out as %s", got)
	}
	if got := Judge(nil).Decision.Outcome; got != regress.Unmeasured {
		t.Errorf("no gate at all comes out as %s", got)
	}
}

func TestCompareFiles(t *testing.T) {
	before := []artefact.Entry{
		{Path: "a", Mode: 0o644, Size: 1},
		{Path: "b", Mode: 0o644, Size: 1},
		{Path: "c", Mode: fs.ModeSymlink | 0o777, Link: "a"},
		{Path: "d", Mode: 0o644, Size: 1},
		{Path: "e", Mode: 0o644, Size: 1},
	}
	after := []artefact.Entry{
		{Path: "0", Mode: 0o644, Size: 9},
		{Path: "a", Mode: 0o644, Size: 1},
		{Path: "b", Mode: 0o755, Size: 2},
		{Path: "c", Mode: fs.ModeSymlink | 0o777, Link: "b"},
		{Path: "e", Mode: fs.ModeDir | 0o755},
		{Path: "f", Mode: 0o644},
	}
	i := CompareFiles("deb", before, after)
	var got []string
	for _, list := range [][]FileChange{i.Added, i.Removed, i.Changed} {
		for _, c := range list {
			got = append(got, c.Path+": "+c.What())
		}
	}
	want := []string{"0: added", "f: added", "d: removed", "b: size, mode", "c: target", "e: type"}
	if diff := cmp.Diff(want, got); diff != "" || i.Unchanged != 1 || i.Same() {
		t.Errorf("%d unchanged: %s", i.Unchanged, diff)
	}
	if i := CompareFiles("deb", before, before); !i.Same() || i.Unchanged != len(before) {
		t.Errorf("compared with itself: %+v", i)
	}
}

func TestParseGrowth(t *testing.T) {
	for text, want := range map[string]Growth{
		"1%": {Ratio: 0.01}, "0.05": {Ratio: 0.05}, "600KiB": {Bytes: 600 << 10}, "2MB": {Bytes: 2e6}, "0": {}, "0%": {},
	} {
		g, err := ParseGrowth(text)
		if err != nil || g != want {
			t.Errorf("%s is %+v, %v", text, g, err)
		}
		if back, err := ParseGrowth(g.String()); err != nil || back != g {
			t.Errorf("%s is written %s, which is %+v, %v", text, g, back, err)
		}
	}
	for _, text := range []string{"", "-1%", "much", "1%%"} {
		if g, err := ParseGrowth(text); err == nil {
			t.Errorf("%q is taken for %v", text, g)
		}
	}
}

func TestParseGates(t *testing.T) {
	planned, err := ParseGates("sizes.yaml", []byte(`artefacts:
  - path: bin/refserver
    max_disk: 50MiB
    max_growth_disk: 1%
  - name: package
    path: "*.deb"
    max_growth_wire: 600KiB
`))
	if err != nil {
		t.Fatal(err)
	}
	most := int64(50 * mib)
	want := []Planned{
		{Name: "bin/refserver", Path: "bin/refserver", Disk: Limit{&most, &Growth{Ratio: 0.01}}},
		{Name: "package", Path: "*.deb", Wire: Limit{nil, &Growth{Bytes: 600 << 10}}},
	}
	if diff := cmp.Diff(want, planned); diff != "" {
		t.Error(diff)
	}
	for source, wants := range map[string][]string{
		"":                               {"sizes.yaml"},
		"artefacts: []":                  {"sizes.yaml: it has no artefacts"},
		"artefacts: [{path: a, max: 1}]": {"max"},
		"artefacts: [{max_disk: 50}, {path: a, max_growth_wire: lots}, {path: a}]": {
			"artefacts[0].path is missing", `artefacts[0].max_disk: "50" is no size`,
			`artefacts[1].max_growth_wire: "lots" is no growth`, `artefacts[2].name: "a" is there twice`},
	} {
		_, err := ParseGates("sizes.yaml", []byte(source))
		for _, want := range wants {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: got %v, want %q", source, err, want)
			}
		}
	}
}

// TestDocumentedFigures: the limits of reading and judging are those of
// docs/statistics.md.
func TestDocumentedFigures(t *testing.T) {
	page := documented.Open(t, "../../docs/statistics.md")
	l := artefact.DefaultLimits()
	for _, sentence := range []string{
		fmt.Sprintf("and by at least %d KiB", Neutral>>10),
		fmt.Sprintf("changed by less than %d KiB", Neutral>>10),
		fmt.Sprintf("reading one ends at %d,000 entries, %d GiB unpacked, %d MiB of names", l.Entries/1000, l.Bytes>>30, l.Names>>20),
	} {
		t.Log(sentence)
		page.Says(t, sentence)
	}
}

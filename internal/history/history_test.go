package history

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func number(x float64) *float64 { return &x }

func line(day int, scenario string) Line {
	return Line{
		Schema: Schema, Time: time.Date(2026, 3, day, 12, 0, 0, 0, time.UTC), Scenario: scenario, Measure: "cpu_per_message", Unit: "s", Better: "lower",
		Ratio: number(1.02), Low: number(0.99), High: number(1.05), Confidence: 0.9, Spread: number(0.03), Pairs: 10, Mark: "no change",
		Baseline:  Side{Spec: "refserver", Commit: "abc1234", Digest: "9f86", Level: number(1.8e-6)},
		Candidate: Side{Spec: "bin:./new", Digest: "60303", Level: number(1.84e-6)},
		Host:      Host{Fingerprint: "0011", Words: "linux/amd64, 2 cores"}, Seed: 18446744073709551615, Floodgate: "v0.1.0",
	}
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "history.jsonl")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func encoded(t *testing.T, lines ...Line) string {
	t.Helper()
	text, err := encode(lines)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestAppendAndRead: what was added comes back, by time, and once however often
// it is added.
func TestAppendAndRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.jsonl")
	noVerdict := line(1, "idle")
	noVerdict.Ratio, noVerdict.Low, noVerdict.High, noVerdict.Spread, noVerdict.Mark = nil, nil, nil, nil, "no verdict"
	for _, c := range []struct {
		lines []Line
		added int
	}{
		{[]Line{line(2, "burst"), line(2, "burst"), noVerdict}, 2},
		{[]Line{line(2, "burst"), line(1, "burst")}, 1},
		{[]Line{noVerdict}, 0},
		{nil, 0},
	} {
		added, warnings, err := Append(path, c.lines)
		if err != nil || added != c.added || len(warnings) > 0 {
			t.Fatalf("added %d, %v, %v, want %d", added, warnings, err, c.added)
		}
	}
	lines, warnings, err := Read(path)
	if err != nil || len(warnings) > 0 {
		t.Fatal(warnings, err)
	}
	if diff := cmp.Diff([]Line{noVerdict, line(1, "burst"), line(2, "burst")}, lines); diff != "" {
		t.Error(diff)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"schema":1,"time":"2026-03-02T12:00:00Z","scenario":"burst","measure":"cpu_per_message","unit":"s","better":"lower","ratio":1.02,"low":0.99,"high":1.05,"confidence":0.9,"spread":0.03,"pairs":10,"mark":"no change",` +
		`"baseline":{"spec":"refserver","commit":"abc1234","digest":"9f86","level":0.0000018},"candidate":{"spec":"bin:./new","digest":"60303","level":0.00000184},"host":{"fingerprint":"0011","words":"linux/amd64, 2 cores"},"seed":18446744073709551615,"floodgate":"v0.1.0"}`
	if first, _, _ := strings.Cut(string(text), "\n"); first != want {
		t.Errorf("the first line is\n%s\nwant\n%s", first, want)
	}
}

// TestBrokenOff: a writer that was stopped leaves half a line at the end. It is
// told, and costs that line only.
func TestBrokenOff(t *testing.T) {
	whole := encoded(t, line(1, "burst"))
	half := encoded(t, line(2, "burst"))[:100]
	path := write(t, whole+half)
	lines, warnings, err := Read(path)
	if err != nil || len(lines) != 1 || len(warnings) != 1 || !strings.Contains(warnings[0], "breaks off after 100 bytes") {
		t.Fatalf("%d lines, %v, %v", len(lines), warnings, err)
	}
	added, warnings, err := Append(path, []Line{line(2, "burst")})
	if err != nil || added != 1 || len(warnings) != 1 || !strings.Contains(warnings[0], "was taken away") {
		t.Fatalf("added %d, %v, %v", added, warnings, err)
	}
	text, err := os.ReadFile(path)
	if err != nil || string(text) != encoded(t, line(1, "burst"), line(2, "burst")) {
		t.Errorf("%v: the file has\n%s", err, text)
	}
}

// TestOpenEnd: an editor left no line break behind the last line.
func TestOpenEnd(t *testing.T) {
	path := write(t, "\n"+strings.TrimSuffix(encoded(t, line(1, "burst")), "\n"))
	if added, warnings, err := Append(path, []Line{line(2, "burst")}); err != nil || added != 1 || len(warnings) > 0 {
		t.Fatal(added, warnings, err)
	}
	if lines, warnings, err := Read(path); err != nil || len(lines) != 2 || len(warnings) > 0 {
		t.Errorf("%d lines, %v, %v", len(lines), warnings, err)
	}
}

func TestRefuses(t *testing.T) {
	good := encoded(t, line(1, "burst"))
	with := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	for _, c := range []struct{ what, text, want string }{
		{"another schema", good + with(`"schema":1`, `"schema":2`), "line 2: its schema is 2, this floodgate reads 1"},
		{"another schema with other types", `{"schema":2,"time":5}` + "\n", "its schema is 2"},
		{"another schema in an open last line", good + `{"schema":2}`, "line 2: its schema is 2"},
		{"no schema", `{"time":"2026-03-01T12:00:00Z"}` + "\n", "it has no schema"},
		{"half a line within", good[:50] + "\n" + good, "line 1: it is no line of a history"},
		{"a merge that was not finished", "======= a\n" + good, "line 1: it is no line of a history"},
		{"a list", "[]\n", "it is no line of a history"},
		{"no time", with(`"time":"2026-03-01T12:00:00Z",`, ""), "it has no time"},
		{"no scenario", with(`"scenario":"burst",`, ""), "it names no scenario"},
		{"no direction", with(`"better":"lower"`, `"better":"up"`), `better is "up": want lower or higher`},
		{"half an interval", with(`"low":0.99,`, ""), "half an interval"},
		{"an interval beside its estimate", with(`"low":0.99`, `"low":1.04`), "lies outside of its interval"},
		{"a ratio of nothing", with(`"ratio":1.02`, `"ratio":0`), "ratio is 0: want a number above 0"},
		{"a spread below 0", with(`"spread":0.03`, `"spread":-1`), "spread is -1"},
		{"pairs below 0", with(`"pairs":10`, `"pairs":-1`), "it has -1 pairs"},
	} {
		t.Run(c.what, func(t *testing.T) {
			path := write(t, c.text)
			if _, _, err := Read(path); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if _, _, err := Append(path, []Line{line(9, "burst")}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("adding: got %v, want %q", err, c.want)
			}
			if text, err := os.ReadFile(path); err != nil || string(text) != c.text {
				t.Errorf("the file was changed: %v", err)
			}
		})
	}
	if _, _, err := Read(filepath.Join(t.TempDir(), "none.jsonl")); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("no file: %v", err)
	}
	path := filepath.Join(t.TempDir(), "new.jsonl")
	bad := line(1, "burst")
	bad.Ratio = number(-1)
	if _, _, err := Append(path, []Line{bad}); err == nil || !strings.Contains(err.Error(), "burst, cpu_per_message") {
		t.Errorf("a line that is none: %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a file was made for a line that is none")
	}
}

// TestAddingAtOnce: several jobs that share a file all find their lines in it.
func TestAddingAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.jsonl")
	var wg sync.WaitGroup
	for job := range 8 {
		wg.Go(func() {
			for day := range 10 {
				if _, _, err := Append(path, []Line{line(day+1, fmt.Sprint("burst", job))}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	lines, warnings, err := Read(path)
	if err != nil || len(warnings) > 0 || len(lines) != 80 {
		t.Errorf("%d lines, %v, %v", len(lines), warnings, err)
	}
}

// FuzzParse: whatever the file has, what comes back can be written and read
// again.
func FuzzParse(f *testing.F) {
	good, err := encode([]Line{line(1, "burst")})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(append(good, good[:40]...))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := parse(text)
		if err != nil {
			return
		}
		if c.whole+c.cut != len(text) {
			t.Errorf("%d bytes whole and %d cut off of %d", c.whole, c.cut, len(text))
		}
		again, err := encode(c.lines)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		if back, err := parse(again); err != nil || len(back.lines) != len(c.lines) || back.cut > 0 {
			t.Errorf("%d lines came back as %d: %v", len(c.lines), len(back.lines), err)
		}
	})
}

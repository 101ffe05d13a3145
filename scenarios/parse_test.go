package scenarios

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite the golden files under testdata")

// minimal is the least that a scenario must say.
const minimal = `name: least
load: {schedule: {burst: {count: 1, over: 1s}}}
goal: rss_peak
`

// TestFaults holds the text of every fault. The archives under testdata/faults
// have pairs of files: a broken scenario and what Parse says of it.
func TestFaults(t *testing.T) {
	archives, err := filepath.Glob("testdata/faults/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatal("no archives", err)
	}
	for _, name := range archives {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		updated := &txtar.Archive{Comment: archive.Comment}
		want := map[string]string{}
		for _, f := range archive.Files {
			want[f.Name] = string(f.Data)
		}
		for _, f := range archive.Files {
			broken, isCase := strings.CutSuffix(f.Name, ".yaml")
			if !isCase {
				continue
			}
			_, err := Parse("broken.yaml", f.Data)
			if err == nil {
				t.Errorf("%s: %s is accepted", name, f.Name)
				continue
			}
			got := err.Error() + "\n"
			updated.Files = append(updated.Files, f, txtar.File{Name: broken + ".faults", Data: []byte(got)})
			if diff := cmp.Diff(want[broken+".faults"], got); diff != "" && !*update {
				t.Errorf("%s: %s (-want +got; -update accepts it):\n%s", name, f.Name, diff)
			}
		}
		if *update {
			if err := os.WriteFile(name, txtar.Format(updated), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestBytesThatAreNoText covers what no text archive can hold.
func TestBytesThatAreNoText(t *testing.T) {
	check := func(source, want string) {
		t.Helper()
		_, err := Parse("broken.yaml", []byte(source))
		if err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
	check("name: a\nload: \xff", "broken.yaml:2: byte 0xff stands here: want text in UTF-8 without control characters")
	check("name: a\n\nload: \x00", "broken.yaml:3: control character 0x00 stands here: want text in UTF-8 without control characters")
	check("\xff\xfen\x00", "broken.yaml:1: byte 0xff stands here: want text in UTF-8 without control characters")
	check(strings.Repeat("#", 1<<20)+"\n", "broken.yaml:1: the file has 1048577 bytes: want at most 1048576")
	check(strings.Repeat("[", 20000), "broken.yaml:1: this is no YAML: while increasing flow level: exceeded max depth of 10000")
}

// TestFaultsAreBounded: a hostile file fills neither memory nor the screen.
func TestFaultsAreBounded(t *testing.T) {
	var source bytes.Buffer
	for i := range 5000 {
		fmt.Fprintf(&source, "key_%d: 1\n", i)
	}
	_, err := Parse("broken.yaml", source.Bytes())
	var f *FaultError
	if !errors.As(err, &f) {
		t.Fatalf("got %T, want *FaultError", err)
	}
	if len(f.Faults) != 100 || f.More != 5000+3-100 {
		t.Errorf("%d faults and %d more, want 100 and 4903", len(f.Faults), f.More)
	}
	if text := err.Error(); !strings.HasSuffix(text, "\nand 4903 more") {
		t.Errorf("ends in %q", text[len(text)-40:])
	}
}

// TestDefaults: what a file leaves out is exactly what Default says.
func TestDefaults(t *testing.T) {
	got, err := Parse("least.yaml", []byte(minimal))
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Name, want.File, want.Source = "least", "least.yaml", []byte(minimal)
	want.Load.Schedule = Schedule{Count: 1, Over: 1e9}
	want.Goal, _ = LookUp("rss_peak")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestFull reads a file in which no key has its default, so that a key which
// is read into the wrong place is seen.
func TestFull(t *testing.T) {
	source, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse("testdata/full.yaml", source)
	if err != nil {
		t.Fatal(err)
	}
	lost, _ := LookUp("lost_fraction")
	drain, _ := LookUp("drain_time")
	goal, _ := LookUp("cpu_millicores")
	want := Scenario{
		Name:        "full",
		Description: "Two lines that\nstay two.",
		Load: Load{
			Transport: Unixgram,
			Sender:    Sender{Method: SendBatch, Sockets: 3, WhenFull: Drop}, // a client goes with none of them
			Schedule:  Schedule{Count: 1_500_000, Over: 2500e6},
			Corpus: Corpus{
				Seed: 18446744073709551615, ContextKeys: 2500, Popularity: Uniform, Tags: 0,
				// In the order of the wire kinds, not of the file; none of weight 0.
				Kinds:   []KindWeight{{"c", 3}, {"d", 2}, {"s", 1}},
				Packing: Packing{Bytes: 8192}, SampledShare: 0.25, SampleRate: 0.125, PackedValues: 7,
			},
		},
		Target: TargetSetup{ReceiveBuffer: 4 << 20, FlushInterval: 250e6, CPUs: 1.25, CPUPeriod: 20e6, Memory: 96 << 20},
		Intake: Intake{Latency: Latency{5e6, "exponential"}, ErrorShare: 0.2, ErrorStatus: 429, ResetShare: 0.01,
			OutageFrom: 500e6, OutageFor: 1e9, SlowRead: 64 << 10},
		Goal: goal,
		Checks: []Check{
			{Measure: lost, Op: "<=", Bound: 0.001, Line: 39},
			{Measure: drain, Op: "==", Bound: 1.5, Informational: true, Line: 40},
			{Measure: drain, Op: ">=", Bound: 0.25, Line: 41},
		},
		Gate: true, Order: Woven, Slice: 20 * time.Millisecond, Replicates: 11, Erratic: true,
		Limits: Limits{Ready: 11e9, WarmUp: 0, LatenessP99: 13e6, Drain: 14e9, Stop: 15e9, Retries: 0},
		File:   "testdata/full.yaml", Source: source,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestEveryValueIsJudged puts a list in the place of each value of a full file:
// a key whose value nobody looks at would go unnoticed.
func TestEveryValueIsJudged(t *testing.T) {
	source, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(source), "\n")
	scalar := regexp.MustCompile(`^( *[a-z_0-9]+): [^|>#]+$`)
	judged := 0
	for i, line := range lines {
		if !scalar.MatchString(line) {
			continue
		}
		judged++
		changed := strings.Join(append(append(append([]string{}, lines[:i]...),
			scalar.ReplaceAllString(line, "$1: [[]]")), lines[i+1:]...), "\n")
		_, err := Parse("testdata/full.yaml", []byte(changed))
		if want := fmt.Sprintf("testdata/full.yaml:%d: ", i+1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("line %d, %q: got %v", i+1, line, err)
		}
	}
	if judged < 25 {
		t.Errorf("only %d values were judged: the pattern has lost touch with the file", judged)
	}
}

// TestNameAndFile: only a file that is one must have the scenario's name;
// records and standard input have names of their own.
func TestNameAndFile(t *testing.T) {
	for file, good := range map[string]bool{
		"least.yaml":         true,
		"a/b.c/least.yml":    true,
		"":                   true,
		"out/burst/00.json":  true,
		"other.yaml":         false,
		"least.yaml.yaml":    false,
		"least/scenario.yml": false,
	} {
		if _, err := Parse(file, []byte(minimal)); (err == nil) != good {
			t.Errorf("%q: %v", file, err)
		}
	}
}

// TestSourceIsKept: the caller may go on using its buffer.
func TestSourceIsKept(t *testing.T) {
	source := []byte(minimal)
	s, err := Parse("least.yaml", source)
	if err != nil {
		t.Fatal(err)
	}
	clear(source)
	if string(s.Source) != minimal {
		t.Errorf("the scenario shares its source with the caller: %q", s.Source)
	}
}

// FuzzParse: no file makes the loader panic, every refusal names a place, and
// what is accepted is accepted again, alike.
func FuzzParse(f *testing.F) {
	f.Add([]byte(minimal))
	all, err := All()
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range all {
		f.Add(s.Source)
	}
	archives, _ := filepath.Glob("testdata/faults/*.txtar")
	for _, name := range archives {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, c := range archive.Files {
			f.Add(c.Data)
		}
	}
	f.Fuzz(func(t *testing.T, source []byte) {
		s, err := Parse("", source)
		if err != nil {
			var e *FaultError
			if !errors.As(err, &e) || len(e.Faults) == 0 {
				t.Fatalf("%T %v, want a *FaultError with faults", err, err)
			}
			for i, fault := range e.Faults {
				// Nothing stands on a line behind the one after the last.
				if fault.Line < 1 || fault.Line > bytes.Count(source, []byte("\n"))+2 {
					t.Fatalf("fault at line %d of %d bytes", fault.Line, len(source))
				}
				if i > 0 && fault.Line < e.Faults[i-1].Line {
					t.Fatalf("faults out of order: %v", err)
				}
			}
			return
		}
		again, err := Parse("", s.Source)
		if diff := cmp.Diff(s, again); err != nil || diff != "" {
			t.Fatalf("read twice: %v\n%s", err, diff)
		}
		for _, c := range s.Checks {
			if back, err := parseCheck(c.String()); err != nil || back.Bound != c.Bound || back.Op != c.Op || back.Measure != c.Measure {
				t.Fatalf("check %s reads back as %v, %v", c, back, err)
			}
		}
	})
}

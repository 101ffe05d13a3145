package record

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRoundTrip: what is written is read, to the last field, and the file is
// meant for people too.
func TestRoundTrip(t *testing.T) {
	name := filepath.Join(t.TempDir(), "new", "folders", "00.json")
	if err := Write(name, full()); err != nil {
		t.Fatal(err)
	}
	got, err := Read(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(full(), got); diff != "" {
		t.Errorf("-written +read:\n%s", diff)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "full.json")
	if *update {
		if err := os.WriteFile(golden, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(text)); diff != "" {
		t.Errorf("-want +got (-update accepts it, but records of this schema exist):\n%s", diff)
	}
}

// TestZeroIsNotAbsent: the two survive the file apart.
func TestZeroIsNotAbsent(t *testing.T) {
	r := valid("idle", Baseline, 0, Measure{"lost_messages", "messages", "lower", 0})
	zero := 0.0
	r.Ledger.KernelDropped = Count(0)
	r.Environment.Load1 = &zero
	name := filepath.Join(t.TempDir(), "00.json")
	if err := Write(name, r); err != nil {
		t.Fatal(err)
	}
	got, err := Read(name)
	if err != nil {
		t.Fatal(err)
	}
	if m, found := got.Measure("lost_messages"); !found || m.Value != 0 {
		t.Errorf("a measure of 0 is read as %v, %v", m, found)
	}
	if _, found := got.Measure("rss_peak"); found {
		t.Error("a measure that is absent is found")
	}
	if got.Ledger.KernelDropped == nil || got.Environment.Load1 == nil {
		t.Error("a zero is read as absent")
	}
	if got.Ledger.Received != nil || got.Environment.StealFraction != nil || got.Values != nil {
		t.Error("what is absent is read as zero")
	}
}

// TestWriteRefuses: numbers that JSON cannot hold, by their place, and what
// Read would refuse.
func TestWriteRefuses(t *testing.T) {
	nan := math.NaN()
	check := func(want string, spoil func(*Record)) {
		t.Helper()
		name := filepath.Join(t.TempDir(), "00.json")
		r := full()
		spoil(r)
		err := Write(name, r)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "cannot write record "+name+": ") {
			t.Errorf("got %v\nwant %s", err, want)
		}
		if left, _ := os.ReadDir(filepath.Dir(name)); len(left) != 0 {
			t.Errorf("%s: %v is left behind", want, left)
		}
	}
	check("measures[1].value is NaN: a record holds finite numbers", func(r *Record) { r.Measures[1].Value = nan })
	check("measures[0].value is -Inf", func(r *Record) { r.Measures[0].Value = math.Inf(-1) })
	check("phases[4].duration_seconds is +Inf", func(r *Record) { r.Phases[4].Duration = math.Inf(1) })
	check("environment.load1 is NaN", func(r *Record) { r.Environment.Load1 = &nan })
	check("timeline.step_seconds is NaN", func(r *Record) { r.Timeline.StepSeconds = nan })
	check("timeline.columns.rss_bytes[2] is NaN", func(r *Record) { r.Timeline.Columns[ColumnRSS][2] = nan })
	check("timeline column sent has 2 readings, want 3", func(r *Record) {
		r.Timeline.Columns[ColumnSent] = r.Timeline.Columns[ColumnSent][:2]
	})
	check("schema is 0, want 1", func(r *Record) { r.Schema = 0 })
	check("scenario is empty", func(r *Record) { r.Scenario = "" })
	check(`variant role is "control", want "baseline" or "candidate"`, func(r *Record) { r.Variant.Role = "control" })
}

// TestWriteIsAtomic: a reader sees the old record or the new one, and a write
// that fails leaves the folder as it was.
func TestWriteIsAtomic(t *testing.T) {
	folder := t.TempDir()
	name := filepath.Join(folder, "00.json")
	first, second := full(), full()
	second.Replicate = 4
	for _, r := range []*Record{first, second} {
		if err := Write(name, r); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := Read(name); err != nil || r.Replicate != 4 {
		t.Errorf("the second record is not there: %v", err)
	}
	info, err := os.Stat(name)
	if err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v, %v: others cannot read the record", info.Mode(), err)
	}
	if err := os.MkdirAll(filepath.Join(folder, "01.json", "in_the_way"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Write(filepath.Join(folder, "01.json"), first); err == nil {
		t.Error("a folder is overwritten")
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 2 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestReadRefuses(t *testing.T) {
	name := filepath.Join(t.TempDir(), "00.json")
	check := func(text, want string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(name); err == nil || err.Error() != "cannot read record "+name+": "+want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
	check("", "it is no record: want a JSON object")
	check("[]", "it is no record: want a JSON object")
	check("{", "it is no record: unexpected end of JSON input")
	check("{}", "it is no record: it has no schema")
	check(`{"schema": 2, "measures": "in another form"}`, "its schema is 2, this floodgate reads 1: use the version that wrote it, or run again")
	check(`{"schema": 0}`, "its schema is 0, this floodgate reads 1: use the version that wrote it, or run again")
	check(`{"schema": 1}`, "scenario is empty")
	check(`{"schema": 1, "scenario": "a", "variant": {"role": "baseline"}} {}`, "it is no record: invalid character '{' after top-level value")
	check(`{"schema": 1, "scenario": "a", "variant": {"role": "left"}}`, `variant role is "left", want "baseline" or "candidate"`)

	if _, err := Read(filepath.Join(t.TempDir(), "none.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if err := os.Truncate(name, maxFile+1); err != nil { // sparse
		t.Skip(err)
	}
	if _, err := Read(name); err == nil || !strings.Contains(err.Error(), "more than 67108864 bytes") {
		t.Errorf("a huge file: %v", err)
	}
}

// TestReadNewerMinor: within a major version fields may be added, and an older
// reader skips them.
func TestReadNewerMinor(t *testing.T) {
	name := filepath.Join(t.TempDir(), "00.json")
	text := `{"schema": 1, "scenario": "a", "variant": {"role": "baseline", "colour": "red"}, "moon": {"phase": 3}}`
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if r, err := Read(name); err != nil || r.Scenario != "a" {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestPath(t *testing.T) {
	check := func(got, want string) {
		t.Helper()
		if got != filepath.FromSlash(want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	check(Path("out", "idle", Baseline, 0, 0, false), "out/idle/baseline/00.json")
	check(Path("out", "idle", Candidate, 12, 2, false), "out/idle/candidate/12.json")
	check(Path("out", "idle", Candidate, 12, 2, true), "out/idle/candidate/12.invalid2.json")
	check(Path("out", "idle", Candidate, 12, 0, true), "out/idle/candidate/12.invalid0.json")
	check(Path(".", "idle", Baseline, 100, 0, false), "idle/baseline/100.json")
}

// TestReadDir writes a run with a repeated pair between files of other kinds.
func TestReadDir(t *testing.T) {
	out := t.TempDir()
	store := func(scenario, role string, replicate, attempt int, invalid string) {
		t.Helper()
		r := valid(scenario, role, replicate)
		r.Attempt, r.Invalid = attempt, invalid
		if err := Write(Path(out, scenario, role, replicate, attempt, invalid != ""), r); err != nil {
			t.Fatal(err)
		}
	}
	for _, role := range []string{Candidate, Baseline} {
		store("idle", role, 1, 0, "")
		store("idle", role, 0, 1, "")
		store("idle", role, 0, 0, "late")
		store("burst", role, 0, 0, "")
	}
	for _, other := range []string{
		"report.json",                     // at the top
		"idle/notes.json",                 // beside the roles
		"idle/control/00.json",            // no role
		"idle/baseline/00.log",            // no record by its name
		"idle/baseline/.00.json.123.part", // a write that was interrupted
		"idle/baseline/._00.json",         // left by a file manager
		"idle/baseline/deeper/00.json",    // a folder further down
		"empty/.keep",                     // a folder without roles
	} {
		name := filepath.Join(out, filepath.FromSlash(other))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte("no record"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	records, err := ReadDir(out)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range records {
		name, err := filepath.Rel(out, Path(out, r.Scenario, r.Variant.Role, r.Replicate, r.Attempt, r.Invalid != ""))
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, filepath.ToSlash(name))
	}
	want := []string{
		"burst/baseline/00.json", "burst/candidate/00.json",
		"idle/baseline/00.invalid0.json", "idle/baseline/00.json", "idle/candidate/00.invalid0.json", "idle/candidate/00.json",
		"idle/baseline/01.json", "idle/candidate/01.json",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}

	stray := filepath.Join(out, "idle", "baseline", "02.json")
	refused := func(want string) {
		t.Helper()
		if _, err := ReadDir(out); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
	if err := os.WriteFile(stray, []byte("no record"), 0o644); err != nil {
		t.Fatal(err)
	}
	refused("cannot read record " + stray + ": it is no record: want a JSON object")
	// A copy would be judged as a second replicate.
	if err := Write(stray, valid("idle", Baseline, 1)); err != nil {
		t.Fatal(err)
	}
	refused("cannot read record " + stray + ": by its content it belongs to " + filepath.Join(out, "idle", "baseline", "01.json"))
}

func TestReadDirEmpty(t *testing.T) {
	if records, err := ReadDir(t.TempDir()); err != nil || len(records) != 0 {
		t.Errorf("an empty folder: %v, %v", records, err)
	}
	if _, err := ReadDir(filepath.Join(t.TempDir(), "none")); err == nil || !strings.Contains(err.Error(), "none: no such file") {
		t.Errorf("a missing folder: %v", err)
	}
}

// FuzzRead: no file makes the reader panic, and what it accepts can be written
// and read again.
func FuzzRead(f *testing.F) {
	text, err := os.ReadFile(filepath.Join("testdata", "full.json"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"schema": 1, "scenario": "a", "variant": {"role": "baseline"}}`))
	f.Add([]byte(`{"schema": 2}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		name := filepath.Join(t.TempDir(), "00.json")
		if err := os.WriteFile(name, text, 0o644); err != nil {
			t.Fatal(err)
		}
		r, err := Read(name)
		if err != nil {
			return
		}
		if err := Write(name, r); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(name); err != nil {
			t.Fatal(err)
		}
		r.Ledger.Balance()
	})
}

package scenarios

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rogpeppe/go-internal/txtar"
)

// TestTargetFaults holds the text of every fault of a description.
func TestTargetFaults(t *testing.T) {
	const name = "testdata/targetfaults/targets.txtar"
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
		_, err := ParseTarget("broken.yaml", f.Data)
		if err == nil {
			t.Errorf("%s is accepted", f.Name)
			continue
		}
		got := err.Error() + "\n"
		updated.Files = append(updated.Files, f, txtar.File{Name: broken + ".faults", Data: []byte(got)})
		if diff := cmp.Diff(want[broken+".faults"], got); diff != "" && !*update {
			t.Errorf("%s (-want +got; -update accepts it):\n%s", f.Name, diff)
		}
	}
	if *update {
		if err := os.WriteFile(name, txtar.Format(updated), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTargetFull reads a file in which no key has its default, so that a key
// which is read into the wrong place is seen.
func TestTargetFull(t *testing.T) {
	got, err := OpenTarget("", "testdata/target_full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := Target{
		Name: "target_full", Description: "No key has its default.", Binary: "below/full", Install: "ask somebody",
		Options: []TargetOption{{Name: "mode", Values: []string{"fast", "slow"}, Default: "slow", Help: "how fast"}, {Name: "depth", Default: "7"}, {Name: "note"}},
		Command: []string{"--listen={{.Listen}}", `{{with .Option "note"}}--note={{.}}{{end}}`, `--depth={{.Option "depth"}}`, "8"},
		// By name, not in the order of the file.
		Files:       []TargetFile{{"a.conf", `{{.Option "mode"}}`}, {"b.conf", "port {{.Port}} and {{.FreePort \"x\"}} {{.FreePort \"x\"}}\n"}},
		Environment: []TargetVariable{{"A", "x"}, {"Z", "{{.Dir}}"}},
		Transports:  []Transport{Unixgram, UDP},
		Ready:       Readiness{By: ReadyOutput, What: "listening on {{.Port}}"},
		Stop:        "INT", Sink: SinkPrometheus, Scrape: "http://{{.Stats}}/y", Mapping: "telegraf", FlushEvery: 15 * time.Second,
		Statistics: &TargetStatistics{URL: "http://{{.Stats}}/x", Format: StatisticsPrometheus, Every: 2 * time.Second, Map: map[string][]string{
			"received": {"lines_total"}, "malformed": {`errors_total{kind="a"}`, `errors_total{kind="b",more="c"}`}}},
		Capabilities: Capabilities{Kinds: []string{"s", "c"}, Tags: true, PackedValues: true, Timestamps: true, Origin: true, Events: true, ServiceChecks: true, LargestDatagram: 4096},
		Build:        []string{"make", "OUT={{.Output}}"},
		File:         "testdata/target_full.yaml",
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Target{}, "Source")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}

	l := SampleLaunch(UDP)
	l.Options = map[string]string{"depth": "9"}
	rendering, err := got.Render(l)
	if err != nil {
		t.Fatal(err)
	}
	filled := Rendering{
		Args:        []string{"--listen=udp://127.0.0.1:8125", "--depth=9", "8"}, // the empty word is left out
		Files:       []TargetFile{{"a.conf", "slow"}, {"b.conf", "port 8125 and 9999 9999\n"}},
		Environment: []TargetVariable{{"A", "x"}, {"Z", "/tmp/target"}},
		Ready:       "listening on 8125", Statistics: "http://127.0.0.1:9102/x", Scrape: "http://127.0.0.1:9102/y",
	}
	if diff := cmp.Diff(filled, rendering); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if buffer, flush := got.Heeds(l); buffer || flush {
		t.Errorf("it heeds the receive buffer %v and the flush interval %v, but mentions neither", buffer, flush)
	}
	if word, err := BuildWord(got.Build[1], "/x"); word != "OUT=/x" || err != nil {
		t.Errorf("build word %q, %v", word, err)
	}
}

// TestTargetDefaults: what a file leaves out is what every StatsD server does.
func TestTargetDefaults(t *testing.T) {
	got, err := ParseTarget("", []byte("{name: least, description: The least., binary: b, command: []}"))
	if err != nil {
		t.Fatal(err)
	}
	want := defaultTarget()
	want.Name, want.Description, want.Binary, want.Command = "least", "The least.", "b", []string{}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Target{}, "Source")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestTargetLine: a key that stands nowhere is sought where it would be written.
func TestTargetLine(t *testing.T) {
	got, err := ParseTarget("x.yaml", []byte("# Of my own.\nname: x\ndescription: X.\nbinary: b\ncommand: []\ncapabilities:\n  kinds: [c]\n  tags: true\n"))
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]int{"name": 2, "capabilities.kinds": 7, "capabilities.tags": 8, "capabilities.events": 6, "statistics.url": 1, "": 1} {
		if line := got.Line(key); line != want {
			t.Errorf("%q is in line %d, want %d", key, line, want)
		}
	}
}

// TestPresets: every description that is shipped loads, tells what it is, says
// how its program is had, and comes to the same command line as before.
func TestPresets(t *testing.T) {
	files, err := filepath.Glob("targets/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all, err := Targets("")
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != len(files) {
		t.Errorf("%d targets from %d files", len(all), len(files))
	}
	for _, x := range all {
		if len(strings.Fields(x.Description)) < 8 || x.Install == "" {
			t.Errorf("%s: does not say what it is (%q) or how it is had (%q)", x.Name, x.Description, x.Install)
		}
		var got strings.Builder
		for _, transport := range x.Transports {
			filled, err := x.Render(SampleLaunch(transport))
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&got, "%s: %s\n", transport, x.Binary)
			for _, word := range filled.Args {
				fmt.Fprintf(&got, "  %s\n", word)
			}
			for _, v := range filled.Environment {
				fmt.Fprintf(&got, "environment %s=%s\n", v.Name, v.Value)
			}
			fmt.Fprintf(&got, "ready %s %s\nstatistics %s\n", x.Ready.By, filled.Ready, filled.Statistics)
			for _, f := range filled.Files {
				fmt.Fprintf(&got, "-- %s --\n%s\n", f.Name, strings.TrimSpace(f.Text))
			}
		}
		golden := filepath.Join("testdata/targets", x.Name+".golden")
		if *update {
			if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got.String()); diff != "" {
			t.Errorf("%s (-want +got; -update accepts it):\n%s", golden, diff)
		}
	}
}

// TestOwnTargets: a folder of descriptions adds to the embedded ones and goes
// before them.
func TestOwnTargets(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("telegraf.yaml", "{name: telegraf, description: Mine., binary: b, command: []}")
	write("mine.yaml", "{name: mine, description: Mine., binary: b, command: []}")
	write("notes.txt", "no description")
	embedded, err := Targets("")
	if err != nil {
		t.Fatal(err)
	}
	all, err := Targets(dir)
	if err != nil || len(all) != len(embedded)+1 {
		t.Errorf("%d targets, %v; want one more than %d", len(all), err, len(embedded))
	}
	if x, err := FindTarget(dir, "telegraf"); err != nil || x.Description != "Mine." {
		t.Errorf("telegraf is %q, %v; want that of the folder", x.Description, err)
	}
	if _, err := FindTarget(dir, "mien"); err == nil || !strings.Contains(err.Error(), `did you mean "mine"?`) || !strings.Contains(err.Error(), "statsd_exporter") {
		t.Errorf("an unknown name: %v", err)
	}
	write("mine.yaml", "{name: mine}")
	var faults *FaultError
	if all, err := Targets(dir); !errors.As(err, &faults) || len(all) != len(embedded) {
		t.Errorf("a broken file: %d targets, %v; want the others, and its faults", len(all), err)
	}
	if _, err := Targets(filepath.Join(dir, "none")); err == nil {
		t.Error("a folder that does not exist is accepted")
	}
}

// TestNarrow: what a target cannot do is left out of the load, or cannot be.
func TestNarrow(t *testing.T) {
	plain := defaultTarget()
	everything := Corpus{Tags: 4, Kinds: []KindWeight{{"c", 3}, {"h", 1}, {"s", 1}}, Packing: Packing{Bytes: 8192}, SampledShare: 0.1, SampleRate: 0.5, PackedValues: 2}
	for _, c := range []struct {
		why          string
		change       func(*Target, *Scenario)
		left, cannot string
		want         Corpus
	}{
		{"what it cannot do is left out", func(*Target, *Scenario) {}, "kinds h, s; tags; packed values", "",
			Corpus{Kinds: []KindWeight{{"c", 3}}, Packing: Packing{Bytes: 8192}, SampledShare: 0.1, SampleRate: 0.5, PackedValues: 1}},
		{"one that does all keeps all", func(x *Target, _ *Scenario) {
			x.Capabilities = Capabilities{Kinds: wireKinds, Tags: true, Packing: true, PackedValues: true, Sampling: true, LargestDatagram: 8192}
		}, "", "", everything},
		{"its datagrams are no larger than it can read", func(x *Target, s *Scenario) {
			x.Capabilities.LargestDatagram = 1000
			s.Load.Corpus = Corpus{Kinds: []KindWeight{{"c", 1}}, Packing: Packing{Bytes: 1432}, PackedValues: 1}
		}, "datagrams over 1000 bytes", "", Corpus{Kinds: []KindWeight{{"c", 1}}, Packing: Packing{Bytes: 1000}, PackedValues: 1}},
		{"no packing, no sampling", func(x *Target, s *Scenario) {
			x.Capabilities.Packing, x.Capabilities.Sampling = false, false
			s.Load.Corpus = Corpus{Kinds: []KindWeight{{"c", 1}}, Packing: Packing{Bytes: 1432}, PackedValues: 1, SampledShare: 1, SampleRate: 0.5}
		}, "sampling; several messages in a datagram", "", Corpus{Kinds: []KindWeight{{"c", 1}}, PackedValues: 1, SampleRate: 1}},
		{"a load of which nothing stays is another experiment", func(_ *Target, s *Scenario) {
			s.Load.Corpus = Corpus{Kinds: []KindWeight{{"s", 1}}, PackedValues: 1}
		}, "", "kinds s, and there are no others", Corpus{Kinds: []KindWeight{{"s", 1}}, PackedValues: 1}},
		{"so is another transport", func(_ *Target, s *Scenario) {
			s.Load.Transport = Unixgram
			s.Load.Corpus = Corpus{Kinds: []KindWeight{{"c", 1}}, PackedValues: 1}
		}, "", "transport unixgram", Corpus{Kinds: []KindWeight{{"c", 1}}, PackedValues: 1}},
		{"events, checks, timestamps and containers are parts like others", func(_ *Target, s *Scenario) {
			s.Load.Corpus = Corpus{Kinds: []KindWeight{{"c", 1}}, PackedValues: 1, TagsMost: 3, UniqueTags: 0.5, TimestampedShare: 1, TimestampFrom: 9, ContainerShare: 1, Containers: 2, EventShare: 0.1, CheckShare: 0.1}
		}, "events; service checks; tags; timestamps; names of containers", "", Corpus{Kinds: []KindWeight{{"c", 1}}, PackedValues: 1}},
		{"of a replay only the packing is known", func(x *Target, s *Scenario) {
			x.Capabilities.Packing = false
			s.Load.Replay = &Replay{Packing: Packing{Bytes: 1432}}
		}, "several messages in a datagram", "", everything},
		{"an idle stretch asks for nothing", func(_ *Target, s *Scenario) { s.Load.Schedule.Count = 0 }, "", "", everything},
	} {
		target, scenario := plain, Scenario{Load: Load{Transport: UDP, Schedule: Schedule{Count: 1}, Corpus: everything}}
		c.change(&target, &scenario)
		before := scenario.Load.Corpus
		got, left, cannot := target.Narrow(scenario)
		if strings.Join(left, "; ") != c.left || strings.Join(cannot, "; ") != c.cannot {
			t.Errorf("%s: left %q, cannot %q; want %q and %q", c.why, left, cannot, c.left, c.cannot)
		}
		if diff := cmp.Diff(c.want, got.Load.Corpus); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.why, diff)
		}
		if diff := cmp.Diff(before, scenario.Load.Corpus); diff != "" {
			t.Errorf("%s: the scenario itself was changed:\n%s", c.why, diff)
		}
		if _, again, _ := target.Narrow(got); len(again) > 0 {
			t.Errorf("%s: narrowed once, %q is still left out", c.why, again)
		}
	}
}

// FuzzParseTarget: no file makes the loader panic or run templates that reach
// anything, and every refusal names a place.
func FuzzParseTarget(f *testing.F) {
	all, err := Targets("")
	if err != nil {
		f.Fatal(err)
	}
	for _, x := range all {
		f.Add(x.Source)
	}
	archive, err := txtar.ParseFile("testdata/targetfaults/targets.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, c := range archive.Files {
		f.Add(c.Data)
	}
	f.Fuzz(func(t *testing.T, source []byte) {
		x, err := ParseTarget("", source)
		if err == nil {
			if _, err := x.Render(SampleLaunch(x.Transports[0])); err != nil {
				t.Fatalf("accepted, and cannot be filled in: %v", err)
			}
			return
		}
		var e *FaultError
		if !errors.As(err, &e) || len(e.Faults) == 0 {
			t.Fatalf("%T %v, want a *FaultError with faults", err, err)
		}
		for _, fault := range e.Faults {
			if fault.Line < 1 || fault.Line > bytes.Count(source, []byte("\n"))+bytes.Count(source, []byte("\r"))+2 || strings.Contains(fault.Text, "\n") {
				t.Fatalf("fault %q", fault)
			}
		}
	})
}

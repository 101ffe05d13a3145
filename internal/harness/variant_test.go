package harness

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"floodgate/internal/target"
	"floodgate/scenarios"
)

// program makes an executable file that is never run.
func program(t *testing.T, path string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestFinder: each kind of variant leads to a description and a program, or to
// an error that says what is allowed or how the program is had.
func TestFinder(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", filepath.Join(dir, "path"))
	own := filepath.Join(dir, "own")
	if err := os.MkdirAll(own, 0o755); err != nil {
		t.Fatal(err)
	}
	mine := "{name: mine, description: Mine., binary: mine, install: ask me, command: [], options: {mode: {values: [a, b]}}}"
	if err := os.WriteFile(filepath.Join(own, "mine.yaml"), []byte(mine), 0o644); err != nil {
		t.Fatal(err)
	}
	refserver := program(t, filepath.Join(dir, "refserver"))
	peer := program(t, filepath.Join(dir, "peers", "statsd_exporter"))
	inPath := program(t, filepath.Join(dir, "path", "telegraf"))
	below := program(t, filepath.Join(dir, "peers", "statsd", "node_modules", ".bin", "statsd"))
	f := Finder{RefServer: refserver, Peers: filepath.Join(dir, "peers"), TargetDir: own}
	for _, c := range []struct{ spec, path, description, fault string }{
		{spec: "refserver:flush=async,GOGC=50", path: refserver, description: "refserver"},
		{spec: "target:refserver:flush=sync", path: refserver, description: "refserver"},
		{spec: "bin:" + peer + ":reader=coupled", path: peer, description: "refserver"},
		{spec: "target:statsd_exporter:packet_queue=5,GOGC=50", path: peer, description: "statsd_exporter"},
		{spec: "target:telegraf", path: inPath, description: "telegraf"},
		{spec: "target:statsd", path: below, description: "statsd"},
		{spec: "target:mine:mode=b,binary=" + peer, path: peer, description: "mine"},
		{spec: "target:mine", fault: "no program mine in " + filepath.Join(dir, "peers") + " nor in PATH: ask me, or name it with target:mine:binary=PATH"},
		{spec: "target:otelcol", fault: "build it with make peers"},
		{spec: "target:mine:binary=" + filepath.Join(dir, "none"), fault: "no such file"},
		{spec: "target:mine:mode=c", fault: `option "mode" is "c", allowed are a, b`},
		{spec: "target:mine:speed=1", fault: `unknown option "speed", allowed are binary, mode, and environment variables`},
		{spec: "refserver:flush=", fault: `option "flush" is empty`},
		{spec: "refserver:binary=x", fault: `unknown option "binary", allowed are reader`},
		{spec: "bin:" + own, fault: "not an executable file"},
		{spec: "target:telegraff", fault: `did you mean "telegraf"?`},
		{spec: "git:main:flush=async", description: "refserver"}, // its path is known once it is built
		{spec: "git:main:binary=x", fault: `unknown option "binary", allowed are reader`},
	} {
		v, err := f.Variant("candidate", c.spec)
		if (err != nil) != (c.fault != "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s: %v, want %q", c.spec, err, c.fault)
			continue
		}
		if err == nil && (v.Path != c.path || v.Target.Name != c.description || v.Spec != c.spec) {
			t.Errorf("%s: path %s and description %s, want %s and %s", c.spec, v.Path, v.Target.Name, c.path, c.description)
		}
	}
}

// TestStart: a description becomes a command with nothing of the user's shell.
func TestStart(t *testing.T) {
	description, err := scenarios.ParseTarget("", []byte(`
name: foreign
description: A server.
binary: b
options: {mode: {default: calm}}
command: ['--at={{.Host}}:{{.Port}}', '--to={{.IntakeHost}}:{{.IntakePort}}', '--lines={{.GraphiteHost}}:{{.GraphitePort}}', '--mode={{.Option "mode"}}', '{{.Dir}}/x.conf']
files: {x.conf: 'own {{.Stats}}'}
environment: {GOGC: '100', HOME: '{{.Dir}}'}
stop: INT
`))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	v := Variant{Path: "/bin/b", Target: &description, Options: target.Options{{Key: "GOGC", Value: "50"}, {Key: "mode", Value: "fast"}}}
	a := addresses{load: "udp://127.0.0.1:8125", port: 8125, own: 9102, file: filepath.Join(dir, "stats.json")}
	got, err := v.start(scenarios.TargetSetup{ReceiveBuffer: 1, FlushInterval: time.Second}, a, counters{url: "http://127.0.0.1:80", graphite: "127.0.0.1:2003"}, dir)
	if err != nil {
		t.Fatal(err)
	}
	want := target.Command{Path: "/bin/b", Dir: dir, Stop: 2,
		Args: []string{"--at=127.0.0.1:8125", "--to=127.0.0.1:80", "--lines=127.0.0.1:2003", "--mode=fast", dir + "/x.conf"},
		Env:  []string{"GOGC=50", "HOME=" + dir}}
	if diff := cmp.Diff(want, got.command); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if all := strings.Join(got.warnings, "; "); !strings.Contains(all, "receive buffer") || !strings.Contains(all, "flush interval") {
		t.Errorf("warnings %q, want one for each setting that does not reach it", got.warnings)
	}
	if err := got.writeFiles(); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "x.conf")); err != nil || string(text) != "own 127.0.0.1:9102" {
		t.Errorf("the file says %q, %v", text, err)
	}
}

// TestAdapt: without --adapt a load that a target cannot take is refused; with
// it, it shrinks for both variants alike.
func TestAdapt(t *testing.T) {
	find := func(name string) *scenarios.Target {
		t.Helper()
		x, err := scenarios.FindTarget("", name)
		if err != nil {
			t.Fatal(err)
		}
		return &x
	}
	mixed, err := scenarios.Parse("", []byte(`
name: mixed
load: {transport: udp, schedule: {burst: {count: 1k, over: 1s}}, corpus: {tags: 2, kinds: {c: 2, d: 1, s: 1}, packing: 8192B}}
goal: rss_peak
`))
	if err != nil {
		t.Fatal(err)
	}
	c := Config{Scenarios: []scenarios.Scenario{mixed}, Variants: []Variant{{Target: find("statsd_exporter")}, {Target: find("collectd")}}}
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "target statsd_exporter cannot take kinds s: leave it out for all variants with --adapt") ||
		!strings.Contains(err.Error(), "target collectd cannot take kinds") {
		t.Errorf("refused with %v, want what each of the targets cannot take", err)
	}
	c.Adapt = true
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	narrowed, warnings, err := c.narrow()
	if err != nil {
		t.Fatal(err)
	}
	corpus := narrowed[0].Load.Corpus
	if !slices.Equal(corpus.Kinds, []scenarios.KindWeight{{Kind: "c", Weight: 2}}) || corpus.Tags != 0 || corpus.Packing.Bytes != 4095 {
		t.Errorf("the load is %+v, want only what both can do", corpus)
	}
	for _, want := range []string{"adapted for collectd and statsd_exporter", "kinds s", "kinds d", "tags", "datagrams over 4095 bytes"} {
		if !strings.Contains(warnings["mixed"], want) {
			t.Errorf("warning %q, want %q in it", warnings["mixed"], want)
		}
	}
	c.Scenarios[0].Load.Transport = scenarios.Unixgram
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "target collectd cannot take transport unixgram: choose another") {
		t.Errorf("another transport is another experiment: %v", err)
	}
}

func TestIdleFor(t *testing.T) {
	at := func(milliseconds ...int) (ticks []tick) {
		for _, ms := range milliseconds {
			cpu := time.Duration(ms) * time.Millisecond
			ticks = append(ticks, tick{cpu: &cpu})
		}
		return ticks
	}
	for _, c := range []struct {
		why         string
		ticks       []tick
		idle, known bool
	}{
		{"too early to tell", at(0, 0, 0), false, true},
		{"no time used", at(500, 500, 500, 500, 500, 500), true, true},
		{"a flush may fall into it", at(500, 500, 520, 520, 520, 520), true, true},
		{"it works off a queue", at(0, 90, 180, 270, 360, 450), false, true},
		{"only the last half second counts", at(0, 900, 900, 900, 900, 900, 900), true, true},
		{"a system that does not tell", make([]tick, 10), false, false},
	} {
		if idle, known := idleFor(c.ticks, idleTicks); idle != c.idle || known != c.known {
			t.Errorf("%s: idle %v, known %v", c.why, idle, known)
		}
	}
}

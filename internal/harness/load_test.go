package harness

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"floodgate/loadgen"
	"floodgate/scenarios"
)

var updateDigests = flag.Bool("update-digests", false, "rewrite testdata/digests.txt")

// TestSchedulesAgree: the loader and the generator compute counts and lengths
// apart, because neither may import the other. They must come to the same.
func TestSchedulesAgree(t *testing.T) {
	for _, text := range []string{
		"burst: {count: 300k, over: 3s}",
		"idle: {over: 3s}",
		"all_out: {count: 5}",
		"steady: {rate: 3, for: 1500ms}",
		"steady: {rate: 7, for: 333333333ns}",
		"ramp: {from: 3, to: 10, for: 1234567us}",
		"ramp: {from: 2, to: 1, for: 1s}",
		"ramp: {from: 1M, to: 0, for: 10s}",
		"sine: {mean: 17, amplitude: 17, period: 100ms, for: 700ms}",
		"poisson: {rate: 1001, for: 999ms}",
		"steps: [{rate: 3, for: 500ms}, {rate: 0, for: 1s}, {rate: 5, for: 100ms}]",
		"spike: {base: 3, peak: 1k, at: 1500ms, lasts: 1ms, for: 3s}",
		"repeat: {burst: {count: 5, over: 1s}, times: 4, gap: 1ms}",
		"repeat: {burst: {count: 5, over: 1s}, times: 1, gap: 1ms}",
		"sequence: [{sum: [{ramp: {from: 0, to: 9, for: 1s}}, {idle: {over: 3s}}]}, {all_out: {count: 3}}, {steady: {rate: 1, for: 1s}}]",
	} {
		s, err := scenarios.Parse("", []byte("name: x\ngoal: rss_peak\nlimits: {lateness_p99: 1s}\nload: {schedule: {"+text+"}}\n"))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if _, err := newSchedule(s.Load.Schedule); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// mostDigested bounds how much of a load the digests look at, for the sake of
// time: of an even load, the first messages.
const mostDigested = 320_000

// TestDigests pins the load of every scenario that is shipped, and what its intake
// does to uploads. A digest that
// changes means that results from before may no longer be compared with new
// ones, and belongs into the changelog.
func TestDigests(t *testing.T) {
	all, err := scenarios.All()
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, s := range all {
		if err := loadFault(&s); err != nil {
			t.Errorf("%s: %v", s.Name, err)
			continue
		}
		if s.Load.Schedule.Count == 0 {
			continue
		}
		if s.Load.Schedule.Curve == scenarios.Even && s.Load.Schedule.Count > mostDigested {
			s.Load.Schedule.Count = mostDigested
		}
		schedule, err := newSchedule(s.Load.Schedule)
		if err != nil {
			t.Fatal(err)
		}
		corpus, err := loadgen.NewCorpus(context.Background(), newCorpusConfig(s.Load, schedule))
		if err != nil {
			t.Fatal(err)
		}
		totals := corpus.Totals()
		fmt.Fprintf(&got, "%s %s\n  %d messages, %d datagrams, %d hostile; due by each eighth:", s.Name, corpus.Digest(), corpus.Messages(), corpus.Datagrams(), totals.Hostile())
		for eighth := range 9 {
			fmt.Fprintf(&got, " %d", schedule.DueBy(schedule.End()*time.Duration(eighth)/8))
		}
		if s.Intake.Faulty() {
			fmt.Fprintf(&got, "\n  the intake %s", s.Intake.Words())
		}
		if s.Load.WarmUp > 0 {
			fmt.Fprintf(&got, "\n  CPU per message counts after %v", s.Load.WarmUp)
		}
		got.WriteString("\n")
	}
	path := filepath.Join("testdata", "digests.txt")
	if *updateDigests {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("the loads differ from %s; got:\n%s", path, got.String())
	}
}

// TestReplayIsPrepared: a replay's file stands beside the scenario, and its
// lines give the scenario its count and its length.
func TestReplayIsPrepared(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "lines.txt"), []byte("10 a:1|c\n12.5 a:1|c\n13 junk\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(folder, "again.yaml")
	s, err := scenarios.Parse(file, []byte("name: again\ngoal: lost_messages\nload: {replay: {file: lines.txt, speed: 2}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := loadFault(&s); err != nil {
		t.Fatal(err)
	}
	p, err := (&runner{prepared: map[string]*prepared{}}).prepare(t.Context(), &s)
	if err != nil {
		t.Fatal(err)
	}
	if s.Load.Schedule.Count != 3 || s.Load.Schedule.Over != 1500e6+1 || p.hostile() != 1 || len(p.expected.keys) != 1 {
		t.Errorf("%+v, %d hostile, %d contextKeys", s.Load.Schedule, p.hostile(), len(p.expected.keys))
	}
	if err := os.WriteFile(filepath.Join(folder, "lines.txt"), []byte("1 a:x|s\n2 a:x|s\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := new(prepared).replay(&s); err == nil {
		t.Error("a set whose members come twice is accepted: it would look like a loss")
	}
	s.Load.Replay.File = "elsewhere.txt"
	if err := loadFault(&s); err == nil {
		t.Error("a file that is not there is accepted")
	}
}

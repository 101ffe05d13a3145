package harness

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"go.uber.org/goleak"

	"floodgate/internal/record"
	"floodgate/internal/target"
	"floodgate/loadgen"
	"floodgate/scenarios"
)

// mannersVariable names, in a target's environment, how it is to behave.
const mannersVariable = "MANNERS"

// TestMain makes the test's own program a target of bad manners, where a
// variant asks for one.
func TestMain(m *testing.M) {
	if manners := os.Getenv(mannersVariable); manners != "" {
		behave(manners)
	}
	goleak.VerifyTestMain(m)
}

// behave is a target that takes no notice of what it reads. It ends the process.
func behave(manners string) {
	flags := map[string]string{}
	for _, arg := range os.Args[1:] {
		name, value, _ := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		flags[name] = value
	}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM)
	if strings.HasPrefix(manners, "foreign") {
		behaveForeign(flags, manners == "foreign and telling")
	}
	if manners != "deaf" {
		network, address, _ := strings.Cut(flags["listen"], "://")
		socket, err := net.ListenPacket(network, address)
		if err != nil {
			panic(err)
		}
		if manners != "full" {
			go func() {
				for buffer := make([]byte, 1<<16); ; {
					socket.ReadFrom(buffer)
				}
			}()
		}
	}
	answered := make(chan struct{}, 1000)
	go http.ListenAndServe(flags["stats"], http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "{}")
		answered <- struct{}{}
	}))
	if manners == "impatient" {
		<-answered
		<-answered // the second answer is to the sampler
		os.Exit(3)
	}
	<-asked
	switch manners {
	case "stubborn":
		select {}
	case "broken":
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "rubbish":
		os.WriteFile(flags["stats-file"], []byte(`{"received": 1`), 0o644)
	}
	os.Exit(0)
}

// badlyMannered is a run of one replicate of a target with these manners, over a
// unix socket.
func badlyMannered(t *testing.T, manners string) Config {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s, err := scenarios.Parse("tiny.yaml", []byte(`name: tiny
description: A few messages, more than a unix socket holds.
load:
  transport: unixgram
  schedule: {burst: {count: 1k, over: 20ms}}
  corpus: {context_keys: 10, kinds: {c: 1}}
target: {flush_interval: 20ms}
goal: lost_messages
limits: {warm_up: 300ms, drain: 300ms, stop: 100ms, lateness_p99: 10s, retries: 1}
`))
	if err != nil {
		t.Fatal(err)
	}
	return Config{
		Out: t.TempDir(), Scenarios: []scenarios.Scenario{s}, Replicates: map[string]int{"tiny": 1},
		Variants: []Variant{{Role: record.Candidate, Path: self, Options: target.Options{{Key: mannersVariable, Value: manners}}}},
	}
}

// TestBadManners is what becomes of a run whose target does not do what it must:
// the run goes on, and the record says what happened.
func TestBadManners(t *testing.T) {
	for _, c := range []struct {
		manners  string
		invalid  string // part of the reason; empty for a replicate that may be judged
		attempts int    // a fault of the target is not repeated, a doubt about the accounts is
		warning  string
	}{
		{"full", "did not take the load within 300ms of its end", 1, ""},
		{"deaf", "was ready and does not listen", 1, ""},
		{"impatient", "died before the load: exit status 3", 1, ""},
		{"rubbish", "cannot read the target's statistics", 2, ""},
		{"stubborn", "", 1, "its process group was killed: it still ran 100ms after SIGTERM"},
		{"broken", "", 1, "did not end well when it was stopped: killed by signal 9"},
	} {
		t.Run(c.manners, func(t *testing.T) {
			t.Parallel() // they mostly wait
			config := badlyMannered(t, c.manners)
			var shown []int
			config.OnEvent = func(e Event) { shown = append(shown, e.Done) }
			records, err := Run(t.Context(), config)
			if err != nil {
				t.Fatalf("the run is given up: %v", err)
			}
			if len(records) != c.attempts {
				t.Fatalf("%d attempts, want %d: %+v", len(records), c.attempts, records)
			}
			last := records[len(records)-1]
			if (last.Invalid == "") != (c.invalid == "") || !strings.Contains(last.Invalid, c.invalid) {
				t.Errorf("invalid because of %q, want %q", last.Invalid, c.invalid)
			}
			if warnings := strings.Join(last.Warnings, "; "); !strings.Contains(warnings, c.warning) {
				t.Errorf("warnings %q, want %q", warnings, c.warning)
			}
			if last.Invalid == "" && last.Ledger.Unattributed != 1000 {
				t.Errorf("ledger %+v: all 1000 messages were lost inside the target", last.Ledger)
			}
			if first, end := shown[0], shown[len(shown)-1]; first != 0 || end != 1 || slices.Max(shown) > 1 {
				t.Errorf("progress goes %v, want from 0 to 1 of 1", shown)
			}
			kept, err := record.ReadDir(config.Out)
			if err != nil || len(kept) != c.attempts {
				t.Errorf("%d records are kept, want %d: %v", len(kept), c.attempts, err)
			}
		})
	}
}

func TestDrainedBy(t *testing.T) {
	said := func(pending, queued int64) tick {
		return tick{stats: &Statistics{Pending: &pending, QueueLength: &queued}}
	}
	silent, mute := tick{}, tick{stats: &Statistics{}}
	for _, c := range []struct {
		why        string
		ticks      []tick
		done, told bool
	}{
		{"nothing pending, nothing queued", []tick{said(5, 0), said(0, 0)}, true, true},
		{"messages are pending", []tick{said(1, 0)}, false, true},
		{"datagrams are queued", []tick{said(0, 1)}, false, true},
		{"one that answered before and does not now is busy, not drained", []tick{said(0, 0), silent}, false, true},
		{"one that never speaks of it", []tick{mute, mute}, false, false},
		{"one that never answers", []tick{silent}, false, false},
	} {
		if done, told := drainedBy(c.ticks); done != c.done || told != c.told {
			t.Errorf("%s: done %v, told %v", c.why, done, told)
		}
	}
}

func TestReadingsLastForTheLongestLoad(t *testing.T) {
	s := scenarios.Default()
	s.Load.Schedule.Over = 10 * time.Minute
	if got, least := mostReadings(&s), 6000+2+400; got < least {
		t.Errorf("%d readings, want %d at least: ten minutes of load, warm-up and draining", got, least)
	}
}

func TestLateness(t *testing.T) {
	for _, c := range []struct {
		why       string
		transport scenarios.Transport
		late      time.Duration
		overflow  int64
		blocked   time.Duration
		invalid   bool
		warning   bool
	}{
		{why: "within the limit", transport: scenarios.UDP, late: time.Second},
		{why: "beyond it", transport: scenarios.UDP, late: 3 * time.Second, invalid: true},
		{why: "beyond the histogram", transport: scenarios.UDP, overflow: 1, invalid: true},
		{why: "held up by a unix socket that was full", transport: scenarios.Unixgram, late: 3 * time.Second, blocked: 2 * time.Second, warning: true},
		{why: "held up by a stream", transport: scenarios.UnixStream, late: 3 * time.Second, blocked: 2 * time.Second, warning: true},
		{why: "held up by a connection", transport: scenarios.TCP, late: 3 * time.Second, blocked: 2 * time.Second, warning: true},
		{why: "held up for too short a time to be the reason", transport: scenarios.Unixgram, late: 3 * time.Second, blocked: time.Second, invalid: true},
		{why: "UDP holds nobody up", transport: scenarios.UDP, late: 3 * time.Second, blocked: 2 * time.Second, invalid: true},
	} {
		s := &session{record: &record.Record{}, scenario: &scenarios.Scenario{
			Load: scenarios.Load{Transport: c.transport}, Limits: scenarios.Limits{LatenessP99: 2 * time.Second}}}
		s.result = loadgen.Result{Lateness: hdrhistogram.New(1, int64(time.Minute), 3), LatenessOverflow: c.overflow}
		s.result.Lateness.RecordValue(int64(c.late))
		s.result.Sender.Blocked = c.blocked
		err := s.validity(nil)
		if (err != nil) != c.invalid || (len(s.record.Warnings) > 0) != c.warning {
			t.Errorf("%s: invalid %v, warnings %q", c.why, err, s.record.Warnings)
		}
		if err != nil && !strings.HasPrefix(err.Error(), "the generator ") {
			t.Errorf("%s: %v; want the generator first", c.why, err)
		}
	}
}

func TestRemoveRecords(t *testing.T) {
	// Brackets mean something in a pattern, and nothing in a path.
	out := filepath.Join(t.TempDir(), "out[1]")
	stays := filepath.Join(out, "x", record.Baseline, "notes.json")
	for _, path := range []string{
		stays,
		filepath.Join(out, "plan.json"),
		record.Path(out, "x", record.Baseline, 0, 0, false),
		record.Path(out, "x", record.Candidate, 123, 4, true),
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := removeRecords(out); err != nil {
		t.Fatal(err)
	}
	var left []string
	filepath.WalkDir(out, func(path string, d os.DirEntry, _ error) error {
		if !d.IsDir() {
			left = append(left, path)
		}
		return nil
	})
	if !slices.Equal(left, []string{stays}) {
		t.Errorf("left are %q, want only what is no record", left)
	}
	if err := removeRecords(filepath.Join(out, "none")); err != nil {
		t.Errorf("a folder that does not exist holds no records: %v", err)
	}
}

func TestLongSocketPath(t *testing.T) {
	if _, err := newAddresses(scenarios.Unixgram, strings.Repeat("x", 100), ""); err == nil || !strings.Contains(err.Error(), "set TMPDIR") {
		t.Errorf("a path that no unix socket can have: %v", err)
	}
}

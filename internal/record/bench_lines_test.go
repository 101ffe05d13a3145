package record

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchproc"
	"golang.org/x/perf/benchunit"

	"floodgate/scenarios"
)

// catalogue has the name and unit of every measure that a scenario can name,
// and the unit that it must have in benchmark lines.
var catalogue = []struct{ name, unit, bench string }{
	{"cpu_per_message", "s", "cpu-sec/message"},
	{"flush_cpu_per_message", "s", "flush-cpu-sec/message"},
	{"cpu_seconds", "s", "cpu-sec"},
	{"cpu_millicores", "millicores", "cpu-millicores"},
	{"throttled_time", "s", "throttled-time-sec"},
	{"throttled_periods", "count", "throttled-periods"},
	{"oom_kills", "count", "oom-kills"},
	{"rss_peak", "B", "rss-peak-B"},
	{"pss_drained", "B", "pss-drained-B"},
	{"lost_messages", "messages", "lost-messages"},
	{"lost_fraction", "ratio", "lost-fraction"},
	{"wrong_values", "count", "wrong-values"},
	{"delivered_messages", "messages", "delivered-messages"},
	{"kernel_queue_peak", "B", "kernel-queue-peak-B"},
	{"queue_length_peak", "datagrams", "queue-length-peak-datagrams"},
	{"ingest_latency_p50", "s", "ingest-latency-p50-sec"},
	{"ingest_latency_p99", "s", "ingest-latency-p99-sec"},
	{"ingest_latency_max", "s", "ingest-latency-max-sec"},
	{"freshness_p50", "s", "freshness-p50-sec"},
	{"freshness_p99", "s", "freshness-p99-sec"},
	{"freshness_max", "s", "freshness-max-sec"},
	{"flush_stall_max", "s", "flush-stall-max-sec"},
	{"flush_stall_total", "s", "flush-stall-total-sec"},
	{"wake_late_max", "s", "wake-late-max-sec"},
	{"drain_time", "s", "drain-time-sec"},
	{"lateness_p99", "s", "lateness-p99-sec"},
	{"lateness_max", "s", "lateness-max-sec"},
	{"blocked_time", "s", "blocked-time-sec"},
	{"given_up_messages", "messages", "given-up-messages"},
	{"intake_bytes", "B", "intake-B"},
	{"intake_requests", "count", "intake-requests"},
	{"intake_connections", "count", "intake-connections"},
}

// TestBenchUnit: each measure has a unit of its own that the tools leave as it
// is, and that they scale in the steps that fit it.
func TestBenchUnit(t *testing.T) {
	seen := map[string]string{}
	for _, c := range catalogue {
		got := BenchUnit(c.name, c.unit)
		if got != c.bench {
			t.Errorf("%s in %s: got %s, want %s", c.name, c.unit, got, c.bench)
		}
		if other, twice := seen[got]; twice {
			t.Errorf("%s and %s have the same unit %s: one would overwrite the other", other, c.name, got)
		}
		seen[got] = c.name
		if value, tidied := benchunit.Tidy(3.5, got); value != 3.5 || tidied != got {
			t.Errorf("%s: the tools turn 3.5 %s into %v %s", c.name, got, value, tidied)
		}
		if binary := benchunit.ClassOf(got) == benchunit.Binary; binary != (c.unit == "B") {
			t.Errorf("%s: %s is scaled in binary steps: %v", c.name, got, binary)
		}
	}
}

// TestCatalogueIsWhole: a new measure needs a unit that was looked at.
func TestCatalogueIsWhole(t *testing.T) {
	for i, m := range scenarios.Measures {
		if i >= len(catalogue) || catalogue[i].name != m.Name || catalogue[i].unit != string(m.Unit) {
			t.Fatalf("measure %d is %s in %s: want a row for it at this place of the catalogue", i, m.Name, m.Unit)
		}
	}
}

// run is two pairs of two scenarios, one attempt of them invalid.
func run() []*Record {
	var records []*Record
	for i, scenario := range []string{"packed_3m", "burst_300k"} {
		for replicate := range 2 {
			for k, role := range []string{Candidate, Baseline} {
				x := float64(100*i + 10*replicate + k + 1)
				records = append(records, valid(scenario, role, replicate,
					Measure{"cpu_per_message", "s", "lower", x * 1.0000000000000002e-7 / 3},
					Measure{"rss_peak", "B", "lower", x * (1 << 40)},
					Measure{"lost_messages", "messages", "lower", 0},
					Measure{"delivered_messages", "messages", "higher", 3e6 + x},
					Measure{"lost_fraction", "ratio", "lower", 1e-9 * x},
				))
			}
		}
	}
	late := valid("packed_3m", Baseline, 1, Measure{"rss_peak", "B", "lower", 1})
	late.Invalid = "the generator was late"
	return append(records, late, valid("idle", Baseline, 0))
}

// TestBenchLinesGolden shows the file as people see it.
func TestBenchLinesGolden(t *testing.T) {
	var got bytes.Buffer
	if err := BenchLines(&got, run()); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "bench.txt")
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("-want +got (-update accepts it):\n%s", diff)
	}
}

// results reads lines as the benchmark tools do, and fails on every line that
// they do not understand.
func results(t *testing.T, text io.Reader) ([]*benchfmt.Result, benchfmt.UnitMetadataMap) {
	t.Helper()
	reader := benchfmt.NewReader(text, "bench.txt")
	var all []*benchfmt.Result
	for reader.Scan() {
		switch r := reader.Result().(type) {
		case *benchfmt.Result:
			all = append(all, r.Clone()) // the reader uses r again
		case *benchfmt.SyntaxError:
			t.Errorf("line not understood: %v", r)
		}
	}
	if err := reader.Err(); err != nil {
		t.Fatal(err)
	}
	return all, reader.Units()
}

// TestBenchLinesReadBack: the tools find each value and unit as it was, bit by
// bit, know which direction is better, and see one configuration per variant.
func TestBenchLinesReadBack(t *testing.T) {
	records := run()
	var text bytes.Buffer
	if err := BenchLines(&text, records); err != nil {
		t.Fatal(err)
	}
	read, units := results(t, &text)
	judged := slices.DeleteFunc(slices.Clone(records), func(r *Record) bool { return r.Invalid != "" || len(r.Measures) == 0 })
	if len(read) != len(judged) {
		t.Fatalf("%d lines for %d valid records", len(read), len(judged))
	}
	for _, want := range judged {
		at := slices.IndexFunc(read, func(r *benchfmt.Result) bool {
			value, found := r.Value("delivered-messages")
			m, _ := want.Measure("delivered_messages")
			return r.GetConfig("variant") == want.Variant.Role && r.Name.String() == "Scenario/name="+want.Scenario && found && value == m.Value
		})
		if at < 0 {
			t.Errorf("no line for %s %s %d", want.Scenario, want.Variant.Role, want.Replicate)
			continue
		}
		got := read[at]
		if len(got.Values) != len(want.Measures) || got.Iters != 1 {
			t.Errorf("%s: %d values of %d iterations, want %d of 1", got.Name, len(got.Values), got.Iters, len(want.Measures))
		}
		for i, m := range want.Measures {
			if v := got.Values[i]; v.Value != m.Value || v.Unit != BenchUnit(m.Name, m.Unit) || v.OrigUnit != "" {
				t.Errorf("%s: %+v, want %v %s", m.Name, v, m.Value, BenchUnit(m.Name, m.Unit))
			}
			direction := map[string]int{"lower": -1, "higher": +1}[m.Better]
			if got := units.GetBetter(BenchUnit(m.Name, m.Unit)); got != direction {
				t.Errorf("%s: better is %d, want %d", m.Name, got, direction)
			}
		}
		for key, value := range map[string]string{"goos": "linux", "goarch": "amd64", "cpu": "Example CPU @ 3.00GHz"} {
			if got.GetConfig(key) != value {
				t.Errorf("%s is %q, want %q", key, got.GetConfig(key), value)
			}
		}
	}
}

// TestBenchLinesProject groups the lines as `benchstat -col variant` does: one
// table for all, a row for each scenario, and two columns.
func TestBenchLinesProject(t *testing.T) {
	var text bytes.Buffer
	if err := BenchLines(&text, run()); err != nil {
		t.Fatal(err)
	}
	filter, err := benchproc.NewFilter("*")
	if err != nil {
		t.Fatal(err)
	}
	var parser benchproc.ProjectionParser
	parse := func(projection string) *benchproc.Projection {
		p, err := parser.Parse(projection, filter)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	// In this order: a dimension that is named is taken out of .config.
	columns, rows, tables := parse("variant"), parse("/name"), parse(".config")
	cells, seenTables := map[string]int{}, map[string]bool{}
	read, _ := results(t, &text)
	for _, r := range read {
		cells[rows.Project(r).String()+" "+columns.Project(r).String()]++
		seenTables[tables.Project(r).String()] = true
	}
	want := map[string]int{
		"/name:burst_300k variant:baseline": 2, "/name:burst_300k variant:candidate": 2,
		"/name:packed_3m variant:baseline": 2, "/name:packed_3m variant:candidate": 2,
	}
	if diff := cmp.Diff(want, cells); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if len(seenTables) != 1 {
		t.Errorf("%d tables, want 1: what stands in two tables is not compared: %v", len(seenTables), seenTables)
	}
}

func TestBenchLinesRefuses(t *testing.T) {
	check := func(want string, measures ...Measure) {
		t.Helper()
		if err := BenchLines(io.Discard, []*Record{valid("idle", Baseline, 0, measures...)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	check(`"rss peak" is no name of a measure`, Measure{"rss peak", "B", "lower", 1})
	check(`"a\n" is no name of a measure`, Measure{"a\n", "B", "lower", 1})
	check("cpu_seconds (lower is better) and cpu (lower is better) have the same unit cpu-sec",
		Measure{"cpu_seconds", "s", "lower", 1}, Measure{"cpu", "s", "lower", 1})
	check("have the same unit speed", Measure{"speed", "count", "lower", 1}, Measure{"speed", "count", "higher", 1})
}

// TestBenchLinesKeepsOrder: the caller's slice is its own.
func TestBenchLinesKeepsOrder(t *testing.T) {
	records := run()
	before := slices.Clone(records)
	if err := BenchLines(io.Discard, records); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(before, records) {
		t.Error("the caller's records were reordered")
	}
}

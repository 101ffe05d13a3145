package harness

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"floodgate/internal/record"
	"floodgate/loadgen"
	"floodgate/scenarios"
)

// TestFreshness compares with ages that can be told by hand: a burst of one
// message each millisecond, over a second.
func TestFreshness(t *testing.T) {
	start := time.Unix(1000, 0)
	at := func(ms float64, messages float64) step {
		return step{start.Add(time.Duration(ms * 1e6)), messages}
	}
	burst := loadgen.Burst{Count: 1000, Over: time.Second}
	for _, c := range []struct {
		why              string
		steps            []step
		p50, p99, oldest float64 // in milliseconds
	}{
		{"one upload at the end: as old as it was long", []step{at(1000, 1000)}, 500, 990, 1000},
		{"two, each when its half is due", []step{at(500, 500), at(1000, 500)}, 250, 495, 500},
		{"a part that hangs back makes the rest old, whichever it was", []step{at(500, 499), at(1000, 500), at(1500, 1)}, 250, 495, 501},
		{"one that stands still for a second", []step{at(500, 500), at(2000, 500)}, 500, 1490, 1500},
		{"parts of messages add up", []step{at(500, 250.5), at(500, 249.5), at(1000, 500)}, 250, 495, 500},
		{"nothing is younger than it can be", []step{at(0, 1000)}, 0, 0, 0},
	} {
		h := freshness(burst, start, c.steps)
		if h == nil || h.TotalCount() != 1000 {
			t.Errorf("%s: %v", c.why, h)
			continue
		}
		for _, q := range []struct{ quantile, want float64 }{{50, c.p50}, {99, c.p99}, {100, c.oldest}} {
			if got := float64(h.ValueAtQuantile(q.quantile)) / 1e6; math.Abs(got-q.want) > 2+q.want/500 {
				t.Errorf("%s: p%v is %v ms, want %v", c.why, q.quantile, got, q.want)
			}
		}
	}
	for why, steps := range map[string][]step{
		"nothing arrived": nil, "one was lost": {at(1000, 999)}, "one came twice": {at(1000, 1001)},
	} {
		if h := freshness(burst, start, steps); h != nil {
			t.Errorf("%s, and ages are told", why)
		}
	}
}

// TestFreshnessOfMany: of more messages than are looked at, each stands for its
// neighbours, and the last for what is left.
func TestFreshnessOfMany(t *testing.T) {
	start := time.Unix(1000, 0)
	n := int64(2*mostAges + 1)
	h := freshness(loadgen.Burst{Count: n, Over: time.Second}, start, []step{{start.Add(time.Second), float64(n)}})
	if h == nil || h.TotalCount() != n {
		t.Fatalf("%d ages of %d messages", h.TotalCount(), n)
	}
	if p50 := float64(h.ValueAtQuantile(50)) / 1e9; math.Abs(p50-0.5) > 0.002 {
		t.Errorf("half are older than %v s, want 0.5", p50)
	}
}

// TestAgesAreTold only where every message is known to have arrived.
func TestAgesAreTold(t *testing.T) {
	whole := func() (record.Ledger, outcome) {
		return record.Ledger{Offered: 10, Sent: 10, Delivered: record.Count(10)}, outcome{decided: 10}
	}
	l, o := whole()
	if !tellsAges(&l, &o, scenarios.SinkDatadog) || tellsAges(&l, &o, scenarios.SinkPrometheus) {
		t.Error("want ages of uploads, and none of what was fetched")
	}
	for why, change := range map[string]func(*record.Ledger, *outcome){
		"idle":                                  func(l *record.Ledger, _ *outcome) { *l = record.Ledger{Delivered: record.Count(0)} },
		"one was lost":                          func(l *record.Ledger, _ *outcome) { l.Delivered = record.Count(9) },
		"one was given up":                      func(l *record.Ledger, _ *outcome) { l.Offered, l.GivenUp = 11, 1 },
		"the output is not counted":             func(l *record.Ledger, _ *outcome) { l.Delivered = nil },
		"some cannot be told":                   func(l *record.Ledger, _ *outcome) { l.Undecided = 1 },
		"some had to be refused":                func(l *record.Ledger, _ *outcome) { l.Hostile = 1 },
		"a gauge does not show when it was set": func(_ *record.Ledger, o *outcome) { o.gauges = 1 },
		"sums are no whole messages":            func(_ *record.Ledger, o *outcome) { o.fractions = 1 },
	} {
		l, o := whole()
		if change(&l, &o); tellsAges(&l, &o, scenarios.SinkDatadog) {
			t.Errorf("%s, and ages are told", why)
		}
	}
}

// TestLatencyMeasures: percentiles of what the target tells and of what was seen
// of it are measures, where there is anything to take them of, and the histograms
// themselves are kept.
func TestLatencyMeasures(t *testing.T) {
	told := hdrhistogram.New(1, int64(time.Minute), 3)
	for i := range int64(100) {
		if err := told.RecordValue((i + 1) * 1e6); err != nil {
			t.Fatal(err)
		}
	}
	encoded, err := told.EncodeV2()
	if err != nil {
		t.Fatal(err)
	}
	empty, err := hdrhistogram.New(1, int64(time.Minute), 3).EncodeV2()
	if err != nil {
		t.Fatal(err)
	}
	seen := hdrhistogram.New(1, int64(time.Minute), 3)
	if err := seen.RecordValue(2e9); err != nil {
		t.Fatal(err)
	}
	of := func(f findings) map[string]float64 {
		values := map[string]float64{}
		for _, m := range measures(f) {
			if strings.HasPrefix(m.Name, "ingest_latency") || strings.HasPrefix(m.Name, "freshness") {
				values[m.Name] = math.Round(m.Value*1000) / 1000
			}
		}
		return values
	}
	f := findings{stats: &Statistics{IngestLatencyHistogram: string(encoded)}, freshness: seen}
	want := map[string]float64{"ingest_latency_p50": 0.05, "ingest_latency_p99": 0.099, "ingest_latency_max": 0.1, "freshness_p50": 2, "freshness_p99": 2, "freshness_max": 2}
	if diff := cmp.Diff(want, of(f), cmpopts.EquateApprox(0, 0.0015)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	kept, err := histograms(f)
	if err != nil || kept[record.HistogramFreshness] == "" || kept[record.HistogramIngestLatency] != string(encoded) {
		t.Errorf("kept %v, %v", kept, err)
	}
	for why, f := range map[string]findings{
		"a target that tells nothing":       {stats: &Statistics{}},
		"one that has measured no datagram": {stats: &Statistics{IngestLatencyHistogram: string(empty)}},
		"one that tells what is none":       {stats: &Statistics{IngestLatencyHistogram: "rubbish"}},
		"no statistics at all":              {},
	} {
		if got := of(f); len(got) > 0 {
			t.Errorf("%s: %v", why, got)
		}
	}
}

package regress

import (
	"encoding/base64"
	"math"
	"slices"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"

	"floodgate/internal/record"
	"floodgate/scenarios"
)

// reducedCheck parses a check out of a scenario, as people write it.
func reducedCheck(t *testing.T, text string) scenarios.Check {
	t.Helper()
	s, err := scenarios.Parse("", []byte("name: x\nload: {schedule: {burst: {count: 1, over: 1s}}}\ngoal: rss_peak\nchecks:\n  - "+text+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	return s.Checks[0]
}

// TestSeriesExist: the catalogue of scenarios names what records have. The two
// packages cannot see each other.
func TestSeriesExist(t *testing.T) {
	columns := []string{record.ColumnOffered, record.ColumnSent, record.ColumnReceived, record.ColumnDelivered, record.ColumnKernelDropped,
		record.ColumnQueueDropped, record.ColumnQueueLength, record.ColumnKernelQueue, record.ColumnRSS, record.ColumnCPU}
	histograms := []string{record.HistogramLateness, record.HistogramIngestLatency, record.HistogramFreshness, record.HistogramFlushStall}
	used := map[string]bool{}
	for _, s := range scenarios.SeriesCatalogue {
		from := columns
		if s.Kind == scenarios.Histogram {
			from = histograms
		}
		if !slices.Contains(from, s.From) || s.Less != "" && !slices.Contains(from, s.Less) {
			t.Errorf("%s is read from %s less %q, which no record has", s.Name, s.From, s.Less)
		}
		used[s.From] = true
	}
	for _, name := range slices.Concat(columns, histograms) {
		if !used[name] {
			t.Errorf("no check can bound %s", name)
		}
	}
}

// TestObserved: each reduction of each kind of series, and what fails closed.
func TestObserved(t *testing.T) {
	h := hdrhistogram.New(1, 60e9, 3)
	for i := range int64(1000) {
		h.RecordValue(1000 * (i + 1))
	}
	encoded, err := h.EncodeV2()
	if err != nil {
		t.Fatal(err)
	}
	r := &record.Record{
		Measures: []record.Measure{{Name: "rss_peak", Value: 7}},
		Timeline: record.Timeline{Columns: map[string][]float64{
			record.ColumnTime:        {0, 0.1, 0.2, 0.4},
			record.ColumnRSS:         {4, 8, 6, 2},
			record.ColumnCPU:         {0, 0.1, 0.1, 0.3}, // 1000, 0, 1000 millicores
			record.ColumnSent:        {0, 50, 100, 100},
			record.ColumnDelivered:   {0, 0, 60, 97},
			record.ColumnQueueLength: {0, math.NaN(), 1, 2},
		}},
		Histograms: map[string]string{record.HistogramIngestLatency: string(encoded), record.HistogramFlushStall: base64.StdEncoding.EncodeToString([]byte("no histogram"))},
	}
	for text, want := range map[string]float64{
		"rss_peak <= 1B":             7,
		"max(rss_bytes) <= 1B":       8,
		"min(rss_bytes) <= 1B":       2,
		"avg(rss_bytes) <= 1B":       5,
		"last(rss_bytes) <= 1B":      2,
		"p50(rss_bytes) <= 1B":       4,
		"p99(rss_bytes) <= 1B":       8,
		"max(cpu_millicores) <= 1":   1000,
		"avg(cpu_millicores) <= 1":   750, // .3 s of .4 s, the last interval is twice as long
		"max(lost_messages) <= 1":    50,
		"last(lost_messages) <= 1":   3,
		"p99(ingest_latency) <= 1ms": 0.00099,
		"max(ingest_latency) <= 1ms": 0.001,
		"avg(ingest_latency) <= 1ms": 0.0005,
	} {
		got, measured := observed(r, reducedCheck(t, text))
		if !measured || math.Abs(got-want) > 0.003*want {
			t.Errorf("%s: %v, %v; want %v", text, got, measured, want)
		}
	}
	for text, why := range map[string]string{
		"cpu_seconds <= 1s":         "the measure is absent",
		"max(received) <= 1":        "the column is absent",
		"max(queue_length) <= 1":    "a hole could hide the value that breaks the bound",
		"last(queue_length) <= 5":   "a hole says that the column is not to be trusted",
		"p99(lateness) <= 1ms":      "the histogram is absent",
		"p99(flush_stall) <= 1ms":   "the histogram cannot be read",
		"max(kernel_dropped) <= 10": "the column is absent",
	} {
		if got, measured := observed(r, reducedCheck(t, text)); measured {
			t.Errorf("%s is %v although %s", text, got, why)
		}
	}
	if _, measured := observed(&record.Record{}, reducedCheck(t, "avg(cpu_millicores) <= 1")); measured {
		t.Error("an empty timeline has an average")
	}
}

// TestShareOfReplicates: how many may break a bound, and that a missing one is
// never among them.
func TestShareOfReplicates(t *testing.T) {
	for _, c := range []struct {
		values  []float64 // of ten candidates; the rest is missing
		outcome Outcome
		line    string
	}{
		{[]float64{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, Pass, "s, bounds check rss_peak: 10/10 replicas passed, 9 needed. Gate passed."},
		{[]float64{1, 1, 1, 1, 1, 1, 1, 1, 1, 9}, Pass, "s, bounds check rss_peak: 9/10 replicas passed, 9 needed. Gate passed."},
		{[]float64{1, 1, 1, 1, 1, 1, 1, 1, 9, 9}, Fail, "s, bounds check rss_peak: 8/10 replicas passed, 9 needed. Failed 2 which is > 1. Gate FAILED."},
		{[]float64{1, 1, 1, 1, 1, 1, 1, 1, 1}, Unmeasured, "s, bounds check rss_peak: 9/10 replicas passed, 9 needed. Not measured in 1. Gate NOT DECIDED."},
		{[]float64{1, 1, 1, 1, 1, 1, 1, 9}, Unmeasured, "s, bounds check rss_peak: 7/10 replicas passed, 9 needed. Not measured in 2. Gate NOT DECIDED."},
		{[]float64{9, 9}, Fail, "s, bounds check rss_peak: 0/10 replicas passed, 9 needed. Not measured in 8. Failed 2 which is > 1. Gate FAILED."},
	} {
		r := newRun(t)
		r.scenario("s", "cpu_seconds", 10).Gate = true
		r.check("rss_peak", "<=", 5).Replicas = scenarios.Share{K: 9, N: 10}
		for i := range 10 {
			r.record(record.Baseline, i, 100)
			x := r.record(record.Candidate, i, 100)
			if i < len(c.values) {
				add(x, "rss_peak", c.values[i])
			}
		}
		d := Judge(r.in).Decision
		if d.Outcome != c.outcome || d.Reasons[0] != c.line {
			t.Errorf("%v: %s, %q; want %s, %q", c.values, d.Outcome, d.Reasons[0], c.outcome, c.line)
		}
	}
}

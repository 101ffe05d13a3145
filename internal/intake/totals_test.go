package intake

import (
	"fmt"
	"maps"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"floodgate/internal/payload"
)

func TestKey(t *testing.T) {
	tags := []string{"b:2", "a:1", "b:2"}
	tests := []struct {
		metric string
		tags   []string
		want   string
	}{
		{"m", nil, "m|"},
		{"m", []string{"a:1"}, "m|a:1"},
		{"m", tags, "m|a:1,b:2,b:2"}, // sorted, and what stands twice stays
	}
	for _, test := range tests {
		if got := Key(test.metric, test.tags); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
	if diff := cmp.Diff([]string{"b:2", "a:1", "b:2"}, tags); diff != "" {
		t.Errorf("the caller's tags were changed:\n%s", diff)
	}
}

func TestTotals(t *testing.T) {
	start := time.Unix(1700000000, 0)
	var totals Totals
	add := func(after time.Duration, typ payload.Type, interval int64, tags []string, points ...payload.Point) {
		totals.Add(start.Add(after), &payload.Series{Metric: "m", Type: typ, Interval: interval, Tags: tags, Points: points})
	}
	add(2, payload.Gauge, 0, []string{"b", "a"}, payload.Point{Timestamp: 20, Value: -5}, payload.Point{Timestamp: 10, Value: 7})
	add(1, payload.Gauge, 10, []string{"a", "b"}, payload.Point{Timestamp: 15, Value: 3})
	add(3, payload.Gauge, 10, []string{"a", "b"}, payload.Point{Timestamp: 20, Value: 4})
	add(3, payload.Rate, 10, nil, payload.Point{Timestamp: 1, Value: 0.3}, payload.Point{Timestamp: 2, Value: 0.1})
	add(4, payload.Rate, 0, nil, payload.Point{Timestamp: 3, Value: 2})
	add(4, payload.Count, 10, nil, payload.Point{Timestamp: 3, Value: 2})
	add(4, payload.Count, 10, []string{"empty"})

	want := map[payload.Type]map[string]Total{
		payload.Unspecified: {},
		payload.Gauge:       {"m|a,b": {Points: 4, Sum: 9, Min: -5, Max: 7, Last: 4, LastTimestamp: 20}},
		payload.Rate:        {"m|": {Points: 3, Sum: 6, Min: 1, Max: 3, Last: 2, LastTimestamp: 3}},
		payload.Count:       {"m|": {Points: 1, Sum: 2, Min: 2, Max: 2, Last: 2, LastTimestamp: 3}, "m|empty": {}},
	}
	wantTypes := map[payload.Type]TypeTotal{
		payload.Gauge: {Keys: 1, Series: 3, Points: 4, Sum: 9},
		payload.Rate:  {Keys: 1, Series: 2, Points: 3, Sum: 6},
		payload.Count: {Keys: 2, Series: 2, Points: 1, Sum: 2},
	}
	for typ, keys := range want {
		if diff := cmp.Diff(keys, maps.Collect(totals.All(typ))); diff != "" {
			t.Errorf("%v (-want +got):\n%s", typ, diff)
		}
		for key, one := range keys {
			if got, found := totals.Get(typ, key); !found || got != one {
				t.Errorf("Get(%v, %q) is %+v, %v", typ, key, got, found)
			}
		}
		if got := totals.OfType(typ); got != wantTypes[typ] {
			t.Errorf("%v: %+v, want %+v", typ, got, wantTypes[typ])
		}
	}
	if _, found := totals.Get(payload.Gauge, "m|"); found {
		t.Error("a key of one type shows in another")
	}
	if !totals.First.Equal(start.Add(1)) || !totals.Last.Equal(start.Add(4)) {
		t.Errorf("arrivals from %v to %v", totals.First, totals.Last)
	}
	if got := totals.Warnings(); len(got) != 1 || !strings.Contains(got[0], "1 points of rates had no interval") {
		t.Errorf("warnings %q", got)
	}
}

// TestRatesComeBackExactly: a division by 10 and a multiplication by it restore
// every whole number (10 = 8 + 2), so that counts can be compared without slack.
func TestRatesComeBackExactly(t *testing.T) {
	var totals Totals
	point := []payload.Point{{}}
	series := &payload.Series{Metric: "m", Type: payload.Rate, Interval: 10, Points: point}
	var want float64
	for n := range 300000 {
		count := float64(n)
		if n%3 == 0 {
			count = math.Floor(float64(n) * 1e6 / 7)
		}
		point[0].Value = count / 10
		want += count
		totals.Add(time.Time{}, series)
	}
	if got := totals.OfType(payload.Rate).Sum; got != want {
		t.Errorf("sum %v, want %v", got, want)
	}
}

func TestTotalsAllocateOnlyForNewKeys(t *testing.T) {
	var totals Totals
	series := &payload.Series{Metric: "app.requests", Type: payload.Count, Tags: []string{"z:1", "a:2"}, Points: []payload.Point{{Timestamp: 1, Value: 1}}}
	at := time.Now()
	totals.Add(at, series)
	if allocs := testing.AllocsPerRun(100, func() { totals.Add(at, series) }); allocs != 0 {
		t.Errorf("%v allocations for a key that is known, want 0", allocs)
	}
}

// TestTotalsMemory holds the number in the documentation of Totals, at sizes
// just before and after the map grows.
func TestTotalsMemory(t *testing.T) {
	const bound = 128
	for _, keys := range []int{60000, 100000, 130000} {
		before := heap()
		totals := &Totals{}
		series := &payload.Series{Type: payload.Gauge, Tags: []string{"env:production", ""}, Points: make([]payload.Point, 1)}
		length := 0
		for n := range keys {
			series.Metric, series.Tags[1] = fmt.Sprint("metric.", n%1000), fmt.Sprint("k:", n)
			length += len(Key(series.Metric, series.Tags))
			totals.Add(time.Time{}, series)
		}
		each := float64(heap()-before-int64(length)) / float64(keys)
		if each > bound {
			t.Errorf("%d keys cost %.0f bytes each besides their text, want at most %d", keys, each, bound)
		}
		if got := totals.OfType(payload.Gauge).Keys; got != keys {
			t.Errorf("%d keys, want %d", got, keys)
		}
		t.Logf("%d keys: %.0f bytes each and %.0f of text", keys, each, float64(length)/float64(keys))
	}
}

func heap() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

func BenchmarkTotalsAdd(b *testing.B) {
	var totals Totals
	at := time.Now()
	all := make([]payload.Series, 10000)
	for i := range all {
		all[i] = payload.Series{Metric: fmt.Sprint("app.metric.", i), Type: payload.Count, Tags: []string{"env:production", "service:checkout", "version:1", "zone:1"}, Points: []payload.Point{{Timestamp: 1, Value: 1}}}
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		totals.Add(at, &all[i%len(all)])
	}
}

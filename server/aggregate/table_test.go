package aggregate

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"floodgate/internal/dogstatsd"
)

const second = int64(time.Second)

func config() Config {
	c := Default()
	c.Interval = time.Second
	return c
}

// series flattens a cut: "name.suffix|tags|time" -> value. Counts of several
// buckets stay apart by their time.
func series(t testing.TB, cut *Cut) map[string]float64 {
	t.Helper()
	out := map[string]float64{}
	if err := cut.Each(func(s *Series) error {
		key := fmt.Sprintf("%s%s|%s|%d", s.Name, s.Suffix, s.Tags, s.Time)
		if _, twice := out[key]; twice {
			t.Errorf("%s comes twice", key)
		}
		out[key] = s.Value
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestKinds(t *testing.T) {
	for _, c := range []struct {
		why, datagram string
		want          map[string]float64
	}{
		{"counters are summed", "a:1|c\na:2|c", map[string]float64{"a||1": 3}},
		{"packed values are summed too", "a:1:2:3|c", map[string]float64{"a||1": 6}},
		{"a sampled message stands for 1/rate", "a:1|c|@0.25", map[string]float64{"a||1": 4}},
		{"a counter of 0 is a series, not an absence", "a:0|c", map[string]float64{"a||1": 0}},
		{"of gauges the last value stands", "a:1|g\na:7|g\na:5|g", map[string]float64{"a||1": 5}},
		{"of packed gauges as well", "a:1:7:5|g", map[string]float64{"a||1": 5}},
		{"sets count members", "a:x|s\na:y|s\na:x|s", map[string]float64{"a||1": 2}},
		{"a colon belongs to the member", "a:x:y|s\na:x|s", map[string]float64{"a||1": 2}},
		{"kinds of one name are contextKeys of their own", "a:1|c\nb:1|g", map[string]float64{"a||1": 1, "b||1": 1}},
		{"the order of tags does not matter, nor do repetitions", "a:1|c|#x,y\na:1|c|#y,x\na:1|c|#y,x,y,x", map[string]float64{"a|x,y|1": 3}},
		{"empty tags are none", "a:1|c|#\na:1|c", map[string]float64{"a||1": 2}},
		{"the rate does not split a contextKey", "a:1|c|@0.5|#x\na:1|c|#x|@0.5\na:1|c|#x", map[string]float64{"a|x|1": 5}},
		{"a timestamp keeps a value out of aggregation", "a:1|c|T7\na:2:3|c|T8|@0.5\na:1|c\nb:1:2|g|T7|#x", map[string]float64{
			"a||7": 1, "a||8": 5, "a||1": 1, "b|x|7": 2}},
		{"distributions leave as sketches, not as series", "a:1|d", map[string]float64{}},
		{"who gives a time has applied the rate", "a:1:2|c|@0.5|T1700000000", map[string]float64{"a||1700000000": 3}},
		{"timers are summarised", "a:5:6:7|ms|@0.5", map[string]float64{
			"a.count||1": 6, "a.min||1": 5, "a.max||1": 7, "a.avg||1": 6, "a.median||1": valueOf(1454), "a.95percentile||1": 7}},
	} {
		for name, cut := range map[string]func(*Table) *Cut{
			"view": func(t *Table) *Cut { return t.Cut(true) },
			"copy": func(t *Table) *Cut { return t.CutCopy(true) },
		} {
			table := NewTable(config())
			table.Advance(second)
			table.AddDatagram([]byte(c.datagram), false)
			if got := series(t, cut(table)); !maps.Equal(got, c.want) {
				t.Errorf("%s (%s):\n%s\ngives %v\nwant  %v", c.why, name, c.datagram, got, c.want)
			}
		}
	}
}

func TestCountsBalance(t *testing.T) {
	conf := config()
	conf.MaxKeys, conf.MaxSetMembers = 2, 2
	table := NewTable(conf)
	table.Advance(second)
	table.AddDatagram([]byte("a:1|c\nb:1|c\nc:1|c\n\nnonsense\na:x|c\na:1|c|@0\n_e{1,1}:a|b\r\n_sc|a|0\n"), false)
	table.AddDatagram([]byte("a:1|c\na:1234"), true)
	table.AddDatagram([]byte("a:1|c"), true)
	table.AddDatagram([]byte("a:1|c\n"), true) // cut behind a line: that one is whole, and something is missing
	c := table.Counts
	if got, want := [...]int64{c.Received, c.Aggregated, c.Malformed(), c.Truncated, c.Rejected}, [...]int64{13, 6, 3, 3, 1}; got != want {
		t.Errorf("received, aggregated, malformed, truncated, rejected = %v, want %v", got, want)
	}
	if c.Received != c.Aggregated+c.Malformed()+c.Truncated+c.Rejected {
		t.Errorf("the counts do not balance: %+v", c)
	}

	sets := NewTable(conf)
	sets.Advance(second)
	sets.AddDatagram([]byte("s:a|s\ns:b|s\ns:c|s\ns:a|s"), false)
	if got := series(t, sets.Cut(true)); got["s||1"] != 2 || sets.Counts.Rejected != 1 || sets.Counts.Aggregated != 3 {
		t.Errorf("a set over its limit: %v, counts %+v", got, sets.Counts)
	}
}

func TestBuckets(t *testing.T) {
	table := NewTable(config())
	add := func(at time.Duration) {
		table.Advance(10*second + int64(at))
		table.AddDatagram([]byte("a:1|c"), false)
	}
	add(100 * time.Millisecond)
	add(999 * time.Millisecond)
	if cut := table.Cut(false); !cut.Empty() {
		t.Errorf("an open bucket was cut: %v", series(t, cut))
	}
	add(1 * time.Second) // the first instant of the next bucket
	cut := table.Cut(false)
	if got, want := series(t, cut), map[string]float64{"a||10": 2}; !maps.Equal(got, want) {
		t.Errorf("first cut %v, want %v", got, want)
	}
	cut.Release()
	table.Advance(13 * second)
	table.Advance(14 * second)
	if got, want := series(t, table.Cut(true)), map[string]float64{"a||11": 1}; !maps.Equal(got, want) {
		t.Errorf("second cut %v, want %v: an empty bucket is not a series", got, want)
	}
	add(5 * time.Second) // into the bucket that was released
	if got, want := series(t, table.Cut(true)), map[string]float64{"a||15": 1}; !maps.Equal(got, want) {
		t.Errorf("third cut %v, want %v: a reused bucket must be empty", got, want)
	}
}

// naive aggregates as the definition reads, with maps and strings.
type naive map[string]float64

func (n naive) add(line string) {
	head, rest, _ := strings.Cut(line, "|")
	name, value, _ := strings.Cut(head, ":")
	sections := strings.Split(rest, "|")
	rate, tags := 1.0, ""
	for _, s := range sections[1:] {
		if s[0] == '@' {
			fmt.Sscan(s[1:], &rate)
		} else {
			list := strings.Split(s[1:], ",")
			slices.Sort(list)
			tags = strings.Join(slices.Compact(list), ",")
		}
	}
	var x float64
	fmt.Sscan(value, &x)
	key := name + "|" + tags + "|1"
	if sections[0] == "c" {
		n[key] += x / rate
	} else {
		n[key] = x
	}
}

// TestAgainstNaive holds the table, with its raw-bytes cache, against the
// definition over random lines: many contextKeys (so that segments grow),
// shuffled and repeated tags, rates.
func TestAgainstNaive(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	table, want := NewTable(config()), naive{}
	table.Advance(second)
	var datagram []byte
	for range 60_000 {
		kind := []string{"c", "g"}[rng.IntN(2)]
		line := fmt.Sprintf("m.%s.%d:%d|%s", kind, rng.IntN(5000), rng.IntN(1000), kind)
		if kind == "c" && rng.IntN(3) == 0 {
			line += "|@0.5"
		}
		if n := rng.IntN(4); n > 0 {
			tags := make([]string, n)
			for i := range tags {
				tags[i] = fmt.Sprintf("t:%d", rng.IntN(3))
			}
			line += "|#" + strings.Join(tags, ",")
		}
		want.add(line)
		datagram = append(append(datagram, line...), '\n')
		if len(datagram) > 8000 {
			table.AddDatagram(datagram, false)
			datagram = datagram[:0]
		}
	}
	table.AddDatagram(datagram, false)
	if got := series(t, table.Cut(true)); !maps.Equal(got, naiveMap(want)) {
		t.Errorf("%d series differ from the %d of the definition", len(got), len(want))
	}
	if table.Counts.Aggregated != 60_000 {
		t.Errorf("aggregated %d, want 60000: %+v", table.Counts.Aggregated, table.Counts)
	}
}

func naiveMap(n naive) map[string]float64 { return n }

// TestCutIsIndependent reads a cut while the table goes on: under the race
// detector this proves that they share nothing that is written.
func TestCutIsIndependent(t *testing.T) {
	table := NewTable(config())
	var flushes sync.WaitGroup
	var total sync.Map
	const rounds, keys = 20, 3000
	for round := range rounds {
		table.Advance(int64(round+1) * second)
		for k := range keys {
			table.AddDatagram(fmt.Appendf(nil, "n.%d:1|c|#round:%d", k, k%(round+1)), false)
		}
		cut := table.Cut(false)
		flushes.Go(func() {
			var sum float64
			cut.Each(func(s *Series) error { sum += s.Value; return nil })
			total.Store(round, sum)
			cut.Release()
		})
	}
	flushes.Wait()
	var sum float64
	total.Range(func(_, v any) bool { sum += v.(float64); return true })
	for _, v := range series(t, table.Cut(true)) {
		sum += v
	}
	if sum != rounds*keys {
		t.Errorf("all cuts together hold %v messages, want %d", sum, rounds*keys)
	}
}

func TestSteadyIngestAllocatesNothing(t *testing.T) {
	table := NewTable(config())
	table.Advance(second)
	var datagram []byte
	for k := range 24 {
		kind := []string{"c", "g", "ms", "h", "d"}[k%5]
		datagram = fmt.Appendf(datagram, "service.requests.%d:%d:%d|%s|@0.5|#env:prod,region:eu\n", k, k, 2*k, kind)
	}
	table.AddDatagram(datagram, false)
	if n := testing.AllocsPerRun(100, func() { table.AddDatagram(datagram, false) }); n != 0 {
		t.Errorf("a datagram of known messages allocates %v times, want 0", n)
	}
}

// bytesPerKey bounds what one contextKey with about 60 bytes of text costs:
// its text, a key, an alias, their index slots, and a cell.
const bytesPerKey = 190

func TestMemoryPerKey(t *testing.T) {
	table := NewTable(config())
	table.Advance(second)
	const n = 100_000
	for k := range n {
		table.AddDatagram(fmt.Appendf(nil, "service.requests.%06d:1|c|#env:prod,region:eu-west-3,az:b", k), false)
	}
	if table.Keys() != n {
		t.Fatalf("%d contextKeys, want %d", table.Keys(), n)
	}
	got := float64(heldBytes(table)) / n
	t.Logf("%.0f bytes per contextKey", got)
	if got > bytesPerKey {
		t.Errorf("a contextKey takes %.0f bytes, want at most %d", got, bytesPerKey)
	}
}

// heldBytes is what the contextKeys of a table take, cells included.
func heldBytes(t *Table) int64 { return t.Memory() + int64(len(t.open.cells))*chunkLen*16 }

func TestValidate(t *testing.T) {
	if err := Default().Validate(); err != nil {
		t.Errorf("the default is invalid: %v", err)
	}
	for name, spoil := range map[string]func(*Config){
		"no interval":      func(c *Config) { c.Interval = 0 },
		"no keys":          func(c *Config) { c.MaxKeys = 0 },
		"no expiry":        func(c *Config) { c.Expiry = 0 },
		"no set members":   func(c *Config) { c.MaxSetMembers = 0 },
		"no points":        func(c *Config) { c.MaxPoints = 0 },
		"no events":        func(c *Config) { c.MaxEvents = 0 },
		"percentile of 95": func(c *Config) { c.Percentiles = []float64{95} },
	} {
		c := Default()
		if spoil(&c); c.Validate() == nil {
			t.Errorf("%s is taken for valid", name)
		}
	}
}

func TestSketchesLeaveWithTheAgentsBins(t *testing.T) {
	table := NewTable(config())
	table.Advance(second)
	table.AddDatagram([]byte("a:5:6:7|d|#y,x\na:5|d|@0.5|#x,y\nb:1|c"), false)
	n := 0
	if err := table.Cut(true).EachSketch(func(s *Sketch) error {
		n++
		got := fmt.Sprintf("%s|%s|%d %v %v %v %v %v %v %v %d", s.Name, s.Tags, s.Time, s.Count, s.Sum, s.Min, s.Max, s.Avg, s.Keys, s.Counts, s.Messages)
		if want := "a|x,y|1 5 28 5 7 5.6 [1442 1454 1464] [3 1 1] 2"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		return nil
	}); err != nil || n != 1 {
		t.Errorf("%d sketches, %v", n, err)
	}
}

func TestPercentiles(t *testing.T) {
	c := config()
	c.Percentiles = []float64{.5, .999}
	table := NewTable(c)
	table.Advance(second)
	table.AddDatagram([]byte("a:1|h"), false)
	got := series(t, table.Cut(true))
	for _, want := range []string{"a.50percentile||1", "a.99.9percentile||1"} {
		if _, found := got[want]; !found {
			t.Errorf("no %s among %v", want, got)
		}
	}
}

func TestEventsAndChecksWaitForTheCut(t *testing.T) {
	c := config()
	c.MaxEvents = 3
	table := NewTable(c)
	table.Advance(5 * second)
	table.AddDatagram([]byte("_e{1,1}:a|b|#x,y\n_e{1,1}:a|b|d:9\n_sc|c|2|m:bad\n_sc|c|0\n_e{9,9}:a|b"), false)
	cut := table.Cut(false)
	if len(cut.Events) != 2 || len(cut.Checks) != 1 || cut.Empty() {
		t.Fatalf("cut has %d events and %d checks, want 2 and 1", len(cut.Events), len(cut.Checks))
	}
	if e := cut.Events; e[0].Timestamp != 5 || e[1].Timestamp != 9 || len(e[0].Tags) != 2 {
		t.Errorf("events %+v: one without a time has the time of its receipt", e)
	}
	if s := cut.Checks[0]; s.Name != "c" || s.Status != 2 || s.Message != "bad" {
		t.Errorf("service check %+v", s)
	}
	if n := table.Counts; n.Aggregated != 3 || n.Rejected != 1 || n.Malformed() != 1 {
		t.Errorf("counts %+v, want 3 aggregated, 1 rejected over the limit, 1 malformed", n)
	}
	if !table.Cut(false).Empty() {
		t.Error("the next cut has them again")
	}
}

// TestExpiry: contextKeys that come and go are forgotten, steady ones are not
// learnt again, and nothing is lost on the way.
func TestExpiry(t *testing.T) {
	c := config()
	c.Expiry = 10 * time.Second
	table := NewTable(c)
	var sum float64
	held, rings := 0, map[*keyring]bool{}
	for s := range int64(100) {
		table.Advance((s + 1) * second)
		for k := range 10 {
			table.AddDatagram(fmt.Appendf(nil, "steady.%d:1|c\nshort.%d.%d:1|c", k, s, k), false)
		}
		held = max(held, table.Keys())
		rings[table.ring] = true
		cut := table.Cut(false)
		for _, v := range series(t, cut) {
			sum += v
		}
		cut.Release()
	}
	for _, v := range series(t, table.Cut(true)) {
		sum += v
	}
	if sum != 2000 {
		t.Errorf("%v messages came out, want 2000", sum)
	}
	if held > 130 { // 10 steady ones, 10 new ones in each of about 11 seconds
		t.Errorf("up to %d contextKeys are held, of 20 in use at a time", held)
	}
	if n := len(rings); n < 8 || n > 10 {
		t.Errorf("%d keyrings in 100 s with an expiry of 10 s, want about 9", n)
	}

	steady := NewTable(c)
	for s := range int64(100) {
		steady.Advance((s + 1) * second)
		for k := range 10 {
			steady.AddDatagram(fmt.Appendf(nil, "steady.%d:1|c", k), false)
		}
		rings[steady.ring] = true
	}
	if n := len(rings); n > 11 {
		t.Error("a steady set of contextKeys was learnt again")
	}
}

// Without flushes buckets do not pile up, and nothing is lost: what comes later
// goes into the last one.
func TestClosedBucketsAreBounded(t *testing.T) {
	table := NewTable(config())
	const intervals = 50
	for i := range int64(intervals) {
		table.Advance((1 + 10*i) * second)
		table.AddDatagram([]byte("a:1|c"), false)
	}
	if n := len(table.closed); n != maxClosed {
		t.Errorf("%d closed buckets wait, want %d", n, maxClosed)
	}
	sum, points := 0.0, 0
	table.Cut(true).Each(func(s *Series) error {
		sum += s.Value
		points++
		return nil
	})
	if sum != intervals || points != maxClosed+1 {
		t.Errorf("%v messages in %d points, want %d in %d", sum, points, intervals, maxClosed+1)
	}
	// After a flush buckets are of one interval again.
	table.Advance(1000 * second)
	table.AddDatagram([]byte("a:1|c"), false)
	table.Advance(1010 * second)
	if n := len(table.closed); n != 1 {
		t.Errorf("%d closed buckets after a flush, want 1", n)
	}
}

// A message without a value is malformed, also when its contextKey is known.
func TestNoValueIsNoMember(t *testing.T) {
	table := NewTable(config())
	table.Advance(second)
	table.AddDatagram([]byte("u:5|s\nc:1|c"), false)
	table.AddDatagram([]byte("u:|s\nc:|c"), false)
	if n := table.Counts.Faults[dogstatsd.EmptyValue]; n != 2 {
		t.Errorf("%d lines without a value are malformed, want 2", n)
	}
	if got := series(t, table.Cut(true)); got["u||1"] != 1 || got["c||1"] != 1 {
		t.Errorf("the series are %v", got)
	}
}

// TestBucketsStayAligned: whatever the clock does, a bucket begins at a multiple
// of the interval, holds what was read in it, and loses nothing.
func TestBucketsStayAligned(t *testing.T) {
	const interval = 10 * time.Second
	for _, c := range []struct {
		why  string
		read []float64 // when a message is read, in seconds
		want map[string]float64
	}{
		{"a clock that runs", []float64{101, 109.999, 110, 119, 121}, map[string]float64{"a||100": 2, "a||110": 2, "a||120": 1}},
		{"a step forward, over buckets that never were", []float64{101, 107, 163.5, 164}, map[string]float64{"a||100": 2, "a||160": 2}},
		{"a step forward within a bucket", []float64{101, 108}, map[string]float64{"a||100": 2}},
		{"a step back into the bucket before", []float64{111, 112, 108}, map[string]float64{"a||110": 2, "a||100": 1}},
		{"a step back within a bucket", []float64{108, 101}, map[string]float64{"a||100": 2}},
		{"a step back by an hour", []float64{7203, 3603.5, 3611}, map[string]float64{"a||7200": 1, "a||3600": 1, "a||3610": 1}},
	} {
		conf := config()
		conf.Interval = interval
		table := NewTable(conf)
		for _, at := range c.read {
			table.Advance(int64(at * 1e9))
			table.AddDatagram([]byte("a:1|c"), false)
		}
		if got := series(t, table.Cut(true)); !maps.Equal(got, c.want) {
			t.Errorf("%s: read at %v it is %v, want %v", c.why, c.read, got, c.want)
		}
	}
}

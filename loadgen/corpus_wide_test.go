package loadgen

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"floodgate/internal/dogstatsd"
)

var tenSeconds = Burst{Count: 20_000, Over: 10 * time.Second}

// Corpora that use what plain ones leave out, each for a reason.
var wide = []struct {
	name   string
	why    string
	config CorpusConfig
}{
	{"zipf", "a few keys have most of the messages", mixed(20_000).with(func(c *CorpusConfig) { c.Zipf = 1.1 })},
	{"churn", "500 keys in use, 100 of them new each second", mixed(20_000).with(func(c *CorpusConfig) { c.Churn, c.Schedule = 100, tenSeconds })},
	{"churned_cycle", "every key of the cycle is replaced several times", plain(20_000).with(func(c *CorpusConfig) { c.Churn, c.Schedule = 1000, tenSeconds })},
	{"long_tags", "tags in varying numbers and lengths, some of one key alone", mixed(5_000).with(func(c *CorpusConfig) {
		c.Tags, c.TagsMost, c.TagBytes, c.TagBytesMost, c.UniqueTags, c.NameBytes = 2, 12, 10, 60, 0.3, 40
	})},
	{"lists", "names and tags from patterns that tell the keys apart", plain(5_000).with(func(c *CorpusConfig) {
		c.Names, c.TagPatterns = []string{"web.{requests,errors}", "db.{0..2}.rows"}, []string{"host:web-{00..19}", "env:{prod,test}", "zone:{a,b,c,d,e}"}
	})},
	{"short_lists", "patterns that do not suffice, so an id does; several kinds, so names have ends", mixed(5_000).with(func(c *CorpusConfig) {
		c.Names, c.TagPatterns = []string{"web", "db"}, []string{"host:{a,b}"}
	})},
	{"lognormal", "the long right tail of response times", mixed(5_000).with(func(c *CorpusConfig) { c.Values = Values{Shape: LogNormalValues, Center: 40, Spread: 1} })},
	{"stamped", "timestamps and container ids on some of the keys", mixed(5_000).with(func(c *CorpusConfig) {
		c.TimestampedShare, c.TimestampFrom, c.ContainerShare, c.Containers, c.Schedule = 0.5, 1_767_225_600, 0.5, 3, Burst{5_000, 10 * time.Second}
	})},
	{"hostile", "every form of what is no message, events and service checks", mixed(20_000).with(func(c *CorpusConfig) {
		c.EventShare, c.CheckShare, c.Hostile = 0.02, 0.02, Hostile{Share: 0.1, Malformed: 5, Truncated: 3, Oversize: 1, NonUTF8: 1}
	})},
	{"ten_lines", "datagrams by number of lines, however long they get", plain(5_000).with(func(c *CorpusConfig) { c.DatagramLines = 10 })},
	{"second_of_three", "the share of one sender of three", mixed(5_000).with(func(c *CorpusConfig) { c.Shard, c.Shards = 1, 3 })},
}

func TestPinnedWideCorpora(t *testing.T) {
	var got strings.Builder
	got.WriteString(policy)
	for _, p := range wide {
		c := newCorpus(t, p.config)
		fmt.Fprintf(&got, "\n%s: %s\n", p.name, p.why)
		fmt.Fprintf(&got, "  digest %s\n  %d messages, %d datagrams, %d bytes\n  %+v\n", c.Digest(), c.Messages(), c.Datagrams(), c.Bytes(), c.Totals())
		for k, left := 0, 6; k < c.Datagrams() && left > 0; k++ {
			for line := range bytes.SplitSeq(c.Datagram(k), []byte("\n")) {
				if left--; left >= 0 {
					fmt.Fprintf(&got, "  %d: %.200q\n", k, line)
				}
			}
		}
	}
	golden(t, "corpora_wide.txt", got.String())
}

// reread takes the datagrams of c for captured lines: what they come to then
// follows from the wire format alone.
func reread(t *testing.T, c *Corpus) *Corpus {
	t.Helper()
	var lines bytes.Buffer
	for k := range c.Datagrams() {
		lines.Write(c.Datagram(k))
		lines.WriteByte('\n')
	}
	again, _, err := NewReplay(&lines, Replay{Rate: 1})
	if err != nil {
		t.Fatal(err)
	}
	return again
}

func collect(c *Corpus) map[string]Expectation {
	all := map[string]Expectation{}
	for e := range c.Expected() {
		kept := *e
		kept.Tags = slices.Clone(e.Tags)
		all[e.Metric+"|"+e.Kind.String()+"|"+strings.Join(e.Tags, ",")] = kept
	}
	return all
}

// What a wide corpus expects is what its datagrams say, read as a server reads
// them: totals of each contextKey, and the lines that are no messages by cause.
func TestWideExpectations(t *testing.T) {
	for _, p := range wide {
		c := newCorpus(t, p.config)
		again := reread(t, c)
		want, got := collect(again), collect(c)
		if !slices.Equal(slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want))) {
			t.Errorf("%s: %d contextKeys expected, %d in the datagrams", p.name, len(got), len(want))
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: (-datagrams +expected)\n%.2000s", p.name, diff)
		}
		totals := c.Totals()
		// Read with a buffer that holds them, oversize lines have no separator.
		totals.Malformed[dogstatsd.NoSeparator] += totals.Oversize
		totals.Oversize = 0
		if diff := cmp.Diff(again.Totals(), totals); diff != "" {
			t.Errorf("%s: (-datagrams +expected)\n%s", p.name, diff)
		}
		if sum := totals.Metrics + totals.Events + totals.ServiceChecks + totals.Hostile(); sum != c.Messages() {
			t.Errorf("%s: totals come to %d of %d", p.name, sum, c.Messages())
		}
	}
}

// Every cause of a malformed line is there, as often as the others, and nothing
// hostile shares a contextKey with what is no hostile line.
func TestHostileLines(t *testing.T) {
	c := newCorpus(t, plain(100_000).with(func(c *CorpusConfig) {
		c.DatagramBytes = 1432
		c.Hostile = Hostile{Share: 0.5, Malformed: 8, Oversize: 2, OversizeBytes: 5000}
	}))
	totals := c.Totals()
	if n := totals.Hostile(); n < 49_000 || n > 51_000 {
		t.Errorf("%d hostile lines of 100,000, want half", n)
	}
	for _, cause := range malformations {
		if n := totals.Malformed[cause]; n < 4_000 || n > 4_900 { // a ninth of 40,000
			t.Errorf("%v: %d lines", cause, n)
		}
	}
	oversize := int64(0)
	for k := range c.Datagrams() {
		if d := c.Datagram(k); len(d) > 1432 {
			oversize++
			if len(d) != 5000 || bytes.ContainsAny(d, ":|\n") {
				t.Fatalf("datagram %d has %d bytes and a separator, or company", k, len(d))
			}
		}
	}
	if oversize != totals.Oversize || oversize == 0 {
		t.Errorf("%d oversize datagrams, want %d", oversize, totals.Oversize)
	}
}

// Zipf's law, by the counts of the first ranks; and the same keys as without it.
func TestZipf(t *testing.T) {
	const n, keys = 300_000, 1000
	for _, s := range []float64{0.5, 1, 1.5, 3} {
		counts := make([]int64, keys)
		r, random := newRanks(keys, s), newStream(1, 2)
		for range n {
			counts[r.draw(random)]++
		}
		sum := 0.0
		for k := range keys {
			sum += math.Pow(float64(k+1), -s)
		}
		for k := range 20 {
			want := n * math.Pow(float64(k+1), -s) / sum
			if math.Abs(float64(counts[k])-want) > 5*math.Sqrt(want)+1 {
				t.Errorf("exponent %v: rank %d has %d draws, want %.0f", s, k, counts[k], want)
			}
		}
	}
}

// The table behind the draws has exactly the probabilities of Zipf's law.
func TestRanksHaveTheirShares(t *testing.T) {
	for _, keys := range []int{1, 2, 3, 1000, 100_000} {
		r := newRanks(keys, 1.1)
		got, sum := make([]float64, keys), 0.0
		for k := range keys {
			keep := float64(r.keep[k]) / (1 << 32)
			got[k] += keep
			got[r.other[k]] += 1 - keep
			sum += math.Pow(float64(k+1), -1.1)
		}
		for k := range keys {
			want := math.Pow(float64(k+1), -1.1) / sum * float64(keys)
			if math.Abs(got[k]-want) > 1e-9*float64(keys) {
				t.Fatalf("%d ranks: number %d has %v, want %v", keys, k, got[k], want)
			}
		}
	}
}

// Under churn each instant has as many keys in use as ever, the oldest go
// first, and after the time that it says all are new.
func TestChurn(t *testing.T) {
	config := plain(20_000).with(func(c *CorpusConfig) { c.Cycle = false; c.ContextKeys, c.Churn, c.Schedule = 200, 100, tenSeconds })
	c := newCorpus(t, config)
	if c.keys.keys != 1200 {
		t.Errorf("%d contextKeys in all, want 200 and 100 for each of 10 s", c.keys.keys)
	}
	for m := range c.messages(0) {
		from := int(m.due * 100 / time.Second)
		if m.key.number < from || m.key.number >= from+200 {
			t.Fatalf("at %v key %d is in use, want %d to %d", m.due, m.key.number, from, from+199)
		}
	}
	kinds := mixed(0).with(func(c *CorpusConfig) { c.Churn, c.Schedule = 500, tenSeconds })
	s := newKeySpace(kinds)
	for number := range s.keys {
		if s.key(number).kind != s.key(number%500).kind {
			t.Fatalf("key %d is of another kind than the one that it replaces", number)
		}
	}
}

func TestWideContextKeysAreDistinct(t *testing.T) {
	for _, p := range wide {
		s := newKeySpace(p.config)
		seen := map[string]bool{}
		for i := range s.keys {
			k := s.key(i)
			seen[string(s.appendTags(append(s.appendName(nil, k), '#'), k))] = true
		}
		if len(seen) != s.keys {
			t.Errorf("%s: %d distinct among %d contextKeys", p.name, len(seen), s.keys)
		}
	}
}

// The shares of several senders have the members, the cycle and the expectation
// of one, and each a stream of its own.
func TestShardsOfACorpus(t *testing.T) {
	whole := plain(10_000).with(func(c *CorpusConfig) { c.Kinds = mixed(0).Kinds })
	const n = 3
	var all Whole
	for i := range n {
		all.Add(newCorpus(t, whole.with(func(c *CorpusConfig) { c.Shard, c.Shards, c.Messages = i, n, (whole.Messages-int64(i)+n-1)/n })))
	}
	want := collect(newCorpus(t, whole))
	messages := int64(0)
	for e := range all.Expected() {
		w := want[e.Metric+"|"+e.Kind.String()+"|"+strings.Join(e.Tags, ",")]
		if e.Messages != w.Messages || e.Members != w.Members || e.Count != w.Count {
			t.Fatalf("%s %v: %+v, want %+v", e.Metric, e.Tags, e, w)
		}
		messages += e.Messages
	}
	if messages != whole.Messages || all.Totals.Messages != whole.Messages || all.Datagrams != whole.Messages {
		t.Errorf("%d messages, %+v, %d datagrams, want %d", messages, all.Totals, all.Datagrams, whole.Messages)
	}
	drawn := mixed(1000).with(func(c *CorpusConfig) {
		c.Shards, c.EventShare, c.CheckShare, c.Hostile = 2, .1, .1, Hostile{Share: .2, Malformed: 1}
	})
	a, b := newCorpus(t, drawn), newCorpus(t, drawn.with(func(c *CorpusConfig) { c.Shard = 1 }))
	if a.Digest() == b.Digest() {
		t.Error("two senders have the same messages")
	}
	var both Whole
	both.Add(a)
	both.Add(b)
	t1, t2, sum := a.Totals(), b.Totals(), both.Totals
	if sum.Hostile() == 0 || sum.Hostile() != t1.Hostile()+t2.Hostile() || sum.Events != t1.Events+t2.Events ||
		sum.ServiceChecks != t1.ServiceChecks+t2.ServiceChecks || sum.Metrics != t1.Metrics+t2.Metrics {
		t.Errorf("%+v and %+v come to %+v", t1, t2, sum)
	}
}

// A million contextKeys fit into the memory that NewCorpus states, all that it
// allocates on the way included.
func TestMillionKeysStayWithinTheirMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes 100 MB")
	}
	config := plain(1_000_000).with(func(c *CorpusConfig) { c.ContextKeys, c.Cycle, c.Zipf, c.DatagramBytes = 1_000_000, false, 1.1, 1432 })
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	c := newCorpus(t, config)
	runtime.ReadMemStats(&after)
	stated := c.Bytes() + 16*int64(c.Datagrams()) + 24*1_000_000 + 1<<20 // of buffers, and pages rounded up
	if used := int64(after.TotalAlloc - before.TotalAlloc); used > stated {
		t.Errorf("%d bytes were allocated, and %d stated", used, stated)
	}
}

func TestLogarithmAndExponential(t *testing.T) {
	random := newStream(3, 4)
	for range 100_000 {
		x := math.Float64frombits(random.Uint64() &^ (1 << 63))
		if x < 0x1p-1022 || math.IsInf(x, 0) || math.IsNaN(x) {
			continue // below, math.Log itself is wrong on some processors
		}
		if want := math.Log(x); math.Abs(ln(x)-want) > 4e-16*max(1, math.Abs(want)) {
			t.Fatalf("ln(%g) = %v, want %v", x, ln(x), want)
		}
		y := (unit(random) - 0.5) * 1400
		if want := math.Exp(y); math.Abs(exp(y)-want) > 2e-15*want {
			t.Fatalf("exp(%v) = %v, want %v", y, exp(y), want)
		}
	}
	if ln(1) != 0 || exp(0) != 1 || exp(-1e9) != 0 {
		t.Errorf("ln(1) = %v, exp(0) = %v, exp(-1e9) = %v", ln(1), exp(0), exp(-1e9))
	}
}

// Each distribution has the mean and the median of its formula, to within what
// 100,000 draws leave to chance.
func TestValues(t *testing.T) {
	check := func(v Values, mean, median float64) {
		t.Helper()
		v = v.filled()
		if !v.valid() {
			t.Fatalf("%+v is refused", v)
		}
		random := newStream(5, 6)
		values, sum := make([]int64, 100_000), 0.0
		for i := range values {
			values[i] = v.draw(random)
			if values[i] < 1 || values[i] > MaxValue {
				t.Fatalf("%+v draws %d", v, values[i])
			}
			sum += float64(values[i])
		}
		slices.Sort(values)
		if got := sum / 100_000; math.Abs(got-mean) > 0.02*mean {
			t.Errorf("%+v: mean %v, want %v", v, got, mean)
		}
		if got := float64(values[50_000]); math.Abs(got-median) > 0.02*median {
			t.Errorf("%+v: median %v, want %v", v, got, median)
		}
	}
	check(Values{}, 500.5, 500)
	check(Values{Min: 10, Max: 2010}, 1010, 1010)
	check(Values{Shape: ConstantValues, Center: 42}, 42, 42)
	check(Values{Shape: NormalValues, Center: 5000, Spread: 500}, 5000, 5000)
	check(Values{Shape: LogNormalValues, Center: 1000, Spread: 0.5}, 1000*math.Exp(0.125), 1000)
	check(Values{Shape: ExponentialValues, Center: 1000}, 1000, 1000*math.Ln2)
	for _, bad := range []Values{{Min: 5, Max: 4}, {Min: -1, Max: 4}, {Shape: ConstantValues}, {Shape: ConstantValues, Center: 1.5},
		{Shape: NormalValues, Center: math.NaN()}, {Shape: LogNormalValues, Center: 1, Spread: -1}, {Shape: ExponentialValues}, {Shape: 99}} {
		if bad.valid() {
			t.Errorf("%+v is accepted", bad)
		}
	}
}

func TestExpand(t *testing.T) {
	good := func(pattern string, want ...string) {
		t.Helper()
		if got, err := expand(pattern); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v", pattern, got, err)
		}
	}
	good("web", "web")
	good("web-{8..10}", "web-8", "web-9", "web-10")
	good("{08..10}", "08", "09", "10")
	good("{a,b}-{0..1}.x", "a-0.x", "a-1.x", "b-0.x", "b-1.x")
	good("{,x}y", "y", "xy")
	for _, bad := range []string{"{", "}", "a{b", "a}b", "a}b{1..2}", "{a{b}}", "{a}", "{2..1}", "{0..}", "{-1..1}", "{0..9999999}", "{0..999999}{0..9}"} {
		if got, err := expand(bad); err == nil {
			t.Errorf("%s: %d texts", bad, len(got))
		}
	}
}

func TestValidateNamesWideFaults(t *testing.T) {
	check := func(change func(c *CorpusConfig), want string) {
		t.Helper()
		if err := plain(10).with(change).Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	check(func(c *CorpusConfig) { c.Zipf = 1 }, "Zipf is 1 beside Cycle")
	check(func(c *CorpusConfig) { c.Zipf = math.NaN() }, "Zipf is NaN")
	check(func(c *CorpusConfig) { c.Churn = 5 }, "Churn is 5 without a Schedule")
	check(func(c *CorpusConfig) { c.Churn, c.Schedule = 1<<30, tenSeconds }, "contextKeys in all")
	check(func(c *CorpusConfig) { c.Churn, c.Schedule, c.Names = math.MaxInt64, tenSeconds, []string{"a"} }, "Churn is 9223372036854775807")
	check(func(c *CorpusConfig) { c.TagsMost = 2 }, "TagsMost is 2 for Tags 4")
	check(func(c *CorpusConfig) { c.TagBytes, c.TagBytesMost = 9, 8 }, "TagBytesMost is 8")
	check(func(c *CorpusConfig) { c.UniqueTags = 2 }, "UniqueTags is 2")
	check(func(c *CorpusConfig) { c.TagPatterns, c.TagBytes = []string{"a:{1..2}"}, 9 }, "TagPatterns stands beside")
	check(func(c *CorpusConfig) { c.TagPatterns = []string{"a:{1,2}|"} }, "want text without any of")
	check(func(c *CorpusConfig) { c.Names = []string{"a", "{a,b}"} }, `"a" is there twice`)
	check(func(c *CorpusConfig) { c.Names, c.Tags = []string{"a"}, 0 }, "1 names for 1000 contextKeys")
	check(func(c *CorpusConfig) { c.Names, c.NameBytes = []string{"a"}, 9 }, "NameBytes is 9 beside Names")
	check(func(c *CorpusConfig) { c.Values.Min = 5 }, "Values are")
	check(func(c *CorpusConfig) { c.TimestampedShare = 1 }, "TimestampFrom is 0")
	check(func(c *CorpusConfig) { c.ContainerShare = 1 }, "Containers is 0")
	check(func(c *CorpusConfig) { c.EventShare, c.CheckShare = 0.6, 0.6 }, "come to 1.2")
	check(func(c *CorpusConfig) { c.Hostile = Hostile{Share: 1, Malformed: -1} }, "weight -1")
	check(func(c *CorpusConfig) { c.Hostile.OversizeBytes = 5 }, "OversizeBytes is 5")
	check(func(c *CorpusConfig) { c.Shard, c.Shards = 2, 2 }, "Shard is 2 of 2")
}

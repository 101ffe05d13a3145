package record

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/google/go-cmp/cmp"
)

var shardsBegin = time.Date(2026, 3, 1, 12, 31, 0, 0, time.UTC)

func histogram(t *testing.T, nanoseconds ...int64) *hdrhistogram.Histogram {
	t.Helper()
	h := hdrhistogram.New(1, int64(time.Minute), 3)
	for _, v := range nanoseconds {
		if err := h.RecordValue(v); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// shardOf is a shard that sent everything, with the lateness of its datagrams.
func shardOf(t *testing.T, index, of int, sent int64, late ...int64) *Record {
	t.Helper()
	r := valid("burst", Candidate, 0)
	r.Shard = &Shard{Index: index, Of: of, At: shardsBegin}
	r.Config.ScenarioYAML = "name: burst\n"
	r.Ledger = Ledger{Offered: sent, Sent: sent}
	h := histogram(t, late...)
	encoded, err := h.EncodeV2()
	if err != nil {
		t.Fatal(err)
	}
	r.Histograms = map[string]string{HistogramLateness: string(encoded)}
	cpu := 0.25
	r.Generator = &Generator{CPU: &cpu, LastSent: 1 + float64(index), Calls: 10, Wakeups: 9, Blocked: 0.5, EAGAIN: 1, ENOBUFS: 2, Refused: 3, Segmented: 4,
		Ceiling: &Ceiling{Datagrams: 1000, Messages: 2000, Share: float64(index) / 10}}
	r.Measures = []Measure{
		{"given_up_messages", "messages", "lower", 0},
		{"lateness_p99", "s", "lower", time.Duration(h.ValueAtQuantile(99)).Seconds()},
		{"lateness_max", "s", "lower", time.Duration(h.Max()).Seconds()},
		{"blocked_time", "s", "lower", 0.5},
	}
	return r
}

// besideTarget is the first shard, whose target got all of whole.
func besideTarget(t *testing.T, of int, sent, whole int64, late ...int64) *Record {
	t.Helper()
	r := shardOf(t, 1, of, sent, late...)
	l := &r.Ledger
	l.KernelDropped, l.Received, l.Aggregated, l.Delivered = Count(4), Count(whole-4), Count(whole-5), Count(whole-5)
	l.QueueDropped, l.Malformed, l.Truncated, l.Rejected, l.ShutdownDropped, l.UploadFailed = Count(1), Count(0), Count(0), Count(0), Count(0), Count(0)
	r.Variant.Spec = "refserver:flush=async"
	r.Measures = append(r.Measures,
		Measure{"cpu_seconds", "s", "lower", 3},
		Measure{"cpu_per_message", "s", "lower", 3 / float64(whole-5)},
		Measure{"flush_cpu_per_message", "s", "lower", 1.5 / float64(whole-5)},
		Measure{"lost_messages", "messages", "lower", 5},
		Measure{"lost_fraction", "ratio", "lower", 5 / float64(whole)},
		Measure{"rss_peak", "B", "lower", 1e6})
	r.Timeline = Timeline{StepSeconds: 0.1, Columns: map[string][]float64{ColumnTime: {0}, ColumnOffered: {1}, ColumnSent: {1}, ColumnReceived: {2}}}
	r.Warnings = []string{"busy"}
	return r
}

func filesOf(records ...*Record) []File {
	var files []File
	for _, r := range records {
		files = append(files, File{fmt.Sprintf("%d.json", r.Shard.Index), r})
	}
	return files
}

// TestMerge: one record that is that of the target, under what all shards sent.
func TestMerge(t *testing.T) {
	a, b, c := besideTarget(t, 3, 100, 299, 1000, 2000), shardOf(t, 2, 3, 100, 3000), shardOf(t, 3, 3, 99, 9_000_000)
	b.Warnings = []string{"stolen"}
	got, err := Merge(filesOf(c, a, b)) // in whatever order
	if err != nil {
		t.Fatal(err)
	}
	want := besideTarget(t, 3, 299, 299, 1000, 2000, 3000, 9_000_000)
	want.Shard = nil
	want.Warnings = []string{"shard 1 of 3: busy", "shard 2 of 3: stolen"}
	cpu := 0.75
	want.Generator = &Generator{CPU: &cpu, LastSent: 4, Calls: 30, Wakeups: 27, Blocked: 1.5, EAGAIN: 3, ENOBUFS: 6, Refused: 9, Segmented: 12,
		Ceiling: &Ceiling{Datagrams: 3000, Messages: 6000, Share: 0.3}}
	want.Measures[3].Value = 1.5
	delete(want.Timeline.Columns, ColumnOffered)
	delete(want.Timeline.Columns, ColumnSent)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff(besideTarget(t, 3, 100, 299, 1000, 2000), a); diff != "" {
		t.Errorf("the shard was changed: -before +after:\n%s", diff)
	}
	// What one does not tell, all together do not.
	b.Generator.CPU, b.Generator.Ceiling = nil, nil
	if got, err := Merge(filesOf(a, b, c)); err != nil || got.Generator.CPU != nil || got.Generator.Ceiling != nil {
		t.Errorf("%+v, %v", got.Generator, err)
	}
}

// TestMergeIsExact: whatever is shared out among however many comes together
// again, to the last message and the last nanosecond that a histogram tells.
func TestMergeIsExact(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 100 {
		n := 1 + rng.IntN(9)
		whole := int64(n + 10 + rng.IntN(500))
		all := histogram(t)
		late := make([][]int64, n)
		for i := range whole {
			v := 1 + rng.Int64N(int64(time.Second))
			late[i%int64(n)] = append(late[i%int64(n)], v)
			all.RecordValue(v)
		}
		records := []*Record{besideTarget(t, n, int64(len(late[0])), whole, late[0]...)}
		for i := 1; i < n; i++ {
			records = append(records, shardOf(t, i+1, n, int64(len(late[i])), late[i]...))
		}
		rng.Shuffle(n, func(i, j int) { records[i], records[j] = records[j], records[i] })
		got, err := Merge(filesOf(records...))
		if err != nil {
			t.Fatal(err)
		}
		h, err := hdrhistogram.Decode([]byte(got.Histograms[HistogramLateness]))
		if err != nil {
			t.Fatal(err)
		}
		if got.Invalid != "" || got.Ledger.Offered != whole || got.Ledger.Sent != whole || got.Ledger.Unaccounted != 0 || got.Ledger.Lost() != 5 || !h.Equals(all) {
			t.Fatalf("%d messages in %d shards come to %+v, %q, %d datagrams", whole, n, got.Ledger, got.Invalid, h.TotalCount())
		}
	}
}

// TestMergeIsInvalid: the whole is worth no more than the worst of its shards,
// and says which that is.
func TestMergeIsInvalid(t *testing.T) {
	for _, c := range []struct {
		why    string
		change func(a, b, c *Record)
		leave  string // indexes of the shards that are there
		want   string
	}{
		{"all is well", func(a, b, c *Record) {}, "123", ""},
		{"a shard is missing", func(a, b, c *Record) {}, "13", "shard 2 of 3 is missing"},
		{"the target is missing", func(a, b, c *Record) {}, "23", "shard 1 of 3 is missing"},
		{"all but one are missing", func(a, b, c *Record) {}, "2", "shard 1 of 3 is missing; shard 3 of 3 is missing"},
		{"one was late", func(a, b, c *Record) { b.Invalid = "the generator was late" }, "123", "shard 2 of 3: the generator was late"},
		{"one was late, another is missing", func(a, b, c *Record) { c.Invalid = "late" }, "13", "shard 2 of 3 is missing; shard 3 of 3: late"},
		{"the target died before anything was known", func(a, b, c *Record) {
			a.Invalid, a.Ledger, a.Measures, a.Histograms, a.Generator = "the target died", Ledger{}, nil, nil, nil
		}, "123", "shard 1 of 3: the target died"},
		{"more came than all sent", func(a, b, c *Record) { c.Ledger.Sent, c.Ledger.Offered = 90, 90 }, "123",
			"the accounts do not hold: sent = received + kernel_dropped: 290 against 299, -9 unexplained"},
		{"less came than all sent", func(a, b, c *Record) { c.Ledger.Sent, c.Ledger.Offered = 100, 100 }, "123",
			"the accounts do not hold: sent = received + kernel_dropped: 300 against 299, +1 unexplained"},
		{"a shard's own account", func(a, b, c *Record) { c.Ledger.Offered = 100 }, "123",
			"the accounts do not hold: offered = sent + given_up + not_sent: 300 against 299, +1 unexplained"},
		{"not all was sent, which explains it", func(a, b, c *Record) {
			b.Ledger.Sent, b.Ledger.NotSent, b.Invalid = 98, 2, "the generator did not send 2 messages that were due"
			*a.Ledger.Received, *a.Ledger.Aggregated, *a.Ledger.Delivered = 293, 292, 292
			a.Invalid = "the accounts do not hold"
		}, "123", "shard 1 of 3: the accounts do not hold; shard 2 of 3: the generator did not send 2 messages that were due"},
	} {
		shards := []*Record{besideTarget(t, 3, 100, 299, 1), shardOf(t, 2, 3, 100, 1), shardOf(t, 3, 3, 99, 1)}
		c.change(shards[0], shards[1], shards[2])
		var there []*Record
		for _, r := range shards {
			if strings.Contains(c.leave, fmt.Sprint(r.Shard.Index)) {
				there = append(there, r)
			}
		}
		got, err := Merge(filesOf(there...))
		if err != nil || got.Invalid != c.want {
			t.Errorf("%s: %q, %v\nwant %q", c.why, got.Invalid, err, c.want)
		}
		if err := got.Validate(); err != nil {
			t.Errorf("%s: %v", c.why, err)
		}
	}
	// The number of shards is one in a file, and may be any.
	lost := shardOf(t, 2, 1<<40, 1, 1)
	if got, err := Merge(filesOf(lost)); err != nil || !strings.HasSuffix(got.Invalid, "shard 11 of 1099511627776 is missing; 1099511627765 more are missing") {
		t.Errorf("%q, %v", got.Invalid, err)
	}
}

// TestMergeRefuses: what is no whole is told with the files that do not fit.
func TestMergeRefuses(t *testing.T) {
	for _, c := range []struct {
		why    string
		change func(b *Record)
		want   string
	}{
		{"a shard that is there twice would be counted twice", func(b *Record) { b.Shard.Index = 1 }, "cannot merge a.json with b.json: both are shard 1 of 2"},
		{"other scenarios have other messages", func(b *Record) { b.Config.ScenarioYAML += "seed: 2\n" },
			"cannot merge a.json with b.json: the digest of the scenario is d9bf46fcbb23 in the first and 3ba73f099f93 in the second; want the shards of one load"},
		{"another instant is another burst", func(b *Record) { b.Shard.At = shardsBegin.Add(time.Second) },
			"cannot merge a.json with b.json: the instant of the start is 2026-03-01T12:31:00Z in the first and 2026-03-01T12:31:01Z in the second; want the shards of one load"},
		{"one of four is no part of two", func(b *Record) { b.Shard.Of = 4 },
			"cannot merge a.json with b.json: the number of shards is 2 in the first and 4 in the second; want the shards of one load"},
		{"another version may offer other messages under the same scenario", func(b *Record) { b.Build.Floodgate = "v9" },
			"cannot merge a.json with b.json: the version of floodgate is  in the first and v9 in the second; want the shards of one load"},
		{"a lateness that cannot be read", func(b *Record) { b.Histograms[HistogramLateness] = "x" }, "cannot read the lateness in b.json: "},
		{"another range of the histogram would lose what lies above", func(b *Record) {
			h := hdrhistogram.New(1, int64(time.Hour), 3)
			h.RecordValue(int64(30 * time.Minute))
			encoded, _ := h.EncodeV2()
			b.Histograms[HistogramLateness] = string(encoded)
		}, "cannot merge the lateness in b.json: its histogram has another range than that of a.json"},
	} {
		a, b := besideTarget(t, 2, 100, 200, 1), shardOf(t, 2, 2, 100, 1)
		c.change(b)
		if _, err := Merge([]File{{"a.json", a}, {"b.json", b}}); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v\nwant %s", c.why, err, c.want)
		}
	}
	// The same instant in another zone is the same.
	a, b := besideTarget(t, 2, 100, 200, 1), shardOf(t, 2, 2, 100, 1)
	b.Shard.At = shardsBegin.In(time.FixedZone("", 3600))
	if got, err := Merge(filesOf(a, b)); err != nil || got.Invalid != "" {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestReadDirMerges: the shards of a replicate come together wherever they lie.
func TestReadDirMerges(t *testing.T) {
	here, there := t.TempDir(), t.TempDir()
	write := func(dir string, r *Record) string {
		t.Helper()
		if err := Write(r.Path(dir), r); err != nil {
			t.Fatal(err)
		}
		return r.Path(dir)
	}
	read := func(paths ...string) string {
		records, err := ReadDir(paths...)
		if err != nil {
			return err.Error()
		}
		var got []string
		for _, r := range records {
			got = append(got, fmt.Sprintf("%s %d: %d sent, %q", r.Scenario, r.Replicate, r.Ledger.Sent, r.Invalid))
		}
		return strings.Join(got, "; ")
	}
	a := write(here, besideTarget(t, 2, 100, 200, 1))
	b := write(there, shardOf(t, 2, 2, 100, 1))
	write(here, valid("idle", Candidate, 0))
	late := shardOf(t, 2, 2, 100, 1)
	late.Replicate, late.Invalid = 1, "late"
	void := write(there, late)
	other := besideTarget(t, 2, 100, 200, 1)
	other.Replicate = 1
	write(here, other)

	for name, want := range map[string]string{a: "00.shard1of2.json", b: "00.shard2of2.json", void: "01.shard2of2.invalid0.json"} {
		if filepath.Base(name) != want {
			t.Errorf("it lies in %s, want %s", name, want)
		}
	}
	burst := `burst 0: 200 sent, ""; idle 0: 0 sent, ""`
	for _, c := range []struct {
		why   string
		paths []string
		want  string
	}{
		{"folders in any order", []string{there, here}, `burst 0: 200 sent, ""; burst 1: 200 sent, "shard 2 of 2: late"; idle 0: 0 sent, ""`},
		{"files", []string{a, b}, `burst 0: 200 sent, ""`},
		{"one of the two", []string{b}, `burst 0: 100 sent, "shard 1 of 2 is missing"`},
		{"the same folder twice", []string{there, there}, fmt.Sprintf("cannot merge %s with %s: both are shard 2 of 2", b, b)},
	} {
		if got := read(c.paths...); got != c.want {
			t.Errorf("%s: %s\nwant %s", c.why, got, c.want)
		}
	}
	// A folder that all shards write to does as well.
	shared := t.TempDir()
	write(shared, besideTarget(t, 2, 100, 200, 1))
	write(shared, shardOf(t, 2, 2, 100, 1))
	one := write(shared, valid("idle", Candidate, 0))
	if got := read(shared); got != burst {
		t.Errorf("one folder: %s", got)
	}
	// Two runs that nobody shared are no whole, nor is a shared one beside another.
	repeated := valid("idle", Candidate, 0)
	repeated.Attempt = 1
	alone := valid("burst", Candidate, 0)
	for _, c := range []struct{ why, first, second, want string }{
		{"the same replicate", one, valid("idle", Candidate, 0).Path(here), "candidate of scenario idle, replicate 0"},
		{"which was valid at another attempt", one, write(t.TempDir(), repeated), "candidate of scenario idle, replicate 0"},
		{"whole, and shared", write(t.TempDir(), alone), a, "candidate of scenario burst, replicate 0"},
	} {
		paths := []string{c.first, c.second}
		if c.second == a {
			paths = append(paths, b)
		}
		if got, want := read(paths...), fmt.Sprintf("cannot read records %s and %s together: both are %s", c.first, c.second, c.want); got != want {
			t.Errorf("%s: %s\nwant %s", c.why, got, want)
		}
	}
}

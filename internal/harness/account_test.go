package harness

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"floodgate/internal/dogstatsd"
	"floodgate/internal/payload"
	"floodgate/internal/procfs"
	"floodgate/internal/record"
	"floodgate/loadgen"
)

func count(n int64) *int64 { return &n }

func sent(messages, datagrams int64) loadgen.Result {
	return loadgen.Result{OfferedMessages: messages, SentMessages: messages, SentDatagrams: datagrams}
}

// statistics are those of a target that says everything; the arguments are in
// messages but for the datagrams.
func statistics(datagrams, received, aggregated, queueDropped int64) *Statistics {
	zero := count(0)
	return &Statistics{Datagrams: &datagrams, Received: &received, Aggregated: &aggregated, QueueDropped: &queueDropped,
		Malformed: zero, Truncated: zero, Rejected: zero, ShutdownDropped: zero, UploadFailed: zero}
}

func truncating(s *Statistics, truncated int64) *Statistics {
	s.Truncated = &truncated
	return s
}

func TestAccount(t *testing.T) {
	for _, c := range []struct {
		why          string
		in           observation
		lost         int64
		unattributed int64
		unaccounted  int64
		fault        string // part of a fault; empty for none
		warning      string
	}{
		{
			why: "everything arrived",
			in:  observation{load: sent(100, 100), oneLine: true, drops: count(0), stats: statistics(100, 100, 100, 0), outcome: outcome{decided: 100}},
		}, {
			why: "what the sender gave up was never sent, so nobody lost it",
			in:  observation{load: loadgen.Result{OfferedMessages: 130, SentMessages: 100, GivenUp: 30, SentDatagrams: 100}, oneLine: true, drops: count(0), stats: statistics(100, 100, 100, 0), outcome: outcome{decided: 100}},
		}, {
			why: "a sender that says neither is found out", unaccounted: 30, fault: "offered = sent + given_up + not_sent",
			in: observation{load: loadgen.Result{OfferedMessages: 130, SentMessages: 100, SentDatagrams: 100}, oneLine: true, drops: count(0), stats: statistics(100, 100, 100, 0), outcome: outcome{decided: 100}},
		}, {
			why:  "losses in the kernel and in the queue have their places",
			in:   observation{load: sent(100, 100), oneLine: true, drops: count(10), stats: statistics(90, 90, 85, 5), outcome: outcome{decided: 85}},
			lost: 15,
		}, {
			why:  "packed datagrams: what the kernel dropped follows from what was read",
			in:   observation{load: sent(100, 10), drops: count(2), stats: statistics(8, 79, 79, 0), outcome: outcome{decided: 79}},
			lost: 21,
		}, {
			why: "packed datagrams, truncated: what stood behind the cuts is truncated too", lost: 30, warning: "25 messages stood behind the cut",
			in: observation{load: sent(100, 10), drops: count(0), stats: truncating(statistics(10, 75, 70, 0), 5), outcome: outcome{decided: 70}},
		}, {
			why: "the same through a unix socket, which drops nothing", lost: 30, warning: "25 messages stood behind the cut",
			in: observation{load: sent(100, 10), stats: truncating(statistics(10, 75, 70, 0), 5), outcome: outcome{decided: 70}},
		}, {
			why: "beside drops the two cannot be told apart", lost: 40, warning: "cannot be told apart",
			in: observation{load: sent(100, 10), drops: count(1), stats: truncating(statistics(9, 65, 60, 0), 5), outcome: outcome{decided: 60}},
		}, {
			why: "a datagram that was not read is no cut", lost: 30, unaccounted: 25, fault: "sent = received",
			in: observation{load: sent(100, 10), stats: truncating(statistics(9, 75, 70, 0), 5), outcome: outcome{decided: 70}},
		}, {
			why: "datagrams that nobody saw are unaccounted for, also when the messages add up", unaccounted: 10, fault: "datagrams sent = read + dropped",
			in: observation{load: sent(100, 100), oneLine: true, drops: count(0), stats: statistics(90, 100, 100, 0), outcome: outcome{decided: 100}},
		}, {
			why: "a target that counts more than it delivers is found out", lost: 7, unaccounted: 7, fault: "aggregated = delivered",
			in: observation{load: sent(100, 100), oneLine: true, drops: count(0), stats: statistics(100, 100, 100, 0), outcome: outcome{decided: 93}},
		}, {
			why: "so is one that delivers more than was sent", lost: -5, unaccounted: 5, fault: "aggregated = delivered",
			in: observation{load: sent(100, 100), oneLine: true, drops: count(0), stats: statistics(100, 100, 100, 0), outcome: outcome{decided: 105}},
		}, {
			why: "a foreign target loses inside itself, nobody knows where", lost: 20, unattributed: 15,
			in: observation{load: sent(100, 100), oneLine: true, drops: count(5), outcome: outcome{decided: 80}},
		}, {
			why: "for a foreign target dropped datagrams cannot be turned into messages", lost: 20, unattributed: 20, warning: "2 datagrams; how many messages",
			in: observation{load: sent(100, 10), drops: count(2), outcome: outcome{decided: 80}},
		}, {
			why: "gauges whose last values are right count when the rest adds up",
			in:  observation{load: sent(100, 100), oneLine: true, drops: count(0), stats: statistics(100, 100, 100, 0), outcome: outcome{decided: 60, gauges: 40, gaugesSeen: 40, gaugesRight: 40}},
		}, {
			why: "after a loss the share of gauges is undecided, not guessed", lost: 10, warning: "35 messages of gauges are undecided",
			in: observation{load: sent(100, 100), oneLine: true, drops: count(10), stats: statistics(90, 90, 90, 0), outcome: outcome{decided: 55, gauges: 40, gaugesSeen: 40, gaugesRight: 40}},
		}, {
			why: "gauges that never showed did not arrive, whatever the target says", lost: 40, unaccounted: 40, fault: "aggregated = delivered",
			in: observation{load: sent(100, 100), oneLine: true, drops: count(0), stats: statistics(100, 100, 100, 0), outcome: outcome{decided: 60, gauges: 40}},
		}, {
			why:  "a gauge that lost a message may still end with the right value: of a foreign target no more counts than can have arrived",
			in:   observation{load: sent(100, 100), oneLine: true, drops: count(5), outcome: outcome{decided: 86, gauges: 10, gaugesSeen: 10, gaugesRight: 10}},
			lost: 5, warning: "9 messages of gauges are undecided",
		}, {
			why:  "where a foreign target lost others, it may have lost gauges too",
			in:   observation{load: sent(100, 100), oneLine: true, drops: count(0), outcome: outcome{decided: 40, gauges: 40, gaugesSeen: 40, gaugesRight: 40}},
			lost: 20, unattributed: 20, warning: "40 messages of gauges are undecided",
		}, {
			why: "where a foreign target lost nothing else, right gauges count",
			in:  observation{load: sent(100, 100), oneLine: true, drops: count(0), outcome: outcome{decided: 60, gauges: 40, gaugesSeen: 40, gaugesRight: 40}},
		}, {
			why: "half a message is no message", fault: "no whole number",
			in: observation{load: sent(100, 100), oneLine: true, drops: count(0), stats: statistics(100, 100, 100, 0), outcome: outcome{decided: 100, fractions: 1}},
		},
	} {
		ledger, faults, warnings := account(c.in)
		if ledger.Lost() != c.lost || ledger.Unattributed != c.unattributed || ledger.Unaccounted != c.unaccounted {
			t.Errorf("%s: lost %d, unattributed %d, unaccounted %d; want %d, %d, %d", c.why,
				ledger.Lost(), ledger.Unattributed, ledger.Unaccounted, c.lost, c.unattributed, c.unaccounted)
		}
		for _, text := range []struct {
			what, want string
			got        []string
		}{{"faults", c.fault, faults}, {"warnings", c.warning, warnings}} {
			if all := strings.Join(text.got, "; "); (text.want == "") != (all == "") || !strings.Contains(all, text.want) {
				t.Errorf("%s: %s %q, want %q", c.why, text.what, all, text.want)
			}
		}
	}
}

// corpusOf makes a small corpus of every kind.
func corpusOf(t *testing.T) *loadgen.Corpus {
	t.Helper()
	config := loadgen.CorpusConfig{Seed: 1, Messages: 600, ContextKeys: 60, Cycle: true, Tags: 3, PackedValues: 2, SampledShare: .5, SampleRate: .25}
	for _, k := range dogstatsd.Kinds {
		config.Kinds = append(config.Kinds, loadgen.KindWeight{Kind: k, Weight: 1})
	}
	corpus, err := loadgen.NewCorpus(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	return corpus
}

// deliver plays a target that aggregates perfectly: every expectation arrives,
// in two buckets, as the reference server names its series.
func deliver(corpus *loadgen.Corpus, visit func(*payload.Series)) {
	for x := range corpus.Expected() {
		series := func(suffix string, typ payload.Type, values ...float64) {
			s := payload.Series{Metric: x.Metric + suffix, Type: typ, Tags: x.Tags}
			for i, v := range values {
				s.Points = append(s.Points, payload.Point{Timestamp: int64(i), Value: v})
			}
			visit(&s)
		}
		switch x.Kind {
		case dogstatsd.Counter:
			series("", payload.Count, x.Sum/2, x.Sum/2)
		case dogstatsd.Gauge:
			series("", payload.Gauge, x.Last+1, x.Last)
		case dogstatsd.Set:
			series("", payload.Gauge, float64(x.Members-1), 1)
		default:
			series(".count", payload.Count, x.Count/4, 3*x.Count/4)
			series(".min", payload.Gauge, x.Min, x.Max)
			series(".max", payload.Gauge, x.Min, x.Max)
			series(".median", payload.Gauge, 0, 0)
		}
	}
}

// TestSketchesArrive: a distribution that comes as sketches counts as one that
// comes as series.
func TestSketchesArrive(t *testing.T) {
	corpus := corpusOf(t)
	seen := newArrivals(newExpectations(corpus.Expected()))
	distributions := map[string]bool{}
	for x := range corpus.Expected() {
		if x.Kind != dogstatsd.Distribution {
			continue
		}
		distributions[x.Metric] = true
		seen.addSketch(time.Time{}, &payload.Sketch{Metric: x.Metric, Tags: x.Tags, Points: []payload.SketchPoint{
			{Count: int64(x.Count) - 1, Min: x.Min, Max: x.Min}, {Count: 1, Min: x.Max, Max: x.Max}}})
	}
	deliver(corpus, func(s *payload.Series) {
		metric, _, _ := strings.Cut(strings.NewReplacer(".count", "|", ".min", "|", ".max", "|", ".median", "|").Replace(s.Metric), "|")
		if !distributions[metric] && !distributions[s.Metric] {
			seen.add(time.Time{}, s)
		}
	})
	if o := seen.outcome(); len(distributions) == 0 || o.values.Wrong != 0 || o.decided+o.gauges != 600 || seen.unexpected != 0 {
		t.Errorf("a perfect delivery comes out as %+v, unexpected %d of %s", o, seen.unexpected, seen.stranger)
	}
	seen.addSketch(time.Time{}, &payload.Sketch{Metric: "what.is.this", Points: make([]payload.SketchPoint, 2)})
	if seen.unexpected != 2 {
		t.Errorf("%d points of a stranger are noticed, want 2", seen.unexpected)
	}
}

func TestArrivals(t *testing.T) {
	corpus := corpusOf(t)
	expected := newExpectations(corpus.Expected())
	if len(expected.keys) != 60 {
		t.Fatalf("%d contextKeys expected, want 60", len(expected.keys))
	}
	all := newArrivals(expected)
	deliver(corpus, func(s *payload.Series) { all.add(time.Time{}, s) })
	o := all.outcome()
	if o.values.Wrong != 0 || o.fractions != 0 || o.decided+o.gauges != 600 || o.gaugesSeen != o.gauges || o.gaugesRight != o.gauges || all.unexpected != 0 {
		t.Errorf("a perfect delivery comes out as %+v, unexpected %d", o, all.unexpected)
	}
	var shown float64
	for _, s := range all.steps {
		shown += s.messages
	}
	if int64(shown+.5) != o.decided {
		t.Errorf("the timeline shows %v messages, want %d", shown, o.decided)
	}

	// Each single change must show: this is what makes wrong values visible.
	n := 0
	deliver(corpus, func(*payload.Series) { n++ })
	for change := range n {
		changed, i := newArrivals(expected), 0
		verified := false
		deliver(corpus, func(s *payload.Series) {
			if i++; i-1 == change {
				change := 10000.0
				if strings.HasSuffix(s.Metric, ".min") {
					change = -change // upwards another point would be the lowest
				}
				s.Points[len(s.Points)-1].Value += change
				verified = expected.index[keyOf(s)].role != unverified
			}
			changed.add(time.Time{}, s)
		})
		if wrong := changed.outcome().values.Wrong; (wrong == 1) != verified {
			t.Errorf("a change in series %d makes %d contextKeys wrong, verified is %v", change, wrong, verified)
		}
	}

	stranger := newArrivals(expected)
	stranger.add(time.Time{}, &payload.Series{Metric: "what.is.this", Points: make([]payload.Point, 3)})
	if stranger.unexpected != 3 || stranger.stranger != "what.is.this" {
		t.Errorf("a stranger is not noticed: %d, %q", stranger.unexpected, stranger.stranger)
	}
}

// TestHostsArrive: some targets make the tag host:NAME the host of its series,
// some keep it, and some give all series a host of their own.
func TestHostsArrive(t *testing.T) {
	both := []loadgen.Expectation{
		{Metric: "a", Tags: []string{"host:web", "x"}, Kind: dogstatsd.Counter, Messages: 2, Sum: 2},
		{Metric: "a", Tags: []string{"x"}, Kind: dogstatsd.Counter, Messages: 3, Sum: 3},
	}
	expected := newExpectations(func(yield func(*loadgen.Expectation) bool) {
		for i := range both {
			if !yield(&both[i]) {
				return
			}
		}
	})
	for _, c := range []struct {
		why    string
		series []payload.Series
		wrong  int
	}{
		{"the tag has become the host", []payload.Series{{Host: "web", Tags: []string{"x"}, Points: []payload.Point{{Value: 2}}}, {Tags: []string{"x"}, Points: []payload.Point{{Value: 3}}}}, 0},
		{"it has stayed a tag", []payload.Series{{Tags: []string{"host:web", "x"}, Points: []payload.Point{{Value: 2}}}, {Tags: []string{"x"}, Points: []payload.Point{{Value: 3}}}}, 0},
		{"beside a host of the target's own", []payload.Series{{Host: "here", Tags: []string{"host:web", "x"}, Points: []payload.Point{{Value: 2}}}, {Host: "here", Tags: []string{"x"}, Points: []payload.Point{{Value: 3}}}}, 0},
		{"it is gone: all of it comes to the contextKey without", []payload.Series{{Tags: []string{"x"}, Points: []payload.Point{{Value: 5}}}}, 2},
		{"of another host it is another contextKey", []payload.Series{{Host: "db", Tags: []string{"x"}, Points: []payload.Point{{Value: 2}}}, {Tags: []string{"x"}, Points: []payload.Point{{Value: 3}}}}, 2},
	} {
		seen := newArrivals(expected)
		for _, s := range c.series {
			s.Metric, s.Type = "a", payload.Count
			seen.add(time.Time{}, &s)
		}
		if o := seen.outcome(); o.values.Wrong != c.wrong || seen.unexpected != 0 {
			t.Errorf("%s: %d wrong, %d unexpected, want %d and none: %v", c.why, o.values.Wrong, seen.unexpected, c.wrong, o.values.Examples)
		}
	}
}

func keyOf(s *payload.Series) string {
	return s.Metric + "|" + strings.Join(s.Tags, ",")
}

func TestTimeline(t *testing.T) {
	start := time.Unix(1000, 0)
	at := func(d time.Duration) time.Time { return start.Add(d) }
	var readings procfs.Result
	readings.CPU, readings.Socket = true, true
	var ticks []tick
	for i := range 5 {
		readings.Readings = append(readings.Readings, procfs.Reading{At: at(time.Duration(i-2) * 100 * time.Millisecond), CPU: time.Duration(i) * time.Second, KernelDrops: int64(i)})
		ticks = append(ticks, tick{progress: loadgen.Progress{SentMessages: int64(10 * i)}})
	}
	ticks[2].stats = &Statistics{Received: count(5)}
	steps := []step{{at(50 * time.Millisecond), 3}, {at(150 * time.Millisecond), 4}}
	got := timeline(start, 100*time.Millisecond, readings, ticks, steps)
	want := map[string][]float64{
		// The last reading at or before the start begins the timeline.
		record.ColumnTime:          {0, .1, .2},
		record.ColumnOffered:       {0, 0, 0},
		record.ColumnSent:          {20, 30, 40},
		record.ColumnReceived:      {5, 5, 5}, // a tick without an answer repeats the last
		record.ColumnDelivered:     {0, 3, 7},
		record.ColumnKernelDropped: {2, 3, 4},
		record.ColumnKernelQueue:   {0, 0, 0},
		record.ColumnCPU:           {0, 1, 2},
	}
	if fmt.Sprint(got.Columns) != fmt.Sprint(want) {
		t.Errorf("columns\n%v\nwant\n%v: memory and queues were not measured and are absent", got.Columns, want)
	}
}

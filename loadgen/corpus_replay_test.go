package loadgen

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"floodgate/internal/dogstatsd"
)

const captured = `1767225600.5 app.hits:1|c|#env:prod,az:b

1767225600.500000001 app.hits:1|c|#az:b,env:prod
1767225602 app.time:12.5:7|ms|@0.5
1767225602 _e{5,4}:title|text
1767225603.25 broken
1767225604.5 app.users:anna|s
1767225604.5 app.users:ben|s
1767225604.5 app.queue:7|g
1767225604.5 app.queue:-3|g
`

func TestReplayWithTimes(t *testing.T) {
	c, s, err := NewReplay(strings.NewReader(captured), Replay{Speed: 2})
	if err != nil {
		t.Fatal(err)
	}
	var due []time.Duration
	for i := range s.Total() {
		due = append(due, s.Due(i))
	}
	const ms = time.Millisecond
	// Twice as fast, from the first line on; 0.5 ns is rounded.
	if want := []time.Duration{0, 1, 750 * ms, 750 * ms, 1375 * ms, 2000 * ms, 2000 * ms, 2000 * ms, 2000 * ms}; !slices.Equal(due, want) {
		t.Errorf("due at %v, want %v", due, want)
	}
	if s.End() != 2000*ms+1 || s.DueBy(750*ms) != 4 || c.Messages() != 9 || c.Datagrams() != 9 || string(c.Datagram(4)) != "broken" {
		t.Errorf("end %v, %d due by 750ms, %d messages in %d datagrams, %q", s.End(), s.DueBy(750*ms), c.Messages(), c.Datagrams(), c.Datagram(4))
	}
	var got []Expectation
	for e := range c.Expected() {
		got = append(got, *e)
	}
	want := []Expectation{
		{Metric: "app.hits", Tags: []string{"az:b", "env:prod"}, Kind: dogstatsd.Counter, Messages: 2, Count: 2, Sum: 2, Last: 1, Min: 1, Max: 1},
		{Metric: "app.time", Kind: dogstatsd.Timer, Messages: 1, Count: 4, Sum: 39, Last: 7, Min: 7, Max: 12.5},
		{Metric: "app.users", Kind: dogstatsd.Set, Messages: 2, Count: 2, Members: 2},
		{Metric: "app.queue", Kind: dogstatsd.Gauge, Messages: 2, Count: 2, Sum: 4, Last: -3, Min: -3, Max: 7},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	totals := Totals{Messages: 9, Metrics: 7, Events: 1}
	totals.Malformed[dogstatsd.NoSeparator] = 1
	if c.Totals() != totals {
		t.Errorf("totals %+v, want %+v", c.Totals(), totals)
	}
}

func TestReplayAtARate(t *testing.T) {
	c, s, err := NewReplay(strings.NewReader("a:1|c\nb:2|c\na:3|c\nc:x|s\nc:x|s\n"), Replay{Rate: 2, DatagramBytes: 12})
	if err != nil {
		t.Fatal(err)
	}
	if s.Total() != 5 || s.End() != 2500*time.Millisecond || s.Due(3) != 1500*time.Millisecond {
		t.Errorf("%d messages in %v, the fourth at %v", s.Total(), s.End(), s.Due(3))
	}
	if c.Datagrams() != 3 || string(c.Datagram(0)) != "a:1|c\nb:2|c" || c.MessagesBefore(2) != 4 {
		t.Errorf("%d datagrams, the first %q, %d messages in two of them", c.Datagrams(), c.Datagram(0), c.MessagesBefore(2))
	}
	uneven := map[string]bool{}
	for e := range c.Expected() {
		uneven[e.Metric] = e.Uneven
	}
	// A counter that adds 1 and then 3, and a member that comes twice.
	if want := map[string]bool{"a": true, "b": false, "c": true}; !cmp.Equal(uneven, want) {
		t.Errorf("uneven are %v, want %v", uneven, want)
	}
}

// TestReplayOfSpecialTags: a server keeps some tags to itself, and of several
// hosts the last counts, so that is what a capture comes to.
func TestReplayOfSpecialTags(t *testing.T) {
	for line, want := range map[string][]string{
		"a:1|c|#dd.internal.entity_id:0123,x:1,dd.internal.card:low": {"x:1"},
		"a:1|c|#dd.internal.entity_id:0123":                          {},
		"a:1|c|#host:web,x:1,host:db":                                {"host:db", "x:1"},
		"a:1|c|#host:web,host:":                                      {},
		"a:1|c|#dd.internal.other:1,hostname:x":                      {"dd.internal.other:1", "hostname:x"},
	} {
		c, _, err := NewReplay(strings.NewReader(line), Replay{Rate: 1})
		if err != nil {
			t.Fatal(err)
		}
		for e := range c.Expected() {
			if !slices.Equal(e.Tags, want) {
				t.Errorf("%s comes to the tags %q, want %q", line, e.Tags, want)
			}
		}
	}
}

func TestReplayRefusals(t *testing.T) {
	refused := func(text string, how Replay, want string) {
		t.Helper()
		_, _, err := NewReplay(strings.NewReader(text), how)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "cannot replay ") {
			t.Errorf("%.40q: got %v, want %q", text, err, want)
		}
	}
	timed := Replay{Speed: 1}
	refused("", timed, "empty file")
	refused("\n\n", timed, "empty file")
	refused("a:1|c\n", timed, "line 1: \"a:1|c\" does not begin with a time")
	refused("1 a:1|c\n0.9 a:1|c\n", timed, "line 2: it is earlier than the first")
	refused("1 a:1|c\n3 a:1|c\n2 a:1|c\n", timed, "line 3: it is earlier than the line before")
	refused("1. a:1|c\n", timed, "does not begin with a time")
	refused("1.0000000001 a:1|c\n", timed, "up to nine decimals")
	refused("1.-5 a:1|c\n", timed, "are no decimals")
	refused("-1 a:1|c\n", timed, "does not begin with a time")
	refused("1 \n", timed, "does not begin with a time")
	refused(strings.Repeat("x", maxDatagram+1), Replay{Rate: 1}, "a datagram at most")
	refused(strings.Repeat("x", 1<<20), Replay{Rate: 1}, "line 1")
	refused("a:1|c", Replay{}, "want a rate")
	refused("a:1|c", Replay{Speed: -1}, "want a rate")
}

// Whatever the file says, each of its lines is counted once and due once.
func FuzzReplay(f *testing.F) {
	f.Add(captured, int64(0))
	f.Add("a:1|c\nb:2|g|#x\n", int64(5))
	f.Fuzz(func(t *testing.T, text string, rate int64) {
		c, s, err := NewReplay(strings.NewReader(text), Replay{Rate: rate, Speed: 1})
		if err != nil {
			return
		}
		totals := c.Totals()
		if n := totals.Metrics + totals.Events + totals.ServiceChecks + totals.Hostile(); n != c.Messages() || c.Messages() != s.Total() || s.DueBy(s.End()) != s.Total() {
			t.Fatalf("%d lines counted of %d, %d due of %d", n, c.Messages(), s.DueBy(s.End()), s.Total())
		}
	})
}

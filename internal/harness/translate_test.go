package harness

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"floodgate/scenarios"
)

// TestTranslation: foreign statistics become ours by the names that the
// description gives, and what is not there stays unknown.
func TestTranslation(t *testing.T) {
	prometheus := &scenarios.TargetStatistics{Format: scenarios.StatisticsPrometheus, Map: map[string][]string{
		"datagrams":               {"udp_total", "unix_total"},
		"received":                {`lines_total{kind="good"}`},
		"malformed":               {`errors_total`},
		"aggregated":              {"events_total"},
		"queue_dropped_datagrams": {"absent_total"},
	}}
	json := &scenarios.TargetStatistics{Format: scenarios.StatisticsJSON, Map: map[string][]string{
		"datagrams": {"server-udp.Packets", "server-uds.Packets"}, "received": {"lines"}, "pending": {"server-udp"},
	}}
	number := func(n int64) *int64 { return &n }
	for _, c := range []struct {
		why   string
		in    *scenarios.TargetStatistics
		body  string
		want  *Statistics
		fault string
	}{
		{why: "sums over names, over labels, and nothing for what is absent", in: prometheus, body: `# HELP udp_total Datagrams.
# TYPE udp_total counter
udp_total 1.5e+01
unix_total 5 1700000000000
udp_total_created 77
lines_total{kind="good",from="a, \"b\"} "} 10
lines_total{kind="bad"} 100
lines_total{from="c",kind="good",} 7
errors_total{reason="x"} 2
errors_total{reason="y"} 3
other{le="+Inf"} nonsense
events_total NaN
`, want: &Statistics{Foreign: true, Datagrams: number(20), Received: number(17), Malformed: number(5)}},
		{why: "an empty page tells nothing", in: prometheus, want: &Statistics{Foreign: true}},
		{why: "a line that is cut off", in: prometheus, body: `errors_total{reason="x`, fault: "text format"},
		{why: "a line without a value", in: prometheus, body: "errors_total{reason=\"x\"}\n", fault: "text format"},
		{why: "paths through JSON; what is no number is unknown", in: json,
			body: `{"server-udp": {"Packets": 12}, "lines": 13.0}`, want: &Statistics{Foreign: true, Datagrams: number(12), Received: number(13)}},
		{why: "no JSON", in: json, body: "<html>", fault: "cannot read the target's statistics"},
	} {
		translation, err := newTranslation(c.in)
		if err != nil {
			t.Fatal(err)
		}
		got, err := translation.parse([]byte(c.body))
		if (err != nil) != (c.fault != "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s: %v, want %q", c.why, err, c.fault)
			continue
		}
		if diff := cmp.Diff(c.want, got); err == nil && diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.why, diff)
		}
	}
}

// TestForeignAccount: what a foreign target tells is used as far as it is of
// messages; nothing is made up for the rest.
func TestForeignAccount(t *testing.T) {
	foreign := func(change func(*Statistics)) *Statistics {
		s := &Statistics{Foreign: true, Datagrams: count(100), Received: count(95), Aggregated: count(95), QueueDroppedDatagrams: count(5)}
		change(s)
		return s
	}
	for _, c := range []struct {
		why          string
		in           observation
		lost         int64 // -1: not known
		unattributed int64
		received     *int64
		warning      string
		fault        string
	}{
		{why: "one line in each datagram: what its queue dropped was received", lost: 5, received: count(100),
			in: observation{load: sent(100, 100), oneLine: true, drops: count(0), uncounted: true, stats: foreign(func(*Statistics) {})}},
		{why: "several: how many messages it dropped is unknown, its last stage is not", lost: 405, unattributed: 405, warning: "queue dropped 5 datagrams",
			in: observation{load: sent(500, 100), drops: count(0), uncounted: true, stats: foreign(func(*Statistics) {})}},
		{why: "several, and none dropped", lost: 5, unattributed: 5, warning: "leave a gap",
			in: observation{load: sent(100, 50), drops: count(0), uncounted: true, stats: foreign(func(s *Statistics) { s.QueueDroppedDatagrams = count(0); s.Datagrams = count(50) })}},
		{why: "events are no messages where a message makes several", lost: -1, unattributed: 95, received: count(100), warning: "it counts events",
			in: observation{load: sent(100, 100), oneLine: true, drops: count(0), uncounted: true, manyEvents: true, stats: foreign(func(*Statistics) {})}},
		{why: "a figure that is too large is of something else", lost: -1, unattributed: 95, warning: "200 aggregated of 100 sent",
			in: observation{load: sent(100, 100), oneLine: true, drops: count(0), uncounted: true, stats: foreign(func(s *Statistics) { s.Aggregated = count(200) })}},
		{why: "no statistics at all: the kernel's drops, and the rest is unknown", lost: -1, unattributed: 90,
			in: observation{load: sent(100, 100), oneLine: true, drops: count(10), uncounted: true}},
		{why: "counted output beside figures with a gap: a loss, not an invalid replicate", lost: 10, unattributed: 10, warning: "leave a gap",
			in: observation{load: sent(100, 100), oneLine: true, drops: count(0), stats: foreign(func(*Statistics) {}), outcome: outcome{decided: 90}}},
		{why: "output beyond what was sent is a fault whoever tells it", lost: -10, warning: "leave a gap", fault: "more than can have arrived",
			in: observation{load: sent(100, 100), oneLine: true, drops: count(0), stats: foreign(func(*Statistics) {}), outcome: outcome{decided: 110}}},
	} {
		ledger, faults, warnings := account(c.in)
		if c.lost < 0 && c.fault == "" {
			if ledger.LossKnown() {
				t.Errorf("%s: %d lost, want it unknown", c.why, ledger.Lost())
			}
		} else if !ledger.LossKnown() || ledger.Lost() != c.lost {
			t.Errorf("%s: %d lost, want %d", c.why, ledger.Lost(), c.lost)
		}
		if ledger.Unattributed != c.unattributed {
			t.Errorf("%s: %d unattributed, want %d", c.why, ledger.Unattributed, c.unattributed)
		}
		if diff := cmp.Diff(c.received, ledger.Received); diff != "" {
			t.Errorf("%s: received (-want +got):\n%s", c.why, diff)
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

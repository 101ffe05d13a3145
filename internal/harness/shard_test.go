package harness

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"floodgate/internal/procfs"
	"floodgate/internal/record"
	"floodgate/loadgen"
	"floodgate/scenarios"
)

// sharedLoad is a scenario of 1000 messages of every kind, packed.
func sharedLoad(t *testing.T) scenarios.Scenario {
	t.Helper()
	s, err := scenarios.Parse("tiny.yaml", []byte(`name: tiny
description: A load for several.
load:
  transport: udp
  schedule: {burst: {count: 1k, over: 20ms}}
  corpus: {context_keys: 20, packing: 1432B, kinds: {c: 1, g: 1, ms: 1, s: 1}, hostile: {share: 10%, malformed: 1}}
goal: lost_messages
limits: {drain: 2s, lateness_p99: 10s}
`))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sendingShard is the run of one replicate of a shard without a target.
func sendingShard(t *testing.T, index, of int, to string, at time.Time) Config {
	return Config{Out: t.TempDir(), Scenarios: []scenarios.Scenario{sharedLoad(t)}, Replicates: map[string]int{"tiny": 1},
		Variants: []Variant{{Role: record.Candidate}}, Shard: &Shard{Index: index, Of: of, At: []time.Time{at}, To: to}}
}

func TestShardFault(t *testing.T) {
	const loop = "udp://127.0.0.1:8125"
	now := time.Now()
	for _, c := range []struct {
		why    string
		change func(c *Config)
		want   string
	}{
		{"as it should be", func(*Config) {}, ""},
		{"beside the target", func(c *Config) { c.Shard.Index, c.Shard.To, c.Shard.Listen = 1, "", "0.0.0.0:8125" }, ""},
		{"another machine, on purpose", func(c *Config) { c.Shard.To, c.Shard.AllowRemote = "udp://10.0.0.7:8125", true }, ""},
		{"another machine, by mistake", func(c *Config) { c.Shard.To = "udp://10.0.0.7:8125" }, "cannot send to udp://10.0.0.7:8125: it is another machine"},
		{"more shards than there are", func(c *Config) { c.Shard.Index = 3 }, "cannot share the load of tiny: shard 3 of 2, want one from 1 to their number"},
		{"each replicate has an instant of its own", func(c *Config) { c.Replicates["tiny"] = 2 }, "want an instant for each of 2 replicates, found 1"},
		{"in the order of the replicates", func(c *Config) {
			c.Replicates["tiny"], c.Shard.At = 2, []time.Time{now, now}
		}, "want the instants in their order"},
		{"instants belong to one scenario", func(c *Config) { c.Scenarios = append(c.Scenarios, c.Scenarios[0]) }, "cannot share a run of 2 scenarios and 1 variants"},
		{"no messages, nothing to share", func(c *Config) {
			c.Scenarios[0].Load.Schedule = scenarios.Schedule{Curve: scenarios.Even, Over: time.Second}
		},
			"it has 0 messages, want at least one for each of 2 shards"},
		{"a warm-up would end at a reading that only one shard takes", func(c *Config) { c.Scenarios[0].Load.WarmUp = time.Millisecond }, "no reading says what all shards had sent"},
		{"a unix socket is on one machine", func(c *Config) { c.Scenarios[0].Load.Transport = scenarios.Unixgram }, "its transport is unixgram, want udp or tcp"},
		{"what is given up only its own shard knows", func(c *Config) { c.Scenarios[0].Load.Sender.WhenFull = scenarios.Drop }, "its sender may give messages up"},
		{"a client drops", func(c *Config) { c.Scenarios[0].Load.Sender.Client = "datadog-go" }, "its sender may give messages up"},
		{"others would not leave out the same", func(c *Config) {
			c.Shard.Index, c.Shard.To, c.Shard.Listen, c.Adapt = 1, "", "127.0.0.1:8125", true
			c.Variants[0].Target = &scenarios.Target{Name: "simple", Transports: []scenarios.Transport{scenarios.UDP}, Capabilities: scenarios.Capabilities{Kinds: []string{"c"}}}
		}, "what its target cannot do may not be left out"},
		{"nothing to leave out", func(c *Config) { c.Adapt = true }, ""},
		{"no target of anybody", func(c *Config) { c.Shard.To = "" }, "cannot read target URL"},
		{"another transport", func(c *Config) { c.Shard.To = "tcp://127.0.0.1:8125" }, "cannot send to tcp://127.0.0.1:8125: the transport of the scenario is udp"},
		{"the target is here", func(c *Config) { c.Shard.Index = 1 }, "shard 1 has the target beside it"},
		{"nobody would find it", func(c *Config) { c.Shard.Index, c.Shard.To = 1, "" }, "shard 1 must say where its target listens"},
		{"a name may be several addresses", func(c *Config) { c.Shard.Index, c.Shard.To, c.Shard.Listen = 1, "", "localhost:8125" },
			`cannot listen on "localhost:8125": want an IP address of this machine and a port`},
		{"no port", func(c *Config) { c.Shard.Index, c.Shard.To, c.Shard.Listen = 1, "", "127.0.0.1:0" }, `cannot listen on "127.0.0.1:0"`},
	} {
		config := sendingShard(t, 2, 2, loop, now)
		c.change(&config)
		err := config.Validate()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.why, err, c.want)
		}
	}
}

// receive counts the messages that come to a socket of its own, until it has so
// many or a minute has passed.
func receive(t *testing.T, want int) (url string, counted <-chan int) {
	t.Helper()
	socket, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	socket.SetReadDeadline(time.Now().Add(time.Minute))
	count := make(chan int, 1)
	go func() {
		messages := 0
		for buffer := make([]byte, 1<<16); messages < want; {
			n, err := socket.Read(buffer)
			if err != nil {
				break
			}
			messages += 1 + bytes.Count(buffer[:n], []byte("\n"))
		}
		count <- messages
	}()
	return "udp://" + socket.LocalAddr().String(), count
}

// TestSendingShards: shards without a target send their parts to one that listens,
// from the same instant on, and together they are those messages.
func TestSendingShards(t *testing.T) {
	to, counted := receive(t, 666)
	var at time.Time
	var records [2]*record.Record
	// A machine that is too busy to be ready by the instant gets a later one.
	for lead := time.Second; ; lead *= 4 {
		at = time.Now().Add(lead)
		var both sync.WaitGroup
		for i := range records {
			config := sendingShard(t, i+2, 3, to, at)
			both.Go(func() {
				if got, err := Run(t.Context(), config); err != nil || len(got) != 1 {
					t.Errorf("shard %d: %d records, %v", i+2, len(got), err)
				} else {
					records[i] = got[0]
				}
			})
		}
		both.Wait()
		if t.Failed() {
			t.FailNow()
		}
		if late := func(r *record.Record) bool { return strings.Contains(r.Invalid, "after the instant") }; !late(records[0]) && !late(records[1]) || lead > time.Minute {
			break
		}
	}
	var files []record.File
	for _, rec := range records {
		if rec.Invalid != "" || !rec.Shard.At.Equal(at) || rec.Ledger.Offered != 333 || rec.Ledger.Sent != 333 || rec.Ledger.Hostile == 0 || rec.Ledger.Received != nil ||
			rec.Histograms[record.HistogramLateness] == "" || rec.Generator == nil {
			t.Errorf("%+v", rec)
		}
		if rec.Config.Address != to || rec.Config.Command != nil || rec.Build.TargetPath != "" || rec.Config.TargetYAML != "" {
			t.Errorf("it has a target: %+v, %+v", rec.Config, rec.Build)
		}
		if _, measured := rec.Measure("lost_messages"); measured {
			t.Error("a shard without a target says what was lost")
		}
		files = append(files, record.File{Record: rec})
	}
	if n := <-counted; n < 666 { // more where a try before had only one of the two
		t.Errorf("%d messages arrived, want 666", n)
	}
	whole, err := record.Merge(files)
	if err != nil || whole.Ledger.Sent != 666 || whole.Invalid != "shard 1 of 3 is missing" {
		t.Errorf("%+v, %v", whole, err)
	}
}

// TestShardThatComesLate: it has no part in the load, and its record says why.
func TestShardThatComesLate(t *testing.T) {
	records, err := Run(t.Context(), sendingShard(t, 2, 2, "udp://127.0.0.1:8125", time.Now().Add(-time.Second)))
	if err != nil || len(records) != 1 || !strings.Contains(records[0].Invalid, "after the instant that all shards begin at") || records[0].Ledger.Sent != 0 {
		t.Errorf("%+v, %v", records, err)
	}
}

// TestShardWaitsInterruptibly: the wait for an instant that is far away ends with
// its context.
func TestShardWaitsInterruptibly(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	config := sendingShard(t, 2, 2, "udp://127.0.0.1:8125", time.Now().Add(time.Hour))
	config.OnEvent = func(e Event) {
		if e.Phase == record.PhaseWarmUp {
			cancel()
		}
	}
	if records, err := Run(ctx, config); err == nil || len(records) != 0 {
		t.Errorf("%d records, %v", len(records), err)
	}
}

// TestSharedLoad: the shard beside the target knows what all send, and keeps its
// own part only.
func TestSharedLoad(t *testing.T) {
	s := sharedLoad(t)
	const n = 3
	var all prepared
	if err := all.share(t.Context(), s.Load, &Shard{Index: 1, Of: n}); err != nil {
		t.Fatal(err)
	}
	var sent, datagrams, hostile int64
	for i := range n {
		var p prepared
		if err := p.share(t.Context(), s.Load, &Shard{Index: i + 1, Of: n}); err != nil {
			t.Fatal(err)
		}
		if p.corpus.Messages() != p.schedule.Total() || p.schedule.End() != s.Load.Schedule.Over {
			t.Errorf("shard %d: %d messages, %d due by %v", i+1, p.corpus.Messages(), p.schedule.Total(), p.schedule.End())
		}
		sent += p.corpus.Messages()
		datagrams += int64(p.corpus.Datagrams())
		hostile += p.ownHostile()
	}
	w := all.whole
	if sent != 1000 || w.messages != 1000 || w.datagrams != datagrams || w.hostile != hostile || hostile == 0 || all.hostile() != hostile || w.schedule.Total() != 1000 || all.oneLine() {
		t.Errorf("%+v, of %d messages in %d datagrams, %d hostile", w, sent, datagrams, hostile)
	}
	var expected int64
	for _, x := range all.expected.keys {
		expected += x.messages
		if !x.anyLast {
			t.Errorf("%s: its last value is taken for known", x.name)
		}
	}
	if expected != sent-hostile {
		t.Errorf("%d messages are expected, want %d", expected, sent-hostile)
	}
	// What the account takes for sent is whole, and what the record says is not.
	session := session{shard: &Shard{Index: 1, Of: n}, prepared: &all, schedule: all.schedule}
	own := all.corpus.Messages()
	session.result = loadgen.Result{OfferedMessages: own, SentMessages: own - 1, NotSent: 1, SentDatagrams: int64(all.corpus.Datagrams())}
	if r := session.sentByAll(); r.OfferedMessages != 1000 || r.SentMessages != 999 || r.SentDatagrams != datagrams {
		t.Errorf("%+v", r)
	}
	if l := session.ownShare(record.Ledger{Offered: 1000, Sent: 999, Received: record.Count(7)}); l.Offered != own || l.Sent != own-1 || l.NotSent != 1 || l.Hostile != all.ownHostile() || *l.Received != 7 {
		t.Errorf("%+v", l)
	}
}

// TestLastValueOfShards: which of several senders was the last nobody knows.
func TestLastValueOfShards(t *testing.T) {
	for _, c := range []struct {
		why  string
		x    expectation
		last float64
		want bool
	}{
		{"the last of one sender", expectation{last: 5, min: 1, max: 9}, 5, true},
		{"another of one sender", expectation{last: 5, min: 1, max: 9}, 6, false},
		{"any of several", expectation{last: 5, min: 1, max: 9, anyLast: true}, 9, true},
		{"none of several", expectation{last: 5, min: 1, max: 9, anyLast: true}, 10, false},
	} {
		if got := (&arrival{last: c.last}).lastRight(&c.x); got != c.want {
			t.Errorf("%s: %v", c.why, got)
		}
	}
}

// TestAwaited: the target is waited for until it has read what all shards send,
// where it says so.
func TestAwaited(t *testing.T) {
	count := func(n int64) []tick { return []tick{{stats: &Statistics{Received: record.Count(n)}}, {}} }
	for _, c := range []struct {
		why   string
		whole *whole
		ticks []tick
		want  string
	}{
		{"it has no others", nil, count(1), ""},
		{"it has read all", &whole{messages: 10}, count(10), ""},
		{"one is late", &whole{messages: 10}, count(7), ": of the 10 messages of all shards 7 had come"},
		{"it has not answered", &whole{messages: 10}, []tick{{}}, ""},
		{"it does not say", &whole{messages: 10}, []tick{{stats: &Statistics{}}}, ""},
		{"it counts something of its own", &whole{messages: 10}, []tick{{stats: &Statistics{Received: record.Count(7), Foreign: true}}}, ""},
	} {
		s := session{prepared: &prepared{whole: c.whole}, ticks: c.ticks, sockets: (*procfs.UDPReader)(nil)}
		if got := s.awaited(); got != c.want {
			t.Errorf("%s: %q, want %q", c.why, got, c.want)
		}
	}
}

// TestListen: the target is where it was asked to be, and is reached from here.
func TestListen(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:8125": "udp://127.0.0.1:8125", "10.0.0.7:9": "udp://10.0.0.7:9", "[::1]:9": "udp://[::1]:9",
		"0.0.0.0:8125": "udp://127.0.0.1:8125", // of all addresses the one that is always there
	} {
		a, err := newAddresses(scenarios.UDP, t.TempDir(), listen)
		if err != nil {
			t.Fatal(err)
		}
		l := Variant{}.launch(scenarios.TargetSetup{}, a, "")
		host, _, _ := net.SplitHostPort(listen)
		if l.Listen != "udp://"+listen || l.Host != host || l.Port != a.udp() || a.to() != want {
			t.Errorf("%s: launched at %s, %s:%d, reached by %s", listen, l.Listen, l.Host, l.Port, a.to())
		}
	}
}

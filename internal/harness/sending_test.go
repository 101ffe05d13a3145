package harness

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"floodgate/internal/record"
	"floodgate/internal/target"
	"floodgate/loadgen"
	"floodgate/scenarios"
)

// TestSendersAgree: the loader and the generator have the same rules for what
// goes together, apart, because neither may import the other.
func TestSendersAgree(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("elsewhere the generator can do less")
	}
	accepted := 0
	for _, transport := range []string{"udp", "unixgram", "unixstream", "tcp"} {
		for method, of := range map[string]loadgen.Method{"auto": loadgen.AutoMethod, "batch": loadgen.Batch, "gso": loadgen.GSO, "single": loadgen.Single} {
			for _, full := range []string{"block", "drop"} {
				for _, client := range []string{"", ", client: datadog-go"} {
					sender := fmt.Sprintf("{method: %s, sockets: 2, when_full: %s%s}", method, full, client)
					s, err := scenarios.Parse("", []byte("name: x\ngoal: rss_peak\nload: {schedule: {burst: {count: 1, over: 1s}}, corpus: {packing: {lines: 7}}, transport: "+transport+", sender: "+sender+"}\n"))
					want := loadgen.DialOptions{Method: of, Sockets: 2, DropWhenFull: full == "drop"}
					if client != "" {
						want.Client, want.ClientLines = loadgen.DatadogGo, 7
					}
					if refused := want.Validate(transport); (err != nil) != (refused != nil) {
						t.Errorf("%s, %s: the loader says %v, the generator %v", transport, sender, err, refused)
					}
					if err != nil {
						continue
					}
					accepted++
					if got := dialOptions(s.Load); got != want {
						t.Errorf("%s, %s: %+v, want %+v", transport, sender, got, want)
					}
					if got := newCorpusConfig(s.Load, nil).DatagramLines; (got == 7) != (client == "") {
						t.Errorf("%s, %s: a corpus of %d lines in a datagram; a client packs by itself", transport, sender, got)
					}
					if err := loadFault(&s); err != nil {
						t.Errorf("%s, %s: %v", transport, sender, err)
					}
				}
			}
		}
	}
	if accepted < 15 {
		t.Errorf("only %d were accepted: the rules refuse too much to be tested", accepted)
	}
}

func TestBusiest(t *testing.T) {
	shape := func(text string) loadgen.Schedule {
		s, err := scenarios.Parse("", []byte("name: x\ngoal: rss_peak\nlimits: {lateness_p99: 1s}\nload: {schedule: {"+text+"}}\n"))
		if err != nil {
			t.Fatal(err)
		}
		made, err := newSchedule(s.Load.Schedule)
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	for text, want := range map[string]float64{
		"burst: {count: 300k, over: 3s}":                                      100_000,
		"burst: {count: 1k, over: 20ms}":                                      50_000, // all of it is its busiest
		"all_out: {count: 5k}":                                                50_000, // within the first tenth of a second
		"spike: {base: 10k, peak: 80k, at: 1050ms, lasts: 200ms, for: 3s}":    80_000, // also where windows of 100 ms from the start would cut it
		"repeat: {burst: {count: 1k, over: 10ms}, times: 3, gap: 1s}":         10_000, // a tenth of a second holds one of them
		"ramp: {from: 0, to: 100k, for: 10s}":                                 99_500,
		"sequence: [{idle: {over: 1s}}, {burst: {count: 1k, over: 100ms}}]":   10_000,
		"sum: [{steady: {rate: 1k, for: 2s}}, {steady: {rate: 2k, for: 1s}}]": 3_000,
	} {
		if got := busiest(shape(text)); got < want*0.999 || got > want*1.001+20 {
			t.Errorf("%s: %v messages/s, want %v", text, got, want)
		}
	}
}

// TestCeilingOfALoad: what it is of, and what it has none of.
func TestCeilingOfALoad(t *testing.T) {
	load := scenarios.Default().Load
	load.Schedule = scenarios.Schedule{Count: 500, Over: time.Second}
	schedule, err := newSchedule(load.Schedule)
	if err != nil {
		t.Fatal(err)
	}
	corpus, err := loadgen.NewCorpus(t.Context(), newCorpusConfig(load, schedule))
	if err != nil {
		t.Fatal(err)
	}
	c, err := newCeiling(t.Context(), load, corpus, schedule)
	if err != nil || c == nil || !(c.Datagrams > 0) || c.Messages != c.Datagrams || c.Share != 500/c.Messages {
		t.Errorf("%+v, %v", c, err)
	}
	for why, change := range map[string]func(*scenarios.Load){
		"a unix socket sets the pace itself": func(l *scenarios.Load) { l.Transport = scenarios.Unixgram },
		"so does a client":                   func(l *scenarios.Load) { l.Sender.Client = scenarios.DatadogGo },
	} {
		other := load
		change(&other)
		if c, err := newCeiling(t.Context(), other, corpus, schedule); c != nil || err != nil {
			t.Errorf("%s: %+v, %v", why, c, err)
		}
	}
	if c, err := newCeiling(t.Context(), load, nil, schedule); c != nil || err != nil {
		t.Errorf("an idle load: %+v, %v", c, err)
	}
	cause := errors.New("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if c, err := newCeiling(ctx, load, corpus, schedule); c != nil || !errors.Is(err, cause) {
		t.Errorf("a run that is given up: %+v, %v", c, err)
	}
}

func TestClientFaults(t *testing.T) {
	account := loadgen.ClientStats{Submitted: 100, Written: 90, QueueDropped: 7, WriterDropped: 3}
	if faults := clientFaults(loadgen.Result{Sender: loadgen.SenderStats{Client: account}}); faults != nil {
		t.Errorf("%q", faults)
	}
	account.Written = 88
	if faults := clientFaults(loadgen.Result{Sender: loadgen.SenderStats{Client: account}}); len(faults) != 1 || !strings.Contains(faults[0], "100 against 98, +2 unexplained") {
		t.Errorf("%q, want the two that are missing", faults)
	}
}

// sendsBy is a run of one replicate of a foreign target that counts, whose load
// is sent in another way.
func sendsBy(t *testing.T, transport scenarios.Transport, manners string, sender scenarios.Sender) *record.Record {
	t.Helper()
	config := badlyMannered(t, manners)
	if manners == counting {
		config.Variants = []Variant{foreigner(t, tellsAll)}
		config.Variants[0].Options = target.Options{{Key: mannersVariable, Value: manners}}
	}
	s := &config.Scenarios[0]
	s.Load.Transport, s.Load.Sender = transport, sender
	s.Limits.Drain = 5 * time.Second
	records, err := Run(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	last := records[len(records)-1]
	if last.Invalid != "" {
		t.Fatalf("invalid: %s", last.Invalid)
	}
	return last
}

// TestWaysOfSending: whatever the way, each message has its place in the ledger.
func TestWaysOfSending(t *testing.T) {
	for _, c := range []struct {
		transport scenarios.Transport
		sender    scenarios.Sender
	}{
		{scenarios.Unixgram, scenarios.Sender{Method: scenarios.SendSingle, Sockets: 3}},
		{scenarios.UnixStream, scenarios.Sender{Sockets: 4}},
		{scenarios.UDP, scenarios.Sender{Method: scenarios.SendGSO}},
		{scenarios.Unixgram, scenarios.Sender{Client: scenarios.DatadogGo}},
		{scenarios.UnixStream, scenarios.Sender{Client: scenarios.DatadogGo, Sockets: 2}},
		{scenarios.UDP, scenarios.Sender{Client: scenarios.DatadogGo}},
	} {
		t.Run(string(c.transport)+" "+c.sender.Words(), func(t *testing.T) {
			t.Parallel() // they mostly wait
			rec := sendsBy(t, c.transport, counting, c.sender)
			l, g := rec.Ledger, rec.Generator
			lost := value(l.KernelDropped)
			if l.Offered != 1000 || l.NotSent != 0 || l.Sent+l.GivenUp != 1000 || *l.Aggregated != l.Sent-lost || l.Unaccounted != 0 {
				t.Errorf("ledger %+v", l)
			}
			if (g.Client != nil) != (c.sender.Client != "") || g.Client != nil && (g.Client.Submitted != 1000 || g.Client.Written != l.Sent || g.Client.Payloads == 0) {
				t.Errorf("client %+v", g.Client)
			}
			if (g.Ceiling != nil) != (c.transport == scenarios.UDP && c.sender.Client == "") {
				t.Errorf("ceiling %+v", g.Ceiling)
			}
			if m, measured := rec.Measure("given_up_messages"); !measured || m.Value != float64(l.GivenUp) {
				t.Errorf("given_up_messages %+v", m)
			}
		})
	}
}

// TestFullTargetAndASenderThatDoesNotWait: what finds no room is given up, which
// is neither a fault of the generator nor a loss of the target.
func TestFullTargetAndASenderThatDoesNotWait(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("elsewhere no sender can do that")
	}
	t.Parallel() // it mostly waits
	rec := sendsBy(t, scenarios.Unixgram, "full", scenarios.Sender{WhenFull: scenarios.Drop})
	l := rec.Ledger
	if l.GivenUp == 0 || l.Sent+l.GivenUp != 1000 || l.NotSent != 0 || l.Unattributed != l.Sent || l.Unaccounted != 0 {
		t.Errorf("ledger %+v: want what the socket held sent, and the rest given up", l)
	}
	if rec.Values != nil || rec.Generator.GivenUpDatagrams != l.GivenUp {
		t.Errorf("values %+v of a load that was not sent whole; generator %+v", rec.Values, rec.Generator)
	}
}

func TestAddresses(t *testing.T) {
	for transport, want := range map[scenarios.Transport]string{
		scenarios.UDP: "udp://127.0.0.1:", scenarios.TCP: "tcp://127.0.0.1:", scenarios.Unixgram: "unixgram:///", scenarios.UnixStream: "unixstream:///",
	} {
		a, err := newAddresses(transport, t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		l := Variant{}.launch(scenarios.TargetSetup{}, a, "")
		unix := strings.HasPrefix(want, "unix")
		if !strings.HasPrefix(a.load, want) || l.Listen != a.load || l.Transport != transport || (a.udp() != 0) != (transport == scenarios.UDP) {
			t.Errorf("%s: %+v, launched at %s over %s", transport, a, l.Listen, l.Transport)
		}
		if (l.Socket != "") != unix || (l.Port == 0) != unix || (l.Host == "") != unix || a.own == a.port {
			t.Errorf("%s: %+v", transport, l)
		}
		if bound(a) == nil {
			t.Errorf("%s: nobody listens, and it is taken for bound", transport)
		}
	}
}

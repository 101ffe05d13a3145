package loadgen

import (
	"bytes"
	"context"
	"errors"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

// scripted is a sender that takes what it is told to.
type scripted struct {
	take  func(from, to int) (int, error)
	next  int
	stats SenderStats
}

func (s *scripted) Send(_ *Corpus, from, to int) (int, error) {
	if from != s.next {
		return 0, errors.New("sent out of order")
	}
	s.stats.Calls++
	n, err := s.take(from, to)
	s.next += n
	return n, err
}

func (s *scripted) Stats() SenderStats { return s.stats }
func (s *scripted) Close() error       { return nil }

func takeAll(from, to int) (int, error) { return to - from, nil }

func newGenerator(t testing.TB, c *Corpus, over time.Duration, s Sender) *Generator {
	t.Helper()
	config := DefaultConfig()
	config.Schedule, config.Corpus, config.Sender = Burst{Count: c.Messages(), Over: over}, c, s
	g, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// balanced checks what must hold of every result, however the run ended.
func balanced(t *testing.T, g *Generator, r Result) {
	t.Helper()
	if r.OfferedMessages != r.SentMessages+r.GivenUp+r.NotSent || r.NotSent < 0 {
		t.Errorf("offered %d, sent %d, given up %d, not sent %d", r.OfferedMessages, r.SentMessages, r.GivenUp, r.NotSent)
	}
	if n := r.Lateness.TotalCount() + r.LatenessOverflow; n != r.SentDatagrams+r.Sender.GivenUpDatagrams {
		t.Errorf("%d datagrams sent, %d given up, the lateness of %d recorded", r.SentDatagrams, r.Sender.GivenUpDatagrams, n)
	}
	if p := g.Progress(); p != (Progress{r.OfferedMessages, r.SentMessages, r.SentDatagrams}) {
		t.Errorf("progress %+v after a run of %+v", p, r)
	}
}

func TestRunSendsExactlyTheCorpus(t *testing.T) {
	c := newCorpus(t, mixed(20_000))
	for _, network := range []string{"udp", "unixgram"} {
		t.Run(network, func(t *testing.T) {
			forEachSender(t, func(t *testing.T, dial func(network, address string) Sender) {
				conn, address := receiver(t, network)
				if udp, ok := conn.(*net.UDPConn); ok {
					if err := udp.SetReadBuffer(4 << 20); err != nil {
						t.Fatal(err)
					}
				}
				end := drain(t, conn)
				g := newGenerator(t, c, 50*time.Millisecond, dial(network, address))
				if p := g.Progress(); p != (Progress{}) {
					t.Errorf("progress before the run: %+v", p)
				}
				r, err := g.Run(t.Context(), time.Now())
				if err != nil {
					t.Fatal(err)
				}
				got := end()
				balanced(t, g, r)
				if r.SentMessages != 20_000 || r.NotSent != 0 || r.SentDatagrams != int64(c.Datagrams()) {
					t.Errorf("sent %d messages in %d datagrams, not sent %d", r.SentMessages, r.SentDatagrams, r.NotSent)
				}
				// The last message is due just before 50 ms, and nothing leaves early.
				if due := (Burst{20_000, 50 * time.Millisecond}).Due(19_999); r.LastSent < due {
					t.Errorf("the last datagram left at %v, due at %v", r.LastSent, due)
				}
				if network == "unixgram" && !bytes.Equal(got.bytes, c.bytes) {
					t.Errorf("%d of %d datagrams arrived", len(got.ends), c.Datagrams())
				}
			})
		})
	}
}

// A start that lies an hour back makes everything due, and later than the
// histogram reaches: counted all the same.
func TestRunThatIsHopelesslyLate(t *testing.T) {
	c := newCorpus(t, plain(1_000))
	s := &scripted{take: takeAll}
	g := newGenerator(t, c, time.Second, s)
	// Without a monotonic reading, as if it came from another process.
	r, err := g.Run(t.Context(), time.Now().Add(-time.Hour).Round(0))
	if err != nil {
		t.Fatal(err)
	}
	balanced(t, g, r)
	if r.SentMessages != 1_000 || r.LatenessOverflow != 1_000 || r.Wakeups != 0 {
		t.Errorf("%+v", r)
	}
	if want := int64((1_000 + DefaultMaxBatch - 1) / DefaultMaxBatch); r.Sender.Calls != want {
		t.Errorf("%d batches, want %d", r.Sender.Calls, want)
	}
	if _, err := g.Run(t.Context(), time.Now()); err == nil {
		t.Error("a second run is allowed")
	}
}

// Half an hour into a burst of an hour, half of it is offered; what had left
// when the run was cancelled counts as sent and the rest of that half as not
// sent.
func TestRunCancelledMidway(t *testing.T) {
	c := newCorpus(t, plain(36_000).with(func(c *CorpusConfig) { c.DatagramBytes = 1432 }))
	cause := errors.New("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	s := &scripted{}
	s.take = func(from, to int) (int, error) {
		if from < 500 && to >= 500 {
			cancel(cause)
			return 500 - from, nil
		}
		return to - from, nil
	}
	g := newGenerator(t, c, time.Hour, s)
	r, err := g.Run(ctx, time.Now().Add(-30*time.Minute))
	if !errors.Is(err, cause) {
		t.Fatal(err)
	}
	balanced(t, g, r)
	if r.SentDatagrams != 500 || r.SentMessages != c.MessagesBefore(500) {
		t.Errorf("sent %d messages in %d datagrams, want %d in 500", r.SentMessages, r.SentDatagrams, c.MessagesBefore(500))
	}
	// 10 a second: a minute's worth of room for a machine that is busy.
	if r.OfferedMessages < 18_000 || r.OfferedMessages > 18_600 {
		t.Errorf("%d offered, want 18,000 and a few", r.OfferedMessages)
	}
}

func TestRunCancelledWhileItSleeps(t *testing.T) {
	g := newGenerator(t, newCorpus(t, plain(10)), time.Hour, &scripted{take: takeAll})
	ctx, cancel := context.WithCancel(t.Context())
	stop := time.AfterFunc(time.Millisecond, cancel)
	defer stop.Stop()
	r, err := g.Run(ctx, time.Now().Add(time.Hour))
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	balanced(t, g, r)
	if r.OfferedMessages != 0 || r.SentDatagrams != 0 || r.LastSent != 0 {
		t.Errorf("%+v before the start", r)
	}
}

// impatient gives up as soon as its sender cannot hand everything over.
type impatient struct {
	Sender
	giveUp func()
}

func (s impatient) Send(c *Corpus, from, to int) (int, error) {
	n, err := s.Sender.Send(c, from, to)
	if n < to-from {
		s.giveUp()
	}
	return n, err
}

// A receiver that never has room holds a run up for ever, but not against ctx.
func TestRunAgainstAFullReceiver(t *testing.T) {
	c := newCorpus(t, plain(2_000))
	forEachSender(t, func(t *testing.T, dial func(network, address string) Sender) {
		_, address := receiver(t, "unixgram")
		ctx, cancel := context.WithCancel(t.Context())
		g := newGenerator(t, c, 0, impatient{dial("unixgram", address), cancel})
		r, err := g.Run(ctx, time.Now())
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		balanced(t, g, r)
		if r.OfferedMessages != 2_000 || r.SentMessages == 0 || r.NotSent == 0 || r.Sender.Blocked == 0 || r.Sender.EAGAIN == 0 {
			t.Errorf("%+v", r)
		}
	})
}

func TestRunWhenTheTargetGoes(t *testing.T) {
	c := newCorpus(t, plain(1_000))
	forEachSender(t, func(t *testing.T, dial func(network, address string) Sender) {
		conn, address := receiver(t, "udp")
		conn.Close()
		g := newGenerator(t, c, 0, dial("udp", address))
		r, err := g.Run(t.Context(), time.Now())
		if !errors.Is(err, ErrTargetGone) {
			t.Fatal(err)
		}
		balanced(t, g, r)
		if r.OfferedMessages != 1_000 || r.NotSent < 990 || r.Sender.Refused != 1 {
			t.Errorf("%+v", r)
		}
	})
}

func TestRunOfAnIdleStretch(t *testing.T) {
	g := newGenerator(t, newCorpus(t, plain(0)), 5*time.Millisecond, &scripted{take: takeAll})
	start := time.Now()
	r, err := g.Run(t.Context(), start)
	if err != nil || r.OfferedMessages != 0 || r.Sender.Calls != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if time.Since(start) < 5*time.Millisecond {
		t.Error("over before its end")
	}
	balanced(t, g, r)
}

func TestConfigValidate(t *testing.T) {
	c := newCorpus(t, plain(10))
	check := func(want string, change func(*Config)) {
		t.Helper()
		config := DefaultConfig()
		config.Schedule, config.Corpus, config.Sender = Burst{Count: 10}, c, &scripted{}
		change(&config)
		if _, err := New(config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	check("all needed", func(c *Config) { c.Schedule = nil })
	check("all needed", func(c *Config) { c.Corpus = nil })
	check("all needed", func(c *Config) { c.Sender = nil })
	check("schedule has 9 messages and the corpus 10", func(c *Config) { c.Schedule = Burst{Count: 9} })
	check("Quantum is -1ns", func(c *Config) { c.Quantum = -1 })
	check("MaxBatch is 0", func(c *Config) { c.MaxBatch = 0 })
}

// What the garbage collector would clean up in a burst, it would clean up at
// the burst's expense.
func TestRunAllocatesNothingPerMessage(t *testing.T) {
	c := newCorpus(t, plain(20_000))
	_, address := receiver(t, "udp") // never read: the kernel drops what does not fit
	s := senders["system"](t, "udp", address)
	defer s.Close()
	g := newGenerator(t, c, 20*time.Millisecond, s)
	var before, after runtime.MemStats
	ctx := t.Context()
	runtime.ReadMemStats(&before)
	r, err := g.Run(ctx, time.Now())
	runtime.ReadMemStats(&after)
	if err != nil || r.SentMessages != 20_000 {
		t.Fatalf("%+v, %v", r, err)
	}
	if n := after.Mallocs - before.Mallocs; n > 50 {
		t.Errorf("%d allocations in a run of 20,000 messages", n)
	}
}

package loadgen

import (
	"bytes"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"floodgate/internal/dogstatsd"
)

// everyKind is what functions of a client can send: every kind, one value each.
func everyKind(messages int64) CorpusConfig {
	c := mixed(messages)
	c.SampledShare, c.PackedValues = 0, 1
	return c
}

func dialClient(t *testing.T, network, address string, options DialOptions) Sender {
	t.Helper()
	options.Client = DatadogGo
	s, err := Dial(t.Context(), network, address, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	clients := []Sender{s}
	if many, ok := s.(*manySender); ok {
		clients = many.senders
	}
	for _, c := range clients {
		if w := c.(*clientSender).writer; w.patience > 0 {
			w.patience = time.Minute // a busy machine is no reason to drop here
		}
	}
	return s
}

// canonical are messages as they mean: a client writes timers with decimals.
func canonical(t *testing.T, messages []byte) []string {
	t.Helper()
	var all []string
	for len(messages) > 0 {
		var line []byte
		line, messages = dogstatsd.CutLine(messages)
		if len(line) == 0 {
			continue // the client ends a payload with a line end
		}
		text := string(line)
		if value, rest, found := strings.Cut(text, "|ms"); found {
			text = strings.TrimSuffix(value, ".000000") + "|ms" + rest
		}
		all = append(all, text)
	}
	slices.Sort(all)
	return all
}

// Through the functions of the client the target gets the messages of the
// corpus, each once, in payloads that the client packs.
func TestClientSendsTheMessages(t *testing.T) {
	c := newCorpus(t, everyKind(20_000))
	for _, network := range []string{Unixgram, UnixStream} {
		t.Run(network, func(t *testing.T) {
			var read func() received
			var address string
			if network == Unixgram {
				var conn net.PacketConn
				conn, address = receiver(t, network)
				read = drain(t, conn)
			} else {
				var listener net.Listener
				listener, address = listenStream(t, network)
				done := make(chan received, 1)
				go func() {
					conn, err := listener.Accept()
					if err != nil {
						close(done)
						return
					}
					defer conn.Close()
					got, _ := readFrames(network, conn)
					done <- got
				}()
				read = func() received { return <-done }
			}
			s := dialClient(t, network, address, DialOptions{})
			g := newGenerator(t, c, 200*time.Millisecond, s)
			r, err := g.Run(t.Context(), time.Now())
			if err != nil {
				t.Fatal(err)
			}
			s.Close()
			got := read()
			if r.SentMessages != 20_000 || r.GivenUp != 0 || r.NotSent != 0 {
				t.Fatalf("%+v", r)
			}
			if r.SentDatagrams != int64(len(got.ends)) || r.Sender.Client.Payloads != r.SentDatagrams {
				t.Errorf("%d payloads arrived, %d are counted, %d by the client", len(got.ends), r.SentDatagrams, r.Sender.Client.Payloads)
			}
			var want, have []byte
			for k := range c.Datagrams() {
				want = append(append(want, c.Datagram(k)...), '\n')
			}
			begin := uint64(0)
			for _, end := range got.ends {
				have = append(append(have, got.bytes[begin:end]...), '\n')
				begin = end
			}
			if !slices.Equal(canonical(t, have), canonical(t, want)) {
				t.Errorf("%d bytes arrived that mean something else", len(have))
			}
		})
	}
}

// A client whose receiver has no room drops, and says what: every message is
// either written or in one of its counters, and none is counted as not sent.
func TestClientDropsAreAccounted(t *testing.T) {
	c := newCorpus(t, plain(20_000))
	_, address := receiver(t, Unixgram) // never read
	s := dialClient(t, Unixgram, address, DialOptions{ClientLines: 1})
	s.(*clientSender).writer.patience = 50 * time.Microsecond // the flush waits for each that is queued
	g := newGenerator(t, c, 0, s)
	r, err := g.Run(t.Context(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	cl := r.Sender.Client
	if cl.Submitted != 20_000 || cl.Submitted != cl.Written+cl.QueueDropped+cl.WriterDropped {
		t.Errorf("%+v does not add up", cl)
	}
	if cl.Written == 0 || cl.QueueDropped == 0 || cl.WriterDropped == 0 || r.Sender.EAGAIN == 0 || r.Sender.Blocked == 0 {
		t.Errorf("%+v: want some of each", r.Sender)
	}
	// With one message in each payload its own counters say the same.
	if cl.Payloads != cl.Written || cl.PayloadsQueueDropped != cl.QueueDropped || cl.PayloadsWriterDropped != cl.WriterDropped {
		t.Errorf("%+v: its telemetry says something else", cl)
	}
	if r.SentMessages != cl.Written || r.GivenUp != cl.QueueDropped+cl.WriterDropped || r.NotSent != 0 || r.OfferedMessages != 20_000 {
		t.Errorf("%+v", r)
	}
}

func TestClientWhoseTargetGoes(t *testing.T) {
	c := newCorpus(t, plain(1_000))
	conn, address := receiver(t, Unixgram)
	s := dialClient(t, Unixgram, address, DialOptions{ClientLines: 1})
	conn.Close()
	ended := false
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline) && !ended; {
		_, err := s.Send(c, 0, 10)
		ended = err != nil && strings.Contains(err.Error(), ErrTargetGone.Error())
	}
	if !ended || s.Stats().Refused == 0 {
		t.Errorf("never noticed: %+v", s.Stats())
	}
}

func TestClientRefusesWhatItCannotSend(t *testing.T) {
	_, address := receiver(t, UDP)
	for want, change := range map[string]func(*CorpusConfig){
		"sample rate":   func(c *CorpusConfig) { c.SampledShare, c.SampleRate = 1, 0.5 },
		"packed values": func(c *CorpusConfig) { c.PackedValues = 2 },
	} {
		config := DefaultConfig()
		config.Corpus = newCorpus(t, plain(10).with(change))
		config.Schedule, config.Sender = Burst{Count: 10}, dialClient(t, UDP, address, DialOptions{Sockets: 2})
		if _, err := New(config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	t.Setenv("DD_ENV", "prod")
	if _, err := Dial(t.Context(), UDP, address, DialOptions{Client: DatadogGo}); err == nil || !strings.Contains(err.Error(), "DD_ENV is set") {
		t.Errorf("%v", err)
	}
}

// Several clients share the messages as several sockets do.
func TestManyClients(t *testing.T) {
	c := newCorpus(t, plain(2_000))
	conn, address := receiver(t, Unixgram)
	read := drain(t, conn)
	s := dialClient(t, Unixgram, address, DialOptions{Sockets: 3})
	r, err := newGenerator(t, c, 20*time.Millisecond, s).Run(t.Context(), time.Now())
	if err != nil || r.SentMessages != 2_000 || r.Sender.Client.Submitted != 2_000 {
		t.Fatalf("%+v, %v", r, err)
	}
	got := read()
	if n := bytes.Count(got.bytes, []byte("|c|")); n != 2_000 {
		t.Errorf("%d messages arrived", n)
	}
}

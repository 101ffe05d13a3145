package loadgen

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// senders are the ways of sending that must all behave alike.
var senders = map[string]func(t testing.TB, network, address string) Sender{
	"system": func(t testing.TB, network, address string) Sender {
		s, err := Dial(t.Context(), network, address, DialOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	},
	"portable": func(t testing.TB, network, address string) Sender {
		conn, err := dial(t.Context(), network, address, DialOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return &connSender{conn: conn, name: network + "://" + address}
	},
}

func forEachSender(t *testing.T, test func(t *testing.T, dial func(network, address string) Sender)) {
	for name, dial := range senders {
		t.Run(name, func(t *testing.T) {
			test(t, func(network, address string) Sender {
				s := dial(t, network, address)
				t.Cleanup(func() { s.Close() })
				return s
			})
		})
	}
}

// receiver is a bound socket that nobody reads yet.
func receiver(t testing.TB, network string) (conn net.PacketConn, address string) {
	t.Helper()
	address = "127.0.0.1:0"
	if network == "unixgram" {
		address = filepath.Join(t.TempDir(), "s")
	}
	conn, err := net.ListenPacket(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn, conn.LocalAddr().String()
}

// received is everything that drain read, with the boundaries.
type received struct {
	bytes []byte
	ends  []uint64
}

// drain reads conn until the datagram "end" comes, which send in its turn
// repeats until it has: a datagram may be lost, this one like any other.
func drain(t testing.TB, conn net.PacketConn) (end func() received) {
	t.Helper()
	done := make(chan received, 1)
	go func() {
		var r received
		buf := make([]byte, maxDatagram)
		for {
			n, _, err := conn.ReadFrom(buf)
			if err != nil || string(buf[:n]) == "end" {
				done <- r
				return
			}
			r.bytes = append(r.bytes, buf[:n]...)
			r.ends = append(r.ends, uint64(len(r.bytes)))
		}
	}()
	return func() received {
		t.Helper()
		addr := conn.LocalAddr()
		out, err := net.Dial(addr.Network(), addr.String())
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		for {
			if _, err := out.Write([]byte("end")); err != nil {
				t.Fatal(err)
			}
			select {
			case r := <-done:
				return r
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
}

// sendAll sends the whole corpus, however often the receiver has no room.
func sendAll(t testing.TB, s Sender, c *Corpus) {
	t.Helper()
	for next := 0; next < c.Datagrams(); {
		n, err := s.Send(c, next, c.Datagrams())
		if err != nil {
			t.Fatal(err)
		}
		next += n
	}
}

// A unix socket loses nothing, so what arrives must be the corpus, byte for
// byte and boundary for boundary.
func TestUnixgramIsLossless(t *testing.T) {
	c := newCorpus(t, mixed(20_000))
	forEachSender(t, func(t *testing.T, dial func(network, address string) Sender) {
		conn, address := receiver(t, "unixgram")
		end := drain(t, conn)
		s := dial("unixgram", address)
		sendAll(t, s, c)
		got := end()
		if sha256.Sum256(got.bytes) != sha256.Sum256(c.bytes) || len(got.ends) != c.Datagrams() {
			t.Errorf("%d bytes in %d datagrams arrived, %d in %d were sent", len(got.bytes), len(got.ends), c.Bytes(), c.Datagrams())
		}
		for k, e := range got.ends {
			if e != c.ends[k] {
				t.Fatalf("datagram %d ends at %d, not %d", k, e, c.ends[k])
			}
		}
		if s.Stats().Calls == 0 {
			t.Error("no calls are counted")
		}
	})
}

// UDP may lose datagrams but not reorder or change them: what arrives must be
// the corpus with gaps.
func TestUDPArrivesInOrder(t *testing.T) {
	c := newCorpus(t, plain(20_000))
	forEachSender(t, func(t *testing.T, dial func(network, address string) Sender) {
		conn, address := receiver(t, "udp")
		if err := conn.(*net.UDPConn).SetReadBuffer(4 << 20); err != nil {
			t.Fatal(err)
		}
		end := drain(t, conn)
		sendAll(t, dial("udp", address), c)
		got := end()
		if len(got.ends) == 0 {
			t.Fatal("nothing arrived")
		}
		k, begin := 0, uint64(0)
		for i, e := range got.ends {
			for k < c.Datagrams() && !bytes.Equal(c.Datagram(k), got.bytes[begin:e]) {
				k++
			}
			if k == c.Datagrams() {
				t.Fatalf("datagram %d that arrived was not sent, or not in this order", i)
			}
			k, begin = k+1, e
		}
	})
}

// A receiver that does not read blocks the sender, but never for long: it comes
// back with what was taken, and nothing is lost or sent twice when it goes on.
func TestFullReceiverBlocksForAWhile(t *testing.T) {
	c := newCorpus(t, plain(2_000))
	forEachSender(t, func(t *testing.T, dial func(network, address string) Sender) {
		conn, address := receiver(t, "unixgram")
		s := dial("unixgram", address)
		n, err := s.Send(c, 0, c.Datagrams())
		if err != nil || n == 0 || n == c.Datagrams() {
			t.Fatalf("%d of %d sent to a socket that nobody reads, %v", n, c.Datagrams(), err)
		}
		if st := s.Stats(); st.EAGAIN == 0 || st.Blocked == 0 || st.Refused != 0 {
			t.Errorf("%+v", st)
		}
		end := drain(t, conn)
		for n < c.Datagrams() {
			more, err := s.Send(c, n, c.Datagrams())
			if err != nil {
				t.Fatal(err)
			}
			n += more
		}
		if got := end(); !bytes.Equal(got.bytes, c.bytes) {
			t.Errorf("%d datagrams arrived, %d were sent", len(got.ends), c.Datagrams())
		}
	})
}

// A UDP socket learns that nobody receives only from the datagrams before, and
// a batch of them must not swallow that.
func TestTargetGone(t *testing.T) {
	c := newCorpus(t, plain(1_000))
	for _, network := range []string{"udp", "unixgram"} {
		t.Run(network, func(t *testing.T) {
			forEachSender(t, func(t *testing.T, dial func(network, address string) Sender) {
				conn, address := receiver(t, network)
				s := dial(network, address)
				if n, err := s.Send(c, 0, 5); n != 5 || err != nil {
					t.Fatalf("%d sent while the target was there, %v", n, err)
				}
				conn.Close()
				n, err := s.Send(c, 5, c.Datagrams())
				if !errors.Is(err, ErrTargetGone) {
					t.Fatalf("%d sent, %v, want %v", n, err, ErrTargetGone)
				}
				if n > 10 {
					t.Errorf("%d datagrams went nowhere before it was noticed", n)
				}
				if st := s.Stats(); st.Refused != 1 {
					t.Errorf("%+v", st)
				}
			})
		})
	}
}

func TestSendOfTooLongADatagram(t *testing.T) {
	// Longer than the send buffer of a unix socket, but not than UDP allows.
	c := newCorpus(t, plain(1).with(func(c *CorpusConfig) { c.PackedValues = maxValues }))
	conn, address := receiver(t, "unixgram")
	defer conn.Close()
	s := senders["portable"](t, "unixgram", address)
	defer s.Close()
	if err := s.(*connSender).conn.(*net.UnixConn).SetWriteBuffer(4096); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Send(c, 0, 1); n != 0 || err == nil || errors.Is(err, ErrTargetGone) {
		t.Errorf("%d sent, %v", n, err)
	}
}

func TestDialRefuses(t *testing.T) {
	check := func(network, address, want string) {
		t.Helper()
		s, err := Dial(t.Context(), network, address, DialOptions{})
		if err == nil {
			s.Close()
			t.Errorf("%s://%s is accepted", network, address)
		} else if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), address) {
			t.Errorf("%s://%s: %v", network, address, err)
		}
	}
	check("udp", "192.0.2.1:8125", "another machine")
	check("udp", "0.0.0.0:8125", "another machine") // many, rather
	check("udp", ":8125", "want a host and a port")
	check("udp", "127.0.0.1:0", "want a host and a port")
	check("udp", "127.0.0.1", "missing port")
	check("unixgram", filepath.Join(t.TempDir(), "none"), "no such file")
	check("tcp", "192.0.2.1:8125", "another machine")
	check("tcp", ":8125", "want a host and a port")
	check("unixstream", filepath.Join(t.TempDir(), "none"), "no such file")
	check("sctp", "127.0.0.1:8125", "want udp, unixgram, unixstream or tcp")

	// Reserved for documentation: allowed to be dialled, never answered.
	s, err := Dial(t.Context(), "udp", "192.0.2.1:8125", DialOptions{AllowRemote: true})
	if err != nil {
		t.Skipf("no route to other machines here: %v", err)
	}
	s.Close()
}

// TestDialEndsWithItsContext: a machine that never answers would be waited for
// minutes.
func TestDialEndsWithItsContext(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s, err := Dial(ctx, TCP, listener.Addr().String(), DialOptions{})
	if err == nil {
		s.Close()
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want that the context has ended", err)
	}
}

func TestSplitURL(t *testing.T) {
	check := func(url, network, address string) {
		t.Helper()
		n, a, err := SplitURL(url)
		if n != network || a != address || (err == nil) != (network != "") {
			t.Errorf("%q: %q, %q, %v", url, n, a, err)
		}
	}
	check("udp://127.0.0.1:8125", "udp", "127.0.0.1:8125")
	check("udp://[::1]:8125", "udp", "[::1]:8125")
	check("unixgram:///var/run/x.sock", "unixgram", "/var/run/x.sock")
	check("unixstream:///var/run/x.sock", "unixstream", "/var/run/x.sock")
	check("tcp://127.0.0.1:8125", "tcp", "127.0.0.1:8125")
	check("unix:///var/run/x.sock", "", "")
	check("127.0.0.1:8125", "", "")
	check("http://127.0.0.1:8125", "", "")
	check("udp://", "", "")
}

func TestDialOptionsThatDoNotFit(t *testing.T) {
	for _, test := range []struct {
		network string
		options DialOptions
		want    string
	}{
		{UDP, DialOptions{Method: "io_uring"}, `method "io_uring" is unknown`},
		{UDP, DialOptions{Client: "statsd.js"}, `client "statsd.js" is unknown`},
		{UDP, DialOptions{Sockets: -1}, "-1 sockets: want 1 to 1024"},
		{TCP, DialOptions{Method: Single}, "tcp is a stream"},
		{Unixgram, DialOptions{Method: GSO}, "gso is for udp"},
		{UDP, DialOptions{Method: Single, DropWhenFull: true}, "can drop when full"},
		{UDP, DialOptions{ClientLines: 1}, "needs a client"},
		{TCP, DialOptions{Client: DatadogGo}, "has no tcp"},
		{UDP, DialOptions{Client: DatadogGo, Method: Single}, "a way of its own"},
		{UDP, DialOptions{Client: DatadogGo, ClientBytes: maxDatagram + 1}, "up to 65507 bytes"},
	} {
		s, err := Dial(t.Context(), test.network, "127.0.0.1:8125", test.options)
		if err == nil {
			s.Close()
			t.Errorf("%s with %+v is accepted", test.network, test.options)
		} else if !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s with %+v: %v, want %q", test.network, test.options, err, test.want)
		}
	}
}

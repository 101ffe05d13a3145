package loadgen

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// streams are the ways of writing to a stream that must all behave alike.
var streams = map[string]func(t testing.TB, network, address string, options DialOptions) Sender{
	"system": func(t testing.TB, network, address string, options DialOptions) Sender {
		s, err := Dial(t.Context(), network, address, options)
		if err != nil {
			t.Fatal(err)
		}
		return s
	},
	"portable": func(t testing.TB, network, address string, options DialOptions) Sender {
		conn, err := dial(t.Context(), network, address, options)
		if err != nil {
			t.Fatal(err)
		}
		return frames(&connStream{conn: conn, name: network}, network, options)
	},
}

func forEachStream(t *testing.T, test func(t *testing.T, network string, dial func(address string) Sender)) {
	for _, network := range []string{UnixStream, TCP} {
		for name, dial := range streams {
			t.Run(network+"/"+name, func(t *testing.T) {
				test(t, network, func(address string) Sender {
					s := dial(t, network, address, DialOptions{})
					t.Cleanup(func() { s.Close() })
					return s
				})
			})
		}
	}
}

// listenStream listens on a socket that nobody accepts from yet.
func listenStream(t testing.TB, network string) (listener net.Listener, address string) {
	t.Helper()
	family, address := "tcp", "127.0.0.1:0"
	if network == UnixStream {
		family, address = "unix", filepath.Join(t.TempDir(), "s")
	}
	listener, err := net.Listen(family, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener, listener.Addr().String()
}

func accept(t testing.TB, listener net.Listener) net.Conn {
	t.Helper()
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// readFrames reads frames as a server does until the stream ends. A stream of
// lines has one per message, so they are not told apart by datagram.
func readFrames(network string, conn io.Reader) (got received, err error) {
	r := bufio.NewReader(conn)
	for {
		if network == TCP {
			line, err := r.ReadBytes('\n')
			if err != nil {
				return got, err
			}
			got.bytes = append(got.bytes, line...)
			continue
		}
		var header [4]byte
		if _, err := io.ReadFull(r, header[:]); err != nil {
			return got, err
		}
		frame := make([]byte, binary.LittleEndian.Uint32(header[:]))
		if _, err := io.ReadFull(r, frame); err != nil {
			return got, err
		}
		got.bytes = append(got.bytes, frame...)
		got.ends = append(got.ends, uint64(len(got.bytes)))
	}
}

// checkArrived compares what a stream brought with the corpus.
func checkArrived(t *testing.T, network string, c *Corpus, got received) {
	t.Helper()
	var want received
	for k := range c.Datagrams() {
		want.bytes = append(want.bytes, c.Datagram(k)...)
		if network == TCP {
			want.bytes = append(want.bytes, '\n')
		} else {
			want.ends = append(want.ends, uint64(len(want.bytes)))
		}
	}
	if !bytes.Equal(got.bytes, want.bytes) {
		t.Fatalf("%d bytes arrived, %d were sent, or others", len(got.bytes), len(want.bytes))
	}
	for k, end := range want.ends {
		if got.ends[k] != end {
			t.Fatalf("frame %d ends at %d, not %d", k, got.ends[k], end)
		}
	}
}

// A stream loses nothing and keeps its frames whole, however slowly its
// receiver reads: the sender comes back while it has no room, and what was
// begun is finished later.
func TestStreamsAreLossless(t *testing.T) {
	c := newCorpus(t, mixed(60_000)) // some MB: more than any socket buffers
	forEachStream(t, func(t *testing.T, network string, dial func(string) Sender) {
		listener, address := listenStream(t, network)
		s := dial(address)
		conn := accept(t, listener)
		sent, err := s.Send(c, 0, c.Datagrams())
		if err != nil || sent == 0 || sent == c.Datagrams() {
			t.Fatalf("%d of %d sent to a socket that nobody reads, %v", sent, c.Datagrams(), err)
		}
		if st := s.Stats(); st.EAGAIN == 0 || st.Blocked == 0 || st.Refused != 0 || st.GivenUpDatagrams != 0 {
			t.Errorf("%+v", st)
		}
		done := make(chan received, 1)
		go func() {
			got, _ := readFrames(network, conn)
			done <- got
		}()
		for sent < c.Datagrams() {
			n, err := s.Send(c, sent, c.Datagrams())
			if err != nil {
				t.Fatal(err)
			}
			sent += n
		}
		s.Close()
		checkArrived(t, network, c, <-done)
	})
}

func TestStreamWhoseReceiverGoes(t *testing.T) {
	c := newCorpus(t, plain(10_000))
	forEachStream(t, func(t *testing.T, network string, dial func(string) Sender) {
		listener, address := listenStream(t, network)
		s := dial(address)
		accept(t, listener).Close()
		deadline := time.Now().Add(10 * time.Second)
		for time.Now().Before(deadline) {
			n, err := s.Send(c, 0, 1) // TCP learns of it only by an answer
			if err == nil && n == 1 {
				continue
			}
			if !errors.Is(err, ErrTargetGone) || s.Stats().Refused != 1 {
				t.Errorf("%d sent, %v, %+v", n, err, s.Stats())
			}
			return
		}
		t.Error("never noticed")
	})
}

// The rest of a frame must come before anything else, so a sender that is told
// to send another datagram first has lost count.
func TestStreamRefusesToTearAFrame(t *testing.T) {
	c := newCorpus(t, plain(100_000))
	listener, address := listenStream(t, UnixStream)
	s := streams["portable"](t, UnixStream, address, DialOptions{}).(*streamSender)
	defer s.Close()
	conn := accept(t, listener)
	sent, err := s.Send(c, 0, c.Datagrams())
	if err != nil {
		t.Fatal(err)
	}
	s.begun, s.at = max(s.begun, 1), sent // whether it fell into a frame is up to the kernel
	if n, err := s.Send(c, sent+1, c.Datagrams()); n != 0 || err == nil {
		t.Errorf("%d sent, %v", n, err)
	}
	conn.Close()
}

// scriptedStream takes as many bytes as it is told to, of one call each.
type scriptedStream struct {
	takes []int
	got   []byte
	waits []bool
	stats SenderStats
}

func (s *scriptedStream) take(b []byte, wait bool, _ time.Time) (int, error) {
	n := len(b)
	if len(s.takes) > 0 {
		n = min(n, s.takes[0])
		s.takes = s.takes[1:]
	}
	s.got = append(s.got, b[:n]...)
	s.waits = append(s.waits, wait)
	return n, nil
}

func (s *scriptedStream) counted() *SenderStats { return &s.stats }
func (s *scriptedStream) close() error          { return nil }

// Wherever a stream stops taking, the bytes that arrive are the frames of the
// datagrams that count as sent, and nothing else.
func TestStreamStopsAnywhere(t *testing.T) {
	c := newCorpus(t, plain(5))
	var whole []byte
	ends := make([]int, c.Datagrams())
	for k := range c.Datagrams() {
		whole = append(binary.LittleEndian.AppendUint32(whole, uint32(len(c.Datagram(k)))), c.Datagram(k)...)
		ends[k] = len(whole)
	}
	for cut := range len(whole) {
		script := &scriptedStream{takes: []int{cut, 0}}
		s := frames(script, UnixStream, DialOptions{})
		first, err := s.Send(c, 0, 5)
		complete := 0
		for complete < 5 && ends[complete] <= cut {
			complete++
		}
		if err != nil || first != complete {
			t.Fatalf("cut at %d: %d sent, want %d, %v", cut, first, complete, err)
		}
		for next := first; next < 5; {
			n, err := s.Send(c, next, 5)
			if err != nil {
				t.Fatal(err)
			}
			next += n
		}
		if !bytes.Equal(script.got, whole) {
			t.Fatalf("cut at %d: %q", cut, script.got)
		}
	}
}

// A sender that drops when full gives up a frame only as long as none of it was
// taken; what was begun it waits for.
func TestStreamThatDropsWhenFull(t *testing.T) {
	c := newCorpus(t, plain(5))
	length := func(k int) int { return 4 + len(c.Datagram(k)) }
	for _, test := range []struct {
		why   string
		takes []int
		want  []int // the datagrams that arrive
		waits []bool
	}{
		{"room for all", nil, []int{0, 1, 2, 3, 4}, []bool{false}},
		{"no room at first", []int{0, 0}, []int{2, 3, 4}, []bool{false, false, false, false}},
		{"room for one and a bit: the second is finished", []int{length(0) + 1}, []int{0, 1, 2, 3, 4}, []bool{false, true, false}},
		{"room for one, exactly", []int{length(0)}, []int{0, 2, 3, 4}, []bool{false, false, false}},
	} {
		script := &scriptedStream{takes: test.takes}
		s := frames(script, UnixStream, DialOptions{DropWhenFull: true})
		n, err := s.Send(c, 0, 5)
		if n != 5 || err != nil {
			t.Errorf("%s: %d dealt with, %v", test.why, n, err)
		}
		var want []byte
		for _, k := range test.want {
			want = append(binary.LittleEndian.AppendUint32(want, uint32(len(c.Datagram(k)))), c.Datagram(k)...)
		}
		if !bytes.Equal(script.got, want) {
			t.Errorf("%s: %q arrived", test.why, script.got)
		}
		if st, lost := s.Stats(), int64(5-len(test.want)); st.GivenUpDatagrams != lost || st.GivenUpMessages != lost {
			t.Errorf("%s: %+v", test.why, st)
		}
		for i, wait := range script.waits {
			if i < len(test.waits) && wait != test.waits[i] {
				t.Errorf("%s: waits %v, want %v", test.why, script.waits, test.waits)
				break
			}
		}
	}
}

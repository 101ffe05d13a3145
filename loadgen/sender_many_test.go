package loadgen

import (
	"bytes"
	"errors"
	"testing"
)

// Each socket carries the same datagrams in every run, in order, however the
// generator cuts up the load; together they carry all of it, once.
func TestManySocketsShareTheLoad(t *testing.T) {
	c := newCorpus(t, plain(1_000))
	for _, step := range []int{1, 7, 64, 1_000} {
		var carried [3][]int
		m := &manySender{}
		for i := range carried {
			s := &noting{send: func(from, to int) (int, error) {
				for k := from; k < to; k++ {
					carried[i] = append(carried[i], k)
				}
				return to - from, nil
			}}
			m.senders = append(m.senders, s)
		}
		for from := 0; from < c.Datagrams(); from += step {
			to := min(from+step, c.Datagrams())
			if n, err := m.Send(c, from, to); n != to-from || err != nil {
				t.Fatalf("%d of %d sent, %v", n, to-from, err)
			}
		}
		next := 0
		for k := range c.Datagrams() {
			mine := &carried[k/spread%len(carried)]
			if len(*mine) == 0 || (*mine)[0] != k {
				t.Fatalf("steps of %d: datagram %d does not leave through socket %d", step, k, k/spread%len(carried))
			}
			*mine = (*mine)[1:]
			next++
		}
		for i, rest := range carried {
			if len(rest) > 0 {
				t.Errorf("steps of %d: socket %d has %d datagrams more", step, i, len(rest))
			}
		}
	}
}

// noting is a sender that is told what to send.
type noting struct {
	send  func(from, to int) (int, error)
	stats SenderStats
}

func (s *noting) Send(_ *Corpus, from, to int) (int, error) {
	s.stats.Calls++
	return s.send(from, to)
}
func (s *noting) Stats() SenderStats { return s.stats }
func (s *noting) Close() error       { return nil }

// A socket without room holds up the others, because what is left out would be
// lost; an error counts what left before it.
func TestManySocketsStopWhereOneDoes(t *testing.T) {
	c := newCorpus(t, plain(100))
	all := &noting{send: takeAll}
	failure := errors.New("failed")
	for _, err := range []error{nil, failure} {
		some := &noting{send: func(int, int) (int, error) { return 3, err }}
		m := &manySender{senders: []Sender{all, some}}
		if n, got := m.Send(c, 0, 100); n != spread+3 || !errors.Is(got, err) {
			t.Errorf("%d sent, %v; want %d, %v", n, got, spread+3, err)
		}
	}
	m := &manySender{senders: []Sender{all, all}}
	if sum := m.Stats().Calls; sum != 2*all.stats.Calls {
		t.Errorf("%d calls in all, want twice %d", sum, all.stats.Calls)
	}
}

// Over real sockets: nothing is lost, and there are as many clients as were
// asked for.
func TestManyStreams(t *testing.T) {
	c := newCorpus(t, plain(5_000))
	listener, address := listenStream(t, UnixStream)
	s, err := Dial(t.Context(), UnixStream, address, DialOptions{Sockets: 4})
	if err != nil {
		t.Fatal(err)
	}
	arrived := make(chan received, 4)
	for range 4 {
		conn := accept(t, listener)
		go func() {
			got, _ := readFrames(UnixStream, conn)
			arrived <- got
		}()
	}
	sendAll(t, s, c)
	s.Close()
	sum := 0
	for range 4 {
		got := <-arrived
		if !bytes.Contains(got.bytes, []byte("|c")) {
			t.Error("a client sent nothing")
		}
		sum += len(got.bytes)
	}
	if sum != int(c.Bytes()) {
		t.Errorf("%d bytes arrived, want %d", sum, c.Bytes())
	}
}

// What does not fit is refused before a socket is left open.
func TestManySocketsOrNone(t *testing.T) {
	if s, err := Dial(t.Context(), UnixStream, t.TempDir()+"/none", DialOptions{Sockets: 4}); err == nil {
		s.Close()
		t.Error("four sockets to nobody")
	}
}

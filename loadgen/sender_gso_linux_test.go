package loadgen

import (
	"bytes"
	"net"
	"testing"
	"time"
)

// sized is a corpus whose datagrams have the given lengths.
func sized(lengths ...int) *Corpus {
	c := &Corpus{config: CorpusConfig{Messages: int64(len(lengths))}}
	for k, n := range lengths {
		c.bytes = append(c.bytes, bytes.Repeat([]byte{byte('a' + k%26)}, n)...)
		c.ends = append(c.ends, uint64(len(c.bytes)))
	}
	return c
}

func repeat(n, length int) []int {
	lengths := make([]int, n)
	for i := range lengths {
		lengths[i] = length
	}
	return lengths
}

func TestRunsOfEqualLength(t *testing.T) {
	for _, test := range []struct {
		why     string
		lengths []int
		want    int
	}{
		{"one", []int{10}, 1},
		{"equal ones", []int{10, 10, 10}, 3},
		{"the last may be shorter", []int{10, 10, 7}, 3},
		{"and ends the run, even for its like", []int{10, 7, 7}, 2},
		{"a longer one is not part of it", []int{10, 10, 11}, 2},
		{"as many as fit into one datagram", repeat(3, 30_000), 2},
		{"as many as are asked for", repeat(500, 10), 500},
	} {
		c := sized(test.lengths...)
		n, length := run(c, 0, c.Datagrams())
		sum := 0
		for _, l := range test.lengths[:n] {
			sum += l
		}
		if n != test.want || length != sum {
			t.Errorf("%s: %d datagrams of %d bytes, want %d of %d", test.why, n, length, test.want, sum)
		}
	}
}

// newGSO is a sender with GSO to a socket with room, or the test is left out
// where the kernel has none.
func newGSO(t testing.TB) (s *batchSender, conn net.PacketConn) {
	t.Helper()
	conn, address := receiver(t, UDP)
	if err := conn.(*net.UDPConn).SetReadBuffer(4 << 20); err != nil {
		t.Fatal(err)
	}
	sender, err := Dial(t.Context(), UDP, address, DialOptions{Method: GSO})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sender.Close() })
	s = sender.(*batchSender)
	if s.segments == 1 {
		t.Skip("this kernel has no UDP_SEGMENT")
	}
	return s, conn
}

// A receiver that knows nothing of GSO sees the datagrams of the corpus, with
// their boundaries, whatever their lengths.
func TestGSOArrivesAsDatagrams(t *testing.T) {
	for why, test := range map[string]struct {
		lengths   []int
		segmented int64
	}{
		"equal, more than one write takes":  {repeat(300, 100), 300},
		"equal, longer than one write":      {repeat(100, 1432), 100},
		"unequal: no two can leave at once": {[]int{10, 11, 12, 13}, 0},
		"mixed: 10 10 9, 20, 30 30 5, 5":    {[]int{10, 10, 9, 20, 30, 30, 5, 5}, 6},
		"40k, 40k 100, 100":                 {[]int{40_000, 40_000, 100, 100}, 2},
		"the largest there is":              {[]int{maxDatagram, maxDatagram}, 0},
		"shrinking, pair by pair":           {[]int{40, 39, 38, 37}, 4},
	} {
		t.Run(why, func(t *testing.T) {
			s, conn := newGSO(t)
			c := sized(test.lengths...)
			if n, err := s.Send(c, 0, c.Datagrams()); n != c.Datagrams() || err != nil {
				t.Fatalf("%d sent, %v", n, err)
			}
			buf := make([]byte, maxDatagram)
			for k := range c.Datagrams() {
				n, _, err := conn.ReadFrom(buf)
				if err != nil || !bytes.Equal(buf[:n], c.Datagram(k)) {
					t.Fatalf("datagram %d arrives with %d bytes, not %d, %v", k, n, len(c.Datagram(k)), err)
				}
			}
			if st := s.Stats(); st.Segmented != test.segmented || st.Calls != 1 {
				t.Errorf("%d datagrams in runs, want %d; %d calls", st.Segmented, test.segmented, st.Calls)
			}
		})
	}
}

// Where the kernel takes fewer in a run than this one, or none, the sender finds
// out and goes on.
func TestGSOFallsBack(t *testing.T) {
	s, conn := newGSO(t)
	s.segments = 1000 // more than any kernel takes
	c := sized(repeat(200, 50)...)
	if n, err := s.Send(c, 0, 200); n != 200 || err != nil {
		t.Fatalf("%d sent, %v", n, err)
	}
	buf := make([]byte, 100)
	for range 200 {
		if n, _, err := conn.ReadFrom(buf); n != 50 || err != nil {
			t.Fatalf("%d bytes arrived, %v", n, err)
		}
	}
	if s.segments != maxSegmentsOld {
		t.Errorf("runs of %d after one of 200 was refused, want %d", s.segments, maxSegmentsOld)
	}
}

func TestWithoutGSONoDatagramsAreJoined(t *testing.T) {
	_, address := receiver(t, UDP)
	s, err := Dial(t.Context(), UDP, address, DialOptions{Method: Batch})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c := sized(repeat(100, 50)...)
	sendAll(t, s, c)
	if st := s.Stats(); st.Segmented != 0 || st.Calls != 2 {
		t.Errorf("%+v", st)
	}
}

// A client that must not hold up its program gives up what there is no room
// for; what it counts and what arrives is all there was.
func TestUnixgramThatDropsWhenFull(t *testing.T) {
	c := newCorpus(t, plain(2_000).with(func(c *CorpusConfig) { c.DatagramBytes = 1432 }))
	conn, address := receiver(t, Unixgram)
	s, err := Dial(t.Context(), Unixgram, address, DialOptions{DropWhenFull: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	g := newGenerator(t, c, 0, s)
	r, err := g.Run(t.Context(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	balanced(t, g, r)
	st := r.Sender
	if r.SentMessages == 0 || r.GivenUp == 0 || r.NotSent != 0 || r.GivenUp != st.GivenUpMessages || st.EAGAIN == 0 || st.Blocked != 0 {
		t.Fatalf("%+v", r)
	}
	// The queue of a unix socket holds what it took first.
	end := drain(t, conn)
	if got := end(); int64(len(got.ends)) != r.SentDatagrams || !bytes.Equal(got.bytes, c.bytes[:len(got.bytes)]) {
		t.Errorf("%d datagrams arrived, %d count as sent", len(got.ends), r.SentDatagrams)
	}
}

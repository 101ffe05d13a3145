package server

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"floodgate/internal/payload"
	"floodgate/server/forward"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// intake collects the sums of what a server uploads, per series.
type intake struct {
	*httptest.Server
	mu     sync.Mutex
	sums   map[string]float64
	points map[string]int // by series and time
	status int            // answered to uploads; 0 is 202
}

func newIntake(t *testing.T) *intake {
	in := &intake{sums: map[string]float64{}, points: map[string]int{}}
	in.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in.mu.Lock()
		defer in.mu.Unlock()
		if in.status != 0 {
			w.WriteHeader(in.status)
			return
		}
		encoding := r.Header.Get("Content-Encoding")
		if encoding == "" {
			encoding = payload.Identity
		}
		body, err := payload.NewReader(encoding, r.Body, 1<<30)
		if err != nil {
			t.Error(err)
			return
		}
		defer body.Close()
		if _, err := payload.DecodeSeries(body, func(s *payload.Series) error {
			for _, p := range s.Points {
				key := s.Metric + "|" + strings.Join(s.Tags, ",")
				in.sums[key] += p.Value
				in.points[fmt.Sprintf("%s|%d", key, p.Timestamp)]++
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
		w.WriteHeader(http.StatusAccepted)
		io.WriteString(w, `{"errors":[]}`)
	}))
	t.Cleanup(in.Close)
	return in
}

func (in *intake) total() map[string]float64 {
	in.mu.Lock()
	defer in.mu.Unlock()
	return maps.Clone(in.sums)
}

// testConfig listens on a unix socket, where a blocking sender loses nothing.
func testConfig(t *testing.T, in *intake) Config {
	c := Default()
	c.Forward.Format = forward.JSON
	c.Listen = []string{"unixgram://" + filepath.Join(t.TempDir(), "s")}
	c.Forward.URL = in.URL
	c.Forward.RetryFor = 0
	c.Aggregate.Interval = 100 * time.Millisecond
	return c
}

// start runs a server and returns it with what stops it and waits.
func start(t *testing.T, c Config) (*Server, func()) {
	t.Helper()
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return s, stop
}

func dial(t *testing.T, s *Server) net.Conn { return dialTo(t, s, 0) }

func dialTo(t *testing.T, s *Server, listener int) net.Conn {
	t.Helper()
	addr := s.Addrs()[listener]
	conn, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// eventually polls until the condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("never happened: %s", what)
		}
	}
}

func balance(t *testing.T, st Statistics) {
	t.Helper()
	if st.Received != st.Aggregated+st.QueueDropped+st.Malformed+st.Truncated+st.Rejected+st.ShutdownDropped {
		t.Errorf("received does not balance: %+v", st)
	}
	if st.Aggregated != st.Uploaded+st.UploadFailed || st.Pending != 0 {
		t.Errorf("aggregated does not balance: %+v", st)
	}
}

// TestModesAgree is metamorphic: the same unhurried corpus gives the same
// totals whatever the reader and the flush, also when buckets are cut in the
// middle of it.
func TestModesAgree(t *testing.T) {
	const datagrams = 400
	corpus := func(send func([]byte)) {
		rng := rand.New(rand.NewPCG(1, 1))
		for d := range datagrams {
			var b []byte
			for range 20 {
				k := rng.IntN(300)
				switch k % 4 {
				case 0:
					b = fmt.Appendf(b, "s.%d:m%d-%d|s|#a:%d\n", k, d, rng.IntN(1e9), k%3)
				case 1:
					b = fmt.Appendf(b, "h.%d:%d|h|@0.5|#b:1,a:%d\n", k, rng.IntN(100), k%3)
				default:
					b = fmt.Appendf(b, "c.%d:%d|c|#a:%d\n", k, rng.IntN(100), k%3)
				}
			}
			send(b)
		}
	}
	var want map[string]float64
	for _, reader := range []Reader{Coupled, Decoupled} {
		for _, flush := range []Flush{Sync, AsyncCopy, Async} {
			t.Run(string(reader)+","+string(flush), func(t *testing.T) {
				in := newIntake(t)
				c := testConfig(t, in)
				c.Reader, c.Flush = reader, flush
				s, stop := start(t, c)
				conn := dial(t, s)
				n := 0
				corpus(func(b []byte) {
					if _, err := conn.Write(b); err != nil {
						t.Fatal(err)
					}
					// Unhurried: a third of the way, wait for a flush.
					if n++; n%(datagrams/3) == 0 {
						before := s.Statistics().Flushes
						eventually(t, "a flush", func() bool { return s.Statistics().Flushes > before })
					}
				})
				eventually(t, "everything was read", func() bool { return s.Statistics().Received == 20*datagrams })
				stop()
				st := s.Statistics()
				balance(t, st)
				if st.Uploaded != 20*datagrams {
					t.Errorf("uploaded %d, want %d", st.Uploaded, 20*datagrams)
				}
				got := in.total()
				// What is no sum depends on where the buckets end.
				for _, suffix := range []string{".min", ".max", ".avg", ".median", ".95percentile"} {
					maps.DeleteFunc(got, func(key string, _ float64) bool { return strings.Contains(key, suffix+"|") })
				}
				if want == nil {
					want = got
				}
				if !maps.Equal(got, want) {
					t.Errorf("%d series, not the same as the %d of coupled,sync", len(got), len(want))
				}
			})
		}
	}
}

// TestStopDrains: what the kernel holds when the server is told to stop is
// still read, aggregated and uploaded.
func TestStopDrains(t *testing.T) {
	for _, reader := range []Reader{Coupled, Decoupled} {
		t.Run(string(reader), func(t *testing.T) {
			in := newIntake(t)
			c := testConfig(t, in)
			c.Listen = []string{"udp://127.0.0.1:0"}
			c.Reader = reader
			c.ReceiveBuffer = 4 << 20
			c.Aggregate.Interval = time.Hour // only the stop flushes
			s, err := New(c)
			if err != nil {
				t.Fatal(err)
			}
			// Everything is sent before the server runs, so all of it is backlog.
			conn := dial(t, s)
			for range 1000 {
				if _, err := conn.Write([]byte("a:1|c\nb:1|c")); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := s.Run(ctx); err != nil {
				t.Fatal(err)
			}
			balance(t, s.Statistics())
			if got := in.total(); got["a|"] != 1000 || got["b|"] != 1000 {
				t.Errorf("intake has %v, want 1000 of each", got)
			}
		})
	}
}

// TestStopUnderTraffic: senders who go on do not keep the server from stopping,
// nor from uploading what it took.
func TestStopUnderTraffic(t *testing.T) {
	for _, listen := range []string{"udp://127.0.0.1:0", "unixstream://" + filepath.Join(t.TempDir(), "s")} {
		t.Run(strings.SplitN(listen, ":", 2)[0], func(t *testing.T) {
			in := newIntake(t)
			c := testConfig(t, in)
			c.Listen = []string{listen}
			s, stop := start(t, c)
			conn := dial(t, s)
			var sender sync.WaitGroup
			sending, end := context.WithCancel(t.Context())
			sender.Go(func() {
				for sending.Err() == nil {
					conn.SetWriteDeadline(time.Now().Add(time.Second))
					if _, err := conn.Write(frame("a:1|c\n")); err != nil {
						return // the server is gone
					}
				}
			})
			eventually(t, "traffic", func() bool { return s.Statistics().Datagrams > 100 })
			stop() // while it goes on
			end()
			sender.Wait()
			st := s.Statistics()
			balance(t, st)
			if st.UploadFailed != 0 || st.Uploaded == 0 {
				t.Errorf("uploaded %d, failed %d: the stop left no time", st.Uploaded, st.UploadFailed)
			}
		})
	}
}

// TestFullQueueCounts: a processor that stands still (its upload blocks, the
// flush being sync) makes the queue overflow, and every message is accounted
// for.
func TestFullQueueCounts(t *testing.T) {
	in := newIntake(t)
	c := testConfig(t, in)
	c.Flush, c.QueueSize = Sync, 8
	s, stop := start(t, c)
	conn := dial(t, s)
	write := func() {
		if _, err := conn.Write([]byte("a:1|c\n\nb:1|c\n")); err != nil {
			t.Fatal(err)
		}
	}
	in.mu.Lock() // the intake stands still
	write()
	sent := 2
	eventually(t, "the queue overflows", func() bool {
		write()
		sent += 2
		return s.Statistics().QueueDropped > 0
	})
	in.mu.Unlock()
	stop()
	st := s.Statistics()
	balance(t, st)
	if st.Received != int64(sent) || st.QueueDropped == 0 || st.QueueDropped%2 != 0 {
		t.Errorf("received %d of %d, queue_dropped %d", st.Received, sent, st.QueueDropped)
	}
	if got := in.total(); got["a|"]+got["b|"] != float64(st.Aggregated) {
		t.Errorf("intake has %v, want %d together", got, st.Aggregated)
	}
	if st.QueuePeak != 8 {
		t.Errorf("queue peak %d, want its size of 8", st.QueuePeak)
	}
}

// frame is messages as a stream carries them.
func frame(messages string) []byte {
	return append(binary.LittleEndian.AppendUint32(nil, uint32(len(messages))), messages...)
}

// TestSocketsAreMerged: the same contextKey over every kind of socket at once
// leaves as one series with one point per bucket.
func TestSocketsAreMerged(t *testing.T) {
	for _, flush := range []Flush{Sync, AsyncCopy, Async} {
		t.Run(string(flush), func(t *testing.T) {
			in := newIntake(t)
			c := testConfig(t, in)
			dir := t.TempDir()
			c.Listen = []string{"unixstream://" + dir + "/s", "udp://127.0.0.1:0", "unixgram://" + dir + "/g"}
			if probe, err := net.ListenPacket("udp", "[::1]:0"); err == nil { // a host may have no IPv6
				probe.Close()
				c.Listen = append(c.Listen, "udp://[::1]:0")
			}
			c.Flush = flush
			c.Aggregate.Interval = time.Second
			s, stop := start(t, c)
			const each = 50
			var conns []net.Conn
			for i := range c.Listen {
				conns = append(conns, dialTo(t, s, i))
			}
			n := float64(len(conns))
			for k := range each {
				for i, conn := range conns {
					messages := fmt.Appendf(nil, "a:1|c|#x\nset:%d|s\nown.%d:1|c", k, i)
					if i == 0 {
						messages = frame(string(messages))
					}
					if _, err := conn.Write(messages); err != nil {
						t.Fatal(err)
					}
				}
			}
			eventually(t, "everything was read", func() bool { return s.Statistics().Received == int64(3*n*each) })
			stop()
			balance(t, s.Statistics())
			got := in.total()
			if got["a|x"] != n*each || got["own.0|"] != each || got["own.2|"] != each {
				t.Errorf("intake has %v", got)
			}
			for point, n := range in.points {
				if n > 1 {
					t.Errorf("%s came %d times: the sockets were not merged", point, n)
				}
			}
		})
	}
}

func TestStream(t *testing.T) {
	for _, reader := range []Reader{Coupled, Decoupled} {
		t.Run(string(reader), func(t *testing.T) {
			in := newIntake(t)
			c := testConfig(t, in)
			c.Listen = []string{"unixstream://" + filepath.Join(t.TempDir(), "s")}
			c.Reader, c.BufferSize, c.QueueSize = reader, 64, 4
			s, stop := start(t, c)
			good, partly, long, empty := dial(t, s), dial(t, s), dial(t, s), dial(t, s)
			whole := bytes.Repeat(frame("a:1|c\na:1|c\n"), 1000) // more than slots: the client waits
			go good.Write(whole)
			partly.Write(frame("b:1|c")[:3])
			partly.Write(append(frame("b:1|c")[3:], frame("b:1|c")...)) // frames need not come in one piece
			long.Write(frame(strings.Repeat("x", 65)))
			empty.Write(append(frame("c:1|c"), 0, 0, 0, 0))
			for _, conn := range []net.Conn{long, empty} {
				if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil {
					t.Errorf("a connection with a bad frame was not closed: %d bytes, %v", n, err)
				}
			}
			eventually(t, "all frames were read", func() bool { return s.Statistics().Received == 2003 })
			stop()
			st := s.Statistics()
			balance(t, st)
			if st.BadFrames != 2 || st.QueueDropped != 0 {
				t.Errorf("%d bad frames and %d dropped, want 2 and 0", st.BadFrames, st.QueueDropped)
			}
			if got := in.total(); got["a|"] != 2000 || got["b|"] != 2 || got["c|"] != 1 {
				t.Errorf("intake has %v", got)
			}
		})
	}
}

func TestTruncatedDatagram(t *testing.T) {
	in := newIntake(t)
	c := testConfig(t, in)
	c.BufferSize = 64
	s, stop := start(t, c)
	conn := dial(t, s)
	line := "name.of.twenty.bytes:1234567|c\n" // 31 bytes: two fit, the third is cut
	if _, err := conn.Write([]byte(strings.Repeat(line, 3))); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it was read", func() bool { return s.Statistics().Received == 3 })
	stop()
	st := s.Statistics()
	balance(t, st)
	if st.Truncated != 1 || st.Aggregated != 2 {
		t.Errorf("truncated %d and aggregated %d, want 1 and 2", st.Truncated, st.Aggregated)
	}
}

func TestRefusedUploadIsCounted(t *testing.T) {
	in := newIntake(t)
	in.status = http.StatusForbidden
	s, stop := start(t, testConfig(t, in))
	conn := dial(t, s)
	if _, err := conn.Write([]byte("a:1|c\nb:1|ms\n")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it was read", func() bool { return s.Statistics().Received == 2 })
	stop()
	st := s.Statistics()
	balance(t, st)
	if st.UploadFailed != 2 || st.BatchesFailed == 0 {
		t.Errorf("upload_failed %d, want 2: %+v", st.UploadFailed, st)
	}
}

func TestStatisticsEndpoint(t *testing.T) {
	in := newIntake(t)
	s, _ := start(t, testConfig(t, in))
	endpoint := httptest.NewServer(s.Handler())
	defer endpoint.Close()
	get := func(path string) string {
		resp, err := http.Get(endpoint.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	var st Statistics
	if err := json.Unmarshal([]byte(get("/stats")), &st); err != nil || st.Reader != Decoupled {
		t.Errorf("/stats: %+v, %v", st, err)
	}
	if text := get("/metrics"); !strings.Contains(text, "refserver_received_total 0\n") {
		t.Errorf("/metrics lacks refserver_received_total:\n%s", text)
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestConfigFaults(t *testing.T) {
	c := Default()
	c.Forward.URL = "ftp://x"
	c.Listen = []string{"tcp://127.0.0.1:1", "udp://127.0.0.1"}
	c.Reader, c.Flush, c.QueueSize, c.BufferSize = "x", "y", 0, 1
	err := c.Validate()
	if err == nil {
		t.Fatal("taken for valid")
	}
	for _, want := range []string{"tcp://127.0.0.1:1", "udp://127.0.0.1\"", "coupled or decoupled", "sync, async-copy or async", "queue size is 0", "buffer size is 1", "ftp://x"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the faults do not name %s:\n%v", want, err)
		}
	}
}

func TestStaleSocketIsReplacedButAFileIsNot(t *testing.T) {
	in := newIntake(t)
	c := testConfig(t, in)
	path := strings.TrimPrefix(c.Listen[0], "unixgram://")
	stale, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	stale.Close()
	if _, err := os.Lstat(path); err != nil {
		// Some systems remove it at close; make one that stays.
		t.Log("no stale socket to replace")
	}
	_, stop := start(t, c)
	stop()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket was left behind: %v", err)
	}
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(c); err == nil {
		t.Error("a file that is no socket was taken over")
	}
}

package server

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
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
	return s, startBound(t, s)
}

func startBound(t *testing.T, s *Server) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
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

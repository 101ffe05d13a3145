package servertest

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"floodgate/internal/intake"
	"floodgate/internal/target"
)

// limit is how long the suite waits for what must happen.
const limit = 15 * time.Second

// atItsEnd is a flush interval that does not pass while a test runs: all that
// arrives does so because the target has ended, and in one bucket.
const atItsEnd = time.Hour

// session is one target from its start to its end.
type session struct {
	t         *testing.T
	suite     *suite
	endpoints Endpoints
	sink      *Sink
	client    http.Client
	conn      net.Conn
	stop      func()
	// What was sent.
	datagrams, messages int64
}

// open starts a target on free ports and waits until it is ready. The folder of
// its files is not that of the test, whose name may be too long for a socket.
func (s *suite) open(t *testing.T, interval time.Duration, faults intake.Faults) *session {
	t.Helper()
	sink := NewSink(t, faults)
	return s.openAt(t, interval, sink, sink.URL())
}

// openAt is open with an intake behind another URL than its own.
func (s *suite) openAt(t *testing.T, interval time.Duration, sink *Sink, intakeURL string) *session {
	t.Helper()
	dir, err := os.MkdirTemp("", "target")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	listen := s.scheme + "://" + filepath.Join(dir, "s")
	if s.scheme == "udp" {
		listen = "udp://" + freeAddress(t, "udp")
	}
	o := &session{
		t: t, suite: s, sink: sink, client: http.Client{Timeout: limit, Transport: &http.Transport{DisableKeepAlives: true}},
		endpoints: Endpoints{Listen: listen, Intake: intakeURL, Stats: freeAddress(t, "tcp"), StatsFile: filepath.Join(dir, "stats.json"), FlushInterval: interval},
	}
	o.stop = sync.OnceFunc(s.start(t, o.endpoints))
	t.Cleanup(o.stop)
	o.eventually("GET /stats is answered with 200 and a JSON object", func() error {
		_, err := o.ask()
		return err
	})
	o.conn = o.dial()
	return o
}

func freeAddress(t *testing.T, network string) string {
	t.Helper()
	port, err := target.FreePort("127.0.0.1", network)
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

// eventually polls until the condition has no more objection.
func (o *session) eventually(what string, condition func() error) {
	o.t.Helper()
	deadline, again := time.NewTimer(limit), time.NewTicker(2*time.Millisecond)
	defer deadline.Stop()
	defer again.Stop()
	for err := condition(); err != nil; err = condition() {
		select {
		case <-again.C:
		case <-deadline.C:
			o.t.Fatalf("never happened: %s: %v", what, err)
		}
	}
}

// dial opens a connection to the target's socket, which ends with the test.
func (o *session) dial() net.Conn {
	o.t.Helper()
	u, err := url.Parse(o.endpoints.Listen)
	if err != nil {
		o.t.Fatal(err)
	}
	network, address := u.Scheme, u.Path
	switch u.Scheme {
	case "udp":
		address = u.Host
	case "unixstream":
		network = "unix"
	}
	conn, err := net.Dial(network, address)
	if err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() { conn.Close() })
	conn.SetWriteDeadline(time.Now().Add(limit))
	return conn
}

// send sends datagrams, or frames where the socket is a stream.
func (o *session) send(datagrams ...string) {
	o.t.Helper()
	for _, d := range datagrams {
		b := []byte(d)
		if o.suite.stream() {
			b = frame(d)
		}
		_, err := o.conn.Write(b)
		for len(b) == 0 && errors.Is(err, syscall.EAGAIN) {
			// Go waits for room in a full socket only when there is something to write.
			time.Sleep(time.Millisecond)
			_, err = o.conn.Write(b)
		}
		if err != nil {
			o.t.Fatal(err)
		}
		o.datagrams++
		o.messages += messagesIn(d)
	}
}

// frame is messages as a stream carries them: four bytes of length,
// little-endian, in front.
func frame(messages string) []byte {
	return append(binary.LittleEndian.AppendUint32(nil, uint32(len(messages))), messages...)
}

// statistics is an answer of /stats, or the final statistics.
type statistics map[string]json.RawMessage

func parseStatistics(text []byte) (statistics, error) {
	var s statistics
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("cannot read the statistics: %w", err)
	}
	return s, nil
}

// number returns a field, 0 when there is none or it is no number: verify tells
// that.
func (s statistics) number(name string) int64 {
	n, _ := strconv.ParseInt(string(s[name]), 10, 64)
	return n
}

// ask gets the statistics.
func (o *session) ask() (statistics, error) {
	resp, err := o.client.Get("http://" + o.endpoints.Stats + "/stats")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("/stats answered with %s, want 200", resp.Status)
	}
	return parseStatistics(body)
}

// settle waits until the target has read all that was sent and knows what
// became of it, where it tells, and returns the statistics. A target that does
// not tell reads the rest when it is stopped.
func (o *session) settle() statistics {
	o.t.Helper()
	if o.suite.claims.missing(Statistics) != "" {
		return nil
	}
	var s statistics
	o.eventually(fmt.Sprintf("%d messages were received and are accounted for", o.messages), func() (err error) {
		if s, err = o.ask(); err != nil {
			return err
		}
		if received := s.number("received"); received < o.messages || accounted(s) < received {
			return fmt.Errorf("received is %d, of which %d are accounted for", received, accounted(s))
		}
		return nil
	})
	return s
}

// accounted is the sum of all that a received message can become.
func accounted(s statistics) int64 {
	var n int64
	for _, name := range []string{"aggregated", "queue_dropped", "malformed", "truncated", "rejected", "shutdown_dropped"} {
		n += s.number(name)
	}
	return n
}

// final stops the target and returns its final statistics, nil where it claims
// none.
func (o *session) final() statistics {
	o.t.Helper()
	o.stop()
	if o.suite.claims.missing(FinalStatistics) != "" {
		return nil
	}
	text, err := os.ReadFile(o.endpoints.StatsFile)
	if err != nil {
		o.t.Fatalf("cannot read the final statistics: %v", err)
	}
	s, err := parseStatistics(text)
	if err != nil {
		o.t.Fatal(err)
	}
	return s
}

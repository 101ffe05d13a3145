package intake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"floodgate/internal/payload"
)

func TestDefaultIsValid(t *testing.T) {
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
}

func TestValidateNamesEveryFault(t *testing.T) {
	err := Config{
		Listen: "nowhere", SpoolBytes: -1, SpillBytes: -1,
		Sinks: Sinks{
			Graphite: "nowhere", OTLPGRPC: "4317", Mapping: "etsi",
			Scrape: Scrape{URL: "localhost:9102"}, Files: []File{{Lines: LinesInflux}, {Path: "x", Lines: "csv"}},
		},
		Faults: Faults{Latency: -1, LatencyShape: "normal", ErrorRate: 1.5, ErrorStatus: 200, ResetRate: -1, OutageFrom: 2, OutageTo: 1, SlowRead: -1},
	}.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	for _, name := range []string{
		"listen", "spool bytes", "spill bytes", "max body bytes", "max decoded bytes", "max line bytes", "max connections",
		"graphite", "OTLP gRPC", "mapping", "scrape is", "scrape interval", "max scrape bytes", "a file to follow", `lines of "x"`,
		"latency is", "latency has", "error rate", "error status", "reset rate", "outage", "slow reads",
	} {
		if !strings.Contains(err.Error(), "intake: "+name) {
			t.Errorf("%s is not named in:\n%v", name, err)
		}
	}
	if _, err := New(Config{}); err == nil {
		t.Error("New takes an invalid config")
	}
}

func TestNewSaysWhenTheAddressIsTaken(t *testing.T) {
	c := run(t, nil)
	config := Default()
	config.Listen = c.listener.Addr().String()
	if _, err := New(config); err == nil || !strings.Contains(err.Error(), "cannot open the intake: ") {
		t.Errorf("got %v", err)
	}
}

func TestFaultsOverTheWire(t *testing.T) {
	tests := []struct {
		name   string
		faults Faults
		status int
		struck Struck
	}{
		{"errors", Faults{ErrorRate: 1, ErrorStatus: 429}, 429, Struck{Uploads: 3, Errors: 3}},
		{"outage, which hides errors", Faults{OutageTo: time.Hour, ErrorRate: 1, ErrorStatus: 429}, 503, Struck{Uploads: 3, Outage: 3}},
		{"latency alone", Faults{Latency: time.Millisecond}, 202, Struck{Uploads: 3, Delayed: 3}},
	}
	for _, test := range tests {
		c := run(t, func(config *Config) { config.Faults = test.faults })
		upload := body(t, payload.Gzip, 1000)
		for range 3 {
			if status, text := c.post(t, PathSeries, upload, "Content-Encoding", payload.Gzip, HeaderKey, "k"); status != test.status {
				t.Errorf("%s: %d %s, want %d", test.name, status, text, test.status)
			}
		}
		want := Activity{Refused: 3}
		if test.status == 202 {
			want = Activity{Requests: 1, Duplicates: 2, Bytes: int64(len(upload))}
		}
		activity(t, c, want)
		struck := c.Activity().Struck
		if diff := cmp.Diff(test.struck, struck, cmpopts.IgnoreFields(Struck{}, "Last")); diff != "" || struck.Last.IsZero() {
			t.Errorf("%s: the last at %v, -want +got:\n%s", test.name, struck.Last, diff)
		}
		if warnings := c.Warnings(); len(warnings) != 0 {
			t.Errorf("%s: faults on purpose are no warning: %q", test.name, warnings)
		}
		if status, _ := c.post(t, PathValidate, nil); status != http.StatusOK {
			t.Errorf("%s: validate answers %d, but faults are for uploads", test.name, status)
		}
	}
}

// TestFaultsInTime calls the handler without sockets, on a synthetic clock.
func TestFaultsInTime(t *testing.T) {
	config := Default()
	config.Faults = Faults{Latency: 3 * time.Second, OutageFrom: 10 * time.Second, OutageTo: 20 * time.Second}
	upload := body(t, payload.Identity, 1)
	synctest.Test(t, func(t *testing.T) {
		sink := &Intake{config: config, created: time.Now(), spool: spool{memoryLimit: 1 << 20}}
		post := func(ctx context.Context) int {
			answer := httptest.NewRecorder()
			request := httptest.NewRequestWithContext(ctx, http.MethodPost, PathSeries, bytes.NewReader(upload))
			request.Header.Set("Content-Type", "application/json")
			sink.serve(answer, request)
			return answer.Code
		}
		// Before they begin, the faults spare what comes.
		began := time.Now().Add(time.Second)
		for range 2 {
			if got := post(t.Context()); got != http.StatusAccepted || sink.Activity().Struck != (Struck{}) {
				t.Fatalf("before the faults: %d, %+v", got, sink.Activity().Struck)
			}
			sink.BeginFaults(began)
		}
		for time.Now().Before(began) {
			time.Sleep(time.Until(began))
		}
		for arrival := time.Duration(0); arrival < 24*time.Second; arrival += 3 * time.Second {
			if got := time.Since(began); got != arrival {
				t.Fatalf("at %v, want %v: each upload takes just the latency", got, arrival)
			}
			want := http.StatusAccepted
			if arrival >= 10*time.Second && arrival < 20*time.Second {
				want = http.StatusServiceUnavailable
			}
			if got := post(t.Context()); got != want {
				t.Errorf("arrival at %v: %d, want %d", arrival, got, want)
			}
			if last := sink.Activity().Struck.Last; !last.Equal(began.Add(arrival)) {
				t.Errorf("the last upload came at %v, want %v", last.Sub(began), arrival)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		before := time.Now()
		if got := post(ctx); got != http.StatusServiceUnavailable || time.Since(before) != time.Second {
			t.Errorf("stopped while it waited: %d after %v, want 503 at once, after 1s", got, time.Since(before))
		}
		struck := sink.Activity().Struck
		if struck.Last = (time.Time{}); struck != (Struck{Uploads: 9, Delayed: 9, Outage: 3}) {
			t.Errorf("%+v: what was cut short is refused by nothing that was asked for", struck)
		}
	})
}

func TestStop(t *testing.T) {
	c := run(t, func(config *Config) { config.Faults.Latency = time.Hour })
	answered := make(chan int)
	go func() {
		status, _ := c.post(t, PathSeries, body(t, payload.Identity, 1))
		answered <- status
	}()
	for c.Activity().Struck.Uploads == 0 {
		time.Sleep(time.Millisecond) // polls until the upload waits in the handler
	}
	go c.stop()
	if got := <-answered; got != http.StatusServiceUnavailable {
		t.Errorf("an upload under way when the intake stops: %d, want 503", got)
	}
	c.stop()
	if _, err := net.Dial("tcp", c.listener.Addr().String()); err == nil {
		t.Error("the address still answers after Run has returned")
	}
	if err := c.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "ran before") {
		t.Errorf("a second Run: %v", err)
	}
}

// TestStopCutsOffAnUploadThatHangs: its handler has ended, with all that it
// counts, when Run returns.
func TestStopCutsOffAnUploadThatHangs(t *testing.T) {
	c := run(t, nil)
	conn, err := net.Dial("tcp", c.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\nhalf", PathSeries)
	for c.Activity().Struck.Uploads == 0 {
		time.Sleep(time.Millisecond) // polls until the handler waits for the rest
	}
	c.stop()
	activity(t, c, Activity{Refused: 1})
}

// TestConnectionsFollowOneAnother: each one that closes makes room for the next.
func TestConnectionsFollowOneAnother(t *testing.T) {
	c := run(t, func(config *Config) { config.MaxConnections = 1 })
	upload := body(t, payload.Identity, 1)
	for range 3 {
		if status, text := c.post(t, PathSeries, upload); status != http.StatusAccepted {
			t.Errorf("%d %s", status, text)
		}
		c.http.CloseIdleConnections()
	}
	if got := c.Activity(); got.Connections != 3 || got.Requests != 3 {
		t.Errorf("activity %+v, want 3 connections and requests", got)
	}
}

func TestStopKeepsWhatWasTaken(t *testing.T) {
	c := run(t, func(config *Config) { config.SpoolBytes = 0 })
	c.post(t, PathSeries, body(t, payload.Zstd, 7), "Content-Encoding", payload.Zstd)
	c.stop()
	if got := c.totals(t).OfType(payload.Count).Sum; got != 7 {
		t.Errorf("sum %v after Run, want 7", got)
	}
}

func TestRunWithAnEndedContextGivesTheAddressBack(t *testing.T) {
	sink, err := New(Default())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := sink.Run(ctx); err != nil {
		t.Error(err)
	}
	listener, err := net.Listen("tcp", sink.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
}

func TestRunReportsAFailedListener(t *testing.T) {
	sink, err := New(Default())
	if err != nil {
		t.Fatal(err)
	}
	_ = sink.listener.Listener.Close()
	if err := sink.Run(t.Context()); !errors.Is(err, net.ErrClosed) || !strings.Contains(err.Error(), "cannot serve the intake on 127.0.0.1:") {
		t.Errorf("got %v", err)
	}
}

// endless is a listener that always has a connection waiting.
type endless struct{ net.Listener }

func (endless) Accept() (net.Conn, error) { return nil, nil }
func (endless) Close() error              { return nil }

// broken is a listener that never has one.
type broken struct{ net.Listener }

func (broken) Accept() (net.Conn, error) { return nil, errors.New("no more files") }

func TestBoundedListenerKeepsItsRoomWhenAcceptFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		listener := newBoundedListener(broken{}, 1)
		for range 3 { // would stand still for ever on the second
			if _, err := listener.Accept(); err == nil {
				t.Error("no error")
			}
		}
	})
}

func TestBoundedListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		listener := newBoundedListener(endless{}, 2)
		accepted, ended := 0, false
		go func() {
			for {
				if _, err := listener.Accept(); err != nil {
					ended = errors.Is(err, net.ErrClosed)
					return
				}
				accepted++
			}
		}()
		for want := 2; want < 5; want++ {
			synctest.Wait()
			if accepted != want {
				t.Fatalf("%d accepted, want %d: two at a time and one more for each that has gone", accepted, want)
			}
			listener.release()
		}
		_ = listener.Close()
		synctest.Wait()
		if !ended {
			t.Error("Accept does not end with the listener")
		}
	})
}

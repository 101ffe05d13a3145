package servertest

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"floodgate/internal/dogstatsd"
)

// fault is the environment variable that says what is wrong with the foreign
// target.
const fault = "FOREIGN_TARGET_FAULT"

// foreign is a target that has nothing in common with the reference server: it
// sums counters that come over UDP, and tells nothing about itself.
type foreign struct {
	mu    sync.Mutex
	sums  map[string]float64
	conn  *net.UDPConn
	url   string
	fault string
}

func (f *foreign) read() {
	buffer := make([]byte, 8192)
	for {
		n, err := f.conn.Read(buffer)
		if err != nil {
			return
		}
		if n == 0 && f.fault == "ends at an empty datagram" {
			return
		}
		for _, line := range strings.Split(string(buffer[:n]), "\n") {
			if f.fault != "keeps carriage returns" {
				line = strings.TrimSuffix(line, "\r")
			}
			name, rest, _ := strings.Cut(line, ":")
			if value, isCount := strings.CutSuffix(rest, "|c"); isCount {
				x, _ := strconv.ParseFloat(value, 64)
				f.mu.Lock()
				f.sums[name] += x
				f.mu.Unlock()
			}
		}
	}
}

func (f *foreign) flush() {
	f.mu.Lock()
	sums := f.sums
	f.sums = map[string]float64{}
	f.mu.Unlock()
	var all []string
	for name, sum := range sums {
		all = append(all, fmt.Sprintf(`{"metric":%q,"type":2,"interval":10,"points":[{"timestamp":%d,"value":%v}]}`, name, time.Now().Unix(), sum/10))
	}
	if all != nil {
		resp, err := http.Post(f.url+"/api/v2/series", "application/json", bytes.NewBufferString(`{"series":[`+strings.Join(all, ",")+`]}`))
		if err == nil {
			resp.Body.Close()
		}
	}
}

// startForeign is a Start.
func startForeign(t *testing.T, e Endpoints) func() {
	u, err := url.Parse(e.Listen)
	if err != nil {
		t.Fatal(err)
	}
	address, err := net.ResolveUDPAddr("udp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	f := &foreign{sums: map[string]float64{}, url: e.Intake, fault: os.Getenv(fault)}
	if f.conn, err = net.ListenUDP("udp", address); err != nil {
		t.Fatal(err)
	}
	stats, err := net.Listen("tcp", e.Stats)
	if err != nil {
		t.Fatal(err)
	}
	endpoint := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "{}") })}
	var running sync.WaitGroup
	running.Go(func() { endpoint.Serve(stats) })
	running.Go(f.read)
	end := make(chan struct{})
	running.Go(func() {
		again := time.NewTicker(e.FlushInterval)
		defer again.Stop()
		for {
			select {
			case <-again.C:
				f.flush()
			case <-end:
				return
			}
		}
	})
	return func() {
		close(end)
		// What the kernel holds is on its way to the reader, in front of this.
		f.sendLast(t)
		f.conn.Close()
		endpoint.Close()
		running.Wait()
		if f.fault != "forgets the last interval" {
			f.flush()
		}
		http.DefaultClient.CloseIdleConnections()
	}
}

// sendLast sends a last count and waits until it was read.
func (f *foreign) sendLast(t *testing.T) {
	conn, err := net.Dial("udp", f.conn.LocalAddr().String())
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	io.WriteString(conn, "the last:1|c")
	deadline := time.Now().Add(time.Second)
	for !f.took("the last") && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
}

func (f *foreign) took(name string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, found := f.sums[name]
	delete(f.sums, name)
	return found
}

// TestForeignTarget: the suite holds for a target that can do next to nothing,
// as long as it claims no more.
func TestForeignTarget(t *testing.T) {
	Run(t, Claims{Sockets: []string{"udp"}, Kinds: []dogstatsd.Kind{dogstatsd.Counter}, Interval: 50 * time.Millisecond}, startForeign)
}

// TestFaultsAreFound runs TestForeignTarget with targets that are wrong, in a
// process of its own, where it must fail at the right place.
func TestFaultsAreFound(t *testing.T) {
	for wrong, where := range map[string]string{
		"forgets the last interval": "TestForeignTarget/udp/stop",
		"keeps carriage returns":    "TestForeignTarget/udp/documents/lines/a_carriage_return_before_the_line_end_belongs_to_it",
		"ends at an empty datagram": "TestForeignTarget/udp/documents/lines/a_datagram_may_have_nothing_in_it",
	} {
		t.Run(wrong, func(t *testing.T) {
			t.Parallel()
			again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestForeignTarget$/^udp$/^(documents|stop)$")
			again.Env = append(os.Environ(), fault+"="+wrong)
			out, err := again.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--- FAIL: "+where+" ") {
				t.Errorf("%v, and %s did not fail:\n%s", err, where, out)
			}
		})
	}
}

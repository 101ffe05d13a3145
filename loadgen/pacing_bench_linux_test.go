package loadgen

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// refserverVariable names the program of the reference server.
const refserverVariable = "FLOODGATE_REFSERVER"

// pacingRounds is how often each way of pacing has its turn.
const pacingRounds = 3

// BenchmarkPacing offers 3M packed messages in 3 s to a reference server on the
// same machine, in turn by the generator and by what other tools do: every 10 ms
// a tick, at which the whole budget of the tick leaves by single writes. A third
// way is the generator asleep whenever there is nothing to send, as it is where
// others want its core. A fourth hands the same datagrams to nobody: how late they
// are then is the doing of the machine and of whoever else runs on it, and no
// generator can be earlier. What it says of each, as the median of the rounds: the
// lateness of datagrams, how long after the end of the window the last one left,
// and the generator's CPU time per second.
func BenchmarkPacing(b *testing.B) {
	program := os.Getenv(refserverVariable)
	if program == "" {
		b.Skipf("needs %s: the path of a reference server", refserverVariable)
	}
	withSpareProcessor(b)
	const over = 3 * time.Second
	c := newCorpus(b, plain(3_000_000).with(func(c *CorpusConfig) { c.DatagramBytes = 1432 }))
	ways := map[string]func(address string) paced{
		"generator": func(address string) paced { return generatorPace(b, c, over, address) },
		"asleep":    func(address string) paced { return asleepPace(b, c, over, address) },
		"ticks":     func(address string) paced { return tickPace(b, c, over, address) },
		"machine":   func(string) paced { return runPace(b, newGenerator(b, c, over, &scripted{take: takeAll})) },
	}
	seen := map[string]map[string][]float64{}
	for b.Loop() {
		for range pacingRounds {
			for way, send := range ways { // in random order
				if seen[way] == nil {
					seen[way] = map[string][]float64{}
				}
				server := startRefserver(b, program)
				p := send(server.address)
				note := func(unit string, value float64) { seen[way][unit] = append(seen[way][unit], value) }
				note("p50-late-µs", float64(p.late.ValueAtQuantile(50))/1e3)
				note("p99-late-µs", float64(p.late.ValueAtQuantile(99))/1e3)
				note("max-late-µs", float64(p.late.Max())/1e3)
				note("after-window-µs", float64(max(0, p.lastSent-over))/1e3)
				if p.cpu > 0 {
					note("core-share", p.cpu.Seconds()/over.Seconds())
				}
				if received := server.stop(b); way != "machine" {
					note("not-received", float64(c.Messages()-received))
				}
			}
		}
	}
	b.ReportMetric(0, "ns/op")
	for way, figures := range seen {
		for unit, values := range figures {
			b.ReportMetric(median(values), way+":"+unit)
		}
	}
}

// paced is how one burst went.
type paced struct {
	late     *hdrhistogram.Histogram // of each datagram, in nanoseconds
	lastSent time.Duration
	cpu      time.Duration // of the generator; 0 if not counted
}

func generatorPace(b *testing.B, c *Corpus, over time.Duration, address string) paced {
	s := dialUDP(b, address)
	defer s.Close()
	return runPace(b, newGenerator(b, c, over, s))
}

func asleepPace(b *testing.B, c *Corpus, over time.Duration, address string) paced {
	s := dialUDP(b, address)
	defer s.Close()
	g := newGenerator(b, c, over, s)
	g.config.Awake = false
	return runPace(b, g)
}

func dialUDP(b *testing.B, address string) Sender {
	s, err := Dial(b.Context(), UDP, address, DialOptions{})
	if err != nil {
		b.Fatal(err)
	}
	return s
}

func runPace(b *testing.B, g *Generator) paced {
	r, err := g.Run(b.Context(), time.Now().Add(10*time.Millisecond))
	if err != nil {
		b.Fatal(err)
	}
	return paced{r.Lateness, r.LastSent, r.CPU}
}

// tick is how often senders in the manner of other tools wake up.
const tick = 10 * time.Millisecond

// tickPace is the baseline: at each tick everything that has become due since
// the one before leaves at once, one write for each datagram.
func tickPace(b *testing.B, c *Corpus, over time.Duration, address string) paced {
	conn, err := net.Dial("udp", address)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	schedule := Burst{Count: c.Messages(), Over: over}
	p := paced{late: hdrhistogram.New(1, maxLateness, latenessPrecision)}
	budget := c.Datagrams() / int(over/tick)
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	begun := time.Now()
	for next := 0; next < c.Datagrams(); {
		<-ticker.C
		for last := min(next+budget, c.Datagrams()); next < last; next++ {
			if _, err := conn.Write(c.Datagram(next)); err != nil {
				b.Fatal(err)
			}
			p.lastSent = time.Since(begun)
			// What leaves before it is due is not late; that it is wrong too is not
			// shown here.
			p.late.RecordValue(int64(max(0, p.lastSent-schedule.Due(c.MessagesBefore(next+1)-1))))
		}
	}
	return p
}

// refserver is a reference server that runs.
type refserver struct {
	process *exec.Cmd
	address string
	stats   string
	intake  *httptest.Server
	output  chan struct{} // closed when the process has nothing more to say
}

var listening = regexp.MustCompile(`msg=listening network=udp address=(\S+)`)

func startRefserver(b *testing.B, program string) *refserver {
	s := &refserver{stats: filepath.Join(b.TempDir(), "stats.json"), output: make(chan struct{})}
	s.intake = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusAccepted)
	}))
	s.process = exec.CommandContext(context.WithoutCancel(b.Context()), program, "--intake", s.intake.URL,
		"--listen", "udp://127.0.0.1:0", "--receive-buffer", "4194304", "--stats-file", s.stats)
	stderr, err := s.process.StderrPipe()
	if err == nil {
		err = s.process.Start()
	}
	if err != nil {
		b.Fatal(err)
	}
	address := make(chan string, 1)
	go func() {
		defer close(s.output)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			if found := listening.FindStringSubmatch(lines.Text()); found != nil {
				address <- found[1]
			}
		}
	}()
	select {
	case s.address = <-address:
	case <-s.output:
		b.Fatalf("%s ended before it listened: %v", program, s.process.Wait())
	}
	return s
}

// stop ends the server and returns how many messages it received.
func (s *refserver) stop(b *testing.B) int64 {
	s.process.Process.Signal(syscall.SIGTERM)
	<-s.output
	if err := s.process.Wait(); err != nil {
		b.Fatal(err)
	}
	s.intake.Close()
	text, err := os.ReadFile(s.stats)
	if err != nil {
		b.Fatal(err)
	}
	var stats struct {
		Received int64 `json:"received"`
	}
	if err := json.Unmarshal(text, &stats); err != nil {
		b.Fatal(err)
	}
	return stats.Received
}

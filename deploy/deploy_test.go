// Package deploy_test holds what stands below deploy to its word: the manifests
// are read as their systems read them, and the scripts are run.
package deploy_test

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"floodgate/internal/dogstatsd"
	"floodgate/loadgen"
)

// programs is the folder with the programs, built once as a user builds them.
var programs string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "floodgate-deploy-")
	if err != nil {
		panic(err)
	}
	build := exec.Command("go", "build", "-o", dir+string(filepath.Separator), "floodgate/cmd/floodgate", "floodgate/cmd/refserver")
	if out, err := build.CombinedOutput(); err != nil {
		panic(fmt.Sprintf("cannot build the programs: %v\n%s", err, out))
	}
	programs = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// withPath is the environment with the programs found first.
func withPath(more ...string) []string {
	return append(append(os.Environ(), "PATH="+programs+string(os.PathListSeparator)+os.Getenv("PATH")), more...)
}

// eventually polls until the condition holds.
func eventually(t *testing.T, what string, atMost time.Duration, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(atMost)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("never happened within %v: %s", atMost, what)
		}
		wait := time.NewTimer(20 * time.Millisecond)
		<-wait.C
	}
}

// counter is a UDP socket that keeps what arrives.
type counter struct {
	conn *net.UDPConn
	done chan struct{}

	mu    sync.Mutex
	lines map[string]int
	total int
}

func newCounter(t *testing.T) *counter {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	c := &counter{conn: conn, done: make(chan struct{}), lines: map[string]int{}}
	go func() {
		defer close(c.done)
		buffer := make([]byte, 1<<16)
		for {
			n, err := conn.Read(buffer)
			if err != nil {
				return // closed
			}
			c.mu.Lock()
			for line := range strings.SplitSeq(strings.TrimSuffix(string(buffer[:n]), "\n"), "\n") {
				c.lines[line]++
				c.total++
			}
			c.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		conn.Close()
		<-c.done
	})
	return c
}

func (c *counter) url() string { return "udp://" + c.conn.LocalAddr().String() }

func (c *counter) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.total
}

// forget starts from none.
func (c *counter) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines, c.total = map[string]int{}, 0
}

// check compares what arrived with what all shares of a load have, line by line:
// nothing is missing, and nothing came twice.
func (c *counter) check(t *testing.T, l summary) {
	t.Helper()
	want := map[string]int{}
	for i := range len(l.Shards) {
		schedule, err := loadgen.Shard(loadgen.Burst{Count: l.Load.Messages, Over: time.Second}, i, len(l.Shards))
		if err != nil {
			t.Fatal(err)
		}
		corpus, err := loadgen.NewCorpus(t.Context(), loadgen.CorpusConfig{Seed: l.Seed, Messages: schedule.Total(), ContextKeys: l.Load.Contexts,
			Cycle: true, Kinds: []loadgen.KindWeight{{Kind: dogstatsd.Counter, Weight: 1}}, Tags: l.Load.Tags, PackedValues: 1,
			DatagramBytes: l.Load.DatagramBytes, Shard: i, Shards: len(l.Shards)})
		if err != nil {
			t.Fatal(err)
		}
		for k := range corpus.Datagrams() {
			for line := range strings.SplitSeq(strings.TrimSuffix(string(corpus.Datagram(k)), "\n"), "\n") {
				want[line]++
			}
		}
	}
	eventually(t, "as many messages as were sent", 30*time.Second, func() bool { return int64(c.count()) >= l.Sent })
	c.mu.Lock()
	defer c.mu.Unlock()
	if int64(c.total) != l.Load.Messages {
		t.Errorf("%d messages arrived, want %d", c.total, l.Load.Messages)
	}
	wrong := 0
	for line, n := range want {
		if c.lines[line] != n {
			wrong++
		}
	}
	for line := range c.lines {
		if want[line] == 0 {
			wrong++
		}
	}
	if wrong > 0 {
		t.Errorf("%d different messages arrived too often or too rarely, of %d", wrong, len(want))
	}
}

// summary is what these tests read of a burst's summary.
type summary struct {
	Seed uint64
	Load struct {
		Messages      int64
		Contexts      int
		Tags          int
		DatagramBytes int `json:"datagram_bytes"`
	}
	Planned, Sent int64
	NotSent       int64 `json:"not_sent"`
	Shards        []struct {
		Shard string
		Sent  int64
	}
}

// merge puts the summaries in files together.
func merge(t *testing.T, files ...string) summary {
	t.Helper()
	cmd := exec.Command(filepath.Join(programs, "floodgate"), append([]string{"blast", "merge", "--json"}, files...)...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &stderr)
	}
	return readSummary(t, out)
}

func readSummary(t *testing.T, text []byte) summary {
	t.Helper()
	var s summary
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return s
}

// The commands that the pages here tell people to type are taken. With --help at
// the end everything before it is parsed, and nothing is sent.
func TestDocumentedCommands(t *testing.T) {
	pages, err := filepath.Glob("*/README.md")
	if err != nil || len(pages) != 3 {
		t.Fatalf("%v, %v: want three pages", pages, err)
	}
	block := regexp.MustCompile("(?s)```sh\n(.*?)```")
	checked := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range block.FindAllStringSubmatch(string(text), -1) {
			for line := range strings.SplitSeq(b[1], "\n") {
				words := strings.Fields(line)
				if len(words) == 0 || words[0] != "floodgate" {
					continue // other people's programs
				}
				checked++
				cmd := exec.Command(filepath.Join(programs, "floodgate"), append(words[1:], "--help")...)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%s: %q: %v\n%s", page, line, err, out)
				}
			}
		}
	}
	if checked < 2 {
		t.Errorf("only %d commands were found: the pages have changed their form", checked)
	}
}

// The scripts hold to what shellcheck asks, where there is one.
func TestShellcheck(t *testing.T) {
	var scripts []string
	for _, pattern := range []string{"*/*.sh", "*/*.sbatch"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		scripts = append(scripts, found...)
	}
	if len(scripts) < 4 {
		t.Fatalf("only %v were found", scripts)
	}
	for _, script := range scripts { // what any shell of POSIX takes
		if out, err := exec.Command("sh", "-n", script).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", script, err, out)
		}
	}
	checker, err := exec.LookPath("shellcheck")
	if err != nil {
		t.Skip("no shellcheck here: only the syntax was checked")
	}
	if out, err := exec.Command(checker, append([]string{"--shell=sh"}, scripts...)...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

package target

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// A test starts this test binary again as a target. Its part and the address of
// the test that directs it come as arguments, because the environment is one of
// the things under test.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "helper" {
		play(os.Args[2], os.Args[3])
		return
	}
	goleak.VerifyTestMain(m)
}

// report is what a helper says about itself when it is up.
type report struct {
	PID     int
	CPUs    []int
	NumCPU  int
	Environ []string
	Dir     string
}

// play is the helper: it reports, does what its part says, and ends at the
// latest when the test closes the connection.
func play(part, director string) {
	if part == "stubborn" || part == "stubborn parent" {
		signal.Ignore(syscall.SIGTERM)
	}
	asked := make(chan os.Signal, 1)
	if part == "gentle" || part == "gentle parent" {
		signal.Notify(asked, syscall.SIGTERM)
	}
	conn, err := net.Dial("tcp", director)
	if err != nil {
		panic(err)
	}
	cpus, _ := AllowedCPUs()
	dir, _ := os.Getwd()
	fmt.Println("up")
	json.NewEncoder(conn).Encode(report{os.Getpid(), cpus, runtime.NumCPU(), os.Environ(), dir})

	switch part {
	case "gentle parent", "stubborn parent":
		startGrandchild(director, nil)
	case "runaway parent":
		startGrandchild(director, &syscall.SysProcAttr{Setsid: true})
	case "harness":
		_, err := Start(context.Background(), Command{Path: os.Args[0], Args: []string{"helper", "stubborn", director}})
		if err != nil {
			panic(err)
		}
	}

	orders := make(chan string)
	go func() {
		defer close(orders)
		for scanner := bufio.NewScanner(conn); scanner.Scan(); {
			orders <- scanner.Text()
		}
	}()
	for {
		select {
		case <-asked:
			fmt.Println("bye")
			return
		case order, open := <-orders:
			if !open {
				os.Exit(99)
			}
			obey(order, conn)
		}
	}
}

func startGrandchild(director string, attributes *syscall.SysProcAttr) {
	cmd := exec.Command(os.Args[0], "helper", "stubborn", director)
	cmd.Stdout, cmd.SysProcAttr = os.Stdout, attributes
	if err := cmd.Start(); err != nil {
		panic(err)
	}
}

func obey(order string, conn net.Conn) {
	switch order {
	case "ping":
		fmt.Fprintln(conn, "pong")
	case "fail":
		fmt.Println("to one output")
		fmt.Fprintln(os.Stderr, "to the other")
		fmt.Fprintln(os.Stderr, "cannot go on")
		os.Exit(3)
	case "crash":
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "burn":
		x := uint64(1)
		for range 20_000_000 {
			x = x*6364136223846793005 + 1442695040888963407
		}
		if x == 0 { // never; but the loop has a result
			os.Exit(1)
		}
		os.Exit(0)
	case "hog":
		var kept [][]byte
		for range 256 { // bounded, should nothing stop it
			block := make([]byte, 1<<20)
			for i := range block {
				block[i] = 1
			}
			kept = append(kept, block)
		}
		runtime.KeepAlive(kept)
		os.Exit(0)
	case "talk":
		for i := range 10_000 {
			fmt.Println("line", i)
		}
		fmt.Fprintln(conn, "done")
	}
}

// patience bounds waiting for what must happen, on however slow a machine.
const patience = 20 * time.Second

// director is the test's side of its helpers.
type director struct {
	t        *testing.T
	listener net.Listener
}

// helper is one process that reported to the test.
type helper struct {
	report
	t      *testing.T
	conn   net.Conn
	reader *bufio.Reader
}

func direct(t *testing.T) *director {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return &director{t, listener}
}

// command starts a helper that plays part.
func (d *director) command(part string) Command {
	c := Command{Path: executable(d.t), Args: []string{"helper", part, d.listener.Addr().String()}}
	if testing.CoverMode() != "" {
		// Without a place for its counts, the helper would complain in its output.
		c.Env = []string{"GOCOVERDIR=" + d.t.TempDir()}
	}
	return c
}

func executable(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// accept waits for the next helper to report.
func (d *director) accept() *helper {
	d.t.Helper()
	d.listener.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
	conn, err := d.listener.Accept()
	if err != nil {
		d.t.Fatalf("no helper came up: %v", err)
	}
	d.t.Cleanup(func() { conn.Close() })
	h := &helper{t: d.t, conn: conn, reader: bufio.NewReader(conn)}
	if err := json.Unmarshal([]byte(h.answer()), &h.report); err != nil {
		d.t.Fatal(err)
	}
	return h
}

func (h *helper) tell(order string) {
	h.t.Helper()
	if _, err := fmt.Fprintln(h.conn, order); err != nil {
		h.t.Fatal(err)
	}
}

func (h *helper) answer() string {
	h.t.Helper()
	h.conn.SetReadDeadline(time.Now().Add(patience))
	line, err := h.reader.ReadString('\n')
	if err != nil {
		h.t.Fatalf("helper %d does not answer: %v", h.PID, err)
	}
	return strings.TrimSuffix(line, "\n")
}

// expectAlive fails the test if the helper is gone.
func (h *helper) expectAlive() {
	h.t.Helper()
	h.tell("ping")
	if got := h.answer(); got != "pong" {
		h.t.Fatalf("helper %d answers %q", h.PID, got)
	}
}

// expectGone waits for the helper's end: only then does the kernel close its
// connection.
func (h *helper) expectGone() {
	h.t.Helper()
	h.conn.SetReadDeadline(time.Now().Add(patience))
	_, err := h.reader.ReadByte()
	if !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		h.t.Fatalf("helper %d lives: %v", h.PID, err)
	}
}

// launch starts c and makes sure that it does not outlive the test.
func launch(t *testing.T, c Command) *Process {
	t.Helper()
	p, err := Start(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Stop(context.Background(), 0) })
	return p
}

// expectDone waits for the process to be over.
func expectDone(t *testing.T, p *Process) State {
	t.Helper()
	select {
	case <-p.Done():
	case <-time.After(patience):
		t.Fatalf("process %d does not end", p.PID())
	}
	state, ended := p.State()
	if !ended {
		t.Fatal("Done is closed, but there is no state")
	}
	return state
}

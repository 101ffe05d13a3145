package main

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"floodgate/loadgen"
)

// blast runs the command in this process.
func blast(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), append([]string{"blast"}, args...), &out, &errs)
	return code, out.String(), errs.String()
}

func blastJSON(t *testing.T, args ...string) blastSummary {
	t.Helper()
	code, stdout, stderr := blast(t, append(args, "--json")...)
	var s blastSummary
	if err := json.Unmarshal([]byte(stdout), &s); err != nil || code != exitPass {
		t.Fatalf("exit %d, %v: %s%s", code, err, stdout, stderr)
	}
	return s
}

// sink is a UDP socket that nobody reads, with the smallest buffer there is.
func sink(t *testing.T) (url string) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.(*net.UDPConn).SetReadBuffer(1); err != nil {
		t.Fatal(err)
	}
	return "udp://" + conn.LocalAddr().String()
}

// What the socket dropped is told, and nothing that was sent is passed off as
// received.
func TestBlastTellsOfDrops(t *testing.T) {
	s := blastJSON(t, sink(t), "--count", "5k", "--over", "20ms", "--contexts", "50")
	if s.Offered != 5000 || s.Sent != 5000 || s.NotSent != 0 || s.Datagrams != 5000 || s.Interrupted {
		t.Errorf("%+v", s)
	}
	if s.KernelDropped == nil {
		if _, err := os.Stat("/proc/net/udp"); err == nil {
			t.Error("the drops are not known")
		}
	} else if *s.KernelDropped < 4000 || *s.KernelDropped >= 5000 {
		t.Errorf("%d dropped by a socket with room for a few", *s.KernelDropped)
	}
	if len(s.Lateness) < 3 || s.Lateness[len(s.Lateness)-1].Percentile != 100 || s.LastSent <= 0 {
		t.Errorf("lateness %v, last one sent at %v", s.Lateness, s.LastSent)
	}
}

func TestBlastForPeople(t *testing.T) {
	code, stdout, stderr := blast(t, sink(t), "--rate", "50k", "--over", "10ms", "--packing", "1432B", "--method", "single", "--senders", "2")
	if code != exitPass || stderr != "" {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	for _, want := range []string{`^500 messages over 10ms to udp://127.0.0.1:\d+ \(seed 1\)\n`, `\n  offered +500 messages\n`,
		`\n  sent +500 messages in \d+ datagrams\n`, `\n  lateness +(p50 \S+  )?max \S+\n`, `\n  last one left +\S+ after the start`} {
		if !regexp.MustCompile(want).MatchString(stdout) {
			t.Errorf("no %s in\n%s", want, stdout)
		}
	}
	for _, unwanted := range []string{"not sent", "given up", "interrupted", "GSO"} {
		if strings.Contains(stdout, unwanted) {
			t.Errorf("%q in\n%s", unwanted, stdout)
		}
	}
}

// Two shares are the whole: as many messages together, and other ones.
func TestBlastShares(t *testing.T) {
	url := sink(t)
	args := []string{url, "--count", "1001", "--over", "0s"}
	first, second := blastJSON(t, append(args, "--shard", "1/2")...), blastJSON(t, append(args, "--shard", "2/2")...)
	if first.Sent != 501 || second.Sent != 500 || first.Shard != "1/2" || first.Digest == second.Digest {
		t.Errorf("%+v\n%+v", first, second)
	}
	if again := blastJSON(t, append(args, "--shard", "1/2")...); again.Digest != first.Digest {
		t.Error("the same share is not the same load")
	}
}

// Through a client library, the counters are its own.
func TestBlastThroughAClient(t *testing.T) {
	s := blastJSON(t, sink(t), "--count", "2k", "--over", "20ms", "--client", "datadog-go", "--kinds", "c=1,g=1,ms=1,h=1,d=1,s=1")
	if s.Client == nil || s.Client.Submitted != 2000 || s.Client.Written != s.Sent || s.Sent+s.GivenUp != 2000 || s.Datagrams != s.Sent {
		t.Errorf("%+v, %+v", s, s.Client)
	}
}

// A receiver without room is not waited for where that is not wanted.
func TestBlastThatDropsWhenFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	conn, err := net.ListenPacket("unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if (loadgen.DialOptions{DropWhenFull: true}).Validate(loadgen.Unixgram) != nil {
		t.Skip("not on this system")
	}
	s := blastJSON(t, "unixgram://"+path, "--count", "2k", "--over", "10ms", "--drop-when-full")
	if s.GivenUp == 0 || s.Sent == 0 || s.Sent+s.GivenUp != 2000 || s.EAGAIN == 0 {
		t.Errorf("%+v", s)
	}
}

// Nobody there is no burst of zero: it says so.
func TestBlastAtNobody(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "udp://" + conn.LocalAddr().String()
	conn.Close()
	code, stdout, stderr := blast(t, url, "--count", "100", "--over", "0s")
	if code != exitUnmeasured || !strings.Contains(stderr, "cannot send to "+url) {
		t.Errorf("exit %d: %s%s", code, stdout, stderr)
	}
}

// Interrupted in the middle it says what had been sent, which is what arrived.
func TestBlastInterrupted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	conn, err := net.ListenPacket("unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	cmd := exec.CommandContext(t.Context(), filepath.Join(programs, "floodgate"), "blast", "unixgram://"+path, "--count", "100k", "--over", "1m", "--json")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 1000)
	var arrived int64
	for ; arrived < 100; arrived++ {
		if _, _, err := conn.ReadFrom(buffer); err != nil {
			t.Fatal(err)
		}
	}
	cmd.Process.Signal(os.Interrupt)
	cmd.Wait()
	// Nothing is sent any more; what waits in the queue arrived too.
	conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	for {
		if _, _, err := conn.ReadFrom(buffer); err != nil {
			break
		}
		arrived++
	}
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted {
		t.Errorf("exit %d: %s", code, &stderr)
	}
	var s blastSummary
	if err := json.Unmarshal(stdout.Bytes(), &s); err != nil {
		t.Fatalf("%v: %s", err, &stdout)
	}
	if !s.Interrupted || s.Sent != arrived || s.Offered != s.Sent+s.NotSent || s.Offered >= 100_000 {
		t.Errorf("%d arrived, %+v", arrived, s)
	}
}

func TestLiveLine(t *testing.T) {
	dropped := int64(1234)
	s := liveState{progress: loadgen.Progress{SentMessages: 120_300}, total: 300_000, rate: 100_123.4, late: 45_678, dropped: &dropped}
	if got, want := s.line(0), "120,300 of 300,000 sent  100,123/s  46µs late  kernel dropped 1,234"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := s.line(20); got != "120,300 of 300,000 " {
		t.Errorf("%q in 20 columns", got)
	}
	s.dropped = nil
	if got := s.line(0); strings.Contains(got, "kernel") {
		t.Errorf("%q without a counter", got)
	}
	s.until = 90 * time.Second
	if got := s.line(0); got != "starts in 1m30s" {
		t.Errorf("%q before the start", got)
	}
}

func TestGrouped(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1000: "-1,000", -100: "-100", 1234567: "1,234,567"} {
		if got := grouped(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}

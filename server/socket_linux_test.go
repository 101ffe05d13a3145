package server

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sys/unix"
)

// segment makes a UDP socket cut what it is given into datagrams of size bytes
// inside the kernel (UDP_SEGMENT), which on the loopback reach a socket with
// UDP_GRO uncut.
func segment(t *testing.T, conn net.Conn, size int) {
	t.Helper()
	raw, err := conn.(*net.UDPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_UDP, unix.UDP_SEGMENT, size) })
	if err != nil {
		t.Fatal(err)
	}
}

// Joined datagrams are taken apart again: no line runs into the next, the last
// may be shorter, and one that is longer than the buffer loses its last line
// only.
func TestJoinedDatagrams(t *testing.T) {
	for _, reader := range []Reader{Coupled, Decoupled} {
		in := newIntake(t)
		c := testConfig(t, in)
		c.Listen, c.Reader, c.GRO, c.BufferSize, c.QueueSize = []string{"udp://127.0.0.1:0"}, reader, true, 100, 8192
		s, stop := start(t, c)
		conn := dial(t, s)
		const size = 20
		segment(t, conn, size)
		// 8 datagrams of 20 bytes without a line break at their end, and a short one.
		fmt.Fprint(conn, strings.Repeat("counter.joined.1:1|c", 8)+"short:5|c")
		eventually(t, "nine datagrams", func() bool { return s.Statistics().Datagrams == 9 })
		long := "a:1|c\nb:1|c\n" + strings.Repeat("x", 200)
		segment(t, conn, len(long))
		fmt.Fprint(conn, long+long)
		eventually(t, "eleven datagrams", func() bool { return s.Statistics().Datagrams == 11 })
		stop()
		st := s.Statistics()
		balance(t, st)
		if st.Received != 9+2*3 || st.Truncated != 2 || st.Malformed != 0 {
			t.Errorf("%s: received %d, truncated %d, malformed %d, want 15, 2 and 0", reader, st.Received, st.Truncated, st.Malformed)
		}
		if got := fmt.Sprint(in.total()); got != "map[a|:2 b|:2 counter.joined.1|:8 short|:5]" {
			t.Errorf("%s: intake has %s", reader, got)
		}
	}
}

// Several readers of one address share what one sender sends, and their tables
// leave as one series per contextKey.
func TestReadersShareAnAddress(t *testing.T) {
	in := newIntake(t)
	c := testConfig(t, in)
	c.Listen, c.Readers, c.Sockets, c.Aggregate.Interval = []string{"udp://127.0.0.1:0"}, 3, 2, time.Hour
	s, stop := start(t, c)
	if len(s.lanes) != 3 || len(s.Addrs()) != 1 {
		t.Fatalf("%d lanes and %d addresses, want 3 and 1", len(s.lanes), len(s.Addrs()))
	}
	conn := dial(t, s)
	const total = 300
	for i := range total {
		fmt.Fprintf(conn, "a:1|c\nb:2|c|#k:%d", i%2)
		if i%10 == 9 { // no more than any receive buffer holds
			eventually(t, "all so far", func() bool { return s.Statistics().Datagrams == int64(i+1) })
		}
	}
	stop()
	for i, l := range s.lanes {
		// Each is missed by 300 datagrams with a probability of (2/3)^300.
		if l.stats.datagrams.Load() == 0 {
			t.Errorf("reader %d got nothing", i)
		}
	}
	if got := fmt.Sprint(in.total()); got != "map[a|:300 b|k:0:300 b|k:1:300]" {
		t.Errorf("intake has %s", got)
	}
	for key, n := range in.points {
		if n != 1 {
			t.Errorf("%s came %d times, want once", key, n)
		}
	}
}

// The receive buffers of a reader's sockets add up: what one cannot hold while
// nobody reads, four can.
func TestSocketsAddUpTheirBuffers(t *testing.T) {
	const size = 64 << 10 // which the kernel doubles, for what it charges besides
	sent := 5 * size / charged(len("a:1|c"))
	for _, reader := range []Reader{Coupled, Decoupled} {
		received := map[int]int64{}
		for _, sockets := range []int{1, 4} {
			in := newIntake(t)
			c := testConfig(t, in)
			c.Listen, c.Reader, c.Sockets, c.ReceiveBuffer = []string{"udp://127.0.0.1:0"}, reader, sockets, size
			s, err := New(c) // bound, but not running
			if err != nil {
				t.Fatal(err)
			}
			if got := s.lanes[0].socket.buffer; got < sockets*size {
				t.Fatalf("%d sockets have a buffer of %d bytes, want at least %d", sockets, got, sockets*size)
			}
			conn := dial(t, s)
			for range sent {
				fmt.Fprint(conn, "a:1|c")
			}
			stop := startBound(t, s)
			stop() // it reads what the kernel holds
			st := s.Statistics()
			balance(t, st)
			received[sockets] = st.Received
		}
		// Four get a quarter each: of 426 the fullest may have 34 more, its room is 170.
		if received[4] != int64(sent) || received[1] >= int64(sent) {
			t.Errorf("%s: of %d datagrams %d were held by four sockets and %d by one, want all and not all", reader, sent, received[4], received[1])
		}
	}
}

// Sockets that share an address share it with each other, and not with those of
// another server, which would take half of the datagrams unnoticed.
func TestAnAddressInUseIsRefused(t *testing.T) {
	for _, many := range []func(*Config){
		func(c *Config) { c.Sockets = 2 },
		func(c *Config) { c.Readers = 2 },
	} {
		c := testConfig(t, newIntake(t))
		c.Listen = []string{"udp://127.0.0.1:0"}
		many(&c)
		s, stop := start(t, c)
		c.Listen = []string{"udp://" + s.Addrs()[0].String()}
		if other, err := New(c); !errors.Is(err, unix.EADDRINUSE) {
			t.Errorf("a second server on %s: %v, %v, want that the address is in use", c.Listen[0], other, err)
		}
		stop()
	}
}

// The time from the kernel to the table is told for every datagram, and holds
// what the datagram waited in the socket's buffer.
func TestIngestLatency(t *testing.T) {
	for _, network := range []string{"udp", "unixgram"} {
		in := newIntake(t)
		c := testConfig(t, in)
		if network == "udp" {
			c.Listen = []string{"udp://127.0.0.1:0"}
		}
		s, err := New(c) // bound, but not running: what comes now waits
		if err != nil {
			t.Fatal(err)
		}
		conn := dial(t, s)
		fmt.Fprint(conn, "a:1|c")
		sent := time.Now()
		eventually(t, "20 ms", func() bool { return time.Since(sent) > 20*time.Millisecond })
		running := startBound(t, s)
		eventually(t, "it is read", func() bool { return s.Statistics().Received == 1 })
		running()
		st, err := s.FinalStatistics()
		if err != nil {
			t.Fatal(err)
		}
		if network == "unixgram" && st.IngestLatencyHistogram == "" {
			continue // this kernel does not tell for unix sockets
		}
		h, err := hdrhistogram.Decode([]byte(st.IngestLatencyHistogram))
		if err != nil {
			t.Fatal(err)
		}
		if h.TotalCount() != 1 || time.Duration(h.Max()) < 19*time.Millisecond {
			t.Errorf("%s: %d datagrams, at most %v: want 1 that waited 20 ms", network, h.TotalCount(), time.Duration(h.Max()))
		}
	}
}

// TestPassedDescriptorsAreClosed: descriptors that a client passes along are
// nobody's wish, and would fill the server's table of them. A pipe tells: its
// reader sees the end once nobody holds the other side.
func TestPassedDescriptorsAreClosed(t *testing.T) {
	for _, c := range []struct {
		why        string
		kernelTime bool
		number     int
	}{
		{"one", false, 1},
		{"beside the time of arrival, which comes the same way", true, 1},
		{"several in one message", true, 5},
		{"more than there is room for", true, 200},
		{"the same without times", false, 200},
	} {
		for _, reader := range []Reader{Coupled, Decoupled} {
			in := newIntake(t)
			config := testConfig(t, in)
			config.Reader, config.KernelTime = reader, c.kernelTime
			s, stop := start(t, config)
			read, write, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer read.Close()
			descriptors := make([]int, c.number)
			for i := range descriptors {
				descriptors[i] = int(write.Fd())
			}
			raw, err := dial(t, s).(*net.UnixConn).SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			if failed := raw.Control(func(fd uintptr) {
				err = unix.Sendmsg(int(fd), []byte("a:1|c"), unix.UnixRights(descriptors...), nil, 0)
			}); failed != nil || err != nil {
				t.Fatal(failed, err)
			}
			write.Close()
			read.SetReadDeadline(time.Now().Add(10 * time.Second))
			if n, err := read.Read(make([]byte, 1)); n != 0 || err != io.EOF {
				t.Errorf("%s, %s: the server keeps what it was passed: %d bytes, %v", c.why, reader, n, err)
			}
			stop()
			if got := in.total()["a|"]; got != 1 {
				t.Errorf("%s, %s: the message beside them came %v times, want once", c.why, reader, got)
			}
		}
	}
}

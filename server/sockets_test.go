package server

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

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

// TestAddressFamilies: which loopback addresses reach which address that was
// listened on.
func TestAddressFamilies(t *testing.T) {
	const four, six = "127.0.0.1", "::1"
	probe, err := net.ListenPacket("udp6", "[::1]:0")
	hasSix := err == nil
	if hasSix {
		probe.Close()
	}
	for _, c := range []struct {
		listen, why string
		reached     []string
	}{
		{"udp://:0", "no address is every address, of both families", []string{four, six}},
		{"udp://[::]:0", "so is the wildcard of IPv6", []string{four, six}},
		{"udp://0.0.0.0:0", "that of IPv4 is of IPv4 alone", []string{four}},
		{"udp://127.0.0.1:0", "an address is itself", []string{four}},
		{"udp://[::1]:0", "also of IPv6", []string{six}},
		{"udp://[::ffff:127.0.0.1]:0", "an IPv4 address may be written as IPv6", []string{four}},
	} {
		t.Run(c.listen, func(t *testing.T) {
			if !hasSix && (slices.Equal(c.reached, []string{six}) || c.listen == "udp://[::]:0") {
				t.Skip("this host has no IPv6")
			}
			for _, readers := range []int{1, 2} {
				if readers > 1 && runtime.GOOS != "linux" {
					continue
				}
				in := newIntake(t)
				config := testConfig(t, in)
				config.Listen, config.Readers = []string{c.listen}, readers
				s, stop := start(t, config)
				_, port, err := net.SplitHostPort(s.Addrs()[0].String())
				if err != nil {
					t.Fatal(err)
				}
				var want int64
				for _, from := range []string{four, six} {
					if from == six && !hasSix {
						continue
					}
					conn, err := net.Dial("udp", net.JoinHostPort(from, port))
					if err != nil {
						t.Fatal(err)
					}
					defer conn.Close()
					_, err = conn.Write([]byte("a:1|c"))
					if !slices.Contains(c.reached, from) {
						// The kernel answers on the loopback at once: nobody is there.
						if err == nil {
							_, err = conn.Write([]byte("a:1|c"))
						}
						if !errors.Is(err, syscall.ECONNREFUSED) {
							t.Errorf("%s is reached through %s, %v: %s", c.listen, from, err, c.why)
						}
						continue
					}
					if err != nil {
						t.Fatal(err)
					}
					want++
					eventually(t, c.why+": a message to "+from, func() bool { return s.Statistics().Received == want })
				}
				stop()
			}
		})
	}
}

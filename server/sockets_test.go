package server

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
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

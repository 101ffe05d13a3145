package server

import (
	"context"
	"encoding/binary"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestStopDrains: what the kernel holds when the server is told to stop is
// still read, aggregated and uploaded.
func TestStopDrains(t *testing.T) {
	for _, reader := range []Reader{Coupled, Decoupled} {
		t.Run(string(reader), func(t *testing.T) {
			in := newIntake(t)
			c := testConfig(t, in)
			c.Listen = []string{"udp://127.0.0.1:0"}
			c.Reader = reader
			c.ReceiveBuffer = 4 << 20
			c.Aggregate.Interval = time.Hour // only the stop flushes
			s, err := New(c)
			if err != nil {
				t.Fatal(err)
			}
			// Everything is sent before the server runs, so all of it is backlog.
			conn := dial(t, s)
			for range 1000 {
				if _, err := conn.Write([]byte("a:1|c\nb:1|c")); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := s.Run(ctx); err != nil {
				t.Fatal(err)
			}
			balance(t, s.Statistics())
			if got := in.total(); got["a|"] != 1000 || got["b|"] != 1000 {
				t.Errorf("intake has %v, want 1000 of each", got)
			}
		})
	}
}

// TestStopUnderTraffic: senders who go on do not keep the server from stopping,
// nor from uploading what it took.
func TestStopUnderTraffic(t *testing.T) {
	for _, listen := range []string{"udp://127.0.0.1:0", "unixstream://" + filepath.Join(t.TempDir(), "s")} {
		t.Run(strings.SplitN(listen, ":", 2)[0], func(t *testing.T) {
			in := newIntake(t)
			c := testConfig(t, in)
			c.Listen = []string{listen}
			s, stop := start(t, c)
			conn := dial(t, s)
			var sender sync.WaitGroup
			sending, end := context.WithCancel(t.Context())
			sender.Go(func() {
				for sending.Err() == nil {
					conn.SetWriteDeadline(time.Now().Add(time.Second))
					if _, err := conn.Write(frame("a:1|c\n")); err != nil {
						return // the server is gone
					}
				}
			})
			eventually(t, "traffic", func() bool { return s.Statistics().Datagrams > 100 })
			stop() // while it goes on
			end()
			sender.Wait()
			st := s.Statistics()
			balance(t, st)
			if st.UploadFailed != 0 || st.Uploaded == 0 {
				t.Errorf("uploaded %d, failed %d: the stop left no time", st.Uploaded, st.UploadFailed)
			}
		})
	}
}

// Clients that were faster than accept, and have gone again, are served before a
// stop.
func TestStopServesWaitingConnections(t *testing.T) {
	in := newIntake(t)
	c := testConfig(t, in)
	path := filepath.Join(t.TempDir(), "s")
	c.Listen = []string{"unixstream://" + path}
	s, stop := start(t, c)
	frame := binary.LittleEndian.AppendUint32(nil, 5)
	frame = append(frame, "a:1|c"...)
	send := func() {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		conn.Write(frame)
		conn.Close()
	}
	send()
	eventually(t, "the first is read", func() bool { return s.Statistics().Received == 1 })
	for range 20 {
		send()
	}
	stop()
	if n := s.Statistics().Received; n != 21 {
		t.Errorf("%d of 21 messages were read", n)
	}
}

package loadgen

import (
	"fmt"
	"net"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestSendAllocatesNothing(t *testing.T) {
	c := newCorpus(t, plain(2*batchSize))
	for _, network := range []string{"udp", "unixgram"} {
		conn, address := receiver(t, network)
		s := senders["system"](t, network, address)
		defer s.Close()
		// Read, so that the unix socket takes more, but without allocating,
		// because every goroutine's allocations are counted.
		done := make(chan struct{})
		go func() {
			defer close(done)
			buf := make([]byte, 1024)
			for {
				if _, err := conn.(net.Conn).Read(buf); err != nil {
					return
				}
			}
		}()
		if n := testing.AllocsPerRun(20, func() { _, _ = s.Send(c, 0, 2*batchSize) }); n != 0 {
			t.Errorf("%s: %v allocations in a call of Send", network, n)
		}
		conn.Close()
		<-done
	}
}

// Ten batches must not need more than ten system calls.
func TestSendUsesWholeBatches(t *testing.T) {
	c := newCorpus(t, plain(10*batchSize))
	_, address := receiver(t, "udp")
	s := senders["system"](t, "udp", address)
	defer s.Close()
	sendAll(t, s, c)
	if calls := s.Stats().Calls; calls != 10 {
		t.Errorf("%d system calls for 10 batches", calls)
	}
}

// The thread must be given back as it was: the next goroutine on it has not
// asked for precise timers.
func TestClockRestoresTheThread(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	slack := func() int {
		n, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := slack()
	c, err := newClock(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if slack() != 1 {
		t.Errorf("timer slack %d ns while the clock is used, want 1", slack())
	}
	at := c.elapsed() + 2*time.Millisecond
	for c.elapsed() < at {
		c.sleepUntil(at)
	}
	if cpu := c.close(); cpu <= 0 || cpu > time.Second {
		t.Errorf("%v of CPU time", cpu)
	}
	if slack() != before {
		t.Errorf("timer slack %d ns afterwards, %d before", slack(), before)
	}
}

// BenchmarkSendUDP sends to a socket that nobody reads: the price of handing
// over alone, with the kernel's share of it.
func BenchmarkSendUDP(b *testing.B) {
	c := newCorpus(b, plain(6_400))
	for name, dial := range senders {
		for _, batch := range []int{1, 8, 64} {
			b.Run(fmt.Sprintf("%s/%d", name, batch), func(b *testing.B) {
				_, address := receiver(b, "udp")
				s := dial(b, "udp", address)
				defer s.Close()
				b.SetBytes(c.Bytes() * int64(batch) / int64(c.Datagrams()))
				b.ReportAllocs()
				next := 0
				for b.Loop() {
					if next+batch > c.Datagrams() {
						next = 0
					}
					n, err := s.Send(c, next, next+batch)
					if err != nil {
						b.Fatal(err)
					}
					next += n
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/datagram")
			})
		}
	}
}

// BenchmarkClock compares the two ways of reading the time, which the generator
// does once per batch.
func BenchmarkClock(b *testing.B) {
	b.Run("time.Since", func(b *testing.B) {
		start := time.Now()
		for b.Loop() {
			_ = time.Since(start)
		}
	})
	b.Run("ClockGettime", func(b *testing.B) {
		var now unix.Timespec
		for b.Loop() {
			_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
		}
	})
}

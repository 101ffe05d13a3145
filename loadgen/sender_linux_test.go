package loadgen

import (
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestSendAllocatesNothing(t *testing.T) {
	c := newCorpus(t, plain(2*batchSize))
	for _, test := range []struct {
		network string
		options DialOptions
	}{
		{UDP, DialOptions{}},
		{UDP, DialOptions{Method: GSO}},
		{UDP, DialOptions{Method: Single}},
		{UDP, DialOptions{Sockets: 3}},
		{Unixgram, DialOptions{}},
		{Unixgram, DialOptions{DropWhenFull: true}},
		{UnixStream, DialOptions{}},
		{UnixStream, DialOptions{DropWhenFull: true}},
		{TCP, DialOptions{}},
	} {
		var conns []net.Conn
		var address string
		var listener net.Listener
		if test.network == UnixStream || test.network == TCP {
			listener, address = listenStream(t, test.network)
		} else {
			var conn net.PacketConn
			conn, address = receiver(t, test.network)
			conns = append(conns, conn.(net.Conn))
		}
		s, err := Dial(t.Context(), test.network, address, test.options)
		if err != nil {
			t.Fatal(err)
		}
		if listener != nil {
			conns = append(conns, accept(t, listener))
		}
		// Read, so that a unix socket or a stream takes more, but without
		// allocating, because every goroutine's allocations are counted.
		var readers sync.WaitGroup
		for _, conn := range conns {
			readers.Go(func() {
				buf := make([]byte, 64<<10)
				for {
					if _, err := conn.Read(buf); err != nil {
						return
					}
				}
			})
		}
		if n := testing.AllocsPerRun(20, func() { _, _ = s.Send(c, 0, 2*batchSize) }); n != 0 {
			t.Errorf("%s, %+v: %v allocations in a call of Send", test.network, test.options, n)
		}
		s.Close()
		for _, conn := range conns {
			conn.Close()
		}
		readers.Wait()
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
	for _, awake := range []bool{false, true} {
		before := slack()
		c, err := newClock(time.Now(), awake)
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
}

// TestAwakeGivesWay: a thread that waits awake leaves its core to one that wants
// it, and sleeps from then on. Both are bound to one core here.
func TestAwakeGivesWay(t *testing.T) {
	if runtime.NumCPU() < 2 {
		t.Skip("nothing waits awake where there is one core")
	}
	var allowed, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		t.Fatal(err)
	}
	for core := range 1024 {
		if allowed.IsSet(core) {
			one.Set(core)
			break
		}
	}
	// Neither thread is given back, so they end with their goroutines.
	bound := func(do func()) {
		runtime.LockOSThread()
		if err := unix.SchedSetaffinity(0, &one); err != nil {
			t.Error(err)
		}
		do()
	}
	var over atomic.Bool
	var both sync.WaitGroup
	both.Go(func() {
		bound(func() {
			for !over.Load() {
			}
		})
	})
	both.Go(func() {
		defer over.Store(true)
		bound(func() {
			c, err := newClock(time.Now(), true)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.close()
			for c.spin.until == 0 && c.elapsed() < 10*time.Second {
				c.sleepUntil(c.elapsed() + 100*time.Microsecond)
			}
			if c.spin.until == 0 {
				t.Error("it never noticed that another thread had its core")
			}
		})
	})
	both.Wait()
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

package procfs

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"
)

func TestSamplerOfARealProcess(t *testing.T) {
	conn := listen(t, "udp4", "127.0.0.1:0")
	send(t, conn.LocalAddr().String(), 200)
	s, err := NewSampler(Config{PID: os.Getpid(), Port: portOf(conn), Interval: time.Millisecond, Limit: 5})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := s.Result()
	if !got.CPU || !got.Memory || !got.Socket || !got.Full || len(got.Warnings) > 0 {
		t.Fatalf("result %+v: want everything measured", got)
	}
	var last Reading
	for i, r := range got.Readings {
		if r.RSSBytes <= 0 || r.KernelQueueBytes <= 0 || r.KernelDrops <= 0 {
			t.Errorf("reading %d: %+v, want memory, a queue and drops", i, r)
		}
		if r.CPU <= last.CPU || !r.At.After(last.At) {
			t.Errorf("reading %d: %+v does not come after %+v", i, r, last)
		}
		last = r
	}
}

func TestSamplerNoticesTheEnd(t *testing.T) {
	for _, reaped := range []bool{false, true} {
		c := startChild(t, "idle")
		s, err := NewSampler(Config{
			PID: c.Process.Pid, Interval: time.Millisecond, Limit: 1000,
			OnTick: func(context.Context, time.Time) {
				c.end()
				if reaped {
					c.Wait()
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := s.Result(); !got.Gone || len(got.Readings) != 1 {
			t.Errorf("reaped %v: gone %v after %d readings, want after the first", reaped, got.Gone, len(got.Readings))
		}
	}
}

func TestSamplerWithoutASocketSaysSo(t *testing.T) {
	conn := listen(t, "udp4", "127.0.0.1:0")
	port := portOf(conn)
	conn.Close()
	s, err := NewSampler(Config{PID: os.Getpid(), Port: port, Interval: time.Millisecond, Limit: 2})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := s.Result()
	if got.Socket || len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0], "no socket") {
		t.Errorf("socket %v, warnings %q: zero drops would look like a measurement", got.Socket, got.Warnings)
	}
}

func TestReadingAllocatesNothing(t *testing.T) {
	conn := listen(t, "udp4", "127.0.0.1:0")
	src, err := openSource(os.Getpid(), portOf(conn))
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var r Reading
	read := func() {
		if _, err := src.read(&r); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(100, read); n != 0 {
		t.Errorf("%v allocations in a reading: they would be garbage in the harness while it measures", n)
	}
}

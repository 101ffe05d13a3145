package server

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"floodgate/server/aggregate"
)

// TestFlushAfter: the next flush is the next end of a bucket on the wall clock,
// also after a step of that clock, and at most one interval away.
func TestFlushAfter(t *testing.T) {
	clock := func(text string) time.Time {
		at, err := time.Parse("15:04:05.999999999", text)
		if err != nil {
			t.Fatal(err)
		}
		return at.AddDate(2026, 0, 0)
	}
	for _, c := range []struct {
		why       string
		now, want string
		interval  time.Duration
	}{
		{"in the middle of a bucket", "12:00:03.5", "12:00:10", 10 * time.Second},
		{"just before its end", "12:00:09.999999999", "12:00:10", 10 * time.Second},
		{"at its end the next one has begun", "12:00:10", "12:00:20", 10 * time.Second},
		{"a flush that came late does not move those after it", "12:00:12.25", "12:00:20", 10 * time.Second},
		{"one that came later than an interval neither", "12:00:47", "12:00:50", 10 * time.Second},
		{"after a step of the clock back by 25 s", "11:59:45.5", "11:59:50", 10 * time.Second},
		{"and forward by an hour and a bit", "13:00:07.125", "13:00:10", 10 * time.Second},
		{"parts of a second", "12:00:00.12", "12:00:00.2", 100 * time.Millisecond},
		{"intervals that no minute is a multiple of are aligned to the epoch", "12:00:00", "12:00:04", 7 * time.Second},
	} {
		l := &lane{config: &Config{Aggregate: aggregate.Config{Interval: c.interval}}}
		now := clock(c.now)
		got := l.flushAfter(now)
		if !got.Equal(clock(c.want)) || got.UnixNano()%int64(c.interval) != 0 {
			t.Errorf("%s: at %s the next flush is at %s, want %s", c.why, c.now, got.Format("15:04:05.999999999"), c.want)
		}
	}
	// With the monotonic reading that a step does not touch.
	l := &lane{config: &Config{Aggregate: aggregate.Config{Interval: time.Hour}}}
	now := time.Now()
	got := l.flushAfter(now)
	if stepped := got.Round(0).Sub(now.Round(0)); got.Sub(now) != stepped || got == got.Round(0) {
		t.Errorf("the deadline %v after %v has lost its monotonic reading", got, now)
	}
}

// TestFlushesStandAtTheEndsOfBuckets: what a flush takes is the bucket that has
// just ended, whole, and a flush stands before the first datagram of the next.
func TestFlushesStandAtTheEndsOfBuckets(t *testing.T) {
	config := Default()
	config.Aggregate.Interval = 10 * time.Second
	l := &lane{config: &config, table: aggregate.NewTable(config.Aggregate), flusher: &flusher{}, ballast: &ballast{}, underWay: make(chan struct{}, cutsPerLane)}
	l.stats.init()
	l.flusher.open(1)
	start := time.Unix(1_800_000_003, 0)
	l.nextFlush = l.flushAfter(start)
	datagram := slot{buffer: []byte("a:1|c"), n: 5}
	var got []string
	for second := range 32 {
		now := start.Add(time.Duration(second) * time.Second)
		l.ingest([]slot{datagram}, now)
		select {
		case d := <-l.flusher.in:
			<-l.underWay
			if err := d.cut.Each(func(s *aggregate.Series) error {
				got = append(got, fmt.Sprintf("at %d: %v from %d", now.Unix()%100, s.Value, s.Time%100))
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		default:
		}
	}
	if want := []string{"at 10: 7 from 0", "at 20: 10 from 10", "at 30: 10 from 20"}; !slices.Equal(got, want) {
		t.Errorf("flushes took %q, want %q", got, want)
	}
}

// TestFlushCPU: the statistics tell what flushes cost apart from the rest: a
// flush of many contextKeys takes a part of the process's CPU time, and ingest
// takes none of that part.
func TestFlushCPU(t *testing.T) {
	if !tellsThreadTime {
		t.Skip("this system does not tell the CPU time of a thread")
	}
	in := newIntake(t)
	config := testConfig(t, in)
	config.Aggregate.Interval = time.Hour // only the stop flushes
	before := processTime()
	s, stop := start(t, config)
	conn := dial(t, s)
	const keys = 20_000
	for k := range keys {
		fmt.Fprintf(conn, "requests.%d:1|c|#env:prod,zone:b", k)
	}
	eventually(t, "all were read", func() bool { return s.Statistics().Aggregated == keys })
	if n := *s.Statistics().FlushCPU; n != 0 {
		t.Errorf("before a flush it has cost %d ns", n)
	}
	stop()
	flush, all := time.Duration(*s.Statistics().FlushCPU), processTime()-before
	// A series cannot be encoded in less than a few nanoseconds.
	if flush < keys*10 || flush > all {
		t.Errorf("a flush of %d contextKeys cost %v, and the process used %v", keys, flush, all)
	}
}

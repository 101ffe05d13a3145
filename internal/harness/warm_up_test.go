package harness

import (
	"strings"
	"testing"
	"time"

	"floodgate/internal/procfs"
	"floodgate/internal/record"
	"floodgate/loadgen"
)

// TestWarmUp leaves the first 200 ms out of a load of 600 ms, by a timeline made
// by hand. At the reading that ends the warm-up 400 of 1000 messages had been
// sent, and the target, which had used 50 ms of CPU before the load, 90 ms.
func TestWarmUp(t *testing.T) {
	const total, cpu = 1000, 100 * time.Millisecond // of the whole load
	start := time.Unix(1000, 0)
	type row struct {
		ms             int64
		cpu            int64 // in milliseconds, of the process
		sent, received int64 // received is -1 where the target did not answer
		drops          int64
		queueDropped   int64
	}
	rows := []row{{-50, 50, 0, 0, 0, 0}, {50, 60, 90, 85, 0, 0}, {150, 75, 260, 255, 0, 0}, {250, 90, 400, 390, 0, 0},
		{350, 110, 600, 600, 0, 0}, {450, 130, 800, 800, 0, 0}, {550, 140, 1000, 990, 0, 0}}
	whole := func(change ...row) []row {
		own := append([]row{}, rows...)
		for _, c := range change {
			for i := range own {
				if own[i].ms == c.ms {
					own[i] = c
				}
			}
		}
		return own
	}
	without := func(ms ...int64) []row {
		var own []row
		for _, r := range rows {
			if len(ms) == 0 || r.ms < ms[0] || r.ms > ms[len(ms)-1] {
				own = append(own, r)
			}
		}
		return own
	}
	telling := warmUp{asked: true, udp: true}
	for _, c := range []struct {
		why     string
		warmUp  warmUp
		rows    []row
		after   time.Duration // the warm-up; 200 ms unless said
		lost    int64
		unread  bool // the kernel's drops
		foreign bool
		noCPU   bool

		want    leftOut
		measure string // of cpu_per_message; empty where it is absent
		fault   string
	}{
		{why: "the first reading at or after the end, by what the target received", warmUp: telling, rows: rows,
			want: leftOut{cpu: 40e6, messages: 390}, measure: "98.361µs"}, // 60 ms / 610
		{why: "a reading at the very end is after it", warmUp: telling, rows: rows, after: 150 * time.Millisecond,
			want: leftOut{cpu: 25e6, messages: 255}, measure: "100.671µs"},
		{why: "what was lost inside the target, nobody says when, makes the rest dearer, not cheaper", warmUp: telling, rows: rows, lost: 10,
			want: leftOut{cpu: 40e6, messages: 390}, measure: "100µs"},
		{why: "what its queue had dropped by then was lost before, and not after", warmUp: telling, rows: whole(row{250, 90, 400, 390, 0, 10}), lost: 10,
			want: leftOut{cpu: 40e6, messages: 380}, measure: "98.361µs"},
		{why: "one missed reading leaves the next, and its window begins there", warmUp: telling, rows: without(250),
			want: leftOut{cpu: 60e6, messages: 600}, measure: "100µs"},
		{why: "after two missed ones it would be another stretch", warmUp: telling, rows: without(250, 350), fault: "no reading was taken in time"},
		{why: "no reading after the end of the load stands in", warmUp: telling, rows: rows, after: 560 * time.Millisecond, fault: "no reading was taken in time"},
		{why: "no readings at all", warmUp: telling, fault: "no reading was taken in time"},
		{why: "a target that tells, and not at that reading", warmUp: telling, rows: whole(row{250, 90, 400, -1, 0, 0}), fault: "the target did not say what it had received"},
		{why: "an answer that failed elsewhere does no harm", warmUp: telling, rows: whole(row{150, 75, 260, -1, 0, 0}, row{350, 110, 600, -1, 0, 0}),
			want: leftOut{cpu: 40e6, messages: 390}, measure: "98.361µs"},
		{why: "one that is asked seldom: sent less dropped, at every replicate", warmUp: warmUp{udp: true, oneLine: true}, rows: whole(row{250, 90, 400, 390, 30, 0}),
			want: leftOut{cpu: 40e6, messages: 370}, measure: "95.238µs"},
		{why: "names that are not the contract's may count something else", warmUp: telling, rows: rows, foreign: true,
			want: leftOut{cpu: 40e6, messages: 400}, measure: "100µs"},
		{why: "dropped datagrams of an unknown number of messages", warmUp: warmUp{udp: true}, rows: whole(row{250, 90, 400, 390, 30, 0}), fault: "had dropped 30 datagrams"},
		{why: "drops that nobody could read", warmUp: warmUp{udp: true}, rows: rows, unread: true, fault: "the kernel's drops are not known"},
		{why: "a unix socket drops nothing", warmUp: warmUp{}, rows: rows, unread: true,
			want: leftOut{cpu: 40e6, messages: 400}, measure: "100µs"},
		{why: "given up is not sent, and during the load it counts as sent", warmUp: warmUp{givenUp: true}, rows: rows, fault: "may have been given up"},
		{why: "but the target knows what it got", warmUp: warmUp{asked: true, givenUp: true}, rows: rows,
			want: leftOut{cpu: 40e6, messages: 390}, measure: "98.361µs"},
		{why: "no CPU time, no cost", warmUp: telling, rows: rows, noCPU: true, fault: "the CPU time of the target is not known"},
	} {
		readings, ticks := procfs.Result{Socket: !c.unread}, []tick(nil)
		for _, r := range c.rows {
			// The CPU of the tick counts, which is read after the answer.
			used := time.Duration(r.cpu) * time.Millisecond
			readings.Readings = append(readings.Readings, procfs.Reading{At: start.Add(time.Duration(r.ms) * time.Millisecond), CPU: used - 1, KernelDrops: r.drops})
			beside := tick{progress: loadgen.Progress{SentMessages: r.sent}, cpu: &used}
			if r.received >= 0 {
				beside.stats = &Statistics{Received: count(r.received), QueueDropped: count(r.queueDropped), Foreign: c.foreign}
			}
			if c.noCPU {
				beside.cpu = nil
			}
			ticks = append(ticks, beside)
		}
		if c.after == 0 {
			c.after = 200 * time.Millisecond
		}
		w := c.warmUp
		w.end, w.loadEnd, w.cpu = start.Add(c.after), start.Add(600*time.Millisecond), 50*time.Millisecond
		got, err := w.over(readings, ticks)
		if c.fault != "" {
			if err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("%s: %v, want %q", c.why, err, c.fault)
			}
			got = leftOut{unknown: true} // as the session has it
		} else if err != nil || got != c.want {
			t.Errorf("%s: %+v, %v, want %+v", c.why, got, err, c.want)
		}
		used := cpu
		f := findings{cpu: &used, warm: got, elapsed: time.Second, ledger: record.Ledger{Offered: total, Sent: total, Delivered: count(total - c.lost), Unattributed: c.lost}}
		shown := ""
		for _, m := range measures(f) {
			switch m.Name {
			case "cpu_per_message":
				shown = time.Duration(m.Value*1e9 + 0.5).String()
			case "cpu_seconds":
				if m.Value != cpu.Seconds() {
					t.Errorf("%s: cpu_seconds is %v, want that of the whole load", c.why, m.Value)
				}
			}
		}
		if shown != c.measure {
			t.Errorf("%s: %q per message, want %q", c.why, shown, c.measure)
		}
	}
}

// TestWarmUpOfFlushes: the flushes of a warm-up are left out with it, and where
// the target did not tell of them by then, nothing stands in.
func TestWarmUpOfFlushes(t *testing.T) {
	cpu := time.Second
	for _, c := range []struct {
		why  string
		warm leftOut
		want string
	}{
		{"no warm-up", leftOut{}, "300µs"},
		{"of 300 ms of flushes 100 fell into the warm-up, with half of the messages", leftOut{cpu: 5e8, messages: 500, flushCPU: count(100e6)}, "400µs"},
		{"not told at its end", leftOut{cpu: 5e8, messages: 500}, ""},
		{"a warm-up that cannot be told from the rest", leftOut{unknown: true}, ""},
	} {
		final := int64(300e6)
		f := findings{cpu: &cpu, warm: c.warm, elapsed: cpu, stats: &Statistics{FlushCPU: &final}, ledger: record.Ledger{Sent: 1000, Delivered: count(1000)}}
		shown := ""
		for _, m := range measures(f) {
			if m.Name == "flush_cpu_per_message" {
				shown = time.Duration(m.Value*1e9 + 0.5).String()
			}
		}
		if shown != c.want {
			t.Errorf("%s: %q, want %q", c.why, shown, c.want)
		}
	}
}

// TestAskedAtEveryTick: ticks are not quite even, and a target that may be asked
// at each is not passed over when one comes early.
func TestAskedAtEveryTick(t *testing.T) {
	start := time.Unix(1000, 0)
	for _, c := range []struct {
		every time.Duration
		want  int // of 10 ticks, 100 ms apart but for one that is early
	}{{sampleInterval, 10}, {2 * sampleInterval, 5}} {
		p := probe{every: c.every}
		asked := 0
		for i := range 10 {
			at := start.Add(time.Duration(i) * sampleInterval)
			if i == 5 {
				at = at.Add(-40 * time.Millisecond)
			}
			if p.due(at) {
				asked++
			}
		}
		if asked != c.want {
			t.Errorf("every %v: asked %d times, want %d", c.every, asked, c.want)
		}
	}
}

package saturation

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"floodgate/internal/record"
)

var limits = Limits{Loss: 0.001, Flush: time.Second, Over: 2 * time.Second, Drain: 20 * time.Second, MessagesPerDatagram: 10, BytesPerMessage: 50}

// shape is a target of a simulated replicate at 100,000 messages a second.
type shape struct {
	takes   float64 // of what is offered, as a share
	drops   float64 // of what is offered, by the kernel
	drained float64 // seconds after the load
	silent  bool    // it does not tell what it received
	unix    bool
	every   int // readings for each answer of its own
}

const rate = 100_000

// replicate is the record of it.
func (s shape) replicate() *record.Record {
	columns := map[string][]float64{}
	add := func(name string, y float64) { columns[name] = append(columns[name], y) }
	var answer float64
	for i := range 60 {
		at := 0.03 + float64(i)/10
		offered := rate * min(at, 2)
		received := min(offered*(1-s.drops), offered*s.takes)
		dropped := offered * s.drops
		if at > 2 {
			received = min(2*rate*(1-s.drops), rate*s.takes*at)
		}
		wild := 0.0
		if i == 14 { // a reading that came late
			wild = -3000
		}
		if s.every == 0 || i%s.every == 0 {
			answer = received + wild
		}
		add(record.ColumnTime, at)
		add(record.ColumnOffered, offered)
		if s.unix {
			add(record.ColumnSent, received)
		} else {
			add(record.ColumnSent, offered)
			add(record.ColumnKernelDropped, dropped/10)
			add(record.ColumnKernelQueue, (offered-dropped-received)*50)
		}
		if !s.silent {
			add(record.ColumnReceived, answer)
		}
		delivered := 0.0
		if at >= 1 {
			delivered = 0.5
		}
		if at >= 2+s.drained {
			delivered = 1
		}
		add(record.ColumnDelivered, delivered*2*rate)
	}
	return &record.Record{
		Replicate: 1, Measures: []record.Measure{{Name: "cpu_per_message", Unit: "s", Better: "lower", Value: 1e-6}},
		Phases:   []record.Phase{{Name: record.PhaseMeasuring, Duration: 2}, {Name: record.PhaseDraining, Duration: 3}, {Name: record.PhaseStopping}},
		Timeline: record.Timeline{StepSeconds: 0.1, Columns: columns},
		Ledger:   record.Ledger{Offered: 2 * rate, Sent: 2 * rate, Delivered: record.Count(int64(2 * rate * (1 - s.drops)))},
	}
}

// TestOf is what replicates of simulated targets say of their rate.
func TestOf(t *testing.T) {
	for _, c := range []struct {
		why    string
		shape  shape
		want   Finding
		reason string
		from   Source
	}{
		{"it keeps up", shape{takes: 1, drained: 1}, Held, "", Received},
		{"within a reading of two flush intervals", shape{takes: 1, drained: 2.05}, Held, "", Received},
		{"it loses more than it may", shape{takes: 1, drops: 0.002}, Broke, "0.20% was lost", Received},
		{"it loses what it may", shape{takes: 1, drops: 0.0005}, Held, "", Received},
		{"its queue grows, and nothing is lost yet", shape{takes: 0.95, drained: 0.2}, Broke, "the backlog grew by 5% of the load", Received},
		{"what the kernel dropped does not wait", shape{takes: 0.9, drops: 0.1}, Broke, "10% was lost", Received},
		{"growth that is lost in the readings", shape{takes: 0.99, drained: 0.2}, Held, "", Received},
		{"it is done late", shape{takes: 1, drained: 3}, Broke, "to drain, and 2.2s is the limit", Received},
		{"it answers at every third reading", shape{takes: 0.95, every: 3}, Broke, "the backlog grew", Socket},
		{"a silent one by its socket", shape{takes: 0.95, silent: true}, Broke, "the backlog grew by 5% of the load", Socket},
		{"a silent one that keeps up", shape{takes: 1, silent: true}, Held, "", Socket},
		{"a unix socket holds its senders up", shape{takes: 0.95, silent: true, unix: true}, Broke, "the backlog grew by 5% of the load", Sender},
		{"and if the target tells", shape{takes: 0.95, unix: true}, Broke, "the backlog grew by 5% of the load", Received},
	} {
		got := limits.Of(rate, c.shape.replicate())
		if got.Finding != c.want || (got.Reason == "") != (c.reason == "") || !strings.Contains(got.Reason, c.reason) || got.Backlog.From != c.from {
			t.Errorf("%s: %s, %q, by %s %v; want %s, %q, by %s", c.why, got.Finding, got.Reason, got.Backlog.From, *got.Backlog.Growth, c.want, c.reason, c.from)
		}
	}
}

// TestOfADisturbedMachine: what the machine did stands beside what did not hold,
// where it may be why.
func TestOfADisturbedMachine(t *testing.T) {
	for _, c := range []struct {
		why           string
		steal, late   float64
		kernelDropped int64
		want          string
	}{
		{"a quiet machine", 0.01, 0.0005, 500, ""},
		{"stolen time", 0.12, 0.0005, 0, "the hypervisor took 12% of the CPU time"},
		{"a late wake-up and a loss", 0.01, 0.0078, 500, "the target's reader was woken 7.80ms late"},
		{"a late wake-up that lost nothing", 0.01, 0.0078, 0, ""},
	} {
		rec := shape{takes: 1, drops: 0.002}.replicate()
		rec.Environment.StealFraction = &c.steal
		rec.Ledger.KernelDropped = &c.kernelDropped
		rec.Measures = append(rec.Measures, record.Measure{Name: "wake_late_max", Unit: "s", Better: "lower", Value: c.late})
		if got := limits.Of(rate, rec); got.Disturbed != c.want || got.Finding != Broke {
			t.Errorf("%s: %s, disturbed by %q; want %s, %q", c.why, got.Finding, got.Disturbed, Broke, c.want)
		}
	}
}

// TestOfAScantRecord: what is missing is not taken for what holds, and a load too
// short to see a backlog grow has its drain.
func TestOfAScantRecord(t *testing.T) {
	check := func(why string, rec *record.Record, l Limits, want Finding, reason string) Trial {
		t.Helper()
		got := l.Of(rate, rec)
		if got.Finding != want || !strings.Contains(got.Reason, reason) {
			t.Errorf("%s: %s, %q; want %s, %q", why, got.Finding, got.Reason, want, reason)
		}
		return got
	}
	good := shape{takes: 1, drained: 1}
	rec := good.replicate()
	rec.Ledger.Delivered = nil
	check("the loss is not known", rec, limits, Doubt, "nothing tells")

	short := limits
	short.Over = 300 * time.Millisecond
	short.Flush = 3 * time.Second // what it drains is measured from the end of a shorter load
	if got := check("too short to see growth", good.replicate(), short, Held, ""); got.Backlog.Growth != nil || got.Backlog.Drain == nil {
		t.Errorf("a load of two readings tells of a growth: %+v", got.Backlog)
	}

	rec = good.replicate()
	rec.Timeline.Columns[record.ColumnDelivered] = make([]float64, 60)
	if got := check("nothing arrives that could be counted", rec, limits, Held, ""); got.Backlog.DrainFrom != Quiet {
		t.Errorf("drained by %q", got.Backlog.DrainFrom)
	}
	rec.Phases[1].Duration = 4.3
	check("it is not quiet for too long", rec, limits, Broke, "it took 4.3")
	rec = good.replicate()
	rec.Phases[1].Duration = 20.01
	check("it had not drained at the limit", rec, limits, Broke, "had not drained")

	rec = good.replicate()
	rec.Ledger.Delivered = record.Count(2*rate - 2)
	strict := limits
	strict.Loss = 0
	check("two messages of many", rec, strict, Broke, "2 of 200000 messages were lost")

	rec = good.replicate()
	rec.Ledger.Sent, rec.Ledger.GivenUp, rec.Ledger.Delivered = 1.5*rate, 0.5*rate, record.Count(1.5*rate)
	check("its senders found no room and did not wait", rec, limits, Broke, "25% was lost")

	h := hdrhistogram.New(1, 1e9, 3)
	h.RecordValue(5e6)
	encoded, err := h.EncodeV2()
	if err != nil {
		t.Fatal(err)
	}
	rec = good.replicate()
	rec.Histograms = map[string]string{record.HistogramIngestLatency: string(encoded)}
	if got := limits.Of(rate, rec); got.LatencyP99 == nil || math.Abs(*got.LatencyP99-0.005) > 1e-5 {
		t.Errorf("the latency is %v, want 5ms", got.LatencyP99)
	}
}

// TestInvalid: whose fault it was that a replicate must not be judged.
func TestInvalid(t *testing.T) {
	measures := []record.Measure{{Name: "cpu_seconds"}}
	for _, c := range []struct {
		why, reason, phase, words string
		measures                  []record.Measure
		want                      Finding
	}{
		{"a late generator", "the generator was late: p99 20ms, the scenario's limit is 10ms", record.PhaseStopping, "", measures, Late},
		{"one that did not send all", "the generator did not send 3 messages that were due; the accounts do not hold: x", record.PhaseStopping, "", measures, Late},
		{"the target died of it", "the target died under load: killed by signal 9", record.PhaseMeasuring, "", nil, Broke},
		{"and later", "the target died after the load: exit status 2", record.PhaseDraining, "panic", nil, Broke},
		{"just before it was stopped", "the target died after the load, before it was stopped: x", record.PhaseStopping, "panic", nil, Broke},
		{"it did not take the load", "the target did not take the load within 20s of its end", record.PhaseMeasuring, "", nil, Broke},
		{"it never started", "the target died: exit status 1", record.PhaseStarting, "usage", nil, Doubt},
		{"its statistics are broken", "cannot read the target's statistics", record.PhaseStopping, "", nil, Doubt},
		{"the accounts", "the accounts do not hold: x", record.PhaseStopping, "", measures, Doubt},
	} {
		rec := &record.Record{Invalid: c.reason, Phases: []record.Phase{{Name: c.phase}}, LastWords: c.words, Measures: c.measures}
		if got := limits.Of(rate, rec); got.Finding != c.want || got.Reason != c.reason {
			t.Errorf("%s: %s, %q; want %s", c.why, got.Finding, got.Reason, c.want)
		}
	}
	if got := limits.Of(rate, &record.Record{Invalid: "x"}); got.Finding != Doubt {
		t.Errorf("without a phase: %s", got.Finding)
	}
}

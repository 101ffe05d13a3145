package harness

import (
	"context"
	"errors"
	"fmt"
	"time"

	"floodgate/internal/record"
	"floodgate/loadgen"
	"floodgate/scenarios"
)

// sendMethods are the generator's words for the scenario's.
var sendMethods = map[scenarios.SendMethod]loadgen.Method{
	"": loadgen.AutoMethod, scenarios.AutoMethod: loadgen.AutoMethod,
	scenarios.SendBatch: loadgen.Batch, scenarios.SendGSO: loadgen.GSO, scenarios.SendSingle: loadgen.Single,
}

// dialOptions is what a scenario says about sending, in the generator's terms.
func dialOptions(l scenarios.Load) loadgen.DialOptions {
	o := loadgen.DialOptions{
		Method: sendMethods[l.Sender.Method], Sockets: l.Sender.Sockets,
		DropWhenFull: l.Sender.WhenFull == scenarios.Drop, Client: loadgen.Client(l.Sender.Client),
	}
	if o.Client != loadgen.NoClient {
		o.ClientBytes, o.ClientLines = l.Corpus.Packing.Bytes, l.Corpus.Packing.Lines
	}
	return o
}

// oneLine reports whether every datagram that the target gets holds one message.
func oneLine(l scenarios.Load, p *prepared) bool {
	if l.Sender.Client != scenarios.NoClient {
		return l.Corpus.Packing.Lines == 1
	}
	return p.oneLine()
}

// The bounds of measuring the generator's ceiling: so much sending, and so long
// in all. A small corpus is sent many times, with pauses between.
const (
	ceilingSending = 250 * time.Millisecond
	ceilingInAll   = 300 * time.Millisecond
)

var errEnough = errors.New("long enough")

// newCeiling measures how fast the generator could send the load here, and what
// share of that the load asks for. It is nil, without an error, where there is no
// such ceiling: into another socket than UDP the receiver sets the pace, and
// behind a client library it does.
func newCeiling(ctx context.Context, l scenarios.Load, corpus *loadgen.Corpus, schedule loadgen.Schedule) (*record.Ceiling, error) {
	if l.Transport != scenarios.UDP || l.Sender.Client != scenarios.NoClient || corpus == nil {
		return nil, nil
	}
	limited, cancel := context.WithTimeoutCause(ctx, ceilingInAll, errEnough)
	defer cancel()
	config := loadgen.DefaultCeiling(corpus)
	config.Options, config.Over = dialOptions(l), ceilingSending
	r, err := loadgen.Ceiling(limited, config)
	switch {
	case err != nil && !errors.Is(err, errEnough):
		return nil, err
	case !(r.MessagesPerSecond() > 0):
		return nil, errors.New("cannot measure the generator's ceiling: nothing was sent in time")
	}
	return &record.Ceiling{Datagrams: r.DatagramsPerSecond(), Messages: r.MessagesPerSecond(), Share: busiest(schedule) / r.MessagesPerSecond()}, nil
}

// busyWindow is the stretch of time over which the rate of a load is taken.
const busyWindow = 100 * time.Millisecond

// busiest is the most messages per second that fall due over any busyWindow of a
// schedule, or over all of it where that is shorter. Windows overlap by half.
func busiest(schedule loadgen.Schedule) float64 {
	end := schedule.End()
	window := busyWindow
	if end > 0 {
		window = min(window, end)
	}
	most := int64(0)
	for at := time.Duration(0); at == 0 || at < end; at += max(1, window/2) {
		most = max(most, schedule.DueBy(at+window-1)-schedule.DueBy(at-1))
	}
	return float64(most) / window.Seconds()
}

// generatorRecord is what offering the load took, as a record keeps it.
func generatorRecord(r loadgen.Result, client scenarios.Client, ceiling *record.Ceiling) *record.Generator {
	if r.OfferedMessages == 0 {
		return nil
	}
	s := r.Sender
	g := &record.Generator{LastSent: r.LastSent.Seconds(), Calls: s.Calls, Wakeups: r.Wakeups, Blocked: s.Blocked.Seconds(),
		EAGAIN: s.EAGAIN, ENOBUFS: s.ENOBUFS, Refused: s.Refused, Segmented: s.Segmented, GivenUpDatagrams: s.GivenUpDatagrams, Ceiling: ceiling}
	if r.CPU >= 0 {
		cpu := r.CPU.Seconds()
		g.CPU = &cpu
	}
	if c := s.Client; client != scenarios.NoClient {
		g.Client = &record.Client{Name: string(client), Submitted: c.Submitted, Written: c.Written, QueueDropped: c.QueueDropped, WriterDropped: c.WriterDropped,
			Payloads: c.Payloads, PayloadsQueueDropped: c.PayloadsQueueDropped, PayloadsWriterDropped: c.PayloadsWriterDropped}
	}
	return g
}

// clientFaults holds a client library's account of itself against the rest.
func clientFaults(r loadgen.Result) []string {
	c := r.Sender.Client
	if rest := c.Submitted - c.Written - c.QueueDropped - c.WriterDropped; rest != 0 {
		return []string{fmt.Sprintf("client: submitted = written + queue_dropped + writer_dropped: %d against %d, %+d unexplained", c.Submitted, c.Submitted-rest, rest)}
	}
	return nil
}

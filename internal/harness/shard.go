package harness

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strconv"
	"time"

	"floodgate/internal/procfs"
	"floodgate/internal/record"
	"floodgate/loadgen"
	"floodgate/scenarios"
)

// Shard makes a run one of several, on one machine or many, that offer the load
// of a scenario together. Shard i of n sends the messages i-1, i-1+n, i-1+2n and
// so on of the schedule. The first one has the target; the others send to it and
// do nothing else. They know nothing of each other but the instant at which they
// begin, and record.Merge makes one record of theirs.
type Shard struct {
	Index, Of int // from 1
	// At are the instants at which the load of each replicate begins, in their order.
	At []time.Time
	// Listen, of the first shard, is the host and the port that the target listens on.
	Listen string
	// To, of the others, is the URL of the target.
	To string
	// AllowRemote permits To to be another machine.
	AllowRemote bool
}

// sends reports whether the shard sends to a target that another one has.
func (s *Shard) sends() bool { return s != nil && s.Index > 1 }

// listens is where the target is to listen; empty for anywhere.
func (s *Shard) listens() string {
	if s == nil {
		return ""
	}
	return s.Listen
}

// allowsRemote reports whether the load may leave the loopback. That of the shard
// beside the target never leaves the machine, whatever the address.
func (s *Shard) allowsRemote() bool { return s != nil && (s.AllowRemote || s.Listen != "") }

func (s *Shard) record(replicate int) *record.Shard {
	return &record.Shard{Index: s.Index, Of: s.Of, At: s.At[replicate]}
}

// shardFault names what keeps the run from being a shard.
func (c Config) shardFault() error {
	shard := c.Shard
	if shard == nil {
		return nil
	}
	if len(c.Scenarios) != 1 || len(c.Variants) != 1 {
		return fmt.Errorf("cannot share a run of %d scenarios and %d variants: want one of each, the instants are those of its replicates", len(c.Scenarios), len(c.Variants))
	}
	s := &c.Scenarios[0]
	fail := func(format string, args ...any) error {
		return fmt.Errorf("cannot share the load of "+s.Name+": "+format, args...)
	}
	replicates := cmp.Or(c.Replicates[s.Name], s.Replicates)
	switch transport := s.Load.Transport; {
	case shard.Of < 1 || shard.Index < 1 || shard.Index > shard.Of:
		return fail("shard %d of %d, want one from 1 to their number", shard.Index, shard.Of)
	case s.Load.Replay != nil:
		return fail("a replay is offered by one")
	case s.Load.WarmUp > 0:
		return fail("no reading says what all shards had sent when its warm-up was over: want none")
	case s.Load.Schedule.Count < int64(shard.Of):
		return fail("it has %d messages, want at least one for each of %d shards", s.Load.Schedule.Count, shard.Of)
	case transport != scenarios.UDP && transport != scenarios.TCP:
		return fail("its transport is %s, want udp or tcp", transport)
	case s.Load.Sender.Client != scenarios.NoClient || s.Load.Sender.WhenFull == scenarios.Drop:
		return fail("its sender may give messages up, and the shard beside the target could not know: want no client, and when_full: block")
	case len(shard.At) != replicates:
		return fail("want an instant for each of %d replicates, found %d", replicates, len(shard.At))
	case !shard.sends() && shard.To != "":
		return fail("shard 1 has the target beside it: only the others send to one")
	}
	for i := 1; i < len(shard.At); i++ {
		if !shard.At[i].After(shard.At[i-1]) {
			return fail("%s is not after %s: want the instants in their order", shard.At[i].Format(time.RFC3339Nano), shard.At[i-1].Format(time.RFC3339Nano))
		}
	}
	if !shard.sends() {
		if shard.Listen == "" {
			return fail("shard 1 must say where its target listens")
		}
		_, _, err := splitListen(shard.Listen)
		return err
	}
	return shard.reach(s.Load.Transport)
}

// reach finds out whether the target's URL can be that of a load.
func (s *Shard) reach(transport scenarios.Transport) error {
	network, address, err := loadgen.SplitURL(s.To)
	if err != nil {
		return err
	}
	if network != string(transport) {
		return fmt.Errorf("cannot send to %s: the transport of the scenario is %s", s.To, transport)
	}
	to, err := net.ResolveTCPAddr("tcp", address) // a host and a port are the same for both
	switch {
	case err != nil:
		return fmt.Errorf("cannot send to %s: %w", s.To, err)
	case !to.IP.IsLoopback() && !s.AllowRemote:
		return fmt.Errorf("cannot send to %s: %w", s.To, loadgen.ErrRemote)
	}
	return nil
}

// splitListen takes the address of a target's socket apart.
func splitListen(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err == nil {
		port, err = strconv.Atoi(text)
	}
	if err != nil || net.ParseIP(host) == nil || port < 1 || port > 65535 {
		return "", 0, fmt.Errorf("cannot listen on %q: want an IP address of this machine and a port, such as 127.0.0.1:8125", address)
	}
	return host, port, nil
}

// whole is the load of all shards together.
type whole struct {
	schedule loadgen.Schedule
	messages int64
	// Known beside the target alone.
	datagrams, hostile int64
}

// share makes the part of one shard. Beside the target it makes those of the
// others too, one after the other, to know what they come to.
func (p *prepared) share(ctx context.Context, l scenarios.Load, shard *Shard) error {
	schedule, err := newSchedule(l.Schedule)
	if err != nil {
		return err
	}
	p.whole = &whole{schedule: schedule, messages: schedule.Total()}
	var all loadgen.Whole
	for i := range shard.Of {
		own := i == shard.Index-1
		if shard.sends() && !own {
			continue
		}
		part, err := loadgen.Shard(schedule, i, shard.Of)
		if err != nil {
			return err
		}
		config := newCorpusConfig(l, part)
		config.Messages, config.Shard, config.Shards = part.Total(), i, shard.Of
		corpus, err := loadgen.NewCorpus(ctx, config)
		if err != nil {
			return err
		}
		if own {
			p.corpus, p.schedule = corpus, part
		}
		if !shard.sends() {
			all.Add(corpus)
		}
	}
	if shard.sends() {
		return nil
	}
	p.whole.datagrams, p.whole.hostile = all.Datagrams, all.Totals.Hostile()
	p.expected = newExpectations(all.Expected())
	for i := range p.expected.keys {
		p.expected.keys[i].anyLast = shard.Of > 1
	}
	return nil
}

// standByLead is how long before the instant a shard is ready to send.
const standByLead = 200 * time.Millisecond

// standBy waits until so long before the instant at which all shards begin, and
// a little longer. Without shards, and after that, it returns at once.
func (s *session) standBy(ctx context.Context, before time.Duration) error {
	if s.shard == nil {
		return nil
	}
	return s.wait(ctx, time.Until(s.startAt)-before-standByLead)
}

// standByToSend is the warm-up of a shard without a target.
func (s *session) standByToSend(ctx context.Context) error {
	runtime.GC() // it must not fall into the load
	return s.standBy(ctx, 0)
}

// send is the load of a shard without a target.
func (s *session) send(ctx context.Context) error {
	s.host = procfs.Snapshot()
	s.record.Config.Address = s.shard.To
	err := s.offer(ctx, s.shard.To)
	if errors.Is(err, loadgen.ErrTargetGone) {
		return &invalid{reason: "the target did not listen, or closed its socket under load: " + err.Error(), final: true}
	}
	return err
}

// finishSending turns what a shard sent into its record.
func (s *session) finishSending() error {
	s.record.Ledger = s.ownShare(record.Ledger{})
	s.record.Generator = generatorRecord(s.result, s.scenario.Load.Sender.Client, s.prepared.ceiling)
	f := findings{ledger: s.record.Ledger, lateness: s.result.Lateness, blocked: s.result.Sender.Blocked, uncounted: true}
	s.record.Measures = measures(f)
	var err error
	if s.record.Histograms, err = histograms(f); err != nil {
		return err
	}
	s.record.Timeline = record.Timeline{StepSeconds: sampleInterval.Seconds(), Columns: map[string][]float64{}}
	return s.validity(nil)
}

// ownShare is the ledger of this shard: what it was to send itself, beside the
// stages of a target that all shards send to. One that has no others is whole.
func (s *session) ownShare(l record.Ledger) record.Ledger {
	if s.shard == nil {
		return l
	}
	l.Offered, l.NotSent, l.GivenUp, l.Sent = s.result.OfferedMessages, s.result.NotSent, s.result.GivenUp, s.result.SentMessages
	l.Hostile = s.prepared.ownHostile()
	return l
}

// sentByAll is the generator's result with what the other shards were to send.
// Where one of them sent less, the whole is void, and its own record says so.
func (s *session) sentByAll() loadgen.Result {
	r := s.result
	if w := s.prepared.whole; w != nil {
		messages, datagrams := w.messages-s.prepared.corpus.Messages(), w.datagrams-int64(s.prepared.corpus.Datagrams())
		r.OfferedMessages += messages
		r.SentMessages += messages
		r.SentDatagrams += datagrams
	}
	return r
}

// wholeSchedule is when the messages that the target got were due.
func (s *session) wholeSchedule() loadgen.Schedule {
	if w := s.prepared.whole; w != nil {
		return w.schedule
	}
	return s.schedule
}

// awaited says, of a load that is shared, that the target has not read all of it,
// by its own word. It is empty where it has, and where that cannot be told: of a
// target that does not say how many messages it read, or says so by names of its
// own, and where the kernel dropped datagrams of several messages.
func (s *session) awaited() string {
	w := s.prepared.whole
	if w == nil {
		return ""
	}
	var told *Statistics
	s.mu.Lock()
	for _, t := range s.ticks {
		if t.stats != nil {
			told = t.stats
		}
	}
	s.mu.Unlock()
	if told == nil || told.Received == nil || told.Foreign {
		return ""
	}
	arrived := *told.Received
	if s.sockets != nil {
		stats, err := s.sockets.Read()
		if err != nil || stats.Drops > 0 && !s.prepared.oneLine() {
			return ""
		}
		arrived += stats.Drops
	}
	if arrived >= w.messages {
		return ""
	}
	return fmt.Sprintf(": of the %d messages of all shards %d had come", w.messages, arrived)
}

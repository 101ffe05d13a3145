package harness

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"floodgate/internal/capability"
	"floodgate/internal/intake"
	"floodgate/internal/payload"
	"floodgate/internal/record"
	"floodgate/internal/target"
	"floodgate/loadgen"
	"floodgate/scenarios"
)

// Flush intervals of a target that is probed: the second one where its
// description rounds to whole seconds.
const (
	probeFlush      = 100 * time.Millisecond
	probeWholeFlush = time.Second
)

// ProbeCapabilities starts the variant's target once for each transport of its
// description, exactly as a replicate would, and finds out what it can do. Each
// probe is followed by a counter, and what has not arrived by the second flush
// with such a counter never will. limit is how long one may take to arrive. The
// error says that a target could not be started, died, or that nothing arrived;
// every target has ended when it returns. Warnings are of the intakes.
func ProbeCapabilities(ctx context.Context, v Variant, limit time.Duration) (probed []capability.Matrix, warnings []string, err error) {
	description := v.description()
	if description.Sink == scenarios.SinkNone {
		return nil, nil, fmt.Errorf("cannot probe target %s: its output is not counted (sink: none), so nothing can be seen of it", description.Name)
	}
	for _, transport := range description.Transports {
		m, doubts, err := probeOver(ctx, v, transport, limit)
		if err != nil {
			if ctx.Err() != nil {
				return probed, warnings, context.Cause(ctx)
			}
			return probed, warnings, fmt.Errorf("cannot probe target %s over %s: %w", description.Name, transport, err)
		}
		probed = append(probed, m)
		warnings = append(warnings, doubts...)
	}
	return probed, warnings, nil
}

// flushFor is the shortest flush interval that is worth asking the target for.
func flushFor(t *scenarios.Target, transport scenarios.Transport) time.Duration {
	if t.FlushEvery > 0 {
		return t.FlushEvery
	}
	comesTo := func(d time.Duration) string {
		l := scenarios.SampleLaunch(transport)
		l.FlushInterval = d
		filled, err := t.Render(l)
		return fmt.Sprint(filled, err)
	}
	if comesTo(probeFlush) == comesTo(2*probeFlush) && comesTo(probeFlush) != comesTo(probeWholeFlush) {
		return probeWholeFlush
	}
	return probeFlush
}

// questioner puts probes to one target.
type questioner struct {
	session *session
	conn    net.Conn
	seen    capability.Observation
	limit   time.Duration
	flush   time.Duration
	ends    int   // counters behind probes that were sent so far
	broken  error // uploads that could not be decoded
}

func probeOver(ctx context.Context, v Variant, transport scenarios.Transport, limit time.Duration) (m capability.Matrix, warnings []string, err error) {
	dir, err := os.MkdirTemp("", "floodgate-")
	if err != nil {
		return m, nil, err
	}
	defer os.RemoveAll(dir)
	scenario := scenarios.Default()
	scenario.Load.Transport, scenario.Target.FlushInterval = transport, flushFor(v.description(), transport)
	s := &session{scenario: &scenario, variant: v, record: &record.Record{}, dir: dir, began: time.Now()}
	defer func() {
		if closed := s.close(); err == nil {
			err = closed
		}
	}()
	if err := s.start(ctx); err != nil {
		return m, nil, s.lastSaid(err)
	}
	q := &questioner{session: s, limit: max(limit, 5*scenario.Target.FlushInterval), flush: scenario.Target.FlushInterval}
	q.seen.Sink = v.description().Sink
	hangUp, err := q.connect(ctx)
	if err != nil {
		return m, nil, err
	}
	defer hangUp()
	asked, largest, err := q.ask(ctx, transport)
	if err != nil {
		return m, nil, s.lastSaid(err)
	}
	s.process.Stop(ctx, scenario.Limits.Stop)
	s.stopIntake(nil)
	s.background.Wait()
	q.look() // some hold the last of it back until they end
	if q.broken != nil {
		s.warn(q.broken.Error())
	}
	said := &v.description().Capabilities
	m = capability.Matrix{Transport: transport, LargestDatagram: largest}
	for _, a := range asked {
		m.Rows = append(m.Rows, capability.NewRow(&a.probe, &q.seen, a.malformed, said))
	}
	m.Rows = append(m.Rows, capability.LargestRow(largest, notSized(transport, m.Rows), said))
	return m, append(s.record.Warnings, s.intake.Warnings()...), ctx.Err()
}

// lastSaid adds the last line that a living target printed; the error of one that
// has ended holds it already.
func (s *session) lastSaid(err error) error {
	if s.process == nil {
		return err
	}
	words := strings.TrimSpace(s.process.LastWords())
	if _, ended := s.process.State(); ended || words == "" {
		return err
	}
	return fmt.Errorf("%w; its last words: %q", err, words[strings.LastIndexByte(words, '\n')+1:])
}

// notSized says why the largest datagram is not known.
func notSized(transport scenarios.Transport, rows []capability.Row) string {
	if transport != scenarios.UDP {
		return "it is asked over udp alone"
	}
	if !slices.ContainsFunc(rows, func(r capability.Row) bool { return r.Key == capability.Packing && r.Probed == capability.Yes }) {
		return "only several lines could fill a datagram"
	}
	return ""
}

// answered is a probe that was sent.
type answered struct {
	probe     capability.Probe
	malformed *int64 // by how much the target's own count rose; nil where it does not tell
}

// ask puts all probes, one after the other, and then looks for the largest
// datagram.
func (q *questioner) ask(ctx context.Context, transport scenarios.Transport) (asked []answered, largest int64, err error) {
	var kinds []string
	packs := false
	put := func(probes []capability.Probe) error {
		for _, p := range probes {
			a, err := q.put(ctx, p)
			if err != nil {
				return err
			}
			asked = append(asked, a)
			answer, _ := p.Judge(&q.seen, a.malformed)
			switch {
			case answer != capability.Yes:
			case p.Key == capability.Kinds:
				kinds = append(kinds, p.Kind)
			case p.Key == capability.Packing:
				packs = true
			}
		}
		return nil
	}
	if err := put(capability.KindProbes()); err != nil {
		return nil, 0, err
	}
	if err := put(capability.Probes(kinds, time.Now().Unix())); err != nil {
		return nil, 0, err
	}
	if transport != scenarios.UDP || !packs {
		return asked, 0, nil
	}
	search := capability.NewSearch(q.session.variant.description().Capabilities.LargestDatagram)
	for {
		size, more := search.Next()
		if !more {
			return asked, search.Largest(), nil
		}
		p := capability.Filled(size)
		if _, err := q.put(ctx, p); err != nil {
			return nil, 0, err
		}
		answer, _ := p.Judge(&q.seen, nil)
		search.Tried(size, answer == capability.Yes)
	}
}

// put sends a probe and waits until all that can come of it has come. A target
// may read with several threads and flush in between: what is not there with the
// first counter behind it has one more flush to come.
func (q *questioner) put(ctx context.Context, p capability.Probe) (answered, error) {
	before := q.malformed(ctx)
	for _, datagram := range p.Datagrams {
		if err := q.send(datagram); err != nil {
			return answered{}, fmt.Errorf("cannot send the probe of %s: %w", p.Name(), err)
		}
	}
	for range 2 {
		if err := q.awaitEnd(ctx); err != nil {
			return answered{}, fmt.Errorf("after the probe of %s, %s: %w", p.Name(), p.Sent(), err)
		}
		if answer, _ := p.Judge(&q.seen, nil); answer == capability.Yes {
			break
		}
	}
	a := answered{probe: p}
	if before == nil {
		return a, nil // it will not tell now either, and may be slow to say so
	}
	if after := q.malformed(ctx); after != nil {
		rose := *after - *before
		a.malformed = &rose
	}
	return a, nil
}

// awaitEnd sends counters until the one that is new arrives.
func (q *questioner) awaitEnd(ctx context.Context) error {
	metric, datagrams := capability.End(q.ends)
	q.ends++
	ctx, cancel := context.WithTimeoutCause(ctx, q.limit, errSilent)
	defer cancel()
	var sent time.Time
	err := target.Await(ctx, q.session.process, 5*time.Millisecond, func(context.Context) error {
		if time.Since(sent) >= q.flush {
			for _, datagram := range datagrams {
				if err := q.send(datagram); err != nil {
					return err
				}
			}
			sent = time.Now()
		}
		if q.look(); !q.seen.Arrived(metric) {
			return errors.New("nothing at the sink")
		}
		return nil
	})
	if errors.Is(err, errSilent) {
		return fmt.Errorf("%w within %v", errSilent, q.limit)
	}
	return err
}

var errSilent = errors.New("nothing arrived at the sink")

// look takes note of what has arrived.
func (q *questioner) look() {
	q.broken = q.session.intake.DecodeAll(intake.Visitor{
		Series: func(_ time.Time, s *payload.Series) error { q.seen.Series(s); return nil },
		Sketch: func(_ time.Time, s *payload.Sketch) error { q.seen.Sketch(s); return nil },
		Event:  func(_ time.Time, e *payload.Event) error { q.seen.Event(e); return nil },
		Check:  func(_ time.Time, c *payload.ServiceCheck) error { q.seen.Check(c); return nil },
	})
}

// malformed is what the target says of malformed messages; nil where it does not.
func (q *questioner) malformed(ctx context.Context) *int64 {
	if q.session.probe == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, q.limit)
	defer cancel()
	s, err := q.session.probe.ask(ctx)
	if err != nil {
		return nil
	}
	return s.Malformed
}

// connect connects to the socket under load, for as long as ctx lasts: a write to
// a target that does not read would outlast it.
func (q *questioner) connect(ctx context.Context) (hangUp func(), err error) {
	network, address, err := loadgen.SplitURL(q.session.addresses.load)
	if err != nil {
		return nil, err
	}
	if network == string(scenarios.UnixStream) {
		network = "unix"
	}
	var dialer net.Dialer
	if q.conn, err = dialer.DialContext(ctx, network, address); err != nil {
		return nil, err
	}
	lasts := context.AfterFunc(ctx, func() { q.conn.Close() })
	return func() {
		lasts()
		q.conn.Close()
	}, nil
}

// send sends one datagram, in a stream with what tells it from the next one.
func (q *questioner) send(datagram string) error {
	frame := []byte(datagram)
	switch q.session.addresses.transport {
	case scenarios.UnixStream:
		frame = append(binary.LittleEndian.AppendUint32(nil, uint32(len(datagram))), datagram...)
	case scenarios.TCP:
		frame = append(frame, '\n')
	}
	if err := q.conn.SetWriteDeadline(time.Now().Add(q.limit)); err != nil {
		return err
	}
	_, err := q.conn.Write(frame)
	return err
}

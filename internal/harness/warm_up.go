package harness

import (
	"errors"
	"fmt"
	"time"

	"floodgate/internal/procfs"
	"floodgate/scenarios"
)

// leftOut is what cpu_per_message leaves out: what had happened by the reading
// that ended the warm-up of the load. The zero value leaves out nothing.
type leftOut struct {
	cpu      time.Duration // of the target, from the first due message on
	messages int64         // that had reached the target, without those that its queue dropped
	flushCPU *int64        // of the target's flushes, in nanoseconds; nil where it did not tell
	unknown  bool          // there is a warm-up, and it cannot be told from the rest
}

// warmUp is the warm-up of one load, and how its end can be told.
type warmUp struct {
	end, loadEnd time.Time
	asked        bool          // the target is asked at every reading, by the names of the contract
	cpu          time.Duration // of the target when the load began
	udp          bool          // its socket drops what it has no room for
	oneLine      bool          // every datagram holds one message
	givenUp      bool          // of what was sent by a reading, some may have been given up
}

// latest is how long after the end of the warm-up a reading may be that ends it:
// two steps of the timeline, and never after the load.
func (w warmUp) latest() time.Time {
	latest := w.end.Add(2 * sampleInterval)
	if w.loadEnd.Before(latest) {
		return w.loadEnd
	}
	return latest
}

// over is what had happened by the first reading at or after the end of the
// warm-up. Messages have reached the target when it says that it received them,
// and did not drop them in its queue. Where it tells no such number at all, or
// seldom, they are those that were sent less those that its socket dropped. The
// error says what is missing: no other reading takes the place of that one. It is
// pure.
func (w warmUp) over(readings procfs.Result, ticks []tick) (leftOut, error) {
	tells := false
	for _, t := range ticks {
		tells = tells || w.asked && t.stats != nil && t.stats.Received != nil && !t.stats.Foreign
	}
	for i, r := range readings.Readings[:min(len(readings.Readings), len(ticks))] {
		if r.At.Before(w.end) {
			continue
		}
		if r.At.After(w.latest()) {
			break
		}
		if ticks[i].cpu == nil {
			return leftOut{}, errors.New("the CPU time of the target is not known")
		}
		messages, err := w.reached(r, ticks[i], readings.Socket, tells)
		out := leftOut{cpu: *ticks[i].cpu - w.cpu, messages: messages}
		if s := ticks[i].stats; s != nil {
			out.flushCPU = s.FlushCPU
		}
		return out, err
	}
	return leftOut{}, errors.New("no reading was taken in time")
}

// reached is how many messages had reached the target at a reading.
func (w warmUp) reached(r procfs.Reading, t tick, socket, tells bool) (int64, error) {
	switch {
	case tells && (t.stats == nil || t.stats.Received == nil):
		return 0, errors.New("the target did not say what it had received")
	case tells:
		return *t.stats.Received - value(t.stats.QueueDropped), nil
	case w.givenUp:
		return 0, errors.New("of what was sent, some may have been given up")
	case w.udp && !socket:
		return 0, errors.New("the kernel's drops are not known")
	case w.udp && r.KernelDrops > 0 && !w.oneLine:
		return 0, fmt.Errorf("the kernel had dropped %d datagrams; how many messages they held is not known", r.KernelDrops)
	case w.udp:
		return t.progress.SentMessages - r.KernelDrops, nil
	}
	return t.progress.SentMessages, nil
}

// warmedUp is what cpu_per_message leaves out. A warm-up that cannot be told from
// the rest is a warning, and the measure is absent.
func (s *session) warmedUp(readings procfs.Result, givenUp int64) leftOut {
	load := s.scenario.Load
	if load.WarmUp == 0 || s.cpuBefore == nil {
		return leftOut{}
	}
	w := warmUp{
		end: s.loadStart.Add(load.WarmUp), loadEnd: s.loadEnd, cpu: *s.cpuBefore, udp: load.Transport == scenarios.UDP, oneLine: oneLine(load, s.prepared),
		asked:   s.probe != nil && s.probe.every <= sampleInterval,
		givenUp: givenUp > 0 || load.Sender.Client != scenarios.NoClient,
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out, err := w.over(readings, s.ticks)
	if err != nil {
		s.warn(fmt.Sprintf("CPU per message is not measured, the load's warm-up of %v cannot be told from the rest: %v", load.WarmUp, err))
		return leftOut{unknown: true}
	}
	return out
}

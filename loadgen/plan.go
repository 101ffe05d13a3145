package loadgen

import "time"

// planner decides what to hand over and when to look again. It is pure: it is
// told the time, and what became of its decisions.
//
// A datagram can leave only when it is complete, so it is due when its last
// message is. For the messages before that one the lateness that is recorded
// is then the datagram's, not counted from their own due times: packing delays
// them by design, and that is no fault of the generator.
type planner struct {
	schedule Schedule
	corpus   *Corpus
	quantum  time.Duration
	maxBatch int

	next    int           // the first datagram that was not handed over
	horizon int64         // messages that were due at the last look
	rest    time.Duration // no new look before this, unless for what is left of the last one
}

// step returns the datagrams [from, to) to hand over at elapsed, at most
// maxBatch. Where there are none, wake is when to ask again; asking earlier
// does no harm. done says that the schedule is over.
//
// Everything due at one look is handed over in as many steps as it takes; the
// next look is not before a quantum has passed. That bounds the wake-ups per
// second, and with them the generator's share of a machine that it shares with
// the target, at the price of lateness up to the quantum.
func (p *planner) step(elapsed time.Duration) (from, to int, wake time.Duration, done bool) {
	from, to = p.take()
	if from < to {
		return from, to, 0, false
	}
	if elapsed >= p.rest {
		p.horizon = p.schedule.DueBy(elapsed)
		if from, to = p.take(); from < to {
			p.rest = elapsed + p.quantum
			return from, to, 0, false
		}
	}
	if p.next < p.corpus.Datagrams() {
		return from, to, max(p.due(p.next), p.rest), false
	}
	end := p.schedule.End()
	return from, to, end, elapsed >= end
}

// take is the next batch within the horizon.
func (p *planner) take() (from, to int) {
	last := min(p.next+p.maxBatch, p.corpus.Datagrams())
	to = p.next
	for to < last && p.corpus.MessagesBefore(to+1) <= p.horizon {
		to++
	}
	return p.next, to
}

// advance notes that the kernel took the next n datagrams.
func (p *planner) advance(n int) { p.next += n }

// due is when datagram k is due: with its last message.
func (p *planner) due(k int) time.Duration {
	return p.schedule.Due(p.corpus.MessagesBefore(k+1) - 1)
}

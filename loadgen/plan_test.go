package loadgen

import (
	"math/rand/v2"
	"testing"
	"time"
)

// pretend carries out a plan in synthetic time. Each sleep ends up to jitter
// late, each datagram takes cost to hand over, and now and then the kernel takes
// only a part of a batch.
type pretend struct {
	jitter, cost time.Duration
	refuse       bool
	random       *rand.Rand
}

type pretended struct {
	looks     int
	datagrams int
	worst     time.Duration // lateness
	last      time.Duration
}

func (how pretend) run(t *testing.T, p planner) (r pretended) {
	t.Helper()
	var now time.Duration
	for {
		from, to, wake, done := p.step(now)
		if done {
			break
		}
		if from == to {
			if wake <= now {
				t.Fatalf("at %v: nothing to send and no instant to wait for (%v)", now, wake)
			}
			now = wake + time.Duration(how.random.Int64N(int64(how.jitter)+1))
			r.looks++
			continue
		}
		if from != r.datagrams || to-from > p.maxBatch || to > p.corpus.Datagrams() {
			t.Fatalf("at %v: batch [%d, %d) after %d datagrams", now, from, to, r.datagrams)
		}
		if how.refuse && how.random.IntN(3) == 0 {
			to = from + how.random.IntN(to-from+1)
		}
		for k := from; k < to; k++ {
			if due := p.due(k); due > now {
				t.Fatalf("at %v: datagram %d leaves before it is due at %v", now, k, due)
			}
		}
		now += how.cost * time.Duration(to-from)
		for k := from; k < to; k++ {
			r.worst = max(r.worst, now-p.due(k))
		}
		r.datagrams = to
		r.last = now
		p.advance(to - from)
	}
	if r.datagrams != p.corpus.Datagrams() {
		t.Fatalf("%d datagrams of %d", r.datagrams, p.corpus.Datagrams())
	}
	if now < p.schedule.End() {
		t.Fatalf("over at %v, before the end at %v", now, p.schedule.End())
	}
	return r
}

// A burst of 300,000 steps: exactly that many, none early, none later than the
// quantum and the sleep's own lateness allow, and no more looks than the
// quantum allows.
func TestPlanOf300kOver3s(t *testing.T) {
	burst := Burst{Count: 300_000, Over: 3 * time.Second}
	c := newCorpus(t, plain(burst.Count))
	how := pretend{jitter: 20 * time.Microsecond, cost: time.Microsecond, random: rand.New(rand.NewPCG(1, 2))}
	r := how.run(t, planner{schedule: burst, corpus: c, quantum: 100 * time.Microsecond, maxBatch: 64})
	// 12 datagrams fall due in a quantum and a late wake-up, and cost 12 µs.
	if limit := 140 * time.Microsecond; r.worst > limit {
		t.Errorf("a datagram is %v late, more than %v", r.worst, limit)
	}
	if r.last > burst.Over+140*time.Microsecond {
		t.Errorf("the last datagram leaves at %v", r.last)
	}
	if r.looks > 30_001 {
		t.Errorf("%d looks in 3 s at a quantum of 100 µs", r.looks)
	}
}

func TestPlanProperties(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	packed := newCorpus(t, plain(5_000).with(func(c *CorpusConfig) { c.DatagramBytes = 1432 }))
	single := newCorpus(t, plain(2_000))
	for range 200 {
		c := single
		if random.IntN(2) == 0 {
			c = packed
		}
		how := pretend{
			jitter: time.Duration(random.Int64N(int64(time.Millisecond))),
			cost:   time.Duration(random.Int64N(int64(10 * time.Microsecond))),
			refuse: random.IntN(2) == 0,
			random: random,
		}
		how.run(t, planner{
			schedule: Burst{Count: c.Messages(), Over: time.Duration(random.Int64() >> random.IntN(60))},
			corpus:   c,
			quantum:  time.Duration(random.Int64N(int64(time.Millisecond))) * time.Duration(random.IntN(2)),
			maxBatch: 1 + random.IntN(100),
		})
	}
}

// The instants at which a plan asks to be woken, on a schedule that fits on one
// hand: a message every 10 µs, three of them to a datagram.
func TestPlanStepByStep(t *testing.T) {
	const us = time.Microsecond
	c := newCorpus(t, plain(8).with(func(c *CorpusConfig) { c.DatagramBytes = 3*68 + 2 }))
	if c.Datagrams() != 3 {
		t.Fatalf("%d datagrams, the test wants 3", c.Datagrams())
	}
	p := planner{schedule: Burst{Count: 8, Over: 80 * us}, corpus: c, quantum: 25 * us, maxBatch: 64}
	step := func(at time.Duration, from, to int, wake time.Duration, done bool) {
		t.Helper()
		f, e, w, d := p.step(at)
		if f != from || e != to || w != wake || d != done {
			t.Errorf("at %v: [%d, %d) wake %v done %v, want [%d, %d) wake %v done %v", at, f, e, w, d, from, to, wake, done)
		}
		p.advance(e - f)
	}
	step(-5*us, 0, 0, 20*us, false) // before the start; the first is due with its third message
	step(19*us, 0, 0, 20*us, false) // woken early
	step(21*us, 0, 1, 0, false)
	step(22*us, 1, 1, 50*us, false)
	step(52*us, 1, 2, 0, false)
	step(53*us, 2, 2, 77*us, false) // due at 70 µs, but a quantum after 52 µs is later
	step(71*us, 2, 2, 77*us, false)
	step(77*us, 2, 3, 0, false)
	step(78*us, 3, 3, 80*us, false) // all sent, but the schedule lasts until 80 µs
	step(80*us, 3, 3, 80*us, true)
}

func TestPlanOfAnIdleStretch(t *testing.T) {
	p := planner{schedule: Burst{Over: time.Minute}, corpus: newCorpus(t, plain(0)), maxBatch: 1}
	if _, _, wake, done := p.step(time.Second); wake != time.Minute || done {
		t.Errorf("wake %v done %v", wake, done)
	}
	if _, _, _, done := p.step(time.Minute); !done {
		t.Error("not over at its end")
	}
}

package loadgen

import (
	"iter"
	"slices"
	"strings"

	"floodgate/internal/dogstatsd"
)

// Expectation is what one contextKey comes to when every message of the corpus
// arrives: what a lossless run must show at the intake, over all buckets
// together. Lines that are no metrics have no part in it. Every number of a
// generated corpus is whole and exact.
//
// Each message of a contextKey weighs the same, Count/Messages, so the number
// that arrived follows from a count that did. A corpus that was read from a file
// gives no such promise: see Uneven.
type Expectation struct {
	Metric string
	Tags   []string // sorted
	Kind   dogstatsd.Kind

	Messages int64
	Count    float64 // values, each counted 1/rate times
	// Sum adds the values, each times 1/rate: what a counter must show, and
	// what timers, histograms and distributions add up to. It is 0 for sets.
	Sum     float64
	Members int64 // of a set: distinct ones, no two messages having the same

	Last, Min, Max float64 // of the values; 0 for sets

	// Uneven says that messages of the contextKey weigh differently, or that a
	// member of a set comes twice: then only the totals of a run that lost
	// nothing can be judged.
	Uneven bool
}

// Totals is what the messages of a corpus are, counted. Their sum is Messages.
type Totals struct {
	Messages              int64
	Metrics               int64
	Events, ServiceChecks int64
	// Malformed counts the lines that a correct server refuses, by the cause that
	// it must tell. Oversize ones are not among them.
	Malformed [dogstatsd.Faults]int64
	// Oversize counts the lines that fill a datagram of OversizeBytes each. A
	// server whose buffer is smaller counts them as truncated, any other as
	// malformed for the want of a separator.
	Oversize int64
}

// Hostile is how many lines are no messages: what a correct server counts as
// malformed or truncated, and of which nothing must arrive.
func (t *Totals) Hostile() int64 {
	n := t.Oversize
	for _, of := range t.Malformed {
		n += of
	}
	return n
}

func (t *Totals) add(class lineClass, fault dogstatsd.Fault) {
	t.Messages++
	switch class {
	case metricLine:
		t.Metrics++
	case eventLine:
		t.Events++
	case checkLine:
		t.ServiceChecks++
	case oversizeLine:
		t.Oversize++
	default:
		t.Malformed[fault]++
	}
}

func (t *Totals) merge(o *Totals) {
	t.Messages += o.Messages
	t.Metrics += o.Metrics
	t.Events += o.Events
	t.ServiceChecks += o.ServiceChecks
	for i, n := range o.Malformed {
		t.Malformed[i] += n
	}
	t.Oversize += o.Oversize
}

// Totals counts what the messages of the corpus are.
func (c *Corpus) Totals() Totals { return c.tallies().totals }

// Expected yields what each contextKey comes to, in a fixed order and without
// the keys that no message has. The Expectation and its Tags slice are reused
// for the next one; the strings may be kept.
func (c *Corpus) Expected() iter.Seq[*Expectation] {
	if c.replay != nil {
		return c.replay.expected()
	}
	return expected(&c.keys, &c.config, func() []tally { return c.tallies().keys })
}

// Whole is what the corpora of a load that several senders share come to
// together; they must differ in nothing but Shard, Messages and Schedule. It
// keeps none of them, so that they can be made one after the other: 40 bytes per
// contextKey. The zero value is a load of no sender.
type Whole struct {
	Datagrams int64
	Totals    Totals

	space  keySpace
	config CorpusConfig
	keys   []tally
}

// Add adds the corpus of one more sender.
func (w *Whole) Add(c *Corpus) {
	t := c.tallies()
	w.Datagrams += int64(c.Datagrams())
	w.Totals.merge(&t.totals)
	if w.keys == nil {
		w.space, w.config, w.keys = c.keys, c.config, slices.Clone(t.keys)
		return
	}
	for i := range t.keys {
		w.keys[i].merge(&t.keys[i])
	}
}

// Expected is Corpus.Expected of all senders. The last value of a gauge is that
// of the message with the highest number, which is the last to arrive only if no
// sender was late.
func (w *Whole) Expected() iter.Seq[*Expectation] {
	return expected(&w.space, &w.config, func() []tally { return w.keys })
}

func expected(keys *keySpace, config *CorpusConfig, tallies func() []tally) iter.Seq[*Expectation] {
	return func(yield func(*Expectation) bool) {
		var e Expectation
		var text []byte
		for number, t := range tallies() {
			if t.messages == 0 {
				continue
			}
			k := keys.key(number)
			text = keys.appendName(text[:0], k)
			e = Expectation{Metric: string(text), Tags: e.Tags[:0], Kind: k.kind, Messages: t.messages}
			text = keys.appendTags(text[:0], k)
			for tag, rest, more := "", string(text), len(text) > 0; more; {
				tag, rest, more = strings.Cut(rest, ",")
				e.Tags = append(e.Tags, tag)
			}
			slices.Sort(e.Tags)
			if k.kind == dogstatsd.Set {
				e.Count, e.Members = float64(t.messages), t.messages
			} else {
				weight := 1 / k.rate // Validate has made sure that it is whole
				e.Count = float64(t.messages) * float64(config.PackedValues) * weight
				e.Sum = float64(t.sum) * weight
				e.Last, e.Min, e.Max = float64(t.last), float64(t.min), float64(t.max)
			}
			if !yield(&e) {
				return
			}
		}
	}
}

// tallies is what the messages of a corpus come to.
type tallies struct {
	keys   []tally // by number
	totals Totals
}

// tally is what the messages of one contextKey come to, before weighing.
type tally struct {
	messages, sum  int64
	latest         int64 // number of the last message
	last, min, max int32 // 0 where there is none
}

func (t *tally) merge(o *tally) {
	if o.messages == 0 {
		return
	}
	t.messages += o.messages
	t.sum += o.sum
	t.max = max(t.max, o.max)
	if t.min == 0 || o.min > 0 && o.min < t.min {
		t.min = o.min
	}
	if o.latest > t.latest || t.last == 0 {
		t.latest, t.last = o.latest, o.last
	}
}

// tally draws the messages once more, without writing them: 40 bytes per
// contextKey while it is wanted, and nothing while a burst runs.
func (c *Corpus) tally() *tallies {
	if c.replay != nil {
		return &tallies{totals: c.replay.totals}
	}
	all := &tallies{keys: make([]tally, c.keys.keys)}
	for i := range (c.config.Messages + chunkMessages - 1) / chunkMessages {
		for m := range c.messages(int(i)) {
			all.totals.add(m.class, m.fault)
			if m.class != metricLine {
				continue
			}
			t := &all.keys[m.key.number]
			t.messages++
			t.latest = m.number
			if m.key.kind == dogstatsd.Set {
				continue
			}
			for _, v := range m.values {
				value := int32(v)
				if t.min == 0 || value < t.min {
					t.min = value
				}
				t.max = max(t.max, value)
				t.last = value
				t.sum += v
			}
		}
	}
	return all
}

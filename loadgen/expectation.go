package loadgen

import (
	"iter"
	"slices"
	"strings"

	"floodgate/internal/dogstatsd"
)

// Expectation is what one contextKey comes to when every message of the corpus
// arrives: what a lossless run must show at the intake, over all buckets
// together. Every number is whole and exact.
//
// Each message of a contextKey weighs the same, Count/Messages, so the number
// that arrived follows from a count that did.
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
}

// Expected yields what each contextKey comes to, in a fixed order and without
// the keys that no message has. The Expectation and its Tags slice are reused
// for the next one; the strings may be kept.
func (c *Corpus) Expected() iter.Seq[*Expectation] {
	return func(yield func(*Expectation) bool) {
		var e Expectation
		var text []byte
		for number, t := range c.tallies() {
			if t.messages == 0 {
				continue
			}
			k := c.keys.key(number)
			text = c.keys.appendName(text[:0], k)
			e = Expectation{Metric: string(text), Tags: e.Tags[:0], Kind: k.kind, Messages: t.messages}
			text = c.keys.appendTags(text[:0], k)
			if len(text) > 0 {
				for tag := range strings.SplitSeq(string(text), ",") {
					e.Tags = append(e.Tags, tag)
				}
				slices.Sort(e.Tags)
			}
			if k.kind == dogstatsd.Set {
				e.Count, e.Members = float64(t.messages), t.messages
			} else {
				weight := 1 / k.rate // Validate has made sure that it is whole
				e.Count = float64(t.messages) * float64(c.config.PackedValues) * weight
				e.Sum = float64(t.sum) * weight
				e.Last, e.Min, e.Max = float64(t.last), float64(t.min), float64(t.max)
			}
			if !yield(&e) {
				return
			}
		}
	}
}

// tally is what the messages of one contextKey come to, before weighing.
type tally struct {
	messages, sum  int64
	last, min, max int32
}

// tally draws the messages once more, without writing them: 32 bytes per
// contextKey while it is wanted, and nothing while a burst runs.
func (c *Corpus) tally() []tally {
	tallies := make([]tally, c.config.ContextKeys)
	for i := range (c.config.Messages + chunkMessages - 1) / chunkMessages {
		for m := range c.messages(int(i)) {
			t := &tallies[m.key.number]
			t.messages++
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
	return tallies
}

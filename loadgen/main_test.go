package loadgen

import (
	"context"
	"flag"
	"testing"

	"go.uber.org/goleak"

	"floodgate/internal/dogstatsd"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// plain is one line in each datagram: counters of a thousand contextKeys.
func plain(messages int64) CorpusConfig {
	return CorpusConfig{
		Seed: 1, Messages: messages, ContextKeys: 1000, Cycle: true, Tags: 4, PackedValues: 1,
		Kinds: []KindWeight{{dogstatsd.Counter, 1}},
	}
}

// mixed has every kind, sampled keys, several values in a message and several
// messages in a datagram.
func mixed(messages int64) CorpusConfig {
	c := CorpusConfig{
		Seed: 7, Messages: messages, ContextKeys: 500, Tags: 4, DatagramBytes: 1432,
		SampledShare: 0.3, SampleRate: 0.1, PackedValues: 3,
	}
	for i, k := range dogstatsd.Kinds {
		c.Kinds = append(c.Kinds, KindWeight{k, i + 1})
	}
	return c
}

// with returns a changed copy.
func (c CorpusConfig) with(change func(c *CorpusConfig)) CorpusConfig {
	change(&c)
	return c
}

func newCorpus(t testing.TB, config CorpusConfig) *Corpus {
	t.Helper()
	c, err := NewCorpus(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

package loadgen

import (
	"context"
	"testing"

	"floodgate/internal/dogstatsd"
)

func BenchmarkCorpus(b *testing.B) {
	run := func(name string, config CorpusConfig) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c, err := NewCorpus(context.Background(), config)
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(c.Bytes())
			}
		})
	}
	config := CorpusConfig{
		Seed: 1, Messages: 300_000, ContextKeys: 1000, Cycle: true, Tags: 4, PackedValues: 1, DatagramBytes: 1432,
		Kinds: []KindWeight{{dogstatsd.Counter, 1}},
	}
	run("300k", config)
	config.Messages = 3_000_000
	run("3M", config)
	config.ContextKeys = 1_000_000
	run("3M-of-1M-keys", config)
}

func BenchmarkExpected(b *testing.B) {
	c, err := NewCorpus(context.Background(), CorpusConfig{
		Seed: 1, Messages: 1_000_000, ContextKeys: 1_000_000, Cycle: true, Tags: 4, PackedValues: 1,
		Kinds: []KindWeight{{dogstatsd.Counter, 1}, {dogstatsd.Distribution, 1}},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		c.lazily()
		for range c.Expected() {
		}
	}
}

func BenchmarkDigest(b *testing.B) {
	c, err := NewCorpus(context.Background(), CorpusConfig{
		Seed: 1, Messages: 300_000, ContextKeys: 1000, Cycle: true, Tags: 4, PackedValues: 1,
		Kinds: []KindWeight{{dogstatsd.Counter, 1}},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(c.Bytes())
	for b.Loop() {
		c.fingerprint()
	}
}

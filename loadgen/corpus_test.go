package loadgen

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"floodgate/internal/dogstatsd"
)

// The configurations whose corpora are pinned, each for a reason.
var pinned = []struct {
	name   string
	why    string
	config CorpusConfig
}{
	{"plain", "one line in each datagram, keys in a cycle", plain(20_000)},
	{"chunks", "more messages than one chunk, packed: datagrams begin anew at each chunk", plain(150_000).with(func(c *CorpusConfig) { c.DatagramBytes = 1432 })},
	{"mixed", "every kind, drawn keys, sampled keys, packed values", mixed(20_000)},
	{"reseeded", "as mixed, with another seed", mixed(20_000).with(func(c *CorpusConfig) { c.Seed = 8 })},
	{"untagged", "only the name tells keys apart", plain(5_000).with(func(c *CorpusConfig) { c.Tags = 0 })},
	{"tagged", "more tags than there are kinds of them", plain(5_000).with(func(c *CorpusConfig) { c.Tags = 9; c.DatagramBytes = 8192 })},
	{"many_keys", "more contextKeys than messages", plain(2_000).with(func(c *CorpusConfig) { c.ContextKeys = 1_000_000 })},
	{"idle", "nothing at all", plain(0)},
}

const policy = `# What the pinned corpora are: their digests, sizes and first lines.
#
# A digest that changes means that the same scenario offers another load than
# before, and that no result from before may be compared with one from now. So
# a change here is never a side effect: it needs an entry in the changelog that
# says so. Rewrite with: go test ./loadgen -run Pinned -update
`

func TestPinnedCorpora(t *testing.T) {
	var got strings.Builder
	got.WriteString(policy)
	for _, p := range pinned {
		c := newCorpus(t, p.config)
		fmt.Fprintf(&got, "\n%s: %s\n", p.name, p.why)
		fmt.Fprintf(&got, "  digest %s\n  %d messages, %d datagrams, %d bytes\n", c.Digest(), c.Messages(), c.Datagrams(), c.Bytes())
		for k, left := 0, 6; k < c.Datagrams() && left > 0; k++ {
			for line := range bytes.SplitSeq(c.Datagram(k), []byte("\n")) {
				if left--; left >= 0 {
					fmt.Fprintf(&got, "  %d: %s\n", k, line)
				}
			}
		}
	}
	path := filepath.Join("testdata", "corpora.txt")
	if *update {
		if err := os.WriteFile(path, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("the corpora differ from %s, whose head says what that means; got:\n%s", path, got.String())
	}
}

// The corpus must not depend on how many cores prepared it.
func TestCorpusIsTheSameOnOneCore(t *testing.T) {
	config := mixed(150_000)
	many := newCorpus(t, config).Digest()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if one := newCorpus(t, config).Digest(); one != many {
		t.Errorf("digest %s on one core, %s on all", one, many)
	}
}

// A digest that misses a difference would call two loads equal.
func TestDigestSeesBytesAndBoundaries(t *testing.T) {
	base := newCorpus(t, plain(100).with(func(c *CorpusConfig) { c.DatagramBytes = 1432 }))
	differs := func(what string, change func(c *Corpus)) {
		c := *base
		c.bytes, c.ends, c.through = bytes.Clone(base.bytes), append([]uint64(nil), base.ends...), append([]int64(nil), base.through...)
		change(&c)
		if c.fingerprint() == base.fingerprint() {
			t.Errorf("the digest does not see %s", what)
		}
	}
	differs("a changed byte", func(c *Corpus) { c.bytes[17]++ })
	differs("a moved boundary", func(c *Corpus) { c.ends[0]-- })
	differs("a message counted to another datagram", func(c *Corpus) { c.through[0]-- })
}

func TestDatagrams(t *testing.T) {
	for _, p := range pinned {
		c := newCorpus(t, p.config)
		limit := p.config.DatagramBytes
		var messages, size int64
		for k := range c.Datagrams() {
			if before := c.MessagesBefore(k); before != messages {
				t.Fatalf("%s: %d messages before datagram %d, counted %d", p.name, before, k, messages)
			}
			d := c.Datagram(k)
			lines := int64(bytes.Count(d, []byte("\n"))) + 1
			if limit == 0 && lines != 1 || limit > 0 && len(d) > limit || len(d) == 0 || d[len(d)-1] == '\n' {
				t.Fatalf("%s: datagram %d has %d lines and %d bytes", p.name, k, lines, len(d))
			}
			// Full means that the next line would not have fitted.
			if limit > 0 && k+1 < c.Datagrams() && (messages+lines)%chunkMessages != 0 {
				next, _, _ := bytes.Cut(c.Datagram(k+1), []byte("\n"))
				if len(d)+1+len(next) <= limit {
					t.Fatalf("%s: datagram %d of %d bytes leaves room for a line of %d", p.name, k, len(d), len(next))
				}
			}
			messages += lines
			size += int64(len(d))
		}
		if messages != c.Messages() || c.MessagesBefore(c.Datagrams()) != messages || size != c.Bytes() {
			t.Errorf("%s: %d messages and %d bytes in the datagrams, %d and %d promised", p.name, messages, size, c.Messages(), c.Bytes())
		}
	}
}

// The load that peers are measured with has 20 to 24 lines in 1432 bytes.
func TestLinesAreAsLongAsRealOnes(t *testing.T) {
	c := newCorpus(t, plain(20_000).with(func(c *CorpusConfig) { c.DatagramBytes = 1432 }))
	if lines := float64(c.Messages()) / float64(c.Datagrams()); lines < 20 || lines > 24 {
		t.Errorf("%.1f lines in a datagram", lines)
	}
}

func TestCycleVisitsEveryKeyInTurn(t *testing.T) {
	c := newCorpus(t, plain(2_500))
	first := map[string]int{}
	for k := range c.Datagrams() {
		key := string(c.Datagram(k))
		if at, seen := first[key]; seen && k-at != 1000 && k-at != 2000 {
			t.Fatalf("datagram %d is that of %d again", k, at)
		} else if !seen {
			first[key] = k
		}
	}
	if len(first) != 1000 {
		t.Errorf("%d contextKeys, want 1000", len(first))
	}
}

// Distinctness must hold whatever shares names and tags, so whole key spaces are
// spelled out.
func TestContextKeysAreDistinct(t *testing.T) {
	for _, tags := range []int{0, 1, 4, 7} {
		for _, keys := range []int{1, 9, 10, 11, 999, 20_011} {
			s := newKeySpace(mixed(0).with(func(c *CorpusConfig) { c.ContextKeys, c.Tags = keys, tags }))
			seen := map[string]bool{}
			for i := range keys {
				k := s.key(i)
				text := string(s.appendTags(append(s.appendName(nil, k), '#'), k))
				if got := strings.Count(text, ",") + 1; tags > 0 && got != tags {
					t.Fatalf("%q has %d tags, want %d", text, got, tags)
				}
				seen[text] = true
			}
			if len(seen) != keys {
				t.Errorf("%d tags: %d distinct among %d contextKeys", tags, len(seen), keys)
			}
		}
	}
}

func TestKindsAndSamplingShareTheKeysExactly(t *testing.T) {
	s := newKeySpace(CorpusConfig{
		ContextKeys: 1000, Tags: 1, SampledShare: 0.25, SampleRate: 0.5,
		Kinds: []KindWeight{{dogstatsd.Counter, 60}, {dogstatsd.Gauge, 0}, {dogstatsd.Set, 30}, {dogstatsd.Timer, 10}},
	})
	keys, sampled := map[dogstatsd.Kind]int{}, map[dogstatsd.Kind]int{}
	for i := range 1000 {
		k := s.key(i)
		keys[k.kind]++
		if k.rate == 0.5 {
			sampled[k.kind]++
		}
	}
	if got, want := fmt.Sprint(keys), "map[c:600 ms:100 s:300]"; got != want {
		t.Errorf("keys of each kind %v, want %v", got, want)
	}
	if got, want := fmt.Sprint(sampled), "map[c:150 ms:25]"; got != want {
		t.Errorf("sampled keys of each kind %v, want %v", got, want)
	}
}

func TestValidateNamesEveryFault(t *testing.T) {
	check := func(change func(c *CorpusConfig), want ...string) {
		t.Helper()
		err := plain(10).with(change).Validate()
		if (err == nil) != (len(want) == 0) {
			t.Errorf("got %v, want %q", err, want)
		}
		for _, part := range want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%v does not say %q", err, part)
			}
		}
	}
	check(func(*CorpusConfig) {})
	check(func(c *CorpusConfig) { c.Messages, c.ContextKeys = -1, 0 }, "Messages is -1", "ContextKeys is 0")
	check(func(c *CorpusConfig) { c.Tags = 65 }, "Tags is 65, must be 0 to 64")
	check(func(c *CorpusConfig) { c.DatagramBytes = 65_508 }, "DatagramBytes")
	check(func(c *CorpusConfig) { c.PackedValues = 0 }, "PackedValues is 0")
	check(func(c *CorpusConfig) { c.Kinds = nil }, "Kinds has no kind")
	check(func(c *CorpusConfig) { c.Kinds = []KindWeight{{0, 1}} }, "Kinds has kind 0")
	check(func(c *CorpusConfig) { c.Kinds = append(c.Kinds, c.Kinds[0]) }, "c twice")
	check(func(c *CorpusConfig) { c.Kinds = []KindWeight{{dogstatsd.Set, -1}} }, "weight -1")
	check(func(c *CorpusConfig) { c.SampledShare, c.SampleRate = 1.1, 0.5 }, "SampledShare is 1.1")
	check(func(c *CorpusConfig) { c.SampledShare, c.SampleRate = math.NaN(), 0.5 }, "SampledShare is NaN")
	for _, rate := range []float64{0.3, 0, -0.5, 2, math.NaN(), math.Inf(1), 1e-300} {
		check(func(c *CorpusConfig) { c.SampledShare, c.SampleRate = 0.5, rate }, "SampleRate")
		check(func(c *CorpusConfig) { c.SampledShare, c.SampleRate = 0, rate }) // unused
	}
	for _, rate := range []float64{1, 0.5, 0.25, 0.2, 0.1, 0.05, 0.01, 0.001} {
		check(func(c *CorpusConfig) { c.SampledShare, c.SampleRate = 0.5, rate })
	}
}

func TestNewCorpusRefuses(t *testing.T) {
	if _, err := NewCorpus(context.Background(), CorpusConfig{}); err == nil {
		t.Error("an empty configuration is accepted")
	}
	_, err := NewCorpus(context.Background(), plain(10).with(func(c *CorpusConfig) { c.DatagramBytes = 40 }))
	if err == nil || !strings.Contains(err.Error(), "a datagram holds 40") {
		t.Errorf("a message longer than a datagram: %v", err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	cause := errors.New("no longer wanted")
	cancel(cause)
	if _, err := NewCorpus(ctx, plain(10)); !errors.Is(err, cause) {
		t.Errorf("cancelled: %v", err)
	}
}

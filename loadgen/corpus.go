package loadgen

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"strings"
	"sync"

	"floodgate/internal/dogstatsd"
)

// CorpusConfig says what the messages of a load are. Equal configurations give
// equal corpora, byte for byte, on every machine and with any number of cores.
type CorpusConfig struct {
	Seed        uint64
	Messages    int64
	ContextKeys int // distinct name+type+tag sets
	// Cycle gives the messages their contextKeys in one seeded order that is
	// repeated, so that counts per key differ by at most one. Without it each
	// message's key is drawn at random, all being equally likely.
	Cycle bool
	Tags  int // per message
	// Kinds share the contextKeys by weight, exactly but for rounding.
	Kinds []KindWeight
	// DatagramBytes is the largest datagram that is filled; 0 puts one message
	// into each.
	DatagramBytes int
	// SampledShare, 0 to 1, of the contextKeys of the kinds that are summed or
	// counted (c, ms, h, d) carry SampleRate on each of their messages. A key is
	// sampled always or never, so that each of its messages weighs the same and
	// the number that arrived follows from the sum. 1/SampleRate must be a whole
	// number, which keeps every expected total exact.
	SampledShare float64
	SampleRate   float64
	// PackedValues is the number of values in each message, 1 for plain ones.
	// Sets have no packed form and always carry one.
	PackedValues int
}

// KindWeight is the share of the contextKeys that are of one kind.
type KindWeight struct {
	Kind   dogstatsd.Kind
	Weight int
}

// The limits of a corpus. A datagram of maxDatagram bytes is the largest that
// UDP over IPv4 carries.
const (
	maxDatagram = 65_507
	maxTags     = 64
	maxValues   = 1 << 12
	maxMessages = 1 << 30
	maxKeys     = 1 << 30
	maxWeight   = 1 << 20
)

// Validate returns one error that names every fault of the configuration.
func (c CorpusConfig) Validate() error {
	var faults []string
	need := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Sprintf(format, args...))
		}
	}
	between := func(name string, n, low, high int64) {
		need(low <= n && n <= high, "%s is %d, must be %d to %d", name, n, low, high)
	}
	between("Messages", c.Messages, 0, maxMessages)
	between("ContextKeys", int64(c.ContextKeys), 1, maxKeys)
	between("Tags", int64(c.Tags), 0, maxTags)
	between("DatagramBytes", int64(c.DatagramBytes), 0, maxDatagram)
	between("PackedValues", int64(c.PackedValues), 1, maxValues)
	need(0 <= c.SampledShare && c.SampledShare <= 1, "SampledShare is %v, must be 0 to 1", c.SampledShare)
	weight := 1 / c.SampleRate
	need(c.SampledShare == 0 || c.SampleRate <= 1 && weight >= 1 && weight <= maxWeight && weight == math.Trunc(weight),
		"SampleRate is %v, must be 1 divided by a whole number up to %d, such as 0.5, 0.25 or 0.1", c.SampleRate, maxWeight)

	total, seen := 0, map[dogstatsd.Kind]bool{}
	for _, k := range c.Kinds {
		need(k.Kind >= dogstatsd.Counter && k.Kind <= dogstatsd.Set, "Kinds has kind %d, which is none", k.Kind)
		need(!seen[k.Kind], "Kinds has %v twice", k.Kind)
		need(0 <= k.Weight && k.Weight <= maxWeight, "Kinds gives %v the weight %d, must be 0 to %d", k.Kind, k.Weight, maxWeight)
		seen[k.Kind] = true
		total += k.Weight
	}
	need(total > 0, "Kinds has no kind of a weight above 0")
	if len(faults) > 0 {
		return fmt.Errorf("cannot use corpus: %s", strings.Join(faults, "; "))
	}
	return nil
}

// Corpus is every datagram of a load, prepared in one slab without pointers: a
// garbage collection that falls into a burst has nothing to look at. It does
// not change and may be read from any goroutine.
//
// The datagrams hold the messages in order, each filled before the next is
// begun, except that a new one is begun at each multiple of 65,536 messages,
// which is the grain of parallel preparation.
type Corpus struct {
	config CorpusConfig
	keys   keySpace
	order  []uint32 // the seeded cycle of contextKeys; nil where they are drawn

	bytes []byte
	// Datagram k ends before ends[k] and begins where k-1 ends.
	ends []uint64
	// through[k] is the number of messages in datagrams 0 to k. It is nil where
	// each datagram holds one message.
	through []int64

	digest  func() string
	tallies func() []tally
}

// Config is what the corpus was made from.
func (c *Corpus) Config() CorpusConfig { return c.config }

// Messages is the number of messages.
func (c *Corpus) Messages() int64 { return c.config.Messages }

// Datagrams is the number of datagrams.
func (c *Corpus) Datagrams() int { return len(c.ends) }

// Bytes is the size of all datagrams together.
func (c *Corpus) Bytes() int64 { return int64(len(c.bytes)) }

// Datagram is the k-th datagram, 0 <= k < Datagrams. It belongs to the corpus
// and must not be changed.
func (c *Corpus) Datagram(k int) []byte {
	end := c.ends[k]
	if k == 0 {
		return c.bytes[:end:end]
	}
	return c.bytes[c.ends[k-1]:end:end]
}

// MessagesBefore is the number of messages in the datagrams before the k-th,
// 0 <= k <= Datagrams: so the last message of datagram k is number
// MessagesBefore(k+1)-1.
func (c *Corpus) MessagesBefore(k int) int64 {
	if c.through == nil {
		return int64(k)
	}
	if k == 0 {
		return 0
	}
	return c.through[k-1]
}

// Digest is the SHA-256 of all datagrams with their boundaries, in hex. Equal
// digests mean that two runs offered the same load.
func (c *Corpus) Digest() string { return c.digest() }

// fingerprint computes the digest: the counts, the end of each datagram, the
// messages through each where that differs from its number, and the bytes.
// Numbers are 64-bit little-endian.
func (c *Corpus) fingerprint() string {
	hash := sha256.New()
	buf := make([]byte, 0, 1<<15)
	flush := func() {
		hash.Write(buf)
		buf = buf[:0]
	}
	put := func(n uint64) {
		buf = binary.LittleEndian.AppendUint64(buf, n)
		if len(buf) == cap(buf) {
			flush()
		}
	}
	put(uint64(c.Messages()))
	put(uint64(c.Datagrams()))
	for _, end := range c.ends {
		put(end)
	}
	for _, n := range c.through {
		put(uint64(n))
	}
	flush()
	hash.Write(c.bytes)
	return hex.EncodeToString(hash.Sum(nil))
}

// lazily arranges for what is not always asked for.
func (c *Corpus) lazily() {
	c.digest = sync.OnceValue(c.fingerprint)
	c.tallies = sync.OnceValue(c.tally)
}

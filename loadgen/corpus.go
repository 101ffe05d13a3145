package loadgen

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"sync"
)

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
	order  []uint32 // the seeded order of contextKeys; nil where all are equally likely
	ranks  *ranks   // draws places in order; nil where it is a cycle
	others others   // what takes the place of metrics, and how often

	bytes []byte
	// Datagram k ends before ends[k] and begins where k-1 ends.
	ends []uint64
	// through[k] is the number of messages in datagrams 0 to k. It is nil where
	// each datagram holds one message.
	through []int64

	digest  func() string
	tallies func() *tallies
	replay  *replayed // what was read, where the corpus was not generated
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

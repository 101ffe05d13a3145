package aggregate

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
)

// fingerprint is what a text is known by: 128 bits under secret seeds. hash also
// finds its place in an index; check says nothing by itself.
type fingerprint struct{ hash, check uint64 }

// seeds are drawn once per table and told to nobody, so that nobody can prepare
// texts that meet.
type seeds struct {
	hash, check  uint64
	lengths      [2]uint64
	names, rests [shortWords]uint64
}

// shortWords is how many words a text may have that is hashed all at once.
const shortWords = 16

func newSeeds() *seeds {
	s := &seeds{hash: rand.Uint64(), check: rand.Uint64(), lengths: [2]uint64{rand.Uint64(), rand.Uint64()}}
	for i := range shortWords {
		s.names[i], s.rests[i] = rand.Uint64(), rand.Uint64()
	}
	return s
}

// print identifies a line up to its values: name and rest.
//
// It is the hash NH of UMAC (Black, Halevi, Krawczyk, Krovetz and Rogaway 1999) on
// words of 64 bits: the sum of the products of pairs of words, to each of which a
// seed of its own was added. Two given lines come to the same sum with a
// probability of at most 2^-64 over the choice of the seeds, whatever they say; for
// texts of more than 128 bytes, which have no seeds for all of their words, that is
// expected and not proven. No product waits for another one, which is what makes it
// quick.
func (s *seeds) print(name, rest []byte) fingerprint {
	n := sum{}.plus(uint64(len(name))+s.lengths[0], uint64(len(rest))+s.lengths[1])
	if len(name) > 16 && len(name) <= 32 && len(rest) > 32 && len(rest) <= 64 { // most are like that: short, without the calls
		k, b, e := &s.names, (*[16]byte)(name), (*[16]byte)(name[len(name)-16:])
		n = n.plus(word(b[:])+k[0], word(b[8:])+k[1]).plus(word(e[:])+k[2], word(e[8:])+k[3])
		k, f, g := &s.rests, (*[32]byte)(rest), (*[32]byte)(rest[len(rest)-32:])
		n = n.plus(word(f[:])+k[0], word(f[8:])+k[1]).plus(word(f[16:])+k[2], word(f[24:])+k[3])
		return n.plus(word(g[:])+k[4], word(g[8:])+k[5]).plus(word(g[16:])+k[6], word(g[24:])+k[7]).fingerprint()
	}
	return s.short(s.short(n, &s.names, name), &s.rests, rest).fingerprint()
}

// short adds a text to a sum. Its words overlap where its length is no multiple of
// theirs; the length itself must be in the sum, too.
func (s *seeds) short(n sum, k *[shortWords]uint64, b []byte) sum {
	switch {
	case len(b) > 128:
		p := s.long(b)
		return n.plus(p.hash+k[0], p.check+k[1])
	case len(b) > 64:
		b, e := (*[64]byte)(b), (*[64]byte)(b[len(b)-64:])
		n = n.plus(word(b[:])+k[0], word(b[8:])+k[1]).plus(word(b[16:])+k[2], word(b[24:])+k[3])
		n = n.plus(word(b[32:])+k[4], word(b[40:])+k[5]).plus(word(b[48:])+k[6], word(b[56:])+k[7])
		n = n.plus(word(e[:])+k[8], word(e[8:])+k[9]).plus(word(e[16:])+k[10], word(e[24:])+k[11])
		return n.plus(word(e[32:])+k[12], word(e[40:])+k[13]).plus(word(e[48:])+k[14], word(e[56:])+k[15])
	case len(b) > 32:
		b, e := (*[32]byte)(b), (*[32]byte)(b[len(b)-32:])
		n = n.plus(word(b[:])+k[0], word(b[8:])+k[1]).plus(word(b[16:])+k[2], word(b[24:])+k[3])
		return n.plus(word(e[:])+k[4], word(e[8:])+k[5]).plus(word(e[16:])+k[6], word(e[24:])+k[7])
	case len(b) > 16:
		b, e := (*[16]byte)(b), (*[16]byte)(b[len(b)-16:])
		return n.plus(word(b[:])+k[0], word(b[8:])+k[1]).plus(word(e[:])+k[2], word(e[8:])+k[3])
	}
	x, y := twoWords(b)
	return n.plus(x+k[0], y+k[1])
}

func word(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

// twoWords are up to 16 bytes as two words that may overlap.
func twoWords(b []byte) (x, y uint64) {
	switch {
	case len(b) >= 8:
		return word(b), word(b[len(b)-8:])
	case len(b) >= 4:
		return uint64(binary.LittleEndian.Uint32(b)), uint64(binary.LittleEndian.Uint32(b[len(b)-4:]))
	case len(b) > 0:
		return uint64(b[0])<<16 | uint64(b[len(b)/2])<<8 | uint64(b[len(b)-1]), 0
	}
	return 0, 0
}

// sum is a number of 128 bits.
type sum struct{ high, low uint64 }

// plus adds x*y.
func (n sum) plus(x, y uint64) sum {
	high, low := bits.Mul64(x, y)
	low, carry := bits.Add64(low, n.low, 0)
	high, _ = bits.Add64(high, n.high, carry)
	return sum{high, low}
}

// fingerprint loses nothing: different sums have different fingerprints. It
// spreads over the bits of hash what a sum has in the upper ones of its halves.
func (n sum) fingerprint() fingerprint {
	h := (n.low ^ bits.RotateLeft64(n.high, 32)) * k0
	return fingerprint{h ^ h>>32, n.high}
}

// long hashes texts of any length by folded 64x64-bit multiplications, the
// construction of wyhash that the Go runtime uses for its maps where there is no
// AES hardware. A hash waits for one multiplication after the other, so that the
// second, beside the first, costs next to nothing.
func (s *seeds) long(b []byte) fingerprint {
	h, g, n := s.hash^k0, s.check^k3, uint64(len(b))
	for len(b) > 16 {
		// The seed is in both factors: a prepared text that made one of them 0 would
		// make the other not matter.
		x, y := word(b), word(b[8:])
		h, g = fold(x^k1^s.hash, y^h), fold(x^k1^s.check, y^g)
		b = b[16:]
	}
	x, y := twoWords(b)
	return fingerprint{fold(k2^n, fold(x^k2^s.hash, y^h)), fold(k2^n, fold(x^k2^s.check, y^g))}
}

// fold multiplies to 128 bits and folds the halves.
func fold(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	return high ^ low
}

// Constants with bits all over, from the golden ratio, pi, e and the root of 2.
const (
	k0 = 0x9E3779B97F4A7C15
	k1 = 0x243F6A8885A308D3
	k2 = 0xB7E151628AED2A6B
	k3 = 0x6A09E667F3BCC909
)

package aggregate

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
)

// fingerprint is what a text is known by: two hashes of 64 bits under two secret
// seeds. The first also finds its place in an index.
type fingerprint struct{ hash, check uint64 }

// seeds are drawn once per table and told to nobody, so that nobody can prepare
// texts that meet.
type seeds struct{ hash, check uint64 }

func newSeeds() seeds { return seeds{rand.Uint64(), rand.Uint64()} }

// of hashes b by folded 64x64-bit multiplications, the construction of wyhash
// that the Go runtime uses for its maps where there is no AES hardware. A hash
// waits for one multiplication after the other, so that the second, beside the
// first, costs next to nothing.
func (s seeds) of(b []byte) fingerprint {
	h, g, n := s.hash^k0, s.check^k3, uint64(len(b))
	for len(b) > 16 {
		// The seed is in both factors: a prepared text that made one of them 0 would
		// make the other not matter.
		x, y := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
		h, g = fold(x^k1^s.hash, y^h), fold(x^k1^s.check, y^g)
		b = b[16:]
	}
	// The rest is read as two words that may overlap.
	var x, y uint64
	switch {
	case len(b) >= 8:
		x, y = binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[len(b)-8:])
	case len(b) >= 4:
		x, y = uint64(binary.LittleEndian.Uint32(b)), uint64(binary.LittleEndian.Uint32(b[len(b)-4:]))
	case len(b) > 0:
		x = uint64(b[0])<<16 | uint64(b[len(b)/2])<<8 | uint64(b[len(b)-1])
	}
	return fingerprint{fold(k2^n, fold(x^k2^s.hash, y^h)), fold(k2^n, fold(x^k2^s.check, y^g))}
}

// ofName is of for a text that is found while it is hashed, word by word (see
// line.split).
func (s seeds) ofName(name []byte) fingerprint {
	p := s.begin()
	i := 0
	for ; i+8 <= len(name); i += 8 {
		p = s.word(p, binary.LittleEndian.Uint64(name[i:]))
	}
	var last uint64
	for j := len(name) - 1; j >= i; j-- {
		last = last<<8 | uint64(name[j])
	}
	return s.end(p, last, len(name))
}

func (s seeds) begin() fingerprint { return fingerprint{s.hash ^ k0, s.check ^ k3} }

func (s seeds) word(p fingerprint, w uint64) fingerprint {
	return fingerprint{fold(w^k1^s.hash, p.hash), fold(w^k1^s.check, p.check)}
}

// end takes the last 0 to 7 bytes of a text of n.
func (s seeds) end(p fingerprint, last uint64, n int) fingerprint {
	last ^= uint64(n) << 56 // which no byte of last reaches; longer texts have more words
	p = s.word(p, last)
	return fingerprint{fold(p.hash, k2), fold(p.check, k2)}
}

// and joins the fingerprints of two texts that stand one behind the other, where what
// the second begins with cannot be in the first. They are made apart, because
// the processor then works on both at once.
func (p fingerprint) and(q fingerprint) fingerprint {
	return fingerprint{p.hash ^ bits.RotateLeft64(q.hash, 32), p.check ^ bits.RotateLeft64(q.check, 32)}
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

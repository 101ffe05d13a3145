package aggregate

import (
	"encoding/binary"
	"math/bits"
)

// hashText hashes b under a secret seed by folded 64x64-bit multiplications,
// the construction of wyhash that the Go runtime uses for its maps where there
// is no AES hardware. For texts this short it beats two calls of hash/maphash
// (compare BenchmarkAddDatagram). It must not be predictable to whoever sends
// messages, so that nobody can make lookups slow; it need not be free of
// collisions, because texts are compared.
func hashText(seed uint64, b []byte) uint64 {
	h, n := seed^k0, uint64(len(b))
	for len(b) > 16 {
		// The seed is in both factors: a prepared text that made one of them 0 would
		// make the other not matter.
		h = fold(binary.LittleEndian.Uint64(b)^k1^seed, binary.LittleEndian.Uint64(b[8:])^h)
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
	return fold(k2^n, fold(x^k2^seed, y^h))
}

// equal compares texts of the same length, word by word: for a few dozen bytes
// that is less than the call of bytes.Equal's assembly.
func equal(a, b []byte) bool {
	if len(b) < 8 {
		return string(a) == string(b)
	}
	_ = a[:len(b)]
	i := 0
	for ; i < len(b)-8; i += 8 {
		if binary.LittleEndian.Uint64(a[i:]) != binary.LittleEndian.Uint64(b[i:]) {
			return false
		}
	}
	i = len(b) - 8 // the last word may overlap the one before
	return binary.LittleEndian.Uint64(a[i:]) == binary.LittleEndian.Uint64(b[i:])
}

// fold multiplies to 128 bits and folds the halves.
func fold(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	return high ^ low
}

// Odd constants with bits all over, from the golden ratio, pi and e.
const (
	k0 = 0x9E3779B97F4A7C15
	k1 = 0x243F6A8885A308D3
	k2 = 0xB7E151628AED2A6B
)

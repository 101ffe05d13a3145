package aggregate

import (
	"encoding/binary"
	"math/bits"
)

// separators says which of 64 bytes end a line or a name: a bit for each, the
// lowest for the first. Lines are cut by counting zeros, without a decision per
// byte that a processor could not foresee.
type separators struct{ newlines, colons uint64 }

const blockLen = 64

// separate returns the separators of a datagram, with a line break behind its
// end and two blocks more, so that three may be read from wherever a line begins.
// What it returns lies in memory, which is used again by the next call.
func separate(memory []separators, datagram []byte) []separators {
	whole, rest := len(datagram)/blockLen, len(datagram)%blockLen
	if need := whole + 3; cap(memory) < need {
		memory = make([]separators, need+need/2)
	}
	blocks := memory[:whole+3]
	clear(blocks[whole:])
	if whole > 0 {
		findSeparators(&blocks[0], &datagram[0], whole)
	}
	if rest > 0 {
		var last [blockLen]byte
		copy(last[:], datagram[len(datagram)-rest:])
		findSeparators(&blocks[whole], &last[0], 1)
	}
	blocks[whole].newlines |= 1 << rest
	return blocks
}

// window returns 64 bits from bit r of low on, with those of high behind them.
func window(low, high uint64, r uint) uint64 {
	return low>>(r&63) | high<<1<<(^r&63)
}

// eightSeparators finds c among the 8 bytes of w.
func eightSeparators(w uint64, c byte) uint64 {
	x := w ^ uint64(c)*everyByte
	// A byte that is 0 leaves its highest bit alone, and every other byte sets it.
	x = ((x&(everyByte*0x7f) + everyByte*0x7f) | x) >> 7 &^ (everyByte * 0xfe)
	return (x ^ everyByte) * 0x0102040810204080 >> 56
}

const everyByte = 0x0101010101010101

// lineEnd returns how far the line is that begins at, if that is less than 128
// bytes; 128 otherwise.
func lineEnd(blocks *[3]separators, at uint) int {
	n := bits.TrailingZeros64(window(blocks[0].newlines, blocks[1].newlines, at))
	further := bits.TrailingZeros64(window(blocks[1].newlines, blocks[2].newlines, at))
	return n + further&-(n>>6)
}

// findSeparatorsPortably is findSeparators for every processor.
func findSeparatorsPortably(blocks []separators, bytes []byte) {
	for i := range blocks {
		b := &blocks[i]
		*b = separators{}
		for j := 0; j < blockLen; j += 8 {
			w := binary.LittleEndian.Uint64(bytes[i*blockLen+j:])
			b.newlines |= eightSeparators(w, '\n') << j
			b.colons |= eightSeparators(w, ':') << j
		}
	}
}

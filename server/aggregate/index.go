package aggregate

// index finds ids by hash: open addressing with linear probing, in segments
// that grow one by one. A single table would stop ingest for tens of
// milliseconds when it doubles at a million entries; a segment of 1/256 of that
// doubles in microseconds.
//
// A slot is 8 bytes, so that a probe run stays within one cache line: the lower
// 32 bits of the hash and the id plus one. Of these bits the lowest give the
// place, so that a segment grows without a look at the entries themselves, and
// the others spare most wrong comparisons. An empty slot is 0.
type index struct {
	segments [segments]segment
}

type segment struct {
	slots []uint64 // a power of two long, or none
	used  int
}

const segments = 256

// segment picks by the top byte of the hash, which no slot keeps.
func (x *index) segment(hash uint64) *segment { return &x.segments[hash>>56] }

// first returns the slot where the search for a hash begins.
func (x *index) first(hash uint64) uint64 {
	slots := x.segments[hash>>56].slots
	if len(slots) == 0 {
		return 0
	}
	return slots[uint32(hash)&uint32(len(slots)-1)]
}

// find returns the id among those with this hash for which equal is true.
func (x *index) find(hash uint64, equal func(id uint32) bool) (uint32, bool) {
	s := x.segment(hash)
	if len(s.slots) == 0 {
		return 0, false
	}
	mask := uint32(len(s.slots) - 1)
	for i := uint32(hash) & mask; s.slots[i] != 0; i = (i + 1) & mask {
		if uint32(s.slots[i]>>32) == uint32(hash) && equal(uint32(s.slots[i])-1) {
			return uint32(s.slots[i]) - 1, true
		}
	}
	return 0, false
}

// insert adds id, which must not be there.
func (x *index) insert(hash uint64, id uint32) {
	s := x.segment(hash)
	if 4*(s.used+1) > 3*len(s.slots) {
		old := s.slots
		s.slots = make([]uint64, max(8, 2*len(old)))
		for _, slot := range old {
			if slot != 0 {
				s.place(slot)
			}
		}
	}
	s.place(uint64(uint32(hash))<<32 | uint64(id+1))
	s.used++
}

func (s *segment) place(slot uint64) {
	mask := uint32(len(s.slots) - 1)
	i := uint32(slot>>32) & mask
	for s.slots[i] != 0 {
		i = (i + 1) & mask
	}
	s.slots[i] = slot
}

func (x *index) memory() int64 {
	var n int64
	for i := range x.segments {
		n += 8 * int64(cap(x.segments[i].slots))
	}
	return n
}

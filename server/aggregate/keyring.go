package aggregate

import (
	"bytes"
	"slices"
	"unsafe"

	"floodgate/internal/dogstatsd"
)

// keyring knows every contextKey that was seen. It only ever grows, and what
// was written never changes: whoever holds a view of its chunks and slabs can
// read the first n keys while the owner adds more. That is what makes a cut
// independent of the number of contextKeys. To forget contextKeys, a table
// starts another keyring (see Table.expire).
//
// A message is found by its raw bytes: the fingerprint of name and rest (type, rate,
// tags as they came) leads to an alias, and the alias names the key. Lines that
// repeat are therefore never parsed or sorted again. Messages whose tags stand in
// another order have an alias of their own that leads to the same key.
//
// A fingerprint has 128 bits under secret seeds, and an alias does not keep the bytes
// to compare: of a million aliases two have the same print with a probability of
// 10^-27, and whoever wants to bring that about cannot see one. Comparing would
// cost each message a wait for memory that nothing else needs. ContextKeys, which
// are looked for once per alias, are compared.
type keyring struct {
	seeds               seeds
	slabs               []*[slabLen]byte // bytes of names and tags
	slabUsed            int              // of the last slab
	keys                []*[chunkLen]key
	aliases             []*[chunkLen]alias
	nkeys               uint32
	naliases            uint32
	byKey               index
	byAlias             index
	maxKeys, maxAliases uint32
	tags                [][]byte // scratch for sorting
	joined              []byte   // scratch for the joined tags
}

// key is one contextKey; its bytes lie in the slabs. It holds no pointers, so
// that the garbage collector has nothing to scan in a million of them.
type key struct {
	hash    uint64
	name    uint32 // offset, see bytesAt
	tags    uint32
	nameLen uint16
	kind    dogstatsd.Kind
	tagsLen uint16
}

// alias is one way in which messages of a key are written: half a cache line.
type alias struct {
	print  fingerprint // of name and rest
	weight float64     // of one message: 1/rate
	key    uint32
	kind   dogstatsd.Kind
}

const (
	chunkBits = 12
	chunkLen  = 1 << chunkBits
	slabBits  = 20
	slabLen   = 1 << slabBits
	maxSlabs  = 1 << (32 - slabBits)
	maxText   = 1<<16 - 1 // of a name, a rest, the tags: their lengths are uint16
)

func newKeyring(seeds seeds, maxKeys int) *keyring {
	return &keyring{
		seeds:      seeds,
		maxKeys:    uint32(maxKeys),
		maxAliases: uint32(2*maxKeys + chunkLen), // clients that shuffle tags must not fill the memory
	}
}

// print identifies a line up to its values. A rest begins with '|', which no
// name has.
func (r *keyring) print(name, rest []byte) fingerprint {
	return r.seeds.ofName(name).and(r.seeds.of(rest))
}

// alias returns the alias of a line that was seen before, or nil.
func (r *keyring) alias(p fingerprint) *alias {
	id, found := r.byAlias.find(p.hash, func(id uint32) bool { return r.aliasAt(id).print == p })
	if !found {
		return nil
	}
	return r.aliasAt(id)
}

// candidate returns the alias that most likely has this hash, or nil. slot is
// what byAlias.first returned for it.
func (r *keyring) candidate(hash, slot uint64) *alias {
	for i := uint32(hash) + 1; slot != 0; i++ {
		if uint32(slot>>32) == uint32(hash) {
			return r.aliasAt(uint32(slot) - 1)
		}
		slots := r.byAlias.segment(hash).slots
		slot = slots[i&uint32(len(slots)-1)]
	}
	return nil
}

// learn parses a line that was not seen before and remembers it. It returns
// the alias by value, because one that could not be kept (no room, or a
// timestamp that makes every line different) still leads to its key. ok is
// false when the contextKey is new and over the limit.
func (r *keyring) learn(p fingerprint, name []byte, m dogstatsd.Rest) (a alias, ok bool) {
	if len(name) > maxText || len(m.Tags) > maxText {
		return alias{}, false
	}
	id, ok := r.keyOf(name, m.Kind, m.Tags)
	if !ok {
		return alias{}, false
	}
	a = alias{print: p, weight: 1 / m.Rate, key: id, kind: m.Kind}
	if m.Timestamp != 0 || r.naliases >= r.maxAliases {
		return a, true
	}
	if r.naliases&(chunkLen-1) == 0 {
		r.aliases = append(r.aliases, new([chunkLen]alias))
	}
	*r.aliasAt(r.naliases) = a
	r.naliases++
	r.byAlias.insert(p.hash, r.naliases-1)
	return a, true
}

// keyOf returns the id of the contextKey, adding it when it is new and there
// is room. Tags are a set: their order and repetitions do not matter.
func (r *keyring) keyOf(name []byte, kind dogstatsd.Kind, tags []byte) (uint32, bool) {
	return r.keyOfCanonical(name, kind, r.canonicalTags(tags))
}

// keyOfCanonical is keyOf for tags that are sorted and distinct already.
func (r *keyring) keyOfCanonical(name []byte, kind dogstatsd.Kind, canonical []byte) (uint32, bool) {
	hash := r.seeds.of(name).and(r.seeds.of(canonical)).hash + uint64(kind)*k0
	id, found := r.byKey.find(hash, func(id uint32) bool {
		k := r.keyAt(id)
		return k.hash == hash && k.kind == kind &&
			bytes.Equal(r.bytesAt(k.name, int(k.nameLen)), name) && bytes.Equal(r.bytesAt(k.tags, int(k.tagsLen)), canonical)
	})
	if found {
		return id, true
	}
	if r.nkeys >= r.maxKeys || !r.room(len(name)+len(canonical)) {
		return 0, false
	}
	k := key{hash: hash, nameLen: uint16(len(name)), tagsLen: uint16(len(canonical)), kind: kind}
	k.name = r.store(name, canonical)
	k.tags = k.name
	if len(canonical) > 0 { // without, the place behind the name may lie outside of the slab
		k.tags += uint32(len(name))
	}
	if r.nkeys&(chunkLen-1) == 0 {
		r.keys = append(r.keys, new([chunkLen]key))
	}
	*r.keyAt(r.nkeys) = k
	r.nkeys++
	r.byKey.insert(hash, r.nkeys-1)
	return r.nkeys - 1, true
}

// canonicalTags sorts the tags and drops repeated ones. The result is valid
// until the next call, and as long as tags are.
func (r *keyring) canonicalTags(tags []byte) []byte {
	if len(tags) == 0 {
		return nil
	}
	r.tags = r.tags[:0]
	ascending := true
	for rest, more := tags, true; more; {
		tag := rest
		i := bytes.IndexByte(rest, ',')
		if more = i >= 0; more {
			tag, rest = rest[:i], rest[i+1:]
		}
		if n := len(r.tags); n > 0 && bytes.Compare(r.tags[n-1], tag) >= 0 {
			ascending = false
		}
		r.tags = append(r.tags, tag)
	}
	if ascending { // as clients that sort them send them
		return tags
	}
	slices.SortFunc(r.tags, bytes.Compare)
	r.tags = slices.CompactFunc(r.tags, bytes.Equal)
	r.joined = r.joined[:0]
	for i, tag := range r.tags {
		if i > 0 {
			r.joined = append(r.joined, ',')
		}
		r.joined = append(r.joined, tag...)
	}
	return r.joined
}

// view is what a flush needs of a keyring: the keys as they were.
type view struct {
	slabs []*[slabLen]byte
	keys  []*[chunkLen]key
}

// view takes the same time whatever the number of keys.
func (r *keyring) view() view { return view{r.slabs, r.keys} }

// copy is a view that shares nothing with the keyring.
func (v view) copy() view {
	c := view{make([]*[slabLen]byte, len(v.slabs)), make([]*[chunkLen]key, len(v.keys))}
	for i, slab := range v.slabs {
		c.slabs[i] = new([slabLen]byte)
		*c.slabs[i] = *slab
	}
	for i, chunk := range v.keys {
		c.keys[i] = new([chunkLen]key)
		*c.keys[i] = *chunk
	}
	return c
}

// key returns the name, the joined tags and the kind of a key.
func (v view) key(id uint32) (name, tags []byte, kind dogstatsd.Kind) {
	k := &v.keys[id>>chunkBits][id&(chunkLen-1)]
	return textAt(v.slabs, k.name, int(k.nameLen)), textAt(v.slabs, k.tags, int(k.tagsLen)), k.kind
}

func (r *keyring) keyAt(id uint32) *key { return &r.keys[id>>chunkBits][id&(chunkLen-1)] }

func (r *keyring) aliasAt(id uint32) *alias { return &r.aliases[id>>chunkBits][id&(chunkLen-1)] }

func (r *keyring) bytesAt(offset uint32, n int) []byte { return textAt(r.slabs, offset, n) }

func textAt(slabs []*[slabLen]byte, offset uint32, n int) []byte {
	at := offset & (slabLen - 1)
	return slabs[offset>>slabBits][at : at+uint32(n)]
}

// room reports whether n more bytes can be stored: offsets are 32 bits wide,
// so that the slabs end at 4 GiB.
func (r *keyring) room(n int) bool {
	return len(r.slabs) < maxSlabs || r.slabUsed+n <= slabLen
}

// store appends a and b behind each other to the slabs and returns the offset.
func (r *keyring) store(a, b []byte) uint32 {
	n := len(a) + len(b)
	if len(r.slabs) == 0 || r.slabUsed+n > slabLen {
		r.slabs, r.slabUsed = append(r.slabs, new([slabLen]byte)), 0
	}
	last := len(r.slabs) - 1
	at := r.slabUsed
	copy(r.slabs[last][at:], a)
	copy(r.slabs[last][at+len(a):], b)
	r.slabUsed += n
	return uint32(last<<slabBits | at)
}

// memory returns the bytes that the keyring holds.
func (r *keyring) memory() int64 {
	return int64(len(r.slabs))*slabLen +
		int64(len(r.keys))*int64(unsafe.Sizeof([chunkLen]key{})) +
		int64(len(r.aliases))*int64(unsafe.Sizeof([chunkLen]alias{})) +
		r.byKey.memory() + r.byAlias.memory()
}

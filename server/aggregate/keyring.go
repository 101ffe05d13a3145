package aggregate

import (
	"bytes"
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
// to compare. That two of a million aliases have the same one has a probability of
// at most 3 in 10^8 over the seeds, whatever the lines say (see seeds.print), and of
// about 10^-27 for lines that nobody chose to that end; and who wants to bring it
// about cannot see one. Comparing would cost each message a wait for memory that
// nothing else needs. ContextKeys, which are looked for once per alias, are compared.
type keyring struct {
	seeds               *seeds
	slabs               []*[slabLen]byte // bytes of names and tags
	slabUsed            int              // of the last slab
	keys                []*[chunkLen]key
	aliases             []*[chunkLen]alias
	nkeys               uint32
	naliases            uint32
	byKey               index
	byAlias             index
	maxKeys, maxAliases uint32
	tags                []sortedTag // scratch for sorting
	joined              []byte      // scratch for the joined tags of a batch
}

// key is one contextKey; its bytes lie in the slabs. It holds no pointers, so
// that the garbage collector has nothing to scan in a million of them.
type key struct {
	text             uint32 // offset of the name, which the tags follow: see textAt
	nameLen, tagsLen uint16
	kind             dogstatsd.Kind
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

func newKeyring(seeds *seeds, maxKeys int) *keyring {
	return &keyring{
		seeds:      seeds,
		maxKeys:    uint32(maxKeys),
		maxAliases: uint32(2*maxKeys + chunkLen), // clients that shuffle tags must not fill the memory
	}
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

// learn remembers a line that was not seen before, as it was prepared. It
// returns the alias by value, because one that could not be kept (no room, or a
// timestamp that makes every line different) still leads to its key. ok is
// false when the contextKey is new and over the limit.
func (r *keyring) learn(p fingerprint, name []byte, x *lesson) (a alias, ok bool) {
	if len(name) > maxText || len(x.tags) > maxText {
		return alias{}, false
	}
	id, ok := r.keyOf(x.hash, name, x.kind, x.tags)
	if !ok {
		return alias{}, false
	}
	a = alias{print: p, weight: 1 / x.rate, key: id, kind: x.kind}
	if x.timestamp != 0 || r.naliases >= r.maxAliases {
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

// keyHash is where a contextKey is looked for.
func (r *keyring) keyHash(name []byte, kind dogstatsd.Kind, canonical []byte) uint64 {
	return r.seeds.print(name, canonical).hash + uint64(kind)*k0
}

// keyOf returns the id of the contextKey, adding it when it is new and there
// is room. hash is its keyHash.
func (r *keyring) keyOf(hash uint64, name []byte, kind dogstatsd.Kind, canonical []byte) (uint32, bool) {
	id, found := r.byKey.find(hash, func(id uint32) bool {
		k := r.keyAt(id)
		if k.kind != kind || int(k.nameLen) != len(name) || int(k.tagsLen) != len(canonical) {
			return false
		}
		text := textAt(r.slabs, k.text, len(name)+len(canonical))
		return bytes.Equal(text[:len(name)], name) && bytes.Equal(text[len(name):], canonical)
	})
	if found {
		return id, true
	}
	if r.nkeys >= r.maxKeys || !r.room(len(name)+len(canonical)) {
		return 0, false
	}
	if r.nkeys&(chunkLen-1) == 0 {
		r.keys = append(r.keys, new([chunkLen]key))
	}
	*r.keyAt(r.nkeys) = key{text: r.store(name, canonical), nameLen: uint16(len(name)), tagsLen: uint16(len(canonical)), kind: kind}
	r.nkeys++
	r.byKey.insert(hash, r.nkeys-1)
	return r.nkeys - 1, true
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
	n := int(k.nameLen)
	text := textAt(v.slabs, k.text, n+int(k.tagsLen))
	return text[:n:n], text[n:], k.kind
}

func (r *keyring) keyAt(id uint32) *key { return &r.keys[id>>chunkBits][id&(chunkLen-1)] }

func (r *keyring) aliasAt(id uint32) *alias { return &r.aliases[id>>chunkBits][id&(chunkLen-1)] }

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

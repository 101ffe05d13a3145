package loadgen

import (
	"math"
	"math/bits"

	"floodgate/internal/dogstatsd"
)

// keySpace turns the number of a contextKey into its kind, name and tags by
// arithmetic alone, so that a million of them need no memory.
//
// Names and tags look like those of a fleet: up to 1000 names, each reported by
// at least ten instances, and an instance has the same tags under every name.
// Name, instance or both differ between any two keys. The last part of a name
// says its kind, so that no name comes under two.
type keySpace struct {
	seed      uint64
	keys      int // in all
	slots     int // in use at any instant; the same as keys without churn
	instances int // of each name
	blocks    []keyBlock
	share     float64
	rate      float64

	names     []string // instead of generated ones
	bareNames bool     // names have no end that says their kind
	nameBytes int
	tags      tagStyle

	timestamped, contained uint64 // shares, as share53 has them
	containers             int
}

// keyBlock is a run of slots [from, to) of one kind.
type keyBlock struct {
	kind     dogstatsd.Kind
	from, to int
}

// key is one contextKey.
type key struct {
	number      int
	kind        dogstatsd.Kind
	rate        float64 // 1 where the key is not sampled
	timestamped bool
}

func newKeySpace(c CorpusConfig) keySpace {
	s := keySpace{
		seed: c.Seed, keys: c.keysInAll(), slots: c.ContextKeys, share: c.SampledShare, rate: c.SampleRate,
		nameBytes: c.NameBytes, timestamped: share53(c.TimestampedShare), contained: share53(c.ContainerShare), containers: c.Containers,
	}
	s.names, _ = expandAll(c.Names, nameForbids) // Validate has read them
	switch {
	case c.Tags == 0 && len(c.TagPatterns) == 0:
		s.instances = 1 // only the name can tell keys apart
	case len(s.names) > 0:
		s.instances = (s.keys + len(s.names) - 1) / len(s.names)
	default:
		s.instances = max(10, (s.keys+999)/1000)
	}
	s.tags = newTagStyle(c, s.instances)
	total, kinds := 0, 0
	for _, k := range c.Kinds {
		total += k.Weight
		if k.Weight > 0 {
			kinds++
		}
	}
	s.bareNames = len(s.names) > 0 && kinds == 1
	from, weight := 0, 0
	for _, k := range c.Kinds {
		weight += k.Weight
		to := int(int64(c.ContextKeys) * int64(weight) / int64(total))
		if to > from {
			s.blocks = append(s.blocks, keyBlock{k.Kind, from, to})
		}
		from = to
	}
	return s
}

// The seeds of what is drawn for each contextKey, beside its instance's traits.
const (
	timestampTrait = iota + 1
	containerTrait
	uniqueTrait
	lengthTrait
	countTrait
)

// trait is a random number of a contextKey or an instance.
func (s *keySpace) trait(which uint64, number int) uint64 {
	return mix(s.seed+which<<56, uint64(number))
}

// share53 is a share of 0 to 1 as the number of 53-bit numbers that it covers.
func share53(x float64) uint64 { return uint64(x * (1 << 53)) }

// within reports whether a random number falls into a share.
func within(random, share uint64) bool { return random>>11 < share }

// key returns the contextKey of that number. Its kind is that of its slot, so
// that the kinds keep their shares under churn.
func (s *keySpace) key(number int) key {
	slot := number
	if number >= s.slots {
		slot = number % s.slots
	}
	b := &s.blocks[0]
	for i := 1; slot >= b.to; i++ {
		b = &s.blocks[i]
	}
	k := key{number: number, kind: b.kind, rate: 1}
	if s.timestamped > 0 && (b.kind == dogstatsd.Counter || b.kind == dogstatsd.Gauge) {
		k.timestamped = within(s.trait(timestampTrait, number), s.timestamped)
	}
	if s.share > 0 && summedOrCounted(b.kind) && !k.timestamped {
		// Spread evenly over the block: sampled wherever the running share
		// passes a whole number.
		i := slot - b.from
		if math.Floor(float64(i+1)*s.share) > math.Floor(float64(i)*s.share) {
			k.rate = s.rate
		}
	}
	return k
}

// summedOrCounted says whether a sample rate has a meaning for the kind.
func summedOrCounted(k dogstatsd.Kind) bool {
	return k != dogstatsd.Gauge && k != dogstatsd.Set
}

var subjects = [...]string{"requests", "queries", "payments", "sessions", "messages", "lookups", "uploads", "renders"}

// aspects end the names, one for each kind.
var aspects = [...]string{
	dogstatsd.Counter:      ".count",
	dogstatsd.Gauge:        ".level",
	dogstatsd.Timer:        ".time",
	dogstatsd.Histogram:    ".size",
	dogstatsd.Distribution: ".cost",
	dogstatsd.Set:          ".users",
}

// appendName appends the metric name of k: app.requests.017.count.
func (s *keySpace) appendName(dst []byte, k key) []byte {
	n := k.number / s.instances
	start := len(dst)
	if len(s.names) > 0 {
		dst = append(dst, s.names[n]...)
		if s.bareNames {
			return dst
		}
		return append(dst, aspects[k.kind]...)
	}
	dst = append(dst, "app."...)
	dst = append(append(dst, subjects[n%len(subjects)]...), '.')
	dst = appendPadded(dst, n, 3)
	if missing := s.nameBytes - (len(dst) - start) - len(aspects[k.kind]); missing > 0 {
		dst = appendFiller(append(dst, '.'), missing-1, mix(s.seed, uint64(n)))
	}
	return append(dst, aspects[k.kind]...)
}

// appendContainer appends the section that names the origin of k, or nothing.
func (s *keySpace) appendContainer(dst []byte, k key) []byte {
	if s.contained == 0 || !within(s.trait(containerTrait, k.number), s.contained) {
		return dst
	}
	id := s.trait(containerTrait, bounded(s.trait(containerTrait, ^k.number), s.containers))
	dst = append(dst, "|c:ci-"...)
	for range 4 { // 256 bits, as container runtimes have them
		id = mix(id, 0)
		for shift := 60; shift >= 0; shift -= 4 {
			dst = append(dst, "0123456789abcdef"[id>>shift&15])
		}
	}
	return dst
}

// maxPad is the most digits that numbers in patterns are filled up to.
const maxPad = 18

// appendPadded appends n, which is not negative, with at least width digits,
// which are at most 20.
func appendPadded(dst []byte, n, width int) []byte {
	var digits [20]byte
	at := len(digits)
	for ; n >= 10; n /= 10 {
		at--
		digits[at] = '0' + byte(n%10)
	}
	at--
	digits[at] = '0' + byte(n)
	for len(digits)-at < width {
		at--
		digits[at] = '0'
	}
	return append(dst, digits[at:]...)
}

// mix scrambles x under a seed: Steele, Lea and Flood's SplitMix64 finaliser,
// whose every output bit depends on every input bit.
func mix(seed, x uint64) uint64 {
	z := seed + (x+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// bounded turns 64 random bits into a number in [0, n) by the high half of a
// product (Lemire). Its bias is below n/2^64, and unlike the bounded draws of
// math/rand/v2 it cannot change with a release of Go.
func bounded(random uint64, n int) int {
	hi, _ := bits.Mul64(random, uint64(n))
	return int(hi)
}

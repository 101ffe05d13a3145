package loadgen

import (
	"math"
	"math/bits"
	"strconv"

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
	keys      int
	instances int // of each name
	tags      int
	blocks    []keyBlock
	share     float64
	rate      float64
}

// keyBlock is a run of contextKeys [from, to) of one kind.
type keyBlock struct {
	kind     dogstatsd.Kind
	from, to int
}

// key is one contextKey.
type key struct {
	number int
	kind   dogstatsd.Kind
	rate   float64 // 1 where the key is not sampled
}

func newKeySpace(c CorpusConfig) keySpace {
	s := keySpace{seed: c.Seed, keys: c.ContextKeys, tags: c.Tags, share: c.SampledShare, rate: c.SampleRate}
	s.instances = max(10, (c.ContextKeys+999)/1000)
	if c.Tags == 0 {
		s.instances = 1 // only the name can tell keys apart
	}
	total := 0
	for _, k := range c.Kinds {
		total += k.Weight
	}
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

// key returns the contextKey of that number.
func (s *keySpace) key(number int) key {
	b := &s.blocks[0]
	for i := 1; number >= b.to; i++ {
		b = &s.blocks[i]
	}
	k := key{number: number, kind: b.kind, rate: 1}
	if s.share > 0 && summedOrCounted(b.kind) {
		// Spread evenly over the block: sampled wherever the running share
		// passes a whole number.
		i := number - b.from
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
	dst = append(dst, "app."...)
	dst = append(append(dst, subjects[n%len(subjects)]...), '.')
	return append(appendPadded(dst, n, 3), aspects[k.kind]...)
}

var (
	environments = [...]string{"env:prod", "env:test", "env:dev", "env:stage"}
	services     = [...]string{",svc:web-", ",svc:api-", ",svc:cart-", ",svc:auth-", ",svc:mail-", ",svc:feed-"}
	zones        = [...]string{",az:eu-1", ",az:eu-2", ",az:us-1", ",az:us-2", ",az:ap-1"}
	teams        = [...]string{",team:core", ",team:shop", ",team:data"}
)

// appendTags appends the tags of k, joined by commas. The instance stands last
// and is always there; the others follow from it and come in this order as far
// as the number of tags reaches: env, svc, az, team, ver, l07, l08, …
func (s *keySpace) appendTags(dst []byte, k key) []byte {
	if s.tags == 0 {
		return dst
	}
	instance := k.number % s.instances
	traits := mix(s.seed, uint64(instance))
	pick := func(n int) int {
		traits = mix(traits, 0)
		return bounded(traits, n)
	}
	start := len(dst)
	for i := range s.tags - 1 {
		switch i {
		case 0:
			dst = append(dst, environments[pick(len(environments))]...)
		case 1:
			dst = append(dst, services[pick(len(services))]...)
			dst = appendPadded(dst, pick(100), 2)
		case 2:
			dst = append(dst, zones[pick(len(zones))]...)
		case 3:
			dst = append(dst, teams[pick(len(teams))]...)
		case 4:
			dst = strconv.AppendInt(append(dst, ",ver:1."...), int64(pick(20)), 10)
		default:
			dst = append(appendPadded(append(dst, ",l"...), i+2, 2), ":v"...)
			dst = strconv.AppendInt(dst, int64(pick(10)), 10)
		}
	}
	if len(dst) > start {
		dst = append(dst, ',')
	}
	return appendPadded(append(dst, "id:"...), instance, 6)
}

// appendPadded appends n, which is not negative, with at least width digits.
func appendPadded(dst []byte, n, width int) []byte {
	digits := 1
	for rest := n; rest >= 10; rest /= 10 {
		digits++
	}
	if digits < width {
		dst = append(dst, "000000"[:width-digits]...)
	}
	return strconv.AppendInt(dst, int64(n), 10)
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

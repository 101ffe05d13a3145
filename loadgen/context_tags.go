package loadgen

import (
	"math/bits"
	"strconv"
)

// What a name and a tag must not hold: it would end them, or the line.
const (
	nameForbids = ":|\n\r"
	tagForbids  = ",|\n\r"
)

// tagStyle is what the tags of a key space look like.
type tagStyle struct {
	least, most           int // tags of a contextKey
	leastBytes, mostBytes int // of each
	unique                uint64

	patterns [][]string // instead of generated ones
	// Instances count through the combinations of the patterns in steps that
	// have no factor in common with their number, so each comes once, and
	// neighbours differ in more than the last tag.
	combinations, step uint64
	id                 bool // the combinations do not suffice
}

func newTagStyle(c CorpusConfig, instances int) tagStyle {
	t := tagStyle{
		least: c.Tags, most: max(c.Tags, c.TagsMost),
		leastBytes: c.TagBytes, mostBytes: max(c.TagBytes, c.TagBytesMost), unique: share53(c.UniqueTags),
	}
	if len(c.TagPatterns) == 0 {
		return t
	}
	t.combinations = 1
	for _, p := range c.TagPatterns {
		texts, _ := expandAll([]string{p}, tagForbids) // Validate has read them
		t.patterns = append(t.patterns, texts)
		if hi, product := bits.Mul64(t.combinations, uint64(len(texts))); hi == 0 && product < 1<<62 {
			t.combinations = product
		}
	}
	for t.step = max(1, t.combinations/8*5); divisor(t.step, t.combinations) > 1; t.step++ {
	}
	t.id = t.combinations < uint64(instances)
	return t
}

// divisor is the greatest that a and b have in common, by Euclid's algorithm.
func divisor(a, b uint64) uint64 {
	for b > 0 {
		a, b = b, a%b
	}
	return a
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
	instance := k.number % s.instances
	if len(s.tags.patterns) > 0 {
		return s.appendPatterns(dst, instance)
	}
	if s.tags.most == 0 {
		return dst
	}
	count := s.tags.least
	if s.tags.most > count {
		count += bounded(s.trait(countTrait, instance), s.tags.most-count+1)
	}
	traits := mix(s.seed, uint64(instance))
	start := len(dst)
	for i := range count - 1 {
		at := len(dst)
		dst = appendTag(dst, i, &traits)
		if s.tags.unique > 0 && within(mix(s.trait(uniqueTrait, k.number), uint64(i)), s.tags.unique) {
			dst = s.appendUnique(dst[:at], i, k)
		}
		dst = s.lengthened(dst, at, i, instance)
	}
	if len(dst) > start {
		dst = append(dst, ',')
	}
	at := len(dst)
	return s.lengthened(appendPadded(append(dst, "id:"...), instance, 6), at, count-1, instance)
}

// appendTag appends the i-th tag of an instance, with the comma before it. Each
// tag draws the same random numbers, whatever comes of it.
func appendTag(dst []byte, i int, traits *uint64) []byte {
	pick := func(n int) int {
		*traits = mix(*traits, 0)
		return bounded(*traits, n)
	}
	switch i {
	case 0:
		return append(dst, environments[pick(len(environments))]...)
	case 1:
		dst = append(dst, services[pick(len(services))]...)
		return appendPadded(dst, pick(100), 2)
	case 2:
		return append(dst, zones[pick(len(zones))]...)
	case 3:
		return append(dst, teams[pick(len(teams))]...)
	case 4:
		return strconv.AppendInt(append(dst, ",ver:1."...), int64(pick(20)), 10)
	}
	dst = append(appendPadded(append(dst, ",l"...), i+2, 2), ":v"...)
	return strconv.AppendInt(dst, int64(pick(10)), 10)
}

// appendUnique appends a tag that no other contextKey has.
func (s *keySpace) appendUnique(dst []byte, i int, k key) []byte {
	if i > 0 {
		dst = append(dst, ',')
	}
	dst = append(appendPadded(append(dst, 'u'), i, 2), ':')
	return strconv.AppendInt(dst, int64(k.number), 10) // digits, which filling letters do not continue
}

// lengthened brings the tag that begins at, perhaps with its comma, to the
// length that tags have.
func (s *keySpace) lengthened(dst []byte, at, i, instance int) []byte {
	if s.tags.mostBytes == 0 {
		return dst
	}
	if dst[at] == ',' {
		at++
	}
	traits := mix(s.trait(lengthTrait, instance), uint64(i))
	want := s.tags.leastBytes
	if s.tags.mostBytes > want {
		want += bounded(traits, s.tags.mostBytes-want+1)
	}
	return appendFiller(dst, want-(len(dst)-at), traits)
}

// appendFiller appends n letters, or none.
func appendFiller(dst []byte, n int, traits uint64) []byte {
	for i := range n {
		if i%8 == 0 {
			traits = mix(traits, 0)
		}
		dst = append(dst, 'a'+byte(traits>>(i%8*8))%26)
	}
	return dst
}

// appendPatterns appends the tags of an instance where patterns say what they
// are.
func (s *keySpace) appendPatterns(dst []byte, instance int) []byte {
	t := &s.tags
	hi, lo := bits.Mul64(uint64(instance)%t.combinations, t.step)
	_, rest := bits.Div64(hi, lo, t.combinations) // one factor is below the divisor
	for i, texts := range t.patterns {
		if i > 0 {
			dst = append(dst, ',')
		}
		n := uint64(len(texts))
		dst = append(dst, texts[rest%n]...)
		rest /= n
	}
	if t.id {
		dst = appendPadded(append(dst, ",id:"...), instance, 6)
	}
	return dst
}

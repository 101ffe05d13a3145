package loadgen

import (
	"math/rand/v2"
	"strconv"

	"floodgate/internal/dogstatsd"
)

// Hostile is a share of the messages that are no messages: what broken or
// malicious clients send. A server must count each, keep none, and lose nothing
// of the others. They are shared out by weight; with all weights 0 there are as
// many of each but oversize ones, of which there are none.
type Hostile struct {
	Share float64 // 0 to 1, of all messages
	// Malformed lines break one rule of the format: no separator, no name, no
	// value, an unknown kind, a value, rate or timestamp that is no number, or an
	// event or service check that does not agree with itself.
	Malformed int
	// Truncated lines are messages of the corpus that end before or right behind
	// the '|' that the kind follows.
	Truncated int
	// Oversize lines have OversizeBytes, without a separator, in a datagram of
	// their own. A server whose buffer is smaller counts one truncated message;
	// one with a larger buffer, one without a separator. 0 bytes are 9000.
	Oversize      int
	OversizeBytes int
	// NonUTF8 lines are bytes that are no text, without a separator.
	NonUTF8 int
}

// What a line that is longer than the buffer of a server must have at least, to
// be told from messages, and has where nothing is said.
const (
	minOversize     = 64
	defaultOversize = 9000
)

// lineClass says what a message is.
type lineClass uint8

const (
	metricLine lineClass = iota
	eventLine
	checkLine
	malformedLine
	truncatedLine
	oversizeLine
	strangeLine
)

// malformations are the causes that Malformed lines have, all equally likely.
// Left out is a timestamp on a kind that cannot carry one, because servers may
// well accept that.
var malformations = [...]dogstatsd.Fault{
	dogstatsd.NoSeparator, dogstatsd.EmptyName, dogstatsd.EmptyValue, dogstatsd.UnknownKind, dogstatsd.BadValue,
	dogstatsd.BadRate, dogstatsd.BadTimestamp, dogstatsd.BadEvent, dogstatsd.BadServiceCheck,
}

// others draws the messages that are no metrics.
type others struct {
	any     bool
	through [strangeLine + 1]uint64 // of the random numbers, by class: below this one they are of it, or of one before
	bytes   int                     // of an oversize line
}

func newOthers(c *CorpusConfig) others {
	h := c.Hostile
	if h.Malformed+h.Truncated+h.Oversize+h.NonUTF8 == 0 {
		h.Malformed, h.Truncated, h.NonUTF8 = 1, 1, 1
	}
	o := others{any: c.EventShare > 0 || c.CheckShare > 0 || h.Share > 0, bytes: h.OversizeBytes}
	if o.bytes == 0 {
		o.bytes = defaultOversize
	}
	all := float64(h.Malformed + h.Truncated + h.Oversize + h.NonUTF8)
	for class, share := range map[lineClass]float64{
		eventLine: c.EventShare, checkLine: c.CheckShare,
		malformedLine: float64(h.Share*float64(h.Malformed)) / all, truncatedLine: float64(h.Share*float64(h.Truncated)) / all,
		oversizeLine: float64(h.Share*float64(h.Oversize)) / all, strangeLine: float64(h.Share*float64(h.NonUTF8)) / all,
	} {
		o.through[class] = share53(share)
	}
	for class := eventLine; class <= strangeLine; class++ {
		o.through[class] += o.through[class-1]
	}
	return o
}

// draw says what the next message is, and why a server refuses it.
func (o *others) draw(m *message, random *rand.PCG) {
	m.class, m.fault = metricLine, dogstatsd.NoFault
	if !o.any {
		return
	}
	x := random.Uint64() >> 11
	for class := eventLine; class <= strangeLine; class++ {
		if x < o.through[class] {
			m.class = class
			break
		}
	}
	switch m.class {
	case metricLine, eventLine, checkLine:
		return
	case malformedLine:
		m.fault = malformations[bounded(random.Uint64(), len(malformations))]
	case truncatedLine:
		m.fault = dogstatsd.NoSeparator
		if random.Uint64()>>63 == 1 {
			m.fault = dogstatsd.UnknownKind
		}
	default:
		m.fault = dogstatsd.NoSeparator
	}
	m.detail = random.Uint64()
}

// appendMalformed appends a line that breaks the rule, and no rule that is
// judged before it.
func appendMalformed(dst []byte, cause dogstatsd.Fault, number int64) []byte {
	n := func() { dst = strconv.AppendInt(dst, number, 10) }
	text := func(s string) { dst = append(dst, s...) }
	switch cause {
	case dogstatsd.EmptyName:
		text(":")
		n()
		text("|c")
	case dogstatsd.EmptyValue:
		text("hostile.")
		n()
		text(":|c")
	case dogstatsd.UnknownKind:
		text("hostile:")
		n()
		text("|q")
	case dogstatsd.BadValue:
		text("hostile:")
		n()
		text("x|c")
	case dogstatsd.BadRate:
		text("hostile:")
		n()
		text("|c|@none")
	case dogstatsd.BadTimestamp:
		text("hostile:")
		n()
		text("|c|Tnone")
	case dogstatsd.BadEvent:
		text("_e{999,1}:hostile ")
		n()
		text("|x")
	case dogstatsd.BadServiceCheck:
		text("_sc|hostile.")
		n()
		text("|9")
	default:
		text("hostile.")
		n()
	}
	return dst
}

// appendStrange appends 8 to 39 bytes above 0x7f, of which no text in UTF-8 can
// consist: 0xff has no place in it.
func appendStrange(dst []byte, detail uint64) []byte {
	dst = append(dst, 0xff)
	for range 7 + bounded(detail, 32) {
		detail = mix(detail, 0)
		dst = append(dst, 0x80|byte(detail))
	}
	return dst
}

func appendOversize(dst []byte, n int) []byte {
	for range n {
		dst = append(dst, 'x')
	}
	return dst
}

// appendEvent appends an event with the tags of a contextKey.
func appendEvent(dst []byte, number int64, tags []byte) []byte {
	title := strconv.AppendInt([]byte("deploy "), number, 10)
	const body = `a new version is live\nno action is needed`
	dst = strconv.AppendInt(append(dst, "_e{"...), int64(len(title)), 10)
	dst = strconv.AppendInt(append(dst, ','), int64(len(body)), 10)
	dst = append(append(append(append(dst, "}:"...), title...), '|'), body...)
	return appendTagSection(append(dst, "|t:info"...), tags)
}

// appendCheck appends a service check with the tags of a contextKey.
func appendCheck(dst []byte, number int64, tags []byte) []byte {
	dst = strconv.AppendInt(append(dst, "_sc|app.check|"...), number%4, 10)
	return appendTagSection(dst, tags)
}

func appendTagSection(dst, tags []byte) []byte {
	if len(tags) == 0 {
		return dst
	}
	return append(append(dst, "|#"...), tags...)
}

package loadgen

import (
	"bytes"
	"strconv"

	"floodgate/internal/dogstatsd"
)

// The texts of contextKeys are kept while a corpus is made if there are few
// keys, or few bytes, and each is wanted several times.
const (
	maxKeyTexts     = 1 << 16
	maxKeyTextBytes = 8 << 20
)

// keyTexts is the texts of all contextKeys, so that a message is written by
// copying what it shares with the others of its key.
type keyTexts struct {
	bytes []byte
	heads []uint32 // where the text of each key begins
	tails []uint32 // where what follows its values begins
}

// newKeyTexts writes the texts of all keys, or returns nil where that is not
// worth while.
func newKeyTexts(s *keySpace, messages int64) *keyTexts {
	if s.keys > maxKeyTexts || messages < 4*int64(s.keys) {
		return nil
	}
	t := &keyTexts{heads: make([]uint32, 0, s.keys+1), tails: make([]uint32, 0, s.keys)}
	var r renderer
	for i := range s.keys {
		name, tail := r.around(s, s.key(i))
		t.heads = append(t.heads, uint32(len(t.bytes)))
		t.bytes = append(t.bytes, name...)
		t.tails = append(t.tails, uint32(len(t.bytes)))
		t.bytes = append(t.bytes, tail...)
		if len(t.bytes) > maxKeyTextBytes {
			return nil
		}
	}
	t.heads = append(t.heads, uint32(len(t.bytes)))
	return t
}

// renderer writes messages, reusing its buffers.
type renderer struct {
	texts    *keyTexts // nil where each is written anew
	oversize int
	from     int64 // second of the timestamps

	line, name, tags, member []byte
	out                      dogstatsd.Out
}

// prepare writes the parts of a contextKey that the wire format joins.
func (r *renderer) prepare(s *keySpace, k key) {
	r.name = s.appendName(r.name[:0], k)
	r.tags = s.appendTags(r.tags[:0], k)
	r.out = dogstatsd.Out{Name: r.name, Kind: k.kind, Rate: k.rate, Tags: r.tags}
}

// around is what stands before and behind the values of a contextKey's messages,
// valid until the next call. It is cut out of a message of one digit, so that
// the format is written in one place.
func (r *renderer) around(s *keySpace, k key) (name, tail []byte) {
	r.prepare(s, k)
	r.line = s.appendContainer(dogstatsd.AppendInt(r.line[:0], &r.out, 0), k)
	return r.name, r.line[len(r.name)+len(":0"):]
}

// render returns the line of m, valid until the next call.
func (r *renderer) render(s *keySpace, m *message) []byte {
	r.line = r.line[:0]
	switch m.class {
	case metricLine:
		r.metric(s, m)
	case eventLine:
		r.tags = s.appendTags(r.tags[:0], m.key)
		r.line = appendEvent(r.line, m.number, r.tags)
	case checkLine:
		r.tags = s.appendTags(r.tags[:0], m.key)
		r.line = appendCheck(r.line, m.number, r.tags)
	case malformedLine:
		r.line = appendMalformed(r.line, m.fault, m.number)
	case truncatedLine:
		r.metric(s, m)
		bar := bytes.IndexByte(r.line, '|')
		if m.fault == dogstatsd.UnknownKind {
			r.line = r.line[:bar+1]
		} else {
			r.line = r.line[:1+bounded(m.detail, bar)]
		}
	case oversizeLine:
		r.line = appendOversize(r.line, r.oversize)
	case strangeLine:
		r.line = appendStrange(r.line, m.detail)
	}
	return r.line
}

func (r *renderer) metric(s *keySpace, m *message) {
	set := m.key.kind == dogstatsd.Set
	if set {
		r.member = strconv.AppendInt(append(r.member[:0], 'u'), m.values[0], 10)
	}
	switch t := r.texts; {
	case t != nil:
		head, tail, end := t.heads[m.key.number], t.tails[m.key.number], t.heads[m.key.number+1]
		r.line = append(r.line, t.bytes[head:tail]...)
		if set {
			r.line = append(append(r.line, ':'), r.member...)
		} else {
			for _, v := range m.values {
				r.line = strconv.AppendInt(append(r.line, ':'), v, 10)
			}
		}
		r.line = append(r.line, t.bytes[tail:end]...)
	default:
		r.prepare(s, m.key)
		if set {
			r.line = dogstatsd.AppendMember(r.line, &r.out, r.member)
		} else {
			r.line = dogstatsd.AppendInt(r.line, &r.out, m.values...)
		}
		r.line = s.appendContainer(r.line, m.key)
	}
	if m.key.timestamped {
		r.line = strconv.AppendInt(append(r.line, "|T"...), r.from+int64(m.due.Seconds()), 10)
	}
}

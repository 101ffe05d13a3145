package payload

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Sketch is the distribution of one contextKey: what the agent sends for
// messages of the type d.
type Sketch struct {
	Metric, Host string
	Tags         []string // in the order received
	Points       []SketchPoint
}

// SketchPoint is what was seen in one interval. Keys and Counts are the bins of
// the agent's sketch, in step: bin Keys[i] holds Counts[i] values.
type SketchPoint struct {
	Timestamp          int64 // Unix seconds
	Count              int64 // of values
	Min, Max, Avg, Sum float64
	Keys               []int32
	Counts             []uint32
}

// The numbers of the fields of datadog.agentpayload.SketchPayload, as
// agent_payload.proto has them.
const (
	sketchMetric = 1 // SketchPayload.Sketch
	sketchHost   = 2
	sketchTags   = 4
	sketchPoints = 7

	dogsketchTimestamp = 1 // SketchPayload.Sketch.Dogsketch
	dogsketchCount     = 2
	dogsketchMin       = 3
	dogsketchMax       = 4
	dogsketchAvg       = 5
	dogsketchSum       = 6
	dogsketchKeys      = 7 // sint32
	dogsketchCounts    = 8 // uint32
)

// AppendSketch appends one sketch to dst, as a field of
// datadog.agentpayload.SketchPayload, whose body is such fields one after the
// other. Empty parts are left out, and broken UTF-8 is replaced as in
// AppendString. It allocates only when dst has no room. With a Min, Max, Avg or
// Sum that is no finite number dst comes back unchanged, with its length as the
// sign.
func AppendSketch[S []byte | string](dst []byte, metric S, host string, tags []S, points []SketchPoint) []byte {
	for i := range points {
		if p := &points[i]; !finite(p.Min) || !finite(p.Max) || !finite(p.Avg) || !finite(p.Sum) {
			return dst
		}
	}
	dst, sketch := beginMessage(dst, payloadSeries)
	dst = appendText(dst, sketchMetric, metric)
	if host != "" {
		dst = appendText(dst, sketchHost, host)
	}
	for _, tag := range tags {
		dst = appendText(dst, sketchTags, tag)
	}
	for i := range points {
		dst = appendDogsketch(dst, &points[i])
	}
	return endMessage(dst, sketch)
}

func appendDogsketch(dst []byte, p *SketchPoint) []byte {
	dst, point := beginMessage(dst, sketchPoints)
	dst = appendInt(dst, dogsketchTimestamp, p.Timestamp)
	dst = appendInt(dst, dogsketchCount, p.Count)
	dst = appendDouble(dst, dogsketchMin, p.Min)
	dst = appendDouble(dst, dogsketchMax, p.Max)
	dst = appendDouble(dst, dogsketchAvg, p.Avg)
	dst = appendDouble(dst, dogsketchSum, p.Sum)
	if len(p.Keys) > 0 {
		var packed int
		dst, packed = beginMessage(dst, dogsketchKeys)
		for _, key := range p.Keys {
			dst = binary.AppendUvarint(dst, uint64(uint32(key)<<1^uint32(key>>31))) // zigzag
		}
		dst = endMessage(dst, packed)
	}
	if len(p.Counts) > 0 {
		var packed int
		dst, packed = beginMessage(dst, dogsketchCounts)
		for _, count := range p.Counts {
			dst = binary.AppendUvarint(dst, uint64(count))
		}
		dst = endMessage(dst, packed)
	}
	return endMessage(dst, point)
}

// DecodeSketches reads one datadog.agentpayload.SketchPayload from r to its end
// and calls visit for each sketch in turn. It returns how many it visited.
//
// The Sketch and its slices are reused: they are visit's only until it returns.
// The strings are its to keep. One sketch, of at most 1 MiB, is held. An empty
// body is a payload without sketches. Unknown fields are skipped; the older
// field distributions is one of them. Refused are a sketch without a metric, a
// negative count, a number that is not finite, keys that are not as many as the
// counts, and a known field with another wire type than its own.
func DecodeSketches(r io.Reader, visit func(*Sketch) error) (n int, err error) {
	d := takeDecoder(r)
	defer d.giveBack()
	var s Sketch
	return d.messages("sketch", func(f *fields) error {
		if err := d.protoSketch(f, &s); err != nil {
			return err
		}
		d.visitErr = visit(&s)
		return d.visitErr
	})
}

func (d *decoder) protoSketch(f *fields, s *Sketch) error {
	*s = Sketch{Tags: s.Tags[:0], Points: s.Points[:0]}
	for f.next() {
		switch f.number {
		case sketchMetric:
			s.Metric = f.text(&d.strings)
		case sketchHost:
			s.Host = f.text(&d.strings)
		case sketchTags:
			s.Tags = append(s.Tags, f.text(&d.strings))
		case sketchPoints:
			dogsketch := f.message()
			if len(s.Points) < cap(s.Points) {
				s.Points = s.Points[:len(s.Points)+1] // with the slices of a former one
			} else {
				s.Points = append(s.Points, SketchPoint{})
			}
			protoDogsketch(&dogsketch, &s.Points[len(s.Points)-1])
			f.join(&dogsketch)
		}
	}
	if f.err == nil && s.Metric == "" {
		return errors.New("the sketch has no metric")
	}
	return f.err
}

func protoDogsketch(f *fields, p *SketchPoint) {
	*p = SketchPoint{Keys: p.Keys[:0], Counts: p.Counts[:0]}
	for f.next() {
		switch f.number {
		case dogsketchTimestamp:
			p.Timestamp = f.integer()
		case dogsketchCount:
			p.Count = f.integer()
		case dogsketchMin:
			p.Min = f.double()
		case dogsketchMax:
			p.Max = f.double()
		case dogsketchAvg:
			p.Avg = f.double()
		case dogsketchSum:
			p.Sum = f.double()
		case dogsketchKeys:
			f.eachUint32(func(n uint32) { p.Keys = append(p.Keys, int32(n>>1)^-int32(n&1)) })
		case dogsketchCounts:
			f.eachUint32(func(n uint32) { p.Counts = append(p.Counts, n) })
		}
	}
	switch {
	case f.err != nil:
	case p.Count < 0:
		f.err = fmt.Errorf("count is %d, want 0 or more", p.Count)
	case len(p.Keys) != len(p.Counts):
		f.err = fmt.Errorf("there are %d keys and %d counts, want as many", len(p.Keys), len(p.Counts))
	}
}

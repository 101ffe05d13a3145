package payload

import (
	"errors"
	"fmt"
	"io"
)

// The numbers of the fields of datadog.agentpayload, as agent_payload.proto has
// them.
const (
	payloadSeries = 1 // MetricPayload

	seriesResources = 1 // MetricPayload.MetricSeries
	seriesMetric    = 2
	seriesTags      = 3
	seriesPoints    = 4
	seriesType      = 5
	seriesInterval  = 8

	pointValue     = 1 // MetricPayload.MetricPoint
	pointTimestamp = 2

	resourceType = 1 // MetricPayload.Resource
	resourceName = 2
)

// AppendSeriesProto is AppendSeries for protobuf: it appends one series with
// one point to dst, as a field of datadog.agentpayload.MetricPayload, whose
// body is such fields one after the other, with nothing around or between them.
// What AppendSeries says of empty parts, of NaN and the infinities, of broken
// UTF-8 and of allocations holds here too.
func AppendSeriesProto(dst []byte, metric []byte, typ Type, interval int64, timestamp int64, value float64, tags [][]byte, host string) []byte {
	return appendSeriesProto(dst, metric, typ, interval, timestamp, value, tags, host)
}

func appendSeriesProto[S []byte | string](dst []byte, metric []byte, typ Type, interval int64, timestamp int64, value float64, tags [][]byte, host S) []byte {
	if !finite(value) {
		return dst
	}
	dst, series := beginMessage(dst, payloadSeries)
	dst = appendHost(dst, host)
	dst = appendText(dst, seriesMetric, metric)
	for _, tag := range tags {
		dst = appendText(dst, seriesTags, tag)
	}
	dst, point := beginMessage(dst, seriesPoints)
	dst = appendDouble(dst, pointValue, value)
	dst = appendInt(dst, pointTimestamp, timestamp)
	dst = endMessage(dst, point)
	dst = appendInt(dst, seriesType, int64(typ))
	dst = appendInt(dst, seriesInterval, interval)
	return endMessage(dst, series)
}

// appendHost appends the resource of a host; the empty one is left out.
func appendHost[S []byte | string](dst []byte, host S) []byte {
	if len(host) == 0 {
		return dst
	}
	dst, resource := beginMessage(dst, seriesResources)
	dst = appendText(dst, resourceType, "host")
	dst = appendText(dst, resourceName, host)
	return endMessage(dst, resource)
}

// DecodeSeriesProto is DecodeSeries for protobuf: it reads one
// datadog.agentpayload.MetricPayload from r to its end and calls visit for each
// series in turn. It returns how many it visited.
//
// The Series is visit's as DecodeSeries says, and memory is bounded likewise:
// one series, of at most 1 MiB, is held. An empty body is a payload without
// series. Unknown fields are skipped. Refused are a series without a metric or
// with an unknown type, a value that is no finite number, and a known field
// with another wire type than its own.
func DecodeSeriesProto(r io.Reader, visit func(*Series) error) (n int, err error) {
	d := takeDecoder(r)
	defer d.giveBack()
	d.visit = visit
	return d.messages("series", d.protoSeries)
}

func takeDecoder(r io.Reader) *decoder {
	d := decoders.Get().(*decoder)
	d.reset(r, nil)
	return d
}

func (d *decoder) giveBack() {
	d.reset(nil, nil)
	d.fields = fields{} // it points into the buffer, which may have been replaced
	decoders.Put(d)
}

// messages walks a body and calls message with the fields of each field 1.
func (d *decoder) messages(what string, message func(f *fields) error) (n int, err error) {
	for err == nil {
		err = d.topField(message)
	}
	switch {
	case d.visitErr != nil:
		return d.visited, d.visitErr
	case err == io.EOF:
		return d.visited, nil
	}
	return d.visited, fmt.Errorf("cannot decode %s %d, at byte %d of the body: %w", what, d.visited+1, d.offset(), err)
}

// topField reads one field of the body. It returns io.EOF at its end only.
func (d *decoder) topField(message func(f *fields) error) error {
	if d.pos == d.end {
		if err := d.fill(); err != nil {
			return err
		}
	}
	key, err := d.uvarint()
	if err == nil {
		err = checkKey(key)
	}
	if err == nil && key>>3 == payloadSeries && key&7 != wireBytes {
		err = fmt.Errorf("field 1 has wire type %d, want %d", key&7, wireBytes)
	}
	if err != nil {
		return err
	}
	var length uint64
	switch key & 7 {
	case wireVarint:
		_, err = d.uvarint()
		return err
	case wireFixed8:
		length = 8
	case wireFixed4:
		length = 4
	case wireBytes:
		if length, err = d.uvarint(); err != nil {
			return err
		}
	}
	if key>>3 != payloadSeries {
		return d.skipBytes(length)
	}
	if length > tokenLimit {
		return fmt.Errorf("it has %d bytes, want at most %d", length, tokenLimit)
	}
	if err := d.need(int(length)); err != nil {
		return err
	}
	d.fields = fields{rest: d.buf[d.pos : d.pos+int(length)]}
	if err := message(&d.fields); err != nil {
		return err
	}
	d.pos += int(length)
	d.visited++
	return nil
}

// need makes the buffer hold n bytes that are not consumed yet.
func (s *scanner) need(n int) error {
	for s.end-s.pos < n {
		if err := s.fill(); err == io.EOF {
			return io.ErrUnexpectedEOF
		} else if err != nil {
			return err
		}
	}
	return nil
}

func (s *scanner) uvarint() (uint64, error) {
	var value uint64
	for shift := 0; shift < 64; shift += 7 {
		if err := s.need(1); err != nil {
			return 0, err
		}
		c := s.buf[s.pos]
		s.pos++
		if shift == 63 && c > 1 {
			break
		}
		value |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return value, nil
		}
	}
	return 0, errWireVarint
}

func (s *scanner) skipBytes(n uint64) error {
	for n > 0 {
		if err := s.need(1); err != nil {
			return err
		}
		step := min(n, uint64(s.end-s.pos))
		s.pos += int(step)
		n -= step
	}
	return nil
}

func (d *decoder) protoSeries(f *fields) error {
	d.series = Series{Points: d.series.Points[:0], Tags: d.series.Tags[:0]}
	s := &d.series
	for f.next() {
		switch f.number {
		case seriesResources:
			resource := f.message()
			d.protoResource(&resource)
			f.join(&resource)
		case seriesMetric:
			s.Metric = f.text(&d.strings)
		case seriesTags:
			s.Tags = append(s.Tags, f.text(&d.strings))
		case seriesPoints:
			point := f.message()
			s.Points = append(s.Points, protoPoint(&point))
			f.join(&point)
		case seriesType:
			number := f.integer()
			if f.err == nil && (number < 0 || number > int64(Gauge)) {
				return fmt.Errorf("type %d is unknown, want 0 (unspecified), 1 (count), 2 (rate) or 3 (gauge)", number)
			}
			s.Type = Type(number)
		case seriesInterval:
			s.Interval = f.integer()
		}
	}
	if f.err != nil {
		return f.err
	}
	if s.Metric == "" {
		return errors.New("the series has no metric")
	}
	d.visitErr = d.visit(s)
	return d.visitErr
}

func (d *decoder) protoResource(f *fields) {
	var kind, name string
	for f.next() {
		switch f.number {
		case resourceType:
			kind = f.text(&d.strings)
		case resourceName:
			name = f.text(&d.strings)
		}
	}
	if kind == "host" {
		d.series.Host = name
	}
}

func protoPoint(f *fields) (p Point) {
	for f.next() {
		switch f.number {
		case pointValue:
			p.Value = f.double()
		case pointTimestamp:
			p.Timestamp = f.integer()
		}
	}
	return p
}

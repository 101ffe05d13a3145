package forward

import (
	"bytes"
	"context"
	"log/slog"
	"math"
	"time"

	"floodgate/internal/payload"
	"floodgate/server/aggregate"
)

// route is one kind of upload: where it goes and how its body is made.
type route struct {
	path, media string
	open, close string
	packed      bool // see EncoderConfig
}

const (
	mediaJSON     = "application/json"
	mediaProtobuf = "application/x-protobuf"
)

var (
	seriesJSON     = &route{path: "/api/v2/series", media: mediaJSON, open: `{"series":[`, close: `]}`}
	seriesProtobuf = &route{path: "/api/v2/series", media: mediaProtobuf, packed: true}
	sketches       = &route{path: "/api/beta/sketches", media: mediaProtobuf, packed: true}
	events         = &route{path: "/intake/", media: mediaJSON, open: payload.EventsOpen, close: payload.EventsClose}
	checks         = &route{path: "/api/v1/check_run", media: mediaJSON, open: payload.ChecksOpen, close: payload.ChecksClose}
)

// stream lets fill add records to the encoder of a route and uploads the last
// batch. An encoder comes into being when its first record is added: a kind
// that is not used costs nothing. A broken one is replaced.
func (f *Forwarder) stream(ctx context.Context, to *route, lost *losses, fill func(add func(messages int64, record func(dst []byte) []byte) error) error) {
	encoder := f.encoders[to]
	err := fill(func(messages int64, record func(dst []byte) []byte) error {
		if encoder == nil {
			var err error
			if encoder, err = f.newEncoder(to); err != nil {
				return lost.keep(err)
			}
			f.encoders[to] = encoder
		}
		return lost.keep(encoder.Add(ctx, messages, record))
	})
	if err == nil && encoder != nil {
		err = lost.keep(encoder.Flush(ctx, false))
	}
	if err != nil {
		delete(f.encoders, to)
	}
}

func (f *Forwarder) newEncoder(to *route) (*BatchEncoder, error) {
	c := f.config
	return NewBatchEncoder(EncoderConfig{
		Encoding: c.Encoding, ThresholdBytes: c.ThresholdBytes, MaxRawBytes: c.MaxRawBytes, MaxRecords: c.MaxRecords, Buffered: c.Buffered,
		Open: to.open, Close: func(bool) string { return to.close }, Packed: to.packed,
	}, func(ctx context.Context, b Batch) error { return f.upload(ctx, to, b) })
}

// Sketches encodes and uploads the sketches that each visits, which may be
// Cut.EachSketch: then before Flush, which releases the cut. They count for
// their messages, so that the same distributions must not leave as series, too.
// It returns when and what Flush does.
func (f *Forwarder) Sketches(ctx context.Context, each func(visit func(*aggregate.Sketch) error) error) error {
	var lost losses
	f.flushSketches(ctx, each, &lost)
	return lost.first
}

// Events encodes and uploads events, each of which counts as one message. It
// returns when and what Flush does.
func (f *Forwarder) Events(ctx context.Context, list []payload.Event) error {
	var lost losses
	f.flushEvents(ctx, list, &lost)
	return lost.first
}

// Checks encodes and uploads service checks, each of which counts as one
// message. It returns when and what Flush does.
func (f *Forwarder) Checks(ctx context.Context, list []payload.ServiceCheck) error {
	var lost losses
	f.flushChecks(ctx, list, &lost)
	return lost.first
}

func (f *Forwarder) flushSeries(ctx context.Context, each func(visit func(*aggregate.Series) error) error, lost *losses) {
	to, appendTo := seriesJSON, payload.AppendSeries
	if f.config.Format == Protobuf {
		to, appendTo = seriesProtobuf, payload.AppendSeriesProto
	}
	var s *aggregate.Series
	record := func(dst []byte) []byte { return f.appendSeries(dst, s, appendTo) }
	f.stream(ctx, to, lost, func(add func(int64, func([]byte) []byte) error) error {
		return each(func(visited *aggregate.Series) error {
			if s = visited; !finite(s.Value) {
				f.unsendable(s.Name, s.Messages)
				return nil
			}
			return add(s.Messages, record)
		})
	})
}

type appendSeries = func(dst []byte, metric []byte, typ payload.Type, interval, timestamp int64, value float64, tags [][]byte, host string) []byte

// appendSeries appends one record.
func (f *Forwarder) appendSeries(dst []byte, s *aggregate.Series, appendTo appendSeries) []byte {
	typ := payload.Gauge
	if s.Type == aggregate.CountSeries {
		typ = payload.Count
	}
	name := s.Name
	if s.Suffix != "" {
		f.name = append(append(f.name[:0], s.Name...), s.Suffix...)
		name = f.name
	}
	// The formats have whole seconds only; a shorter interval is told as 1.
	interval := max(1, int64(s.Interval/time.Second))
	return appendTo(dst, name, typ, interval, s.Time, s.Value, f.splitTags(s.Tags), f.config.Host)
}

// splitTags returns the tags one by one, until it is called again.
func (f *Forwarder) splitTags(tags []byte) [][]byte {
	f.tags = f.tags[:0]
	for {
		i := bytes.IndexByte(tags, ',')
		if i < 0 {
			break
		}
		f.tags = append(f.tags, tags[:i])
		tags = tags[i+1:]
	}
	if len(tags) > 0 {
		f.tags = append(f.tags, tags)
	}
	return f.tags
}

func (f *Forwarder) flushSketches(ctx context.Context, each func(visit func(*aggregate.Sketch) error) error, lost *losses) {
	var s *aggregate.Sketch
	var point [1]payload.SketchPoint
	record := func(dst []byte) []byte {
		point[0] = payload.SketchPoint{
			Timestamp: s.Time, Count: int64(math.Round(s.Count)), Min: s.Min, Max: s.Max, Avg: s.Avg, Sum: s.Sum, Keys: s.Keys, Counts: s.Counts,
		}
		return payload.AppendSketch(dst, s.Name, f.config.Host, f.splitTags(s.Tags), point[:])
	}
	f.stream(ctx, sketches, lost, func(add func(int64, func([]byte) []byte) error) error {
		return each(func(visited *aggregate.Sketch) error {
			if s = visited; !finite(s.Min, s.Max, s.Avg, s.Sum) {
				f.unsendable(s.Name, s.Messages)
				return nil
			}
			return add(s.Messages, record)
		})
	})
}

func (f *Forwarder) flushEvents(ctx context.Context, list []payload.Event, lost *losses) {
	f.stream(ctx, events, lost, func(add func(int64, func([]byte) []byte) error) error {
		for _, e := range list {
			if e.Host == "" {
				e.Host = f.config.Host
			}
			if err := add(1, func(dst []byte) []byte { return payload.AppendEvent(dst, &e) }); err != nil {
				return err
			}
		}
		return nil
	})
}

func (f *Forwarder) flushChecks(ctx context.Context, list []payload.ServiceCheck, lost *losses) {
	f.stream(ctx, checks, lost, func(add func(int64, func([]byte) []byte) error) error {
		for _, c := range list {
			if c.Host == "" {
				c.Host = f.config.Host
			}
			if err := add(1, func(dst []byte) []byte { return payload.AppendServiceCheck(dst, &c) }); err != nil {
				return err
			}
		}
		return nil
	})
}

func eventsOf(list []aggregate.Event) []payload.Event {
	all := make([]payload.Event, len(list))
	for i, e := range list {
		all[i] = payload.Event{
			Title: e.Title, Text: e.Text, Timestamp: e.Timestamp, Host: e.Host, Priority: e.Priority, AlertType: e.AlertType,
			AggregationKey: e.AggregationKey, SourceType: e.SourceType, Tags: e.Tags,
		}
	}
	return all
}

func checksOf(list []aggregate.ServiceCheck) []payload.ServiceCheck {
	all := make([]payload.ServiceCheck, len(list))
	for i, c := range list {
		all[i] = payload.ServiceCheck{Name: c.Name, Host: c.Host, Status: c.Status, Timestamp: c.Timestamp, Tags: c.Tags, Message: c.Message}
	}
	return all
}

// unsendable gives up what no format can express: a sum that has left the range
// of numbers, as a rule.
func (f *Forwarder) unsendable(name []byte, messages int64) {
	slog.Warn("a value is no finite number and cannot be sent", "metric", string(name), "messages", messages)
	for _, e := range f.endpoints {
		e.counters.UploadFailed.Add(messages)
	}
}

func finite(values ...float64) bool {
	for _, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return true
}

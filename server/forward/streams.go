package forward

import (
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
		if err := encoder.Add(ctx, messages, record); err != nil {
			return lost.keep(err)
		}
		return nil
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
	to, appendTo := seriesJSON, f.appendJSON
	if f.config.Format == Protobuf {
		to, appendTo = seriesProtobuf, f.appendProto
	}
	var s *aggregate.Series
	record := func(dst []byte) []byte { return appendTo(dst, s) }
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

func (f *Forwarder) appendJSON(dst []byte, s *aggregate.Series) []byte {
	return payload.AppendSeries(dst, f.metricOf(s), typeOf(s), intervalOf(s), s.Time, s.Value, f.splitTags(s.Tags), f.hostOf(s.Host))
}

func (f *Forwarder) appendProto(dst []byte, s *aggregate.Series) []byte {
	host := s.Host
	if host == nil {
		host = f.ownHost
	}
	return f.proto.Append(dst, f.metricOf(s), typeOf(s), intervalOf(s), s.Time, s.Value, s.Tags, host)
}

// hostOf is the host of a series or sketch whose tags name this one. The next is
// the same, as a rule: then nothing is allocated.
func (f *Forwarder) hostOf(named []byte) string {
	if named == nil {
		return f.config.Host
	}
	if f.host != string(named) {
		f.host = string(named)
	}
	return f.host
}

// metricOf returns the name with its suffix, until it is called again.
func (f *Forwarder) metricOf(s *aggregate.Series) []byte {
	if s.Suffix == "" {
		return s.Name
	}
	f.name = append(append(f.name[:0], s.Name...), s.Suffix...)
	return f.name
}

func typeOf(s *aggregate.Series) payload.Type {
	if s.Type == aggregate.CountSeries {
		return payload.Count
	}
	return payload.Gauge
}

// intervalOf is in seconds. The formats have whole ones only; a shorter interval
// is told as 1.
func intervalOf(s *aggregate.Series) int64 { return max(1, int64(s.Interval/time.Second)) }

// splitTags returns the tags one by one, until it is called again.
func (f *Forwarder) splitTags(tags []byte) [][]byte {
	f.tags = payload.SplitTags(f.tags[:0], tags)
	return f.tags
}

func (f *Forwarder) flushSketches(ctx context.Context, each func(visit func(*aggregate.Sketch) error) error, lost *losses) {
	var s *aggregate.Sketch
	var point [1]payload.SketchPoint
	record := func(dst []byte) []byte {
		point[0] = payload.SketchPoint{
			Timestamp: s.Time, Count: int64(math.Round(s.Count)), Min: s.Min, Max: s.Max, Avg: s.Avg, Sum: s.Sum, Keys: s.Keys, Counts: s.Counts,
		}
		return payload.AppendSketch(dst, s.Name, f.hostOf(s.Host), f.splitTags(s.Tags), point[:])
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
		if v-v != 0 { // as of nothing else
			return false
		}
	}
	return true
}

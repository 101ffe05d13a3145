// Package foreign decodes what metric servers flush other than by the contract
// of a target: Graphite lines, InfluxDB lines, the text that Prometheus scrapes,
// OTLP, and version 1 of Datadog's series. All come out as series of package payload, so that what counts them
// need not know who sent them. It is pure: bytes in, series out.
//
// What each format leads to, before a Mapping has its say:
//
//	Graphite    name;k=v 5 T         name, tag k:v, of no type
//	            name|5|T             likewise: statsite writes so
//	Influx      name,k=v value=5i T  name, tag k:v, of no type
//	            name,k=v x=5i,y=6 T  name.x and name.y; text and truth values are skipped
//	Prometheus  counter              a count: what was added since the scrape before
//	            gauge, untyped       a gauge; of no type
//	            histogram, summary   counts name.count and name.sum, since the scrape before
//	Datadog v1  rate                 a count: the rate times its interval
//	OTLP        sum, delta           a count
//	            sum, cumulative      a count of what was added; a gauge where it may also fall
//	            gauge                a gauge
//	            histograms, summary  counts name.count and name.sum, gauges name.min and name.max
//
// Type unspecified means that the format does not tell counts from gauges.
package foreign

import (
	"errors"
	"io"
	"math"
	"slices"
	"strconv"

	"floodgate/internal/payload"
)

// Visit is called with what a body holds. What it is given is its own only
// until it returns; the strings are its to keep. An error of one of the
// functions ends the decoding and is returned as it is. Functions that are nil
// are not called.
type Visit struct {
	Series func(*payload.Series) error
	Sketch func(*payload.Sketch) error // values of distributions that came one by one
}

// Decoder decodes one body after the other, of any format. It remembers the
// last reading of each cumulative series, so that one decoder belongs to one
// target. Its memory grows with the contextKeys of such series alone. It is for
// one goroutine at a time; its zero value is ready.
type Decoder struct {
	Mapping   Mapping // nil leaves everything as it is
	LineBytes int     // of the longest line, without its end; 0 is 64 KiB

	// Derived is how many series the mapping left out so far.
	Derived int64

	lines   lineReader
	strings interner
	series  payload.Series
	fields  []field
	text    []byte
	sketch  payload.Sketch
	before  cumulative
	types   map[string]string // of the families of the scrape at hand
}

// field is one number of a line.
type field struct {
	name  string
	value float64
}

// begin makes room for the next series.
func (d *Decoder) begin() *payload.Series {
	d.series = payload.Series{Tags: d.series.Tags[:0], Points: d.series.Points[:0]}
	return &d.series
}

// emit visits a series with one point.
func (d *Decoder) emit(v *Visit, metric string, typ payload.Type, at int64, value float64) error {
	s := &d.series
	s.Metric, s.Type, s.Points = metric, typ, append(s.Points[:0], payload.Point{Timestamp: at, Value: value})
	return d.pass(v, s)
}

// pass visits what the mapping makes of a series. It may change the tags.
func (d *Decoder) pass(v *Visit, s *payload.Series) error {
	fate := Kept
	if d.Mapping != nil {
		fate = d.Mapping(s)
	}
	switch {
	case fate == Derived:
		d.Derived++
	case fate == Values && v.Sketch != nil:
		return v.Sketch(d.values(s))
	case fate == Kept && v.Series != nil:
		return v.Series(s)
	}
	return nil
}

// values makes a sketch of points that are single values of a distribution.
func (d *Decoder) values(s *payload.Series) *payload.Sketch {
	points := d.sketch.Points[:0]
	for _, p := range s.Points {
		points = append(points, payload.SketchPoint{Timestamp: p.Timestamp, Count: 1, Min: p.Value, Max: p.Value, Avg: p.Value, Sum: p.Value})
	}
	d.sketch = payload.Sketch{Metric: s.Metric, Host: s.Host, Tags: append(d.sketch.Tags[:0], s.Tags...), Points: points}
	return &d.sketch
}

// SeriesV1 decodes version 1 series in JSON, from r to its end, as
// payload.DecodeSeriesV1 does, and applies the mapping.
func (d *Decoder) SeriesV1(r io.Reader, v Visit) error {
	_, err := payload.DecodeSeriesV1(r, func(s *payload.Series) error { return d.pass(&v, s) })
	return err
}

var errNotFinite = errors.New("its value is no finite number")

// number reads a finite number.
func number(text []byte) (float64, error) {
	x, err := strconv.ParseFloat(string(text), 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, errors.New("its value is no number")
	}
	if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
		return 0, errNotFinite
	}
	return x, nil
}

// cumulative remembers readings that only grow, to tell what was added.
type cumulative struct {
	readings map[string]reading
	key      []byte
}

type reading struct {
	value float64
	start uint64 // when the counting began, where the format says so
}

// added returns what a reading adds to the one before of the same contextKey:
// all of it when there was none, when the counting has begun anew, or when it
// has fallen, which means the same. part tells readings of one contextKey apart.
func (c *cumulative) added(s *payload.Series, scope, part string, start uint64, value float64) float64 {
	tags := s.Tags
	if !slices.IsSorted(tags) {
		tags = slices.Sorted(slices.Values(tags))
	}
	c.key = append(append(append(append(append(c.key[:0], s.Metric...), 0), part...), 0), scope...)
	for _, tag := range tags {
		c.key = append(append(c.key, 0), tag...)
	}
	last, known := c.readings[string(c.key)]
	if c.readings == nil {
		c.readings = make(map[string]reading)
	}
	c.readings[string(c.key)] = reading{value, start}
	if !known || start != last.start || value < last.value {
		return value
	}
	return value - last.value
}

// interner makes strings of bytes and hands out the same string for the same
// bytes while it remembers them.
type interner struct {
	known map[string]string
	size  int
}

const internedBytes = 16 << 20

func (i *interner) keep(text []byte) string {
	if known, ok := i.known[string(text)]; ok {
		return known
	}
	if i.known == nil || i.size > internedBytes {
		i.known, i.size = make(map[string]string), 0
	}
	kept := string(text)
	i.known[kept] = kept
	i.size += len(kept) + 48 // of the entry, about
	return kept
}

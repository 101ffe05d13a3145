package payload

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"sync"
)

// DecodeSeries reads one version 2 JSON body, {"series":[…]}, from r to its end
// and calls visit for each series in turn. It returns how many it visited.
//
// The Series and its Points and Tags slices are reused: they are visit's only
// until it returns. The strings are its to keep. Memory does not grow with the
// body: what is held is one series, a read buffer and a bounded table of
// strings seen before.
//
// Unknown fields are skipped, null counts as absent, and of a field given twice
// the last stands. Refused, because a count taken from it would be a guess: a
// body without the field series or with two of them, a series without a metric
// or with an unknown type, a point whose value is null, a timestamp or interval
// with a fraction, anything that is no JSON, and anything after the body.
// Errors name the series and the byte at which they were met; an error of visit
// ends the decoding and is returned as it is. Series before the fault have been
// visited by then.
//
// The parser is our own because the intake shares its cores with the target
// that is measured: it is several times as fast as the reflection of
// encoding/json, and the fuzz tests hold it to the same results.
func DecodeSeries(r io.Reader, visit func(*Series) error) (n int, err error) {
	d := takeDecoder(r)
	defer d.giveBack()
	d.visit = visit
	return d.finishJSON(d.body(d.seriesMember))
}

// finishJSON says of a body how many series were visited, and what the error
// that ended it means.
func (d *decoder) finishJSON(err error) (int, error) {
	if err == nil {
		return d.visited, nil
	}
	if d.visitErr != nil {
		return d.visited, d.visitErr
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return d.visited, fmt.Errorf("cannot decode series %d, at byte %d of the body: %w", d.visited+1, d.offset(), err)
}

// decoders keeps buffers and string tables between bodies.
var decoders = sync.Pool{New: func() any { return newDecoder() }}

// decoder walks a body; the scanner under it reads the tokens.
type decoder struct {
	scanner
	strings interned

	visit    func(*Series) error
	visitErr error
	visited  int

	found      bool // the field series was seen
	series     Series
	hostNamed  bool   // the resource at hand has the type host
	hostCalled string // its name

	fields fields // of the protobuf message at hand
}

func newDecoder() *decoder {
	return &decoder{scanner: scanner{buf: make([]byte, bufferSize)}}
}

func (d *decoder) reset(r io.Reader, visit func(*Series) error) {
	d.scanner.reset(r)
	d.visit, d.visitErr, d.visited, d.found = visit, nil, 0, false
}

// field is a known name of a member. Names are looked up before the colon is
// read, because reading on may move the bytes of the name.
type field uint8

const (
	fieldOther field = iota
	fieldSeries
	fieldMetric
	fieldType
	fieldInterval
	fieldPoints
	fieldTags
	fieldResources
	fieldTimestamp
	fieldValue
	fieldName
	fieldHost
)

func fieldOf(name []byte) field {
	switch string(name) {
	case "series":
		return fieldSeries
	case "metric":
		return fieldMetric
	case "type":
		return fieldType
	case "interval":
		return fieldInterval
	case "points":
		return fieldPoints
	case "tags":
		return fieldTags
	case "resources":
		return fieldResources
	case "timestamp":
		return fieldTimestamp
	case "value":
		return fieldValue
	case "name":
		return fieldName
	case "host":
		return fieldHost
	}
	return fieldOther
}

// body reads {"series":[…]} to the end; member reads the fields of each series.
func (d *decoder) body(member func(field) error) error {
	if err := d.object(func(f field) error { return d.bodyMember(f, member) }); err != nil {
		return err
	}
	if !d.found {
		return errors.New(`no field "series" in the body`)
	}
	// Reading to the end also makes a decompressor check its checksum.
	c, err := d.next()
	if err == io.EOF {
		return nil
	}
	if err != nil {
		return err
	}
	return unexpected(c, "the end of the body")
}

func (d *decoder) bodyMember(f field, member func(field) error) error {
	if f != fieldSeries {
		return d.skip(1)
	}
	if d.found {
		return errors.New(`the field "series" stands twice in the body`)
	}
	d.found = true
	return d.array(func() error { return d.oneSeries(member) })
}

func (d *decoder) oneSeries(member func(field) error) error {
	d.series = Series{Points: d.series.Points[:0], Tags: d.series.Tags[:0]}
	if err := d.object(member); err != nil {
		return err
	}
	if d.series.Metric == "" {
		return errors.New("the series has no metric")
	}
	if d.visitErr = d.visit(&d.series); d.visitErr != nil {
		return d.visitErr
	}
	d.visited++
	return nil
}

func (d *decoder) seriesMember(f field) (err error) {
	s := &d.series
	switch f {
	case fieldMetric:
		s.Metric, err = d.keptText()
	case fieldType:
		var number int64
		number, err = d.integer()
		if err == nil && (number < 0 || number > int64(Gauge)) {
			err = fmt.Errorf("type %d is unknown, want 0 (unspecified), 1 (count), 2 (rate) or 3 (gauge)", number)
		}
		s.Type = Type(number)
	case fieldInterval:
		s.Interval, err = d.integer()
	case fieldPoints:
		s.Points = s.Points[:0]
		err = d.array(d.onePoint)
	case fieldTags:
		s.Tags = s.Tags[:0]
		err = d.array(d.oneTag)
	case fieldResources:
		s.Host = ""
		err = d.array(d.oneResource)
	default:
		err = d.skip(3)
	}
	return err
}

func (d *decoder) onePoint() error {
	d.series.Points = append(d.series.Points, Point{})
	return d.object(d.pointMember)
}

func (d *decoder) pointMember(f field) (err error) {
	p := &d.series.Points[len(d.series.Points)-1]
	switch f {
	case fieldTimestamp:
		p.Timestamp, err = d.integer()
	case fieldValue:
		p.Value, err = d.float()
	default:
		err = d.skip(5)
	}
	return err
}

func (d *decoder) oneTag() error {
	tag, err := d.keptText()
	d.series.Tags = append(d.series.Tags, tag)
	return err
}

func (d *decoder) oneResource() error {
	d.hostNamed, d.hostCalled = false, ""
	if err := d.object(d.resourceMember); err != nil {
		return err
	}
	if d.hostNamed {
		d.series.Host = d.hostCalled
	}
	return nil
}

func (d *decoder) resourceMember(f field) (err error) {
	switch f {
	case fieldType:
		var kind string
		kind, err = d.keptText()
		d.hostNamed = kind == "host"
	case fieldName:
		d.hostCalled, err = d.keptText()
	default:
		err = d.skip(5)
	}
	return err
}

// keptText reads a string, or null as the empty one, and returns a copy that
// outlives the buffer.
func (d *decoder) keptText() (string, error) {
	if null, err := d.null(); null || err != nil {
		return "", err
	}
	text, err := d.text()
	if err != nil {
		return "", err
	}
	return d.strings.keep(text), nil
}

// integer reads a whole number, or null as 0. Forms such as 1e9 and 5.0 are
// whole numbers too.
func (d *decoder) integer() (int64, error) {
	if null, err := d.null(); null || err != nil {
		return 0, err
	}
	number, err := d.number()
	if err != nil {
		return 0, err
	}
	if whole, ok := parseWhole(number); ok {
		return whole, nil
	}
	if whole, err := strconv.ParseInt(string(number), 10, 64); err == nil {
		return whole, nil
	}
	x, err := strconv.ParseFloat(string(number), 64)
	if err != nil || x != math.Trunc(x) || x < -1<<63 || x >= 1<<63 {
		return 0, fmt.Errorf("%s is no whole number of 64 bits", number)
	}
	return int64(x), nil
}

func (d *decoder) float() (float64, error) {
	number, err := d.number()
	if err != nil {
		return 0, err
	}
	if whole, ok := parseWhole(number); ok {
		return float64(whole), nil
	}
	x, err := strconv.ParseFloat(string(number), 64)
	if err != nil {
		return 0, fmt.Errorf("%s is too large for a number of 64 bits", number)
	}
	return x, nil
}

// parseWhole reads up to 15 digits, which both an int64 and a float64 hold
// exactly. Anything else, also a sign, is for the long way.
func parseWhole(number []byte) (int64, bool) {
	if len(number) > 15 {
		return 0, false
	}
	var n int64
	for _, c := range number {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

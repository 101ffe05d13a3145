package foreign

import (
	"bytes"
	"errors"
	"io"
	"math"

	"floodgate/internal/payload"
)

// Graphite decodes lines of the plaintext protocol, name[;tag=value…] value
// timestamp, from r to its end. Fields stand between blanks, or between bars
// where there is no blank. A timestamp below 0 is now, in Unix seconds.
//
// A line that is something else, or whose value is no finite number, does not
// end the decoding: the error is a *LineError when all others have been visited.
func (d *Decoder) Graphite(r io.Reader, now int64, v Visit) error {
	var at int64
	var value float64
	parse := func(line []byte) (err error) {
		at, value, err = d.graphiteLine(line, now)
		return err
	}
	visit := func() error { return d.emit(&v, d.series.Metric, payload.Unspecified, at, value) }
	return d.lines.each(r, d.LineBytes, parse, visit)
}

var (
	errGraphiteFields = errors.New("it is no name, value and timestamp")
	errGraphiteTag    = errors.New("a tag is not written tag=value")
	errTimestamp      = errors.New("its timestamp is no number")
)

func (d *Decoder) graphiteLine(line []byte, now int64) (at int64, value float64, err error) {
	blank := func(c byte) bool { return c == ' ' || c == '\t' }
	if !bytes.ContainsAny(line, " \t") {
		blank = func(c byte) bool { return c == '|' }
	}
	var parts [3][]byte
	count := 0
	for i := 0; i < len(line); {
		if blank(line[i]) {
			i++
			continue
		}
		start := i
		for i < len(line) && !blank(line[i]) {
			i++
		}
		if count == len(parts) {
			return 0, 0, errGraphiteFields
		}
		parts[count] = line[start:i]
		count++
	}
	if count != len(parts) {
		return 0, 0, errGraphiteFields
	}
	if value, err = number(parts[1]); err != nil {
		return 0, 0, err
	}
	stamp, err := number(parts[2])
	if err != nil || math.Abs(stamp) >= 1<<62 {
		return 0, 0, errTimestamp
	}
	at = int64(math.Floor(stamp))
	if stamp < 0 {
		at = now
	}
	return at, value, d.graphiteName(parts[0])
}

// graphiteName fills in the metric and the tags.
func (d *Decoder) graphiteName(text []byte) error {
	s := d.begin()
	name, rest, tagged := bytes.Cut(text, []byte(";"))
	if len(name) == 0 {
		return errGraphiteFields
	}
	s.Metric = d.strings.keep(name)
	for tagged {
		var tag []byte
		tag, rest, tagged = bytes.Cut(rest, []byte(";"))
		key, value, found := bytes.Cut(tag, []byte("="))
		if !found || len(key) == 0 {
			return errGraphiteTag
		}
		s.Tags = append(s.Tags, d.tag(key, value))
	}
	return nil
}

// tag is key:value, or the key alone where there is no value.
func (d *Decoder) tag(key, value []byte) string {
	d.text = append(d.text[:0], key...)
	if len(value) > 0 {
		d.text = append(append(d.text, ':'), value...)
	}
	return d.strings.keep(d.text)
}

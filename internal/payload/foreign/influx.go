package foreign

import (
	"bytes"
	"errors"
	"io"
	"strconv"

	"floodgate/internal/payload"
)

// Precision is how many nanoseconds one step of an Influx timestamp is.
type Precision int64

// Nanoseconds is the precision of lines that say nothing else.
const Nanoseconds Precision = 1

// precisions has the words of both versions of the interface.
var precisions = map[string]Precision{
	"": 1, "n": 1, "ns": 1, "u": 1e3, "us": 1e3, "µ": 1e3, "ms": 1e6, "s": 1e9, "m": 60e9, "h": 3600e9,
}

// ParsePrecision reads the parameter precision of a write. known is false for
// anything but n, ns, u, us, ms, s, m, h, and nothing, which is nanoseconds.
func ParsePrecision(text string) (p Precision, known bool) {
	p, known = precisions[text]
	return p, known
}

// seconds turns a timestamp into Unix seconds.
func (p Precision) seconds(stamp int64) int64 {
	if p < 1e9 {
		return stamp / (1e9 / int64(max(p, 1)))
	}
	return stamp * (int64(p) / 1e9)
}

// Influx decodes line protocol, measurement[,tag=value…] field=value[,…]
// [timestamp], from r to its end. A line without a timestamp is of now, in Unix
// seconds. Lines that begin with # are skipped. Text may not contain the end of
// a line. Errors are as of Graphite.
func (d *Decoder) Influx(r io.Reader, p Precision, now int64, v Visit) error {
	var at int64
	var measurement string
	var tags []string
	parse := func(line []byte) (err error) {
		d.fields = d.fields[:0]
		if line[0] == '#' {
			return nil
		}
		at, err = d.influxLine(line, p, now)
		return err
	}
	visit := func() error {
		if len(d.fields) > 1 {
			tags = append(tags[:0], d.series.Tags...)
		}
		measurement = d.series.Metric
		for i, f := range d.fields {
			if i > 0 {
				d.series.Tags = append(d.series.Tags[:0], tags...)
			}
			if err := d.emit(&v, d.fieldName(measurement, f.name), payload.Unspecified, at, f.value); err != nil {
				return err
			}
		}
		return nil
	}
	return d.lines.each(r, d.LineBytes, parse, visit)
}

// fieldName is the name of the series of a field: the measurement alone where
// the field is called value.
func (d *Decoder) fieldName(measurement, field string) string {
	if field == "value" {
		return measurement
	}
	d.text = append(append(append(d.text[:0], measurement...), '.'), field...)
	return d.strings.keep(d.text)
}

var (
	errInfluxName   = errors.New("it does not begin with a measurement")
	errInfluxTag    = errors.New("a tag is not written tag=value")
	errInfluxFields = errors.New("its fields are not written field=value, with commas between them and a blank before")
)

// influxLine fills in the metric, the tags and the fields.
func (d *Decoder) influxLine(line []byte, p Precision, now int64) (at int64, err error) {
	s := d.begin()
	name, rest := influxToken(line, ", ", ", ")
	if len(name) == 0 {
		return 0, errInfluxName
	}
	s.Metric = d.strings.keep(name)
	for len(rest) > 0 && rest[0] == ',' {
		var key, value []byte
		key, rest = influxToken(rest[1:], ",= ", ",= ")
		if len(key) == 0 || len(rest) == 0 || rest[0] != '=' {
			return 0, errInfluxTag
		}
		// The next token may use the memory of this one.
		d.text = append(append(d.text[:0], key...), ':')
		value, rest = influxToken(rest[1:], ", ", ",= ")
		if len(value) == 0 {
			return 0, errInfluxTag
		}
		d.text = append(d.text, value...)
		s.Tags = append(s.Tags, d.strings.keep(d.text))
	}
	if rest, err = d.influxFields(bytes.TrimLeft(rest, " ")); err != nil {
		return 0, err
	}
	if rest = bytes.Trim(rest, " "); len(rest) == 0 {
		return now, nil
	}
	stamp, err := strconv.ParseInt(string(rest), 10, 64)
	if err != nil {
		return 0, errTimestamp
	}
	return p.seconds(stamp), nil
}

// influxFields reads field=value[,…] and returns what follows it.
func (d *Decoder) influxFields(rest []byte) ([]byte, error) {
	for {
		var key []byte
		key, rest = influxToken(rest, ",= ", ",= ")
		if len(key) == 0 || len(rest) < 2 || rest[0] != '=' {
			return nil, errInfluxFields
		}
		name := d.strings.keep(key)
		rest = rest[1:]
		if rest[0] == '"' {
			end := quotedEnd(rest)
			if end < 0 {
				return nil, errInfluxFields
			}
			rest = rest[end:]
		} else {
			end := bytes.IndexAny(rest, ", ")
			if end < 0 {
				end = len(rest)
			}
			value, isNumber, err := influxNumber(rest[:end])
			if err != nil {
				return nil, err
			}
			if isNumber {
				d.fields = append(d.fields, field{name, value})
			}
			rest = rest[end:]
		}
		if len(rest) == 0 || rest[0] == ' ' {
			return rest, nil
		}
		if rest[0] != ',' {
			return nil, errInfluxFields
		}
		rest = rest[1:]
	}
}

// quotedEnd is where the text that begins with a quote ends, or -1.
func quotedEnd(text []byte) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// influxNumber reads 1.5, 15i or 15u; truth values are none.
func influxNumber(text []byte) (value float64, isNumber bool, err error) {
	switch string(text) {
	case "":
		return 0, false, errInfluxFields
	case "t", "T", "true", "True", "TRUE", "f", "F", "false", "False", "FALSE":
		return 0, false, nil
	}
	switch digits := string(text[:len(text)-1]); text[len(text)-1] {
	case 'i':
		whole, err := strconv.ParseInt(digits, 10, 64)
		if err != nil {
			return 0, false, errors.New("its value is no whole number of 64 bits")
		}
		return float64(whole), true, nil
	case 'u':
		whole, err := strconv.ParseUint(digits, 10, 64)
		if err != nil {
			return 0, false, errors.New("its value is no whole number of 64 bits")
		}
		return float64(whole), true, nil
	}
	value, err = number(text)
	return value, err == nil, err
}

// influxToken cuts the beginning of text before the first byte of ends that no
// backslash stands before, and takes away the backslashes before bytes of
// escaped. Others stand for themselves.
func influxToken(text []byte, ends, escaped string) (token, rest []byte) {
	isOneOf := func(c byte, set string) bool {
		for i := range len(set) {
			if set[i] == c {
				return true
			}
		}
		return false
	}
	clean := true
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text) && isOneOf(text[i+1], escaped):
			if clean {
				token, clean = append([]byte(nil), text[:i]...), false
			}
			i++
			token = append(token, text[i])
		case isOneOf(c, ends):
			if clean {
				token = text[:i]
			}
			return token, text[i:]
		case !clean:
			token = append(token, c)
		}
	}
	if clean {
		token = text
	}
	return token, nil
}

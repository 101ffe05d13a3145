package foreign

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"floodgate/internal/payload"
)

// Prometheus decodes one scrape, in the text format of version 0.0.4, from r to
// its end; now is when it was made, in Unix seconds. Counters, and the counts
// and sums of histograms and summaries, come out as what was added since the
// scrape that this decoder saw before; what is new counts from zero, because a
// target is scraped from its start. Buckets and quantiles are skipped, and
// gauges that are no finite number. Errors are as of Graphite.
//
// The parser is our own, because a scrape can have a million contextKeys: this
// one holds a line, where a parser into messages holds them all.
func (d *Decoder) Prometheus(r io.Reader, now int64, v Visit) error {
	if d.types == nil {
		d.types = make(map[string]string)
	}
	clear(d.types)
	var sample promSample
	parse := func(line []byte) (err error) {
		sample.skip = true
		if line[0] == '#' {
			d.promComment(line)
			return nil
		}
		sample, err = d.promLine(line)
		return err
	}
	visit := func() error {
		if sample.skip {
			return nil
		}
		s := &d.series
		value := sample.value
		if sample.cumulative {
			value = d.before.added(s, "", "", 0, value)
		}
		return d.emit(&v, s.Metric, sample.typ, now, value)
	}
	return d.lines.each(r, d.LineBytes, parse, visit)
}

// promSample is one line, without the name and labels.
type promSample struct {
	typ        payload.Type
	cumulative bool
	skip       bool
	value      float64
}

// promComment keeps the type of a family; other comments mean nothing.
func (d *Decoder) promComment(line []byte) {
	words := bytes.Fields(line[1:])
	if len(words) == 3 && string(words[0]) == "TYPE" {
		d.types[string(words[1])] = string(words[2])
	}
}

var (
	errPromName   = errors.New("it does not begin with a name")
	errPromLabels = errors.New(`its labels are not written {name="value",…}`)
	errPromValue  = errors.New("there is no value after the name")
)

// promLine reads one sample, and fills in the metric and the tags.
func (d *Decoder) promLine(line []byte) (sample promSample, err error) {
	s := d.begin()
	end := bytes.IndexAny(line, "{ \t")
	if end < 0 {
		return sample, errPromValue
	}
	if end == 0 {
		return sample, errPromName
	}
	name, rest := d.strings.keep(line[:end]), line[end:]
	if rest[0] == '{' {
		if rest, err = d.promLabels(rest[1:]); err != nil {
			return sample, err
		}
	}
	words := bytes.Fields(rest)
	if len(words) < 1 || len(words) > 2 {
		return sample, errPromValue
	}
	sample, s.Metric = d.promType(name)
	if sample.skip {
		return sample, nil
	}
	sample.value, err = number(words[0])
	if err == errNotFinite && !sample.cumulative {
		sample.skip, err = true, nil
	}
	return sample, err
}

// promType finds the family of a sample, and what the sample is in it.
func (d *Decoder) promType(name string) (sample promSample, metric string) {
	switch d.types[name] {
	case "counter":
		return promSample{typ: payload.Count, cumulative: true}, name
	case "gauge":
		return promSample{typ: payload.Gauge}, name
	case "histogram", "summary":
		return promSample{skip: true}, name // a quantile
	}
	under := strings.LastIndexByte(name, '_')
	if under < 0 {
		return promSample{}, name
	}
	family, suffix := name[:under], name[under+1:]
	if typ := d.types[family]; typ != "histogram" && typ != "summary" {
		return promSample{}, name
	}
	switch suffix {
	case "count", "sum":
		d.text = append(append(append(d.text[:0], family...), '.'), suffix...)
		return promSample{typ: payload.Count, cumulative: true}, d.strings.keep(d.text)
	case "bucket":
		return promSample{skip: true}, name
	}
	return promSample{}, name
}

// promLabels reads name="value",… } and returns what follows it.
func (d *Decoder) promLabels(rest []byte) ([]byte, error) {
	for {
		rest = bytes.TrimLeft(rest, " \t,")
		if len(rest) > 0 && rest[0] == '}' {
			return rest[1:], nil
		}
		key, value, found := bytes.Cut(rest, []byte("="))
		key, value = bytes.TrimRight(key, " \t"), bytes.TrimLeft(value, " \t")
		if !found || len(key) == 0 || len(value) == 0 || value[0] != '"' || bytes.ContainsAny(key, `",{} `) {
			return nil, errPromLabels
		}
		end := quotedEnd(value)
		if end < 0 {
			return nil, errPromLabels
		}
		d.series.Tags = append(d.series.Tags, d.tag(key, promUnescape(value[1:end-1])))
		rest = value[end:]
		if next := bytes.TrimLeft(rest, " \t"); len(next) == 0 || next[0] != ',' && next[0] != '}' {
			return nil, errPromLabels
		}
	}
}

// promUnescape takes away the backslashes of \\, \" and \n.
func promUnescape(text []byte) []byte {
	if bytes.IndexByte(text, '\\') < 0 {
		return text
	}
	clean := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '\\' && i+1 < len(text) {
			switch text[i+1] {
			case '\\', '"':
				i++
				c = text[i]
			case 'n':
				i++
				c = '\n'
			}
		}
		clean = append(clean, c)
	}
	return clean
}

// PrometheusName is what statsd_exporter makes of the name of a metric: every
// character but letters, digits and underscores of ASCII becomes an underscore,
// and one stands before a digit at the beginning. It is not reversible, so that
// names are to be compared after it. Of dashes in a row only one is replaced,
// and the others are left out.
func PrometheusName(name string) string {
	var b strings.Builder
	b.Grow(len(name) + 1)
	var before rune
	for i, c := range name {
		switch {
		case c == '-' && before == '-':
		case c >= '0' && c <= '9':
			if i == 0 {
				b.WriteByte('_')
			}
			b.WriteRune(c)
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
			b.WriteRune(c)
		default:
			b.WriteByte('_')
		}
		before = c
	}
	return b.String()
}

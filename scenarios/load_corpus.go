package scenarios

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"floodgate/internal/quantity"
)

const (
	maxTagBytes   = 1000
	maxZipf       = 10
	maxChurn      = 10_000_000
	maxValue      = 1_000_000_000
	maxContainers = 1_000_000
	maxUnixTime   = 1 << 40
	maxPatterns   = 1000
	minOversize   = 64
)

func (r *reader) corpus(c *Corpus, v value) {
	r.mapping(v,
		field{"seed", false, scalarInto(r, &c.Seed, asSeed, wholeUint64)},
		field{"context_keys", false, scalarInto(r, &c.ContextKeys, asCount, within(parseIntCount, 1, maxContextKeys, "1 to 10M"))},
		field{"popularity", false, func(v value) { r.popularity(c, v) }},
		field{"churn", false, scalarInto(r, &c.Churn, asCount, within(ParseCount, 0, maxChurn, "0 to 10M new contextKeys per second"))},
		field{"names", false, func(v value) { r.patterns(&c.Names, v, ":|") }},
		field{"name_length", false, scalarInto(r, &c.NameBytes, asWhole, within(whole, 1, maxTagBytes, "1 to 1000 bytes"))},
		field{"tags", false, func(v value) { r.tags(c, v) }},
		field{"kinds", false, func(v value) { r.kinds(&c.Kinds, v) }},
		field{"packing", false, func(v value) { r.packing(&c.Packing, v) }},
		field{"sampled", false, func(v value) { r.sampled(c, v) }},
		field{"packed_values", false, scalarInto(r, &c.PackedValues, asWhole, within(whole, 1, maxPacked, "1 to 1000"))},
		field{"values", false, func(v value) { r.values(&c.Values, v) }},
		field{"timestamps", false, func(v value) {
			r.mapping(v, r.share("share", true, &c.TimestampedShare),
				field{"from", true, scalarInto(r, &c.TimestampFrom, asWhole, within(ParseCount, 1, maxUnixTime, "a time in Unix seconds, such as 1767225600"))})
		}},
		field{"containers", false, func(v value) {
			r.mapping(v, r.share("share", true, &c.ContainerShare),
				field{"count", true, scalarInto(r, &c.Containers, asCount, within(parseIntCount, 1, maxContainers, "1 to 1M"))})
		}},
		r.share("events", false, &c.EventShare),
		r.share("service_checks", false, &c.CheckShare),
		field{"hostile", false, func(v value) { r.hostile(&c.Hostile, v) }},
	)
	if others := c.EventShare + c.CheckShare + c.Hostile.Share; others > 1 {
		r.add(v.line, "%s: events, service_checks and hostile come to %s: want at most 100%%", v.path, Format(others, Ratio))
	}
	if len(c.Names) > 0 && c.NameBytes > 0 {
		r.add(r.lines[v.child("name_length")], "%s.name_length: it stands beside names: leave it out, names say what they are", v.path)
	}
}

// share reads a part of a whole.
func (r *reader) share(key string, required bool, to *float64) field {
	ratio := func(text string) (float64, error) { return ParseQuantity(text, Ratio) }
	return field{key, required, scalarInto(r, to, asRatio, within(ratio, 0, 1, "0% to 100%"))}
}

func (r *reader) popularity(c *Corpus, v value) {
	if v.node.Kind != yaml.MappingNode {
		want := "cycle, uniform or {zipf: 1.1}"
		scalarInto(r, &c.Popularity, form{tagsOfText, want}, func(text string) (Popularity, error) {
			if p := Popularity(text); p == Cycle || p == Uniform {
				return p, nil
			}
			return "", fmt.Errorf("%q is unknown: want %s", clip(text), want)
		})(v)
		return
	}
	exponent := func(text string) (float64, error) {
		x, err := strconv.ParseFloat(text, 64)
		if err != nil || !quantity.IsNumber(text) || x < 0.01 || x > maxZipf {
			return 0, fmt.Errorf("%q is no exponent: want 0.01 to %d, such as 1.1", clip(text), maxZipf)
		}
		return x, nil
	}
	c.Popularity = Zipf
	r.mapping(v, field{"zipf", true, scalarInto(r, &c.Zipf, form{tagsOfQuantity, "an exponent such as 1.1"}, exponent)})
}

// tags reads their number, or more about them, or a pattern for each.
func (r *reader) tags(c *Corpus, v value) {
	switch v.node.Kind {
	case yaml.SequenceNode:
		r.patterns(&c.TagPatterns, v, ",|")
		if len(c.TagPatterns) > maxTags {
			r.add(v.line, "%s has %d patterns: want at most %d", v.path, len(c.TagPatterns), maxTags)
		}
		c.Tags = len(c.TagPatterns)
	case yaml.MappingNode:
		r.mapping(v,
			field{"count", false, r.span(&c.Tags, &c.TagsMost, 1, maxTags)},
			field{"length", false, r.span(&c.TagBytes, &c.TagBytesMost, 1, maxTagBytes)},
			r.share("unique", false, &c.UniqueTags),
		)
	default:
		scalarInto(r, &c.Tags, asWhole, within(whole, 0, maxTags, "0 to 64"))(v)
	}
}

// span reads a number, or a range such as 2..8, whose greatest is 0 for a plain
// number.
func (r *reader) span(least, most *int, low, high int) func(value) {
	type span struct{ least, most int }
	var got span
	words := fmt.Sprintf("%d to %d, or a range such as 4..8", low, high)
	read := scalarInto(r, &got, form{[]string{"!!int", "!!str"}, "a whole number without quotes, or a range such as 4..8"}, func(text string) (span, error) {
		first, last, isRange := strings.Cut(text, "..")
		if !isRange {
			last = first
		}
		a, err1 := whole(first)
		b, err2 := whole(last)
		if err1 != nil || err2 != nil || a < low || b > high || a > b {
			return span{}, fmt.Errorf("%s is out of range: want %s", clip(text), words)
		}
		if a == b {
			return span{a, 0}, nil
		}
		return span{a, b}, nil
	})
	return func(v value) {
		before := r.total + r.skipped
		if read(v); r.total+r.skipped == before {
			*least, *most = got.least, got.most
		}
	}
}

// patterns reads a list of texts with braces. What they stand for is spelled out
// by the generator.
func (r *reader) patterns(to *[]string, v value, forbidden string) {
	r.list(v, "texts such as web-{0..9}", func(v value) {
		var p string
		scalarInto(r, &p, asPattern, func(text string) (string, error) {
			switch {
			case text == "" || strings.ContainsAny(text, forbidden+"\n\r") && !strings.Contains(text, "{"):
				return "", fmt.Errorf("%q is no pattern: want text without any of %s", clip(text), forbidden)
			case strings.Count(text, "{") != strings.Count(text, "}"):
				return "", fmt.Errorf("%q is no pattern: want a } for each {", clip(text))
			}
			return text, nil
		})(v)
		*to = append(*to, p)
	})
	if v.node.Kind == yaml.SequenceNode && (len(*to) == 0 || len(*to) > maxPatterns) {
		r.add(v.line, "%s has %d items: want 1 to %d", v.path, len(*to), maxPatterns)
	}
}

// packing reads one_line, the bytes of a datagram, or both of its limits.
func (r *reader) packing(to *Packing, v value) {
	if v.node.Kind != yaml.MappingNode {
		scalarInto(r, to, asPackingSize, parsePacking)(v)
		return
	}
	var bytes Packing
	lines := 0
	r.mapping(v,
		field{"bytes", false, scalarInto(r, &bytes, asPackingSize, parsePacking)},
		field{"lines", false, scalarInto(r, &lines, asCount, within(parseIntCount, 1, maxMessages, "1 to 1G lines"))},
	)
	*to = Packing{Bytes: bytes.Bytes, Lines: lines}
}

func parsePacking(text string) (Packing, error) {
	const oneLine = "one_line"
	if text == oneLine {
		return Packing{}, nil
	}
	n, err := ParseBytes(text)
	if err != nil || n < minPacking || n > maxUnixPacking {
		return Packing{}, fmt.Errorf("%q is no packing: want one_line, or the bytes of the largest datagram, 64B to 65467B (udp) or 65507B (others)", clip(text))
	}
	return Packing{Bytes: int(n)}, nil
}

// values reads the distribution of values.
func (r *reader) values(to *Values, v value) {
	number := form{tagsOfQuantity, "a number such as 250"}
	between := func(low, high float64, words string) func(string) (float64, error) {
		return func(text string) (float64, error) {
			x, err := strconv.ParseFloat(text, 64)
			if err != nil || !quantity.IsNumber(text) || x < low || x > high {
				return 0, fmt.Errorf("%q is out of range: want %s", clip(text), words)
			}
			return x, nil
		}
	}
	positive := between(0.001, maxValue, "a number above 0, up to 1000000000")
	given, before := 0, r.total+r.skipped
	var got Values
	shape := func(name string, read func(value)) field {
		return field{name, false, func(v value) { given++; got.Shape = name; read(v) }}
	}
	center := func(key string) field { return field{key, true, scalarInto(r, &got.Center, number, positive)} }
	limit := func(key string, to *int64) field {
		return field{key, true, scalarInto(r, to, asCount, within(ParseCount, 1, maxValue, "1 to 1G"))}
	}
	r.mapping(v,
		shape("constant", func(v value) {
			var n int64
			limit("", &n).read(v)
			got.Center = float64(n)
		}),
		shape("uniform", func(v value) { r.mapping(v, limit("min", &got.Min), limit("max", &got.Max)) }),
		shape("normal", func(v value) {
			r.mapping(v, center("mean"), field{"deviation", true, scalarInto(r, &got.Spread, number, between(0, maxValue, "0 to 1000000000"))})
		}),
		shape("lognormal", func(v value) {
			r.mapping(v, center("median"), field{"sigma", true, scalarInto(r, &got.Spread, number, between(0, 10, "0 to 10"))})
		}),
		shape("exponential", func(v value) { r.mapping(v, center("mean")) }),
	)
	switch {
	case r.total+r.skipped > before:
	case given != 1:
		r.add(v.line, "%s has %d distributions: want exactly one, such as lognormal: {median: 20, sigma: 0.5}", v.path, given)
	case got.Min > got.Max:
		r.add(v.line, "%s: min %d is above max %d: want them the other way round", v.path, got.Min, got.Max)
	default:
		*to = got
	}
}

func (r *reader) hostile(to *Hostile, v value) {
	weight := func(key string, to *int) field {
		return field{key, false, scalarInto(r, to, asWhole, within(whole, 0, maxWeight, "a weight from 0 to 1000000"))}
	}
	size := func(text string) (int, error) {
		n, err := ParseBytes(text)
		return int(min(n, math.MaxInt32)), err
	}
	r.mapping(v,
		r.share("share", true, &to.Share),
		weight("malformed", &to.Malformed), weight("truncated", &to.Truncated), weight("oversize", &to.Oversize), weight("non_utf8", &to.NonUTF8),
		field{"oversize_bytes", false, scalarInto(r, &to.OversizeBytes, asSize, within(size, minOversize, maxUDPPacking, "64B to 65467B"))},
	)
	if line, ok := r.sound(v.child("oversize_bytes")); ok && to.Oversize == 0 && !r.bad[v.child("oversize")] {
		r.add(line, "%s.oversize_bytes: no line is oversize: want a weight for oversize above 0, or leave it out", v.path)
	}
}

package foreign

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
)

// fuzzLines holds a parser to a naive one: the same series out of the same
// lines, and the same number of bad ones; whole, and byte by byte.
func fuzzLines(f *testing.F, how decode, naive func(lines []string) (got []string, bad int)) {
	f.Fuzz(func(t *testing.T, body string) {
		const limit = 100
		got, err := show(t, &Decoder{LineBytes: limit}, how, strings.NewReader(body))
		piecewise, pieceErr := show(t, &Decoder{LineBytes: limit}, how, iotest.OneByteReader(strings.NewReader(body)))
		if !slices.Equal(got, piecewise) || fmt.Sprint(err) != fmt.Sprint(pieceErr) {
			t.Fatalf("whole %q, %v; byte by byte %q, %v", got, err, piecewise, pieceErr)
		}
		var lines []string
		tooLong := 0
		for line := range strings.SplitSeq(body, "\n") {
			switch line = strings.TrimSuffix(line, "\r"); {
			case len(line) > limit:
				tooLong++
			case line != "":
				lines = append(lines, line)
			}
		}
		want, wantBad := naive(lines)
		bad := 0
		var fault *LineError
		if errors.As(err, &fault) {
			bad = fault.Bad
			if fault.Lines != len(lines)+tooLong {
				t.Fatalf("%d lines, want %d", fault.Lines, len(lines)+tooLong)
			}
		} else if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) || bad != wantBad+tooLong {
			t.Fatalf("got %q and %d bad ones, naive %q and %d", got, bad, want, wantBad+tooLong)
		}
	})
}

// finite reads a number as the formats want one.
func finite(text string) (float64, bool) {
	x, err := strconv.ParseFloat(text, 64)
	return x, err == nil && !math.IsInf(x, 0) && !math.IsNaN(x)
}

func FuzzGraphite(f *testing.F) {
	f.Add("a.b 5 1700000000\nc;x=1;y= 1e3 -1\nbad\n\r\nd|1|2")
	f.Add("a 1 2 3\n;x=1 1 2\na;x 1 2\na NaN 2")
	fuzzLines(f, graphiteAt100, func(lines []string) (got []string, bad int) {
		for _, line := range lines {
			parts := strings.FieldsFunc(line, func(c rune) bool {
				if strings.ContainsAny(line, " \t") {
					return c == ' ' || c == '\t'
				}
				return c == '|'
			})
			text, good := naiveGraphite(parts)
			if !good {
				bad++
				continue
			}
			got = append(got, text)
		}
		return got, bad
	})
}

func naiveGraphite(parts []string) (text string, good bool) {
	if len(parts) != 3 {
		return "", false
	}
	value, isNumber := finite(parts[1])
	stamp, isTime := finite(parts[2])
	if !isNumber || !isTime || math.Abs(stamp) >= 1<<62 {
		return "", false
	}
	if stamp < 0 {
		stamp = 100
	}
	name := strings.Split(parts[0], ";")
	if name[0] == "" {
		return "", false
	}
	var tags []string
	for _, tag := range name[1:] {
		if !regexp.MustCompile(`(?s)^[^=]+=`).MatchString(tag) {
			return "", false
		}
		key, value, _ := strings.Cut(tag, "=")
		tags = append(tags, strings.TrimSuffix(key+":"+value, map[bool]string{true: ":"}[value == ""]))
	}
	return fmt.Sprintf("%s|%s unspecified %v@%d", name[0], strings.Join(tags, ","), value, int64(math.Floor(stamp))), true
}

// The grammar of a line whose escapes have been replaced by characters that
// mean nothing.
var (
	influxText  = `"(?:\\.|[^"\\])*"`
	influxField = `[^,= ]+=(?:` + influxText + `|[^, "][^, ]*)`
	influxShape = regexp.MustCompile(`^([^, ]+)((?:,[^,= ]+=[^, ]+)*) +(` + influxField + `(?:,` + influxField + `)*)(?: +([-+]?[0-9]+))? *$`)
	influxTag   = regexp.MustCompile(`,([^,= ]+)=([^, ]+)`)
	influxPair  = regexp.MustCompile(`(?:^|,)([^,= ]+)=(` + influxText + `|[^, "][^, ]*)`)
	hide        = strings.NewReplacer(`\,`, "\x01", `\=`, "\x02", `\ `, "\x03")
	reveal      = strings.NewReplacer("\x01", ",", "\x02", "=", "\x03", " ")
	truth       = regexp.MustCompile(`^(t|T|true|True|TRUE|f|F|false|False|FALSE)$`)
)

// FuzzInflux holds the parser to a grammar of regular expressions, for lines of
// printable ASCII.
func FuzzInflux(f *testing.F) {
	f.Add("a,x=1 value=5i 7\na\\,b,k\\==v\\ w lower=1,s=\"x, \\\" \",t=true 7\n# c\nbad")
	f.Add("a value=1\na=b value=-1.5e3,u=2u 0\na,x= value=1")
	f.Fuzz(func(t *testing.T, body string) {
		got, err := show(t, &Decoder{LineBytes: 100}, influxAt100, strings.NewReader(body))
		piecewise, pieceErr := show(t, &Decoder{LineBytes: 100}, influxAt100, iotest.OneByteReader(strings.NewReader(body)))
		if !slices.Equal(got, piecewise) || fmt.Sprint(err) != fmt.Sprint(pieceErr) {
			t.Fatalf("whole %q, %v; byte by byte %q, %v", got, err, piecewise, pieceErr)
		}
		for line := range strings.SplitSeq(body, "\n") {
			line = strings.TrimSuffix(line, "\r")
			if line == "" || line[0] == '#' || len(line) > 100 || strings.ContainsFunc(line, func(c rune) bool { return c >= 0x80 || c < ' ' }) {
				continue
			}
			got, err := show(t, &Decoder{}, influxAt100, strings.NewReader(line))
			want, good := naiveInflux(line)
			if good != (err == nil) || good && !slices.Equal(got, want) {
				t.Fatalf("%q: got %q, %v, naive %q, %v", line, got, err, want, good)
			}
		}
	})
}

func naiveInflux(line string) (got []string, good bool) {
	shape := influxShape.FindStringSubmatch(hide.Replace(line))
	if shape == nil {
		return nil, false
	}
	var tags []string
	for _, tag := range influxTag.FindAllStringSubmatch(shape[2], -1) {
		tags = append(tags, reveal.Replace(tag[1])+":"+reveal.Replace(tag[2]))
	}
	stamp := int64(100)
	if shape[4] != "" {
		var err error
		if stamp, err = strconv.ParseInt(shape[4], 10, 64); err != nil {
			return nil, false
		}
	}
	name := reveal.Replace(strings.ReplaceAll(shape[1], "\x02", `\=`)) // where it is no escape
	for _, pair := range influxPair.FindAllStringSubmatch(shape[3], -1) {
		text := pair[2]
		if text[0] == '"' || truth.MatchString(text) {
			continue
		}
		value, ok := finite(text)
		if digits, whole := strings.CutSuffix(text, "i"); whole {
			n, err := strconv.ParseInt(digits, 10, 64)
			value, ok = float64(n), err == nil
		} else if digits, whole := strings.CutSuffix(text, "u"); whole {
			n, err := strconv.ParseUint(digits, 10, 64)
			value, ok = float64(n), err == nil
		}
		if !ok {
			return nil, false
		}
		metric := name
		if field := reveal.Replace(pair[1]); field != "value" {
			metric += "." + field
		}
		got = append(got, fmt.Sprintf("%s|%s unspecified %v@%d", metric, strings.Join(tags, ","), value, stamp))
	}
	return got, true
}

var (
	promShape = regexp.MustCompile(`(?s)^([^{ \t]+)(?:\{(.*)\})?([^}"]*)$`)
	promLabel = regexp.MustCompile(`(?s)^[ \t,]*([^=",{} ]+?)[ \t]*=[ \t]*"((?:\\.|[^"\\])*)"[ \t]*(,|$)`)
)

// FuzzPrometheus holds the parser to a naive one for lines without a type, and
// otherwise to its being whole and byte by byte the same.
func FuzzPrometheus(f *testing.F) {
	f.Add("a 1\nb{x=\"1\",y=\"}\\\"\"} 2 3\n# TYPE c counter\nc 1")
	f.Add("# TYPE h histogram\nh_sum 1\nh_bucket{le=\"1\"} 1\nh{\n{} 1")
	f.Fuzz(func(t *testing.T, body string) {
		got, err := show(t, &Decoder{LineBytes: 100}, promAt100, strings.NewReader(body))
		piecewise, pieceErr := show(t, &Decoder{LineBytes: 100}, promAt100, iotest.OneByteReader(strings.NewReader(body)))
		if !slices.Equal(got, piecewise) || fmt.Sprint(err) != fmt.Sprint(pieceErr) {
			t.Fatalf("whole %q, %v; byte by byte %q, %v", got, err, piecewise, pieceErr)
		}
		for line := range strings.SplitSeq(body, "\n") {
			line = strings.TrimSuffix(line, "\r")
			shape := promShape.FindStringSubmatch(line)
			if shape == nil || line[0] == '#' || strings.ContainsFunc(line, func(c rune) bool { return c >= 0x80 || c < ' ' }) {
				continue
			}
			got, err := show(t, &Decoder{}, promAt100, strings.NewReader(line))
			if want, good := naiveProm(shape); good && (err != nil || !slices.Equal(got, want)) {
				t.Fatalf("%q: got %q, %v, naive %q", line, got, err, want)
			}
		}
	})
}

// naiveProm is sure of good lines only.
func naiveProm(shape []string) (got []string, good bool) {
	var tags []string
	rest := shape[2]
	for strings.Trim(rest, " ,") != "" {
		label := promLabel.FindStringSubmatch(rest)
		if label == nil {
			return nil, false
		}
		value := strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\n`, "\n").Replace(label[2])
		tags = append(tags, label[1]+map[bool]string{false: ":"}[value == ""]+value)
		rest = rest[len(label[0])-len(label[3]):]
	}
	words := strings.Fields(shape[3])
	if len(words) < 1 || len(words) > 2 {
		return nil, false
	}
	value, ok := finite(words[0])
	if !ok {
		return nil, false
	}
	return []string{fmt.Sprintf("%s|%s unspecified %v@100", shape[1], strings.Join(tags, ","), value)}, true
}

// FuzzOTLP: no body takes the decoder down.
func FuzzOTLP(f *testing.F) {
	f.Add(string(otlpBody(f)))
	f.Add("\x0a\x02\x12\x00")
	f.Fuzz(func(t *testing.T, body string) {
		first, err := show(t, &Decoder{}, otlpDecode, strings.NewReader(body))
		again, againErr := show(t, &Decoder{}, otlpDecode, iotest.OneByteReader(strings.NewReader(body)))
		if !slices.Equal(first, again) || (err == nil) != (againErr == nil) {
			t.Fatalf("%q, %v, then %q, %v", first, err, again, againErr)
		}
	})
}

package payload

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// FuzzDecodeSeries holds the parser to a naive one on encoding/json, in both
// directions: what one accepts the other accepts, with the same series.
func FuzzDecodeSeries(f *testing.F) {
	for _, body := range []string{
		`{"series":[{"metric":"a","type":2,"interval":10,"points":[{"timestamp":5,"value":1.5}],"tags":["x:1",""],"resources":[{"name":"h","type":"host"}]}]}`,
		`{"x":[1,{"y":null}],"series":[{"metric":"é\ud83d\ude00\u00e9","points":[{"value":-0.0},{"value":1E+2,"timestamp":1e3}]},null]}`,
		`{"series":[{"metric":"a","metric":null,"tags":[null]}]}`,
		"{\"series\":[{\"metric\":\"\xff\xe2\x82\"}]}",
		`{"series":null,"x":` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + `}`,
		`{"series":null,"x":` + strings.Repeat("[", 64) + strings.Repeat("]", 64) + `}`,
		`{"series":[{"metric":"a","points":[{"timestamp":9223372036854775807,"value":01}]}]}`,
		``, `{`, `{"series":[{"metric":"a","x":tru`, `{"series"`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		want, wantErr := naiveDecode(body)
		got, err := decodeAll(bytes.NewReader(body))
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("got error %v, naive %v", err, wantErr)
		}
		piecewise, pieceErr := decodeAll(iotest.OneByteReader(bytes.NewReader(body)))
		if diff := cmp.Diff(got, piecewise); diff != "" || (err == nil) != (pieceErr == nil) {
			t.Fatalf("whole and byte by byte differ: %v, %v\n%s", err, pieceErr, diff)
		}
		if err != nil {
			return
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("naive and fast differ (-naive +fast):\n%s", diff)
		}
	})
}

var errNaive = errors.New("refused")

// object keeps members as they stand, also those that stand twice.
type object []struct {
	name  string
	value any
}

// last is the last member of that name, and nil without one.
func (o object) last(name string) any {
	for i := len(o) - 1; i >= 0; i-- {
		if o[i].name == name {
			return o[i].value
		}
	}
	return nil
}

// naiveDecode is slow and plain: the whole body becomes a tree first. It panics
// with errNaive where it refuses, which naiveDecode returns.
func naiveDecode(body []byte) (all []Series, err error) {
	defer func() {
		if r := recover(); r != nil {
			if r != errNaive {
				panic(r)
			}
			err = errNaive
		}
	}()
	refuse(!json.Valid(body))
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	top, ok := tree(decoder, 0).(object)
	refuse(!ok)
	lists := 0
	for _, member := range top {
		if member.name == "series" {
			lists++
			checkMembers(member.value)
		}
	}
	refuse(lists != 1)
	for _, element := range elements(top.last("series")) {
		all = append(all, naiveSeries(asObject(element)))
	}
	return all, nil
}

func naiveSeries(o object) Series {
	s := Series{Metric: asString(o.last("metric")), Type: Type(asInteger(o.last("type"))), Interval: asInteger(o.last("interval"))}
	refuse(s.Metric == "" || asInteger(o.last("type")) < 0 || asInteger(o.last("type")) > 3)
	for _, element := range elements(o.last("points")) {
		point := asObject(element)
		p := Point{Timestamp: asInteger(point.last("timestamp"))}
		if value := point.last("value"); value != nil {
			p.Value = asFloat(value)
		}
		s.Points = append(s.Points, p)
	}
	for _, tag := range elements(o.last("tags")) {
		s.Tags = append(s.Tags, asString(tag))
	}
	for _, element := range elements(o.last("resources")) {
		if resource := asObject(element); asString(resource.last("type")) == "host" {
			s.Host = asString(resource.last("name"))
		}
	}
	return s
}

// checkMembers refuses members of a wrong kind, also where a later one of the
// same name covers them: a reader of streams has no second look.
func checkMembers(list any) {
	for _, element := range elements(list) {
		for _, m := range asObject(element) {
			switch m.name {
			case "metric":
				asString(m.value)
			case "interval":
				asInteger(m.value)
			case "type":
				refuse(asInteger(m.value) < 0 || asInteger(m.value) > 3)
			case "tags":
				for _, tag := range elements(m.value) {
					asString(tag)
				}
			case "points":
				for _, point := range elements(m.value) {
					for _, p := range asObject(point) {
						switch p.name {
						case "timestamp":
							asInteger(p.value)
						case "value":
							asFloat(p.value)
						}
					}
				}
			case "resources":
				for _, resource := range elements(m.value) {
					for _, r := range asObject(resource) {
						if r.name == "type" || r.name == "name" {
							asString(r.value)
						}
					}
				}
			}
		}
	}
}

func tree(decoder *json.Decoder, depth int) any {
	refuse(depth > depthLimit+1)
	token, err := decoder.Token()
	refuse(err != nil)
	switch token {
	case json.Delim('{'):
		refuse(depth >= depthLimit)
		o := object{}
		for decoder.More() {
			name, err := decoder.Token()
			refuse(err != nil)
			o = append(o, struct {
				name  string
				value any
			}{name.(string), tree(decoder, depth+1)})
		}
		_, err = decoder.Token()
		refuse(err != nil)
		return o
	case json.Delim('['):
		refuse(depth >= depthLimit)
		list := []any{}
		for decoder.More() {
			list = append(list, tree(decoder, depth+1))
		}
		_, err = decoder.Token()
		refuse(err != nil)
		return list
	}
	return token
}

func refuse(when bool) {
	if when {
		panic(errNaive)
	}
}

func asString(value any) string {
	if value == nil {
		return ""
	}
	text, ok := value.(string)
	refuse(!ok)
	return text
}

func asObject(value any) object {
	if value == nil {
		return nil
	}
	o, ok := value.(object)
	refuse(!ok)
	return o
}

func elements(value any) []any {
	if value == nil {
		return nil
	}
	list, ok := value.([]any)
	refuse(!ok)
	return list
}

func asFloat(value any) float64 {
	number, ok := value.(json.Number)
	refuse(!ok)
	x, err := number.Float64()
	refuse(err != nil)
	return x
}

func asInteger(value any) int64 {
	if value == nil {
		return 0
	}
	number, ok := value.(json.Number)
	refuse(!ok)
	if n, err := strconv.ParseInt(string(number), 10, 64); err == nil {
		return n
	}
	x := asFloat(value)
	refuse(x != math.Trunc(x) || x < -1<<63 || x >= 1<<63)
	return int64(x)
}

// BenchmarkDecodeSeriesNaive is what the parser is compared with: the
// reflection of encoding/json.
func BenchmarkDecodeSeriesNaive(b *testing.B) {
	body := []byte(sampleBody(10000, func(i int) string { return "app.metric." + strconv.Itoa(i) }))
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		var all struct{ Series []jsonSeries }
		if err := json.Unmarshal(body, &all); err != nil {
			b.Fatal(err)
		}
	}
}

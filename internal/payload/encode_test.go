package payload

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestAppendSeries(t *testing.T) {
	tests := []struct {
		name  string
		body  []byte
		want  string
		cause string
	}{
		{
			name:  "complete",
			body:  AppendSeries(nil, []byte("hits"), Rate, 10, 1700000000, 0.5, [][]byte{[]byte("env:a"), []byte("b")}, "web-1"),
			want:  `{"metric":"hits","type":2,"interval":10,"points":[{"timestamp":1700000000,"value":0.5}],"tags":["env:a","b"],"resources":[{"type":"host","name":"web-1"}]}`,
			cause: "every part has its place",
		},
		{
			name:  "bare",
			body:  AppendSeries(nil, []byte("hits"), Unspecified, 0, 0, 0, nil, ""),
			want:  `{"metric":"hits","points":[{"timestamp":0,"value":0}]}`,
			cause: "empty parts are left out, a point of zeros is not",
		},
		{
			name:  "after other bytes",
			body:  AppendSeries([]byte("before,"), []byte("g"), Gauge, 0, 1, -2, nil, ""),
			want:  `before,{"metric":"g","type":3,"points":[{"timestamp":1,"value":-2}]}`,
			cause: "it appends",
		},
		{
			name:  "empty tag",
			body:  AppendSeries(nil, []byte("g"), Gauge, 0, 1, 1, [][]byte{nil}, ""),
			want:  `{"metric":"g","type":3,"points":[{"timestamp":1,"value":1}],"tags":[""]}`,
			cause: "the wire format has empty tags, and this is no place to judge them",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, string(test.body)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.cause, diff)
			}
		})
	}
}

func TestAppendSeriesLeavesOutWhatJSONCannotSay(t *testing.T) {
	for _, value := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if got := AppendSeries([]byte("["), []byte("m"), Gauge, 0, 1, value, nil, "h"); string(got) != "[" {
			t.Errorf("value %v: got %q, want the slice unchanged", value, got)
		}
	}
}

func TestAppendString(t *testing.T) {
	tests := []struct{ in, want, cause string }{
		{"", `""`, "empty"},
		{"plain.name_1", `"plain.name_1"`, "nothing to do"},
		{`a"b\c`, `"a\"b\\c"`, "what ends or escapes a string"},
		{"a\nb\rc\td", `"a\nb\rc\td"`, "short forms"},
		{"\x00\x1f\x7f", `"\u0000\u001f` + "\x7f\"", "control characters; DEL is allowed in JSON"},
		{"<&>", `"<&>"`, "no web page"},
		{"grün €😀", `"grün €😀"`, "UTF-8 of two, three and four bytes stays"},
		{"a\ufffdb", "\"a\ufffdb\"", "a replacement character that was sent is valid UTF-8"},
		{"a\xffb", `"a\ufffdb"`, "a byte that is no UTF-8"},
		{"\xe2\x82", `"\ufffd\ufffd"`, "a cut rune: one replacement for each byte, as in encoding/json"},
	}
	for _, test := range tests {
		if got := string(AppendString(nil, []byte(test.in))); got != test.want {
			t.Errorf("%s: %q became %s, want %s", test.cause, test.in, got, test.want)
		}
	}
}

func TestAppendNumberReadsBackAsTheSame(t *testing.T) {
	values := []float64{
		0, math.Copysign(0, -1), 1, -1, 0.1, 1.0 / 3, 1e6, 1e21, 1e-7, 123456789.125,
		1<<53 - 1, 1 << 53, -(1 << 53), 1<<53 + 2, math.MaxInt64, math.MaxFloat64, math.SmallestNonzeroFloat64,
	}
	for _, value := range values {
		text := appendNumber(nil, value)
		var back float64
		if err := json.Unmarshal(text, &back); err != nil {
			t.Errorf("%v became %s: %v", value, text, err)
		} else if math.Float64bits(back) != math.Float64bits(value) {
			t.Errorf("%v became %s, which reads back as %v", value, text, back)
		}
	}
}

// jsonSeries is the format as encoding/json sees it.
type jsonSeries struct {
	Metric    string `json:"metric"`
	Type      Type   `json:"type"`
	Interval  int64  `json:"interval"`
	Points    []Point
	Tags      []string `json:"tags"`
	Resources []struct{ Type, Name string }
}

func FuzzAppendSeries(f *testing.F) {
	f.Add("hits", uint8(1), int64(10), int64(1700000000), 12.5, "env:a,b", "web-1")
	f.Add("a\"\\\n\x00é€😀\xff", uint8(3), int64(-1), int64(-1), math.Copysign(0, -1), ",,", "<&>\u2028")
	f.Add("", uint8(0), int64(0), int64(math.MinInt64), math.MaxFloat64, "", "")
	f.Fuzz(func(t *testing.T, metric string, number uint8, interval, timestamp int64, value float64, tagList, host string) {
		typ := Type(number % 4)
		var tags [][]byte
		var wantTags []string
		if tagList != "" {
			for tag := range strings.SplitSeq(tagList, ",") {
				tags = append(tags, []byte(tag))
				wantTags = append(wantTags, valid(tag))
			}
		}
		object := AppendSeries(nil, []byte(metric), typ, interval, timestamp, value, tags, host)
		if len(object) == 0 {
			if !math.IsNaN(value) && !math.IsInf(value, 0) {
				t.Fatalf("value %v was left out", value)
			}
			return
		}
		if !utf8.Valid(object) {
			t.Fatalf("not UTF-8: %q", object)
		}
		var got jsonSeries
		if err := json.Unmarshal(object, &got); err != nil {
			t.Fatalf("%s: %v", object, err)
		}
		want := Series{Metric: valid(metric), Type: typ, Interval: interval, Points: []Point{{timestamp, value}}, Tags: wantTags, Host: valid(host)}
		back := Series{Metric: got.Metric, Type: got.Type, Interval: got.Interval, Points: got.Points, Tags: got.Tags}
		for _, resource := range got.Resources {
			back.Host = resource.Name
		}
		if diff := cmp.Diff(want, back); diff != "" {
			t.Fatalf("encoding/json reads another series (-want +got):\n%s", diff)
		}
	})
}

// valid is text with a replacement for each byte that is no UTF-8.
func valid(text string) string {
	return string([]rune(text))
}

func TestAppendSeriesAllocatesNothing(t *testing.T) {
	dst := make([]byte, 0, 4096)
	metric, tags := []byte("app.requests.latency\n\xff"), [][]byte{[]byte("env:prod"), []byte("zone:ü")}
	allocs := testing.AllocsPerRun(100, func() {
		dst = AppendSeries(dst[:0], metric, Count, 10, 1700000000, 0.3, tags, "web\x01-1")
	})
	if allocs != 0 {
		t.Errorf("%v allocations per series, want 0", allocs)
	}
}

func BenchmarkAppendSeries(b *testing.B) {
	dst := make([]byte, 0, 4096)
	metric := []byte("app.requests.latency.count")
	tags := [][]byte{[]byte("env:production"), []byte("service:checkout"), []byte("zone:eu-west-1a"), []byte("version:1.2.3")}
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendSeries(dst[:0], metric, Count, 10, 1700000000, 1234, tags, "web-1")
	}
	b.SetBytes(int64(len(dst)))
}

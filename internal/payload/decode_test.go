package payload

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// decodeAll collects what DecodeSeries visits, in copies.
func decodeAll(r io.Reader) ([]Series, error) {
	var all []Series
	n, err := DecodeSeries(r, func(s *Series) error {
		all = append(all, clone(s))
		return nil
	})
	if n != len(all) {
		return all, fmt.Errorf("%d series visited, but %d reported", len(all), n)
	}
	return all, err
}

func clone(s *Series) Series {
	c := *s
	c.Points, c.Tags = slices.Clone(s.Points), slices.Clone(s.Tags)
	if len(c.Points) == 0 {
		c.Points = nil
	}
	if len(c.Tags) == 0 {
		c.Tags = nil
	}
	return c
}

func TestDecodeSeries(t *testing.T) {
	tests := []struct {
		body  string
		want  []Series
		cause string
	}{
		{`{"series":[]}`, nil, "an empty body is still a body"},
		{`{"series":null}`, nil, "a nil slice of a Go client"},
		{
			` { "series" : [ {"metric":"a","type":2,"interval":10,"points":[{"timestamp":5,"value":1.5},{"value":-2e3,"timestamp":6}],"tags":["x:1",""],"resources":[{"name":"db","type":"device"},{"name":"h","type":"host"}]} , {"metric":"b"} ] } ` + "\n",
			[]Series{
				{Metric: "a", Type: Rate, Interval: 10, Points: []Point{{5, 1.5}, {6, -2000}}, Tags: []string{"x:1", ""}, Host: "h"},
				{Metric: "b"},
			},
			"members in any order, white space anywhere; nothing of one series shows in the next",
		},
		{
			`{"x":[1,{"series":[{}]}],"series":[{"unit":"ms","metadata":{"origin":{"a":[true,false,null,-0.5e+3,"\""]}},"metric":"a","points":[{"z":{},"value":1}]}],"y":{}}`,
			[]Series{{Metric: "a", Points: []Point{{0, 1}}}},
			"unknown members are skipped, also those that look like known ones",
		},
		{
			`{"series":[{"metric":"a","type":null,"tags":null,"points":[{"timestamp":null,"value":3}],"resources":null,"interval":null}]}`,
			[]Series{{Metric: "a", Points: []Point{{0, 3}}}},
			"null is absent",
		},
		{
			`{"series":[{"metric":"x","metric":"a","tags":["1"],"tags":["2"],"points":[{"value":1}],"points":[{"value":2,"value":3}]}]}`,
			[]Series{{Metric: "a", Tags: []string{"2"}, Points: []Point{{0, 3}}}},
			"the last of two stands",
		},
		{
			`{"series":[{"m\u0065tric":"\u0061\n\/é\ud83d\ude00","points":[{"timestamp":1.7e9,"value":1}]}]}`,
			[]Series{{Metric: "a\n/é😀", Points: []Point{{1700000000, 1}}}},
			"escapes in names and values; a whole number in scientific form",
		},
		{
			`{"series":[{"metric":"a","resources":[{"type":"host","name":"h"},{"name":"x"},{"type":"host"},{"type":"device","name":"y"}],"interval":-10}]}`,
			[]Series{{Metric: "a", Interval: -10}},
			"nothing of one resource shows in the next; of two hosts the last stands, even without a name",
		},
		{
			`{"series":[{"metric":"a","resources":[{"type":"host","name":"h"},{"name":"x"}],"points":[{"timestamp":9223372036854775807,"value":100000000000000000000000},{"timestamp":-5,"value":9007199254740993}]}]}`,
			[]Series{{Metric: "a", Host: "h", Points: []Point{{math.MaxInt64, 1e23}, {-5, 1 << 53}}}},
			"numbers at and beyond the edge of 64 bits",
		},
	}
	for _, test := range tests {
		// One byte at a time puts every token across the edge of a read.
		for name, r := range map[string]io.Reader{"whole": strings.NewReader(test.body), "bytewise": iotest.OneByteReader(strings.NewReader(test.body))} {
			got, err := decodeAll(r)
			if err != nil {
				t.Errorf("%s, %s: %v", test.cause, name, err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", test.cause, name, diff)
			}
		}
	}
}

func TestDecodeSeriesRefuses(t *testing.T) {
	tests := []struct{ body, want string }{
		{``, "unexpected EOF"},
		{`{"series":[{"metric":"a"}]`, "unexpected EOF"},
		{`{"series":[{"metric":"a"}],`, "unexpected EOF"},
		{`{}`, `no field "series"`},
		{`[]`, `found '[', want '{'`},
		{`{"series":[],"series":[]}`, "stands twice"},
		{`{"series":[]}{}`, "the end of the body"},
		{`{"series":[{}]}`, "no metric"},
		{`{"series":[{"metric":"a","type":4}]}`, "type 4 is unknown"},
		{`{"series":[{"metric":"a","type":"count"}]}`, "want a number"},
		{`{"series":[{"metric":"a","points":[{"value":null}]}]}`, "want a number"},
		{`{"series":[{"metric":"a","points":[{"value":1e999}]}]}`, "too large"},
		{`{"series":[{"metric":"a","points":[{"timestamp":1.5}]}]}`, "no whole number"},
		{`{"series":[{"metric":"a","points":[{"timestamp":1e19}]}]}`, "no whole number"},
		{`{"series":[{"metric":"a","points":[{"timestamp":99999999999999999999}]}]}`, "no whole number"},
		{`{"series":[{"metric":"a","points":[{"value":01}]}]}`, "as JSON has it"},
		{`{"series":[{"metric":"a","points":[{"value":1.}]}]}`, "as JSON has it"},
		{`{"series":[{"metric":"a","points":[{"value":-}]}]}`, "as JSON has it"},
		{`{"series":[{"metric":"a",}]}`, "the name of a member"},
		{`{"series":[{"metric" "a"}]}`, "want a colon"},
		{`{"series":[{"metric":"a"},]}`, `want '{'`},
		{`{"series":[{"metric":"a"} {"metric":"a"}]}`, `want a comma or ']'`},
		{"{\"series\":[{\"metric\":\"a\nb\"}]}", "control character"},
		{`{"series":[{"metric":"\x"}]}`, "invalid character"},
		{`{"series":[{"metric":"a","x":nul}]}`, "want a value"},
		{`{"x":` + strings.Repeat("[", 100000), "nested deeper than 64"},
		{`{"series":[{"metric":"a","x":` + strings.Repeat(`{"x":`, 100000), "nested deeper than 64"},
		{`{"series":[{"metric":"` + strings.Repeat("a", tokenLimit) + `"}]}`, "longer than 1048576 bytes"},
	}
	for _, test := range tests {
		_, err := decodeAll(strings.NewReader(test.body))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.80s: got error %v, want one with %q", test.body, err, test.want)
		}
	}
}

func TestDecodeSeriesNamesThePlace(t *testing.T) {
	body := `{"series":[{"metric":"a"},{"metric":"b"},{"metric":}]}`
	n, err := DecodeSeries(strings.NewReader(body), func(*Series) error { return nil })
	want := `cannot decode series 3, at byte 51 of the body: found '}', want a string`
	if n != 2 || err == nil || err.Error() != want {
		t.Errorf("got %d series and %v\nwant 2 and %s", n, err, want)
	}
	// Also far behind the first buffer.
	body = strings.Repeat(" ", 3*bufferSize) + body
	want = strings.Replace(want, "51", fmt.Sprint(51+3*bufferSize), 1)
	if _, err = decodeAll(strings.NewReader(body)); err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
}

func TestDecodeSeriesPassesErrorsOn(t *testing.T) {
	body := `{"series":[{"metric":"a"},{"metric":"b"}]}`
	stop := errors.New("stop")
	n, err := DecodeSeries(strings.NewReader(body), func(s *Series) error {
		if s.Metric == "b" {
			return stop
		}
		return nil
	})
	if n != 1 || err != stop {
		t.Errorf("got %d, %v; want the visitor's own error after one series", n, err)
	}
	broken := errors.New("broken wire")
	_, err = decodeAll(io.MultiReader(strings.NewReader(body[:20]), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) {
		t.Errorf("got %v, want the reader's error wrapped", err)
	}
	// A checksum is wrong only at the very end, after the last brace.
	_, err = decodeAll(io.MultiReader(strings.NewReader(body), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) {
		t.Errorf("got %v after a complete body, want the reader's error wrapped", err)
	}
	// And a visitor that says io.EOF means its own end, not that of the body.
	if _, err = DecodeSeries(strings.NewReader(body), func(*Series) error { return io.EOF }); err != io.EOF {
		t.Errorf("got %v, want the visitor's io.EOF as it is", err)
	}
}

func TestDecodeSeriesStringsOutliveTheBuffer(t *testing.T) {
	// More than several buffers, with metrics that are all different and tags
	// longer than the table of strings remembers.
	var body strings.Builder
	long := strings.Repeat("t", internedLength+1)
	body.WriteString(`{"series":[`)
	const count = 5000
	for i := range count {
		if i > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"metric":"m%d","tags":["k:%d","%s%d"]}`, i, i%7, long, i)
	}
	body.WriteString(`]}`)
	got, err := decodeAll(strings.NewReader(body.String()))
	if err != nil || len(got) != count {
		t.Fatalf("%d series, %v", len(got), err)
	}
	for i, s := range got {
		if want := []string{fmt.Sprint("m", i), fmt.Sprint("k:", i%7), long + fmt.Sprint(i)}; !slices.Equal(want, append([]string{s.Metric}, s.Tags...)) {
			t.Fatalf("series %d became %+v", i, s)
		}
	}
}

func TestDecodeSeriesAllocations(t *testing.T) {
	const count = 2000
	body := sampleBody(count, func(i int) string { return fmt.Sprint("app.metric.", i) })
	r := strings.NewReader("")
	allocs := testing.AllocsPerRun(5, func() {
		r.Reset(body)
		if _, err := DecodeSeries(r, func(*Series) error { return nil }); err != nil {
			t.Fatal(err)
		}
	})
	// One string for each new metric, nothing for tags and hosts seen before.
	if limit := 1.1 * count; allocs > limit {
		t.Errorf("%v allocations for %d series with a metric of their own, want at most %v", allocs, count, limit)
	}
	body = sampleBody(count, func(int) string { return "app.metric" })
	allocs = testing.AllocsPerRun(5, func() {
		r.Reset(body)
		_, _ = DecodeSeries(r, func(*Series) error { return nil })
	})
	// The pool may lose a decoder to a collection, hence not exactly 0.
	if allocs > 20 {
		t.Errorf("%v allocations for %d series of strings seen before, want next to none", allocs, count)
	}
}

// sampleBody is a body as our encoder writes it, with four tags each.
func sampleBody(count int, metric func(i int) string) string {
	body := []byte(`{"series":[`)
	for i := range count {
		if i > 0 {
			body = append(body, ',')
		}
		tags := [][]byte{[]byte("env:production"), []byte("service:checkout"), fmt.Appendf(nil, "zone:%d", i%10), []byte("version:1.2.3")}
		body = AppendSeries(body, []byte(metric(i)), Type(i%3+1), 10, 1700000000, float64(i)/8, tags, "web-1")
	}
	return string(append(body, `]}`...))
}

func BenchmarkDecodeSeries(b *testing.B) {
	body := sampleBody(10000, func(i int) string { return fmt.Sprint("app.metric.", i) })
	r := strings.NewReader("")
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		r.Reset(body)
		if _, err := DecodeSeries(r, func(*Series) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

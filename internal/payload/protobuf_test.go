package payload

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

func decodeAllProto(r io.Reader) ([]Series, error) {
	var all []Series
	n, err := DecodeSeriesProto(r, func(s *Series) error {
		all = append(all, clone(s))
		return nil
	})
	if n != len(all) {
		return all, fmt.Errorf("%d series visited, but %d reported", len(all), n)
	}
	return all, err
}

// foreignSeries is what testdata/series.pb holds. The file was written by the
// types that github.com/DataDog/agent-payload v5.0.215 generates from the same
// definition, so that field numbers and wire types do not rest on this package
// alone. Besides what is listed it has every field that we skip: unit, source
// type, metadata with an origin, and a resource that is no host.
var foreignSeries = []Series{
	{Metric: "app.requests", Type: Count, Interval: 10, Points: []Point{{1767225600, 5}, {1767225610, -0.25}}, Tags: []string{"env:prod", "", "zone:ü"}, Host: "web-1"},
	{Metric: "app.load", Type: Gauge, Points: []Point{{-1, 1e300}}},
	{Metric: "app.rate", Type: Rate, Interval: math.MaxInt64, Points: []Point{{}}},
	{Metric: "app.nothing"},
}

func TestDecodeSeriesProtoReadsForeignBodies(t *testing.T) {
	body, err := os.ReadFile("testdata/series.pb")
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]io.Reader{"at once": bytes.NewReader(body), "byte by byte": iotest.OneByteReader(bytes.NewReader(body))} {
		got, err := decodeAllProto(r)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(foreignSeries, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestAppendSeriesProtoWritesForeignBytes: for series without the fields that
// we skip the bytes are those of the generated code, to the last one.
func TestAppendSeriesProtoWritesForeignBytes(t *testing.T) {
	want, err := os.ReadFile("testdata/series-plain.pb")
	if err != nil {
		t.Fatal(err)
	}
	got := AppendSeriesProto(nil, []byte("app.requests"), Count, 10, 1767225600, 5, [][]byte{[]byte("env:prod"), {}, []byte("zone:ü")}, "web-1")
	got = AppendSeriesProto(got, []byte("long."+strings.Repeat("x", 300)), Gauge, 0, 0, 0.5, nil, "")
	got = AppendSeriesProto(got, []byte("huge"), Rate, 1, 1, 1, [][]byte{bytes.Repeat([]byte("y"), 20000)}, "")
	if !bytes.Equal(got, want) {
		t.Errorf("got  %x\nwant %x", clip(got), clip(want))
	}
}

func clip(b []byte) []byte { return b[:min(len(b), 400)] }

func TestAppendSeriesProtoLeavesOutWhatIsNoNumber(t *testing.T) {
	for _, value := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if got := AppendSeriesProto([]byte("x"), []byte("m"), Gauge, 0, 1, value, nil, "h"); string(got) != "x" {
			t.Errorf("value %v: got %q, want the slice unchanged", value, got)
		}
	}
}

func FuzzAppendSeriesProto(f *testing.F) {
	f.Add("hits", uint8(1), int64(10), int64(1700000000), 12.5, "env:a,b", "web-1")
	f.Add("a\"\\\n\x00é€😀\xff", uint8(3), int64(-1), int64(-1), math.Copysign(0, -1), ",,", "<&>\u2028")
	f.Add("x\xe2\x82", uint8(0), int64(0), int64(math.MinInt64), math.MaxFloat64, "", "")
	f.Fuzz(func(t *testing.T, metric string, number uint8, interval, timestamp int64, value float64, tagList, host string) {
		var tags [][]byte
		want := Series{Metric: valid(metric), Type: Type(number % 4), Interval: interval, Points: []Point{{timestamp, value}}, Host: valid(host)}
		if tagList != "" {
			for tag := range strings.SplitSeq(tagList, ",") {
				tags = append(tags, []byte(tag))
				want.Tags = append(want.Tags, valid(tag))
			}
		}
		body := AppendSeriesProto(nil, []byte(metric), want.Type, interval, timestamp, value, tags, host)
		if len(body) == 0 {
			if finite(value) {
				t.Fatalf("value %v was left out", value)
			}
			return
		}
		if metric == "" {
			return // refused by the decoder
		}
		naive, err := naiveProto(body)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeAllProto(bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for name, series := range map[string][]Series{"naive": naive, "fast": got} {
			if diff := cmp.Diff([]Series{want}, series); diff != "" {
				t.Fatalf("the %s decoder reads another series (-want +got):\n%s", name, diff)
			}
		}
	})
}

// FuzzDecodeSeriesProto holds the decoder to a naive one in both directions.
func FuzzDecodeSeriesProto(f *testing.F) {
	for _, name := range []string{"testdata/series.pb", "testdata/series-plain.pb"} {
		body, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	for _, body := range protoFaults {
		f.Add([]byte(body.body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		want, wantErr := naiveProto(body)
		got, err := decodeAllProto(bytes.NewReader(body))
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("got error %v, naive %v", err, wantErr)
		}
		piecewise, pieceErr := decodeAllProto(iotest.OneByteReader(bytes.NewReader(body)))
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

// naiveField is one field in a tree of them.
type naiveField struct {
	number int
	wire   int
	value  uint64
	data   []byte
}

// naiveFields is slow and plain: it copies a message into a list.
func naiveFields(message []byte) []naiveField {
	var list []naiveField
	r := bytes.NewReader(message)
	number := func() uint64 {
		n, err := binary.ReadUvarint(r)
		refuse(err != nil)
		return n
	}
	for r.Len() > 0 {
		key := number()
		refuse(key>>3 == 0 || key>>3 >= 1<<29)
		field := naiveField{number: int(key >> 3), wire: int(key & 7)}
		length := uint64(0)
		switch field.wire {
		case 0:
			field.value = number()
		case 1:
			length = 8
		case 2:
			length = number()
		case 5:
			length = 4
		default:
			refuse(true)
		}
		refuse(length > uint64(r.Len()))
		field.data = make([]byte, length)
		_, _ = io.ReadFull(r, field.data)
		list = append(list, field)
	}
	return list
}

func naiveProto(body []byte) (all []Series, err error) {
	defer func() {
		if r := recover(); r != nil {
			if r != errNaive {
				panic(r)
			}
			err = errNaive
		}
	}()
	for _, top := range naiveFields(body) {
		if top.number != 1 {
			continue
		}
		refuse(top.wire != 2)
		var s Series
		for _, field := range naiveFields(top.data) {
			switch field.number {
			case 1:
				refuse(field.wire != 2)
				var kind, name string
				for _, part := range naiveFields(field.data) {
					refuse(part.number <= 2 && part.wire != 2)
					if part.number == 1 {
						kind = valid(string(part.data))
					} else if part.number == 2 {
						name = valid(string(part.data))
					}
				}
				if kind == "host" {
					s.Host = name
				}
			case 2:
				refuse(field.wire != 2)
				s.Metric = valid(string(field.data))
			case 3:
				refuse(field.wire != 2)
				s.Tags = append(s.Tags, valid(string(field.data)))
			case 4:
				refuse(field.wire != 2)
				s.Points = append(s.Points, naivePoint(field.data))
			case 5:
				refuse(field.wire != 0 || field.value > 3)
				s.Type = Type(field.value)
			case 8:
				refuse(field.wire != 0)
				s.Interval = int64(field.value)
			}
		}
		refuse(s.Metric == "")
		all = append(all, s)
	}
	return all, nil
}

func naivePoint(message []byte) (p Point) {
	for _, part := range naiveFields(message) {
		switch part.number {
		case 1:
			refuse(part.wire != 1)
			p.Value = math.Float64frombits(binary.LittleEndian.Uint64(part.data))
			refuse(math.IsNaN(p.Value) || math.IsInf(p.Value, 0))
		case 2:
			refuse(part.wire != 0)
			p.Timestamp = int64(part.value)
		}
	}
	return p
}

// protoFaults are bodies that are refused, each for its own reason.
var protoFaults = []struct{ why, body, text string }{
	{"no metric", "\x0a\x02\x28\x01", "the series has no metric"},
	{"unknown type", "\x0a\x05\x12\x01m\x28\x04", "type 4 is unknown"},
	{"a type in a string", "\x0a\x06\x12\x01m\x2a\x01x", "field 5 has wire type 2, want 0"},
	{"a series in a number", "\x08\x01", "field 1 has wire type 0, want 2"},
	{"a value of NaN", "\x0a\x0e\x12\x01m\x22\x09\x09\x00\x00\x00\x00\x00\x00\xf8\x7f", "want a finite number"},
	{"cut in a series", "\x0a\x05\x12\x01m", "unexpected EOF"},
	{"cut in a key", "\x8a", "unexpected EOF"},
	{"a field longer than its series", "\x0a\x03\x12\x05m", "a field ends behind its message"},
	{"a group", "\x0b\x0c", "field 1 has wire type 3"},
	{"field 0", "\x02\x00", "field number 0 does not exist"},
	{"an endless number", "\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", "more than 64 bits"},
	{"a length that nobody holds", "\x0a\xff\xff\xff\xff\x0f", "want at most 1048576"},
}

func TestDecodeSeriesProtoRefuses(t *testing.T) {
	for _, test := range protoFaults {
		_, err := decodeAllProto(strings.NewReader(test.body))
		if err == nil || !strings.Contains(err.Error(), test.text) || !strings.HasPrefix(err.Error(), "cannot decode series 1, at byte ") {
			t.Errorf("%s: got %v, want %q", test.why, err, test.text)
		}
	}
}

func TestDecodeSeriesProtoTakes(t *testing.T) {
	for why, test := range map[string]struct {
		body string
		want []Series
	}{
		"nothing":                          {"", nil},
		"fields of other wire types":       {"\x10\x05\x1a\x02xy\x21\x01\x02\x03\x04\x05\x06\x07\x08\x2d\x01\x02\x03\x04\x0a\x03\x12\x01m", []Series{{Metric: "m"}}},
		"of a field given twice, the last": {"\x0a\x06\x12\x01m\x12\x01n", []Series{{Metric: "n"}}},
	} {
		got, err := decodeAllProto(strings.NewReader(test.body))
		if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", why, err, diff)
		}
	}
}

func TestDecodeSeriesProtoPassesErrorsOn(t *testing.T) {
	body := AppendSeriesProto(nil, []byte("m"), Count, 1, 1, 1, nil, "")
	body = append(body, body...)
	enough := errors.New("enough")
	n, err := DecodeSeriesProto(bytes.NewReader(body), func(*Series) error { return enough })
	if n != 0 || err != enough {
		t.Errorf("an error of visit: %d, %v, want it bare", n, err)
	}
	broken := errors.New("broken")
	n, err = DecodeSeriesProto(io.MultiReader(bytes.NewReader(body), iotest.ErrReader(broken)), func(*Series) error { return nil })
	if n != 2 || !errors.Is(err, broken) {
		t.Errorf("an error of the reader: %d, %v", n, err)
	}
}

func TestProtoAllocations(t *testing.T) {
	dst := make([]byte, 0, 64<<10)
	metric, tags := []byte("app.requests.latency\n\xff"), [][]byte{[]byte("env:prod"), []byte("zone:ü"), bytes.Repeat([]byte("x"), 200)}
	if allocs := testing.AllocsPerRun(100, func() {
		dst = AppendSeriesProto(dst[:0], metric, Count, 10, 1700000000, 0.3, tags, "web\x01-1")
	}); allocs != 0 {
		t.Errorf("%v allocations per series, want 0", allocs)
	}
	points := []SketchPoint{{Timestamp: 1, Count: 3, Min: 1, Max: 2, Avg: 1.5, Sum: 3, Keys: []int32{-5, 1, 1442}, Counts: []uint32{1, 1, 1}}}
	if allocs := testing.AllocsPerRun(100, func() {
		dst = AppendSketch(dst[:0], metric, "web-1", tags, points)
	}); allocs != 0 {
		t.Errorf("%v allocations per sketch, want 0", allocs)
	}
	event := &Event{Title: "t\n\xff", Text: "x", Timestamp: 1, Host: "h", Priority: "low", AlertType: "info", AggregationKey: "k", SourceType: "s", Tags: []string{"a", "b"}}
	check := &ServiceCheck{Name: "n", Host: "h", Status: 3, Timestamp: 1, Tags: []string{"a"}, Message: "m"}
	if allocs := testing.AllocsPerRun(100, func() {
		dst = AppendServiceCheck(AppendEvent(dst[:0], event), check)
	}); allocs != 0 {
		t.Errorf("%v allocations per event and service check, want 0", allocs)
	}
	// Decoding costs nothing per series once the strings are known.
	body := bytes.Repeat(AppendSeriesProto(nil, []byte("m"), Count, 1, 1, 1, [][]byte{[]byte("a:1")}, "h"), 1000)
	r := bytes.NewReader(nil)
	if allocs := testing.AllocsPerRun(20, func() {
		r.Reset(body)
		if _, err := DecodeSeriesProto(r, func(*Series) error { return nil }); err != nil {
			t.Error(err)
		}
	}); allocs > 10 {
		t.Errorf("%v allocations for 1000 series, want at most 10", allocs)
	}
}

func BenchmarkAppendSeriesProto(b *testing.B) {
	dst := make([]byte, 0, 4096)
	metric := []byte("app.requests.latency.count")
	tags := [][]byte{[]byte("env:production"), []byte("service:checkout"), []byte("zone:eu-west-1a"), []byte("version:1.2.3")}
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendSeriesProto(dst[:0], metric, Count, 10, 1700000000, 1234, tags, "web-1")
	}
	b.SetBytes(int64(len(dst)))
}

func BenchmarkDecodeSeriesProto(b *testing.B) {
	var body []byte
	tags := [][]byte{[]byte("env:production"), []byte("service:checkout"), []byte("zone:eu-west-1a")}
	for i := range 10000 {
		body = AppendSeriesProto(body, fmt.Appendf(nil, "app.metric.%d", i), Count, 10, 1700000000, 1234, tags, "web-1")
	}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeSeriesProto(bytes.NewReader(body), func(*Series) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

// cloneSketch copies what DecodeSketches reuses.
func cloneSketch(s *Sketch) Sketch {
	c := *s
	c.Tags = slices.Clone(s.Tags)
	c.Points = slices.Clone(s.Points)
	for i := range c.Points {
		c.Points[i].Keys, c.Points[i].Counts = slices.Clone(c.Points[i].Keys), slices.Clone(c.Points[i].Counts)
	}
	return c
}

package payload

import (
	"bytes"
	"errors"
	"math"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func decodeAllSketches(body []byte) (all []Sketch, err error) {
	_, err = DecodeSketches(bytes.NewReader(body), func(s *Sketch) error {
		all = append(all, cloneSketch(s))
		return nil
	})
	return all, err
}

// foreignSketches is what testdata/sketches.pb holds; see foreignSeries. The
// keys of the values 5, 6 and 7 are those of the agent's sketch.
var foreignSketches = []Sketch{
	{Metric: "app.latency", Host: "web-1", Tags: []string{"env:prod", ""}, Points: []SketchPoint{
		{Timestamp: 1767225600, Count: 3, Min: 5, Max: 7, Avg: 6, Sum: 18, Keys: []int32{1442, 1454, 1464}, Counts: []uint32{1, 1, 1}},
		{Timestamp: 1767225610, Count: 5, Min: -2, Max: 0, Avg: -1.2, Sum: -6, Keys: []int32{math.MinInt32, -1383, 0, math.MaxInt32}, Counts: []uint32{1, 2, 1, math.MaxUint32}},
	}},
	{Metric: "app.empty", Points: []SketchPoint{{}}},
	{Metric: "app.none"},
}

func TestDecodeSketchesReadsForeignBodies(t *testing.T) {
	body, err := os.ReadFile("testdata/sketches.pb")
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeAllSketches(body)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(foreignSketches, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestAppendSketchWritesForeignBytes: the file ends in an empty metadata field,
// which the generated code always writes and we never do.
func TestAppendSketchWritesForeignBytes(t *testing.T) {
	want, err := os.ReadFile("testdata/sketches-plain.pb")
	if err != nil {
		t.Fatal(err)
	}
	var got []byte
	for _, s := range foreignSketches {
		got = AppendSketch(got, s.Metric, s.Host, s.Tags, s.Points)
	}
	if !bytes.Equal(append(got, 0x12, 0), want) {
		t.Errorf("got  %x\nwant %x", got, want)
	}
}

func TestAppendSketchLeavesOutWhatIsNoNumber(t *testing.T) {
	for _, p := range []SketchPoint{{Min: math.NaN()}, {Max: math.Inf(1)}, {Avg: math.Inf(-1)}, {Sum: math.Inf(1)}} {
		if got := AppendSketch([]byte("x"), "m", "", nil, []SketchPoint{{Count: 1}, p}); string(got) != "x" {
			t.Errorf("%+v: got %q, want the slice unchanged", p, got)
		}
	}
}

func TestDecodeSketchesRefuses(t *testing.T) {
	for _, test := range []struct{ why, body, text string }{
		{"no metric", "\x0a\x00", "the sketch has no metric"},
		{"keys without counts", "\x0a\x08\x0a\x01m\x3a\x03\x3a\x01\x02", "1 keys and 0 counts"},
		{"a negative count", "\x0a\x10\x0a\x01m\x3a\x0b\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "count is -1"},
		{"a key of more than 32 bits", "\x0a\x0d\x0a\x01m\x3a\x08\x3a\x06\xff\xff\xff\xff\xff\x01", "want 32 bits"},
		{"a key cut off", "\x0a\x08\x0a\x01m\x3a\x03\x3a\x01\x82", "a field ends behind its message"},
		{"keys of another wire type", "\x0a\x0a\x0a\x01m\x3a\x05\x3d\x01\x00\x00\x00", "field 7 has wire type 5"},
		{"a minimum that is none", "\x0a\x0e\x0a\x01m\x3a\x09\x19\x00\x00\x00\x00\x00\x00\xf0\x7f", "want a finite number"},
	} {
		if _, err := decodeAllSketches([]byte(test.body)); err == nil || !strings.Contains(err.Error(), test.text) || !strings.HasPrefix(err.Error(), "cannot decode sketch 1, at byte ") {
			t.Errorf("%s: got %v, want %q", test.why, err, test.text)
		}
	}
	enough := errors.New("enough")
	if n, err := DecodeSketches(strings.NewReader("\x0a\x03\x0a\x01m"), func(*Sketch) error { return enough }); n != 0 || err != enough {
		t.Errorf("an error of visit: %d, %v, want it bare", n, err)
	}
}

// TestDecodeSketchesTakesNumbersOneByOne: a writer need not pack them.
func TestDecodeSketchesTakesNumbersOneByOne(t *testing.T) {
	got, err := decodeAllSketches([]byte("\x0a\x0d\x0a\x01m\x3a\x08\x38\x01\x38\x04\x40\x07\x40\x09"))
	want := []Sketch{{Metric: "m", Points: []SketchPoint{{Keys: []int32{-1, 2}, Counts: []uint32{7, 9}}}}}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func FuzzSketchRoundTrip(f *testing.F) {
	f.Add("m", "h", "a,b", int64(1), int64(2), 1.0, -2.0, []byte("\x01\x02\x03\x04\x05\x06\x07\x08"))
	f.Add("\xff", "", "", int64(-1), int64(math.MaxInt64), math.MaxFloat64, math.Copysign(0, -1), []byte{})
	f.Fuzz(func(t *testing.T, metric, host, tagList string, timestamp, count int64, low, high float64, bins []byte) {
		p := SketchPoint{Timestamp: timestamp, Count: count & math.MaxInt64, Min: low, Max: high, Avg: low, Sum: high}
		for i := 0; i+8 <= len(bins); i += 8 {
			p.Keys = append(p.Keys, int32(uint32(bins[i])|uint32(bins[i+1])<<8|uint32(bins[i+2])<<16|uint32(bins[i+3])<<24))
			p.Counts = append(p.Counts, uint32(bins[i+4])|uint32(bins[i+5])<<8|uint32(bins[i+6])<<16|uint32(bins[i+7])<<24)
		}
		want := Sketch{Metric: valid(metric), Host: valid(host), Points: []SketchPoint{p, {}, p}}
		tags := strings.Split(tagList, ",")
		for _, tag := range tags {
			want.Tags = append(want.Tags, valid(tag))
		}
		body := AppendSketch(nil, metric, host, tags, want.Points)
		if len(body) == 0 || metric == "" {
			if len(body) == 0 && finite(low) && finite(high) {
				t.Fatal("left out")
			}
			return
		}
		// Twice, so that what is reused shows.
		got, err := decodeAllSketches(append(body, body...))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]Sketch{want, want}, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

// FuzzDecodeSketches: no body makes it panic, and how it comes does not matter.
func FuzzDecodeSketches(f *testing.F) {
	for _, name := range []string{"testdata/sketches.pb", "testdata/sketches-plain.pb"} {
		body, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := decodeAllSketches(body)
		var piecewise []Sketch
		_, pieceErr := DecodeSketches(iotest.OneByteReader(bytes.NewReader(body)), func(s *Sketch) error {
			piecewise = append(piecewise, cloneSketch(s))
			return nil
		})
		if diff := cmp.Diff(got, piecewise, cmpopts.EquateEmpty()); diff != "" || (err == nil) != (pieceErr == nil) {
			t.Fatalf("whole and byte by byte differ: %v, %v\n%s", err, pieceErr, diff)
		}
		if err != nil {
			return
		}
		// What was read can be written, and is read as the same.
		var again []byte
		for i := range got {
			again = AppendSketch(again, got[i].Metric, got[i].Host, got[i].Tags, got[i].Points)
		}
		back, err := decodeAllSketches(again)
		if diff := cmp.Diff(got, back, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Fatalf("%v (-first +second):\n%s", err, diff)
		}
	})
}

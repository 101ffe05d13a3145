package intake

import (
	"bytes"
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"floodgate/internal/payload"
)

// kinds has uploads of every kind.
var kinds = []struct {
	path, media string
	body        []byte
}{
	{PathSeries, mediaJSON, []byte(`{"series":[` + string(payload.AppendSeries(nil, []byte("m"), payload.Count, 10, 1, 2, nil, "")) + `]}`)},
	{PathSeries, mediaProtobuf, payload.AppendSeriesProto(nil, []byte("m"), payload.Count, 10, 1, 3, nil, "")},
	{PathSketches, mediaProtobuf, payload.AppendSketch(nil, "d", "", []string{"b", "a"}, []payload.SketchPoint{
		{Timestamp: 1, Count: 2, Min: 3, Max: 5, Avg: 4, Sum: 8, Keys: []int32{1, 2}, Counts: []uint32{1, 1}}, {Timestamp: 2}})},
	{PathSketches, mediaProtobuf, payload.AppendSketch(nil, "d", "", []string{"a", "b"}, []payload.SketchPoint{{Timestamp: 3, Count: 1, Min: -1, Max: -1, Avg: -1, Sum: -1}})},
	{PathEvents, mediaJSON, []byte(`{"events":{"api":[{"msg_title":"a"},{"msg_title":"b"}]}}`)},
	{PathEvent, mediaJSON, []byte(`{"title":"c"}`)},
	{PathChecks, mediaJSON, []byte(`[{"check":"x","status":2},{"check":"y","status":0}]`)},
}

// sendKinds uploads one of each kind, compressed.
func sendKinds(t *testing.T, c *client) (size int64) {
	t.Helper()
	for i, kind := range kinds {
		encoding := payload.Encodings[i%len(payload.Encodings)]
		var body bytes.Buffer
		w, err := payload.NewWriter(encoding, &body)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write(kind.body)
		_ = w.Close()
		size += int64(body.Len())
		if status, text := c.post(t, kind.path+"?api_key=x", body.Bytes(), "Content-Type", kind.media, "Content-Encoding", encoding); status != http.StatusAccepted {
			t.Errorf("%s %s: %d %s", kind.path, kind.media, status, text)
		}
	}
	return size
}

func TestTakesEveryKind(t *testing.T) {
	c := run(t, nil)
	size := sendKinds(t, c)
	totals := &Totals{}
	if err := c.DecodeAll(totals.Visitor()); err != nil {
		t.Fatal(err)
	}
	activity(t, c, Activity{Requests: int64(len(kinds)), Bytes: size})
	if got, want := totals.OfType(payload.Count), (TypeTotal{Keys: 1, Series: 2, Points: 2, Sum: 5}); got != want {
		t.Errorf("series: %+v, want %+v", got, want)
	}
	want := map[string]SketchTotal{"d|a,b": {Points: 3, Count: 3, Sum: 7, Min: -1, Max: 5}}
	if diff := cmp.Diff(want, maps.Collect(totals.AllSketches())); diff != "" {
		t.Errorf("sketches (-want +got):\n%s", diff)
	}
	if got, found := totals.GetSketch("d|a,b"); !found || got != want["d|a,b"] {
		t.Errorf("GetSketch: %+v, %v", got, found)
	}
	if _, found := totals.GetSketch("m|"); found {
		t.Error("a series shows among the sketches")
	}
	if got, want := totals.Sketches(), (SketchesTotal{Keys: 1, Sketches: 2, Points: 3, Count: 3, Sum: 7}); got != want {
		t.Errorf("sketches: %+v, want %+v", got, want)
	}
	if totals.Events != 3 || totals.Checks != 2 {
		t.Errorf("%d events and %d service checks, want 3 and 2", totals.Events, totals.Checks)
	}
	if !totals.Last.Equal(c.Activity().Last) {
		t.Errorf("last at %v, want the time of the last upload, %v", totals.Last, c.Activity().Last)
	}
	if got := c.Warnings(); len(got) != 0 {
		t.Errorf("warnings %q, want none: everything was counted", got)
	}
}

// TestDecodeWarnsOfOtherKinds: who asks for series alone has to know what the
// sum leaves out.
func TestDecodeWarnsOfOtherKinds(t *testing.T) {
	c := run(t, nil)
	sendKinds(t, c)
	if got := c.totals(t).OfType(payload.Count).Sum; got != 5 {
		t.Errorf("sum %v, want 5 in both formats", got)
	}
	want := []string{
		"an upload of events was taken, but what it held was not counted (2 times)",
		"an upload of service checks was taken, but what it held was not counted (1 times)",
		"an upload of sketches was taken, but what it held was not counted (2 times)",
	}
	if diff := cmp.Diff(want, c.Warnings()); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func TestMediaTypesOfEachPath(t *testing.T) {
	c := run(t, nil)
	for _, test := range []struct{ path, media, want string }{
		{PathSketches, mediaJSON, `want application/x-protobuf"`},
		{PathEvents, mediaProtobuf, `want application/json"`},
		{PathEvent, mediaProtobuf, `want application/json"`},
		{PathChecks, "text/plain", `want application/json"`},
	} {
		if status, text := c.post(t, test.path, []byte("x"), "Content-Type", test.media); status != http.StatusUnsupportedMediaType || !strings.Contains(text, test.want) {
			t.Errorf("%s with %s: %d %s, want 415 with %s", test.path, test.media, status, text, test.want)
		}
	}
	activity(t, c, Activity{Refused: 4})
}

func TestUnreadableUploadsOfEveryKind(t *testing.T) {
	c := run(t, nil)
	for _, upload := range []struct{ path, media, body string }{
		{PathSeries, mediaProtobuf, "\x0a\x05"},
		{PathSketches, mediaProtobuf, "\x0a\x00"},
		{PathEvents, mediaJSON, `{"events":[]}`},
		{PathEvent, mediaJSON, `{}`},
		{PathChecks, mediaJSON, `{}`},
	} {
		c.post(t, upload.path, []byte(upload.body), "Content-Type", upload.media)
	}
	if err := c.Decode(nil); err == nil || !strings.Contains(err.Error(), "cannot decode 5 of the uploads") {
		t.Errorf("got %v, want 5 unreadable: who skips a kind still learns of its faults", err)
	}
}

// TestDecodeAllStopsWhereAVisitorDoes for each kind.
func TestDecodeAllStopsWhereAVisitorDoes(t *testing.T) {
	enough := errors.New("enough")
	for kind, v := range map[string]Visitor{
		"series":         {Series: func(time.Time, *payload.Series) error { return enough }},
		"sketches":       {Sketch: func(time.Time, *payload.Sketch) error { return enough }},
		"events":         {Event: func(time.Time, *payload.Event) error { return enough }},
		"service checks": {Check: func(time.Time, *payload.ServiceCheck) error { return enough }},
	} {
		c := run(t, nil)
		sendKinds(t, c)
		if err := c.DecodeAll(v); err != enough {
			t.Errorf("%s: %v, want the visitor's own error", kind, err)
		}
		if got := c.Activity().Invalid; got != 0 {
			t.Errorf("%s: %d uploads invalid: an error of the visitor is none of the upload", kind, got)
		}
		if err := c.DecodeAll(Visitor{}); err != nil {
			t.Errorf("%s: the uploads after it: %v", kind, err)
		}
	}
}

func TestSketchTotalsAllocateOnlyForNewKeys(t *testing.T) {
	var totals Totals
	s := &payload.Sketch{Metric: "d", Tags: []string{"z:1", "a:2"}, Points: []payload.SketchPoint{{Count: 1}}}
	at := time.Now()
	totals.AddSketch(at, s)
	if allocs := testing.AllocsPerRun(100, func() { totals.AddSketch(at, s) }); allocs != 0 {
		t.Errorf("%v allocations for a key that is known, want 0", allocs)
	}
}

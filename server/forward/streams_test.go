package forward

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"floodgate/internal/payload"
	"floodgate/server/aggregate"
)

// fakeIntake answers in place of the network, also inside of a synctest bubble.
type fakeIntake func(r *http.Request, body []byte) (status int)

func (f fakeIntake) RoundTrip(r *http.Request) (*http.Response, error) {
	defer r.Body.Close() // as every transport must
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	status := f(r, body)
	if status == 0 {
		return nil, errors.New("no route to the intake")
	}
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Body: http.NoBody, Request: r}, nil
}

// newFake returns a Forwarder whose uploads go to intake.
func newFake(t *testing.T, change func(*Config), intake fakeIntake) *Forwarder {
	t.Helper()
	c := Default()
	c.URL = "http://one"
	if change != nil {
		change(&c)
	}
	f, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	f.client.Transport = intake
	return f
}

// got is everything that arrived at an intake.
type got struct {
	paths    []string
	series   []payload.Series
	sketches []payload.Sketch
	events   []payload.Event
	checks   []payload.ServiceCheck
}

func (g *got) take(t *testing.T) fakeIntake {
	return func(r *http.Request, raw []byte) int {
		body := strings.NewReader(decoded(t, r.Header.Get("Content-Encoding"), raw))
		media := r.Header.Get("Content-Type")
		g.paths = append(g.paths, r.URL.Path+" "+media)
		var err error
		series := func(s *payload.Series) error {
			c := *s
			c.Points, c.Tags = append([]payload.Point(nil), s.Points...), append([]string(nil), s.Tags...)
			g.series = append(g.series, c)
			return nil
		}
		switch r.URL.Path {
		case "/api/v2/series":
			if media == mediaProtobuf {
				_, err = payload.DecodeSeriesProto(body, series)
			} else {
				_, err = payload.DecodeSeries(body, series)
			}
		case "/api/beta/sketches":
			_, err = payload.DecodeSketches(body, func(s *payload.Sketch) error {
				c := *s
				c.Tags, c.Points = append([]string(nil), s.Tags...), append([]payload.SketchPoint(nil), s.Points...)
				for i := range c.Points {
					c.Points[i].Keys, c.Points[i].Counts = append([]int32(nil), c.Points[i].Keys...), append([]uint32(nil), c.Points[i].Counts...)
				}
				g.sketches = append(g.sketches, c)
				return nil
			})
		case "/intake/":
			_, err = payload.DecodeEvents(body, func(e *payload.Event) error { g.events = append(g.events, *e); return nil })
		case "/api/v1/check_run":
			_, err = payload.DecodeServiceChecks(body, func(c *payload.ServiceCheck) error { g.checks = append(g.checks, *c); return nil })
		default:
			t.Errorf("unexpected path %s", r.URL.Path)
		}
		if err != nil {
			t.Error(err)
		}
		return http.StatusAccepted
	}
}

const everyKind = "a:1:2|c|#y:2,x:1\ng:4|g\n_e{1,2}:t|ab|p:low|#e:1\n_sc|s|2|h:there|m:m"

// TestFlushSendsEverything in both formats of series and in both modes of the
// encoder: what arrives is the same.
func TestFlushSendsEverything(t *testing.T) {
	for _, format := range Formats {
		for _, buffered := range []bool{false, true} {
			var g got
			f := newFake(t, func(c *Config) { c.Host, c.Format, c.Buffered = "here", format, buffered }, g.take(t))
			if err := errors.Join(f.Sketches(t.Context(), cut("d:5:6:7|d|#x:1").EachSketch), f.Flush(t.Context(), cut(everyKind))); err != nil {
				t.Fatal(err)
			}
			media := map[string]string{JSON: mediaJSON, Protobuf: mediaProtobuf}[format]
			want := got{
				paths: []string{"/api/beta/sketches " + mediaProtobuf, "/api/v2/series " + media, "/intake/ " + mediaJSON, "/api/v1/check_run " + mediaJSON},
				series: []payload.Series{
					{Metric: "a", Type: payload.Count, Interval: 10, Points: []payload.Point{{Value: 3}}, Tags: []string{"x:1", "y:2"}, Host: "here"},
					{Metric: "g", Type: payload.Gauge, Interval: 10, Points: []payload.Point{{Value: 4}}, Host: "here"},
				},
				sketches: []payload.Sketch{{Metric: "d", Host: "here", Tags: []string{"x:1"}, Points: []payload.SketchPoint{
					{Count: 3, Min: 5, Max: 7, Avg: 6, Sum: 18, Keys: []int32{1442, 1454, 1464}, Counts: []uint32{1, 1, 1}}}}},
				events: []payload.Event{{Title: "t", Text: "ab", Host: "here", Priority: "low", Tags: []string{"e:1"}}},
				checks: []payload.ServiceCheck{{Name: "s", Host: "there", Status: 2, Message: "m"}},
			}
			if diff := cmp.Diff(want, g, cmp.AllowUnexported(got{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s, buffered %v (-want +got):\n%s", format, buffered, diff)
			}
			if n := f.Counters.Uploaded.Load(); n != 5 {
				t.Errorf("%s: %d messages uploaded, want 5", format, n)
			}
		}
	}
}

// TestHostOfTheTags: the host that a tag names beats that of the server, and no
// name beats it too. A series has its own, whatever its neighbours have.
func TestHostOfTheTags(t *testing.T) {
	const messages = "a:1|%[1]s|#host:web,x:1\nb:1|%[1]s\nc:1|%[1]s|#host:\nd:1|%[1]s|#host:db\ne:1|%[1]s|#host:db,y:1"
	want := "a@web[x:1] b@here[] c@[] d@db[] e@db[y:1]"
	for _, format := range Formats {
		var g got
		f := newFake(t, func(c *Config) { c.Host, c.Format = "here", format }, g.take(t))
		if err := errors.Join(f.Flush(t.Context(), cut(fmt.Sprintf(messages, "g"))), f.Flush(t.Context(), cut(fmt.Sprintf(messages, "d")))); err != nil {
			t.Fatal(err)
		}
		var series, sketches []string
		for _, s := range g.series {
			series = append(series, fmt.Sprintf("%s@%s%v", s.Metric, s.Host, s.Tags))
		}
		for _, s := range g.sketches {
			sketches = append(sketches, fmt.Sprintf("%s@%s%v", s.Metric, s.Host, s.Tags))
		}
		if got := strings.Join(series, " "); got != want {
			t.Errorf("%s: series %s, want %s", format, got, want)
		}
		if got := strings.Join(sketches, " "); got != want {
			t.Errorf("%s: sketches %s, want %s", format, got, want)
		}
	}
}

func TestNothingIsSentForNothing(t *testing.T) {
	f := newFake(t, nil, func(r *http.Request, _ []byte) int { t.Errorf("%s was sent", r.URL); return 202 })
	err := errors.Join(f.Flush(t.Context(), cut("")), f.Events(t.Context(), nil), f.Checks(t.Context(), nil), f.Sketches(t.Context(), cut("").EachSketch))
	if err != nil {
		t.Error(err)
	}
	if len(f.encoders) != 0 {
		t.Errorf("%d encoders, want none: each costs a compressor", len(f.encoders))
	}
}

func TestEventsAndChecksByThemselves(t *testing.T) {
	var g got
	f := newFake(t, func(c *Config) { c.MaxRecords = 2 }, g.take(t))
	events := []payload.Event{{Title: "a"}, {Title: "b"}, {Title: "c", Host: "h"}}
	checks := []payload.ServiceCheck{{Name: "x", Status: 3}}
	if err := errors.Join(f.Events(t.Context(), events), f.Checks(t.Context(), checks)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(events, g.events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(checks, g.checks); diff != "" {
		t.Errorf("service checks (-want +got):\n%s", diff)
	}
	if len(g.paths) != 3 || f.Counters.Uploaded.Load() != 4 {
		t.Errorf("%d messages in %v, want 4 in 3 uploads", f.Counters.Uploaded.Load(), g.paths)
	}
}

// TestOneKindFails: the others are still sent.
func TestOneKindFails(t *testing.T) {
	var paths []string
	f := newFake(t, nil, func(r *http.Request, _ []byte) int {
		paths = append(paths, r.URL.Path)
		if r.URL.Path == "/api/v2/series" {
			return http.StatusForbidden
		}
		return http.StatusAccepted
	})
	if err := f.Flush(t.Context(), cut(everyKind)); !errors.Is(err, ErrUpload) {
		t.Errorf("got %v, want ErrUpload", err)
	}
	if n := &f.Counters; len(paths) != 3 || n.Uploaded.Load() != 2 || n.UploadFailed.Load() != 2 {
		t.Errorf("%v: %d uploaded, %d failed, want 2 and 2", paths, n.Uploaded.Load(), n.UploadFailed.Load())
	}
}

// TestWhatNoFormatCanExpress: it must not spoil the body for its neighbours,
// and must not go unaccounted for.
func TestWhatNoFormatCanExpress(t *testing.T) {
	for _, format := range Formats {
		var g got
		f := newFake(t, func(c *Config) { c.Format = format }, g.take(t))
		if err := errors.Join(f.Flush(t.Context(), cut("big:1e308:1e308|c\na:1|c")), f.Sketches(t.Context(), cut("d:1e308:1e308|d").EachSketch)); err != nil {
			t.Fatal(err)
		}
		if len(g.series) != 1 || g.series[0].Metric != "a" || len(g.sketches) != 0 {
			t.Errorf("%s: got %v and %v, want a alone", format, g.series, g.sketches)
		}
		if n := &f.Counters; n.Uploaded.Load() != 1 || n.UploadFailed.Load() != 2 {
			t.Errorf("%s: %d uploaded, %d failed, want 1 and 2", format, n.Uploaded.Load(), n.UploadFailed.Load())
		}
	}
}

func TestConfigValidate(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"want a URL":           func(c *Config) { c.Also = []string{"two"} },
		"is given twice":       func(c *Config) { c.Also = []string{"http://two", "http://one"} },
		`format is "xml"`:      func(c *Config) { c.Format = "xml" },
		"records of a batch":   func(c *Config) { c.MaxRecords = -1 },
		"retry bytes are -1":   func(c *Config) { c.RetryBytes = -1 },
		"retry time is -1ns":   func(c *Config) { c.RetryFor = -1 },
		"upload timeout is 0s": func(c *Config) { c.Timeout = 0 },
	} {
		c := Default()
		c.URL = "http://one"
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestStreamsAllocatePerBatchOnly: ten times the records cost no allocation
// more as long as they fit into one batch.
func TestStreamsAllocatePerBatchOnly(t *testing.T) {
	f := newFake(t, func(c *Config) { c.Host, c.Encoding = "h", payload.Identity }, func(*http.Request, []byte) int { return 202 })
	f.client.Transport = discard{}
	series := aggregate.Series{Name: []byte("app.latency"), Suffix: ".count", Type: aggregate.CountSeries, Tags: []byte("a:1,b:2"), Time: 1, Interval: time.Second, Value: 1.5, Messages: 1}
	sketch := aggregate.Sketch{Name: []byte("app.size"), Tags: []byte("a:1"), Count: 1, Sum: 1, Min: 1, Max: 1, Avg: 1, Keys: []int32{1338}, Counts: []uint32{1}, Messages: 1}
	flush := func(n int) func() {
		return func() {
			var lost losses
			f.flushSeries(context.Background(), func(visit func(*aggregate.Series) error) error {
				return repeat(n, func() error { return visit(&series) })
			}, &lost)
			f.flushSketches(context.Background(), func(visit func(*aggregate.Sketch) error) error {
				return repeat(n, func() error { return visit(&sketch) })
			}, &lost)
			if lost.first != nil {
				t.Error(lost.first)
			}
		}
	}
	flush(10_000)() // buffers grow
	few, many := testing.AllocsPerRun(5, flush(1000)), testing.AllocsPerRun(5, flush(10_000))
	if many > few+20 {
		t.Errorf("%v allocations for 10,000 records of each kind, %v for 1000", many, few)
	}
}

func repeat(n int, do func() error) error {
	for range n {
		if err := do(); err != nil {
			return err
		}
	}
	return nil
}

// discard acknowledges without looking.
type discard struct{}

func (discard) RoundTrip(r *http.Request) (*http.Response, error) {
	defer r.Body.Close()
	_, _ = io.Copy(io.Discard, r.Body)
	return &http.Response{StatusCode: 202, Body: http.NoBody, Request: r}, nil
}

func BenchmarkStreamSeries(b *testing.B) {
	for _, format := range Formats {
		b.Run(format, func(b *testing.B) {
			c := Default()
			c.URL, c.Host, c.Format = "http://one", "web-1", format
			f, err := New(c)
			if err != nil {
				b.Fatal(err)
			}
			f.client.Transport = discard{}
			names := make([][]byte, 10_000)
			for i := range names {
				names[i] = fmt.Appendf(nil, "app.requests.%d", i)
			}
			s := aggregate.Series{Type: aggregate.CountSeries, Tags: []byte("env:production,service:checkout,zone:eu-west-1a"), Time: 1767225600, Interval: 10 * time.Second, Messages: 1}
			b.ReportAllocs()
			for b.Loop() {
				var lost losses
				f.flushSeries(context.Background(), func(visit func(*aggregate.Series) error) error {
					for i, name := range names {
						s.Name, s.Value = name, math.Trunc(float64(i)*1.7)
						if err := visit(&s); err != nil {
							return err
						}
					}
					return nil
				}, &lost)
			}
		})
	}
}

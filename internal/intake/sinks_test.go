package intake

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"floodgate/internal/payload"
)

func TestOnlyWhatIsAskedFor(t *testing.T) {
	c := run(t, nil)
	if c.Graphite() != "" || c.OTLPGRPC() != "" {
		t.Errorf("%q, %q: listeners that nobody asked for", c.Graphite(), c.OTLPGRPC())
	}
	if err := c.ScrapeLast(t.Context()); err == nil || !strings.Contains(err.Error(), "given no target") {
		t.Error(err)
	}
	taken := Default()
	taken.Sinks.Graphite, taken.Sinks.OTLPGRPC = "127.0.0.1:0", c.listener.Addr().String()
	if _, err := New(taken); err == nil || !strings.Contains(err.Error(), "cannot open the intake: ") {
		t.Errorf("got %v", err)
	}
}

func TestForeignUploads(t *testing.T) {
	c := run(t, func(config *Config) { config.Sinks.Mapping = "telegraf" })
	for _, upload := range []struct {
		path, media, body string
		status            int
		answer            string
	}{
		{PathSeriesV1, "application/json", `{"series":[{"metric":"v1","type":"rate","interval":10,"points":[[1700000000,0.5]]}]}`, 202, `{"errors":[]}`},
		{PathInflux + "?db=x&precision=s", "text/plain; charset=utf-8", "old,metric_type=counter value=2i 1700000000", 204, ""},
		{PathInfluxV2 + "?bucket=x", "", "new,metric_type=distribution value=7 1700000000000000000\n", 204, ""},
		{PathOTLP, "application/x-protobuf", otlpCount(t, "otlp", 3), 200, ""},
	} {
		for _, encoding := range payload.Encodings {
			status, answer := c.post(t, upload.path, compress(t, encoding, upload.body), "Content-Type", upload.media, "Content-Encoding", encoding)
			if status != upload.status || answer != upload.answer {
				t.Errorf("%s in %s: %d %q, want %d %q", upload.path, encoding, status, answer, upload.status, upload.answer)
			}
		}
	}
	totals := &Totals{}
	if err := c.DecodeAll(totals.Visitor()); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]float64{"v1|": 20, "old|": 8, "otlp|": 12} {
		if got, _ := totals.Get(payload.Count, key); got.Sum != want || got.LastTimestamp != 1700000000 {
			t.Errorf("%s: %+v, want a sum of %v", key, got, want)
		}
	}
	if got, found := totals.GetSketch("new|"); !found || got.Count != 4 || got.Min != 7 {
		t.Errorf("a distribution of single values: %+v, %v", got, found)
	}
	if got := totals.Counters(); got != 40 {
		t.Errorf("counters came to %v, want 40", got)
	}
	for path, media := range map[string]string{PathOTLP: "application/json", PathSeriesV1: "text/plain"} {
		if status, _ := c.post(t, path, []byte("x"), "Content-Type", media); status != http.StatusUnsupportedMediaType {
			t.Errorf("%s in %s: %d, want 415", path, media, status)
		}
	}
	if status, text := c.post(t, PathInflux+"?precision=days", []byte("a value=1")); status != http.StatusBadRequest || !strings.Contains(text, "want one of ns, us, ms, s, m, h") {
		t.Errorf("%d %s", status, text)
	}
	activity(t, c, Activity{Requests: 16, Refused: 3, Bytes: c.Activity().Bytes})
}

func TestValuesOfDistributionsAreMissed(t *testing.T) {
	c := run(t, func(config *Config) { config.Sinks.Mapping = "telegraf" })
	c.post(t, PathInflux, []byte("d,metric_type=distribution value=7"))
	c.totals(t)
	if got := strings.Join(c.Warnings(), "\n"); !strings.Contains(got, "an upload of values of distributions was taken, but what it held was not counted") {
		t.Errorf("warnings %q", got)
	}
}

func TestReset(t *testing.T) {
	c := run(t, func(config *Config) { config.Faults = Faults{ResetRate: 1} })
	for range 3 {
		response, err := c.http.Post(c.URL()+PathSeries, mediaJSON, strings.NewReader(`{"series":[]}`))
		if err == nil {
			_ = response.Body.Close()
			t.Errorf("%s, want a connection without an answer", response.Status)
		}
	}
	wait(t, "the refusals", func() bool { return c.Activity().Refused >= 3 }) // the client may try again by itself
	if got := c.Activity(); got.Requests != 0 || got.Struck.Resets < 3 || len(c.Warnings()) != 0 {
		t.Errorf("%+v, %q", got, c.Warnings())
	}
}

func TestSlowReadIsExact(t *testing.T) {
	c := run(t, func(config *Config) { config.Faults.SlowRead = 64 << 10 })
	upload := body(t, payload.Identity, 50)
	for range 2 { // the second on the same connection
		if status, text := c.post(t, PathSeries, upload); status != http.StatusAccepted {
			t.Errorf("%d %s", status, text)
		}
	}
	if got := c.totals(t).OfType(payload.Count).Sum; got != 100 {
		t.Errorf("sum %v, want 100", got)
	}
}

func compress(t *testing.T, encoding, text string) []byte {
	t.Helper()
	var b strings.Builder
	w, err := payload.NewWriter(encoding, &b)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write([]byte(text))
	_ = w.Close()
	return []byte(b.String())
}

// otlpCount is a request with one delta sum.
func otlpCount(t *testing.T, name string, value int64) string {
	t.Helper()
	data := &metricspb.MetricsData{ResourceMetrics: []*metricspb.ResourceMetrics{{ScopeMetrics: []*metricspb.ScopeMetrics{{Metrics: []*metricspb.Metric{{
		Name: name, Data: &metricspb.Metric_Sum{Sum: &metricspb.Sum{
			AggregationTemporality: metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_DELTA,
			DataPoints:             []*metricspb.NumberDataPoint{{TimeUnixNano: 1700000000e9, Value: &metricspb.NumberDataPoint_AsInt{AsInt: value}}},
		}},
	}}}}}}}
	text, err := proto.Marshal(data)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// export sends one request over gRPC, as a collector does.
func export(t *testing.T, to *grpc.ClientConn, request string, options ...grpc.CallOption) error {
	t.Helper()
	body, answer := []byte(request), []byte{}
	return to.Invoke(t.Context(), "/"+otlpService+"/"+otlpMethod, &body, &answer, append(options, grpc.ForceCodecV2(rawCodec{}))...)
}

func collector(t *testing.T, c *client) *grpc.ClientConn {
	t.Helper()
	to, err := grpc.NewClient(c.OTLPGRPC(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = to.Close() })
	return to
}

func withGRPC(change func(*Config)) func(*Config) {
	return func(config *Config) {
		config.Sinks.OTLPGRPC = "127.0.0.1:0"
		if change != nil {
			change(config)
		}
	}
}

func TestGRPCIsExact(t *testing.T) {
	c := run(t, withGRPC(nil))
	const senders, requests = 4, 25
	var sending sync.WaitGroup
	for range senders {
		to := collector(t, c)
		sending.Go(func() {
			for n := range requests {
				var options []grpc.CallOption
				if n%2 == 0 {
					options = append(options, grpc.UseCompressor("gzip"))
				}
				if err := export(t, to, otlpCount(t, fmt.Sprint("c", n%3), 2), options...); err != nil {
					t.Error(err)
				}
			}
		})
	}
	sending.Wait()
	if got, want := c.totals(t).OfType(payload.Count), (TypeTotal{Keys: 3, Series: 100, Points: 100, Sum: 200}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := c.Activity(); got.Requests != senders*requests || got.Connections != senders || got.Refused != 0 {
		t.Errorf("activity %+v", got)
	}
}

func TestGRPCRefusals(t *testing.T) {
	for _, test := range []struct {
		name    string
		change  func(*Config)
		code    codes.Code
		warning string
	}{
		{"an error", func(c *Config) { c.Faults = Faults{ErrorRate: 1, ErrorStatus: 429} }, codes.ResourceExhausted, ""},
		{"an outage", func(c *Config) { c.Faults.OutageTo = time.Hour }, codes.Unavailable, ""},
		{"a reset", func(c *Config) { c.Faults.ResetRate = 1 }, codes.Unavailable, ""},
		{"too large", func(c *Config) { c.MaxBodyBytes = 10 }, codes.ResourceExhausted, "a gRPC request was refused: "},
		{"a full spool", func(c *Config) { c.SpoolBytes, c.SpillBytes = 0, 0 }, codes.Unavailable, "a gRPC request was refused: cannot spool"},
	} {
		c := run(t, withGRPC(test.change))
		err := export(t, collector(t, c), otlpCount(t, "c", 1), grpc.UseCompressor("gzip"))
		if status.Code(err) != test.code {
			t.Errorf("%s: %v, want %v", test.name, err, test.code)
		}
		wait(t, "the refusal", func() bool { return c.Activity().Refused >= 1 })
		if got := strings.Join(c.Warnings(), "\n"); !strings.Contains(got, test.warning) || test.warning == "" && got != "" {
			t.Errorf("%s: warnings %q, want %q", test.name, got, test.warning)
		}
		if got := c.Activity(); got.Requests != 0 {
			t.Errorf("%s: %+v, want none taken", test.name, got)
		}
	}
	// What a sender does next depends on the code.
	for httpStatus, want := range map[int]codes.Code{400: codes.InvalidArgument, 401: codes.Unauthenticated, 403: codes.PermissionDenied, 404: codes.NotFound, 500: codes.Internal, 502: codes.Unavailable, 503: codes.Unavailable, 504: codes.DeadlineExceeded} {
		if got := grpcCode(httpStatus); got != want {
			t.Errorf("%d is %v, want %v", httpStatus, got, want)
		}
	}
}

func TestGRPCStopsWhileARequestIsHeld(t *testing.T) {
	c := run(t, withGRPC(func(config *Config) { config.Faults.Latency = time.Hour }))
	to := collector(t, c)
	answered := make(chan error, 1)
	go func() { answered <- export(t, to, otlpCount(t, "c", 1)) }()
	wait(t, "the request", func() bool { return c.Activity().Struck.Uploads > 0 })
	c.stop()
	if err := <-answered; status.Code(err) != codes.Unavailable {
		t.Errorf("%v, want unavailable", err)
	}
	activity(t, c, Activity{Refused: 1})
}

// exporter is a target that is scraped.
type exporter struct {
	*httptest.Server
	text    atomic.Pointer[string]
	scrapes atomic.Int64
}

func newExporter(t *testing.T) *exporter {
	e := &exporter{}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.scrapes.Add(1)
		text := e.text.Load()
		if text == nil {
			http.Error(w, "not yet", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores")
		_, _ = w.Write([]byte(*text))
	}))
	t.Cleanup(e.Close)
	return e
}

func (e *exporter) show(hits int) {
	text := fmt.Sprintf("# TYPE go_x counter\ngo_x 5\n# TYPE hits counter\nhits{env=\"a\"} %d\n# TYPE time summary\ntime{quantile=\"0.5\"} 1\ntime_sum %d\ntime_count %d\n", hits, 2*hits, hits)
	e.text.Store(&text)
}

func scraping(e *exporter, change func(*Scrape)) func(*Config) {
	return func(config *Config) {
		config.Sinks.Mapping = "statsd_exporter"
		config.Sinks.Scrape.URL = e.URL + "/metrics"
		config.Sinks.Scrape.Interval = time.Millisecond
		if change != nil {
			change(&config.Sinks.Scrape)
		}
	}
}

func TestScrape(t *testing.T) {
	e := newExporter(t)
	c := run(t, scraping(e, nil))
	wait(t, "a scrape that is refused", func() bool { return c.Activity().Refused > 0 })
	for hits := range 5 {
		e.show(hits + 1)
		before := c.Activity().Requests
		wait(t, "a scrape", func() bool { return c.Activity().Requests > before })
	}
	e.show(10)
	if err := c.ScrapeLast(t.Context()); err != nil {
		t.Fatal(err)
	}
	e.Close() // the target ends before the intake does
	c.stop()
	totals := c.totals(t)
	for key, want := range map[string]float64{"hits|env:a": 10, "time.count|": 10, "time.sum|": 20} {
		if got, _ := totals.Get(payload.Count, key); got.Sum != want {
			t.Errorf("%s: %+v, want a sum of %v: what the last scrape shows", key, got, want)
		}
	}
	if got := totals.Counters(); got != 40 {
		t.Errorf("counters came to %v, want 40", got)
	}
	for _, warning := range c.Warnings() {
		if !strings.Contains(warning, "503") {
			t.Errorf("unexpected warning: %s", warning)
		}
	}
}

func TestScrapeAtTheEnd(t *testing.T) {
	e := newExporter(t)
	e.show(1)
	c := run(t, scraping(e, func(s *Scrape) { s.Interval, s.Last = time.Hour, true }))
	wait(t, "the first scrape", func() bool { return c.Activity().Requests == 1 })
	e.show(7)
	c.stop()
	if got, _ := c.totals(t).Get(payload.Count, "hits|env:a"); got.Sum != 7 {
		t.Errorf("%+v, want 7, from a target that is still there when the intake stops", got)
	}
}

func TestScrapeThatFails(t *testing.T) {
	e := newExporter(t)
	e.show(1)
	c := run(t, scraping(e, nil))
	wait(t, "a scrape", func() bool { return c.Activity().Requests > 0 })
	e.Close()
	wait(t, "a failure", func() bool { c.scraper.mu.Lock(); defer c.scraper.mu.Unlock(); return c.scraper.failing > 0 })
	c.stop()
	if got := strings.Join(c.Warnings(), "\n"); !strings.Contains(got, "scrapes failed, so that nothing after the one before is counted: cannot scrape") {
		t.Errorf("warnings %q", got)
	}

	c = run(t, scraping(e, nil)) // nobody is there
	c.stop()
	if got := strings.Join(c.Warnings(), "\n"); !strings.Contains(got, "no scrape worked: cannot scrape") {
		t.Errorf("warnings %q", got)
	}

	big := newExporter(t)
	big.show(1)
	c = run(t, scraping(big, func(s *Scrape) { s.MaxBytes, s.Interval = 10, time.Hour }))
	if err := c.ScrapeLast(t.Context()); err == nil || !strings.Contains(err.Error(), "larger than 10 bytes") {
		t.Error(err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.ScrapeLast(canceled); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestTotalsByName(t *testing.T) {
	totals := &Totals{}
	for i, tag := range []string{"a", "b", "c"} {
		totals.Add(time.Now(), &payload.Series{Metric: "hits", Type: payload.Count, Tags: []string{tag}, Points: []payload.Point{{Timestamp: int64(i), Value: float64(i + 1)}}})
	}
	totals.Add(time.Now(), &payload.Series{Metric: "other", Type: payload.Rate, Interval: 10, Points: []payload.Point{{Value: 0.5}}})
	got := totals.ByName(payload.Count)
	if want := (Total{Points: 3, Sum: 6, Min: 1, Max: 3, Last: 3, LastTimestamp: 2}); len(got) != 1 || got["hits"] != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := totals.Counters(); got != 11 {
		t.Errorf("counters came to %v, want 6 and 0.5 times 10", got)
	}
}

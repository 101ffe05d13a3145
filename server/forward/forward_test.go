package forward

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"floodgate/internal/payload"
	"floodgate/server/aggregate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// decoded unpacks a batch's body.
func decoded(t *testing.T, encoding string, body []byte) string {
	t.Helper()
	r, err := payload.NewReader(encoding, bytes.NewReader(body), 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// collect returns an encoder and the bodies and batches it uploads.
func collect(t *testing.T, c EncoderConfig) (*BatchEncoder, *[]string, *[]Batch) {
	t.Helper()
	var bodies []string
	var batches []Batch
	c.Open, c.Close = `{"records":[`, func(final bool) string { return fmt.Sprintf(`],"final":%v}`, final) }
	e, err := NewBatchEncoder(c, func(_ context.Context, b Batch) error {
		bodies = append(bodies, decoded(t, b.Encoding, b.Body))
		b.Body = nil
		batches = append(batches, b)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return e, &bodies, &batches
}

func add(t *testing.T, e *BatchEncoder, record string) {
	t.Helper()
	if err := e.Add(t.Context(), 2, func(dst []byte) []byte { return append(dst, record...) }); err != nil {
		t.Fatal(err)
	}
}

func TestBatches(t *testing.T) {
	big := `"` + strings.Repeat("x", pendingLen) + `"`
	for _, c := range []struct {
		why     string
		config  EncoderConfig
		records []string
		final   bool
		want    []string
	}{
		{"records of one batch are joined", EncoderConfig{ThresholdBytes: 1 << 20}, []string{"1", "2"}, false,
			[]string{`{"records":[1,2],"final":false}`}},
		{"threshold 0 sends every record alone", EncoderConfig{}, []string{"1", "2"}, false,
			[]string{`{"records":[1],"final":false}`, `{"records":[2],"final":false}`}},
		{"nothing is sent for nothing", EncoderConfig{ThresholdBytes: 1 << 20}, nil, false, nil},
		{"but the end is told, also after an empty tail", EncoderConfig{ThresholdBytes: 1 << 20}, nil, true,
			[]string{`{"records":[],"final":true}`}},
		{"the raw limit ends a batch", EncoderConfig{ThresholdBytes: 1 << 30, MaxRawBytes: pendingLen}, []string{big, "2"}, true,
			[]string{`{"records":[` + big + `],"final":false}`, `{"records":[2],"final":true}`}},
	} {
		for _, encoding := range payload.Encodings {
			c.config.Encoding = encoding
			e, bodies, batches := collect(t, c.config)
			for _, r := range c.records {
				add(t, e, r)
			}
			if err := e.Flush(t.Context(), c.final); err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(*bodies) != fmt.Sprint(c.want) {
				t.Errorf("%s (%s): got %.200v, want %.200v", c.why, encoding, *bodies, c.want)
			}
			records, messages := 0, int64(0)
			for i, b := range *batches {
				records, messages = records+b.Records, messages+b.Messages
				if b.Number != i+1 || b.Raw != int64(len((*bodies)[i])) {
					t.Errorf("%s (%s): batch %+v of %d bytes, want number %d", c.why, encoding, b, len((*bodies)[i]), i+1)
				}
			}
			if records != len(c.records) || messages != int64(2*len(c.records)) {
				t.Errorf("%s (%s): %d records for %d messages, want %d for twice as many", c.why, encoding, records, messages, len(c.records))
			}
		}
	}
}

// TestThresholdIsSoft states by how much: what the compressor holds back.
func TestThresholdIsSoft(t *testing.T) {
	const threshold, overshoot = 64 << 10, 512 << 10
	for _, encoding := range payload.Encodings {
		sizes := []int{}
		e, err := NewBatchEncoder(EncoderConfig{Encoding: encoding, ThresholdBytes: threshold, Close: func(bool) string { return "" }},
			func(_ context.Context, b Batch) error { sizes = append(sizes, len(b.Body)); return nil })
		if err != nil {
			t.Fatal(err)
		}
		for i := range 60_000 {
			record := fmt.Sprintf(`{"id":%d,"hash":"%x"}`, i, uint64(i)*0x9E3779B97F4A7C15)
			add(t, e, record)
		}
		if len(sizes) < 2 {
			t.Fatalf("%s: %d batches, want several", encoding, len(sizes))
		}
		for _, size := range sizes {
			if size < threshold || size > threshold+overshoot {
				t.Errorf("%s: a batch of %d bytes, want %d to %d", encoding, size, threshold, threshold+overshoot)
			}
		}
	}
}

func TestEncoderSurvivesAFailedUpload(t *testing.T) {
	fail := true
	var got []string
	e, err := NewBatchEncoder(EncoderConfig{Encoding: payload.Gzip, ThresholdBytes: 1 << 20, Open: "[", Close: func(bool) string { return "]" }},
		func(_ context.Context, b Batch) error {
			if fail {
				return fmt.Errorf("%w: 503", ErrUpload)
			}
			got = append(got, decoded(t, b.Encoding, b.Body))
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
	add(t, e, "1")
	if err := e.Flush(t.Context(), false); !errors.Is(err, ErrUpload) {
		t.Errorf("a refused upload is %v, want ErrUpload", err)
	}
	fail = false
	add(t, e, "2")
	if err := e.Flush(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(got) != "[[2]]" {
		t.Errorf("after a failed upload the next batch is %v, want [[2]]: no leftovers", got)
	}
}

// cut aggregates lines into a cut.
func cut(lines string) *aggregate.Cut {
	table := aggregate.NewTable(aggregate.Default())
	table.Advance(0)
	table.AddDatagram([]byte(lines), false)
	return table.Cut(true)
}

// flushTo flushes lines to a handler and returns the forwarder and its error.
func flushTo(t *testing.T, c Config, handler http.HandlerFunc, lines string) (*Forwarder, error) {
	t.Helper()
	intake := httptest.NewServer(handler)
	defer intake.Close()
	c.URL = intake.URL
	f, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return f, f.Flush(t.Context(), cut(lines))
}

func TestFlushUploadsSeries(t *testing.T) {
	var body string
	c := Default()
	c.Format = JSON
	c.Host, c.APIKey = "here", "secret"
	f, err := flushTo(t, c, func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		body = decoded(t, r.Header.Get("Content-Encoding"), raw)
		if r.URL.Path != "/api/v2/series" || r.Header.Get("DD-API-KEY") != "secret" || r.Header.Get("Idempotency-Key") == "" {
			t.Errorf("request %s with headers %v", r.URL, r.Header)
		}
	}, "a:1:2|c|#y:2,x:1\nb:5|ms")
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Series []struct {
			Metric    string
			Type      int
			Interval  int
			Points    []struct{ Timestamp, Value float64 }
			Tags      []string
			Resources []map[string]string
		}
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	if len(got.Series) != 7 {
		t.Fatalf("%d series, want 7 (a counter and six of a timer): %s", len(got.Series), body)
	}
	a := got.Series[0]
	if a.Metric != "a" || a.Type != 1 || a.Interval != 10 || a.Points[0].Value != 3 || fmt.Sprint(a.Tags) != "[x:1 y:2]" || a.Resources[0]["name"] != "here" {
		t.Errorf("the counter came as %+v", a)
	}
	if n := f.Counters.Uploaded.Load(); n != 2 {
		t.Errorf("uploaded %d messages, want 2: six series of one timer are one message", n)
	}
}

func TestRetries(t *testing.T) {
	for _, c := range []struct {
		why      string
		statuses []int
		uploaded int64
		retries  int64
	}{
		{"an outage is sat out", []int{503, 500, 429, 202}, 1, 3},
		{"a refusal is final", []int{403}, 0, 0},
	} {
		var keys []string
		f, err := flushTo(t, Default(), func(w http.ResponseWriter, r *http.Request) {
			keys = append(keys, r.Header.Get("Idempotency-Key"))
			w.WriteHeader(c.statuses[len(keys)-1])
		}, "a:1|c")
		if (err == nil) != (c.uploaded > 0) || err != nil && !errors.Is(err, ErrUpload) {
			t.Errorf("%s: %v", c.why, err)
		}
		n := &f.Counters
		if n.Uploaded.Load() != c.uploaded || n.UploadFailed.Load() != 1-c.uploaded || n.Retries.Load() != c.retries {
			t.Errorf("%s: uploaded %d, failed %d, retries %d", c.why, n.Uploaded.Load(), n.UploadFailed.Load(), n.Retries.Load())
		}
		for _, key := range keys {
			if key != keys[0] {
				t.Errorf("%s: a retry has another Idempotency-Key", c.why)
			}
		}
	}
}

func TestRetriesEnd(t *testing.T) {
	c := Default()
	c.RetryFor = time.Millisecond
	_, err := flushTo(t, c, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(503) }, "a:1|c")
	if !errors.Is(err, ErrUpload) {
		t.Errorf("an intake that stays away is %v, want ErrUpload", err)
	}
}

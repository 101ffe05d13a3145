package symdb

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"floodgate/server/forward"
)

// request is an upload, taken apart.
type request struct {
	header http.Header
	parts  []string // names and files in order
	types  []string
	file   []byte // compressed
	event  map[string]any
	body   body
	length int64 // as the header tells
	read   int64 // as it came
}

// takeApart reads an upload as a receiver would.
func takeApart(t *testing.T, r *http.Request) request {
	t.Helper()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	got := request{header: r.Header.Clone(), length: r.ContentLength, read: int64(len(text))}
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		t.Error(err)
	}
	for form := multipart.NewReader(bytes.NewReader(text), params["boundary"]); ; {
		part, err := form.NextPart()
		if err == io.EOF {
			return got
		}
		if err != nil {
			t.Error(err)
			return got
		}
		content, err := io.ReadAll(part)
		if err != nil {
			t.Error(err)
		}
		got.parts = append(got.parts, part.FormName()+" "+part.FileName())
		got.types = append(got.types, part.Header.Get("Content-Type"))
		if part.FormName() == "event" {
			err = json.Unmarshal(content, &got.event)
		} else {
			got.file = content
			err = json.Unmarshal(unpacked(t, content), &got.body)
		}
		if err != nil {
			t.Error(err)
		}
	}
}

// intake takes uploads, and answers with what answer says to the number of the
// request, from 1.
type intake struct {
	*httptest.Server
	mu       sync.Mutex
	requests []request
}

func newIntake(t *testing.T, answer func(number int) int) *intake {
	in := &intake{}
	in.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/symdb/v1/input" {
			t.Errorf("%s %s", r.Method, r.URL.Path)
		}
		got := takeApart(t, r)
		in.mu.Lock()
		defer in.mu.Unlock()
		in.requests = append(in.requests, got)
		w.WriteHeader(answer(len(in.requests)))
	}))
	t.Cleanup(in.Close)
	return in
}

func accept(int) int { return http.StatusAccepted }

// config is a client of in that tries once.
func config(in *intake, mode Mode) Config {
	c := Default()
	c.URL, c.Mode, c.RetryFor = in.URL, mode, 0
	return c
}

func newClient(t *testing.T, c Config) *Client {
	t.Helper()
	client, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

var modes = []Mode{Streaming, Buffered}

var small = TreeConfig{Seed: 2, Packages: 30, FunctionsPerPackage: 20, VariablesPerFunction: 4}

// TestUpload: both modes bring the whole program over, in several batches.
func TestUpload(t *testing.T) {
	want := slices.Collect(Tree(small))
	for _, mode := range modes {
		in := newIntake(t, accept)
		c := config(in, mode)
		c.ThresholdBytes, c.MaxFunctions = 8<<10, 200
		client := newClient(t, c)
		stats, err := client.Upload(t.Context(), Tree(small))
		if err != nil {
			t.Fatal(err)
		}
		var got []Scope
		bytes := int64(0)
		for i, r := range in.requests {
			got, bytes = append(got, r.body.Scopes...), bytes+int64(len(r.file))
			if r.body.BatchNum != i+1 || r.body.Final != (i == len(in.requests)-1) {
				t.Errorf("%s: request %d is batch %d, final %t", mode, i+1, r.body.BatchNum, r.body.Final)
			}
			if r.body.UploadID == "" || r.body.UploadID != in.requests[0].body.UploadID {
				t.Errorf("%s: batch %d has upload id %q", mode, i+1, r.body.UploadID)
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: -want +got\n%s", mode, d)
		}
		if len(in.requests) < 3 {
			t.Errorf("%s: %d requests, want several", mode, len(in.requests))
		}
		wantStats := UploadStats{Packages: 30, Functions: 600, Batches: int64(len(in.requests)), Bytes: bytes}
		if stats != wantStats || client.Stats() != stats {
			t.Errorf("%s: %+v, want %+v", mode, stats, wantStats)
		}
		if _, err := client.Upload(t.Context(), Tree(small)); err == nil {
			t.Errorf("%s: a client uploads twice", mode)
		}
	}
}

// TestRequest: what stands where, with a service that means harm.
func TestRequest(t *testing.T) {
	const service, version = "shop\"},\r\n--x\r\n\\", "1.0\n\"final\":true"
	for _, mode := range modes {
		for why, packages := range map[string]iter.Seq[Scope]{"a program": Tree(small), "nothing": Tree(TreeConfig{})} {
			in := newIntake(t, accept)
			c := config(in, mode)
			c.Service, c.Version, c.RuntimeID, c.UploadID, c.APIKey = service, version, "run", "up", "key"
			if _, err := newClient(t, c).Upload(t.Context(), packages); err != nil {
				t.Fatal(err)
			}
			if len(in.requests) != 1 {
				t.Fatalf("%s, %s: %d requests", mode, why, len(in.requests))
			}
			r := in.requests[0]
			if d := cmp.Diff([]string{"file file.gz", "event event.json"}, r.parts); d != "" {
				t.Errorf("%s, %s: parts -want +got\n%s", mode, why, d)
			}
			if d := cmp.Diff([]string{"application/gzip", "application/json"}, r.types); d != "" {
				t.Errorf("%s, %s: types of parts -want +got\n%s", mode, why, d)
			}
			if d := cmp.Diff(map[string]any{
				"ddsource": "dd_debugger", "service": service, "version": version, "language": "go", "runtimeId": "run",
				"type": "symdb", "uploadId": "up", "batchNum": 1.0, "final": true, "attachmentSize": float64(len(r.file)),
			}, r.event); d != "" {
				t.Errorf("%s, %s: event -want +got\n%s", mode, why, d)
			}
			r.body.Scopes = nil
			if d := cmp.Diff(body{head{service, version, "go", "up", 1}, nil, true}, r.body, cmp.AllowUnexported(body{})); d != "" {
				t.Errorf("%s, %s: body -want +got\n%s", mode, why, d)
			}
			if r.length != r.read || r.length < int64(len(r.file)) {
				t.Errorf("%s, %s: Content-Length is %d, %d bytes came", mode, why, r.length, r.read)
			}
			if r.header.Get("DD-API-KEY") != "key" || r.header.Get("Idempotency-Key") == "" {
				t.Errorf("%s, %s: headers %v", mode, why, r.header)
			}
		}
	}
}

func TestLosses(t *testing.T) {
	for _, mode := range modes {
		for _, c := range []struct {
			why    string
			answer func(number int) int
			status int
			want   UploadStats // without bytes
		}{
			{"all lost", func(int) int { return 500 }, 500, UploadStats{FailedBatches: 31, LostPackages: 30, LostFunctions: 600}},
			{"the first refused, the others taken", func(n int) int {
				if n == 1 {
					return 413
				}
				return 202
			}, 413, UploadStats{Packages: 29, Functions: 580, Batches: 30, FailedBatches: 1, LostPackages: 1, LostFunctions: 20}},
			{"a redirect cannot be followed", func(int) int { return 307 }, 307, UploadStats{FailedBatches: 31, LostPackages: 30, LostFunctions: 600}},
		} {
			in := newIntake(t, c.answer)
			settings := config(in, mode)
			settings.ThresholdBytes, settings.MaxFunctions = 0, 1
			stats, err := newClient(t, settings).Upload(t.Context(), Tree(small))
			var status *StatusError
			if !errors.Is(err, forward.ErrUpload) || !errors.As(err, &status) || status.Code != c.status {
				t.Errorf("%s, %s: %v", mode, c.why, err)
			}
			if told := fmt.Sprintf("%d batches given up, %d packages with %d functions lost: ", c.want.FailedBatches, c.want.LostPackages, c.want.LostFunctions); err == nil || !strings.HasPrefix(err.Error(), told) {
				t.Errorf("%s, %s: %v, want %s", mode, c.why, err, told)
			}
			stats.Bytes = 0
			if stats != c.want {
				t.Errorf("%s, %s: %+v, want %+v", mode, c.why, stats, c.want)
			}
		}
	}
}

// TestCancelBetweenFlushes: the batch that is out counts, and nothing follows,
// least of all the mark of an end.
func TestCancelBetweenFlushes(t *testing.T) {
	for _, mode := range modes {
		ctx, cancel := context.WithCancel(t.Context())
		in := newIntake(t, accept)
		c := config(in, mode)
		c.ThresholdBytes, c.MaxFunctions = 0, 1
		client := newClient(t, c)
		stats, err := client.Upload(ctx, func(yield func(Scope) bool) {
			for p := range Tree(small) {
				if client.Stats().Batches == 2 {
					cancel()
				}
				if !yield(p) {
					return
				}
			}
		})
		cancel()
		if !errors.Is(err, context.Canceled) || errors.Is(err, forward.ErrUpload) {
			t.Errorf("%s: %v", mode, err)
		}
		if stats.Batches != 2 || stats.Packages != 2 || stats.LostPackages != 0 || len(in.requests) != 2 || in.requests[1].body.Final {
			t.Errorf("%s: %+v, %d requests", mode, stats, len(in.requests))
		}
	}
}

// TestCancelInABatch: what was gathered and never sent is lost, and told.
func TestCancelInABatch(t *testing.T) {
	for _, mode := range modes {
		ctx, cancel := context.WithCancel(t.Context())
		in := newIntake(t, accept)
		taken := 0
		stats, err := newClient(t, config(in, mode)).Upload(ctx, func(yield func(Scope) bool) {
			for p := range Tree(small) {
				if taken++; taken > 5 {
					cancel()
				}
				if !yield(p) {
					return
				}
			}
		})
		cancel()
		want := UploadStats{LostPackages: 5, LostFunctions: 100}
		if !errors.Is(err, context.Canceled) || stats != want || len(in.requests) != 0 {
			t.Errorf("%s: %v, %+v, want %+v", mode, err, stats, want)
		}
	}
}

// TestCancelInAnUpload: the cause shows behind ErrUpload.
func TestCancelInAnUpload(t *testing.T) {
	for _, mode := range modes {
		ctx, cancel := context.WithCancel(t.Context())
		client := newClient(t, config(&intake{Server: &httptest.Server{URL: "http://nowhere.test"}}, mode))
		client.http.Transport = transport(func(r *http.Request) (*http.Response, error) {
			cancel()
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		stats, err := client.Upload(ctx, Tree(small))
		if !errors.Is(err, forward.ErrUpload) || !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", mode, err)
		}
		if stats.FailedBatches != 1 || stats.LostPackages != 30 || stats.Retries != 0 {
			t.Errorf("%s: %+v", mode, stats)
		}
	}
}

// transport answers without a network.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) {
	defer r.Body.Close()
	return f(r)
}

func answer(status int) (*http.Response, error) {
	return &http.Response{StatusCode: status, Body: http.NoBody, Header: http.Header{}}, nil
}

// TestRetries runs in synthetic time.
func TestRetries(t *testing.T) {
	for _, c := range []struct {
		why      string
		answer   func(try int) (*http.Response, error)
		lost     bool
		min, max int // tries
	}{
		{"taken at once", func(int) (*http.Response, error) { return answer(202) }, false, 1, 1},
		{"busy, then taken", func(try int) (*http.Response, error) {
			if try < 4 {
				return answer([]int{503, 429, 408}[try-1])
			}
			return answer(202)
		}, false, 4, 4},
		{"a broken connection, then taken", func(try int) (*http.Response, error) {
			if try == 1 {
				return nil, io.ErrUnexpectedEOF
			}
			return answer(202)
		}, false, 2, 2},
		{"refused for good", func(int) (*http.Response, error) { return answer(400) }, true, 1, 1},
		// Waits are drawn, 2.5 s in the mean once they have grown: the tries of
		// 15 s are bounded, but not certain.
		{"never taken", func(int) (*http.Response, error) { return answer(500) }, true, 5, 100},
	} {
		synctest.Test(t, func(t *testing.T) {
			settings := Default()
			settings.URL = "http://nowhere.test"
			client := newClient(t, settings)
			tries, keys, texts := 0, map[string]bool{}, map[string]bool{}
			client.http.Transport = transport(func(r *http.Request) (*http.Response, error) {
				tries++
				got := takeApart(t, r)
				keys[got.header.Get("Idempotency-Key")], texts[string(got.file)] = true, true
				return c.answer(tries)
			})
			begin := time.Now()
			stats, err := client.Upload(t.Context(), Tree(small))
			if c.lost != errors.Is(err, forward.ErrUpload) || c.lost != (stats.FailedBatches == 1) {
				t.Errorf("%s: %v, %+v", c.why, err, stats)
			}
			if tries < c.min || tries > c.max || stats.Retries != int64(tries-1) {
				t.Errorf("%s: %d tries, want %d to %d; %d retries counted", c.why, tries, c.min, c.max, stats.Retries)
			}
			if len(keys) != 1 || len(texts) != 1 {
				t.Errorf("%s: the tries had %d keys and %d bodies", c.why, len(keys), len(texts))
			}
			if took := time.Since(begin); took > settings.RetryFor {
				t.Errorf("%s: gave up after %v", c.why, took)
			}
		})
	}
}

// TestNobodyReadsABatchThatIsOver: a transport may return before it has read
// the body, and its memory holds the next batch soon.
func TestNobodyReadsABatchThatIsOver(t *testing.T) {
	settings := Default()
	settings.URL, settings.RetryFor, settings.ThresholdBytes = "http://nowhere.test", 0, 0
	client := newClient(t, settings)
	var late sync.WaitGroup
	var texts []string // of the readers that came late; in order, because each is waited for
	client.http.Transport = lateReader(func(body io.ReadCloser) {
		late.Go(func() {
			defer body.Close()
			text, _ := io.ReadAll(body)
			texts = append(texts, string(text))
		})
	})
	if _, err := client.Upload(t.Context(), Tree(small)); err != nil {
		t.Error(err)
	}
	late.Wait()
	for i, text := range texts {
		if want := fmt.Sprintf(`"batchNum":%d,`, i+1); !strings.Contains(text, want) {
			t.Errorf("request %d lacks %s", i+1, want)
		}
	}
	if len(texts) != 31 {
		t.Errorf("%d requests, want 31", len(texts))
	}
}

type lateReader func(io.ReadCloser)

func (f lateReader) RoundTrip(r *http.Request) (*http.Response, error) {
	f(r.Body)
	return answer(202)
}

// failing is an encoder that breaks at the first package.
type failing struct{}

func (failing) Add(context.Context, Scope) error  { return io.ErrShortWrite }
func (failing) Flush(context.Context, bool) error { return errors.New("used after it broke") }

func TestEncoderErrorsAreNoUploadErrors(t *testing.T) {
	client := newClient(t, config(&intake{Server: &httptest.Server{URL: "http://nowhere.test"}}, Streaming))
	client.encoder = failing{}
	stats, err := client.Upload(t.Context(), Tree(small))
	if !errors.Is(err, io.ErrShortWrite) || errors.Is(err, forward.ErrUpload) {
		t.Error(err)
	}
	if want := (UploadStats{LostPackages: 1, LostFunctions: 20}); stats != want {
		t.Errorf("%+v, want %+v", stats, want)
	}
}

func TestConfigValidate(t *testing.T) {
	for _, c := range []struct {
		change func(*Config)
		want   string // empty for none
	}{
		{func(*Config) {}, ""},
		{func(c *Config) { c.ThresholdBytes = -1 }, ""},
		{func(c *Config) { c.Service = "" }, ""},
		{func(c *Config) { c.URL = "" }, "intake is "},
		{func(c *Config) { c.URL = "ftp://x" }, "intake is "},
		{func(c *Config) { c.Mode = "both" }, `mode is "both", want streaming or buffered`},
		{func(c *Config) { c.MaxFunctions = 0 }, "functions per batch are 0"},
		{func(c *Config) { c.Timeout = 0 }, "upload timeout is 0s"},
		{func(c *Config) { c.RetryFor = -1 }, "retry time is -1ns"},
	} {
		settings := Default()
		settings.URL = "http://127.0.0.1:1"
		c.change(&settings)
		_, err := New(settings)
		if (err == nil) != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

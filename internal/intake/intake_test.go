package intake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"floodgate/internal/payload"
)

// TestMain proves for every test that a stopped intake leaves no goroutine.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// client sends uploads to one running intake.
type client struct {
	*Intake
	http *http.Client
	stop func() // ends Run and waits for it
}

// run starts an intake and stops it at the end of the test.
func run(t *testing.T, change func(*Config)) *client {
	t.Helper()
	config := Default()
	if change != nil {
		change(&config)
	}
	sink, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- sink.Run(ctx) }()
	c := &client{Intake: sink, http: &http.Client{Transport: transport}}
	c.stop = sync.OnceFunc(func() {
		transport.CloseIdleConnections()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(c.stop)
	return c
}

// post uploads body and returns the status and the text of the answer.
func (c *client) post(t *testing.T, path string, body []byte, header ...string) (int, string) {
	t.Helper()
	request, err := http.NewRequest(http.MethodPost, c.URL()+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := c.http.Do(request)
	if err != nil {
		t.Error(err)
		return 0, ""
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Error(err)
	}
	return response.StatusCode, string(text)
}

// totals decodes what waits.
func (c *client) totals(t *testing.T) *Totals {
	t.Helper()
	totals := &Totals{}
	if err := c.Decode(fold(totals)); err != nil {
		t.Error(err)
	}
	return totals
}

func fold(totals *Totals) func(time.Time, *payload.Series) error {
	return func(at time.Time, s *payload.Series) error {
		totals.Add(at, s)
		return nil
	}
}

// body is an upload of count counters "hits" of value 1, compressed.
func body(t testing.TB, encoding string, count int) []byte {
	t.Helper()
	text := []byte(`{"series":[`)
	for i := range count {
		if i > 0 {
			text = append(text, ',')
		}
		text = payload.AppendSeries(text, []byte("hits"), payload.Count, 10, 1700000000, 1, [][]byte{fmt.Appendf(nil, "n:%d", i)}, "")
	}
	var out bytes.Buffer
	w, err := payload.NewWriter(encoding, &out)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write(append(text, `]}`...))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func activity(t *testing.T, c *client, want Activity) {
	t.Helper()
	if diff := cmp.Diff(want, c.Activity(), cmpopts.IgnoreFields(Activity{}, "Connections", "Last", "Struck")); diff != "" {
		t.Errorf("activity (-want +got):\n%s", diff)
	}
}

func TestTakesEveryEncoding(t *testing.T) {
	c := run(t, nil)
	if last := c.Activity().Last; !last.IsZero() {
		t.Errorf("last upload at %v before the first", last)
	}
	var size int64
	for _, encoding := range payload.Encodings {
		upload := body(t, encoding, 100)
		size += int64(len(upload))
		before := time.Now()
		status, text := c.post(t, PathSeries, upload, "Content-Encoding", encoding)
		if status != http.StatusAccepted || text != `{"errors":[]}` {
			t.Errorf("%s: %d %s", encoding, status, text)
		}
		if last := c.Activity().Last; last.Before(before) || last.After(time.Now()) {
			t.Errorf("%s: last upload at %v, want after %v and before now", encoding, last, before)
		}
	}
	activity(t, c, Activity{Requests: 4, Bytes: size})
	if got := c.Activity().Connections; got != 1 {
		t.Errorf("%d connections, want 1 kept alive", got)
	}
	totals := c.totals(t)
	if got, want := totals.OfType(payload.Count), (TypeTotal{Keys: 100, Series: 400, Points: 400, Sum: 400}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if !totals.Last.Equal(c.Activity().Last) || !totals.First.Before(totals.Last) {
		t.Errorf("series arrived from %v to %v, want the times of the uploads, to %v", totals.First, totals.Last, c.Activity().Last)
	}
	if again := c.totals(t).OfType(payload.Count); again != (TypeTotal{}) {
		t.Errorf("a second Decode visited %+v again", again)
	}
	if warnings := c.Warnings(); len(warnings) != 0 {
		t.Errorf("warnings of a clean run: %q", warnings)
	}
}

func TestTakesBodiesOfUnknownLength(t *testing.T) {
	c := run(t, func(config *Config) { config.MaxBodyBytes = 10000 })
	for length, want := range map[int]int{1: http.StatusAccepted, 200: http.StatusRequestEntityTooLarge} {
		// A reader of no known type makes the client send chunks.
		request, err := http.NewRequest(http.MethodPost, c.URL()+PathSeries, io.MultiReader(bytes.NewReader(body(t, payload.Identity, length))))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json; charset=utf-8")
		response, err := c.http.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("%d series: %s, want %d", length, response.Status, want)
		}
	}
	if got := c.totals(t).OfType(payload.Count).Sum; got != 1 {
		t.Errorf("sum %v, want that of the one that was taken", got)
	}
}

// TestConcurrentUploadsAreExact is for the race detector, too: uploads over many
// connections, each sent twice with its key, while others decode.
func TestConcurrentUploadsAreExact(t *testing.T) {
	// Small enough that memory, file and give-back all take part.
	c := run(t, func(config *Config) { config.SpoolBytes = 4096 })
	const senders, uploads, count = 8, 20, 10
	var sending, decoding sync.WaitGroup
	for sender := range senders {
		sending.Go(func() {
			for n := range uploads {
				encoding := payload.Encodings[n%len(payload.Encodings)]
				upload, key := body(t, encoding, count), fmt.Sprint(sender, "/", n)
				for range 2 {
					if status, text := c.post(t, PathSeries, upload, "Content-Encoding", encoding, HeaderKey, key); status != http.StatusAccepted {
						t.Errorf("%d %s", status, text)
					}
				}
			}
		})
	}
	totals := &Totals{}
	var order []time.Time
	collect := func(at time.Time, s *payload.Series) error {
		totals.Add(at, s)
		order = append(order, at)
		return nil
	}
	sent := make(chan struct{})
	decoding.Go(func() {
		for {
			if err := c.Decode(collect); err != nil {
				t.Error(err)
			}
			select {
			case <-sent:
				return
			default:
			}
		}
	})
	sending.Wait()
	close(sent)
	decoding.Wait()
	if err := c.Decode(collect); err != nil {
		t.Error(err)
	}
	want := TypeTotal{Keys: count, Series: senders * uploads * count, Points: senders * uploads * count, Sum: senders * uploads * count}
	if got := totals.OfType(payload.Count); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for i := 1; i < len(order); i++ {
		if order[i].Before(order[i-1]) {
			t.Fatalf("series %d was visited out of the order of arrival", i)
		}
	}
	got := c.Activity()
	if got.Requests != senders*uploads || got.Duplicates != senders*uploads || got.Refused != 0 {
		t.Errorf("activity %+v, want %d requests and as many duplicates", got, senders*uploads)
	}
}

// TestDuplicatesAtOnce sends one key on many connections at the same time: a
// retry may overtake its first try.
func TestDuplicatesAtOnce(t *testing.T) {
	c := run(t, nil)
	upload := body(t, payload.Zstd, 10)
	var sending sync.WaitGroup
	for range 10 {
		sending.Go(func() { c.post(t, PathSeries, upload, "Content-Encoding", payload.Zstd, HeaderKey, "one") })
	}
	sending.Wait()
	activity(t, c, Activity{Requests: 1, Bytes: int64(len(upload)), Duplicates: 9})
	if got := c.totals(t).OfType(payload.Count).Sum; got != 10 {
		t.Errorf("sum %v, want 10", got)
	}
}

func TestRefusals(t *testing.T) {
	c := run(t, func(config *Config) { config.MaxBodyBytes = 1000 })
	good := body(t, payload.Identity, 1)
	tests := []struct {
		name   string
		body   []byte
		header []string
		status int
		text   string
	}{
		{"no content type", good, []string{"Content-Type", ""}, 415, `Content-Type is \"\", want application/json or application/x-protobuf`},
		{"a form", good, []string{"Content-Type", "multipart/form-data"}, 415, `want application/json or application/x-protobuf`},
		{"unknown encoding", good, []string{"Content-Encoding", "br"}, 415, `Content-Encoding is \"br\", want one of identity, gzip, deflate, zstd`},
		{"two encodings", good, []string{"Content-Encoding", "gzip, zstd"}, 415, `want one of`},
		{"empty", nil, nil, 400, `body is empty`},
		{"too large", make([]byte, 1001), nil, 413, `body is larger than 1000 bytes`},
	}
	for _, test := range tests {
		status, text := c.post(t, PathSeries, test.body, test.header...)
		if status != test.status || !strings.Contains(text, test.text) {
			t.Errorf("%s: %d %s, want %d with %s", test.name, status, text, test.status, test.text)
		}
	}
	response, err := c.http.Get(c.URL() + PathSeries)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusMethodNotAllowed || response.Header.Get("Allow") != http.MethodPost {
		t.Errorf("GET: %s, Allow %q", response.Status, response.Header.Get("Allow"))
	}
	activity(t, c, Activity{Refused: int64(len(tests)) + 1})
	if got := len(c.Warnings()); got != len(tests)+1 {
		t.Errorf("%d warnings, want one for each cause: %q", got, c.Warnings())
	}
	if got := c.totals(t).OfType(payload.Count); got != (TypeTotal{}) {
		t.Errorf("refused uploads were counted: %+v", got)
	}
	// Upper case is the same coding to HTTP, and what was refused may come again.
	if status, text := c.post(t, PathSeries, body(t, payload.Gzip, 1), "Content-Encoding", "GZIP"); status != http.StatusAccepted {
		t.Errorf("GZIP: %d %s", status, text)
	}
}

func TestBodyCutOffIsRefusedAndItsKeyStaysFree(t *testing.T) {
	c := run(t, nil)
	conn, err := net.Dial("tcp", c.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	good := body(t, payload.Identity, 1)
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n%s: k\r\nContent-Length: %d\r\n\r\n%s", PathSeries, HeaderKey, len(good), good[:10])
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") {
		t.Errorf("%q, %v, want a status of 400", answer, err)
	}
	_ = conn.Close()
	activity(t, c, Activity{Refused: 1})
	c.post(t, PathSeries, good, HeaderKey, "k")
	if got := c.totals(t).OfType(payload.Count).Sum; got != 1 {
		t.Errorf("sum %v after the retry, want 1", got)
	}
}

func TestOtherPaths(t *testing.T) {
	c := run(t, nil)
	if status, text := c.post(t, PathValidate, nil); status != http.StatusOK || text != `{"valid":true}` {
		t.Errorf("validate: %d %s", status, text)
	}
	if status, _ := c.post(t, "/ping", nil); status != http.StatusNoContent {
		t.Errorf("ping: %d, want 204", status)
	}
	for range 2 {
		if status, text := c.post(t, "/api/v1/metadata", []byte("x")); status != http.StatusAccepted || text != `{"errors":[]}` {
			t.Errorf("another path: %d %s", status, text)
		}
	}
	c.post(t, "/intake/else", nil)
	activity(t, c, Activity{Unknown: 3})
	want := []string{
		"POST /api/v1/metadata was acknowledged and thrown away: what comes to this path is not counted (2 times)",
		"POST /intake/else was acknowledged and thrown away: what comes to this path is not counted (1 times)",
	}
	if diff := cmp.Diff(want, c.Warnings()); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	for n := range 2 * differentNotes {
		c.post(t, fmt.Sprint("/", n), nil)
	}
	if got := len(c.Warnings()); got != differentNotes+1 {
		t.Errorf("%d warnings, want a bound of %d kinds and one for the rest", got, differentNotes)
	}
}

// TestUnreadableUploads: they were acknowledged before anybody looked, so there
// is no other way than to fail loudly, and for good.
func TestUnreadableUploads(t *testing.T) {
	c := run(t, func(config *Config) { config.MaxDecodedBytes = 100000 })
	gzipped := body(t, payload.Gzip, 100)
	for _, upload := range []struct {
		body     []byte
		encoding string
	}{
		{body(t, payload.Gzip, 1), payload.Gzip},
		{gzipped[:len(gzipped)-1], payload.Gzip},
		{[]byte(`{"series":[{"metric":"a","type":1,"points":[{"timestamp":1,"value":1}]}`), payload.Identity},
		{body(t, payload.Zstd, 10000), payload.Zstd},
		{body(t, payload.Zstd, 1), payload.Deflate},
		{body(t, payload.Zstd, 1), payload.Zstd},
	} {
		if status, text := c.post(t, PathSeries, upload.body, "Content-Encoding", upload.encoding); status != http.StatusAccepted {
			t.Errorf("%d %s", status, text)
		}
	}
	totals := &Totals{}
	first := c.Decode(fold(totals))
	if first == nil {
		t.Fatal("Decode is content with unreadable uploads")
	}
	for _, want := range []string{
		"cannot decode 4 of the uploads that were taken",
		fmt.Sprintf("upload 2 (gzip, %d bytes, ", len(gzipped)-1),
		"unexpected EOF",
		"upload 3 (identity, 71 bytes, ",
		"upload 4 (zstd, ",
		"larger than its limit of 100000 bytes",
	} {
		if !strings.Contains(first.Error(), want) {
			t.Errorf("error lacks %q:\n%v", want, first)
		}
	}
	if strings.Contains(first.Error(), "upload 5") {
		t.Errorf("more than the first %d are named:\n%v", shownFaults, first)
	}
	if again := c.Decode(nil); again == nil || again.Error() != first.Error() {
		t.Errorf("a later Decode says %v, want the same error again", again)
	}
	if got := c.Activity().Invalid; got != 4 {
		t.Errorf("invalid: %d, want 4", got)
	}
	// The sound uploads before and after were counted all the same.
	if total, _ := totals.Get(payload.Count, "hits|n:0"); total.Points < 2 {
		t.Errorf("first and last upload: %+v", total)
	}
}

func TestDecodeStopsWhereVisitDoes(t *testing.T) {
	c := run(t, nil)
	for range 3 {
		c.post(t, PathSeries, body(t, payload.Gzip, 2), "Content-Encoding", payload.Gzip)
	}
	enough := errors.New("enough")
	visited := 0
	err := c.Decode(func(time.Time, *payload.Series) error {
		visited++
		if visited == 3 {
			return enough
		}
		return nil
	})
	if err != enough || visited != 3 {
		t.Errorf("%d visited, error %v, want the visitor's own after 3", visited, err)
	}
	if got := c.totals(t).OfType(payload.Count).Series; got != 2 {
		t.Errorf("%d series left, want the 2 of the last upload", got)
	}
	if got := c.Activity().Invalid; got != 0 {
		t.Errorf("%d uploads invalid: an error of the visitor is none of the upload", got)
	}
}

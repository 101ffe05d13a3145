package forward

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"floodgate/internal/payload"
)

// outage is an intake that can be switched off.
type outage struct {
	mu     sync.Mutex
	status map[string]int // by host; 202 where none is given
	tries  []string       // host and body of each request
	taken  map[string][]string
	keys   map[string]map[string]bool // by body
}

func (o *outage) answer(r *http.Request, body []byte) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	text := string(body)
	o.tries = append(o.tries, r.URL.Host+" "+text)
	if o.keys == nil {
		o.keys, o.taken = map[string]map[string]bool{}, map[string][]string{}
	}
	if o.keys[text] == nil {
		o.keys[text] = map[string]bool{}
	}
	o.keys[text][r.Header.Get("Idempotency-Key")] = true
	if status := o.status[r.URL.Host]; status != http.StatusAccepted {
		return status
	}
	o.taken[r.URL.Host] = append(o.taken[r.URL.Host], text)
	return http.StatusAccepted
}

// checkNamed is a service check as a body of its own.
func checkNamed(name string) []payload.ServiceCheck { return []payload.ServiceCheck{{Name: name}} }

func bodyOf(name string) string { return `[{"check":"` + name + `","status":0}]` }

func bodies(names ...string) (all []string) {
	for _, name := range names {
		all = append(all, bodyOf(name))
	}
	return all
}

// running starts Run in the bubble and returns how to end it.
func running(t *testing.T, f *Forwarder) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	synctest.Wait()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

// pass lets the time of the bubble go by, which takes none of ours.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func identity(c *Config) { c.Encoding = payload.Identity }

func (o *outage) set(host string, status int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.status[host] = status
}

// took is what an intake has acknowledged.
func (o *outage) took(host string) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.taken[host])
}

func (o *outage) tried() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.tries)
}

func newOutage() *outage { return &outage{status: map[string]int{"one": 202, "two": 202}} }

func expect(t *testing.T, why string, c *Counters, uploaded, failed, waiting int64) {
	t.Helper()
	if c.Uploaded.Load() != uploaded || c.UploadFailed.Load() != failed || c.Waiting.Load() != waiting {
		t.Errorf("%s: %d uploaded, %d failed, %d waiting, want %d, %d and %d", why, c.Uploaded.Load(), c.UploadFailed.Load(), c.Waiting.Load(), uploaded, failed, waiting)
	}
}

// TestRunSitsOutAnOutage: calls return after their first try, and what waited
// arrives in order once the intake is back.
func TestRunSitsOutAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutage()
		f := newFake(t, identity, o.answer)
		defer running(t, f)()
		o.set("one", 0)
		start := time.Now()
		for _, name := range []string{"a", "b", "c"} {
			if err := f.Checks(t.Context(), checkNamed(name)); err != nil {
				t.Errorf("%s waits, and is no error yet: %v", name, err)
			}
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("the calls took %v, want no wait", took)
		}
		if want := []string{"one " + bodyOf("a")}; !slices.Equal(o.tried(), want) {
			t.Errorf("tried %v, want a alone: the others line up behind it", o.tried())
		}
		expect(t, "in the outage", &f.Counters, 0, 0, 3)
		if got, want := f.Counters.WaitingBytes.Load(), int64(3*len(bodyOf("a"))); got != want {
			t.Errorf("%d bytes wait, want %d", got, want)
		}
		pass(time.Minute)
		// With full jitter up to 5 s a minute has some 24 tries; a fixed or a
		// missing pause would be far off.
		if n := f.Counters.Retries.Load(); n < 12 || n > 60 {
			t.Errorf("%d retries in a minute", n)
		}
		o.set("one", 202)
		pass(lastBackoff)
		if want := bodies("a", "b", "c"); !slices.Equal(o.took("one"), want) {
			t.Errorf("taken %v, want %v", o.took("one"), want)
		}
		expect(t, "after it", &f.Counters, 3, 0, 0)
		if err := f.Checks(t.Context(), checkNamed("d")); err != nil || len(o.took("one")) != 4 {
			t.Errorf("d: %v, %d taken, want it sent at once again", err, len(o.took("one")))
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		for text, keys := range o.keys {
			if len(keys) != 1 {
				t.Errorf("%s came with %d keys, want the same on each try", text, len(keys))
			}
		}
	})
}

func TestRefusalsDoNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutage()
		f := newFake(t, identity, o.answer)
		defer running(t, f)()
		o.set("one", http.StatusForbidden)
		if err := f.Checks(t.Context(), checkNamed("a")); !errors.Is(err, ErrUpload) {
			t.Errorf("got %v, want ErrUpload", err)
		}
		expect(t, "refused at once", &f.Counters, 0, 1, 0)
		o.set("one", http.StatusServiceUnavailable)
		if err := f.Checks(t.Context(), checkNamed("b")); err != nil {
			t.Error(err)
		}
		o.set("one", http.StatusForbidden)
		pass(time.Minute)
		expect(t, "refused on a retry", &f.Counters, 0, 2, 0)
	})
}

// TestRetryBufferDropsTheOldest and counts it, within its bytes.
func TestRetryBufferDropsTheOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutage()
		size := int64(len(bodyOf("a")))
		f := newFake(t, func(c *Config) { c.Encoding, c.RetryBytes = payload.Identity, 2*size+1 }, o.answer)
		defer running(t, f)()
		o.set("one", 0)
		for _, name := range []string{"a", "b", "c", "d"} {
			if err := f.Checks(t.Context(), checkNamed(name)); err != nil {
				t.Errorf("%s: %v, want none: it is an older one that was dropped", name, err)
			}
			if n := f.Counters.WaitingBytes.Load(); n > 2*size {
				t.Errorf("%d bytes wait, want at most %d", n, 2*size)
			}
		}
		expect(t, "full", &f.Counters, 0, 2, 2)
		if err := f.Checks(t.Context(), checkNamed(strings.Repeat("x", int(2*size)))); !errors.Is(err, ErrUpload) || !errors.Is(err, errNoRoom) {
			t.Errorf("a batch larger than the buffer: %v, want it given up", err)
		}
		expect(t, "larger than the buffer", &f.Counters, 0, 3, 2)
		o.set("one", 202)
		pass(time.Minute)
		if want := bodies("c", "d"); !slices.Equal(o.took("one"), want) {
			t.Errorf("taken %v, want %v", o.took("one"), want)
		}
	})
}

// TestOldestUnderWayIsNotDropped: it may just be arriving, and would count
// twice.
func TestOldestUnderWayIsNotDropped(t *testing.T) {
	var c Counters
	b := newBuffer(10, &c)
	batch := func(key string, size int) *dispatch {
		return &dispatch{Batch: Batch{Body: make([]byte, size), Messages: 1}, key: key}
	}
	keys := func(list []*dispatch) (all string) {
		for _, d := range list {
			all += d.key
		}
		return all
	}
	for _, step := range []struct {
		why, key string
		size     int
		dropped  string
	}{
		{"room for all", "a", 4, ""}, {"room for all", "b", 4, ""},
	} {
		if got := keys(b.push(batch(step.key, step.size))); got != step.dropped {
			t.Errorf("%s: %q dropped, want %q", step.why, got, step.dropped)
		}
	}
	if d := b.oldest(); d == nil || d.key != "a" {
		t.Fatalf("oldest is %v, want a", d)
	}
	if got := keys(b.push(batch("c", 6))); got != "b" {
		t.Errorf("%q dropped, want b: a is under way", got)
	}
	if got := keys(b.push(batch("d", 7))); got != "d" {
		t.Errorf("%q dropped, want d itself: beside a there is no room for it", got)
	}
	b.settle(false)
	if got := keys(b.push(batch("e", 10))); got != "ac" {
		t.Errorf("%q dropped, want a and c", got)
	}
	b.oldest()
	b.settle(true)
	if !b.empty() || b.bytes != 0 || c.Waiting.Load() != 0 || c.WaitingBytes.Load() != 0 {
		t.Errorf("%d bytes and %d messages wait in an empty buffer", b.bytes, c.Waiting.Load())
	}
}

// TestWaitingBodiesAreCopies: the encoder writes the next batch over the body.
func TestWaitingBodiesAreCopies(t *testing.T) {
	var c Counters
	b := newBuffer(10, &c)
	body := []byte("first")
	b.push(&dispatch{Batch: Batch{Body: body}})
	copy(body, "other")
	if d := b.oldest(); !bytes.Equal(d.Body, []byte("first")) {
		t.Errorf("the body that waits became %q", d.Body)
	}
}

// TestSeveralIntakes: each has its own accounts and its own outage, and the
// primary alone speaks for the messages.
func TestSeveralIntakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutage()
		f := newFake(t, func(c *Config) { c.Encoding, c.Also = payload.Identity, []string{"http://two"} }, o.answer)
		defer running(t, f)()
		o.set("two", 0)
		if err := f.Checks(t.Context(), checkNamed("a")); err != nil {
			t.Error(err)
		}
		ends := f.Endpoints()
		if len(ends) != 2 || ends[0].URL != "http://one" || ends[0].Counters != &f.Counters || ends[1].URL != "http://two" {
			t.Fatalf("endpoints %+v", ends)
		}
		expect(t, "the primary", &f.Counters, 1, 0, 0)
		expect(t, "the other, which is down", ends[1].Counters, 0, 0, 1)
		o.set("one", http.StatusForbidden)
		o.set("two", 202)
		if err := f.Checks(t.Context(), checkNamed("b")); !errors.Is(err, ErrUpload) {
			t.Errorf("the primary refuses: %v, want ErrUpload", err)
		}
		pass(time.Minute)
		expect(t, "the primary", &f.Counters, 1, 1, 0)
		expect(t, "the other", ends[1].Counters, 2, 0, 0)
		if want := bodies("a", "b"); !slices.Equal(o.took("two"), want) {
			t.Errorf("taken %v, want %v", o.took("two"), want)
		}
	})
}

func TestSeveralIntakesWithoutRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutage()
		f := newFake(t, func(c *Config) { c.Encoding, c.Also = payload.Identity, []string{"http://two"} }, o.answer)
		o.set("two", 503)
		start := time.Now()
		if err := f.Checks(t.Context(), checkNamed("a")); err != nil {
			t.Errorf("got %v: the primary has it", err)
		}
		if took := time.Since(start); took > f.config.RetryFor || took < f.config.RetryFor-lastBackoff {
			t.Errorf("it took %v, want about the retry time of %v", took, f.config.RetryFor)
		}
		expect(t, "the primary", &f.Counters, 1, 0, 0)
		expect(t, "the other", f.Endpoints()[1].Counters, 0, 1, 0)
	})
}

func TestDrain(t *testing.T) {
	for _, test := range []struct {
		why                       string
		status                    int // once drained
		uploaded, failed, retries int64
	}{
		{"the intake is back: everything arrives, without a pause", 202, 2, 0, 2},
		{"it stays away: everything is given up", 0, 0, 2, -1},
		{"it refuses", 403, 0, 2, 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			o := newOutage()
			f := newFake(t, identity, o.answer)
			stop := running(t, f)
			if err := f.Drain(t.Context()); err == nil || errors.Is(err, ErrUpload) {
				t.Errorf("draining while it runs: %v, want an error of its own", err)
			}
			if err := f.Run(t.Context()); err == nil {
				t.Error("a second Run at the same time is no error")
			}
			stop()
			// After Run, too, calls do not wait for retries.
			o.set("one", 0)
			for _, name := range []string{"a", "b"} {
				if err := f.Checks(t.Context(), checkNamed(name)); err != nil {
					t.Error(err)
				}
			}
			o.set("one", test.status)
			start := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
			defer cancel()
			err := f.Drain(ctx)
			if lost := test.status == 0; errors.Is(err, ErrUpload) != lost || lost != (time.Since(start) == 8*time.Second) {
				t.Errorf("%s: %v after %v", test.why, err, time.Since(start))
			}
			expect(t, test.why, &f.Counters, test.uploaded, test.failed, 0)
			if n := f.Counters.Retries.Load(); test.retries >= 0 && n != test.retries {
				t.Errorf("%s: %d retries, want %d", test.why, n, test.retries)
			}
			o.set("one", 503)
			if err := f.Checks(t.Context(), checkNamed("late")); !errors.Is(err, ErrUpload) {
				t.Errorf("%s: what comes later: %v, want it given up after its try", test.why, err)
			}
			expect(t, test.why, &f.Counters, test.uploaded, test.failed+1, 0)
		})
	}
}

func TestDrainWithoutRun(t *testing.T) {
	f := newFake(t, nil, func(*http.Request, []byte) int { return 202 })
	if err := f.Drain(t.Context()); err != nil {
		t.Errorf("got %v: nothing waits", err)
	}
}

// TestRunKeepsWhatWaits when it is stopped in the middle of a try, for the next
// Run or for Drain.
func TestRunKeepsWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutage()
		f := newFake(t, identity, o.answer)
		stop := running(t, f)
		o.set("one", 0)
		if err := f.Checks(t.Context(), checkNamed("a")); err != nil {
			t.Error(err)
		}
		stop()
		expect(t, "stopped", &f.Counters, 0, 0, 1)
		o.set("one", 202)
		stop = running(t, f)
		pass(time.Second)
		stop()
		expect(t, "run again", &f.Counters, 1, 0, 0)
	})
}

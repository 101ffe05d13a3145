package intake

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"floodgate/internal/payload"
)

func TestSpoolOverflowStaysExact(t *testing.T) {
	size := int64(len(body(t, payload.Identity, 10)))
	for _, memory := range []int64{0, size, 3 * size} {
		c := run(t, func(config *Config) { config.SpoolBytes, config.SpillBytes = memory, 5*size })
		// The second round shows that room was given back.
		for round := range 2 {
			fit := int(memory/size) + 5
			for n := range fit + 2 {
				status, text := c.post(t, PathSeries, body(t, payload.Identity, 10))
				if n < fit && status != http.StatusAccepted {
					t.Errorf("memory %d, round %d, upload %d: %d %s", memory, round, n, status, text)
				}
				if n >= fit && (status != http.StatusServiceUnavailable || !strings.Contains(text, "cannot spool")) {
					t.Errorf("memory %d, round %d, upload %d beyond both bounds: %d %s, want a refusal", memory, round, n, status, text)
				}
			}
			totals := c.totals(t)
			if got, want := totals.OfType(payload.Count).Sum, float64(10*fit); got != want {
				t.Errorf("memory %d, round %d: sum %v, want %v", memory, round, got, want)
			}
		}
		if got := c.Activity(); got.Refused != 4 {
			t.Errorf("memory %d: %+v, want 4 refused", memory, got)
		}
		if c.spool.file != nil || c.spool.memory != 0 || c.spool.onDisk != 0 || c.spool.end != 0 {
			t.Errorf("memory %d: the empty spool still holds %d bytes and %d uploads on disk", memory, c.spool.memory, c.spool.onDisk)
		}
		if got := strings.Join(c.Warnings(), "\n"); !strings.Contains(got, "10 uploads did not fit into the spool") {
			t.Errorf("memory %d: warnings %q do not tell of the file", memory, got)
		}
	}
}

func TestSpoolKeepsTheOrder(t *testing.T) {
	s := &spool{memoryLimit: 4, diskLimit: 100}
	var want []string
	for n := range 6 {
		text := fmt.Sprint("u", n) // two fit into memory, and one more whenever one has left
		want = append(want, text)
		if _, _, err := s.put(upload{encoding: payload.Identity, body: []byte(text)}, ""); err != nil {
			t.Fatal(err)
		}
		if n == 3 {
			u, _ := s.next()
			s.done(&u)
			want = want[1:]
		}
	}
	if s.spilled != 3 {
		t.Errorf("%d uploads went to the file, want u2, u3 and u5", s.spilled)
	}
	for _, text := range want {
		u, ok := s.next()
		got, err := io.ReadAll(u.open())
		if !ok || err != nil || string(got) != text {
			t.Errorf("got %q, %v, want %q", got, err, text)
		}
		s.done(&u)
	}
	if _, ok := s.next(); ok {
		t.Error("more uploads than were put")
	}
}

func TestSpoolWithoutATemporaryFolder(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()+"/missing")
	s := &spool{diskLimit: 100}
	if _, _, err := s.put(upload{encoding: payload.Identity, body: []byte("x")}, "key"); err == nil || !strings.Contains(err.Error(), "cannot spool 1 bytes") {
		t.Errorf("got %v, want an error: an upload that is not kept must not be acknowledged", err)
	}
	s.memoryLimit = 100
	if _, got, err := s.put(upload{encoding: payload.Identity, body: []byte("x")}, "key"); got != taken || err != nil {
		t.Errorf("the retry became %v, %v, want it taken: its key was never used up", got, err)
	}
}

func TestRecentKeysForgetsTheOldest(t *testing.T) {
	var keys recentKeys
	for n := range rememberedKeys + 10 {
		keys.add(hashKey(fmt.Sprint(n)))
	}
	for n, want := range map[int]bool{0: false, 9: false, 10: true, rememberedKeys + 9: true} {
		if got := keys.seen(hashKey(fmt.Sprint(n))); got != want {
			t.Errorf("key %d: seen %v, want %v", n, got, want)
		}
	}
	if len(keys.set) != rememberedKeys || len(keys.ring) != rememberedKeys {
		t.Errorf("%d keys in the set and %d in the ring, want %d", len(keys.set), len(keys.ring), rememberedKeys)
	}
}

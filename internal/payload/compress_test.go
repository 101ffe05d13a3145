package payload

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// TestMain proves for every test here that neither side of the compression
// leaves a goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func compress(t testing.TB, encoding, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(encoding, &out)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func decompress(encoding string, body []byte, limit int64) (string, error) {
	r, err := NewReader(encoding, bytes.NewReader(body), limit)
	if err != nil {
		return "", err
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	return string(text), err
}

func TestEncodingsRoundTrip(t *testing.T) {
	texts := []string{"x", sampleBody(3000, func(int) string { return "m" })}
	for _, encoding := range Encodings {
		// The second round meets readers that were used before.
		for range 2 {
			for _, text := range texts {
				got, err := decompress(encoding, compress(t, encoding, text), -1)
				if err != nil || got != text {
					t.Errorf("%s: %d of %d bytes, %v", encoding, len(got), len(text), err)
				}
			}
		}
	}
}

func TestWriterFlushAndReset(t *testing.T) {
	for _, encoding := range Encodings {
		var first, second bytes.Buffer
		w, err := NewWriter(encoding, nil)
		if err != nil {
			t.Fatal(err)
		}
		w.Reset(&first)
		_, _ = io.WriteString(w, "first")
		if err := w.Flush(); err != nil {
			t.Fatalf("%s: %v", encoding, err)
		}
		// What was flushed can be read although the stream has not ended.
		r, err := NewReader(encoding, bytes.NewReader(first.Bytes()), -1)
		if err != nil {
			t.Fatalf("%s: %v", encoding, err)
		}
		flushed := make([]byte, 5)
		if _, err := io.ReadFull(r, flushed); err != nil || string(flushed) != "first" {
			t.Errorf("%s: after Flush %q, %v", encoding, flushed, err)
		}
		_ = r.Close()
		_ = w.Close()
		w.Reset(&second)
		_, _ = io.WriteString(w, "second")
		_ = w.Close()
		if got, err := decompress(encoding, second.Bytes(), -1); err != nil || got != "second" {
			t.Errorf("%s: after Reset %q, %v", encoding, got, err)
		}
	}
}

func TestReaderLimit(t *testing.T) {
	bomb := strings.Repeat("0", 10<<20)
	for _, encoding := range Encodings {
		body := compress(t, encoding, bomb)
		for _, limit := range []int64{0, 1, 1000, int64(len(bomb)) - 1} {
			got, err := decompress(encoding, body, limit)
			if !errors.Is(err, ErrTooLarge) || int64(len(got)) != limit {
				t.Errorf("%s, limit %d: %d bytes, %v", encoding, limit, len(got), err)
			}
		}
		if got, err := decompress(encoding, body, int64(len(bomb))); err != nil || got != bomb {
			t.Errorf("%s, limit of just the length: %d bytes, %v", encoding, len(got), err)
		}
		// A buffer in memory must not take a way around the limit, and neither
		// may what is decoded in advance.
		before := allocated()
		r, err := NewReader(encoding, bytes.NewBuffer(body), 10)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, r); n != 10 || !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s from a bytes.Buffer: %d bytes, %v", encoding, n, err)
		}
		_ = r.Close()
		if got := allocated() - before; got > uint64(len(bomb))/2 {
			t.Errorf("%s: %d bytes allocated to read 10", encoding, got)
		}
	}
}

// allocated is how many bytes the program has allocated so far.
func allocated() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.TotalAlloc
}

func TestReaderFindsDamage(t *testing.T) {
	text := sampleBody(100, func(int) string { return "m" })
	for _, encoding := range Encodings[1:] { // identity has no checksum
		body := compress(t, encoding, text)
		for cut := range len(body) {
			if cut > 64 && cut < len(body)-64 {
				continue // the ends are where it is delicate
			}
			if encoding == Zstd && cut == 0 {
				continue // no frame at all is a valid empty stream
			}
			if _, err := decompress(encoding, body[:cut], -1); err == nil {
				t.Errorf("%s cut after %d of %d bytes: no error", encoding, cut, len(body))
			}
		}
		for place := range body {
			damaged := bytes.Clone(body)
			damaged[place] ^= 0x10
			// A flag in a header may change nothing; the text never may.
			if got, err := decompress(encoding, damaged, 1<<24); err == nil && got != text {
				t.Errorf("%s with byte %d damaged: other text, no error", encoding, place)
			}
		}
		// The damaged readers went back to the pool: they have to work again.
		if got, err := decompress(encoding, body, -1); err != nil || got != text {
			t.Errorf("%s after damage: %d bytes, %v", encoding, len(got), err)
		}
	}
}

func TestReaderIsDeadAfterClose(t *testing.T) {
	for _, encoding := range Encodings {
		r, err := NewReader(encoding, bytes.NewReader(compress(t, encoding, "x")), -1)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(r.Close(), r.Close()); err != nil {
			t.Errorf("%s: closing twice: %v", encoding, err)
		}
		if n, err := r.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("%s: read %d bytes after Close, error %v", encoding, n, err)
		}
	}
}

func TestUnknownEncoding(t *testing.T) {
	for _, encoding := range []string{"", "br", "GZIP"} {
		if _, err := NewReader(encoding, nil, 0); !errors.Is(err, ErrEncoding) {
			t.Errorf("NewReader(%q): %v", encoding, err)
		}
		if _, err := NewWriter(encoding, nil); !errors.Is(err, ErrEncoding) {
			t.Errorf("NewWriter(%q): %v", encoding, err)
		}
	}
}

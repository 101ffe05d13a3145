package forward

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"floodgate/internal/payload"
)

// bodiesOf encodes records and returns what the bodies decode to.
func bodiesOf(t *testing.T, c EncoderConfig, records []string, final bool) []string {
	t.Helper()
	var bodies []string
	var raw int64
	e, err := NewBatchEncoder(c, func(_ context.Context, b Batch) error {
		bodies = append(bodies, decoded(t, b.Encoding, b.Body))
		raw += b.Raw - int64(len(bodies[len(bodies)-1]))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		add(t, e, r)
	}
	if err := e.Flush(t.Context(), final); err != nil {
		t.Fatal(err)
	}
	if raw != 0 {
		t.Errorf("raw bytes are off by %d", raw)
	}
	return bodies
}

// TestBufferedMakesTheSameBodies: what the two modes are compared by must be
// how they work, not what they send.
func TestBufferedMakesTheSameBodies(t *testing.T) {
	numbered := func(n int) (records []string) {
		for i := range n {
			records = append(records, fmt.Sprintf(`{"n":%d,"x":%q}`, i, strings.Repeat("y", i%100)))
		}
		return records
	}
	for _, test := range []struct {
		why        string
		records    []string
		maxRecords int
		packed     bool
		final      bool
		bodies     int
	}{
		{"nothing", nil, 3, false, false, 0},
		{"an empty end", nil, 3, false, true, 1},
		{"less than a batch", numbered(2), 3, false, false, 1},
		{"just a batch", numbered(3), 3, false, false, 1},
		{"just a batch and the end", numbered(3), 3, false, true, 2},
		{"several batches", numbered(8), 3, false, true, 3},
		{"every record alone", numbered(3), 1, false, false, 3},
		{"packed", numbered(8), 3, true, false, 3},
		{"more than the compressor is given at once", numbered(2000), 1500, false, false, 2},
		{"empty records", []string{"", "", ""}, 2, true, false, 2},
	} {
		for _, encoding := range payload.Encodings {
			c := EncoderConfig{Encoding: encoding, ThresholdBytes: 1 << 30, MaxRecords: test.maxRecords, Open: "[", Close: func(final bool) string { return fmt.Sprint("]", final) }, Packed: test.packed}
			want := bodiesOf(t, c, test.records, test.final)
			c.Buffered = true
			got := bodiesOf(t, c, test.records, test.final)
			if !slices.Equal(got, want) || len(got) != test.bodies {
				t.Errorf("%s (%s): %d bodies, want %d and those of streaming:\n%.200q\n%.200q", test.why, encoding, len(got), test.bodies, got, want)
			}
		}
	}
}

// TestBufferedHoldsABatchThreeTimes: it is the baseline that streaming is
// measured against, so it has to be as wasteful as it says.
func TestBufferedHoldsABatchThreeTimes(t *testing.T) {
	var e *BatchEncoder
	uploads := 0
	e, err := NewBatchEncoder(EncoderConfig{Encoding: payload.Identity, MaxRecords: 100, Packed: true, Buffered: true}, func(_ context.Context, b Batch) error {
		uploads++
		held := 0
		for _, record := range e.held {
			held += len(record)
		}
		if held != 1000 || cap(e.pending) < 1000 || len(b.Body) != 1000 {
			t.Errorf("%d bytes of records, %d joined, %d compressed, want 1000 each", held, cap(e.pending), len(b.Body))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 200 {
		add(t, e, "0123456789")
	}
	if uploads != 2 || e.held != nil || e.pending != nil {
		t.Errorf("%d uploads, want 2, and nothing held after them", uploads)
	}
}

func TestBufferedNeedsANumberOfRecords(t *testing.T) {
	if _, err := NewBatchEncoder(EncoderConfig{Encoding: payload.Gzip, Buffered: true}, nil); err == nil || !strings.Contains(err.Error(), "want 1 or more") {
		t.Errorf("got %v: nothing would ever be sent but at the end", err)
	}
}

func TestStreamingKeepsToMaxRecords(t *testing.T) {
	got := bodiesOf(t, EncoderConfig{Encoding: payload.Identity, ThresholdBytes: 1 << 20, MaxRecords: 2}, []string{"1", "2", "3"}, false)
	if fmt.Sprint(got) != "[1,2 3]" {
		t.Errorf("got %v, want two records and one", got)
	}
}

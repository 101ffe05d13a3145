package server

import (
	"net/http"
	"strings"
	"testing"
)

// TestFullQueueCounts: a processor that stands still (its upload blocks, the
// flush being sync) makes the queue overflow, and every message is accounted
// for.
func TestFullQueueCounts(t *testing.T) {
	in := newIntake(t)
	c := testConfig(t, in)
	c.Flush, c.QueueSize = Sync, 8
	s, stop := start(t, c)
	conn := dial(t, s)
	write := func() {
		if _, err := conn.Write([]byte("a:1|c\n\nb:1|c\n")); err != nil {
			t.Fatal(err)
		}
	}
	in.mu.Lock() // the intake stands still
	write()
	sent := 2
	eventually(t, "the queue overflows", func() bool {
		write()
		sent += 2
		return s.Statistics().QueueDropped > 0
	})
	in.mu.Unlock()
	stop()
	st := s.Statistics()
	balance(t, st)
	if st.Received != int64(sent) || st.QueueDropped == 0 || st.QueueDropped%2 != 0 {
		t.Errorf("received %d of %d, queue_dropped %d", st.Received, sent, st.QueueDropped)
	}
	if got := in.total(); got["a|"]+got["b|"] != float64(st.Aggregated) {
		t.Errorf("intake has %v, want %d together", got, st.Aggregated)
	}
	if st.QueuePeak != 8 {
		t.Errorf("queue peak %d, want its size of 8", st.QueuePeak)
	}
}

func TestTruncatedDatagram(t *testing.T) {
	in := newIntake(t)
	c := testConfig(t, in)
	c.BufferSize = 64
	s, stop := start(t, c)
	conn := dial(t, s)
	line := "name.of.twenty.bytes:1234567|c\n" // 31 bytes: two fit, the third is cut
	if _, err := conn.Write([]byte(strings.Repeat(line, 3))); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it was read", func() bool { return s.Statistics().Received == 3 })
	stop()
	st := s.Statistics()
	balance(t, st)
	if st.Truncated != 1 || st.Aggregated != 2 {
		t.Errorf("truncated %d and aggregated %d, want 1 and 2", st.Truncated, st.Aggregated)
	}
}

func TestRefusedUploadIsCounted(t *testing.T) {
	in := newIntake(t)
	in.status = http.StatusForbidden
	s, stop := start(t, testConfig(t, in))
	conn := dial(t, s)
	if _, err := conn.Write([]byte("a:1|c\nb:1|ms\n")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it was read", func() bool { return s.Statistics().Received == 2 })
	stop()
	st := s.Statistics()
	balance(t, st)
	if st.UploadFailed != 2 || st.BatchesFailed == 0 {
		t.Errorf("upload_failed %d, want 2: %+v", st.UploadFailed, st)
	}
}

package scenarios

import "testing"

// TestReducedChecks: what a reduced series is called, in which unit its bound is
// read, and that the text reads back as the same check.
func TestReducedChecks(t *testing.T) {
	for text, want := range map[string]struct {
		shown string
		unit  Unit
		bound float64
	}{
		"max(rss_bytes) <= 64MiB":         {"max(rss_bytes) <= 64MiB", Bytes, 64 << 20},
		"avg( cpu_millicores )<=1.5k":     {"avg(cpu_millicores) <= 1500", Millicores, 1500},
		"p99(ingest_latency) <= 1500us":   {"p99(ingest_latency) <= 1.5ms", Seconds, 0.0015},
		"p99.9(flush_stall) <= 1ms":       {"p99.9(flush_stall) <= 1ms", Seconds, 0.001},
		"last(lost_messages) == 0":        {"last(lost_messages) == 0", Messages, 0},
		"min(delivered) >= 0":             {"min(delivered) >= 0", Messages, 0},
		"max(kernel_queue_bytes) <= 1MiB": {"max(kernel_queue_bytes) <= 1MiB", Bytes, 1 << 20},
		"p50(queue_length) <= 1k":         {"p50(queue_length) <= 1000", Datagrams, 1000},
	} {
		c, err := parseCheck(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if c.String() != want.shown || c.Measure.Unit != want.unit || c.Bound != want.bound || c.Reduced == (Reduced{}) {
			t.Errorf("%s reads as %s in %s, bound %v; want %+v", text, c, c.Measure.Unit, c.Bound, want)
		}
		if back, err := parseCheck(c.String()); err != nil || back != c {
			t.Errorf("%s reads back as %v, %v", c, back, err)
		}
	}
}

// TestShare: another number of replicates than the written one is never judged
// more leniently.
func TestShare(t *testing.T) {
	for _, c := range []struct {
		text  string
		total int
		want  int
		shown string
	}{
		{"all", 10, 10, "all"},
		{"10 of 10", 6, 6, "all"},
		{"9 of 10", 10, 9, "9 of 10"},
		{"9 of 10", 20, 18, "9 of 10"},
		{"9 of 10", 6, 6, "9 of 10"}, // 5.4 would be 90 %
		{"2 of 3", 10, 7, "2 of 3"},
		{"1 of 1000", 3, 1, "1 of 1000"},
	} {
		s, err := parseShare(c.text)
		if err != nil || s.Of(c.total) != c.want || s.String() != c.shown {
			t.Errorf("%s of %d is %d, shown as %s, %v; want %d, %s", c.text, c.total, s.Of(c.total), s, err, c.want, c.shown)
		}
	}
}

// TestCheckMapping reads every key of the long form.
func TestCheckMapping(t *testing.T) {
	s, err := Parse("", []byte(minimal+`checks:
  - lost_messages <= 0
  - {check: "max(rss_bytes) <= 64MiB", replicas: "9 of 10", informational: true}
`))
	if err != nil {
		t.Fatal(err)
	}
	if c := s.Checks[0]; !c.Replicas.All() || c.Informational || c.Line != 5 {
		t.Errorf("the short form reads as %+v", c)
	}
	if c := s.Checks[1]; c.Replicas != (Share{9, 10}) || !c.Informational || c.Line != 6 || c.Name() != "max(rss_bytes)" || c.Reduced.Series.From != "rss_bytes" {
		t.Errorf("the long form reads as %+v", c)
	}
}

package harness

import (
	"testing"

	"floodgate/internal/record"
)

// TestWokenTooLate: the machine is named where a loss and a late wake-up come
// together, and nowhere else.
func TestWokenTooLate(t *testing.T) {
	seconds := func(s float64) *float64 { return &s }
	for _, test := range []struct {
		why     string
		dropped *int64
		stats   *Statistics
		want    bool
	}{
		{"a late wake-up and a loss", record.Count(24), &Statistics{WakeLateMax: seconds(0.0156)}, true},
		{"nothing was lost", record.Count(0), &Statistics{WakeLateMax: seconds(0.0156)}, false},
		{"drops are not known", nil, &Statistics{WakeLateMax: seconds(0.0156)}, false},
		{"on time: the loss is the target's own", record.Count(24), &Statistics{WakeLateMax: seconds(0.0004)}, false},
		{"the target does not tell", record.Count(24), &Statistics{}, false},
		{"no statistics", record.Count(24), nil, false},
	} {
		if got := wokenTooLate(record.Ledger{KernelDropped: test.dropped}, test.stats); got != test.want {
			t.Errorf("%s: %v, want %v", test.why, got, test.want)
		}
	}
}

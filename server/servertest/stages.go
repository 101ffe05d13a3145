package servertest

import (
	"encoding/json"
	"fmt"
	"strconv"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// field is one number of the statistics.
type field struct {
	name     string
	seconds  bool // it may have a fraction; otherwise it counts
	optional bool // not every system tells
}

// fields are the numbers that a target with statistics tells, by the names of
// the contract.
var fields = []field{
	{name: "datagrams"}, {name: "received"}, {name: "queue_dropped"}, {name: "malformed"}, {name: "truncated"}, {name: "rejected"},
	{name: "shutdown_dropped"}, {name: "aggregated"}, {name: "upload_failed"}, {name: "pending"}, {name: "queue_length"}, {name: "queue_peak"},
	{name: "flush_stall_max_seconds", seconds: true}, {name: "flush_stall_total_seconds", seconds: true}, {name: "flush_cpu_ns", optional: true},
	{name: "wake_late_max_seconds", seconds: true, optional: true},
}

// stages is what the statistics must tell of what was sent.
type stages struct {
	datagrams                               int64 // -1 for any
	received, malformed, truncated, rejects int64
	causes                                  map[string]int64 // of malformed
	pending, failed                         int64            // -1 for any
}

// verifyStages checks the statistics of a target that claims them. Where they
// come after its end, nothing may be pending.
func (s *suite) verifyStages(t *testing.T, name string, claim Feature, got statistics, want stages) {
	t.Run(name, func(t *testing.T) {
		s.need(t, claim)
		if claim == Statistics {
			want.pending = -1 // flushed or not
		}
		for _, fault := range verifyStages(got, want) {
			t.Error(fault)
		}
	})
}

// verifyStages returns what is wrong with the statistics of a quiet target.
func verifyStages(got statistics, want stages) []string {
	var found []string
	for _, f := range fields {
		found = append(found, verifyField(got, f)...)
	}
	compare := func(name string, want int64) {
		if n := got.number(name); want >= 0 && n != want {
			found = append(found, fmt.Sprintf("%s is %d, want %d", name, n, want))
		}
	}
	compare("datagrams", want.datagrams)
	compare("received", want.received)
	compare("malformed", want.malformed)
	compare("truncated", want.truncated)
	compare("rejected", want.rejects)
	compare("queue_dropped", 0)
	compare("shutdown_dropped", 0)
	compare("aggregated", want.received-want.malformed-want.truncated-want.rejects)
	compare("upload_failed", want.failed)
	compare("pending", want.pending)
	compare("queue_length", 0)
	if n := accounted(got); n != got.number("received") {
		found = append(found, fmt.Sprintf("received is %d, but what became of it adds up to %d", got.number("received"), n))
	}
	return append(found, verifyCauses(got, want.causes)...)
}

func verifyField(got statistics, f field) []string {
	text, given := got[f.name]
	if !given && f.optional {
		return nil
	}
	if !given {
		return []string{f.name + " is not told"}
	}
	n, err := strconv.ParseFloat(string(text), 64)
	switch {
	case err != nil:
		return []string{fmt.Sprintf("%s is %s, want a number", f.name, text)}
	case n < 0:
		return []string{fmt.Sprintf("%s is %s, want 0 or more", f.name, text)}
	case !f.seconds && n != float64(int64(n)):
		return []string{fmt.Sprintf("%s is %s, want a whole number", f.name, text)}
	}
	return nil
}

// verifyCauses compares malformed_by_cause, which a target may tell beyond the
// contract.
func verifyCauses(got statistics, want map[string]int64) []string {
	text, given := got["malformed_by_cause"]
	if !given || want == nil {
		return nil
	}
	var causes map[string]int64
	if err := json.Unmarshal(text, &causes); err != nil {
		return []string{fmt.Sprintf("cannot read malformed_by_cause: %v", err)}
	}
	var found []string
	for cause, n := range want {
		if causes[cause] != n {
			found = append(found, fmt.Sprintf("%d malformed by %s, want %d", causes[cause], cause, n))
		}
	}
	for cause, n := range causes {
		if _, expected := want[cause]; !expected {
			found = append(found, fmt.Sprintf("%d malformed by %s, want none", n, cause))
		}
	}
	return found
}

// verifyStalls decodes the histogram of the final statistics.
func verifyStalls(final statistics) []string {
	text, given := final["flush_stall_histogram"]
	if !given {
		return []string{"flush_stall_histogram is not told"}
	}
	var encoded string
	if err := json.Unmarshal(text, &encoded); err != nil {
		return []string{fmt.Sprintf("flush_stall_histogram is no text: %v", err)}
	}
	stalls, err := hdrhistogram.Decode([]byte(encoded))
	if err != nil {
		return []string{fmt.Sprintf("cannot read flush_stall_histogram: %v", err)}
	}
	var longest float64
	json.Unmarshal(final["flush_stall_max_seconds"], &longest) // verifyField tells when it is no number
	// The histogram keeps three digits.
	if highest := float64(stalls.Max()) / 1e9; highest > longest*1.002+1e-9 || highest < longest*.998-1e-6 {
		return []string{fmt.Sprintf("the longest stall is %v s in flush_stall_histogram and %v s in flush_stall_max_seconds", highest, longest)}
	}
	return nil
}

// verifyLatency decodes the ingest latency of the final statistics, where it is
// told: it holds no more datagrams than were read.
func verifyLatency(final statistics) []string {
	text, given := final["ingest_latency_histogram"]
	if !given {
		return nil // not every kernel tells when a datagram arrived
	}
	var encoded string
	if err := json.Unmarshal(text, &encoded); err != nil {
		return []string{fmt.Sprintf("ingest_latency_histogram is no text: %v", err)}
	}
	latency, err := hdrhistogram.Decode([]byte(encoded))
	if err != nil {
		return []string{fmt.Sprintf("cannot read ingest_latency_histogram: %v", err)}
	}
	var datagrams int64
	json.Unmarshal(final["datagrams"], &datagrams) // verifyField tells when it is no number
	if n := latency.TotalCount(); n > datagrams {
		return []string{fmt.Sprintf("ingest_latency_histogram has %d datagrams, more than the %d that were read", n, datagrams)}
	}
	return nil
}

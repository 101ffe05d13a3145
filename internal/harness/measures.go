package harness

import (
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"floodgate/internal/intake"
	"floodgate/internal/procfs"
	"floodgate/internal/record"
	"floodgate/internal/target"
	"floodgate/scenarios"
)

// findings is what one replicate left to be turned into measures. Pointers are
// nil where the quantity was not measured.
type findings struct {
	ledger    record.Ledger
	values    *record.Values
	lateness  *hdrhistogram.Histogram // nil without a load
	freshness *hdrhistogram.Histogram // nil where it cannot be told
	blocked   time.Duration           // of the generator, by a full receiver
	cpu       *time.Duration          // of the target, from the first due message until it ended
	warm      leftOut                 // of cpu_per_message: the load's warm-up
	elapsed   time.Duration           // from the first due message until drained
	rssPeak   *int64
	pss       *int64
	readings  procfs.Result
	stats     *Statistics
	intake    intake.Activity
	loadEnded time.Time
	uncounted bool         // the output went nowhere that counts
	held      target.Usage // by the target's limits, over the same stretch as cpu
}

// measures lists what was measured, in the order of the catalogue.
func measures(f findings) []record.Measure {
	values := map[string]float64{}
	if !f.uncounted {
		values["intake_bytes"] = float64(f.intake.Bytes)
		values["intake_requests"] = float64(f.intake.Requests)
		values["intake_connections"] = float64(f.intake.Connections)
	}
	if f.ledger.LossKnown() {
		values["lost_messages"] = float64(f.ledger.Lost())
	}
	if f.ledger.Delivered != nil {
		values["delivered_messages"] = float64(*f.ledger.Delivered + f.ledger.Undecided)
	}
	if f.ledger.Sent > 0 && f.ledger.LossKnown() {
		values["lost_fraction"] = float64(f.ledger.Lost()) / float64(f.ledger.Sent)
	}
	if f.values != nil {
		values["wrong_values"] = float64(f.values.Wrong)
	}
	if f.cpu != nil {
		values["cpu_seconds"] = f.cpu.Seconds()
		values["cpu_millicores"] = 1000 * f.cpu.Seconds() / f.elapsed.Seconds()
		// Where the output is not counted, by what the target says came through.
		// What else was lost inside the target counts as lost after the warm-up.
		if n := f.ledger.Sent - f.ledger.Lost() - f.warm.messages; n > 0 && f.ledger.LossKnown() && !f.warm.unknown {
			values["cpu_per_message"] = (*f.cpu - f.warm.cpu).Seconds() / float64(n)
			if flush, told := f.flushCPU(); told {
				values["flush_cpu_per_message"] = flush.Seconds() / float64(n)
			}
		}
	}
	heldMeasures(f.held, values)
	if f.rssPeak != nil {
		values["rss_peak"] = float64(*f.rssPeak)
	}
	if f.pss != nil {
		values["pss_drained"] = float64(*f.pss)
	}
	if f.readings.Socket {
		var peak int64
		for _, r := range f.readings.Readings {
			peak = max(peak, r.KernelQueueBytes)
		}
		values["kernel_queue_peak"] = float64(peak)
	}
	toldMeasures(f.stats, values)
	if f.lateness != nil {
		values["lateness_p99"] = time.Duration(f.lateness.ValueAtQuantile(99)).Seconds()
		values["lateness_max"] = time.Duration(f.lateness.Max()).Seconds()
		values["blocked_time"] = f.blocked.Seconds()
		values["given_up_messages"] = float64(f.ledger.GivenUp)
		if !f.intake.Last.IsZero() {
			values["drain_time"] = max(0, f.intake.Last.Sub(f.loadEnded).Seconds())
		}
	}
	quantiles(values, "freshness", f.freshness)
	if f.stats != nil && f.stats.IngestLatencyHistogram != "" {
		// What cannot be read voids the replicate when histograms are kept.
		h, _ := hdrhistogram.Decode([]byte(f.stats.IngestLatencyHistogram))
		quantiles(values, "ingest_latency", h)
	}
	var list []record.Measure
	for _, m := range scenarios.Measures {
		if value, measured := values[m.Name]; measured {
			list = append(list, record.Measure{Name: m.Name, Unit: string(m.Unit), Better: m.Better, Value: value})
		}
	}
	return list
}

// flushCPU is the CPU time of the target's flushes over the stretch of
// cpu_per_message.
func (f *findings) flushCPU() (time.Duration, bool) {
	switch {
	case f.stats == nil || f.stats.FlushCPU == nil:
		return 0, false
	case f.warm == (leftOut{}):
		return time.Duration(*f.stats.FlushCPU), true
	case f.warm.flushCPU == nil:
		return 0, false
	}
	return time.Duration(*f.stats.FlushCPU - *f.warm.flushCPU), true
}

// quantiles enters the measures of a histogram of nanoseconds, if it has values.
func quantiles(values map[string]float64, name string, h *hdrhistogram.Histogram) {
	if h == nil || h.TotalCount() == 0 {
		return
	}
	values[name+"_p50"] = time.Duration(h.ValueAtQuantile(50)).Seconds()
	values[name+"_p99"] = time.Duration(h.ValueAtQuantile(99)).Seconds()
	values[name+"_max"] = time.Duration(h.Max()).Seconds()
}

// histograms encodes what was recorded in full.
func histograms(f findings) (map[string]string, error) {
	h := map[string]string{}
	for name, own := range map[string]*hdrhistogram.Histogram{record.HistogramLateness: f.lateness, record.HistogramFreshness: f.freshness} {
		if own == nil {
			continue
		}
		encoded, err := own.EncodeV2()
		if err != nil {
			return nil, fmt.Errorf("cannot encode the %s histogram: %w", name, err)
		}
		h[name] = string(encoded) // the library encodes to base64 itself
	}
	if f.stats == nil {
		return h, nil
	}
	for _, told := range []struct{ field, name, encoded string }{
		{"flush_stall_histogram", record.HistogramFlushStall, f.stats.FlushStallHistogram},
		{"ingest_latency_histogram", record.HistogramIngestLatency, f.stats.IngestLatencyHistogram},
	} {
		if told.encoded == "" {
			continue
		}
		if _, err := hdrhistogram.Decode([]byte(told.encoded)); err != nil {
			return nil, &invalid{reason: fmt.Sprintf("cannot read the %s of the target: %v", told.field, err)}
		}
		h[told.name] = told.encoded
	}
	return h, nil
}

// toldMeasures are those that the target tells itself.
func toldMeasures(s *Statistics, values map[string]float64) {
	if s == nil {
		return
	}
	if s.QueuePeak != nil {
		values["queue_length_peak"] = float64(*s.QueuePeak)
	}
	for name, told := range map[string]*float64{"flush_stall_max": s.FlushStallMax, "flush_stall_total": s.FlushStallTotal, "wake_late_max": s.WakeLateMax} {
		if told != nil {
			values[name] = *told
		}
	}
}

package server

import (
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"floodgate/internal/dogstatsd"
	"floodgate/server/aggregate"
)

// laneStats is what a lane counts. The ingest goroutine publishes once per
// batch; anybody may read.
type laneStats struct {
	datagrams, bytes     atomic.Int64 // read from the socket
	badFrames            atomic.Int64
	queueDropped         atomic.Int64 // messages
	received, aggregated atomic.Int64
	truncated, rejected  atomic.Int64
	faults               [dogstatsd.Faults]atomic.Int64
	keys                 atomic.Int64
	flushes, postponed   atomic.Int64
	published            aggregate.Counts // of the ingest goroutine: what the atomics hold
	stallMu              sync.Mutex       // taken once per flush
	stall                *hdrhistogram.Histogram
	stallMax, stallTotal time.Duration
	wakeLate             atomic.Int64 // ns; of the reader
	// latency of datagrams from their arrival at the kernel until they are
	// aggregated, in nanoseconds. It belongs to whoever ingests, and to others
	// once the lane has ended.
	latency *hdrhistogram.Histogram
}

// stallRange is the longest flush stall the histogram holds; longer ones are
// recorded as this.
const stallRange = 10 * time.Minute

func (s *laneStats) init() {
	s.stall = hdrhistogram.New(1, int64(stallRange), 3)
	s.latency = hdrhistogram.New(int64(time.Microsecond), int64(latencyRange), 2)
}

// latencyRange is the longest ingest latency the histogram holds; longer ones
// are recorded as this.
const latencyRange = time.Minute

// ingested records how long the datagrams of a batch took until now.
func (s *laneStats) ingested(slots []slot, now time.Time) {
	for i := range slots {
		if slots[i].arrived != 0 {
			// A step of the wall clock must not make a time negative.
			s.latency.RecordValues(min(max(0, now.UnixNano()-slots[i].arrived), int64(latencyRange)), int64(slots[i].count()))
		}
	}
}

// read counts a batch that came from the socket.
func (s *laneStats) read(slots []slot) {
	if len(slots) == 0 {
		return
	}
	var datagrams, bytes int64
	for i := range slots {
		datagrams += int64(slots[i].count())
		bytes += int64(slots[i].n)
	}
	s.datagrams.Add(datagrams)
	s.bytes.Add(bytes)
}

// queueFull counts a batch that found no room in the queue, by its messages.
func (s *laneStats) queueFull(slots []slot) {
	var messages int64
	for i := range slots {
		slots[i].each(slots[i].n, func(datagram []byte, _ bool) { messages += dogstatsd.CountMessages(datagram) })
	}
	s.queueDropped.Add(messages)
}

func (s *laneStats) stalled(d time.Duration) {
	s.stallMu.Lock()
	defer s.stallMu.Unlock()
	s.stall.RecordValue(int64(min(d, stallRange)))
	s.stallMax = max(s.stallMax, d)
	s.stallTotal += d
}

// woken notes how much later than it should a nap ended.
func (s *laneStats) woken(late time.Duration) {
	if int64(late) > s.wakeLate.Load() {
		s.wakeLate.Store(int64(late))
	}
}

// publish makes the table's counts visible. Most batches change two of them,
// and a store that others watch costs more than a comparison.
func (s *laneStats) publish(t *aggregate.Table) {
	c, p := &t.Counts, &s.published
	if c.Received == p.Received {
		return
	}
	s.received.Store(c.Received)
	s.aggregated.Store(c.Aggregated)
	if c.Received-c.Aggregated != p.Received-p.Aggregated {
		s.truncated.Store(c.Truncated)
		s.rejected.Store(c.Rejected)
		for i := range c.Faults {
			s.faults[i].Store(c.Faults[i])
		}
	}
	s.keys.Store(int64(t.Keys()))
	*p = *c
}

// Statistics is what the server tells about itself: every stage of the ledger,
// in messages unless the name says otherwise. Counters are cumulative.
//
//	received = aggregated + queue_dropped + malformed + truncated + rejected + shutdown_dropped
//	aggregated = uploaded + upload_failed + pending
type Statistics struct {
	Reader Reader `json:"reader"`
	Flush  Flush  `json:"flush"`

	Datagrams       int64            `json:"datagrams"` // read from the sockets
	Bytes           int64            `json:"bytes"`
	BadFrames       int64            `json:"bad_frames"` // of streams: empty, too long or cut off
	Received        int64            `json:"received"`
	QueueDropped    int64            `json:"queue_dropped"`
	Malformed       int64            `json:"malformed"`
	MalformedBy     map[string]int64 `json:"malformed_by_cause"`
	Truncated       int64            `json:"truncated"`
	Rejected        int64            `json:"rejected"`
	ShutdownDropped int64            `json:"shutdown_dropped"` // always 0: what was read is aggregated before the server ends
	Aggregated      int64            `json:"aggregated"`
	Uploaded        int64            `json:"uploaded"` // acknowledged by the intake
	UploadFailed    int64            `json:"upload_failed"`
	Pending         int64            `json:"pending"` // aggregated, not yet uploaded

	QueueLength int64 `json:"queue_length"` // datagrams
	QueuePeak   int64 `json:"queue_peak"`   // datagrams
	ContextKeys int64 `json:"context_keys"`

	Flushes          int64   `json:"flushes"`
	FlushesPostponed int64   `json:"flushes_postponed"` // an earlier one was still running
	Batches          int64   `json:"batches"`
	BatchesFailed    int64   `json:"batches_failed"`
	Retries          int64   `json:"retries"`
	UploadBytes      int64   `json:"upload_bytes"`
	RetryWaiting     int64   `json:"retry_waiting"` // messages in batches that are tried again
	FlushStallMax    float64 `json:"flush_stall_max_seconds"`
	FlushStallTotal  float64 `json:"flush_stall_total_seconds"`
	// WakeLateMax is how much later than it had asked for a reader was woken from
	// a nap, at worst: by the hypervisor, or because others had the core, the
	// server's own flush among them.
	WakeLateMax float64 `json:"wake_late_max_seconds"`
	// FlushCPU is the CPU time of the flushes that have ended, in nanoseconds: of
	// merging, encoding, compressing and handing over, without the connections'
	// own work and what is sent again later. Absent where the system does not
	// tell.
	FlushCPU *int64 `json:"flush_cpu_ns,omitempty"`
	// FlushStallHistogram is an HdrHistogram, V2, base64, in nanoseconds; only in
	// the final statistics.
	FlushStallHistogram string `json:"flush_stall_histogram,omitempty"`
	// IngestLatencyHistogram likewise, of datagrams from their arrival at the
	// kernel until they are aggregated; absent where the kernel does not tell.
	IngestLatencyHistogram string `json:"ingest_latency_histogram,omitempty"`
}

// Statistics sums over the lanes. It may be called at any time, also after Run.
// While messages are on their way the stages are read one after the other, so
// that the equations hold only once the server is quiet.
func (s *Server) Statistics() Statistics {
	st := Statistics{Reader: s.config.Reader, Flush: s.config.Flush, MalformedBy: map[string]int64{}}
	var longest, total time.Duration
	for _, l := range s.lanes {
		dropped := l.stats.queueDropped.Load()
		st.Datagrams += l.stats.datagrams.Load()
		st.Bytes += l.stats.bytes.Load()
		st.Received += l.stats.received.Load() + dropped
		st.QueueDropped += dropped
		for i := 1; i < dogstatsd.Faults; i++ {
			if n := l.stats.faults[i].Load(); n > 0 {
				st.Malformed += n
				st.MalformedBy[dogstatsd.Fault(i).String()] += n
			}
		}
		st.Truncated += l.stats.truncated.Load()
		st.Rejected += l.stats.rejected.Load()
		st.Aggregated += l.stats.aggregated.Load()
		st.ContextKeys += l.stats.keys.Load()
		st.Flushes += l.stats.flushes.Load()
		st.FlushesPostponed += l.stats.postponed.Load()
		st.BadFrames += l.stats.badFrames.Load()
		if l.queue != nil {
			st.QueueLength += l.queue.length()
			st.QueuePeak += l.queue.peak.Load()
		}
		l.stats.stallMu.Lock()
		longest = max(longest, l.stats.stallMax)
		total += l.stats.stallTotal
		l.stats.stallMu.Unlock()
	}
	c := &s.flusher.forward.Counters
	st.Uploaded, st.UploadFailed = c.Uploaded.Load(), c.UploadFailed.Load()
	st.Batches, st.BatchesFailed = c.Batches.Load(), c.BatchesFailed.Load()
	st.RetryWaiting = c.Waiting.Load()
	st.Retries, st.UploadBytes = c.Retries.Load(), c.Bytes.Load()
	st.Pending = st.Aggregated - st.Uploaded - st.UploadFailed
	st.FlushStallMax, st.FlushStallTotal = longest.Seconds(), total.Seconds()
	for _, l := range s.lanes {
		st.WakeLateMax = max(st.WakeLateMax, time.Duration(l.stats.wakeLate.Load()).Seconds())
	}
	if tellsThreadTime {
		cpu := s.flusher.cpu.Load()
		st.FlushCPU = &cpu
	}
	return st
}

// FinalStatistics are the Statistics with the histograms, which take too much
// work to be told at every poll. It is for after Run.
func (s *Server) FinalStatistics() (Statistics, error) {
	st := s.Statistics()
	stalls := hdrhistogram.New(1, int64(stallRange), 3)
	latency := hdrhistogram.New(int64(time.Microsecond), int64(latencyRange), 2)
	for _, l := range s.lanes {
		stalls.Merge(l.stats.stall)
		latency.Merge(l.stats.latency)
	}
	encoded, err := stalls.EncodeV2()
	st.FlushStallHistogram = string(encoded) // the library encodes to base64 itself
	if err == nil && latency.TotalCount() > 0 {
		encoded, err = latency.EncodeV2()
		st.IngestLatencyHistogram = string(encoded)
	}
	return st, err
}

// WritePrometheus writes the statistics in Prometheus' text format.
func (st Statistics) WritePrometheus(w io.Writer) error {
	var err error
	metric := func(name, typ, help string, value float64) {
		if err == nil {
			_, err = fmt.Fprintf(w, "# HELP refserver_%[1]s %[3]s\n# TYPE refserver_%[1]s %[2]s\nrefserver_%[1]s %[4]v\n", name, typ, help, value)
		}
	}
	metric("datagrams_total", "counter", "Datagrams read from the sockets.", float64(st.Datagrams))
	metric("bytes_total", "counter", "Bytes read from the sockets.", float64(st.Bytes))
	metric("received_total", "counter", "Messages read.", float64(st.Received))
	metric("queue_dropped_total", "counter", "Messages that found no room in the queue.", float64(st.QueueDropped))
	metric("malformed_total", "counter", "Lines that were no message.", float64(st.Malformed))
	metric("truncated_total", "counter", "Lines cut by a datagram longer than the buffer.", float64(st.Truncated))
	metric("rejected_total", "counter", "Messages over a limit.", float64(st.Rejected))
	metric("shutdown_dropped_total", "counter", "Messages still queued when the server stopped.", float64(st.ShutdownDropped))
	metric("aggregated_total", "counter", "Messages merged into a bucket.", float64(st.Aggregated))
	metric("uploaded_total", "counter", "Messages that the intake acknowledged.", float64(st.Uploaded))
	metric("upload_failed_total", "counter", "Messages in batches that were given up.", float64(st.UploadFailed))
	metric("queue_length", "gauge", "Datagrams in the queue.", float64(st.QueueLength))
	metric("context_keys", "gauge", "ContextKeys held.", float64(st.ContextKeys))
	metric("flushes_total", "counter", "Flushes.", float64(st.Flushes))
	if st.FlushCPU != nil {
		metric("flush_cpu_seconds_total", "counter", "CPU time of flushes.", float64(*st.FlushCPU)/1e9)
	}
	metric("flush_stall_max_seconds", "gauge", "Longest time that ingest stood still for a flush.", st.FlushStallMax)
	metric("wake_late_max_seconds", "gauge", "Longest time that a reader was woken too late.", st.WakeLateMax)
	metric("flush_stall_seconds_total", "counter", "All the time that ingest stood still for flushes.", st.FlushStallTotal)
	return err
}

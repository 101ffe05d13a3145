package harness

import (
	"time"

	"floodgate/internal/procfs"
	"floodgate/internal/record"
	"floodgate/loadgen"
)

// tick is what was read beside one reading of the process.
type tick struct {
	progress loadgen.Progress
	stats    *Statistics // nil when the target did not answer, or was not asked
	unasked  bool
	cpu      *time.Duration // of the target so far; nil where the system does not tell
}

// timeline joins the readings of the process, what was read beside them, and
// the arrivals at the intake into columns. Its time 0 is the first due message;
// readings before that are left out, but for the last one. It is pure.
func timeline(start time.Time, interval time.Duration, readings procfs.Result, ticks []tick, steps []step) record.Timeline {
	t := record.Timeline{StepSeconds: interval.Seconds(), Columns: map[string][]float64{}}
	n := min(len(readings.Readings), len(ticks))
	first := 0
	for first+1 < n && !readings.Readings[first+1].At.After(start) {
		first++
	}
	if first >= n {
		return t
	}
	rows, beside := readings.Readings[first:n], ticks[first:n]
	column := func(name string, measured bool, value func(i int) float64) {
		if !measured {
			return
		}
		values := make([]float64, len(rows))
		for i := range rows {
			values[i] = value(i)
		}
		t.Columns[name] = values
	}
	column(record.ColumnTime, true, func(i int) float64 { return rows[i].At.Sub(start).Seconds() })
	column(record.ColumnOffered, true, func(i int) float64 { return float64(beside[i].progress.OfferedMessages) })
	column(record.ColumnSent, true, func(i int) float64 { return float64(beside[i].progress.SentMessages) })
	column(record.ColumnCPU, readings.CPU, func(i int) float64 { return (rows[i].CPU - rows[0].CPU).Seconds() })
	column(record.ColumnRSS, readings.Memory, func(i int) float64 { return float64(rows[i].RSSBytes) })
	column(record.ColumnKernelQueue, readings.Socket, func(i int) float64 { return float64(rows[i].KernelQueueBytes) })
	column(record.ColumnKernelDropped, readings.Socket, func(i int) float64 { return float64(rows[i].KernelDrops) })

	next, arrived := 0, 0.0
	column(record.ColumnDelivered, true, func(i int) float64 {
		for next < len(steps) && !steps[next].at.After(rows[i].At) {
			arrived += steps[next].messages
			next++
		}
		return arrived
	})
	for name, value := range map[string]func(*Statistics) *int64{
		record.ColumnReceived:     func(s *Statistics) *int64 { return s.Received },
		record.ColumnQueueDropped: func(s *Statistics) *int64 { return s.QueueDropped },
		record.ColumnQueueLength:  func(s *Statistics) *int64 { return s.QueueLength },
	} {
		if values, told := told(beside, value); told {
			t.Columns[name] = values
		}
	}
	return t
}

// told collects one quantity of the target's statistics. A tick that was not
// answered repeats the answer before it; told is false when none ever was.
func told(ticks []tick, value func(*Statistics) *int64) (values []float64, told bool) {
	values = make([]float64, len(ticks))
	var last float64
	for i, t := range ticks {
		if t.stats != nil {
			if v := value(t.stats); v != nil {
				last, told = float64(*v), true
			}
		}
		values[i] = last
	}
	return values, told
}

package reports

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot/plotter"

	"floodgate/internal/record"
	"floodgate/regress"
)

// chosen is the pair whose replicates stand for the scenario.
type chosen struct {
	records []*record.Record // baseline, candidate; absent where there is none
	words   string           // how they were chosen
}

// choose picks the pair in the middle by its change, so that the charts show
// neither the best nor the worst. Without a judged pair it takes the first
// replicates that have a timeline, valid ones before others.
func (s *scene) choose() chosen {
	if s.comparison != nil && len(s.comparison.Pairs) > 0 {
		pairs := slices.Clone(s.comparison.Pairs)
		slices.SortStableFunc(pairs, func(a, b regress.Pair) int {
			return cmp.Compare(a.Candidate*b.Baseline, b.Candidate*a.Baseline)
		})
		replicate := pairs[(len(pairs)-1)/2].Replicate
		var rs []*record.Record
		for _, role := range []string{record.Baseline, record.Candidate} {
			for _, rec := range s.valid(role) {
				if rec.Replicate == replicate && hasTimeline(rec) {
					rs = append(rs, rec)
					break
				}
			}
		}
		if len(rs) > 0 {
			return chosen{rs, fmt.Sprintf("Pair %d, the middle one of %d by its change.", replicate, len(pairs))}
		}
	}
	return s.chooseAny()
}

func (s *scene) chooseAny() chosen {
	var c chosen
	for _, role := range []string{record.Baseline, record.Candidate} {
		var of []*record.Record
		for _, rec := range s.records {
			if rec.Variant.Role == role && hasTimeline(rec) {
				of = append(of, rec)
			}
		}
		slices.SortStableFunc(of, func(a, b *record.Record) int {
			return cmp.Compare(min(len(a.Invalid), 1), min(len(b.Invalid), 1))
		})
		if len(of) > 0 {
			c.records = append(c.records, of[0])
		}
	}
	if len(c.records) > 0 {
		c.words = "No pair was judged; these are the first replicates with readings."
	}
	return c
}

func hasTimeline(rec *record.Record) bool {
	return len(rec.Timeline.Columns[record.ColumnTime]) > 1
}

// points turns a column into what is drawn of it: finite readings in the order
// of time.
func (c curve) points(t record.Timeline) plotter.XYs {
	times, values := t.Columns[record.ColumnTime], t.Columns[c.column]
	if len(values) != len(times) {
		return nil
	}
	var xys plotter.XYs
	last := -1 // the reading before, for rates
	for i, x := range times {
		if !finite(x) || !finite(values[i]) {
			continue
		}
		if !c.rate {
			xys = append(xys, plotter.XY{X: x, Y: values[i]})
			continue
		}
		if last >= 0 && x > times[last] {
			rate := (values[i] - values[last]) / (x - times[last])
			xys = append(xys, plotter.XY{X: (x + times[last]) / 2, Y: max(rate, 0)})
		}
		last = i
	}
	return xys
}

// reduce keeps the extremes of each stretch, in their order.
func reduce(xys plotter.XYs, limit int) plotter.XYs {
	if len(xys) <= limit {
		return xys
	}
	var out plotter.XYs
	buckets := limit / 2
	for b := range buckets {
		part := xys[b*len(xys)/buckets : (b+1)*len(xys)/buckets]
		least, most := 0, 0
		for i := range part {
			if part[i].Y < part[least].Y {
				least = i
			}
			if part[i].Y > part[most].Y {
				most = i
			}
		}
		out = append(out, part[min(least, most)])
		if least != most {
			out = append(out, part[max(least, most)])
		}
	}
	return out
}

// straighten drops points that lie within eps of the line between those that
// stay: an idle minute is two points.
func straighten(xys plotter.XYs, eps float64) plotter.XYs {
	if len(xys) < 3 {
		return xys
	}
	out := plotter.XYs{xys[0]}
	from := 0
	for i := 2; i < len(xys); i++ {
		if !straight(xys[from:i+1], eps) {
			from = i - 1
			out = append(out, xys[from])
		}
	}
	return append(out, xys[len(xys)-1])
}

func straight(xys plotter.XYs, eps float64) bool {
	a, b := xys[0], xys[len(xys)-1]
	if b.X <= a.X {
		return false
	}
	slope := (b.Y - a.Y) / (b.X - a.X)
	for _, p := range xys[1 : len(xys)-1] {
		if math.Abs(a.Y+slope*(p.X-a.X)-p.Y) > eps {
			return false
		}
	}
	return true
}

// describeTimeline says in words what the chart of one replicate shows.
func describeTimeline(rec *record.Record) string {
	t := rec.Timeline
	peak := func(c curve) (float64, bool) {
		xys := c.points(t)
		top := 0.0
		for _, xy := range xys {
			top = max(top, xy.Y)
		}
		return top, len(xys) > 0
	}
	var parts []string
	if x, ok := peak(curve{column: record.ColumnOffered, rate: true}); ok && x > 0 {
		parts = append(parts, "offered up to "+compact(x)+" messages a second")
	}
	if stall, ok := longestStall(t); ok && moved(t) {
		if stall > 0 {
			parts = append(parts, "the target read nothing for up to "+short(stall, 1)+" s while messages waited")
		} else {
			parts = append(parts, "the target never stopped reading for a whole step")
		}
	}
	if x, ok := peak(curve{column: record.ColumnKernelQueue}); ok && x > 0 {
		parts = append(parts, "at most "+bytesLabel(x)+" waited in the kernel")
	} else if ok && moved(t) {
		parts = append(parts, "nothing was seen waiting in the kernel")
	}
	if x, ok := peak(curve{column: record.ColumnQueueLength}); ok && x > 0 {
		parts = append(parts, "at most "+compact(x)+" datagrams waited in the target")
	}
	if x, ok := peak(curve{column: record.ColumnKernelDropped}); ok && x > 0 {
		parts = append(parts, "the kernel dropped "+grouped(int64(x))+" datagrams")
	}
	if x, ok := peak(curve{column: record.ColumnQueueDropped}); ok && x > 0 {
		parts = append(parts, "the queue dropped "+grouped(int64(x))+" messages")
	}
	if x, ok := peak(curve{column: record.ColumnRSS}); ok && x > 0 {
		parts = append(parts, "resident memory up to "+bytesLabel(x))
	}
	if len(parts) == 0 {
		return "Nothing happened."
	}
	return upperFirst(strings.Join(parts, "; ")) + "."
}

// moved reports whether any message was sent.
func moved(t record.Timeline) bool {
	sent := t.Columns[record.ColumnSent]
	return len(sent) > 0 && sent[len(sent)-1] > sent[0]
}

// underWay is the last time at which a message moved between two readings, or
// waited. Delivery does not count: it comes in steps of whole flushes.
func underWay(t record.Timeline) float64 {
	times := t.Columns[record.ColumnTime]
	last := 0.0
	for _, name := range []string{record.ColumnOffered, record.ColumnSent, record.ColumnReceived,
		record.ColumnKernelDropped, record.ColumnQueueDropped} {
		values := t.Columns[name]
		for i := 1; i < len(values) && i < len(times); i++ {
			if values[i] != values[i-1] && finite(times[i]) {
				last = max(last, times[i])
			}
		}
	}
	for _, name := range []string{record.ColumnKernelQueue, record.ColumnQueueLength} {
		for i, x := range t.Columns[name] {
			if x > 0 && i < len(times) && finite(times[i]) {
				last = max(last, times[i])
			}
		}
	}
	return last
}

// longestStall is the longest time in seconds, by whole steps, in which the
// target read nothing although messages were sent or waited in its socket.
func longestStall(t record.Timeline) (float64, bool) {
	times, read := t.Columns[record.ColumnTime], t.Columns[record.ColumnReceived]
	sent, queue := t.Columns[record.ColumnSent], t.Columns[record.ColumnKernelQueue]
	if len(times) < 2 || len(read) != len(times) || len(sent) != len(times) {
		return 0, false
	}
	longest, current := 0.0, 0.0
	for i := 1; i < len(times); i++ {
		waiting := sent[i] > sent[i-1] || (len(queue) == len(times) && queue[i] > 0 && queue[i-1] > 0)
		if read[i] == read[i-1] && waiting {
			current += times[i] - times[i-1]
		} else {
			current = 0
		}
		longest = max(longest, current)
	}
	return longest, finite(longest)
}

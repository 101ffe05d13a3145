package record

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// File is a record and the file that it was read from, which errors name.
type File struct {
	Name   string
	Record *Record
}

// replicateOf is what there can be one valid record of.
type replicateOf struct {
	scenario, role string
	replicate      int
}

func (r *Record) of() replicateOf { return replicateOf{r.Scenario, r.Variant.Role, r.Replicate} }

// assemble returns the records of files, those of shards merged.
func assemble(files []File) ([]*Record, error) {
	var whole []File
	var order []replicateOf
	shards := map[replicateOf][]File{}
	for _, f := range files {
		at := f.Record.of()
		switch {
		case f.Record.Shard == nil:
			whole = append(whole, f)
			continue
		case shards[at] == nil:
			order = append(order, at)
		}
		shards[at] = append(shards[at], f) // valid or not: none is repeated
	}
	for _, at := range order {
		merged, err := Merge(shards[at])
		if err != nil {
			return nil, err
		}
		whole = append(whole, File{shards[at][0].Name, merged})
	}
	type attempt struct {
		replicateOf
		invalid int // number of the attempt; -1 for the valid one, whichever it was
	}
	var records []*Record
	names := map[attempt]string{}
	for _, f := range whole {
		r := f.Record
		at := attempt{r.of(), -1}
		if r.Invalid != "" {
			at.invalid = r.Attempt
		}
		if other, twice := names[at]; twice {
			return nil, fmt.Errorf("cannot read records %s and %s together: both are %s of scenario %s, replicate %d", other, f.Name, r.Variant.Role, r.Scenario, r.Replicate)
		}
		names[at] = f.Name
		records = append(records, r)
	}
	return records, nil
}

// Merge returns the record of a replicate whose load several shards offered. It
// is that of the shard beside the target, with what all of them sent: counts are
// added, histograms of the lateness put together, and the ledger is balanced over
// the sums. It is invalid if any of them is, or is missing, and the reasons name
// the shard. Shards of different loads, and one that is there twice, are errors.
// It is pure, and leaves shards, of which there must be one, as they are.
func Merge(shards []File) (*Record, error) {
	shards = slices.Clone(shards)
	slices.SortStableFunc(shards, func(a, b File) int { return cmp.Compare(a.Record.Shard.Index, b.Record.Shard.Index) })
	if err := belong(shards); err != nil {
		return nil, err
	}
	first := shards[0].Record
	all := *first
	all.Shard, all.Warnings = nil, nil
	all.Ledger.Offered, all.Ledger.NotSent, all.Ledger.Sent, all.Ledger.GivenUp, all.Ledger.Hostile = 0, 0, 0, 0, 0
	for _, s := range shards {
		l := s.Record.Ledger
		all.Ledger.Offered += l.Offered
		all.Ledger.NotSent += l.NotSent
		all.Ledger.Sent += l.Sent
		all.Ledger.GivenUp += l.GivenUp
		all.Ledger.Hostile += l.Hostile
		for _, w := range s.Record.Warnings {
			all.Warnings = append(all.Warnings, s.Record.Shard.words()+": "+w)
		}
	}
	reasons := void(shards)
	if first.Shard.Index == 1 {
		faults := all.Ledger.Balance()
		if len(reasons) == 0 && len(faults) > 0 {
			reasons = append(reasons, "the accounts do not hold: "+strings.Join(faults, "; "))
		}
	}
	all.Invalid = strings.Join(reasons, "; ")
	all.Generator = generators(shards)
	lateness, err := latenessOf(shards)
	if err != nil {
		return nil, err
	}
	all.Histograms = maps.Clone(first.Histograms)
	if lateness != nil {
		encoded, err := lateness.EncodeV2()
		if err != nil {
			return nil, fmt.Errorf("cannot encode the lateness of all shards: %w", err)
		}
		if all.Histograms == nil {
			all.Histograms = map[string]string{}
		}
		all.Histograms[HistogramLateness] = string(encoded)
	}
	all.remeasure(lateness)
	// What the others had sent at each instant nobody has read.
	all.Timeline.Columns = maps.Clone(first.Timeline.Columns)
	delete(all.Timeline.Columns, ColumnOffered)
	delete(all.Timeline.Columns, ColumnSent)
	return &all, nil
}

func (s *Shard) words() string { return fmt.Sprintf("shard %d of %d", s.Index, s.Of) }

// belong returns an error unless shards, which are in order, are of one
// replicate, and each there once.
func belong(shards []File) error {
	first := shards[0]
	for _, s := range shards[1:] {
		for k, have := range s.Record.load() {
			want := first.Record.load()[k]
			if have[1] == want[1] {
				continue
			}
			return fmt.Errorf("cannot merge %s with %s: the %s is %s in the first and %s in the second; want the shards of one load", first.Name, s.Name, have[0], want[1], have[1])
		}
	}
	for k := 1; k < len(shards); k++ {
		if a, b := shards[k-1], shards[k]; a.Record.Shard.Index == b.Record.Shard.Index {
			return fmt.Errorf("cannot merge %s with %s: both are %s", a.Name, b.Name, a.Record.Shard.words())
		}
	}
	return nil
}

// load is what the shards of one load have in common, with the words for it.
func (r *Record) load() [][2]string {
	return [][2]string{
		{"scenario", r.Scenario},
		{"digest of the scenario", fmt.Sprintf("%.6x", sha256.Sum256([]byte(r.Config.ScenarioYAML)))},
		{"role", r.Variant.Role},
		{"replicate", strconv.Itoa(r.Replicate)},
		{"number of shards", strconv.Itoa(r.Shard.Of)},
		{"version of floodgate", r.Build.Floodgate},
		{"instant of the start", r.Shard.At.UTC().Format(time.RFC3339Nano)},
	}
}

// mostMissing is how many missing shards are named.
const mostMissing = 10

// void is why the whole must not be judged: each shard that is void, and each that
// is missing. shards are in order.
func void(shards []File) []string {
	var reasons []string
	of, k := shards[0].Record.Shard.Of, 0
	missing := of - len(shards)
	for i, named := 1, 0; i <= of; i++ {
		if k < len(shards) && shards[k].Record.Shard.Index == i {
			if r := shards[k].Record; r.Invalid != "" {
				reasons = append(reasons, r.Shard.words()+": "+r.Invalid)
			}
			k++
			continue
		}
		if named++; named <= mostMissing {
			reasons = append(reasons, fmt.Sprintf("shard %d of %d is missing", i, of))
		}
		if k == len(shards) && named > mostMissing {
			break // of is a number in a file
		}
	}
	if missing > mostMissing {
		reasons = append(reasons, fmt.Sprintf("%d more are missing", missing-mostMissing))
	}
	return reasons
}

// generators adds up what offering the load took; nil where nobody sent. What one
// of them does not tell, the sum does not.
func generators(shards []File) *Generator {
	var sum *Generator
	for _, s := range shards {
		g := s.Record.Generator
		if g == nil {
			continue
		}
		if sum == nil {
			one := *g
			sum = &one
			continue
		}
		sum.LastSent = max(sum.LastSent, g.LastSent) // they began together
		sum.Calls += g.Calls
		sum.Wakeups += g.Wakeups
		sum.Blocked += g.Blocked
		sum.EAGAIN += g.EAGAIN
		sum.ENOBUFS += g.ENOBUFS
		sum.Refused += g.Refused
		sum.Segmented += g.Segmented
		sum.GivenUpDatagrams += g.GivenUpDatagrams
		sum.CPU = added(sum.CPU, g.CPU)
		if a, b := sum.Ceiling, g.Ceiling; a != nil && b != nil {
			sum.Ceiling = &Ceiling{Datagrams: a.Datagrams + b.Datagrams, Messages: a.Messages + b.Messages, Share: max(a.Share, b.Share)}
		} else {
			sum.Ceiling = nil
		}
	}
	return sum
}

func added(a, b *float64) *float64 {
	if a == nil || b == nil {
		return nil
	}
	sum := *a + *b
	return &sum
}

// latenessOf is the lateness of all shards; nil where none was recorded.
func latenessOf(shards []File) (*hdrhistogram.Histogram, error) {
	var all *hdrhistogram.Histogram
	for _, s := range shards {
		encoded, recorded := s.Record.Histograms[HistogramLateness]
		if !recorded {
			continue
		}
		h, err := hdrhistogram.Decode([]byte(encoded))
		if err != nil {
			return nil, fmt.Errorf("cannot read the lateness in %s: %w", s.Name, err)
		}
		if all == nil {
			all = h
			continue
		}
		if all.Merge(h) > 0 {
			return nil, fmt.Errorf("cannot merge the lateness in %s: its histogram has another range than that of %s", s.Name, shards[0].Name)
		}
	}
	return all, nil
}

// remeasure takes the measures anew that follow from what all shards sent. None
// is added: what the shard beside the target did not measure nobody has.
func (r *Record) remeasure(lateness *hdrhistogram.Histogram) {
	values := map[string]float64{"given_up_messages": float64(r.Ledger.GivenUp)}
	if g := r.Generator; g != nil {
		values["blocked_time"] = g.Blocked
	}
	if lateness != nil {
		values["lateness_p99"] = time.Duration(lateness.ValueAtQuantile(99)).Seconds()
		values["lateness_max"] = time.Duration(lateness.Max()).Seconds()
	}
	lost := r.Ledger.Lost()
	values["lost_messages"] = float64(lost)
	if sent := r.Ledger.Sent; sent > 0 {
		values["lost_fraction"] = float64(lost) / float64(sent)
		if cpu, measured := r.Measure("cpu_seconds"); measured && sent > lost {
			values["cpu_per_message"] = cpu.Value / float64(sent-lost)
			// The flushes' part of it is what it was.
			whole, _ := r.Measure("cpu_per_message")
			if flush, measured := r.Measure("flush_cpu_per_message"); measured && whole.Value > 0 {
				values["flush_cpu_per_message"] = values["cpu_per_message"] * (flush.Value / whole.Value)
			}
		}
	}
	r.Measures = slices.Clone(r.Measures)
	for i, m := range r.Measures {
		if value, follows := values[m.Name]; follows {
			r.Measures[i].Value = value
		}
	}
}

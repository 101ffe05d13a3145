package aggregate

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestMergeIsOneTable: splitting a corpus over tables and merging their cuts
// gives what one table would have given.
func TestMergeIsOneTable(t *testing.T) {
	tables := []*Table{NewTable(config()), NewTable(config()), NewTable(config())}
	whole := NewTable(config())
	rng := rand.New(rand.NewPCG(5, 6))
	for s := range int64(3) {
		for _, table := range append(tables, whole) {
			table.Advance((s + 1) * second)
		}
		for range 3000 {
			k := rng.IntN(200)
			// A gauge comes through one table only, so that its last value is known.
			line, table := fmt.Appendf(nil, "g.%d:%d|g|#b,a", k, rng.IntN(100)), tables[k%3]
			if kind := rng.IntN(5); kind > 0 {
				kind := []string{"c", "s", "ms", "d"}[kind-1]
				line, table = fmt.Appendf(nil, "%s.%d:%d|%s|#b,a", kind, k, rng.IntN(100), kind), tables[rng.IntN(3)]
			}
			if rng.IntN(10) == 0 {
				line = append(bytes.Replace(line, []byte("|s"), []byte("|c"), 1), "|T99"...)
			}
			table.AddDatagram(line, false)
			whole.AddDatagram(line, false)
		}
	}
	flat := func(cut *Cut) map[string]float64 {
		out := map[string]float64{}
		cut.Each(func(s *Series) error {
			key := fmt.Sprintf("%s%s|%s|%d", s.Name, s.Suffix, s.Tags, s.Time)
			if s.Time == 99 { // several points of one time stay apart
				out[key+"n"]++
				out[key+"sum"] += s.Value
			} else {
				out[key] = s.Value
			}
			out[key+"messages"] += float64(s.Messages)
			return nil
		})
		cut.EachSketch(func(s *Sketch) error {
			key := fmt.Sprintf("%s|%s|%d", s.Name, s.Tags, s.Time)
			out[fmt.Sprint(key, s.Keys, s.Counts)] = s.Sum
			out[key+"messages"] += float64(s.Messages)
			return nil
		})
		return out
	}
	got, want := flat(Merge(tables[0].Cut(true), tables[1].Cut(true), tables[2].Cut(true))), flat(whole.Cut(true))
	for key := range want {
		if got[key] != want[key] {
			t.Errorf("%s is %v, want %v", key, got[key], want[key])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d series, want %d", len(got), len(want))
	}
	if cut := whole.Cut(true); Merge(cut) != cut {
		t.Error("a single cut is copied")
	}
}

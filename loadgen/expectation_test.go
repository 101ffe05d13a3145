package loadgen

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"floodgate/internal/dogstatsd"
)

// naive reads the datagrams of c as any server would, and adds up what they
// say: nothing of how they were made goes into it.
func naive(t *testing.T, c *Corpus) map[string]*Expectation {
	t.Helper()
	members := map[string]bool{}
	all := map[string]*Expectation{}
	for k := range c.Datagrams() {
		for line := range strings.SplitSeq(string(c.Datagram(k)), "\n") {
			fields := strings.Split(line, "|")
			values := strings.Split(fields[0], ":")
			kind, _ := dogstatsd.KindOf(fields[1])
			rate, tags := 1.0, []string(nil)
			for _, f := range fields[2:] {
				switch f[0] {
				case '@':
					rate, _ = strconv.ParseFloat(f[1:], 64)
				case '#':
					tags = strings.Split(f[1:], ",")
				}
			}
			slices.Sort(tags)
			key := values[0] + "|" + fields[1] + "|" + strings.Join(tags, ",")
			e := all[key]
			if e == nil {
				e = &Expectation{Metric: values[0], Tags: tags, Kind: kind}
				all[key] = e
			}
			e.Messages++
			for _, text := range values[1:] {
				e.Count += 1 / rate
				if kind == dogstatsd.Set {
					if members[text] {
						t.Fatalf("member %s comes twice", text)
					}
					members[text] = true
					e.Members++
					continue
				}
				v, err := strconv.ParseFloat(text, 64)
				if err != nil {
					t.Fatalf("line %q: %v", line, err)
				}
				if e.Min == 0 || v < e.Min {
					e.Min = v
				}
				e.Max, e.Last = max(e.Max, v), v
				e.Sum += v / rate
			}
		}
	}
	return all
}

func TestExpectedIsWhatTheDatagramsSay(t *testing.T) {
	for _, p := range pinned {
		c := newCorpus(t, p.config)
		want := naive(t, c)
		got := map[string]*Expectation{}
		for e := range c.Expected() {
			kept := *e
			kept.Tags = slices.Clone(e.Tags)
			got[e.Metric+"|"+e.Kind.String()+"|"+strings.Join(e.Tags, ",")] = &kept
		}
		if len(got) == 0 && p.config.Messages > 0 {
			t.Errorf("%s: nothing is expected", p.name)
		}
		if !slices.Equal(slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want))) {
			t.Errorf("%s: %d contextKeys expected, %d in the datagrams", p.name, len(got), len(want))
			continue
		}
		for key, w := range want {
			if diff := cmp.Diff(w, got[key]); diff != "" {
				t.Errorf("%s: %s (-datagrams +expected)\n%s", p.name, key, diff)
				break
			}
		}
	}
}

// Delivery is decided by Count/Messages, so each message of a key must weigh
// the same; and a metric must never come under two kinds, which intakes mix.
func TestEveryMessageOfAKeyWeighsTheSame(t *testing.T) {
	c := newCorpus(t, mixed(20_000))
	kinds := map[string]dogstatsd.Kind{}
	for e := range c.Expected() {
		weight, want := e.Count/float64(e.Messages), []float64{3, 30}
		if e.Kind == dogstatsd.Set {
			want = []float64{1}
		} else if e.Kind == dogstatsd.Gauge {
			want = []float64{3}
		}
		if !slices.Contains(want, weight) {
			t.Errorf("%s: a message counts %v times, want one of %v", e.Metric, weight, want)
		}
		if e.Kind == dogstatsd.Counter && e.Sum != e.Count {
			t.Errorf("%s: the sum of ones is %v, their count %v", e.Metric, e.Sum, e.Count)
		}
		if k, seen := kinds[e.Metric]; seen && k != e.Kind {
			t.Errorf("%s is both %v and %v", e.Metric, k, e.Kind)
		}
		kinds[e.Metric] = e.Kind
	}
}

func TestExpectedCanBeLeftEarly(t *testing.T) {
	n := 0
	for range newCorpus(t, plain(100)).Expected() {
		if n++; n == 3 {
			break
		}
	}
	if n != 3 {
		t.Errorf("%d yielded", n)
	}
}

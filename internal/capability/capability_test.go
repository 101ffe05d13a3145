package capability

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

var everyKind = []string{"c", "g", "ms", "h", "d", "s"}

// TestNames: what arrives is told apart by its name alone, so that no name may
// stand within another one.
func TestNames(t *testing.T) {
	var names []string
	keys := map[string]bool{}
	for _, p := range append(KindProbes(), Probes(everyKind, 1700000000)...) {
		keys[p.Key] = true
		for _, e := range p.Effects {
			if strings.Trim(e.Metric, "abcdefghijklmnopqrstuvwxyz") != "" {
				t.Errorf("%s: %q has more than letters, which a server may change", p.Name(), e.Metric)
			}
			if !slices.ContainsFunc(p.Datagrams, func(d string) bool { return strings.Contains(d, e.Metric) }) {
				t.Errorf("%s: nothing of %s is sent", p.Name(), e.Metric)
			}
			names = append(names, e.Metric)
		}
	}
	for i, a := range names {
		for j, b := range names {
			if i != j && strings.Contains(a, b) {
				t.Errorf("%s holds %s", a, b)
			}
		}
	}
	for _, key := range []string{Kinds, Tags, Packing, PackedValues, Sampling, Timestamps, Origin, Events, ServiceChecks} {
		if !keys[key] {
			t.Errorf("nothing asks for %s", key)
		}
	}
}

// TestProbesOfKinds: what a load never does with a kind is not asked, nor
// anything of a kind that the server does not take.
func TestProbesOfKinds(t *testing.T) {
	for _, c := range []struct {
		kinds        []string
		key          string
		want, reason string
	}{
		{everyKind, PackedValues, "c g ms h d", "sets have no packed form"},
		{everyKind, Sampling, "c ms h d", "gauges and sets are not counted"},
		{[]string{"c", "g"}, PackedValues, "c g", "timers would arrive as nothing anyway"},
		{[]string{"c", "g"}, Sampling, "c", "likewise"},
		{nil, Sampling, "", "then there is nothing to ask with"},
	} {
		for _, p := range Probes(c.kinds, 1) {
			if p.Key != c.key {
				continue
			}
			var kinds []string
			for _, d := range p.Datagrams {
				kinds = append(kinds, strings.Split(d, "|")[1])
			}
			if got := strings.Join(kinds, " "); got != c.want {
				t.Errorf("%s of %v asks with %q, want %q: %s", c.key, c.kinds, got, c.want, c.reason)
			}
		}
	}
}

func TestFilled(t *testing.T) {
	for _, size := range []int{smallestDatagram, 65, 66, 79, 80, 81, 97, 98, 1432, 8192, 8193, mostBytes} {
		p := Filled(size)
		datagram := p.Datagrams[0]
		if len(p.Datagrams) != 1 || len(datagram) != size {
			t.Errorf("%d datagrams of %d bytes, want one of %d", len(p.Datagrams), len(datagram), size)
		}
		lines := strings.Split(datagram, "\n")
		if want := fmt.Sprintf("probelargest%d:12|c", size); lines[len(lines)-1] != want {
			t.Errorf("%d: the last line is %q, want %q: only it tells that all was read", size, lines[len(lines)-1], want)
		}
		for _, line := range lines[:len(lines)-1] {
			if !strings.HasPrefix(line, "probepadding") || !strings.HasSuffix(line, ":1|c") {
				t.Fatalf("%d: line %q is no counter", size, line)
			}
		}
	}
}

// TestSearch finds every limit, whatever the description says, and is short where
// the description is right.
func TestSearch(t *testing.T) {
	for _, limit := range []int{0, 63, 64, 65, 511, 512, 1432, 4095, 8191, 8192, 65466, mostBytes, 1 << 20} {
		for _, said := range []int64{0, 64, 512, 4095, 8192, 65467, 1 << 20} {
			s, tries := NewSearch(said), 0
			for size, more := s.Next(); more; size, more = s.Next() {
				if size < smallestDatagram || size > mostBytes {
					t.Fatalf("limit %d, said %d: size %d is tried", limit, said, size)
				}
				s.Tried(size, size <= limit)
				if tries++; tries > 20 {
					t.Fatalf("limit %d, said %d: no end after %d tries", limit, said, tries)
				}
			}
			want := int64(min(limit, mostBytes))
			if limit < smallestDatagram {
				want = 0
			}
			if s.Largest() != want {
				t.Errorf("limit %d, said %d: %d was found, want %d", limit, said, s.Largest(), want)
			}
			if right := want > 0 && said == want || want == mostBytes; right && tries > 3 {
				t.Errorf("limit %d, said %d: %d tries for what was known", limit, said, tries)
			}
		}
	}
}

package capability

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"floodgate/scenarios"
)

// over is a matrix with these answers, by the names of probes.
func over(largest int64, answers map[string]Answer) Matrix {
	m := Matrix{LargestDatagram: largest}
	for _, p := range append(KindProbes(), Probes(nil, 0)...) {
		if answer, told := answers[p.Name()]; told {
			m.Rows = append(m.Rows, Row{Key: p.Key, Kind: p.Kind, Probed: answer})
		}
	}
	return m
}

func TestCompare(t *testing.T) {
	said := scenarios.Capabilities{Kinds: []string{"g", "c", "h"}, Tags: true, LargestDatagram: 8192}
	for _, c := range []struct {
		name   string
		probed []Matrix
		want   []Disagreement
	}{
		{"nothing is known", nil, nil},
		{"all as it says", []Matrix{over(8192, map[string]Answer{"kinds: c": Yes, "kinds: g": Yes, "kinds: h": Yes, "kinds: s": No, "tags": Yes, "origin": No})}, nil},
		{"a kind more, a kind less, and one that cannot be told", []Matrix{over(8192, map[string]Answer{"kinds: c": Yes, "kinds: g": No, "kinds: h": Unclear, "kinds: ms": Yes})},
			[]Disagreement{{Kinds, "[c, g, h]", "kinds: [c, ms, h]"}}},
		{"unclear says nothing", []Matrix{over(8192, map[string]Answer{"tags": Unclear, "events": Unclear})}, nil},
		{"either way", []Matrix{over(8192, map[string]Answer{"tags": No, "events": Yes})},
			[]Disagreement{{Tags, "true", "tags: false"}, {Events, "false", "events: true"}}},
		{"it has to hold over each transport", []Matrix{over(8192, map[string]Answer{"tags": Yes, "origin": Yes}), over(0, map[string]Answer{"tags": No, "origin": No})},
			[]Disagreement{{Tags, "true", "tags: false"}}},
		{"one that cannot tell leaves it to the others", []Matrix{over(8192, map[string]Answer{"origin": Unclear}), over(0, map[string]Answer{"origin": Yes})},
			[]Disagreement{{Origin, "false", "origin: true"}}},
		{"less arrives", []Matrix{over(4095, nil)}, []Disagreement{{LargestDatagram, "8192B", "largest_datagram: 4095B"}}},
		{"all arrives", []Matrix{over(mostBytes, nil)}, []Disagreement{{LargestDatagram, "8192B", "the key left out: the largest that a load may have arrives whole"}}},
	} {
		// Kinds that a case is silent about are as the description says.
		if diff := cmp.Diff(c.want, Compare(&said, c.probed)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
	for _, limit := range []int64{0, mostBytes, 1 << 20} {
		if got := Compare(&scenarios.Capabilities{LargestDatagram: limit}, []Matrix{over(mostBytes, nil)}); len(got) > 0 {
			t.Errorf("a limit of %d that no load reaches is no mistake: %v", limit, got)
		}
	}
}

// TestRows: a row differs where the answers do, and only where there is one.
func TestRows(t *testing.T) {
	said := scenarios.Capabilities{Kinds: []string{"c"}, Tags: true}
	o := seen(t, scenarios.SinkGraphite, "probekindc plain 3", "probekindg plain 7")
	for name, want := range map[string]string{
		"kinds: c": "yes yes false", "kinds: g": "yes no true", "kinds: s": "no no false",
		"tags": "no yes true", "events": "unclear no false", "service_checks": "unclear no false",
	} {
		r := NewRow(probeOf(t, name), o, nil, &said)
		if got := fmt.Sprint(r.Probed, " ", r.File, " ", r.Differs()); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	for _, c := range []struct {
		found, said int64
		want        string
	}{
		{4095, 4095, "4095B 4095B false"}, {4095, 0, "4095B no limit true"}, {mostBytes, 0, "no limit no limit false"},
		{mostBytes, mostBytes, "no limit no limit false"}, {0, 4095, "unclear 4095B false"},
	} {
		r := LargestRow(c.found, "", &scenarios.Capabilities{LargestDatagram: c.said})
		if got := fmt.Sprint(r.Probed, " ", r.File, " ", r.Differs()); got != c.want {
			t.Errorf("%d found, %d said: %s, want %s", c.found, c.said, got, c.want)
		}
	}
}

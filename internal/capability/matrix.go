package capability

import (
	"fmt"
	"slices"
	"strings"

	"floodgate/scenarios"
)

// Matrix is what the probes over one transport say of a server.
type Matrix struct {
	Transport scenarios.Transport `json:"transport"`
	Rows      []Row               `json:"capabilities"`
	// LargestDatagram is the largest one in bytes that arrived whole; 0 where it is
	// not known.
	LargestDatagram int64 `json:"largest_datagram_bytes"`
}

// Row is one capability: what was sent and seen, the answer with its reason, and
// what the description says. For the largest datagram both are sizes.
type Row struct {
	Key    string `json:"key"`
	Kind   string `json:"kind,omitempty"`
	Sent   string `json:"sent"`
	Seen   string `json:"seen"`
	Probed Answer `json:"probed"`
	Why    string `json:"why,omitempty"`
	File   Answer `json:"file"`
}

// Name is the row's capability in words.
func (r *Row) Name() string { return (&Probe{Key: r.Key, Kind: r.Kind}).Name() }

// Differs reports whether the description says other than the probe does.
func (r *Row) Differs() bool { return r.Probed != Unclear && r.Probed != r.File }

// NewRow is the row of a probe that was judged, beside what the description says.
func NewRow(p *Probe, o *Observation, malformed *int64, said *scenarios.Capabilities) Row {
	r := Row{Key: p.Key, Kind: p.Kind, Sent: p.Sent(), Seen: p.Seen(o), File: No}
	r.Probed, r.Why = p.Judge(o, malformed)
	if p.Key == Kinds && slices.Contains(said.Kinds, p.Kind) || flagOf(said, p.Key) {
		r.File = Yes
	}
	return r
}

// LargestRow is the row of the largest datagram, whose answers are sizes. largest
// is 0 in bytes where it is not known, for a reason.
func LargestRow(largest int64, why string, said *scenarios.Capabilities) Row {
	r := Row{Key: LargestDatagram, Sent: "one datagram full of lines", Seen: "not asked", Probed: Unclear, Why: why, File: Answer(largestText(said.LargestDatagram))}
	if largest > 0 {
		r.Sent = fmt.Sprintf("datagrams full of lines, up to %d bytes", mostBytes)
		r.Seen, r.Probed = fmt.Sprintf("%d bytes arrive whole", largest), Answer(largestText(largest))
	}
	return r
}

// limit is the largest datagram in bytes that a load can have.
func limit(said int64) int64 {
	if said == 0 {
		return mostBytes
	}
	return min(said, mostBytes)
}

// largestText is a limit as descriptions write it, where a load can reach it.
func largestText(said int64) string {
	if limit(said) == mostBytes {
		return "no limit"
	}
	return fmt.Sprintf("%dB", said)
}

// flagOf is what a description says of the capabilities that are yes or no.
func flagOf(c *scenarios.Capabilities, key string) bool {
	switch key {
	case Tags:
		return c.Tags
	case Packing:
		return c.Packing
	case PackedValues:
		return c.PackedValues
	case Sampling:
		return c.Sampling
	case Timestamps:
		return c.Timestamps
	case Origin:
		return c.Origin
	case Events:
		return c.Events
	case ServiceChecks:
		return c.ServiceChecks
	}
	return false
}

// Disagreement is one key of a description that should read otherwise.
type Disagreement struct {
	Key  string `json:"key"`
	Says string `json:"says"`
	Want string `json:"want"` // the line of YAML
}

// Compare says where a description disagrees with the probes over all its
// transports. Over each of them a capability has to hold: one no outweighs every
// yes, and an unclear one says nothing.
func Compare(said *scenarios.Capabilities, probed []Matrix) []Disagreement {
	var found []Disagreement
	var kinds []string
	for _, kind := range wireKinds() {
		answer := combined(probed, Kinds, kind)
		if answer == Yes || answer == Unclear && slices.Contains(said.Kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	if !slices.Equal(kinds, inOrder(said.Kinds)) {
		found = append(found, Disagreement{Kinds, list(inOrder(said.Kinds)), "kinds: " + list(kinds)})
	}
	for _, key := range []string{Tags, Packing, PackedValues, Sampling, Timestamps, Origin, Events, ServiceChecks} {
		says := flagOf(said, key)
		if answer := combined(probed, key, ""); answer != Unclear && says != (answer == Yes) {
			found = append(found, Disagreement{key, fmt.Sprint(says), fmt.Sprintf("%s: %v", key, !says)})
		}
	}
	for _, m := range probed {
		if m.LargestDatagram == 0 || m.LargestDatagram == limit(said.LargestDatagram) {
			continue
		}
		want := fmt.Sprintf("%s: %dB", LargestDatagram, m.LargestDatagram)
		if m.LargestDatagram == mostBytes {
			want = "the key left out: the largest that a load may have arrives whole"
		}
		found = append(found, Disagreement{LargestDatagram, largestText(said.LargestDatagram), want})
	}
	return found
}

func list(words []string) string { return "[" + strings.Join(words, ", ") + "]" }

// inOrder are kinds in the order of the probes.
func inOrder(kinds []string) []string {
	var sorted []string
	for _, kind := range wireKinds() {
		if slices.Contains(kinds, kind) {
			sorted = append(sorted, kind)
		}
	}
	return sorted
}

// combined is the answer over all transports.
func combined(probed []Matrix, key, kind string) Answer {
	answer := Unclear
	for _, m := range probed {
		for _, r := range m.Rows {
			switch {
			case r.Key != key || r.Kind != kind:
			case r.Probed == No:
				return No
			case r.Probed == Yes:
				answer = Yes
			}
		}
	}
	return answer
}

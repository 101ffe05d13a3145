// Package trend reads a history: it makes the lines of a judged run, and finds
// in the lines of many what no single run shows. It is pure.
package trend

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"floodgate/internal/history"
	"floodgate/internal/record"
	"floodgate/regress"
)

// Origin is what a history keeps of a run beside its verdict.
type Origin struct {
	Started   time.Time    `json:"started"` // of the first replicate; zero without records
	Seed      uint64       `json:"seed"`
	Floodgate string       `json:"floodgate"` // that made the run
	Baseline  Build        `json:"baseline"`
	Candidate Build        `json:"candidate"`
	Host      history.Host `json:"host"`
	// Hosts are how many the replicates ran on.
	Hosts int `json:"hosts"`
}

// Build is what one of the variants was.
type Build struct {
	Spec   string `json:"spec"`
	Digest string `json:"digest"` // of its binary, hex; empty where it is not known or there were several
	Commit string `json:"commit,omitempty"`
}

// OriginOf collects the origin from the records of a run.
func OriginOf(records []*record.Record) Origin {
	var o Origin
	hosts := map[string]bool{}
	builds := map[string][]Build{}
	for _, r := range records {
		if r == nil {
			continue
		}
		if o.Started.IsZero() || r.Started.Before(o.Started) {
			o.Started, o.Seed, o.Floodgate = r.Started, r.Seed, r.Build.Floodgate
		}
		host := HostOf(r.Environment)
		hosts[host.Fingerprint] = true
		o.Host = host
		b := Build{Spec: r.Variant.Spec, Digest: r.Build.TargetDigest, Commit: commitOf(r)}
		if !slices.Contains(builds[r.Variant.Role], b) {
			builds[r.Variant.Role] = append(builds[r.Variant.Role], b)
		}
	}
	if o.Hosts = len(hosts); o.Hosts > 1 {
		o.Host = history.Host{Words: fmt.Sprintf("%d hosts", o.Hosts)}
	}
	o.Baseline, o.Candidate = only(builds[record.Baseline]), only(builds[record.Candidate])
	return o
}

// only is the one build, or of several what they share.
func only(builds []Build) Build {
	if len(builds) == 0 {
		return Build{}
	}
	b := builds[0]
	for _, other := range builds[1:] {
		if other.Spec != b.Spec {
			b.Spec = "several"
		}
		if other.Commit != b.Commit {
			b.Commit = ""
		}
		if other.Digest != b.Digest {
			b.Digest = ""
		}
	}
	return b
}

// commitHash is a git commit, whole or shortened.
var commitHash = regexp.MustCompile(`^[0-9a-f]{7,64}$`)

// commitOf is the commit that a variant was built from, or else the one that it
// names; empty where it names none. A branch is none: tomorrow it is another commit.
func commitOf(r *record.Record) string {
	if s := r.Build.Source; s != nil && s.Commit != "" {
		return s.Commit
	}
	ref, git := strings.CutPrefix(r.Variant.Spec, "git:")
	ref, _, _ = strings.Cut(ref, ":")
	if !git || !commitHash.MatchString(ref) {
		return ""
	}
	return ref
}

// HostOf is the host of an environment. The fingerprint has what sets the level
// of a measure and stays: the processor, cores and memory to the GiB. The kernel
// is left out, so that an update of it shows as a change and not as an end.
func HostOf(e record.Environment) history.Host {
	parts := []string{e.OS + "/" + e.Arch}
	if model := strings.Join(strings.Fields(e.CPUModel), " "); model != "" {
		parts = append(parts, model)
	}
	parts = append(parts, fmt.Sprintf("%d cores", e.Cores), fmt.Sprintf("%.0f GiB", float64(e.MemoryBytes)/(1<<30)))
	words := strings.Join(parts, ", ")
	sum := sha256.Sum256([]byte(words))
	return history.Host{Fingerprint: hex.EncodeToString(sum[:6]), Words: words}
}

// Lines makes the lines of a judged run: one for each comparison. It fails for
// a run without a time, without comparisons, or on several hosts: its ratios
// are not those of pairs that ran side by side.
func Lines(v regress.Verdict, o Origin) ([]history.Line, error) {
	switch {
	case len(v.Comparisons) == 0:
		return nil, errors.New("cannot keep this run in a history: it has no comparisons, only runs of a baseline and a candidate have")
	case o.Started.IsZero():
		return nil, errors.New("cannot keep this run in a history: it does not say when it was made, use the folder of its records")
	case o.Hosts > 1:
		return nil, fmt.Errorf("cannot keep this run in a history: it was made on %d hosts", o.Hosts)
	}
	var lines []history.Line
	for _, c := range v.Comparisons {
		if len(c.Pairs) == 0 && c.Mark != regress.NoVerdict {
			return nil, fmt.Errorf("cannot keep this run in a history: %s was compared without pairs, from two runs that were made apart", c.Scenario)
		}
		lines = append(lines, lineOf(c, o))
	}
	return lines, nil
}

func lineOf(c regress.Comparison, o Origin) history.Line {
	l := history.Line{
		Schema: history.Schema, Time: o.Started.UTC(), Scenario: c.Scenario, Measure: c.Goal.Name, Unit: string(c.Goal.Unit), Better: c.Goal.Better,
		Pairs: len(c.Pairs), Mark: string(c.Mark), Host: o.Host, Seed: o.Seed, Floodgate: o.Floodgate,
		Baseline:  history.Side{Spec: o.Baseline.Spec, Commit: o.Baseline.Commit, Digest: o.Baseline.Digest},
		Candidate: history.Side{Spec: o.Candidate.Spec, Commit: o.Candidate.Commit, Digest: o.Candidate.Digest},
	}
	if c.Mark == regress.NoVerdict || len(c.Pairs) == 0 {
		return l
	}
	var baseline, candidate []float64
	for _, p := range c.Pairs {
		baseline, candidate = append(baseline, p.Baseline), append(candidate, p.Candidate)
	}
	l.Baseline.Level, l.Candidate.Level = geometricMean(baseline), geometricMean(candidate)
	if l.Ratio = positive(1 + c.Delta.Estimate); l.Ratio == nil || c.Delta.Level == 0 {
		return l
	}
	if low, high := positive(1+c.Delta.Low), positive(1+c.Delta.High); low != nil && high != nil {
		spread := c.Spread
		l.Low, l.High, l.Confidence, l.Spread = low, high, c.Delta.Level, &spread
	}
	return l
}

// geometricMean is nil for values that have none.
func geometricMean(values []float64) *float64 {
	sum := 0.0
	for _, x := range values {
		sum += math.Log(x)
	}
	return positive(math.Exp(sum / float64(len(values))))
}

// positive is nil for what a history cannot hold.
func positive(x float64) *float64 {
	if !(x > 0) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}

package harness

import (
	"slices"
	"strings"
	"testing"
	"time"

	"floodgate/internal/record"
	"floodgate/internal/target"
	"floodgate/scenarios"
)

// tellsAll describes the figures of a target that counts what it reads.
const tellsAll = `
statistics:
  url: http://{{.Stats}}/
  format: prometheus
  every: 100ms
  map: {datagrams: packets_total, received: lines_total, aggregated: lines_done_total}
`

// wovenPair is a run of one woven pair, whose targets have these manners.
// Those called foreign count what they read, and tell.
func wovenPair(t *testing.T, baseline, candidate string) Config {
	t.Helper()
	config := badlyMannered(t, baseline)
	s := &config.Scenarios[0]
	s.Order, s.Slice = scenarios.Woven, 5*time.Millisecond
	s.Limits.Drain = 5 * time.Second
	variant := func(role, manners string) Variant {
		v := Variant{Role: role, Spec: manners, Path: config.Variants[0].Path}
		if strings.HasPrefix(manners, "foreign") {
			v = foreigner(t, tellsAll)
			v.Role, v.Spec = role, manners
		}
		v.Options = target.Options{{Key: mannersVariable, Value: manners}}
		return v
	}
	config.Variants = []Variant{variant(record.Baseline, baseline), variant(record.Candidate, candidate)}
	return config
}

const counting = "foreign and telling"

// TestWovenPair: both replicates go through their phases together, each is
// offered the whole load, and each has a ledger of its own that balances.
func TestWovenPair(t *testing.T) {
	t.Parallel() // they mostly wait
	config := wovenPair(t, counting, counting)
	config.Replicates["tiny"] = 2
	var steps []string // phases in the order in which they begin, over both pairs
	var sides []string
	config.OnEvent = func(e Event) {
		if e.Phase != "" {
			steps, sides = append(steps, e.Phase), append(sides, e.Role)
		}
	}
	records, err := Run(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	if len(records) != 4 {
		t.Fatalf("%d records, want two of each pair", len(records))
	}
	phases := []string{record.PhaseStarting, record.PhaseWarmUp, record.PhaseMeasuring, record.PhaseDraining, record.PhaseStopping}
	var want []string
	for range 2 {
		for _, phase := range phases {
			want = append(want, phase, phase)
		}
	}
	if !slices.Equal(steps, want) {
		t.Errorf("the phases begin in the order %q, want each for both before the next", steps)
	}
	for i := 0; i+1 < len(sides); i += 2 {
		if first := records[i/len(phases)/2*2].Order.First; sides[i] != first || sides[i+1] == first {
			t.Errorf("phase %s begins with %s and %s, want both, the %s first", steps[i], sides[i], sides[i+1], first)
		}
	}
	for i, rec := range records {
		if rec.Invalid != "" {
			t.Fatalf("%s of pair %d is invalid: %s", rec.Variant.Role, rec.Replicate, rec.Invalid)
		}
		o, l := rec.Order, rec.Ledger
		if o.Kind != string(scenarios.Woven) || o.Position != i || o.Planned != 2 || len(o.Roles) != 2 || o.First != o.Roles[0] || rec.Variant.Role != o.Roles[i%2] {
			t.Errorf("order %+v of the %s, record %d", o, rec.Variant.Role, i)
		}
		if l.Received == nil || l.Aggregated == nil {
			t.Fatalf("the %s tells nothing: %q", rec.Variant.Role, rec.Warnings)
		}
		if l.Offered != 1000 || l.NotSent != 0 || l.Sent != 1000 || *l.Received != 1000 || *l.Aggregated != 1000 || l.Unaccounted != 0 {
			t.Errorf("ledger of the %s: %+v, want each of 1000 messages at its place", rec.Variant.Role, l)
		}
		var names []string
		for _, p := range rec.Phases {
			names = append(names, p.Name)
		}
		if !slices.Equal(names, phases) {
			t.Errorf("the %s went through %q", rec.Variant.Role, names)
		}
		if rec.Generator == nil || rec.Generator.LastSent < 0.02 {
			t.Errorf("the %s was loaded as if it were alone: %+v, want 20 ms of load with gaps", rec.Variant.Role, rec.Generator)
		}
	}
	if records[0].Order.First == records[2].Order.First {
		t.Errorf("the %s comes first in both pairs: the block is not turned around", records[0].Order.First)
	}
	if a, b := records[0], records[1]; a.Config.Address == b.Config.Address || a.Build.CorpusDigest != b.Build.CorpusDigest {
		t.Errorf("addresses %s and %s, want two; messages %s and %s, want the same", a.Config.Address, b.Config.Address, a.Build.CorpusDigest, b.Build.CorpusDigest)
	}
	kept, err := record.ReadDir(config.Out)
	if err != nil || len(kept) != 4 {
		t.Errorf("%d records are kept: %v", len(kept), err)
	}
}

// TestWovenPairIsJudgedWhole: what ends one replicate ends the other with it. A
// death is not repeated, whichever side it is on; a doubt about the accounts is,
// once for both, and the attempt before is void as a whole.
func TestWovenPairIsJudgedWhole(t *testing.T) {
	for _, c := range []struct {
		baseline, candidate string
		culprit             string
		reason              string
		records             int
	}{
		{counting, "impatient", record.Candidate, "died before the load: exit status 3", 2},
		{"impatient", counting, record.Baseline, "died before the load: exit status 3", 2},
		{counting, "deaf", record.Candidate, "was ready and does not listen", 2},
		{counting, "rubbish", record.Candidate, "cannot read the target's statistics", 4},
	} {
		t.Run(c.baseline+" and "+c.candidate, func(t *testing.T) {
			t.Parallel() // they mostly wait
			config := wovenPair(t, c.baseline, c.candidate)
			last := Event{}
			config.OnEvent = func(e Event) { last = e }
			records, err := Run(t.Context(), config)
			if err != nil {
				t.Fatalf("the run is given up: %v", err)
			}
			if len(records) != c.records {
				t.Fatalf("%d records, want %d", len(records), c.records)
			}
			for _, rec := range records {
				want := otherInvalid
				if rec.Variant.Role == c.culprit {
					want = c.reason
				}
				if rec.Attempt == 1 && rec.Variant.Role != c.culprit {
					want = "" // it came to its end, and nothing replaces it
				}
				if (rec.Invalid == "") != (want == "") || !strings.Contains(rec.Invalid, want) {
					t.Errorf("the %s, attempt %d: %q, want %q", rec.Variant.Role, rec.Attempt, rec.Invalid, want)
				}
			}
			if last.Done != 2 || last.Total != 2 {
				t.Errorf("in the end %d of %d replicates are done, want all", last.Done, last.Total)
			}
		})
	}
}

// TestOneVariantIsNotWoven: with nobody to take turns with, a replicate has the
// machine for itself and its load without gaps.
func TestOneVariantIsNotWoven(t *testing.T) {
	t.Parallel() // it mostly waits
	config := wovenPair(t, counting, counting)
	config.Variants = config.Variants[1:]
	records, err := Run(t.Context(), config)
	if err != nil || len(records) != 1 || records[0].Invalid != "" {
		t.Fatalf("%d records: %v", len(records), err)
	}
	if l := records[0].Ledger; *l.Received != 1000 {
		t.Errorf("ledger %+v", l)
	}
}

// TestCandidatesOfScenarios: a scenario may have a candidate of its own, and
// scenarios of one load share what is prepared for it.
func TestCandidatesOfScenarios(t *testing.T) {
	t.Parallel() // it mostly waits
	config := wovenPair(t, counting, counting)
	other := config.Scenarios[0]
	other.Name = "other"
	config.Scenarios = append(config.Scenarios, other)
	config.Replicates["other"] = 1
	planted := config.Variants[1]
	planted.Spec = "planted"
	config.Candidates = map[string]Variant{"other": planted}
	records, err := Run(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	for _, rec := range records {
		want := counting
		if rec.Scenario == "other" && rec.Variant.Role == record.Candidate {
			want = "planted"
		}
		if rec.Variant.Spec != want {
			t.Errorf("the %s of %s is %q, want %q", rec.Variant.Role, rec.Scenario, rec.Variant.Spec, want)
		}
	}
	r := &runner{config: config, prepared: map[string]*prepared{}}
	first, err := r.prepare(t.Context(), &config.Scenarios[0])
	if err != nil {
		t.Fatal(err)
	}
	if second, err := r.prepare(t.Context(), &config.Scenarios[1]); err != nil || first != second {
		t.Errorf("the same load is prepared twice: %v", err)
	}
	config.Scenarios[1].Load.Corpus.ContextKeys++
	r = &runner{config: config, prepared: map[string]*prepared{"tiny": first}}
	if second, err := r.prepare(t.Context(), &config.Scenarios[1]); err != nil || first == second {
		t.Errorf("another load is not prepared: %v", err)
	}
}

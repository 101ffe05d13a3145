package main

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"floodgate/internal/harness"
	"floodgate/internal/record"
	"floodgate/regress"
	"floodgate/scenarios"
)

// lookFlags are the flags of a run that may end early.
type lookFlags struct {
	maxPairs int
	boundary string
}

func (f *lookFlags) add(flags *pflag.FlagSet) {
	flags.IntVar(&f.maxPairs, "max-pairs", 0, "look four times on the way to so many pairs, and end a scenario whose mark stands")
	flags.StringVar(&f.boundary, "boundary", string(regress.Pocock), "how strict the looks are: pocock (ends early) or obrien-fleming (the last look loses least)")
}

// plan makes config a run with looks, if they were asked for.
func (f *lookFlags) plan(config *harness.Config, replicates int, o regress.Options) error {
	boundary := regress.Boundary(f.boundary)
	if boundary != regress.Pocock && boundary != regress.OBrienFleming && f.boundary != "" {
		return usagef("--boundary is %q, allowed are %s and %s", f.boundary, regress.Pocock, regress.OBrienFleming)
	}
	switch {
	case f.maxPairs == 0:
		return nil
	case replicates > 0:
		return usagef("--replicates and --max-pairs both say how many pairs to run: give one of them")
	case f.maxPairs < 4 || f.maxPairs > regress.MaxLookedPairs:
		return usagef("--max-pairs is %d, allowed are 4 to %d", f.maxPairs, regress.MaxLookedPairs)
	}
	looks := regress.PlanLooks(f.maxPairs, boundary)
	if err := looks.Validate(); err != nil {
		return &usageError{err}
	}
	family := 0
	for _, s := range config.Scenarios {
		config.Replicates[s.Name] = f.maxPairs
		if !s.Erratic {
			family++
		}
	}
	config.Looks = &harness.Looks{Pairs: looks.Pairs, Boundary: string(boundary),
		Enough: func(s scenarios.Scenario, pairs int, records []*record.Record) bool {
			return regress.Look(regress.LookInput{Scenario: s, Records: records, Pairs: pairs, Family: family, Options: o}).Stop
		}}
	return nil
}

// looksWords says what was planned, for the help of bench.
var looksWords = strings.TrimSpace(fmt.Sprintf(`
With --max-pairs a run looks after a quarter, a half and three quarters of the
pairs, and ends a scenario there whose mark stands: improved, unchanged, or
regressed beyond what the other scenarios could excuse. Each look gets its share
of the error, so that looking raises no false alarm; its interval is the wider
one that belongs to the look. Between %d and %d pairs.`, 4, regress.MaxLookedPairs))

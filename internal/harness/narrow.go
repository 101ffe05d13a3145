package harness

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"floodgate/scenarios"
)

// narrow returns the scenarios with only what every variant's target can do, and
// a warning for each scenario that was changed, by its name. It refuses what
// cannot be left out, and without Adapt everything. Both variants get the same
// load: a comparison of different ones would be none.
func (c Config) narrow() (narrowed []scenarios.Scenario, warnings map[string]string, err error) {
	warnings = map[string]string{}
	if c.Shard.sends() {
		return c.Scenarios, warnings, nil // the shard beside the target knows what it can take
	}
	var faults []error
	for _, s := range c.Scenarios {
		var left, lacking []string
		for _, v := range c.variantsOf(s.Name) {
			description := v.description()
			whole := s
			var missing, cannot []string
			s, missing, cannot = description.Narrow(s)
			if len(cannot) > 0 {
				faults = append(faults, fmt.Errorf("cannot run scenario %s: target %s cannot take %s: choose another scenario, or another target",
					s.Name, description.Name, strings.Join(cannot, "; ")))
			}
			// What is left out already counts for the other target too.
			if len(missing) > 0 {
				left = append(left, missing...)
				_, missing, _ = description.Narrow(whole)
				lacking = append(lacking, description.Name)
			}
			if len(missing) > 0 && !c.Adapt {
				faults = append(faults, fmt.Errorf("cannot run scenario %s: target %s cannot take %s: leave it out for all variants with --adapt, or choose another scenario",
					s.Name, description.Name, strings.Join(missing, "; ")))
			}
		}
		if len(left) > 0 {
			slices.Sort(lacking)
			warnings[s.Name] = fmt.Sprintf("adapted for %s: without %s, unlike the scenario",
				strings.Join(slices.Compact(lacking), " and "), strings.Join(left, "; without "))
		}
		narrowed = append(narrowed, s)
	}
	return narrowed, warnings, errors.Join(faults...)
}

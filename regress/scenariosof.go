package regress

import (
	"bytes"
	"fmt"

	"floodgate/internal/record"
	"floodgate/scenarios"
)

// ScenariosOf reads the scenarios out of the records that were made under
// them, so that records can be judged alone. They come in the order in which
// the records first name them. The map holds the planned pairs by scenario
// name, as the records keep them, so that a run that ended early is not taken
// for a whole one. The plan of the run, if it is not nil, adds the scenarios that
// left no record at all.
//
// It fails for records of one scenario that were made under different texts,
// because their results are not comparable, and for a text that is missing,
// that cannot be parsed or that names another scenario.
func ScenariosOf(records []*record.Record, plan *record.Plan) ([]scenarios.Scenario, map[string]int, error) {
	var found []scenarios.Scenario
	planned := make(map[string]int)
	source := make(map[string][]byte)
	for _, r := range records {
		text, known := source[r.Scenario]
		if !known {
			s, err := parseScenario(r)
			if err != nil {
				return nil, nil, err
			}
			found = append(found, s)
			text = []byte(r.Config.ScenarioYAML)
			source[r.Scenario] = text
		}
		if !bytes.Equal(text, []byte(r.Config.ScenarioYAML)) {
			return nil, nil, fmt.Errorf("cannot judge scenario %s: its records were made under different scenario texts, first seen in %s replicate %d; judge them apart",
				r.Scenario, r.Variant.Role, r.Replicate)
		}
		planned[r.Scenario] = max(planned[r.Scenario], r.Order.Planned, r.Replicate+1)
	}
	if plan == nil {
		return found, planned, nil
	}
	for _, p := range plan.Scenarios {
		if _, known := source[p.Name]; known {
			continue
		}
		s, err := scenarios.Parse(p.File, []byte(p.YAML))
		if err != nil {
			return nil, nil, fmt.Errorf("cannot judge scenario %s by the text in the plan of its run: %w", p.Name, err)
		}
		found = append(found, s)
		planned[s.Name] = p.Replicates
	}
	return found, planned, nil
}

// parseScenario reads the scenario that r was made under.
func parseScenario(r *record.Record) (scenarios.Scenario, error) {
	if r.Config.ScenarioYAML == "" {
		return scenarios.Scenario{}, fmt.Errorf("cannot judge scenario %s: the record of %s replicate %d keeps no scenario text",
			r.Scenario, r.Variant.Role, r.Replicate)
	}
	s, err := scenarios.Parse(r.Config.ScenarioFile, []byte(r.Config.ScenarioYAML))
	if err != nil {
		return scenarios.Scenario{}, fmt.Errorf("cannot judge scenario %s by the text in its record: %w", r.Scenario, err)
	}
	if s.Name != r.Scenario {
		return scenarios.Scenario{}, fmt.Errorf("cannot judge scenario %s: the text in its record is that of scenario %s", r.Scenario, s.Name)
	}
	return s, nil
}

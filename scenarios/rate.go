package scenarios

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"go.yaml.in/yaml/v4"
)

// AtRate returns the scenario with a steady rate, in messages per second, in
// place of its schedule. Its name says the rate, and it has no checks: what a
// target does at a rate that was not asked of it breaks no promise. A replicate
// is repeated once at most. All else stays as it is. As with Arranged, the copy
// has a source of its own, so that records made under it can be judged alone.
//
// A replay brings its own times along, and an idle load offers nothing: both are
// refused. Otherwise the error is a *FaultError, where rate and time come to a
// load that no scenario may have.
func (s Scenario) AtRate(rate int64, over time.Duration) (Scenario, error) {
	file, source, err := s.atRate(rate, over)
	if err != nil {
		return Scenario{}, fmt.Errorf("cannot offer scenario %s at %d messages/s: %w", s.Name, rate, err)
	}
	return Parse(file, source)
}

// longestName is what parseName allows.
const longestName = 60

func (s Scenario) atRate(rate int64, over time.Duration) (file string, source []byte, err error) {
	switch {
	case s.Load.Replay != nil:
		return "", nil, errors.New("a replay is offered at its own times: choose a scenario whose load is generated")
	case s.Load.Schedule.Count == 0:
		return "", nil, errors.New("its load is idle: choose one that offers messages")
	}
	suffix := fmt.Sprintf("_at_%d", rate)
	name := s.Name[:min(len(s.Name), longestName-len(suffix))] + suffix
	return s.rewritten(name, func(root *yaml.Node) {
		unset(root, "checks")
		unset(root, "gate")
		set(below(root, "limits"), "retries", strconv.Itoa(min(s.Limits.Retries, 1)))
		load := below(root, "load")
		unset(load, "schedule")
		steady := below(below(load, "schedule"), "steady")
		set(steady, "rate", strconv.FormatInt(rate, 10))
		set(steady, "for", over.String())
	})
}

// below is the mapping under a key of a mapping, made where there is none.
func below(mapping *yaml.Node, key string) *yaml.Node {
	for i := 0; i < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key && mapping.Content[i+1].Kind == yaml.MappingNode {
			return mapping.Content[i+1]
		}
	}
	made := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	mapping.Content = append(mapping.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key}, made)
	return made
}

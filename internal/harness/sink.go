package harness

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"floodgate/internal/dogstatsd"
	"floodgate/internal/intake"
	"floodgate/internal/payload/foreign"
	"floodgate/scenarios"
)

// intakeConfig is the intake that counts what the variant's target sends. The
// ways in that its description does not name do not exist.
func (v Variant) intakeConfig(setup scenarios.TargetSetup, a addresses, dir string) (intake.Config, error) {
	c, t := intake.Default(), v.description()
	c.Sinks.Mapping = t.Mapping
	if t.Mapping != "" && !slices.Contains(intake.Mappings(), t.Mapping) {
		return c, fmt.Errorf("cannot count what target %s sends: its mapping is %q, allowed are %s", t.Name, t.Mapping, strings.Join(intake.Mappings(), ", "))
	}
	switch t.Sink {
	case scenarios.SinkGraphite:
		c.Sinks.Graphite = loopback + ":0"
	case scenarios.SinkPrometheus:
		filled, err := t.Render(v.launch(setup, a, dir))
		if err != nil {
			return c, err
		}
		c.Sinks.Scrape.URL, c.Sinks.Scrape.Interval = filled.Scrape, setup.FlushInterval
		c.Sinks.Scrape.MaxBytes = c.MaxDecodedBytes
	}
	return c, nil
}

// lastScrape takes what a target that is scraped has to tell before it ends.
func (s *session) lastScrape(ctx context.Context) {
	if s.variant.description().Sink != scenarios.SinkPrometheus {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := s.intake.ScrapeLast(ctx); err != nil {
		s.warn("the last of the target's metrics are missing: " + err.Error())
	}
}

// namedFor are the expectations as the target's output names them.
func (e *expectations) namedFor(t *scenarios.Target) (*expectations, error) {
	if t.Sink != scenarios.SinkPrometheus {
		return e, nil
	}
	renamed := &expectations{keys: e.keys, index: make(map[string]part, len(e.index))}
	for key, p := range e.index {
		metric, tags, _ := strings.Cut(key, "|")
		suffix := ""
		if isSummary(e.keys[p.key].kind) && p.role != sketched {
			at := strings.LastIndexByte(metric, '.')
			metric, suffix = metric[:at], metric[at:]
		}
		key = foreign.PrometheusName(metric) + suffix + "|" + tags
		if other, twice := renamed.index[key]; twice && other.key != p.key {
			return nil, fmt.Errorf("%s and %s get the same name in the text format of Prometheus", e.keys[other.key].name, e.keys[p.key].name)
		}
		renamed.index[key] = p
	}
	return renamed, nil
}

func isSummary(k dogstatsd.Kind) bool {
	return k != dogstatsd.Counter && k != dogstatsd.Gauge && k != dogstatsd.Set
}

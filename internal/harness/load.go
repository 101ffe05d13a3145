package harness

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"floodgate/internal/dogstatsd"
	"floodgate/loadgen"
	"floodgate/scenarios"
)

// newSchedule is what a scenario says about due times, in the generator's terms.
func newSchedule(s scenarios.Schedule) (loadgen.Schedule, error) {
	made, err := madeSchedule(s)
	if err == nil && (made.Total() != s.Count || made.End() != s.Over) {
		// The two floors compute the same numbers apart; their tests hold them together.
		err = fmt.Errorf("it has %d messages in %v, and the scenario says %d in %v", made.Total(), made.End(), s.Count, s.Over)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot make the schedule: %w", err)
	}
	return made, nil
}

func madeSchedule(s scenarios.Schedule) (loadgen.Schedule, error) {
	switch s.Curve {
	case scenarios.Even:
		return loadgen.Burst{Count: s.Count, Over: s.Over}, nil
	case scenarios.Ramp:
		return loadgen.Ramp(s.From, s.To, s.Over)
	case scenarios.Sine:
		return loadgen.Sine(s.Mean, s.Amplitude, s.Period, s.Over)
	case scenarios.Poisson:
		return loadgen.Poisson(s.Count, s.Over, s.Seed)
	case scenarios.Sequence, scenarios.Sum:
		var parts []loadgen.Schedule
		for _, p := range s.Parts {
			part, err := madeSchedule(p)
			if err != nil {
				return nil, err
			}
			parts = append(parts, part)
		}
		if s.Curve == scenarios.Sum {
			return loadgen.Sum(parts...)
		}
		once := parts
		for range s.Times - 1 {
			parts = append(parts, once...)
		}
		return loadgen.Sequence(parts...)
	}
	return nil, fmt.Errorf("the curve %q is unknown", s.Curve)
}

// valueShapes are the generator's words for the scenario's.
var valueShapes = map[string]loadgen.ValueShape{
	"": loadgen.UniformValues, "uniform": loadgen.UniformValues, "constant": loadgen.ConstantValues,
	"normal": loadgen.NormalValues, "lognormal": loadgen.LogNormalValues, "exponential": loadgen.ExponentialValues,
}

// newCorpusConfig is what the scenario says about messages, in the generator's
// terms.
func newCorpusConfig(l scenarios.Load, schedule loadgen.Schedule) loadgen.CorpusConfig {
	from := l.Corpus
	c := loadgen.CorpusConfig{
		Seed: from.Seed, Messages: l.Schedule.Count, Schedule: schedule,
		ContextKeys: from.ContextKeys, Cycle: from.Popularity == scenarios.Cycle, Zipf: from.Zipf, Churn: from.Churn,
		Names: from.Names, NameBytes: from.NameBytes, Tags: from.Tags, TagsMost: from.TagsMost, TagPatterns: from.TagPatterns,
		TagBytes: from.TagBytes, TagBytesMost: from.TagBytesMost, UniqueTags: from.UniqueTags,
		DatagramBytes: from.Packing.Bytes, DatagramLines: from.Packing.Lines,
		SampledShare: from.SampledShare, SampleRate: from.SampleRate, PackedValues: from.PackedValues,
		Values:           loadgen.Values{Shape: valueShapes[from.Values.Shape], Min: from.Values.Min, Max: from.Values.Max, Center: from.Values.Center, Spread: from.Values.Spread},
		TimestampedShare: from.TimestampedShare, TimestampFrom: from.TimestampFrom, ContainerShare: from.ContainerShare, Containers: from.Containers,
		EventShare: from.EventShare, CheckShare: from.CheckShare,
		Hostile: loadgen.Hostile{Share: from.Hostile.Share, Malformed: from.Hostile.Malformed, Truncated: from.Hostile.Truncated,
			Oversize: from.Hostile.Oversize, OversizeBytes: from.Hostile.OversizeBytes, NonUTF8: from.Hostile.NonUTF8},
	}
	if l.Sender.Client != scenarios.NoClient {
		c.DatagramBytes, c.DatagramLines = 0, 0 // it packs by itself, and gets each message when it is due
	}
	for _, k := range from.Kinds {
		kind, _ := dogstatsd.KindOf(k.Kind) // the scenario's loader knows no others
		c.Kinds = append(c.Kinds, loadgen.KindWeight{Kind: kind, Weight: k.Weight})
	}
	return c
}

// loadFault names what keeps the load of a scenario from being made.
func loadFault(s *scenarios.Scenario) error {
	if s.Load.Replay != nil {
		_, err := os.Stat(replayFile(s))
		return errors.Join(err, dialOptions(s.Load).Validate(string(s.Load.Transport)))
	}
	schedule, err := newSchedule(s.Load.Schedule)
	if err != nil || s.Load.Schedule.Count == 0 {
		return err
	}
	return errors.Join(newCorpusConfig(s.Load, schedule).Validate(), dialOptions(s.Load).Validate(string(s.Load.Transport)))
}

// replayFile is the file of captured lines: beside the scenario's, unless its
// path is absolute.
func replayFile(s *scenarios.Scenario) string {
	if filepath.IsAbs(s.Load.Replay.File) {
		return s.Load.Replay.File
	}
	return filepath.Join(filepath.Dir(s.File), s.Load.Replay.File)
}

// replay reads the captured lines of a scenario, and enters into it how many
// there are and how long they take.
func (p *prepared) replay(s *scenarios.Scenario) error {
	file, err := os.Open(replayFile(s))
	if err != nil {
		return err
	}
	how := loadgen.Replay{Rate: s.Load.Replay.Rate, Speed: s.Load.Replay.Speed, DatagramBytes: s.Load.Replay.Packing.Bytes}
	p.corpus, p.schedule, err = loadgen.NewReplay(file, how)
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	for e := range p.corpus.Expected() {
		if e.Kind == dogstatsd.Set && e.Uneven {
			// Whether it shows once or twice depends on where buckets end.
			return fmt.Errorf("cannot account for the set %s of %s: a member comes twice, take such lines out", e.Metric, s.Load.Replay.File)
		}
	}
	s.Load.Schedule.Count, s.Load.Schedule.Over = p.schedule.Total(), p.schedule.End()
	if err := s.OutageFault(); err != nil {
		return fmt.Errorf("the intake's outage cannot be waited for: %w", err)
	}
	return nil
}

// hostile is how many lines of the load are no messages by intention.
func (p *prepared) hostile() int64 {
	if p.whole != nil {
		return p.whole.hostile
	}
	return p.ownHostile()
}

// ownHostile is hostile of what this generator sends.
func (p *prepared) ownHostile() int64 {
	if p.corpus == nil {
		return 0
	}
	totals := p.corpus.Totals()
	return totals.Hostile()
}

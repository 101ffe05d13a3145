package harness

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"floodgate/internal/intake"
	"floodgate/internal/record"
	"floodgate/scenarios"
)

// finish turns what the session saw into its record. The target and the intake
// have ended.
func (s *session) finish() error {
	stats, err := s.finalStatistics()
	if err != nil {
		return err
	}
	expected, err := s.prepared.expected.namedFor(s.variant.description())
	if err != nil {
		return fmt.Errorf("cannot count what target %s sends of scenario %s: %w", s.variant.description().Name, s.scenario.Name, err)
	}
	seen := newArrivals(expected)
	uncounted := s.variant.description().Sink == scenarios.SinkNone
	if uncounted {
		s.warn(fmt.Sprintf("the output of target %s is not counted: what it lost is known only as far as its own statistics say", s.variant.description().Name))
	} else if err := s.arrived(seen); err != nil {
		return err
	}

	o := observation{load: s.sentByAll(), oneLine: oneLine(s.scenario.Load, s.prepared), drops: s.drops, stats: stats, outcome: seen.outcome(), uncounted: uncounted}
	corpus := s.scenario.Load.Corpus
	o.hostile = s.prepared.hostile()
	o.manyEvents = corpus.PackedValues > 1 || corpus.SampledShare > 0 || s.scenario.Load.Replay != nil
	ledger, faults, warnings := account(o)
	faults = append(faults, clientFaults(s.result)...)
	s.record.Ledger = s.ownShare(ledger)
	s.record.Warnings = append(s.record.Warnings, warnings...)
	if wokenTooLate(ledger, stats) {
		s.warn("the target's reader was woken too late: the machine, or what else ran on it, has a part in what the kernel dropped (wake_late_max)")
	}
	if ledger.Sent > 0 && !uncounted && ledger.Lost() == 0 && ledger.GivenUp == 0 {
		s.record.Values = &o.outcome.values
	}

	f := findings{
		ledger: ledger, values: s.record.Values, lateness: s.result.Lateness, blocked: s.result.Sender.Blocked, readings: s.sampler.Result(), stats: stats,
		intake: s.intake.Activity(), rssPeak: s.rssPeak, pss: s.pss, elapsed: s.drainEnd.Sub(s.loadStart), loadEnded: s.loadEnd, uncounted: uncounted,
	}
	if tellsAges(&ledger, &o.outcome, s.variant.description().Sink) {
		f.freshness = freshness(s.wholeSchedule(), s.loadStart, seen.steps)
	}
	if state, ended := s.process.State(); ended && s.cpuBefore != nil {
		cpu := state.CPU - *s.cpuBefore
		f.cpu = &cpu
	}
	f.warm = s.warmedUp(f.readings, ledger.GivenUp)
	f.held = heldBack(s.held, s.process.Usage())
	s.record.Warnings = append(s.record.Warnings, f.readings.Warnings...)
	if f.readings.Missed > 0 {
		s.warn(fmt.Sprintf("%d readings of the timeline were missed: the machine was busy", f.readings.Missed))
	}
	s.record.Generator = generatorRecord(s.result, s.scenario.Load.Sender.Client, s.prepared.ceiling)
	s.record.Measures = measures(f)
	if s.record.Histograms, err = histograms(f); err != nil {
		return err
	}
	s.mu.Lock()
	s.record.Timeline = timeline(s.loadStart, sampleInterval, f.readings, s.ticks, seen.steps)
	s.mu.Unlock()
	return s.validity(append(faults, s.variant.notEngaged(stats)...))
}

// wokenTooLate reports whether a late wake-up has a part in what the kernel
// dropped.
func wokenTooLate(l record.Ledger, stats *Statistics) bool {
	return l.KernelDropped != nil && *l.KernelDropped > 0 && stats != nil && stats.WakeLateMax != nil && *stats.WakeLateMax > record.WakeLateLimit.Seconds()
}

// arrived folds what the intake took.
func (s *session) arrived(seen *arrivals) error {
	if err := s.intake.DecodeAll(intake.Visitor{Series: seen.add, Sketch: seen.addSketch, Event: seen.addEvent, Check: seen.addCheck}); err != nil {
		return &invalid{reason: err.Error()}
	}
	s.record.Warnings = append(s.record.Warnings, s.intake.Warnings()...)
	if seen.unexpected > 0 {
		s.warn(fmt.Sprintf("%d points of series that the corpus does not lead to arrived at the intake, such as %s", seen.unexpected, seen.stranger))
	}
	return nil
}

// validity says whether the replicate may be judged: the generator was on time
// and the ledger balances. What the generator did stands first, and begins with
// "the generator": by that readers of records know that the target is not to blame.
func (s *session) validity(faults []string) error {
	var reasons []string
	if s.result.NotSent > 0 {
		reasons = append(reasons, fmt.Sprintf("the generator did not send %d messages that were due", s.result.NotSent))
	}
	if h := s.result.Lateness; h != nil {
		late, blocked := time.Duration(h.ValueAtQuantile(99)), s.result.Sender.Blocked
		if s.result.LatenessOverflow > 0 {
			late = time.Minute // at least; the histogram ends there
		}
		switch limit := s.scenario.Limits.LatenessP99; {
		case late > limit && blocked > late/2 && s.scenario.Load.Transport != scenarios.UDP:
			// Not the generator's fault: a real client would have stood there too.
			// A UDP socket that is full holds nobody up, it drops.
			s.warn(fmt.Sprintf("the target held its senders up for %v: its socket was full", blocked.Round(time.Millisecond)))
		case late > limit:
			reasons = append(reasons, fmt.Sprintf("the generator was late: p99 %v, the scenario's limit is %v", late.Round(time.Microsecond), limit))
		}
	}
	if len(faults) > 0 {
		reasons = append(reasons, "the accounts do not hold: "+strings.Join(faults, "; "))
	}
	if len(reasons) > 0 {
		return &invalid{reason: strings.Join(reasons, "; ")}
	}
	return nil
}

// finalStatistics are those the target left when it ended; for one that leaves
// none, the last that it told.
func (s *session) finalStatistics() (*Statistics, error) {
	stats, err := readStatistics(s.addresses.file)
	if err != nil {
		return nil, &invalid{reason: err.Error()}
	}
	if stats != nil {
		return stats, nil
	}
	if s.lastTold != nil {
		return s.lastTold, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.ticks) - 1; i >= 0; i-- {
		if s.ticks[i].stats != nil {
			s.warn("the target left no final statistics; its last answer counts")
			return s.ticks[i].stats, nil
		}
	}
	return nil, nil
}

// settle books an error of the session: what voids the replicate goes into the
// record, anything else is returned.
func (s *session) settle(err error) (final bool, fatal error) {
	var void *invalid
	if err == nil || !errors.As(err, &void) {
		return false, err
	}
	s.record.Invalid = void.reason
	if void.final && s.process != nil {
		s.record.LastWords = s.process.LastWords()
	}
	if s.record.Measures == nil { // it did not come to be accounted for
		s.record.Measures = []record.Measure{}
		s.record.Ledger = record.Ledger{Offered: s.result.OfferedMessages, NotSent: s.result.NotSent, GivenUp: s.result.GivenUp, Sent: s.result.SentMessages}
	}
	return void.final, nil
}

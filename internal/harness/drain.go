package harness

import (
	"context"
	"time"

	"floodgate/scenarios"
)

// What counts as idle: over half a second or more, less than a tenth of one core.
// A flush of every second may fall into it, working off a queue does not.
const (
	idleTicks = 5
	idleShare = 0.1
)

// idleFor reports whether the target used next to no CPU over the last n steps.
// known is false when that cannot be told.
func idleFor(ticks []tick, n int) (idle, known bool) {
	if len(ticks) <= n {
		return false, true // it is too early to tell
	}
	now, before := ticks[len(ticks)-1].cpu, ticks[len(ticks)-1-n].cpu
	if now == nil || before == nil {
		return false, false
	}
	most := time.Duration(idleShare * float64(time.Duration(n)*sampleInterval))
	return *now-*before < most, true
}

// silent stands in for the word of a target that does not tell whether it has
// drained: no upload has come for two flush intervals, or, since many send their
// own figures at every one, it was idle for as long. One whose output is not
// counted has worked off what it read when it is idle.
func (s *session) silent() bool {
	t := s.variant.description()
	flushes := 2 * max(s.scenario.Target.FlushInterval, t.FlushEvery)
	steps := int(flushes/sampleInterval) + 1
	if t.Sink == scenarios.SinkNone {
		steps = idleTicks
	}
	s.mu.Lock()
	idle, known := idleFor(s.ticks, steps)
	s.mu.Unlock()
	// A target that waits for the intake to come back does nothing meanwhile.
	since := time.Since(later(s.loadEnd, s.loadStart.Add(s.scenario.Intake.OutageFrom+s.scenario.Intake.OutageFor)))
	if idle && known && since > time.Duration(steps)*sampleInterval {
		return true
	}
	if t.Sink == scenarios.SinkNone || t.Sink == scenarios.SinkPrometheus {
		return !known && since > flushes // what is asked for shows nothing
	}
	activity := s.intake.Activity()
	return since > flushes && time.Since(later(activity.Last, activity.Struck.Last)) > flushes
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// lastAnswer asks once more, with time to spare, for the statistics of a target
// that leaves none behind when it ends.
func (s *session) lastAnswer(ctx context.Context) {
	if s.probe == nil || s.variant.description().Uses(".StatsFile") {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	answer, err := s.probe.ask(ctx)
	if err != nil {
		s.warn("the target's statistics were not told at the end: " + err.Error())
		return
	}
	s.lastTold = answer
}

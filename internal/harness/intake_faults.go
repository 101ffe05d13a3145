package harness

import (
	"floodgate/internal/intake"
	"floodgate/internal/record"
	"floodgate/scenarios"
)

// intakeFaults is what a scenario asks of the intake, in the intake's terms. Both
// replicates of a pair are struck alike, and two pairs are not.
func intakeFaults(i scenarios.Intake, rec *record.Record) intake.Faults {
	return intake.Faults{
		Latency: i.Latency.Mean, LatencyShape: intake.LatencyShape(i.Latency.Shape),
		ErrorRate: i.ErrorShare, ErrorStatus: i.ErrorStatus, ResetRate: i.ResetShare,
		OutageFrom: i.OutageFrom, OutageTo: i.OutageFrom + i.OutageFor, SlowRead: i.SlowRead,
		Seed: rec.Seed + uint64(rec.Replicate),
	}
}

// describeIntake adds what the intake did on purpose, where the scenario asks for
// it, also to the record of a replicate that came to nothing.
func (s *session) describeIntake() {
	if !s.scenario.Intake.Faulty() || s.intake == nil {
		return
	}
	f := intakeFaults(s.scenario.Intake, s.record)
	asked := record.IntakeFaults{
		Latency: f.Latency.Seconds(), LatencyShape: string(f.LatencyShape), ResetShare: f.ResetRate, SlowRead: f.SlowRead, Seed: f.Seed,
	}
	if f.ErrorRate > 0 {
		asked.ErrorShare, asked.ErrorStatus = f.ErrorRate, f.ErrorStatus
	}
	if f.OutageTo > f.OutageFrom {
		from := f.OutageFrom.Seconds()
		asked.OutageFrom, asked.OutageTo = &from, f.OutageTo.Seconds()
	}
	struck := s.intake.Activity().Struck
	s.record.Intake = &record.Intake{Faults: asked, Uploads: struck.Uploads, Delayed: struck.Delayed,
		Errors: struck.Errors, Resets: struck.Resets, Outage: struck.Outage}
}

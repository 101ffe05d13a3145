package reports

import (
	"fmt"
	"strings"

	"floodgate/internal/record"
	"floodgate/scenarios"
)

// intakeNotes says of each variant what the intake did to its uploads because the
// scenario asks for it: what looks like a bad day of the target was ours.
func (s *scene) intakeNotes() []string {
	var notes []string
	for _, role := range s.roles() {
		if words := intakeWords(s.valid(role)); words != "" {
			notes = append(notes, s.name+", "+role+": "+words)
		}
	}
	return notes
}

// intakeOf adds up what the intake did; nil where nothing was asked of it. What
// was asked is that of the last record: those of one scenario ask alike.
func intakeOf(rs []*record.Record) *record.Intake {
	var sum *record.Intake
	for _, rec := range rs {
		if rec.Intake == nil {
			continue
		}
		if sum == nil {
			sum = &record.Intake{}
		}
		sum.Faults = rec.Intake.Faults
		sum.Uploads += rec.Intake.Uploads
		sum.Delayed += rec.Intake.Delayed
		sum.Errors += rec.Intake.Errors
		sum.Resets += rec.Intake.Resets
		sum.Outage += rec.Intake.Outage
	}
	return sum
}

func intakeWords(rs []*record.Record) string {
	i := intakeOf(rs)
	if i == nil {
		return ""
	}
	var refused, did []string
	f := i.Faults
	if f.OutageTo > 0 {
		refused = append(refused, grouped(i.Outage)+" in the outage")
	}
	if f.ErrorShare > 0 {
		refused = append(refused, fmt.Sprintf("%s with %d", grouped(i.Errors), f.ErrorStatus))
	}
	if f.ResetShare > 0 {
		refused = append(refused, grouped(i.Resets)+" by a reset")
	}
	of := fmt.Sprintf("of %s uploads", grouped(i.Uploads))
	if len(refused) > 0 {
		did = append(did, fmt.Sprintf("refused %s %s (%s)", grouped(i.Refused()), of, strings.Join(refused, ", ")))
		of = "of them"
	}
	if f.Latency > 0 {
		did = append(did, fmt.Sprintf("delayed %s %s", grouped(i.Delayed), of))
	}
	if f.SlowRead > 0 {
		did = append(did, fmt.Sprintf("read %s per second of each connection", scenarios.Format(float64(f.SlowRead), scenarios.Bytes)))
	}
	return "the intake " + strings.Join(did, " and ") + ", as the scenario asks"
}

package harness

import (
	"strings"
	"testing"

	"floodgate/internal/record"
)

// TestSteps: replicates come one at a time, each with a record, and only the load
// of the last scenario stays in memory.
func TestSteps(t *testing.T) {
	config := badlyMannered(t, "broken")
	tiny := config.Scenarios[0]
	other := tiny
	other.Name, other.Load.Schedule.Count = "other", 500
	var roles []string
	config.OnEvent = func(e Event) {
		if e.Record != nil {
			roles = append(roles, e.Role)
		}
	}
	steps, err := NewSteps(config)
	if err != nil {
		t.Fatal(err)
	}
	load, err := steps.Load(t.Context(), tiny)
	if err != nil || load.Messages != 1000 || load.Datagrams != 1000 || load.MemoryBytes != load.WireBytes+8000 || load.Ceiling != 0 {
		t.Errorf("the load takes %+v: %v", load, err)
	}
	kept := steps.r.prepared["tiny"]
	for i, s := range []string{"tiny", "other"} {
		of := tiny
		if s == "other" {
			of = other
		}
		rec, err := steps.Replicate(t.Context(), of, record.Candidate, i, 2)
		if err != nil || rec.Scenario != s || rec.Replicate != i || rec.Order.Planned != 2 || rec.Order.Position != i {
			t.Fatalf("step %d: %+v, %v", i, rec, err)
		}
		if s == "tiny" && steps.r.prepared["tiny"] != kept {
			t.Error("the load was made again")
		}
	}
	if len(steps.r.prepared) != 1 || steps.r.prepared["other"] == nil {
		t.Errorf("%d loads are kept, want the last one", len(steps.r.prepared))
	}
	records, err := record.ReadDir(config.Out)
	if err != nil || len(records) != 2 || len(roles) != 2 {
		t.Errorf("%d records and %d events, want 2: %v", len(records), len(roles), err)
	}
}

// TestStepsRepeat: an invalid replicate is repeated as often as its scenario
// allows, and the last attempt counts.
func TestStepsRepeat(t *testing.T) {
	config := badlyMannered(t, "rubbish")
	steps, err := NewSteps(config)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 2 { // each has its own repetitions
		rec, err := steps.Replicate(t.Context(), config.Scenarios[0], record.Candidate, n, 2)
		if err != nil || rec.Attempt != 1 || rec.Invalid == "" {
			t.Fatalf("%+v, %v", rec, err)
		}
	}
}

func TestStepsRefuse(t *testing.T) {
	config := badlyMannered(t, "broken")
	s := config.Scenarios[0]
	s.Load.Schedule.Count = 0
	steps, err := NewSteps(config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := steps.Load(t.Context(), s); err == nil || !strings.Contains(err.Error(), "it is idle") {
		t.Errorf("an idle load: %v", err)
	}
}

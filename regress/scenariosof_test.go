package regress

import (
	"strings"
	"testing"

	"floodgate/internal/record"
)

const burst = `name: burst
load:
  schedule:
    burst: {count: 300k, over: 3s}
goal: cpu_per_message
replicates: 6
`

const idle = `name: idle
load:
  schedule:
    idle: {over: 3s}
goal: rss_peak
`

// keeps is a record with the text of its scenario.
func keeps(scenario, yaml string, replicate int) *record.Record {
	return &record.Record{
		Scenario: scenario, Variant: record.Variant{Role: record.Candidate}, Replicate: replicate,
		Config: record.Config{ScenarioYAML: yaml, ScenarioFile: scenario + ".yaml"},
	}
}

func TestScenariosOf(t *testing.T) {
	found, planned, err := ScenariosOf([]*record.Record{keeps("burst", burst, 0), keeps("idle", idle, 1), keeps("burst", burst, 3)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 2 || found[0].Name != "burst" || found[1].Name != "idle" || found[1].Goal.Name != "rss_peak" {
		t.Errorf("scenarios %+v, want burst and idle in this order", found)
	}
	if planned["burst"] != 4 || planned["idle"] != 2 {
		t.Errorf("planned %v, want what the highest replicates show", planned)
	}
}

// A scenario that left no record is judged as one that was not measured.
func TestScenariosOfPlan(t *testing.T) {
	plan := &record.Plan{Scenarios: []record.Planned{{Name: "idle", YAML: idle, Replicates: 5}, {Name: "burst", YAML: burst, Replicates: 7}}}
	records := []*record.Record{keeps("burst", burst, 0)}
	found, planned, err := ScenariosOf(records, plan)
	if err != nil || len(found) != 2 || found[1].Name != "idle" || planned["idle"] != 5 || planned["burst"] != 1 {
		t.Fatalf("%v: %+v, %v: want burst as its record says, then idle as planned", err, found, planned)
	}
	for _, roles := range [][]string{{record.Candidate}, {record.Baseline, record.Candidate}} {
		v := Judge(Input{Scenarios: found, Replicates: planned, Records: records, Roles: roles, Options: DefaultOptions()})
		if v.Decision.Outcome != Unmeasured || !strings.Contains(strings.Join(v.Decision.Reasons, "\n"), "idle") {
			t.Errorf("%v: %+v", roles, v.Decision)
		}
	}
	plan.Scenarios[0].YAML = "name: idle\n"
	if _, _, err := ScenariosOf(nil, plan); err == nil || !strings.Contains(err.Error(), "cannot judge scenario idle by the text in the plan of its run") {
		t.Errorf("a plan with half a scenario: %v", err)
	}
}

func TestScenariosOfRefuses(t *testing.T) {
	for _, c := range []struct {
		name    string
		records []*record.Record
		part    string
	}{
		{"two texts of one scenario", []*record.Record{keeps("burst", burst, 0), keeps("burst", burst+"erratic: true\n", 1)}, "different scenario texts"},
		{"no text", []*record.Record{keeps("burst", "", 2)}, "candidate replicate 2 keeps no scenario text"},
		{"a text that is no scenario", []*record.Record{keeps("burst", "name: burst\nspeed: high\n", 0)}, "cannot judge scenario burst by the text in its record"},
		{"the text of another scenario", []*record.Record{{Scenario: "burst", Config: record.Config{ScenarioYAML: idle}}}, "is that of scenario idle"},
	} {
		if _, _, err := ScenariosOf(c.records, nil); err == nil || !strings.Contains(err.Error(), c.part) {
			t.Errorf("%s: %v, want …%s…", c.name, err, c.part)
		}
	}
}

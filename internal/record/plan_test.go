package record

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What was planned is read as it was written; the folders of one run put their
// plans together; and no plan is none, as beside older records.
func TestPlan(t *testing.T) {
	one, other, without := t.TempDir(), t.TempDir(), t.TempDir()
	plan := Plan{Variants: []Variant{{Baseline, "refserver"}, {Candidate, "git:HEAD"}},
		Scenarios: []Planned{{"burst", "name: burst\n", "burst.yaml", 6}, {"idle", "name: idle\n", "idle.yaml", 3}}}
	if err := WritePlan(one, plan); err != nil {
		t.Fatal(err)
	}
	more := Plan{Scenarios: []Planned{{"idle", "name: idle\n", "idle.yaml", 3}, {"churn", "name: churn\n", "churn.yaml", 1}}}
	if err := WritePlan(other, more); err != nil {
		t.Fatal(err)
	}
	plan.Schema = Schema
	if got, err := ReadPlan(one, without); err != nil || !cmp.Equal(got, &plan) {
		t.Errorf("%v: %s", err, cmp.Diff(&plan, got))
	}
	plan.Scenarios = append(plan.Scenarios, more.Scenarios[1])
	if got, err := ReadPlan(one, other); err != nil || !cmp.Equal(got, &plan) {
		t.Errorf("%v: %s", err, cmp.Diff(&plan, got))
	}
	file := filepath.Join(without, "00.json")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadPlan(without, file); got != nil || err != nil {
		t.Errorf("no plan: %+v, %v", got, err)
	}
	for text, want := range map[string]string{`{"schema": 2}`: "its schema is 2", `[]`: "cannot unmarshal"} {
		if err := os.WriteFile(planPath(other), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadPlan(one, other); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	if err := os.Truncate(planPath(other), maxFile+1); err != nil { // sparse
		t.Fatal(err)
	}
	if _, err := ReadPlan(other); err == nil || !strings.Contains(err.Error(), "more than 67108864 bytes") {
		t.Errorf("a file without an end: %v", err)
	}
	for range 2 { // what is not there need not be removed
		if err := RemovePlan(one); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := ReadPlan(one); got != nil || err != nil {
		t.Errorf("a removed plan: %+v, %v", got, err)
	}
}

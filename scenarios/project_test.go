package scenarios

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const fullProject = `# yaml-language-server: $schema=.floodgate/project.schema.json
target: my_server
targets: targets
build: [go, build, -o, '{{.Output}}', ./cmd/server]
scenarios: [burst_300k, scenarios/mine.yaml]
baseline: git:HEAD~1
candidate: git:HEAD
max_pairs: 20
adapt: true
out: results
judge: {confidence: 95%, tolerance: 0%, rule: prove, fail_on: [inconclusive]}
`

func TestProject(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sub", ProjectFile)
	if _, err := OpenProject(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(fullProject), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := OpenProject(file)
	confidence, tolerance := 0.95, 0.0
	want := Project{
		Target: "my_server", Targets: "targets", Build: []string{"go", "build", "-o", "{{.Output}}", "./cmd/server"},
		Scenarios: []string{"burst_300k", "scenarios/mine.yaml"}, Baseline: "git:HEAD~1", Candidate: "git:HEAD",
		MaxPairs: 20, Adapt: true, Out: "results",
		// A tolerance of 0 is one: it was given.
		Confidence: &confidence, Tolerance: &tolerance, Rule: "prove", FailOn: []string{"inconclusive"}, File: file,
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	arguments := []string{"burst_300k", filepath.Join(filepath.Dir(file), "scenarios", "mine.yaml")}
	if diff := cmp.Diff(arguments, got.ScenarioArguments()); diff != "" {
		t.Errorf("scenarios, -want +got:\n%s", diff)
	}
	if got.Path("/tmp") != "/tmp" || got.Path("") != "" {
		t.Error("a path that is absolute or empty was changed")
	}
}

func TestProjectFaults(t *testing.T) {
	_, err := ParseProject("floodgate.yaml", []byte(`targte: x
target: My Server
build: [make]
scenarios: [a, a, some/folder]
replicates: 0
judge: {tolerance: 5, rule: guess, fail_on: [], confidence: 95}
`))
	want := `floodgate.yaml:1: unknown key "targte": did you mean "target"? want target, targets, build, scenarios, baseline, candidate, replicates, max_pairs, adapt, out, judge
floodgate.yaml:2: target: "My Server" is no name: want at most 60 lower-case letters, digits, underscores and hyphens, a letter first
floodgate.yaml:3: build: no word says where the program goes: want one with {{.Output}}
floodgate.yaml:4: scenarios[1]: "a" stands twice
floodgate.yaml:4: scenarios[2]: "some/folder" is neither: want the name of a scenario, or the path of a file that ends in .yaml
floodgate.yaml:5: replicates: 0 is out of range: want 1 to 1000; leave the key out for each scenario's own number
floodgate.yaml:6: judge.tolerance: 5 is out of range: want 0% to 99.9%
floodgate.yaml:6: judge.rule: "guess" is unknown: want detect or prove
floodgate.yaml:6: judge.fail_on: the list is empty: want at least one of inconclusive
floodgate.yaml:6: judge.confidence: 95 is out of range: want 50% to 99.9%`
	if err == nil {
		t.Fatal("no fault was found")
	}
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for text, want := range map[string]string{
		"":                               "p.yaml:1: the file is empty: want a project with any of target, scenarios, baseline and candidate",
		"max_pairs: 20\nreplicates: 3\n": "p.yaml:1: max_pairs: it stands beside replicates, and both say how many pairs to run: want one of them",
	} {
		if _, err := ParseProject("p.yaml", []byte(text)); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

package deploy_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// action is the fields of a composite action that ours uses.
type action struct {
	Name        string `yaml:"name"`
	Description string `yaml:"description"`
	Inputs      map[string]struct {
		Description string `yaml:"description"`
		Default     string `yaml:"default"`
	} `yaml:"inputs"`
	Outputs map[string]struct {
		Description string `yaml:"description"`
		Value       string `yaml:"value"`
	} `yaml:"outputs"`
	Runs struct {
		Using string `yaml:"using"`
		Steps []step `yaml:"steps"`
	} `yaml:"runs"`
}

type step struct {
	Name  string            `yaml:"name"`
	ID    string            `yaml:"id"`
	If    string            `yaml:"if"`
	Shell string            `yaml:"shell"`
	Run   string            `yaml:"run"`
	Uses  string            `yaml:"uses"`
	Env   map[string]string `yaml:"env"`
	With  map[string]string `yaml:"with"`
}

// workflow is the fields of a workflow of GitHub that ours uses.
type workflow struct {
	Name        string            `yaml:"name"`
	On          map[string]any    `yaml:"on"`
	Permissions map[string]string `yaml:"permissions"`
	Concurrency struct {
		Group  string `yaml:"group"`
		Cancel bool   `yaml:"cancel-in-progress"`
	} `yaml:"concurrency"`
	Jobs map[string]struct {
		RunsOn  string `yaml:"runs-on"`
		Timeout int    `yaml:"timeout-minutes"`
		Steps   []step `yaml:"steps"`
	} `yaml:"jobs"`
}

// pipeline is the fields of a pipeline of GitLab that ours uses.
type pipeline map[string]struct {
	Stage string `yaml:"stage"`
	Image string `yaml:"image"`
	Rules []struct {
		If string `yaml:"if"`
	} `yaml:"rules"`
	ResourceGroup string            `yaml:"resource_group"`
	Interruptible bool              `yaml:"interruptible"`
	Timeout       string            `yaml:"timeout"`
	Variables     map[string]string `yaml:"variables"`
	BeforeScript  []string          `yaml:"before_script"`
	Script        []string          `yaml:"script"`
	Artifacts     struct {
		When     string            `yaml:"when"`
		ExpireIn string            `yaml:"expire_in"`
		ExposeAs string            `yaml:"expose_as"`
		Paths    []string          `yaml:"paths"`
		Reports  map[string]string `yaml:"reports"`
	} `yaml:"artifacts"`
}

// settings are the variables that compare.sh lists at its top.
func settings(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile("ci/compare.sh")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, match := range regexp.MustCompile(`(?m)^#   (FLOODGATE\w*) `).FindAllStringSubmatch(string(text), -1) {
		listed[match[1]] = true
		if strings.Count(string(text), match[1]) < 2 {
			t.Errorf("compare.sh lists %s and does not read it", match[1])
		}
	}
	for _, used := range regexp.MustCompile(`\$\{?(FLOODGATE\w*)`).FindAllStringSubmatch(string(text), -1) {
		if !listed[used[1]] {
			t.Errorf("compare.sh reads %s and does not list it", used[1])
		}
	}
	return listed
}

var expression = regexp.MustCompile(`\$\{\{ *(.*?) *\}\}`)

func TestPipelinesFit(t *testing.T) {
	known := settings(t)
	var a action
	strict(t, "../action.yml", &a)
	for _, s := range a.Runs.Steps {
		for name, value := range s.Env {
			input, isInput := strings.CutPrefix(expression.FindStringSubmatch(value)[1], "inputs.")
			if _, declared := a.Inputs[input]; !known[name] || !isInput || !declared {
				t.Errorf("step %s gives %s %s", s.Name, name, value)
			}
		}
		// What a change brings along must not see what may write.
		if strings.Contains(strings.Join(slices.Collect(maps.Values(s.Env)), " "), "inputs.token") != strings.HasSuffix(s.Run, "publish") {
			t.Errorf("step %s has the token, or lacks it", s.Name)
		}
		if expression.MatchString(s.Run) {
			t.Errorf("step %s puts an input into its script, where it is code: %s", s.Name, s.Run)
		}
	}

	var w workflow
	strict(t, "ci/github.yml", &w)
	steps := w.Jobs["compare"].Steps
	last := steps[len(steps)-1]
	if last.Uses != "./" || steps[0].With["fetch-depth"] != "0" || w.Permissions["pull-requests"] != "write" || len(w.Permissions) != 2 {
		t.Errorf("%+v", w)
	}
	for name := range last.With {
		if _, declared := a.Inputs[name]; !declared {
			t.Errorf("github.yml gives the action %s, which it does not take", name)
		}
	}

	p := pipeline{}
	strict(t, "ci/gitlab.yml", &p)
	job := p["floodgate"]
	for name := range job.Variables {
		if !known[name] && name != "GIT_DEPTH" {
			t.Errorf("gitlab.yml sets %s, which compare.sh does not read", name)
		}
	}
	if _, err := os.Stat(filepath.Join("..", job.Script[len(job.Script)-1])); err != nil || job.Variables["GIT_DEPTH"] != "0" || job.Artifacts.When != "always" {
		t.Errorf("%v: %+v", err, job)
	}
}

// The steps of the action do together what compare.sh does alone: the change fails
// at the first, and the comment is written all the same.
func TestActionSteps(t *testing.T) {
	t.Parallel()
	p := newProject(t, false)
	p.commit(t, "a change")
	var a action
	strict(t, "../action.yml", &a)
	// The action's own folder, with a stand-in for what its first step builds.
	home := filepath.Join(p.temporary, "the action")
	for _, folder := range []string{"bin", "deploy/ci"} {
		if err := os.MkdirAll(filepath.Join(home, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	script, err := os.ReadFile("ci/compare.sh")
	if err != nil {
		t.Fatal(err)
	}
	p.write(t, filepath.Join(home, "deploy/ci/compare.sh"), string(script))
	_, stand, _ := strings.Cut(p.fake(t, "<!-- floodgate -->\n## a report\n", 1), "=")
	if err := os.Rename(stand, filepath.Join(home, "bin/floodgate")); err != nil {
		t.Fatal(err)
	}
	p.env = slices.DeleteFunc(p.env, func(v string) bool { return strings.HasPrefix(v, "FLOODGATE") })
	given := map[string]string{"inputs.token": token}
	var codes []int
	for _, s := range a.Runs.Steps[1:] {
		if s.Run == "" {
			continue // another action
		}
		cmd := exec.Command(s.Shell, "-e", "-c", s.Run)
		cmd.Dir, cmd.Env = p.dir, append(slices.Clone(p.env), "GITHUB_ACTION_PATH="+home)
		for name, value := range s.Env {
			input := expression.FindStringSubmatch(value)[1]
			value, ok := given[input]
			if !ok {
				value = a.Inputs[strings.TrimPrefix(input, "inputs.")].Default
			}
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		out, _ := cmd.CombinedOutput()
		t.Logf("%s:\n%s", s.Name, out)
		codes = append(codes, cmd.ProcessState.ExitCode())
	}
	if own := p.forge.written(); !slices.Equal(codes, []int{1, 0}) || len(own) != 1 || !strings.HasPrefix(own[0].body, "<!-- floodgate -->\n## a report\n") {
		t.Errorf("exit codes %v, comments %+v", codes, own)
	}
	p.clean(t)
}

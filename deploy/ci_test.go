package deploy_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// project is somebody's repository, whose server is built and started as its own
// description says, and the environment of a pipeline that compares a change to it.
type project struct {
	dir, temporary string
	forge          *forge
	env            []string
}

// The server of the project is the reference server behind a script. The limit of
// a worse one makes it lose messages, whatever the machine.
const (
	goodServer = "#!/bin/sh\nexec @refserver@ \"$@\"\n"
	badServer  = "#!/bin/sh\nexec @refserver@ \"$@\" --max-context-keys 10\n"
)

var projectFiles = map[string]string{
	"server.in": goodServer,
	"build.sh":  "set -e\nenv >\"$BUILD_ENV\"\nsed \"s|@refserver@|$REFSERVER|\" server.in >\"$1\"\n",
	"floodgate.yaml": `target: own
targets: targets
scenarios: [short_burst.yaml]
replicates: 1
`,
	"targets/own.yaml": `name: own
description: The server of this project.
binary: server
build: [sh, build.sh, '{{.Output}}']
options:
  way: {help: how it reads}
command: ['--listen={{.Listen}}', '--intake={{.Intake}}', '--stats={{.Stats}}', '--stats-file={{.StatsFile}}', '--flush-interval={{.FlushInterval}}', '{{with .Option "way"}}--reader={{.}}{{end}}']
transports: [unixgram]
ready: {http: 'http://{{.Stats}}/stats'}
sink: datadog
statistics: {url: 'http://{{.Stats}}/stats', format: json, every: 100ms}
capabilities: {kinds: [c], tags: true}
`,
	"short_burst.yaml": `name: short_burst
description: A burst for tests, over a unix socket so that nothing is lost on the way.
load:
  transport: unixgram
  schedule:
    burst: {count: 500, over: 100ms}
  corpus: {context_keys: 50, tags: 2, kinds: {c: 1}, packing: one_line}
target: {flush_interval: 200ms}
goal: cpu_per_message
checks: [lost_messages <= 0]
gate: true
limits: {lateness_p99: 10s}
`,
}

func newProject(t *testing.T, gitlab bool) *project {
	t.Helper()
	for _, program := range []string{"git", "jq", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("needs %s", program)
		}
	}
	p := &project{dir: t.TempDir(), temporary: t.TempDir(), forge: newForge(t, gitlab)}
	for name, text := range map[string]string{"event.json": `{"pull_request": {"number": 7}}`, "summary": "", "output": ""} {
		p.write(t, filepath.Join(p.temporary, name), text)
	}
	work := filepath.Join(p.temporary, "tmp")
	if err := os.Mkdir(work, 0o755); err != nil {
		t.Fatal(err)
	}
	p.env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.temporary, "TMPDIR=" + work,
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_CEILING_DIRECTORIES=" + filepath.Dir(p.dir),
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.org", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.org",
		"REFSERVER=" + filepath.Join(programs, "refserver"), "BUILD_ENV=" + filepath.Join(p.temporary, "build-env"),
		"FLOODGATE=" + filepath.Join(programs, "floodgate"), "FLOODGATE_TOKEN=" + token}
	if gitlab {
		p.env = append(p.env, "GITLAB_CI=true", "CI_API_V4_URL="+p.forge.URL+"/api/v4", "CI_PROJECT_ID=42", "CI_MERGE_REQUEST_IID=7",
			"CI_JOB_URL=https://gitlab.example/job/5")
	} else {
		p.env = append(p.env, "GITHUB_ACTIONS=true", "GITHUB_API_URL="+p.forge.URL, "GITHUB_REPOSITORY=owner/server", "GITHUB_BASE_REF=main",
			"GITHUB_RUN_ID=5", "GITHUB_EVENT_PATH="+filepath.Join(p.temporary, "event.json"),
			"GITHUB_STEP_SUMMARY="+filepath.Join(p.temporary, "summary"), "GITHUB_OUTPUT="+filepath.Join(p.temporary, "output"))
	}
	p.git(t, "init", "--quiet", "--initial-branch=main")
	for name, text := range projectFiles {
		p.write(t, filepath.Join(p.dir, name), text)
	}
	p.commit(t, "the server")
	p.git(t, "update-ref", "refs/remotes/origin/main", "main")
	p.env = append(p.env, "CI_MERGE_REQUEST_DIFF_BASE_SHA="+p.git(t, "rev-parse", "main"))
	p.git(t, "checkout", "--quiet", "-b", "change")
	return p
}

func (p *project) write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

func (p *project) git(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env = p.dir, p.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func (p *project) commit(t *testing.T, message string) {
	t.Helper()
	p.git(t, "add", "--all", "--", ":!out")
	p.git(t, "commit", "--quiet", "--allow-empty", "--message", message)
}

// change commits another server.
func (p *project) change(t *testing.T, server string) {
	t.Helper()
	p.write(t, filepath.Join(p.dir, "server.in"), server)
	p.commit(t, "a change")
}

// compare is the script, with more of an environment.
func (p *project) compare(t *testing.T, args []string, env ...string) *exec.Cmd {
	t.Helper()
	script, err := filepath.Abs("ci/compare.sh")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(script, args...)
	cmd.Dir, cmd.Env = p.dir, append(append([]string{}, p.env...), env...)
	return cmd
}

// run runs the script, and checks that it leaves nothing behind.
func (p *project) run(t *testing.T, want int, env ...string) (said string) {
	t.Helper()
	cmd := p.compare(t, nil, env...)
	out, err := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != want {
		t.Fatalf("exit code %d, want %d: %v\n%s", code, want, err, out)
	}
	p.clean(t)
	return string(out)
}

func (p *project) clean(t *testing.T) {
	t.Helper()
	if list := p.git(t, "worktree", "list"); strings.Count(list, "\n") != 0 {
		t.Errorf("checkouts are left behind:\n%s", list)
	}
	if left, err := os.ReadDir(filepath.Join(p.temporary, "tmp")); err != nil || len(left) > 0 {
		t.Errorf("temporary files are left behind: %v, %v", left, err)
	}
}

// read returns a file of the pipeline, and empties it.
func (p *project) read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(p.temporary, name))
	if err != nil {
		t.Fatal(err)
	}
	p.write(t, filepath.Join(p.temporary, name), "")
	return string(text)
}

// fake makes a program that stands for floodgate: it writes a report and ends
// with a code. What it was called with is kept.
func (p *project) fake(t *testing.T, report string, code int) string {
	t.Helper()
	file := filepath.Join(p.temporary, "fake-floodgate")
	text := "#!/bin/sh\necho \"$@\" >'" + file + ".args'\n"
	if report != "" {
		p.write(t, file+".md", report)
		text += "cp '" + file + ".md' out/report.md\necho '{\"decision\": {\"outcome\": \"pass\", \"reasons\": [\"100 % of it\", \"is well\"]}}' >out/report.json\n"
	}
	p.write(t, file, fmt.Sprintf("%sexit %d\n", text, code))
	return "FLOODGATE=" + file
}

// A change that loses messages fails its request, and the one that mends it passes;
// both with the same comment.
func TestCompareOnGitHub(t *testing.T) {
	t.Parallel()
	p := newProject(t, false)
	p.change(t, badServer)
	said := p.run(t, 1, "FLOODGATE_OPTIONS=way=decoupled")
	if calls := p.forge.took(); calls != "POST" {
		t.Errorf("the first run does %q", calls)
	}
	own := p.forge.written()
	if len(own) != 1 {
		t.Fatalf("%d comments\n%s", len(own), said)
	}
	body := own[0].body
	for _, want := range []string{"<!-- floodgate -->\n## ❌ Floodgate: fail", "| ❌ broken | short_burst | lost_messages | 0/1 |",
		"Baseline " + p.git(t, "rev-parse", "main") + ", candidate " + p.git(t, "rev-parse", "change"),
		"(https://github.com/owner/server/actions/runs/5)"} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in the comment:\n%s", want, body)
		}
	}
	if summary := p.read(t, "summary"); summary != body {
		t.Errorf("the summary is not the comment:\n%s", summary)
	}
	if output := p.read(t, "output"); output != "exit-code=1\ndecision=fail\nreport=out/report.html\n" {
		t.Errorf("the outputs are %q", output)
	}
	if !regexp.MustCompile(`(?m)^::error title=floodgate::short_burst, bounds check lost_messages: .*Gate FAILED\.%0A`).MatchString(said) {
		t.Errorf("no annotation:\n%s", said)
	}
	if env := p.read(t, "build-env"); strings.Contains(env, token) || !strings.Contains(env, "REFSERVER=") {
		t.Errorf("what is built sees\n%s", env)
	}
	if _, err := os.Stat(filepath.Join(p.dir, "out", "report.html")); err != nil {
		t.Error(err)
	}

	p.change(t, goodServer)
	said = p.run(t, 0)
	if calls := p.forge.took(); calls != "PATCH" {
		t.Errorf("the second run does %q", calls)
	}
	if again := p.forge.written(); len(again) != 1 || again[0].id != own[0].id || !strings.HasPrefix(again[0].body, "<!-- floodgate -->\n## ✅ Floodgate: pass") {
		t.Errorf("after the second run: %+v", again)
	}
	if !strings.Contains(said, "::notice title=floodgate::") {
		t.Errorf("no annotation:\n%s", said)
	}

	// What cannot be built was not measured, and the comment says so.
	p.write(t, filepath.Join(p.dir, "build.sh"), "echo >&2 there is no compiler; exit 1\n")
	p.commit(t, "a change that does not build")
	said = p.run(t, 3)
	if !strings.Contains(said, "there is no compiler") || !strings.Contains(p.forge.written()[0].body, "exit code 3 before there was a report") {
		t.Errorf("%+v\n%s", p.forge.written(), said)
	}
}

func TestCompareOnGitLab(t *testing.T) {
	t.Parallel()
	p := newProject(t, true)
	p.commit(t, "a change")
	fake := p.fake(t, "<!-- floodgate -->\n## well\n", 0)
	for _, want := range []string{"POST", "PUT"} {
		p.run(t, 0, fake, "FLOODGATE_OPTIONS=reader=coupled,GOGC=50", "FLOODGATE_SCENARIOS=short_burst.yaml idle",
			"FLOODGATE_REPLICATES=1", "FLOODGATE_FLAGS=--seed 5 --adapt")
		own := p.forge.written()
		if calls := p.forge.took(); calls != want || len(own) != 1 {
			t.Fatalf("it does %q, want %q, and there are %d comments", calls, want, len(own))
		}
		if body := own[0].body; !strings.HasPrefix(body, "<!-- floodgate -->\n## well\n") || !strings.Contains(body, "(https://gitlab.example/job/5/artifacts/file/out/report.html)") {
			t.Errorf("the comment is\n%s", body)
		}
	}
	called := p.read(t, "fake-floodgate.args")
	want := fmt.Sprintf("bench short_burst.yaml idle --baseline git:%s:reader=coupled,GOGC=50 --candidate git:%s:reader=coupled,GOGC=50 --replicates 1 --out out --seed 5 --adapt\n",
		p.git(t, "rev-parse", "main"), p.git(t, "rev-parse", "change"))
	if called != want {
		t.Errorf("floodgate is called with\n%swant\n%s", called, want)
	}
}

// Every end has its code, and is told: the comment of an earlier run must not
// stand for one that came to nothing.
func TestCompareEnds(t *testing.T) {
	t.Parallel()
	p := newProject(t, false)
	p.commit(t, "a change")
	p.git(t, "branch", "same", "main")
	p.git(t, "checkout", "--quiet", "--orphan", "stranger")
	p.commit(t, "another history")
	p.git(t, "checkout", "--quiet", "change")
	report := "<!-- floodgate -->\n## a report\n"
	for _, c := range []struct {
		name   string
		report string
		code   int // of floodgate
		env    []string
		want   int
		told   string
	}{
		{name: "pass", report: report, want: 0, told: "## a report"},
		{name: "regressed", report: report, code: 1, want: 1, told: "## a report"},
		{name: "unmeasured, with a report", report: report, code: 3, want: 3, told: "## a report"},
		{name: "a mistake in the call", code: 2, want: 2, told: "exit code 2 before there was a report"},
		{name: "unmeasured, without a report", code: 3, want: 3, told: "exit code 3 before there was a report"},
		{name: "no base", env: []string{"GITHUB_BASE_REF="}, want: 2, told: "set FLOODGATE_BASE"},
		{name: "another history", env: []string{"FLOODGATE_BASE=stranger"}, want: 2, told: "fetch the whole history"},
		{name: "nothing new", env: []string{"FLOODGATE_HEAD=same"}, want: 2, told: "there is nothing to compare"},
		{name: "no such commit", env: []string{"FLOODGATE_HEAD=none"}, want: 2, told: "There is no commit `none`"},
	} {
		said := p.run(t, c.want, append(c.env, p.fake(t, c.report, c.code))...)
		own := p.forge.written()
		if len(own) != 1 || !strings.Contains(own[0].body, c.told) || !strings.HasPrefix(own[0].body, "<!-- floodgate -->\n") {
			t.Errorf("%s: %+v, want %q\n%s", c.name, own, c.told, said)
		}
		if output := p.read(t, "output"); !strings.HasPrefix(output, fmt.Sprintf("exit-code=%d\n", c.want)) {
			t.Errorf("%s: the outputs are %q", c.name, output)
		}
	}
	if called := p.read(t, "fake-floodgate.args"); !regexp.MustCompile(`^bench --baseline git:\w+ --candidate git:\w+ --out out\n$`).MatchString(called) {
		t.Errorf("with no settings, which are floodgate.yaml's then, floodgate is called with %s", called)
	}
	if said := p.run(t, 0, p.fake(t, report, 0)); !strings.Contains(said, "::notice title=floodgate::100 %25 of it%0Ais well\n") {
		t.Errorf("no annotation, or one that GitHub misreads:\n%s", said)
	}
}

// What cannot be told changes nothing about the decision.
func TestCompareComment(t *testing.T) {
	t.Parallel()
	p := newProject(t, false)
	p.commit(t, "a change")
	report := "<!-- floodgate -->\n" + strings.Repeat("| a row of a long table |\n", 3000)
	p.forge.refuse = true
	if said := p.run(t, 1, p.fake(t, report, 1)); !strings.Contains(said, "::warning title=floodgate::The comment cannot be written") {
		t.Errorf("a fork's token is not told of:\n%s", said)
	}
	p.forge.refuse = false
	if said := p.run(t, 1, p.fake(t, report, 1), "FLOODGATE_TOKEN="); !strings.Contains(said, "no comment: FLOODGATE_TOKEN is empty") || len(p.forge.written()) > 0 {
		t.Errorf("without a token:\n%s", said)
	}

	// Two comparisons of one request keep out of each other's way.
	for _, key := range []string{"", "udp", "", "udp"} {
		p.run(t, 1, p.fake(t, report, 1), "FLOODGATE_KEY="+key)
	}
	own := p.forge.written()
	if calls := p.forge.took(); calls != "POST POST PATCH PATCH" || len(own) != 2 || !strings.HasPrefix(own[1].body, "<!-- floodgate:udp -->\n| a row") {
		t.Fatalf("%q, %d comments", calls, len(own))
	}
	for _, c := range own {
		if len(c.body) > 65536 || len(c.body) < 60000 || !strings.Contains(c.body, "_Cut to fit a comment.") || !strings.Contains(c.body, "Baseline ") {
			t.Errorf("a comment of %d bytes that ends with\n%s", len(c.body), c.body[max(0, len(c.body)-300):])
		}
	}
}

// A pipeline that is cancelled ends what it started, and says nothing.
func TestCompareInterrupted(t *testing.T) {
	t.Parallel()
	p := newProject(t, false)
	p.commit(t, "a change")
	file := filepath.Join(p.temporary, "fake-floodgate")
	p.write(t, file, "#!/bin/sh\ntrap 'echo ended >\""+file+".ended\"; exit 130' TERM\necho started >\""+file+".started\"\n"+
		"n=0\nwhile [ $n -lt 400 ]; do sleep 0.05; n=$((n + 1)); done\n") // nobody may be left with it for ever
	cmd := p.compare(t, nil, "FLOODGATE="+file)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the measuring", 30*time.Second, func() bool { _, err := os.Stat(file + ".started"); return err == nil })
	cmd.Process.Signal(syscall.SIGTERM)
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit code %d\n%s", code, &said)
	}
	if _, err := os.Stat(file + ".ended"); err != nil {
		t.Errorf("floodgate was not told to end: %v\n%s", err, &said)
	}
	if own := p.forge.written(); len(own) > 0 {
		t.Errorf("a comment of a comparison that was none: %+v", own)
	}
	p.clean(t)
}

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"floodgate/scenarios"
)

// pageServer takes messages and keeps totals, as the server of somebody who has
// never heard of floodgate.
const pageServer = `#!/usr/bin/env python3
import argparse, signal, socket, sys
p = argparse.ArgumentParser()
p.add_argument("--port", type=int)
inbox = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
inbox.bind(("127.0.0.1", p.parse_args().port))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
totals = {}
while True:
    for line in inbox.recv(65535).split(b"\n"):
        name, _, rest = line.partition(b":")
        totals[name] = totals.get(name, 0) + int(rest.split(b"|")[0])
`

const yourServerPage = "../../docs/your-server.md"

// TestYourServerPage types what the page tells people to type, in a repository
// with such a server. Only the load that init writes is made short.
func TestYourServerPage(t *testing.T) {
	if exec.Command("git", "--version").Run() != nil {
		t.Skip("needs git")
	}
	python := exec.Command("/usr/bin/env", "python3", "--version")
	python.Env = []string{"PATH=" + pathWith("python3")}
	if python.Run() != nil {
		t.Skip("needs python3, where a server with a plain PATH finds it")
	}
	page, err := os.ReadFile(yourServerPage)
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```sh\n(.*?)```").FindSubmatch(page)
	if block == nil {
		t.Fatal("the page has no commands any more")
	}
	dir := t.TempDir()
	run := func(line string) {
		t.Helper()
		cmd := exec.Command("sh", "-c", line)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+programs+":"+os.Getenv("PATH"), "XDG_CACHE_HOME="+t.TempDir(),
			"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", line, err, out)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "server.py"), []byte(pageServer), 0o644); err != nil {
		t.Fatal(err)
	}
	run("git init --quiet && git add server.py && git commit --quiet -m first && echo '# more' >> server.py && git commit --quiet -a -m second")
	commands := 0
	for line := range strings.Lines(string(block[1])) {
		run(line)
		commands++
		if strings.HasPrefix(line, "floodgate init") {
			shorten(t, filepath.Join(dir, "scenarios", "first_burst.yaml"))
		}
	}
	if commands < 4 {
		t.Errorf("only %d commands were found", commands)
	}
	if _, err := os.Stat(filepath.Join(dir, "out", "report.html")); err != nil {
		t.Errorf("no report at the end: %v", err)
	}
}

// shorten makes the load of a scenario a short one, and its replicates one.
func shorten(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	short := strings.NewReplacer("count: 100k, over: 2s", "count: 300, over: 200ms", "flush_interval: 1s", "flush_interval: 100ms").Replace(string(text))
	if short == string(text) {
		t.Fatal("the scenario of init has changed its form")
	}
	if err := os.WriteFile(file, []byte(short+"replicates: 1\nlimits: {lateness_p99: 10s}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestInterruptedBuild: an interrupt ends a build with all that it started, and
// its work tree is gone.
func TestInterruptedBuild(t *testing.T) {
	dir := t.TempDir()
	git := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-c", "user.name=A", "-c", "user.email=a"}, args...)...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	if exec.Command("git", "--version").Run() != nil {
		t.Skip("needs git")
	}
	pipe, project := filepath.Join(dir, "pipe"), filepath.Join(dir, "floodgate.yaml")
	// Nobody writes into the pipe: the build waits for ever.
	text := "target: refserver\nbuild: [sh, -c, 'mkfifo \"$1\"; cat \"$1\"; cp x \"$0\"', '{{.Output}}', '" + pipe + "']\n"
	if err := os.WriteFile(project, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	git("init", "--quiet")
	git("commit", "--quiet", "--allow-empty", "-m", "nothing")
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	cmd, stderr, _ := bench(t, "idle", "--project", project, "--candidate", "git:HEAD")
	eventually(t, "a build under way", func() bool { _, err := os.Stat(pipe); return err == nil })
	cmd.Process.Signal(os.Interrupt)
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted {
		t.Errorf("exit code %d, want %d:\n%s", code, exitInterrupted, stderr)
	}
	if trees := git("worktree", "list"); strings.Count(trees, "\n") != 1 {
		t.Errorf("work trees are left:\n%s", trees)
	}
}

// TestYourServerExamples reads every example of the page as what it is.
func TestYourServerExamples(t *testing.T) {
	page, err := os.ReadFile(yourServerPage)
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(page, -1)
	if len(blocks) < 5 {
		t.Fatalf("%d examples were found: the page has changed its form", len(blocks))
	}
	for _, b := range blocks {
		text := string(b[1])
		if strings.HasPrefix(text, "target:") {
			_, err = scenarios.ParseProject("floodgate.yaml", b[1])
		} else {
			_, err = scenarios.ParseTarget("my_server.yaml", []byte("name: my_server\ndescription: x\nbinary: server\ncommand: []\n"+text))
		}
		if err != nil {
			t.Errorf("%v in:\n%s", err, text)
		}
	}
}

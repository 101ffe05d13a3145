package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"floodgate/internal/record"
)

var update = flag.Bool("update", false, "rewrite the expected output in the scripts")

// programs is the folder with the programs under test, built once as a user
// builds them: what is tested is a process, with its exit code.
var programs string

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "floodgate-test-")
	if err != nil {
		panic(err)
	}
	build := exec.Command("go", "build", "-o", dir+string(filepath.Separator), "floodgate/cmd/floodgate", "floodgate/cmd/refserver")
	if out, err := build.CombinedOutput(); err != nil {
		panic(fmt.Sprintf("cannot build the programs: %v\n%s", err, out))
	}
	programs = dir
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// TestScripts runs the command line as people do. In the scripts,
//
//	floodgate CODE ARG…
//
// runs it and fails unless it exits with CODE.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"floodgate": func(ts *testscript.TestScript, _ bool, args []string) {
				want, err := strconv.Atoi(args[0])
				ts.Check(err)
				cmd := exec.Command(filepath.Join(programs, "floodgate"), args[1:]...)
				cmd.Dir, cmd.Stdout, cmd.Stderr = ts.MkAbs("."), ts.Stdout(), ts.Stderr()
				cmd.Env = append(os.Environ(), "REFSERVER="+filepath.Join(programs, "refserver"), "XDG_CACHE_HOME="+ts.Getenv("XDG_CACHE_HOME"))
				cmd.Run()
				if got := cmd.ProcessState.ExitCode(); got != want {
					ts.Fatalf("floodgate %s exits with %d, want %d", strings.Join(args[1:], " "), got, want)
				}
			},
		},
		Setup: func(env *testscript.Env) error {
			env.Setenv("REFSERVER", filepath.Join(programs, "refserver"))
			env.Setenv("XDG_CACHE_HOME", filepath.Join(env.WorkDir, ".cache")) // nothing of the user's
			for _, kv := range []string{"AUTHOR_NAME", "AUTHOR_EMAIL", "COMMITTER_NAME", "COMMITTER_EMAIL"} {
				env.Setenv("GIT_"+kv, "somebody")
			}
			return nil
		},
	})
}

// scenario writes a burst of n messages over a time and returns its file.
func scenario(t *testing.T, n int, over time.Duration) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "short_burst.yaml")
	text := fmt.Sprintf(`name: short_burst
description: A burst for tests, over a unix socket so that nothing is lost.
load:
  transport: unixgram
  schedule:
    burst: {count: %d, over: %v}
  corpus: {context_keys: 100, tags: 4, kinds: {c: 1}, packing: one_line}
target: {flush_interval: 200ms}
goal: cpu_per_message
checks: [lost_messages <= 0]
gate: true
limits: {lateness_p99: 10s}
`, n, over)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// bench starts floodgate and returns it, what it prints, and its folder. When the
// test ends nothing may be left where it puts temporary files.
func bench(t *testing.T, args ...string) (cmd *exec.Cmd, stderr *strings.Builder, out string) {
	t.Helper()
	out = filepath.Join(t.TempDir(), "out")
	temporary := t.TempDir()
	cmd = exec.CommandContext(t.Context(), filepath.Join(programs, "floodgate"), append([]string{"bench", "--out", out}, args...)...)
	cmd.Env = append(os.Environ(), "TMPDIR="+temporary)
	stderr = new(strings.Builder)
	cmd.Stderr = stderr
	t.Cleanup(func() {
		if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
			t.Errorf("temporary files are left behind: %v, %v", left, err)
		}
	})
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, stderr, out
}

// children returns the processes that a process started.
func children(pid int) []int {
	var pids []int
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, task := range tasks {
		text, _ := os.ReadFile(task)
		for _, field := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				pids = append(pids, child)
			}
		}
	}
	return pids
}

// eventually polls until the condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("never happened: %s", what)
		}
	}
}

// underLoad waits for a target of the run that has received something, which
// its statistics tell, and returns its pid.
func underLoad(t *testing.T, floodgate int) (pid int) {
	t.Helper()
	eventually(t, "a target under load", func() bool {
		for _, child := range children(floodgate) {
			command, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", child))
			for _, arg := range strings.Split(string(command), "\x00") {
				if address, ok := strings.CutPrefix(arg, "--stats="); ok && received(address) > 0 {
					pid = child
					return true
				}
			}
		}
		return false
	})
	return pid
}

func TestKilledTarget(t *testing.T) {
	if _, err := os.Stat("/proc/self/task"); err != nil {
		t.Skip("needs /proc to find the target")
	}
	cmd, stderr, out := bench(t, scenario(t, 200_000, 2*time.Second), "--replicates", "1")
	syscall.Kill(underLoad(t, cmd.Process.Pid), syscall.SIGKILL)
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitUnmeasured {
		t.Errorf("exit code %d, want %d", code, exitUnmeasured)
	}
	for _, want := range []string{"the target died under load: killed by signal 9", "its last words", "level=INFO msg=listening"} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("stderr lacks %q:\n%s", want, stderr)
		}
	}
	records, err := record.ReadDir(out)
	if err != nil {
		t.Fatal(err)
	}
	dead := 0
	for _, r := range records {
		if r.Invalid != "" {
			dead++
			if r.Attempt != 0 || r.LastWords == "" {
				t.Errorf("record of the dead target: attempt %d, last words %q; a death is not repeated", r.Attempt, r.LastWords)
			}
		}
	}
	if dead != 1 {
		t.Errorf("%d records tell of a death, want 1", dead)
	}
	if _, err := os.Stat(filepath.Join(out, "report.html")); err != nil {
		t.Errorf("no report of a run that could not be measured: %v", err)
	}
}

func TestInterrupt(t *testing.T) {
	if _, err := os.Stat("/proc/self/task"); err != nil {
		t.Skip("needs /proc to find the target")
	}
	cmd, stderr, out := bench(t, scenario(t, 1000, 300*time.Millisecond), "--replicates", "50")
	eventually(t, "a finished replicate", func() bool {
		files, _ := filepath.Glob(filepath.Join(out, "short_burst", "*", "*.json"))
		return len(files) > 0
	})
	pid := underLoad(t, cmd.Process.Pid)
	cmd.Process.Signal(os.Interrupt)
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted {
		t.Errorf("exit code %d, want %d", code, exitInterrupted)
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the target lives on: %v", err)
	}
	if !strings.Contains(stderr.String(), " finished replicates are kept in "+out+"; floodgate report "+out) {
		t.Errorf("stderr does not say what is kept:\n%s", stderr)
	}
	records, err := record.ReadDir(out)
	if err != nil || len(records) == 0 {
		t.Errorf("%d records are kept: %v", len(records), err)
	}
}

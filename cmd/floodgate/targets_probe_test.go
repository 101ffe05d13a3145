package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"floodgate/scenarios"
)

// TestProbePeers holds the descriptions of servers against those that are
// installed.
func TestProbePeers(t *testing.T) {
	all, err := scenarios.Targets("")
	if err != nil {
		t.Fatal(err)
	}
	peers, err := filepath.Abs("../../bin/peers")
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range all {
		t.Run(target.Name, func(t *testing.T) {
			spec := target.Name
			switch program := filepath.Join(peers, filepath.FromSlash(target.Binary)); {
			case target.Sink == scenarios.SinkNone:
				t.Skip("its output is not counted")
			case target.Name == scenarios.RefServer:
				t.Skip("docs/your-server.md does it")
			case exists(program):
				spec += ":binary=" + program
			default:
				if _, err := exec.LookPath(target.Binary); err != nil {
					t.Skipf("needs %s: %s", target.Binary, target.Install)
				}
			}
			t.Parallel() // they wait for flushes nearly all the time
			cmd := exec.CommandContext(t.Context(), filepath.Join(programs, "floodgate"), "targets", "probe", spec)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// TestInterruptedProbe: the server that is probed ends with the probing, and its
// folder goes.
func TestInterruptedProbe(t *testing.T) {
	if _, err := os.Stat("/proc/self/task"); err != nil {
		t.Skip("needs /proc to find the target")
	}
	dir, temporary := t.TempDir(), t.TempDir()
	silent := "name: silent\ndescription: It flushes once an hour.\nbinary: silent\ncommand: ['--listen={{.Listen}}', '--intake={{.Intake}}', '--flush-interval=1h']\ntransports: [unixgram]\n"
	if err := os.WriteFile(filepath.Join(dir, "silent.yaml"), []byte(silent), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(programs, "floodgate"), "targets", "probe",
		"silent:binary="+filepath.Join(programs, "refserver"), "--target-dir", dir, "--limit", "1h")
	cmd.Env = append(os.Environ(), "TMPDIR="+temporary)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a target that listens", func() bool {
		sockets, _ := filepath.Glob(filepath.Join(temporary, "*", "target.sock"))
		return len(sockets) > 0
	})
	started := children(cmd.Process.Pid)
	if len(started) != 1 {
		t.Errorf("processes %v were started, want one", started)
	}
	cmd.Process.Signal(os.Interrupt)
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted {
		t.Errorf("exit code %d, want %d", code, exitInterrupted)
	}
	for _, pid := range started {
		if syscall.Kill(pid, 0) == nil {
			t.Errorf("the target %d lives on", pid)
		}
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("temporary files are left behind: %v, %v", left, err)
	}
}

// TestDocumentedProbes types what the page about one's own server says of probes.
func TestDocumentedProbes(t *testing.T) {
	t.Parallel() // it waits for flushes nearly all the time
	page, err := os.ReadFile(yourServerPage)
	if err != nil {
		t.Fatal(err)
	}
	typed := 0
	for line := range strings.Lines(string(page)) {
		if !strings.HasPrefix(line, "floodgate targets probe ") {
			continue
		}
		typed++
		cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
		cmd.Env = append(os.Environ(), "PATH="+programs+":"+os.Getenv("PATH"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", line, err, out)
		}
	}
	if typed == 0 {
		t.Error("the page does not probe any more")
	}
}

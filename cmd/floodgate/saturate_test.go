package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"floodgate/regress/saturation"
	"floodgate/reports"
)

// TestInterruptedSearch: what was found is kept and said.
func TestInterruptedSearch(t *testing.T) {
	out, temporary := filepath.Join(t.TempDir(), "out"), t.TempDir()
	cmd := exec.CommandContext(t.Context(), filepath.Join(programs, "floodgate"), "saturate", scenario(t, 10, 1e6), "--target", "refserver",
		"--from", "1k", "--to", "100k", "--for", "300ms", "--confirm", "100", "--out", out)
	cmd.Env = append(os.Environ(), "TMPDIR="+temporary)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a second replicate", func() bool {
		_, err := os.Stat(filepath.Join(out, "short_burst_at_1000", "candidate", "01.json"))
		return err == nil
	})
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted {
		t.Errorf("exit code %d, want %d: %s", code, exitInterrupted, &stderr)
	}
	if want := "refserver: unfinished: so far no rate is known to hold"; !strings.Contains(stdout.String(), want) {
		t.Errorf("the search says\n%s\nwant %q", &stdout, want)
	}
	kept, err := os.ReadFile(filepath.Join(out, "saturation.json"))
	if err != nil || !strings.Contains(string(kept), `"end": "unfinished"`) || !strings.Contains(string(kept), `"finding": "held"`) {
		t.Errorf("kept is %s: %v", kept, err)
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("temporary files are left behind: %v, %v", left, err)
	}
}

func TestSaturateExitCode(t *testing.T) {
	of := func(end saturation.End, rate int64) reports.Saturated {
		return reports.Saturated{Answer: saturation.Answer{Rate: rate, End: end}}
	}
	for _, c := range []struct {
		why     string
		atLeast int64
		targets []reports.Saturated
		want    int
	}{
		{"a rate was found", 0, []reports.Saturated{of(saturation.Found, 10)}, exitPass},
		{"a lower bound is an answer", 0, []reports.Saturated{of(saturation.AtLeast, 10)}, exitPass},
		{"no rate holds", 0, []reports.Saturated{of(saturation.NoRate, 0)}, exitFail},
		{"it was not measured", 0, []reports.Saturated{of(saturation.Unmeasured, 10)}, exitUnmeasured},
		{"enough holds", 10, []reports.Saturated{of(saturation.Found, 10)}, exitPass},
		{"enough held before something went wrong", 10, []reports.Saturated{of(saturation.Unmeasured, 10)}, exitPass},
		{"too little holds", 11, []reports.Saturated{of(saturation.Found, 10)}, exitFail},
		{"the generator cannot tell", 11, []reports.Saturated{of(saturation.AtLeast, 10)}, exitUnmeasured},
		{"of two the failure counts", 11, []reports.Saturated{of(saturation.AtLeast, 10), of(saturation.Found, 10)}, exitFail},
		{"in either order", 11, []reports.Saturated{of(saturation.Found, 10), of(saturation.Unmeasured, 10)}, exitFail},
	} {
		f := saturateFlags{atLeastRate: c.atLeast}
		if got := f.exitCode(c.targets); got != c.want {
			t.Errorf("%s: exit code %d, want %d", c.why, got, c.want)
		}
	}
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"floodgate/internal/target"
	"floodgate/regress"
	"floodgate/scenarios"
)

// TestBisectAnswer: a commit is bad or good only where the comparison says so;
// everything else is skipped.
func TestBisectAnswer(t *testing.T) {
	o := regress.DefaultOptions()
	for _, c := range []struct {
		why  string
		c    regress.Comparison
		want target.Answer
	}{
		{"a regression that counts", regress.Comparison{Mark: regress.Regressed, PAdjusted: 0.001}, target.BadCommit},
		{"one that does not count", regress.Comparison{Mark: regress.Regressed, PAdjusted: 0.2}, target.SkipCommit},
		{"proved unchanged", regress.Comparison{Mark: regress.NoChange, PAdjusted: 1}, target.GoodCommit},
		{"better than the good commit", regress.Comparison{Mark: regress.Improved, PAdjusted: 1}, target.GoodCommit},
		{"worse perhaps, but not told from noise", regress.Comparison{Mark: regress.Inconclusive, PAdjusted: 0.04}, target.SkipCommit},
		{"it does not build, or its server dies", regress.Comparison{Mark: regress.NoVerdict, PAdjusted: 1}, target.SkipCommit},
		{"nothing at all", regress.Comparison{}, target.SkipCommit},
	} {
		if got := bisectAnswer(c.c, o); got != c.want {
			t.Errorf("%s: %s, want %s", c.why, got, c.want)
		}
	}
}

// repository makes one with a commit for each content of a file, and returns its
// folder and the commits.
func repository(t *testing.T, file string, contents ...string) (dir string, commits []string) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("needs git")
	}
	dir = t.TempDir()
	git := func(args ...string) string {
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "commit.gpgsign=false"}, args...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	git("init", "--quiet", "--initial-branch=trunk")
	for i, content := range contents {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
		git("add", file)
		git("commit", "--quiet", "-m", fmt.Sprintf("number %d", i))
	}
	return dir, strings.Fields(git("rev-list", "--reverse", "HEAD"))
}

// TestBisect takes a search through all but the measuring: what is printed, what
// is kept, and the exit code.
func TestBisect(t *testing.T) {
	dir, commits := repository(t, "change", "0", "0.001", "-0.002", "0.2", "0.21", "0.19")
	s, err := scenarios.Find("packed_steady_cpu")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		why   string
		marks string // of commits 1 to 5: r, n (no change), i (nconclusive), x (does not build)
		code  int
		words string
		first int
	}{
		{"the third is the first bad one", "nnrrr", exitPass, commits[3] + " is the first bad commit: number 3\n  cpu_per_message against " + commits[0][:12] + ": +20.00 % [+19.00, +21.00], 6 pairs", 3},
		{"the one before cannot be told", "nirrr", exitUnmeasured, "it is one of these 2:\n  " + commits[3][:12] + "  number 3\n  " + commits[2][:12] + "  number 2\n", -1},
		{"one on the way does not build", "nxrrr", exitUnmeasured, "skip  " + commits[2][:12] + "  no verdict: it does not build", -1},
		{"there is nothing to find", "nnnnn", exitFail, "There is no regression to find: the bad end is no change", -1},
		{"nobody can tell", "nnnni", exitUnmeasured, "It cannot be told whether the bad end has regressed", -1},
	} {
		measure := func(_ context.Context, commit target.Commit) (regress.Comparison, error) {
			none := regress.Comparison{Mark: regress.NoVerdict, Reason: "it does not build"}
			made := regress.Comparison{Pairs: make([]regress.Pair, 6), PAdjusted: 1}
			switch c.marks[slices.Index(commits, commit.Hash)-1] {
			case 'r':
				made.Mark, made.PAdjusted, made.Delta = regress.Regressed, 0.001, regress.Interval{Estimate: 0.2, Low: 0.19, High: 0.21, Level: 0.9}
			case 'n':
				made.Mark = regress.NoChange
			case 'i':
				made.Mark, made.Reason = regress.Inconclusive, "too noisy"
			default:
				return none, nil
			}
			return made, nil
		}
		var out strings.Builder
		a := &app{stdout: &out, stderr: io.Discard}
		f := &bisectFlags{mostSteps: 30}
		f.git.folder, f.out = dir, t.TempDir()
		ends := [2]target.Revision{{Commit: commits[0]}, {Commit: commits[5]}}
		if err := a.bisect(t.Context(), f, s, ends, regress.DefaultOptions(), measure); err != nil {
			t.Errorf("%s: %v", c.why, err)
		}
		if a.code != c.code || !strings.Contains(out.String(), c.words) {
			t.Errorf("%s: exit code %d, want %d; printed:\n%s\nwant %q", c.why, a.code, c.code, out.String(), c.words)
		}
		text, err := os.ReadFile(filepath.Join(f.out, "bisect.json"))
		var kept bisectReport
		if err != nil || json.Unmarshal(text, &kept) != nil {
			t.Fatalf("%s: bisect.json: %v\n%s", c.why, err, text)
		}
		if want := ""; len(kept.Steps) == 0 || kept.Steps[0].Commit != commits[5] || (kept.First == want) != (c.first < 0) || c.first >= 0 && kept.First != commits[c.first] {
			t.Errorf("%s: kept is %s", c.why, text)
		}
	}
}

// TestBisectForReal builds and runs: the server of the later commit burns four
// times the CPU time.
func TestBisectForReal(t *testing.T) {
	server := func(percent int) string {
		return fmt.Sprintf("#!/bin/sh\nexec %s --ballast=%d \"$@\"\n", filepath.Join(programs, "refserver"), percent)
	}
	dir, commits := repository(t, "server.sh", server(0), server(300))
	for name, text := range map[string]string{
		"floodgate.yaml": "target: refserver\nbuild: [cp, server.sh, '{{.Output}}']\n",
		"small.yaml": `name: small
description: A burst that a unix socket does not lose.
load:
  transport: unixgram
  schedule: {burst: {count: 100k, over: 100ms}}
  corpus: {context_keys: 100, tags: 4, kinds: {c: 1}, packing: 1432B}
target: {flush_interval: 50ms}
goal: cpu_per_message
limits: {warm_up: 10ms, lateness_p99: 10s}
`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(programs, "floodgate"), "bisect", "small.yaml", "--good", "HEAD~1", "--bad", "HEAD", "--max-pairs", "4", "--out", filepath.Join(t.TempDir(), "out"))
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "XDG_CACHE_HOME="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if want := commits[1] + " is the first bad commit: number 1"; err != nil || !strings.Contains(string(out), want) {
		t.Errorf("%v:\n%s\nwant %q", err, out, want)
	}
}

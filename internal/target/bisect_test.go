package target

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// history makes a repository of n commits, each with its number in its message,
// and returns its folder and the commits.
func history(t *testing.T, n int) (dir string, commits []string) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("needs git")
	}
	dir = t.TempDir()
	run := func(args ...string) string {
		out, err := git(t.Context(), dir, append([]string{"-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "commit.gpgsign=false"}, args...)...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	run("init", "--quiet", "--initial-branch=trunk")
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("as committed"), 0o644); err != nil {
		t.Fatal(err)
	}
	run("add", "file")
	for i := range n {
		run("commit", "--quiet", "--allow-empty", "-m", fmt.Sprintf("number %d", i))
	}
	commits = strings.Fields(run("rev-list", "--reverse", "HEAD"))
	return dir, commits
}

// state is what the user sees of a repository.
func state(t *testing.T, dir string) string {
	t.Helper()
	var all []string
	for _, args := range [][]string{{"status", "--porcelain", "--branch"}, {"for-each-ref"}, {"worktree", "list"}} {
		out, err := git(context.Background(), dir, args...)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, out)
	}
	// What git keeps of work trees and bisections; it rewrites other files at will.
	for _, pattern := range []string{"worktrees/*", "BISECT_*", "refs/*", "HEAD"} {
		files, _ := filepath.Glob(filepath.Join(dir, ".git", pattern))
		all = append(all, files...)
	}
	return strings.Join(all, "\n")
}

// TestBisection: wherever the fault came in, it is found, within the steps that
// halving takes; what cannot be told is skipped and never guessed; and the
// user's repository is as before.
func TestBisection(t *testing.T) {
	dir, commits := history(t, 6)
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("the user's own work"), 0o644); err != nil {
		t.Fatal(err)
	}
	before := state(t, dir)
	for _, c := range []struct {
		why      string
		since    int   // the first bad commit
		unknown  []int // nobody can tell
		first    int   // that is found; -1 for none
		suspects []int
		steps    int // at most, the bad end included
	}{
		{"at once", 1, nil, 1, nil, 4},
		{"in the middle", 3, nil, 3, nil, 4},
		{"with the last", 5, nil, 5, nil, 4},
		{"one that does not build is passed by", 4, []int{2}, 4, nil, 5},
		{"the one before cannot be told", 3, []int{2}, -1, []int{2, 3}, 5},
		{"the first bad one cannot be told", 3, []int{3}, -1, []int{3, 4}, 5},
		{"none between can be told", 3, []int{1, 2, 3, 4}, -1, []int{1, 2, 3, 4, 5}, 6},
		{"the bad end is good", 6, nil, -1, nil, 1},
		{"the bad end cannot be told", 5, []int{5}, -1, nil, 1},
	} {
		var asked []string
		b := Bisection{Dir: dir, Good: commits[0], Bad: commits[5], MostSteps: 20, Ask: func(_ context.Context, commit Commit) (Answer, error) {
			i := slices.Index(commits, commit.Hash)
			asked = append(asked, commit.Subject)
			if commit.Subject != fmt.Sprintf("number %d", i) {
				t.Errorf("%s: commit %d is called %q", c.why, i, commit.Subject)
			}
			switch {
			case slices.Contains(c.unknown, i):
				return SkipCommit, nil
			case i >= c.since:
				return BadCommit, nil
			}
			return GoodCommit, nil
		}}
		found, err := b.Run(t.Context())
		if err != nil {
			t.Errorf("%s: %v", c.why, err)
			continue
		}
		first, suspects := -1, []int(nil)
		if found.First != nil {
			first = slices.Index(commits, found.First.Hash)
		}
		for _, s := range found.Suspects {
			suspects = append(suspects, slices.Index(commits, s.Hash))
		}
		slices.Sort(suspects)
		if first != c.first || !slices.Equal(suspects, c.suspects) || found.Asked > c.steps || found.Asked != len(asked) {
			t.Errorf("%s: first %d, suspects %v after asking about %q; want %d, %v within %d steps", c.why, first, suspects, asked, c.first, c.suspects, c.steps)
		}
	}
	if after := state(t, dir); after != before {
		t.Errorf("the repository is not as it was:\n%s\nbefore:\n%s", after, before)
	}
}

// TestBisectionEnds: at its bound it says what is left, and when its context ends
// it leaves nothing behind.
func TestBisectionEnds(t *testing.T) {
	dir, commits := history(t, 6)
	before := state(t, dir)
	b := Bisection{Dir: dir, Good: commits[0], Bad: commits[5], MostSteps: 2,
		Ask: func(context.Context, Commit) (Answer, error) { return BadCommit, nil }}
	found, err := b.Run(t.Context())
	if err != nil || found.First != nil || found.Asked != 2 || len(found.Suspects) < 2 || len(found.Suspects) > 3 {
		t.Errorf("after two steps: %+v, %v", found, err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	b.MostSteps = 20
	b.Ask = func(_ context.Context, c Commit) (Answer, error) {
		if c.Hash != b.Bad {
			cancel(enough)
			return "", context.Cause(ctx)
		}
		return BadCommit, nil
	}
	if found, err := b.Run(ctx); !errors.Is(err, enough) || found.First != nil || len(found.Suspects) != 5 {
		t.Errorf("when it is to end: %+v, %v", found, err)
	}
	b.Good = strings.Repeat("0", 40)
	b.Ask = func(context.Context, Commit) (Answer, error) { return BadCommit, nil }
	if _, err := b.Run(t.Context()); err == nil {
		t.Error("a good end that does not exist is accepted")
	}
	if after := state(t, dir); after != before {
		t.Errorf("the repository is not as it was:\n%s\nbefore:\n%s", after, before)
	}
}

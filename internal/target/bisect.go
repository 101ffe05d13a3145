package target

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Answer is what was found out about a commit.
type Answer string

// The answers, in git's own words. Skip says that nobody can tell.
const (
	GoodCommit Answer = "good"
	BadCommit  Answer = "bad"
	SkipCommit Answer = "skip"
)

// Commit is one commit on the way.
type Commit struct {
	Hash    string // whole, hex
	Subject string // first line of its message
}

// Short is the commit as people write it.
func (c Commit) Short() string { return c.Hash[:min(len(c.Hash), 12)] }

// Bisection looks for the first bad commit between two revisions.
type Bisection struct {
	Dir       string // a folder of the repository; empty for the caller's
	Good, Bad string // commits, as Resolve finds them
	// MostSteps bounds how many commits are asked about.
	MostSteps int
	// Ask finds out about a commit. It is asked about the bad end first. An error
	// ends the search.
	Ask func(ctx context.Context, c Commit) (Answer, error)
}

// Found is where a search ended.
type Found struct {
	// First is the first bad commit; nil where that is not known.
	First *Commit
	// Suspects are the commits of which any could be the first bad one, where
	// First is not known. Empty if the bad end is not bad.
	Suspects []Commit
	Asked    int // commits
}

// Run drives git bisect, step by step, in a work tree of its own that has no
// files: the user's checkout, branch and any bisection of theirs stay as they
// are, and nothing is left behind. A commit that nobody can tell about is
// skipped, never guessed. What was found up to then comes also with an error.
func (b Bisection) Run(ctx context.Context) (found Found, err error) {
	folder, err := os.MkdirTemp("", "floodgate-bisect-")
	if err != nil {
		return found, err
	}
	defer os.RemoveAll(folder)
	tree := filepath.Join(folder, "tree")
	if _, err := git(ctx, b.Dir, "merge-base", b.Good, b.Bad); err != nil {
		return found, stopped(ctx, fmt.Errorf("cannot bisect: %s and %s have no common history", b.Good, b.Bad))
	}
	// Its entry in the repository is made whole, and taken back whatever happens.
	whole := context.WithoutCancel(ctx)
	if _, err := git(whole, b.Dir, "worktree", "add", "--quiet", "--detach", "--no-checkout", tree, b.Bad); err != nil {
		return found, fmt.Errorf("cannot bisect: %w", err)
	}
	defer func() {
		_, undone := git(whole, b.Dir, "worktree", "remove", "--force", "--force", tree)
		err = errors.Join(err, undone)
	}()
	return b.search(ctx, tree)
}

// search asks about the bad end, and then about what git proposes.
func (b Bisection) search(ctx context.Context, tree string) (Found, error) {
	var found Found
	ask := func(revision string) (Commit, Answer, error) {
		line, err := git(ctx, tree, "log", "--max-count=1", "--format=%H %s", revision)
		if err != nil {
			return Commit{}, "", stopped(ctx, err)
		}
		found.Asked++
		c := commitOf(line)
		answer, err := b.Ask(ctx, c)
		if err == nil && answer != GoodCommit && answer != BadCommit && answer != SkipCommit {
			panic("target: " + string(answer) + " is no answer")
		}
		return c, answer, err
	}
	if _, answer, err := ask(b.Bad); err != nil || answer != BadCommit {
		return found, err
	}
	if _, err := git(ctx, tree, "bisect", "start", "--no-checkout", b.Bad, b.Good); err != nil {
		return found, stopped(ctx, err)
	}
	for {
		log, err := git(ctx, tree, "bisect", "log")
		if err != nil {
			return found, stopped(ctx, err)
		}
		first, suspects := bisectEnd(log)
		if found.First, found.Suspects = first, suspects; first != nil || len(suspects) > 0 {
			return found, nil
		}
		if found.Asked >= b.MostSteps {
			found.Suspects, err = left(ctx, tree)
			return found, err
		}
		at, answer, err := ask("BISECT_HEAD")
		if err != nil {
			found.Suspects, _ = left(context.WithoutCancel(ctx), tree)
			return found, err
		}
		// It ends with an error also where only skipped commits are left, which the
		// log says in the next turn.
		if _, err := git(ctx, tree, "bisect", string(answer), at.Hash); err != nil {
			log, unread := git(ctx, tree, "bisect", "log")
			if first, suspects := bisectEnd(log); unread != nil || first == nil && len(suspects) == 0 {
				return found, stopped(ctx, fmt.Errorf("cannot go on bisecting after %s: %w", at.Short(), err))
			}
		}
	}
}

// stopped prefers the reason why ctx ended to what it did to git.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// left are the commits of which any could still be the first bad one.
func left(ctx context.Context, tree string) ([]Commit, error) {
	text, err := git(ctx, tree, "log", "--format=%H %s", "refs/bisect/bad", "--not", "--glob=refs/bisect/good-*")
	if err != nil {
		return nil, stopped(ctx, err)
	}
	var commits []Commit
	for line := range strings.Lines(text) {
		commits = append(commits, commitOf(line))
	}
	return commits, nil
}

// commitOf reads a line of a hash and a subject.
func commitOf(line string) Commit {
	hash, subject, _ := strings.Cut(strings.TrimSpace(line), " ")
	return Commit{hash, subject}
}

var (
	firstBad    = regexp.MustCompile(`(?m)^# first bad commit: \[([0-9a-f]+)\] ?(.*)$`)
	possibleBad = regexp.MustCompile(`(?m)^# possible first bad commit: \[([0-9a-f]+)\] ?(.*)$`)
)

// bisectEnd reads what git's log of a bisection says of its end: the first bad
// commit, or all that could be it. Nothing where it goes on.
func bisectEnd(log string) (first *Commit, suspects []Commit) {
	if m := firstBad.FindStringSubmatch(log); m != nil {
		return &Commit{m[1], m[2]}, nil
	}
	for _, m := range possibleBad.FindAllStringSubmatch(log, -1) {
		suspects = append(suspects, Commit{m[1], m[2]})
	}
	return nil, suspects
}

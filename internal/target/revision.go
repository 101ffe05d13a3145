package target

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
)

// ErrNoRevision is wrapped by the errors of Resolve: what the user named does
// not exist, or not here.
var ErrNoRevision = errors.New("no such revision")

// Revision is one commit of a repository.
type Revision struct {
	Ref    string // as the user wrote it
	Commit string // its whole name, hex
	Tree   string // of all its files, hex: alike for commits that differ in their history alone
	// Folder is where the repository was asked, relative to its top, with a slash
	// at the end; empty for the top itself. A build runs in the same place.
	Folder string
}

// Short is the commit as people write it.
func (r Revision) Short() string { return r.Commit[:min(len(r.Commit), 12)] }

// Resolve finds the commit that ref stands for in the repository around dir,
// which may be empty for the caller's folder. It changes nothing.
func Resolve(ctx context.Context, dir, ref string) (Revision, error) {
	r, err := resolve(ctx, dir, ref)
	if err != nil {
		return Revision{}, fmt.Errorf("cannot find revision %s: %w", ref, err)
	}
	return r, nil
}

func resolve(ctx context.Context, dir, ref string) (Revision, error) {
	if ref == "" || strings.HasPrefix(ref, "-") { // git would take it for a flag
		return Revision{}, fmt.Errorf("%w: want a branch, a tag or a commit", ErrNoRevision)
	}
	folder, err := git(ctx, dir, "rev-parse", "--show-prefix")
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return Revision{}, fmt.Errorf("%w: there is no git in PATH: install it, or name a program with bin:PATH", ErrNoRevision)
	case err != nil && strings.Contains(err.Error(), "not a git repository"):
		return Revision{}, fmt.Errorf("%w: this folder is in no git repository: go to that of the server", ErrNoRevision)
	case err != nil:
		return Revision{}, fmt.Errorf("%w: %w", ErrNoRevision, err)
	}
	commit, err := git(ctx, dir, "rev-parse", "--verify", "--quiet", ref+"^{commit}")
	if err != nil {
		if ctx.Err() != nil {
			return Revision{}, context.Cause(ctx)
		}
		hint := "want a branch, a tag or a commit, as git log shows them"
		if shallow, _ := git(ctx, dir, "rev-parse", "--is-shallow-repository"); shallow == "true" {
			hint = "the clone is shallow: fetch more of its history, such as with git fetch --deepen=50"
		}
		return Revision{}, fmt.Errorf("%w: %s", ErrNoRevision, hint)
	}
	tree, err := git(ctx, dir, "rev-parse", commit+"^{tree}")
	return Revision{Ref: ref, Commit: commit, Tree: tree, Folder: folder}, err
}

// git runs git in dir and returns what it prints, without the last line's end.
// The error has git's own words, on one line.
func git(ctx context.Context, dir string, args ...string) (string, error) {
	// A checkout of ours is none of the repository's hooks' business.
	cmd := exec.CommandContext(ctx, "git", append([]string{"-c", "core.hooksPath=" + os.DevNull}, args...)...)
	cmd.Dir, cmd.Env = dir, append(outerEnvironment(), "GIT_TERMINAL_PROMPT=0", "LC_ALL=C")
	// An interrupt from the terminal is ours to handle: git would stop halfway.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// All that git started ends with it: what fetches would keep its pipes open.
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	var out, problem bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problem
	if err := cmd.Run(); err != nil {
		command := args[0]
		if command == "-c" {
			command = args[2]
		}
		if words := lastLines(problem.String(), 3); words != "" {
			return "", fmt.Errorf("git %s: %s", command, strings.TrimPrefix(words, "fatal: "))
		}
		return "", fmt.Errorf("git %s: %w", command, err)
	}
	return strings.TrimSuffix(out.String(), "\n"), nil
}

// gitVariables tie a process to one repository. A hook that starts us has them
// set, and they would lead git away from the folder that it is run in.
var gitVariables = []string{
	"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR",
	"GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE",
}

// outerEnvironment is the user's, without what ties git to a repository.
func outerEnvironment() []string {
	return slices.DeleteFunc(os.Environ(), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.Contains(gitVariables, name)
	})
}

// lastLines is the end of a text on one line: its last n lines that say
// anything.
func lastLines(text string, n int) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-n):], " / ")
}

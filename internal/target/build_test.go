package target

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// repository is a git repository with two commits of a program in a folder, that
// says which of them it is.
func repository(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("needs git")
	}
	t.Setenv("TMPDIR", t.TempDir())
	dir := t.TempDir()
	run := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main"}, args...)...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	run("init", "--quiet")
	for _, text := range []string{"first", "second"} {
		write(t, filepath.Join(dir, "part", "server.sh"), "#!/bin/sh\necho "+text+"\n")
		run("add", ".")
		run("commit", "--quiet", "-m", text)
	}
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// revision is ref of a repository, and the build of it by words that may have
// OUT for the output.
func revisionBuild(t *testing.T, dir, ref string, words ...string) Build {
	t.Helper()
	r, err := Resolve(t.Context(), dir, ref)
	if err != nil {
		t.Fatal(err)
	}
	return Build{Revision: r, Dir: dir, Program: "bin/server", Recipe: strings.Join(words, " "), Cache: t.TempDir(),
		Command: func(output string) ([]string, error) {
			filled := make([]string, len(words))
			for i, w := range words {
				filled[i] = strings.ReplaceAll(w, "OUT", output)
			}
			return filled, nil
		}}
}

// leftNothing fails if the build has left a work tree or a temporary file.
func leftNothing(t *testing.T, dir string) {
	t.Helper()
	trees, err := git(t.Context(), dir, "worktree", "list")
	if err != nil || strings.Count(trees, "\n") > 0 {
		t.Errorf("work trees are left (%v):\n%s", err, trees)
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("temporary files are left: %v, %v", left, err)
	}
}

func said(t *testing.T, path string) string {
	t.Helper()
	out, err := exec.Command(path).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", path, err, out)
	}
	return strings.TrimSpace(string(out))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func TestResolve(t *testing.T) {
	dir := repository(t)
	// A hook would lead git elsewhere.
	t.Setenv("GIT_DIR", filepath.Join(dir, "nowhere"))
	head, err := Resolve(t.Context(), dir, "HEAD")
	if err != nil || len(head.Commit) != 40 || len(head.Tree) != 40 || head.Folder != "" {
		t.Errorf("HEAD is %+v, %v", head, err)
	}
	inside, err := Resolve(t.Context(), filepath.Join(dir, "part"), "main")
	if err != nil || inside.Commit != head.Commit || inside.Folder != "part/" {
		t.Errorf("main from a folder is %+v, %v, want %s", inside, err, head.Commit)
	}
	for ref, want := range map[string]string{
		"HEAD~7":   "want a branch, a tag or a commit, as git log shows them",
		"nothing":  "cannot find revision nothing: no such revision",
		"--all":    "want a branch",
		"HEAD:pax": "want a branch", // a file is none
	} {
		if _, err := Resolve(t.Context(), dir, ref); !errors.Is(err, ErrNoRevision) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", ref, err, want)
		}
	}
	outside := t.TempDir()
	t.Setenv("GIT_CEILING_DIRECTORIES", filepath.Dir(outside))
	if _, err := Resolve(t.Context(), outside, "HEAD"); !errors.Is(err, ErrNoRevision) || !strings.Contains(err.Error(), "in no git repository") {
		t.Errorf("outside of any repository: %v", err)
	}
	// What a build server makes: no history.
	shallow := filepath.Join(t.TempDir(), "clone")
	if _, err := git(t.Context(), "", "clone", "--quiet", "--depth=1", "file://"+dir, shallow); err != nil {
		t.Fatal(err)
	}
	if _, err := Resolve(t.Context(), shallow, "HEAD~1"); err == nil || !strings.Contains(err.Error(), "the clone is shallow: fetch more") {
		t.Errorf("a shallow clone: %v", err)
	}
}

func TestBuild(t *testing.T) {
	dir := repository(t)
	starts := 0
	build := func(ref string, words ...string) Build {
		b := revisionBuild(t, dir, ref, words...)
		b.OnStart = func(string) { starts++ }
		return b
	}
	b := build("HEAD~1", "sh", "-c", "echo building; pwd; cp part/server.sh OUT")
	a, err := b.Run(t.Context())
	if err != nil || a.Cached || starts != 1 || filepath.Base(a.Path) != "server" || said(t, a.Path) != "first" {
		t.Fatalf("%+v after %d builds: %v", a, starts, err)
	}
	if log, err := os.ReadFile(a.Log); err != nil || !strings.HasPrefix(string(log), "building\n") {
		t.Errorf("its log is %q, %v", log, err)
	}
	// A second time it is there already; another revision and another recipe are
	// not; and one may ask for a new build.
	if a, err := b.Run(t.Context()); err != nil || !a.Cached || starts != 1 {
		t.Errorf("again: %+v after %d builds, %v", a, starts, err)
	}
	other := build("HEAD", "sh", "-c", "echo building; pwd; cp part/server.sh OUT")
	other.Cache = b.Cache
	if a, err := other.Run(t.Context()); err != nil || said(t, a.Path) != "second" {
		t.Errorf("the other revision: %+v, %v", a, err)
	}
	b.Again = true
	if a, err := b.Run(t.Context()); err != nil || a.Cached || starts != 3 || said(t, a.Path) != "first" {
		t.Errorf("once more: %+v after %d builds, %v", a, starts, err)
	}
	// What has not been used for long goes with the next build.
	old := time.Now().Add(-2 * keep)
	if err := os.Chtimes(filepath.Dir(a.Path), old, old); err != nil {
		t.Fatal(err)
	}
	prune(b.Cache, time.Now().Add(-keep))
	if _, err := os.Stat(a.Path); err == nil {
		t.Error("an old entry stays in the cache")
	}
	// A folder with the program in it, from the folder that the user is in.
	folder := build("HEAD", "sh", "-c", "mkdir -p OUT/bin && cp part/server.sh OUT/bin/server")
	if a, err := folder.Run(t.Context()); err != nil || !strings.HasSuffix(a.Path, "/server/bin/server") || said(t, a.Path) != "second" {
		t.Errorf("a folder: %+v, %v", a, err)
	}
	inside := revisionBuild(t, filepath.Join(dir, "part"), "HEAD", "./build.sh", "OUT")
	if _, err := inside.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "build.sh: no such file") {
		t.Errorf("a missing program of the build: %v", err)
	}
	leftNothing(t, dir)
}

func TestBuildFails(t *testing.T) {
	dir := repository(t)
	for _, c := range []struct {
		command, want string
	}{
		{"echo 1; echo 2; echo 3; echo; echo 4 >&2; exit 3", "sh ended with exit status 3: 2 / 3 / 4; all it printed is in "},
		{"exit 1", "exit status 1: it printed nothing"},
		{"kill -9 $$", "killed by signal 9"},
		{"true", "the build ended well and wrote nothing"},
		{"mkdir OUT", "wrote a folder without bin/server in it"},
		{"mkfifo OUT", "wrote something else than a program"},
	} {
		b := revisionBuild(t, dir, "HEAD", "sh", "-c", c.command)
		_, err := b.Run(t.Context())
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "cannot build revision HEAD (") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", c.command, err, c.want)
		}
		if entries, _ := filepath.Glob(filepath.Join(b.Cache, "*")); len(entries) > 1 { // the log
			t.Errorf("%s leaves %v in the cache", c.command, entries)
		}
	}
	leftNothing(t, dir)
}

// TestBuildInterrupted: a build that is broken off is ended with all that it has
// started, and leaves nothing.
func TestBuildInterrupted(t *testing.T) {
	dir := repository(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	pipe := filepath.Join(t.TempDir(), "pipe")
	// The build never ends: nobody writes into the pipe.
	b := revisionBuild(t, dir, "HEAD", "sh", "-c", "mkfifo "+pipe+"; cat "+pipe+" & cat "+pipe)
	asked := errors.New("enough")
	b.OnStart = func(string) {
		go func() {
			for !exists(pipe) {
				time.Sleep(time.Millisecond)
			}
			cancel(asked)
		}()
	}
	if _, err := b.Run(ctx); !errors.Is(err, asked) {
		t.Errorf("an interrupted build: %v", err)
	}
	if _, err := b.Run(ctx); !errors.Is(err, asked) {
		t.Errorf("one that never began: %v", err)
	}
	leftNothing(t, dir)
}

package target

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// withSubmodule is a repository whose one file comes from a submodule, which has
// a submodule itself. Its second commit moves on to the submodule's second one,
// and changes nothing else.
func withSubmodule(t *testing.T) string {
	t.Helper()
	inner, dir := repository(t), repository(t)
	// A clone of a folder has to be allowed, here alone.
	for name, value := range map[string]string{
		"GIT_CONFIG_COUNT": "3",
		"GIT_CONFIG_KEY_0": "protocol.file.allow", "GIT_CONFIG_VALUE_0": "always",
		"GIT_CONFIG_KEY_1": "user.name", "GIT_CONFIG_VALUE_1": "A",
		"GIT_CONFIG_KEY_2": "user.email", "GIT_CONFIG_VALUE_2": "a@example.com",
	} {
		t.Setenv(name, value)
	}
	must := func(dir string, args ...string) {
		t.Helper()
		if _, err := git(t.Context(), dir, args...); err != nil {
			t.Fatal(err)
		}
	}
	middle := filepath.Join(t.TempDir(), "middle")
	must("", "init", "--quiet", middle)
	must(middle, "submodule", "--quiet", "add", inner, "inner")
	must(middle, "commit", "--quiet", "-m", "second")
	must(filepath.Join(middle, "inner"), "checkout", "--quiet", "HEAD~1")
	must(middle, "commit", "--quiet", "-a", "-m", "first")
	must(dir, "submodule", "--quiet", "add", middle, "module")
	must(dir, "commit", "--quiet", "-m", "the first of the submodule")
	must(filepath.Join(dir, "module"), "checkout", "--quiet", "HEAD~1")
	must(dir, "commit", "--quiet", "-a", "-m", "its second")
	// As in a fresh clone, nothing is checked out and nothing known of them.
	must(dir, "submodule", "--quiet", "deinit", "--force", "--all")
	return dir
}

// What stands in submodules is built, also in theirs; the commit of one decides
// what the cache has; and the repository's configuration stays as it is.
func TestBuildSubmodules(t *testing.T) {
	dir := withSubmodule(t)
	config := filepath.Join(dir, ".git", "config")
	before, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	cache := t.TempDir()
	for ref, want := range map[string]string{"HEAD": "second", "HEAD~1": "first"} {
		b := revisionBuild(t, dir, ref, "cp", "module/inner/part/server.sh", "OUT")
		b.Cache = cache
		a, err := b.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if text := said(t, a.Path); a.Cached || text != want {
			t.Errorf("%s: %+v says %s, want %s", ref, a, text, want)
		}
	}
	after, err := os.ReadFile(config)
	if err != nil || string(after) != string(before) {
		t.Errorf("the configuration was\n%sand is, %v,\n%s", before, err, after)
	}
	leftNothing(t, dir)
}

// A submodule that cannot be had is named, and one that never comes is given up
// with the run, with all that git has started for it.
func TestBuildSubmoduleFails(t *testing.T) {
	dir := withSubmodule(t)
	if _, err := git(t.Context(), dir, "config", "submodule.module.url", filepath.Join(dir, "nowhere")); err != nil {
		t.Fatal(err)
	}
	b := revisionBuild(t, dir, "HEAD", "true")
	if _, err := b.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "git submodule: ") || !strings.Contains(err.Error(), "nowhere") || strings.Contains(err.Error(), "\n") {
		t.Errorf("a submodule that is not there: %v", err)
	}

	pipe := filepath.Join(t.TempDir(), "pipe")
	t.Setenv("GIT_CONFIG_KEY_0", "protocol.ext.allow")
	script := filepath.Join(t.TempDir(), "remote.sh")
	write(t, script, "mkfifo "+pipe+"; cat "+pipe+"\n") // nobody writes into it
	if _, err := git(t.Context(), dir, "config", "submodule.module.url", "ext::sh "+script); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	asked := errors.New("enough")
	go func() {
		for !exists(pipe) && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		cancel(asked)
	}()
	if _, err := b.Run(ctx); !errors.Is(err, asked) {
		t.Errorf("a submodule that never comes: %v", err)
	}
	leftNothing(t, dir)
}

package target

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Build says how a revision becomes a program.
type Build struct {
	Revision Revision
	// Dir is a folder of the repository; empty for the caller's.
	Dir string
	// Command returns the words of the command that builds the program, given the
	// path that it is to write: the program itself, or a folder that holds it.
	Command func(output string) ([]string, error)
	// Program is the program's path within such a folder. Its last part is also
	// the name of a program that is no folder.
	Program string
	// Recipe is whatever else decides what is built. Another recipe is another
	// entry of the cache.
	Recipe string
	Cache  string // folder of what was built before
	Again  bool   // build also what the cache has
	// OnStart, if not nil, is told of a build that begins, and where its output
	// is written as it comes.
	OnStart func(log string)
}

// Artefact is a program that was built.
type Artefact struct {
	Path   string
	Log    string // of the build
	Cached bool   // it had been built before
}

// keep is how long an entry of the cache outlives its last use.
const keep = 30 * 24 * time.Hour

// Run returns the program of the revision: from the cache, or built in a
// temporary work tree beside the repository's own, which stays as it is. The
// work tree is gone when Run returns, whatever happened. When ctx ends, the build
// is killed with all that it started.
func (b Build) Run(ctx context.Context) (Artefact, error) {
	a, err := b.run(ctx)
	if err != nil && ctx.Err() != nil {
		return Artefact{}, context.Cause(ctx)
	}
	if err != nil {
		return Artefact{}, fmt.Errorf("cannot build revision %s (%s): %w", b.Revision.Ref, b.Revision.Short(), err)
	}
	return a, nil
}

func (b Build) run(ctx context.Context) (Artefact, error) {
	key := b.key()
	place := filepath.Join(b.Cache, key)
	a := Artefact{Log: filepath.Join(b.Cache, key+".log")}
	if path, err := b.program(place); err == nil && !b.Again {
		now := time.Now()
		os.Chtimes(place, now, now) // only the age suffers if it cannot be done
		a.Path, a.Cached = path, true
		return a, nil
	}
	if err := os.MkdirAll(b.Cache, 0o755); err != nil {
		return a, err
	}
	prune(b.Cache, time.Now().Add(-keep))
	// Beside its final place, so that it gets there at once and whole.
	fresh, err := os.MkdirTemp(b.Cache, "building-")
	if err != nil {
		return a, err
	}
	defer os.RemoveAll(fresh)
	if err := b.inWorkTree(ctx, func(tree string) error { return b.make(ctx, tree, b.output(fresh), a.Log) }); err != nil {
		return a, err
	}
	if _, err := b.program(fresh); err != nil {
		return a, err
	}
	if b.Again {
		os.RemoveAll(place)
	}
	// Whoever built the same meanwhile was first: theirs is as good.
	if err := os.Rename(fresh, place); err != nil && !errors.Is(err, fs.ErrExist) {
		return a, err
	}
	a.Path, err = b.program(place)
	return a, err
}

// key names an entry of the cache.
func (b Build) key() string {
	hash := sha256.New()
	for _, text := range []string{b.Revision.Tree, b.Revision.Folder, b.Recipe, b.Program, runtime.GOOS, runtime.GOARCH} {
		fmt.Fprintf(hash, "%d %s", len(text), text)
	}
	return hex.EncodeToString(hash.Sum(nil))[:32]
}

// output is what the build writes, in the folder of an entry.
func (b Build) output(folder string) string {
	return filepath.Join(folder, filepath.Base(filepath.FromSlash(b.Program)))
}

// program finds the program in the folder of an entry, and makes it one that can
// be started.
func (b Build) program(folder string) (string, error) {
	path := b.output(folder)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", errors.New("the build ended well and wrote nothing: its command has to write {{.Output}}")
	}
	if err == nil && info.IsDir() {
		path = filepath.Join(path, filepath.FromSlash(b.Program))
		if info, err = os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("the build wrote a folder without %s in it: want the program there, as binary names it", b.Program)
		}
	}
	switch {
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("the build wrote something else than a program to %s", path)
	case info.Mode()&0o111 == 0:
		// A script that was copied often is not executable in its repository.
		return path, os.Chmod(path, info.Mode()|0o755)
	}
	return path, nil
}

// inWorkTree calls work with a fresh checkout of the revision.
func (b Build) inWorkTree(ctx context.Context, work func(tree string) error) (err error) {
	folder, err := os.MkdirTemp("", "floodgate-build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	tree := filepath.Join(folder, "tree")
	// A checkout that is cut short would leave its entry in the repository, so it
	// is carried through; and whatever happens later, it is taken back.
	whole := context.WithoutCancel(ctx)
	if _, err := git(whole, b.Dir, "worktree", "add", "--quiet", "--detach", tree, b.Revision.Commit); err != nil {
		return err
	}
	defer func() {
		_, undone := git(whole, b.Dir, "worktree", "remove", "--force", "--force", tree)
		err = errors.Join(err, undone)
	}()
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := submodules(ctx, tree); err != nil {
		return err
	}
	inside := filepath.Join(tree, filepath.FromSlash(b.Revision.Folder))
	if _, err := os.Stat(inside); err != nil {
		return fmt.Errorf("it has no folder %s, in which the build runs", b.Revision.Folder)
	}
	return work(inside)
}

// submodules checks out those of a work tree, and theirs. The tree of a revision
// names their commits, so that it stands for them in the key too.
func submodules(ctx context.Context, tree string) error {
	if _, err := os.Stat(filepath.Join(tree, ".gitmodules")); err != nil {
		return nil
	}
	// All count as active without --init, which would write that down in the
	// configuration of the user's repository.
	_, err := git(ctx, tree, "-c", "submodule.active=.", "submodule", "update", "--quiet", "--recursive")
	return err
}

// make runs the command of the build in a folder.
func (b Build) make(ctx context.Context, folder, output, log string) error {
	words, err := b.Command(output)
	if err != nil {
		return err
	}
	if len(words) == 0 {
		return errors.New("its build has no words")
	}
	path := words[0]
	if strings.ContainsRune(path, filepath.Separator) {
		if !filepath.IsAbs(path) {
			path = filepath.Join(folder, path)
		}
	} else if path, err = exec.LookPath(words[0]); err != nil {
		return err
	}
	if b.OnStart != nil {
		b.OnStart(log)
	}
	p, err := Start(ctx, Command{Path: path, Args: words[1:], Env: outerEnvironment(), Dir: folder, Log: log})
	if err != nil {
		return err
	}
	<-p.Done()
	if state, _ := p.State(); state.Code != 0 {
		said := lastLines(p.LastWords(), 3)
		if said == "" {
			said = "it printed nothing"
		}
		return fmt.Errorf("%s ended with %v: %s; all it printed is in %s", words[0], state, said, log)
	}
	return nil
}

// prune removes what has not been used since a time. What cannot be removed is
// left for the next time.
func prune(cache string, since time.Time) {
	entries, _ := os.ReadDir(cache)
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.ModTime().Before(since) {
			os.RemoveAll(filepath.Join(cache, e.Name()))
		}
	}
}

package harness

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"floodgate/internal/record"
	"floodgate/internal/target"
	"floodgate/scenarios"
)

// GitBuilds says how git:REF variants become programs.
type GitBuilds struct {
	Folder string // in the repository; empty for the caller's
	// Target names the description that such a variant is built and started by;
	// empty for that of the reference server.
	Target string
	Words  []string // of the build, instead of the description's own; none keeps that
	Cache  string   // folder of what was built before; empty for the user's
	Again  bool     // build also what was built before
}

// command is the build of a description, with one of the run's own before it.
func (g GitBuilds) command(t *scenarios.Target) []string {
	if len(g.Words) > 0 {
		return g.Words
	}
	return t.Build
}

func (g GitBuilds) check(t *scenarios.Target) error {
	if len(g.command(t)) == 0 {
		return fmt.Errorf("nobody says how target %s is built: want build in its description or in floodgate.yaml, such as [go, build, -o, '{{.Output}}', ./cmd/server]", t.Name)
	}
	return nil
}

// Resolve finds the commits of the variants that are built from one. It builds
// nothing. Its errors are the user's to mend.
func (g GitBuilds) Resolve(ctx context.Context, variants []Variant) error {
	for i, v := range variants {
		if v.Revision == nil {
			continue
		}
		r, err := target.Resolve(ctx, g.Folder, v.Revision.Ref)
		if err != nil {
			return fmt.Errorf("cannot run variant %q: %w", v.Spec, err)
		}
		variants[i].Revision = &r
	}
	return nil
}

// Building is told of a build that begins, and where its output is written.
type Building func(v Variant, log string)

// Build builds the variants that Resolve has found the commits of, one after
// the other, and sets their paths. Equal sources are built once, also over many
// runs.
func (g GitBuilds) Build(ctx context.Context, variants []Variant, told Building) error {
	for i, v := range variants {
		if v.Revision == nil {
			continue
		}
		b, err := g.build(v)
		if err != nil {
			return fmt.Errorf("cannot run variant %q: %w", v.Spec, err)
		}
		b.OnStart = func(log string) {
			if told != nil {
				told(v, log)
			}
		}
		a, err := b.Run(ctx)
		if err != nil {
			return err
		}
		variants[i].Path, variants[i].BuiltBy = a.Path, g.command(v.description())
	}
	return nil
}

func (g GitBuilds) build(v Variant) (target.Build, error) {
	t := v.description()
	words := g.command(t)
	cache := g.Cache
	if cache == "" {
		users, err := os.UserCacheDir()
		if err != nil {
			return target.Build{}, fmt.Errorf("no folder for what is built: set XDG_CACHE_HOME: %w", err)
		}
		cache = filepath.Join(users, "floodgate", "builds")
	}
	cache, err := filepath.Abs(cache)
	digest := sha256.Sum256(t.Source)
	return target.Build{
		Revision: *v.Revision, Dir: g.Folder, Program: cmp.Or(t.Binary, t.Name), Cache: cache, Again: g.Again,
		Recipe: hex.EncodeToString(digest[:]) + "\n" + strings.Join(words, "\n"),
		Command: func(output string) ([]string, error) {
			filled := make([]string, len(words))
			var faults []error
			for i, word := range words {
				var err error
				filled[i], err = scenarios.BuildWord(word, output)
				faults = append(faults, err)
			}
			return filled, errors.Join(faults...)
		},
	}, err
}

// source is what a record says of the variant's revision.
func (v Variant) source() *record.Source {
	if v.Revision == nil {
		return nil
	}
	return &record.Source{Ref: v.Revision.Ref, Commit: v.Revision.Commit, Tree: v.Revision.Tree, Command: v.BuiltBy}
}

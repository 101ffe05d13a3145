package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"floodgate/internal/harness"
	"floodgate/scenarios"
)

// gitFlags are those of variants that are built from a commit.
type gitFlags struct {
	target  string
	words   []string // of the build, from the project alone
	folder  string   // likewise, in the repository
	rebuild bool
	said    func() bool // whether the command line names target
}

func (f *gitFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.target, "target", "", "the description that git:REF is built and started by (default refserver)")
	flags.BoolVar(&f.rebuild, "rebuild", false, "build git:REF also where the cache has it")
	f.said = func() bool { return flags.Changed("target") }
}

// check refuses a description for builds where nothing is built: whoever gave it
// meant it for a variant.
func (f *gitFlags) check(variants []harness.Variant) error {
	if !f.said() {
		return nil
	}
	for _, v := range variants {
		if v.Revision != nil {
			return nil
		}
	}
	name := f.target
	if !strings.Contains(name, ":") {
		name = "target:" + name
	}
	return &usageError{fmt.Errorf("--target %s says how a git:REF is built and started, and no variant is one: a server to run is said by --candidate %s", f.target, name)}
}

func (f *gitFlags) builds() harness.GitBuilds {
	return harness.GitBuilds{Folder: f.folder, Target: f.target, Words: f.words, Again: f.rebuild}
}

const gitWords = `A git:REF is built in a temporary work tree, with the build command of the
description that --target or floodgate.yaml names; your own work tree is left
alone. What was built is kept in the user's cache folder, by the tree of the
commit and the description, for 30 days after its last use.`

// build finds the commits of git:REF variants, and makes programs of them.
func (a *app) build(ctx context.Context, f gitFlags, variants []harness.Variant) error {
	builds := f.builds()
	if err := builds.Resolve(ctx, variants); err != nil {
		return &usageError{err}
	}
	return builds.Build(ctx, variants, func(v harness.Variant, log string) {
		fmt.Fprintf(a.stderr, "floodgate: building git:%s (%s), its output goes to %s\n", v.Revision.Ref, v.Revision.Short(), log)
	})
}

// targetWords are projectWords of commands that take nothing else from there.
const targetWords = `Where a floodgate.yaml is in the folder, it says where descriptions lie and how a
git:REF is built.`

const projectWords = `Where a floodgate.yaml is in the folder, what it says holds where the command
line says nothing. floodgate init writes one to start from.`

func addProject(flags *pflag.FlagSet, to *string) {
	flags.StringVar(to, "project", scenarios.ProjectFile, "file with settings for what is not said here; empty for none")
}

// openProject reads the project's file. One that nobody named may be missing:
// then found is false.
func openProject(flags *pflag.FlagSet, file string) (p scenarios.Project, found bool, err error) {
	if file == "" {
		return p, false, nil
	}
	p, err = scenarios.OpenProject(file)
	var faults *scenarios.FaultError
	switch {
	case err == nil:
		return p, true, nil
	case errors.As(err, &faults):
		return p, false, err // file:line: at the start of each line
	case errors.Is(err, fs.ErrNotExist) && !flags.Changed("project"):
		return p, false, nil
	}
	return p, false, &usageError{err}
}

// applyTargets fills in from the project's file where descriptions lie and how a
// git:REF is built, as far as the command line does not say it. The rest of the
// file is the caller's.
func (a *app) applyTargets(flags *pflag.FlagSet, rf *runFlags) (p scenarios.Project, found bool, err error) {
	p, found, err = openProject(flags, rf.project)
	if err != nil || !found {
		return p, false, err
	}
	fmt.Fprintf(a.stderr, "floodgate: settings from %s\n", rf.project)
	rf.git.folder = filepath.Dir(rf.project)
	if rf.git.target == "" { // the build belongs to the project's own target
		rf.git.target, rf.git.words = p.Target, p.Build
	}
	if p.Targets != "" && !flags.Changed("target-dir") {
		rf.targetDir = p.Path(p.Targets)
	}
	return p, true, nil
}

// applyProject fills in from the project's file what the command line does not
// say, and returns the scenarios to run.
func (a *app) applyProject(flags *pflag.FlagSet, args []string, rf *runFlags, jf *judgeFlags) ([]string, error) {
	p, found, err := a.applyTargets(flags, rf)
	if err != nil || !found {
		return args, err
	}
	open := func(name string) bool { return flags.Lookup(name) != nil && !flags.Changed(name) }
	text := func(name string, to *string, value string) {
		if value != "" && open(name) {
			*to = value
		}
	}
	text("baseline", &rf.baseline, p.Baseline)
	text("candidate", &rf.candidate, p.Candidate)
	text("out", &rf.out, p.Path(p.Out))
	text("rule", &jf.rule, p.Rule)
	// Both say how many pairs there are, so that one of them is enough.
	pairs := open("replicates") && !flags.Changed("max-pairs")
	if pairs && p.Replicates > 0 {
		rf.replicates = p.Replicates
	}
	if pairs && p.MaxPairs > 0 && open("max-pairs") {
		rf.looks.maxPairs = p.MaxPairs
	}
	if p.Adapt && open("adapt") {
		rf.adapt = true
	}
	if p.Confidence != nil && open("confidence") {
		jf.confidence = 100 * *p.Confidence
	}
	if p.Tolerance != nil && open("tolerance") {
		jf.tolerance = 100 * *p.Tolerance
	}
	if len(p.FailOn) > 0 && open("fail-on") {
		jf.failOn = p.FailOn
	}
	if len(args) == 0 {
		args = p.ScenarioArguments()
	}
	return args, nil
}

func (a *app) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use: "schema [" + strings.Join(scenarios.Schemas, "|") + "]", Short: "Print the JSON Schema of a kind of file, for editors",
		Long: `Schema prints the JSON Schema of scenario, target or project files. An editor
with a YAML language server offers keys and names mistakes if the first line of
a file names the schema, as in the files that floodgate init writes:

  # yaml-language-server: $schema=scenario.schema.json

The reader of floodgate is stricter than the schema: floodgate scenarios check
and floodgate targets check name every fault.`,
		Example: "  floodgate scenarios schema target > target.schema.json",
		Args:    cobra.MaximumNArgs(1), ValidArgs: scenarios.Schemas,
		RunE: func(_ *cobra.Command, args []string) error {
			schema, err := scenarios.Schema(append(args, scenarios.Schemas[0])[0])
			if err != nil {
				return &usageError{err}
			}
			_, err = a.stdout.Write(schema)
			return err
		},
	}
}

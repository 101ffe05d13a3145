package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"floodgate/internal/harness"
	"floodgate/internal/record"
	"floodgate/internal/target"
	"floodgate/regress"
	"floodgate/scenarios"
)

// bisectFlags are what a search was asked for.
type bisectFlags struct {
	runFlags
	judge     judgeFlags
	good, bad string
	settings  string // options of the variants
	mostSteps int
}

func (a *app) bisectCommand() *cobra.Command {
	f := bisectFlags{judge: defaultJudgeFlags()}
	f.judge.color = "auto" // it paints nothing
	cmd := &cobra.Command{
		Use:   "bisect SCENARIO --good REF --bad REF",
		Short: "Find the commit that made a scenario's goal worse",
		Long: `Bisect halves the commits between a good and a bad one with git bisect, and
compares each that git proposes with the good one: built, run in pairs, looked at
on the way, and ended as soon as its mark stands. A commit is bad when it has
regressed, and good when it is proved unchanged or improved. Where neither can
be told, or it does not build, it is skipped as git bisect skip does: it is never
guessed. The bad end is compared first, and the search ends there unless it has
regressed.

` + gitWords + `

The search itself has a work tree without files; a bisection of your own is not
disturbed.

Exit codes: 0 the first bad commit is found; 1 there is no regression between the
two; 2 usage; 3 it cannot be told, and the commits are listed that it could be.`,
		Example: `  floodgate bisect packed_steady_cpu --good v1.2.0 --bad main
  floodgate bisect packed_steady_cpu --good HEAD~40 --bad HEAD --target my_server --max-pairs 40 --tolerance 2`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeScenarios,
		RunE: func(cmd *cobra.Command, args []string) error {
			out := f.out
			if _, err := a.applyProject(cmd.Flags(), args, &f.runFlags, &f.judge); err != nil {
				return err
			}
			f.out = out // the project's own is for runs
			return a.bisectFor(cmd.Context(), &f, args[0])
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.good, "good", "", "commit, tag or branch to compare with")
	flags.StringVar(&f.bad, "bad", "", "later commit that is worse")
	flags.StringVar(&f.settings, "options", "", "options of the target at every commit: key=value,…")
	flags.IntVar(&f.looks.maxPairs, "max-pairs", 20, "pairs of each comparison at most; it looks four times on the way")
	flags.StringVar(&f.looks.boundary, "boundary", string(regress.Pocock), "how strict the looks are: pocock or obrien-fleming")
	flags.IntVar(&f.mostSteps, "max-steps", 30, "commits to compare at most")
	flags.Float64Var(&f.judge.confidence, "confidence", f.judge.confidence, "confidence of the intervals, in percent")
	flags.Float64Var(&f.judge.tolerance, "tolerance", f.judge.tolerance, "smallest change that matters, in percent")
	flags.StringVar(&f.judge.rule, "rule", f.judge.rule, "what a mark claims: detect or prove; see floodgate bench --help")
	flags.Uint64Var(&f.seed, "seed", 1, "seed of the orders")
	flags.StringVarP(&f.out, "out", "o", "out/bisect", "folder for the records of each commit, and bisect.json")
	flags.StringVar(&f.targetDir, "target-dir", "", "folder with descriptions of your own")
	flags.BoolVar(&f.adapt, "adapt", false, "leave out of the scenario what the target cannot do")
	f.git.add(flags)
	addProject(flags, &f.project)
	return cmd
}

// bisectFor checks what was asked for, and searches with real comparisons.
func (a *app) bisectFor(ctx context.Context, f *bisectFlags, name string) error {
	options, err := f.judge.options()
	if err != nil {
		return err
	}
	suite, err := loadScenarios([]string{name})
	if err != nil {
		return err
	}
	switch s := suite[0]; {
	case f.good == "" || f.bad == "":
		return usagef("--good and --bad are needed: the commits to search between")
	case f.mostSteps < 1 || f.mostSteps > 1000:
		return usagef("--max-steps is %d, allowed are 1 to 1000", f.mostSteps)
	case f.looks.maxPairs == 0:
		return usagef("--max-pairs is 0, allowed are 4 to %d", regress.MaxLookedPairs)
	case s.Erratic:
		return usagef("scenario %s declares its goal erratic, so that no commit would ever be called bad: choose another", s.Name)
	}
	var ends [2]target.Revision
	for i, ref := range []string{f.good, f.bad} {
		if ends[i], err = target.Resolve(ctx, f.git.folder, ref); err != nil {
			return &usageError{err}
		}
	}
	m := commitMeasurer{app: a, flags: f, suite: suite, options: options, good: ends[0].Commit}
	if err := m.prepare(ctx); err != nil {
		return err
	}
	return a.bisect(ctx, f, suite[0], ends, options, m.measure)
}

// measureCommit compares a commit with the good one. A failure of its own, such
// as that it does not build, is a comparison without a verdict and no error.
type measureCommit func(context.Context, target.Commit) (regress.Comparison, error)

// commitMeasurer compares commits by building and running them.
type commitMeasurer struct {
	app     *app
	flags   *bisectFlags
	suite   []scenarios.Scenario
	options regress.Options
	good    string
	build   harness.Variant // of the good commit, built
}

// config is the run of one commit against the good one.
func (m *commitMeasurer) config(commit string) (harness.Config, error) {
	flags := m.flags.runFlags
	variant := func(hash string) string {
		if m.flags.settings != "" {
			return "git:" + hash + ":" + m.flags.settings
		}
		return "git:" + hash
	}
	flags.baseline, flags.candidate = variant(m.good), variant(commit)
	flags.out = filepath.Join(flags.out, target.Commit{Hash: commit}.Short())
	config, err := flags.config(m.suite, bothRoles)
	if err != nil {
		return config, err
	}
	return config, flags.looks.plan(&config, 0, m.options)
}

// prepare builds the good commit: without it nothing can be compared.
func (m *commitMeasurer) prepare(ctx context.Context) error {
	config, err := m.config(m.good)
	if err != nil {
		return err
	}
	if err := prepareOut(m.flags.out); err != nil {
		return err
	}
	built := config.Variants[:1]
	if err := m.app.build(ctx, m.flags.git, built); err != nil {
		return err
	}
	m.build = built[0]
	return nil
}

func (m *commitMeasurer) measure(ctx context.Context, c target.Commit) (regress.Comparison, error) {
	none := regress.Comparison{Scenario: m.suite[0].Name, Goal: m.suite[0].Goal, Mark: regress.NoVerdict}
	config, err := m.config(c.Hash)
	if err != nil {
		return none, err
	}
	if err := m.app.build(ctx, m.flags.git, config.Variants[1:]); err != nil {
		if ctx.Err() != nil {
			return none, err
		}
		none.Reason = err.Error()
		return none, nil
	}
	config.Variants[0] = m.build
	progress := newProgress(m.app.stderr, config)
	config.OnEvent = progress.event
	records, err := harness.Run(ctx, config)
	progress.finish()
	if err != nil {
		return none, err
	}
	v := regress.Judge(regress.Input{Scenarios: m.suite, Replicates: config.Replicates, Records: records,
		Roles: []string{record.Baseline, record.Candidate}, Options: m.options})
	return v.Comparisons[0], nil
}

// bisect is the search: it asks measure about commits, tells what it found, and
// sets the exit code.
func (a *app) bisect(ctx context.Context, f *bisectFlags, s scenarios.Scenario, ends [2]target.Revision, o regress.Options, measure measureCommit) error {
	report := bisectReport{Scenario: s.Name, Goal: s.Goal.Name, Good: ends[0].Commit, Bad: ends[1].Commit, Steps: []bisectStep{}, Suspects: []string{}}
	search := target.Bisection{Dir: f.git.folder, Good: ends[0].Commit, Bad: ends[1].Commit, MostSteps: f.mostSteps,
		Ask: func(ctx context.Context, c target.Commit) (target.Answer, error) {
			comparison, err := measure(ctx, c)
			if err != nil {
				return "", err
			}
			step := bisectStep{Commit: c.Hash, Subject: c.Subject, Answer: bisectAnswer(comparison, o), comparison: comparison}
			step.fill()
			report.Steps = append(report.Steps, step)
			fmt.Fprintln(a.stdout, step)
			return step.Answer, nil
		}}
	found, searched := search.Run(ctx)
	if found.First != nil {
		report.First = found.First.Hash
	}
	for _, c := range found.Suspects {
		report.Suspects = append(report.Suspects, c.Hash)
	}
	if len(report.Steps) > 0 {
		a.code = report.tell(a.stdout, found)
		if err := report.write(filepath.Join(f.out, "bisect.json")); err != nil {
			return err
		}
	}
	return searched
}

// bisectAnswer is what a comparison with the good commit says about a commit. It
// guesses nothing: what is neither proved nor excluded is skipped.
func bisectAnswer(c regress.Comparison, o regress.Options) target.Answer {
	switch {
	case c.Confirmed(o):
		return target.BadCommit
	case c.Mark == regress.NoChange || c.Mark == regress.Improved:
		return target.GoodCommit
	}
	return target.SkipCommit
}

func (r bisectReport) write(path string) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}

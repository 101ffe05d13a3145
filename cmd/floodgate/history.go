package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"github.com/spf13/cobra"

	"floodgate/internal/history"
	"floodgate/regress"
	"floodgate/regress/changepoint"
	"floodgate/regress/trend"
	"floodgate/reports"
)

// defaultHistory is the file that is meant when none is named.
const defaultHistory = "history.jsonl"

func (a *app) historyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "history", Short: "Keep what runs came to, and show what no single run does", Args: cobra.NoArgs,
		Long: `History keeps one line of JSON for every comparison of a run, in a file that is
only ever added to: version control or an artefact store can hold it. From many
runs it shows where the level of a measure changed and what small changes come
to that no comparison tells by itself.

Keep one file for one kind of comparison. Where each run compares a commit with
the one before, the comparisons form a chain and their ratios add up; where all
compare with one release, the ratio itself is the series.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.historyAddCommand(), a.historyShowCommand())
	return cmd
}

// addFlags are the flags of history add.
type addFlags struct {
	file                string
	baseline, candidate string // commits
}

func (a *app) historyAddCommand() *cobra.Command {
	var f addFlags
	jf := defaultJudgeFlags()
	jf.color = "auto" // nothing is printed in colours
	cmd := &cobra.Command{
		Use:   "add RUN…",
		Short: "Add judged runs to a history",
		Long: `Add takes the folder of a run, whose records are judged again, or its
report.json. A comparison that the history already has is not added twice, so
that a job can be repeated. The commits are those that git:REF was built from;
where a run was made from binaries, say them.`,
		Example: `  floodgate history add out
  floodgate history add out/report.json --file perf/history.jsonl --baseline-commit "$OLD" --candidate-commit "$NEW"`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return a.historyAdd(args, f, jf) },
	}
	cmd.Flags().StringVar(&f.file, "file", defaultHistory, "the history")
	cmd.Flags().StringVar(&f.baseline, "baseline-commit", "", "commit that the baseline was built from")
	cmd.Flags().StringVar(&f.candidate, "candidate-commit", "", "commit that the candidate was built from")
	cmd.Flags().Float64Var(&jf.confidence, "confidence", jf.confidence, "confidence of the intervals, in percent, where records are judged")
	cmd.Flags().Float64Var(&jf.tolerance, "tolerance", jf.tolerance, "smallest change that matters, in percent, where records are judged")
	return cmd
}

// commitWord is what a commit can be called; a line of a history is no place for
// more.
var commitWord = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._/-]{0,99}$`)

// historyAdd adds all runs or none.
func (a *app) historyAdd(runs []string, f addFlags, jf judgeFlags) error {
	for flag, commit := range map[string]string{"--baseline-commit": f.baseline, "--candidate-commit": f.candidate} {
		if commit != "" && !commitWord.MatchString(commit) {
			return usagef("%s is %q, want the name of a commit", flag, commit)
		}
	}
	if f.file == "" {
		return usagef("--file is empty, want the file of a history")
	}
	options, err := jf.options()
	if err != nil {
		return err
	}
	var lines []history.Line
	for _, run := range runs {
		v, origin, err := judgedRun(run, options)
		if err != nil {
			return err
		}
		if f.baseline != "" {
			origin.Baseline.Commit = f.baseline
		}
		if f.candidate != "" {
			origin.Candidate.Commit = f.candidate
		}
		of, err := trend.Lines(v, origin)
		if err != nil {
			return usagef("%s: %w", run, err)
		}
		lines = append(lines, of...)
	}
	added, warnings, err := history.Append(f.file, lines)
	if err != nil {
		return &usageError{err}
	}
	a.warn(warnings)
	fmt.Fprintf(a.stdout, "%s: %d added, %d there already\n", f.file, added, len(lines)-added)
	return nil
}

func (a *app) warn(warnings []string) {
	for _, w := range warnings {
		fmt.Fprintf(a.stderr, "floodgate: warning: %s\n", w)
	}
}

// judgedRun is the verdict of a run with its origin: read from its report, or
// judged from its records.
func judgedRun(run string, options regress.Options) (regress.Verdict, trend.Origin, error) {
	var none trend.Origin
	info, err := os.Stat(run)
	if err != nil {
		return regress.Verdict{}, none, usagef("cannot add %s: %w", run, errors.Unwrap(err))
	}
	if !info.IsDir() {
		f, err := os.Open(run)
		if err != nil {
			return regress.Verdict{}, none, &usageError{err}
		}
		defer f.Close()
		v, origin, err := reports.ReadJSON(f)
		if err != nil {
			return v, none, usagef("cannot add %s: %w: want the folder of a run or its report.json", run, err)
		}
		return v, origin, nil
	}
	records, plan, err := readRun(run)
	if err != nil {
		return regress.Verdict{}, none, err
	}
	suite, replicates, err := regress.ScenariosOf(records, plan)
	if err != nil {
		return regress.Verdict{}, none, &usageError{err}
	}
	v := regress.Judge(regress.Input{Scenarios: suite, Replicates: replicates, Records: records, Roles: rolesOf(records, plan), Options: options})
	return v, trend.OriginOf(records), nil
}

// showFlags are the flags of history show.
type showFlags struct {
	file      string
	html      string
	last      int
	tolerance float64 // in percent
	alarms    float64 // in percent
	seed      uint64
	color     string
	failOn    string
}

// failOnDrift is what --fail-on of history show may be.
const failOnDrift = "drift"

func (a *app) historyShowCommand() *cobra.Command {
	var f showFlags
	o := trend.DefaultOptions()
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show a history: its course, changes of level, slow drifts",
		Long: `Show searches the series of every scenario, measure and host for changes of
level (E-divisive, with a permutation test) and for drifts, and prints what it
found with the latest comparisons. It needs at least 6 runs of a series, and 3
comparisons of a chain. It decides nothing, because whatever it shows comes some
runs late.

Unless it is asked to: with --fail-on drift it exits with 1 where what was found
last in any series is worse by the tolerance or more, for as long as no later
finding takes its place, and with 3 where no series could be searched.`,
		Example: `  floodgate history show
  floodgate history show --file perf/history.jsonl --html out/history.html --last 20
  floodgate history show --fail-on drift --tolerance 3`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return a.historyShow(f) },
	}
	cmd.Flags().StringVar(&f.file, "file", defaultHistory, "the history")
	cmd.Flags().StringVar(&f.html, "html", "", "also write a page with charts")
	cmd.Flags().IntVar(&f.last, "last", 10, "comparisons of each series to list")
	cmd.Flags().Float64Var(&f.tolerance, "tolerance", defaultJudgeFlags().tolerance, "smallest change that matters, in percent, shaded in the charts")
	cmd.Flags().StringVar(&f.failOn, "fail-on", "", "drift fails where the latest finding of a series is worse by the tolerance")
	cmd.Flags().Float64Var(&f.alarms, "false-alarms", 100*o.Significance, "probability of finding anything in ratios, or in levels, that never change, in percent")
	cmd.Flags().Uint64Var(&f.seed, "seed", o.Seed, "seed of the permutation test")
	cmd.Flags().StringVar(&f.color, "color", "auto", "auto, always or never")
	return cmd
}

// options checks the flags and returns the search that they ask for.
func (f *showFlags) options() (changepoint.Options, error) {
	o := trend.DefaultOptions()
	o.Seed, o.Significance = f.seed, f.alarms/100
	switch {
	case !(f.alarms >= 0.2 && f.alarms <= 50):
		return o, usagef("--false-alarms is %v, allowed are 0.2 to 50 percent", f.alarms)
	case !(f.tolerance >= 0 && f.tolerance < 100):
		return o, usagef("--tolerance is %v, allowed are 0 to below 100 percent", f.tolerance)
	case f.last < 0:
		return o, usagef("--last is %d, allowed are 0 and more", f.last)
	case f.failOn != "" && f.failOn != failOnDrift:
		return o, usagef("--fail-on is %q, allowed is drift", f.failOn)
	case f.color != "auto" && f.color != "always" && f.color != "never":
		return o, usagef("--color is %q, allowed are auto, always and never", f.color)
	}
	if err := o.Validate(); err != nil {
		return o, &usageError{err}
	}
	return o, nil
}

func (a *app) historyShow(f showFlags) error {
	o, err := f.options()
	if err != nil {
		return err
	}
	lines, warnings, err := history.Read(f.file)
	if errors.Is(err, fs.ErrNotExist) {
		return usagef("%w: floodgate history add RUN --file %s begins it", err, f.file)
	}
	if err != nil {
		return &usageError{err}
	}
	h := reports.Trends{Source: f.file, Version: version(), Tolerance: f.tolerance / 100, Series: trend.Analyse(lines, o), Warnings: warnings}
	if f.html != "" {
		var page bytes.Buffer
		if err := reports.TrendsHTML(&page, h); err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(f.html), 0o755); err != nil {
			return usagef("--html: %w", err)
		}
		if err := os.WriteFile(f.html, page.Bytes(), 0o644); err != nil {
			return usagef("--html: %w", err)
		}
	}
	err = reports.TrendsTerminal(a.stdout, h, f.last, reports.TerminalOptions{Color: useColor(f.color, a.stdout), Width: width(a.stdout)})
	if err != nil {
		return fmt.Errorf("cannot print the history: %w", err)
	}
	if f.failOn == failOnDrift {
		decision := trend.Judge(h.Series, h.Tolerance)
		a.code = exitCode(decision)
		fmt.Fprintf(a.stderr, "%s\n", decision.Outcome)
		for _, reason := range decision.Reasons {
			fmt.Fprintf(a.stderr, "  %s\n", reason)
		}
	}
	if f.html != "" {
		fmt.Fprintf(a.stdout, "\nThe charts are in %s\n", f.html)
	}
	return nil
}

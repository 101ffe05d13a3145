package main

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/perf/benchfmt"

	"floodgate/regress"
	"floodgate/regress/benchstat"
)

// benchstatFlags are the flags of benchstat, and those that are only ours.
type benchstatFlags struct {
	options benchstat.Options
	format  string
	failOn  string
	holm    bool
}

var benchstatFormats = []string{"text", "csv", "markdown", "html"}

func (a *app) benchstatCommand() *cobra.Command {
	f := benchstatFlags{options: benchstat.DefaultOptions()}
	cmd := &cobra.Command{
		Use:   "benchstat [NAME=]FILE…",
		Short: "Compare Go benchmark logs, and fail on regressions",
		Long: `Benchstat compares benchmarks of Go logs (go test -bench, or the bench.txt of
a run): medians with intervals, changes against the first file with p and n,
geometric means. Text and csv are exactly what golang.org/x/perf/cmd/benchstat
prints, and its command line is taken as it is, also with single dashes.

A file is a path, - for standard input, or NAME=PATH to name its column.
Expressions of -table, -row, -col, -ignore and -filter are explained at
https://pkg.go.dev/golang.org/x/perf/benchproc/syntax.

--fail-on takes rules with commas between them. "regression" is any significant
change for the worse, ">5%" one of more than 5 %, "allocs/op>0%" one in that unit
only: there it stands in for the rule without a unit. The reasons go to stderr.
Worse is up for sec/op, B/op and allocs/op, down for B/s; of other units a line
"Unit NAME better=lower" of the log says it, and without one any change counts.
Nothing passes unjudged: a benchmark that is missing in a later file, malformed
lines, or too few runs for any difference to be significant are exit code 3.

Exit codes: 0 fine; 1 a rule is broken; 2 usage, or a file that cannot be opened;
3 a file without results, or, with --fail-on, something could not be judged.`,
		Example: `  go test -run '^$' -bench . -count 10 > old.txt
  floodgate benchstat old.txt new.txt
  floodgate benchstat -col /codec -row .name new.txt
  floodgate benchstat --fail-on '>5%,allocs/op>0%' old.txt new.txt
  floodgate benchstat --format html before=old.txt after=new.txt > table.html
  floodgate benchstat -col variant out/bench.txt`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return a.benchstat(f, args) },
	}
	flags, o := cmd.Flags(), &f.options
	flags.StringVar(&o.Table, "table", o.Table, "make a table for each value of `KEYS`")
	flags.StringVar(&o.Row, "row", o.Row, "make a row for each value of `KEYS`")
	flags.StringVar(&o.Col, "col", o.Col, "compare the values of `KEYS`, each in a column")
	flags.StringVar(&o.Ignore, "ignore", o.Ignore, "pay no attention to `KEYS`")
	flags.StringVar(&o.Filter, "filter", o.Filter, "use only what matches `QUERY`")
	flags.Float64Var(&o.Alpha, "alpha", o.Alpha, "call a change significant up to this p")
	flags.Float64Var(&o.Confidence, "confidence", o.Confidence, "confidence of the intervals, as a share")
	flags.StringVar(&f.format, "format", "text", "text, csv, markdown or html")
	flags.StringVar(&f.failOn, "fail-on", "", "exit with 1 if a change breaks one of these `RULES`")
	flags.BoolVar(&f.holm, "holm", false, "with --fail-on: correct p for the number of comparisons")
	err := cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(benchstatFormats, cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic(err) // there is no such flag
	}
	return cmd
}

// benchstat prints the tables of files and, with rules, sets the exit code.
func (a *app) benchstat(f benchstatFlags, paths []string) error {
	rules, err := f.validate()
	if err != nil {
		return err
	}
	report, err := benchstat.Read(&benchfmt.Files{Paths: paths, AllowStdin: true, AllowLabels: true}, f.options)
	for _, warning := range report.Warnings {
		fmt.Fprintln(a.stderr, warning)
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return usagef("cannot read benchmarks: %w", err)
	}
	if err != nil {
		return fmt.Errorf("cannot read benchmarks: %w", err)
	}
	var decision *regress.Decision
	if rules != nil {
		d := report.Judge(*rules)
		decision = &d
		a.code = exitCode(d)
	}
	if err := a.printTables(report, f.format, decision); err != nil {
		return fmt.Errorf("cannot print the tables: %w", err)
	}
	if decision != nil {
		fmt.Fprintf(a.stderr, "%s\n", decision.Outcome)
		for _, reason := range decision.Reasons {
			fmt.Fprintf(a.stderr, "  %s\n", reason)
		}
	}
	return emptyFiles(report, paths)
}

// validate checks the flags, and returns the rules if there are any.
func (f benchstatFlags) validate() (*benchstat.Rules, error) {
	if !slices.Contains(benchstatFormats, f.format) {
		return nil, usagef("--format is %q, allowed are text, csv, markdown and html", f.format)
	}
	if err := f.options.Validate(); err != nil {
		return nil, &usageError{err}
	}
	if f.failOn == "" {
		if f.holm {
			return nil, usagef("--holm changes nothing without --fail-on")
		}
		return nil, nil
	}
	rules, err := benchstat.ParseRules(f.failOn)
	if err != nil {
		return nil, usagef("--fail-on: %w", err)
	}
	rules.Holm = f.holm
	return &rules, nil
}

func (a *app) printTables(r *benchstat.Report, format string, decision *regress.Decision) error {
	switch format {
	case "csv":
		return r.CSV(a.stdout, a.stderr)
	case "markdown":
		return r.Markdown(a.stdout, decision)
	case "html":
		return r.HTML(a.stdout, decision)
	}
	return r.Text(a.stdout)
}

// emptyFiles is an error about files that have no benchmark line at all: a log of
// something that did not build, most often.
func emptyFiles(r *benchstat.Report, paths []string) error {
	var empty []string
	for _, path := range paths {
		if _, unlabelled, labelled := strings.Cut(path, "="); labelled {
			path = unlabelled
		}
		if r.Records[path] == 0 {
			empty = append(empty, path)
		}
	}
	if len(empty) == 0 {
		return nil
	}
	return fmt.Errorf("cannot compare all files: no benchmark results in %s", strings.Join(empty, ", "))
}

// goDashes lets benchstat take its flags as the original does: -col .file, with
// one dash. The others of our commands are not concerned.
func goDashes(root *cobra.Command, args []string) []string {
	if len(args) == 0 || args[0] != "benchstat" {
		return args
	}
	cmd, _, err := root.Find(args[:1])
	if err != nil {
		return args
	}
	out := slices.Clone(args)
	for i := 0; i < len(out) && out[i] != "--"; i++ {
		name, single := strings.CutPrefix(out[i], "-")
		if !single {
			continue
		}
		name = strings.TrimPrefix(name, "-")
		name, _, hasValue := strings.Cut(name, "=")
		if name == "help" {
			out[i] = "--help"
		}
		flag := cmd.Flags().Lookup(name)
		if flag == nil {
			continue
		}
		out[i] = "--" + strings.TrimLeft(out[i], "-")
		if !hasValue && flag.NoOptDefVal == "" {
			i++ // whatever it looks like, it is the value
		}
	}
	return out
}

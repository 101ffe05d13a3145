package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"floodgate/internal/record"
	"floodgate/regress"
	"floodgate/reports"
	"floodgate/scenarios"
)

// show writes every report into out, prints the comparison, and keeps the
// decision as the exit code. A disk that is full does not keep it from printing.
func (a *app) show(verdict regress.Verdict, records []*record.Record, suite []scenarios.Scenario, out string, jf judgeFlags) error {
	r := reports.Report{Command: commandLine(), Version: version(), Verdict: verdict, Records: records, Scenarios: suite}
	a.code = exitCode(verdict.Decision)
	unwritten := writeReports(reportFiles, r, out)
	if err := reports.Terminal(a.stdout, r, reports.TerminalOptions{Color: useColor(jf.color, a.stdout), Width: width(a.stdout)}); err != nil {
		return errors.Join(unwritten, fmt.Errorf("cannot print the comparison: %w", err))
	}
	if unwritten != nil {
		return unwritten
	}
	fmt.Fprintf(a.stdout, "\nThe full report is %s\n", filepath.Join(out, "report.html"))
	return nil
}

// reportFiles are the reports of a run, by the names of their files.
var reportFiles = map[string]func(io.Writer, reports.Report) error{
	"report.html": reports.HTML,
	"report.md":   reports.Markdown,
	"report.json": reports.JSON,
	"junit.xml":   reports.JUnit,
	"bench.txt":   func(w io.Writer, r reports.Report) error { return record.BenchLines(w, r.Records) },
}

// writeReports writes each report of a kind into out.
func writeReports[R any](files map[string]func(io.Writer, R) error, r R, out string) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return fmt.Errorf("cannot write reports: %w", err)
	}
	for name, render := range files {
		var b bytes.Buffer
		if err := render(&b, r); err != nil {
			return fmt.Errorf("cannot render %s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(out, name), b.Bytes(), 0o644); err != nil {
			return fmt.Errorf("cannot write reports: %w", err)
		}
	}
	return nil
}

// prepareOut finds out before anything is measured that a folder cannot be
// written to. It removes the reports of an earlier run: beside the records of
// one that is interrupted they would tell of something else.
func prepareOut(out string) error {
	if out == "" {
		return usagef("--out is empty, want a folder")
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return usagef("cannot use --out: %w", err)
	}
	if err := removeReports(reportFiles, out); err != nil {
		return err
	}
	probe, err := os.CreateTemp(out, ".probe")
	if err != nil {
		return usagef("cannot use --out: %w", err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// removeReports removes the reports of a kind that an earlier run left in out.
func removeReports[R any](files map[string]func(io.Writer, R) error, out string) error {
	for name := range files {
		if err := os.Remove(filepath.Join(out, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return usagef("cannot use --out: %w", err)
		}
	}
	return nil
}

func (a *app) reportCommand() *cobra.Command {
	var jf judgeFlags
	var out string
	cmd := &cobra.Command{
		Use:   "report DIR…",
		Short: "Judge the records of a run again and render its reports",
		Long: `Report judges the records in a folder as the run that wrote them did, and renders
the reports. The records of a run whose load was shared may lie in several
folders, one for each shard: all of them are named, and the shards of a replicate
are merged before they are judged. What the run planned, as its plan.json says, and
left no record is missing, and missing data never pass.`,
		Example: `  floodgate report out
  floodgate report out --confidence 95 --tolerance 2
  floodgate report shard-1 shard-2 shard-3 --out all`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if info, err := os.Stat(args[0]); err == nil && !info.IsDir() && out == "" {
				return usagef("%s is a file: name a folder for the reports with --out", args[0])
			}
			records, plan, err := readRun(args...)
			if err != nil {
				return err
			}
			return a.judge(records, plan, rolesOf(records, plan), false, cmp.Or(out, args[0]), jf)
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "", "folder for the reports (default: the first of the records)")
	jf.add(cmd.Flags())
	return cmd
}

func (a *app) compareCommand() *cobra.Command {
	var jf judgeFlags
	var out string
	cmd := &cobra.Command{
		Use:   "compare BASELINE-DIR[,DIR…] CANDIDATE-DIR[,DIR…]",
		Short: "Compare the records of two runs",
		Long: `Compare takes the candidate's records of each folder (or, where there are none,
the baseline's) and judges the second folder's against the first's. Runs made
apart have no pairs: they are compared as two samples (Welch's interval on the
logarithms), which may have different numbers of replicates. Two runs made one
after the other are not a fair order: the verdict carries a warning, and bench is
the better way.

A side whose load was shared has the folders of all its shards, with commas
between them. What one of the runs planned and neither has a record of is missing.`,
		Example: `  floodgate run burst_300k --out before
  floodgate run burst_300k --out after
  floodgate compare before after
  floodgate compare before-1,before-2 after-1,after-2`,
		Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			var records []*record.Record
			var runs []string
			for i, role := range bothRoles {
				dirs := folders(args[i])
				side, err := readRecords(dirs...)
				if err != nil {
					return err
				}
				records, runs = append(records, as(role, side)...), append(runs, dirs...)
			}
			plan, err := record.ReadPlan(runs...)
			if err != nil {
				return &usageError{err}
			}
			return a.judge(records, plan, bothRoles, true, out, jf)
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "out/compare", "folder for the reports")
	jf.add(cmd.Flags())
	return cmd
}

func readRecords(dirs ...string) ([]*record.Record, error) {
	records, err := record.ReadDir(dirs...)
	if err != nil {
		return nil, &usageError{err}
	}
	if len(records) == 0 {
		return nil, usagef("no records in %s: want a folder that bench or run wrote", strings.Join(dirs, ", "))
	}
	return records, nil
}

// readRun is readRecords with the plan that they were made by; nil where it was
// not kept. With one there may be no records: they are missing then.
func readRun(dirs ...string) ([]*record.Record, *record.Plan, error) {
	plan, err := record.ReadPlan(dirs...)
	if err != nil {
		return nil, nil, &usageError{err}
	}
	if plan == nil {
		records, err := readRecords(dirs...)
		return records, nil, err
	}
	records, err := record.ReadDir(dirs...)
	if err != nil {
		return nil, nil, &usageError{err}
	}
	return records, plan, nil
}

// folders takes apart the folders of one side. The name of a folder may have
// commas too.
func folders(side string) []string {
	if _, err := os.Stat(side); err == nil {
		return []string{side}
	}
	return strings.Split(side, ",")
}

// as gives the candidates of a run, or its baselines if it has no others, a
// role in another comparison. They ran apart from the other side's, and the
// order says so.
func as(role string, records []*record.Record) []*record.Record {
	from := record.Baseline
	for _, r := range records {
		if r.Variant.Role == record.Candidate {
			from = record.Candidate
		}
	}
	var taken []*record.Record
	for _, r := range records {
		if r.Variant.Role == from {
			r.Variant.Role, r.Order.First = role, record.Baseline
			taken = append(taken, r)
		}
	}
	return taken
}

var bothRoles = []string{record.Baseline, record.Candidate}

// rolesOf are the roles that were planned when the records were made, as they and
// the plan keep them: where all records of one side are gone, what is left must not be
// taken for a run of one variant.
func rolesOf(records []*record.Record, plan *record.Plan) []string {
	if plan != nil && slices.ContainsFunc(plan.Variants, func(v record.Variant) bool { return v.Role == record.Baseline }) {
		return bothRoles
	}
	for _, r := range records {
		if r.Variant.Role == record.Baseline || slices.Contains(r.Order.Roles, record.Baseline) {
			return bothRoles
		}
	}
	return []string{record.Candidate}
}

// judge judges records alone: their scenarios are in them, and in the plan if it
// is not nil. apart says that the roles come from two runs.
func (a *app) judge(records []*record.Record, plan *record.Plan, roles []string, apart bool, out string, jf judgeFlags) error {
	options, err := jf.options()
	if err != nil {
		return err
	}
	suite, replicates, err := regress.ScenariosOf(records, plan)
	if err != nil {
		return &usageError{err}
	}
	verdict := regress.Judge(regress.Input{Scenarios: suite, Replicates: replicates, Records: records, Roles: roles, Apart: apart, Options: options})
	return a.show(verdict, records, suite, out, jf)
}

// isTerminal reports whether a person reads w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// width is how many columns w has; 0 where nobody can tell.
func width(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil {
			return columns
		}
	}
	return 0
}

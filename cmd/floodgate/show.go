package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

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
	unwritten := writeReports(r, out)
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

func writeReports(r reports.Report, out string) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return fmt.Errorf("cannot write reports: %w", err)
	}
	for name, render := range reportFiles {
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
	for name := range reportFiles {
		if err := os.Remove(filepath.Join(out, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return usagef("cannot use --out: %w", err)
		}
	}
	probe, err := os.CreateTemp(out, ".probe")
	if err != nil {
		return usagef("cannot use --out: %w", err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

func (a *app) reportCommand() *cobra.Command {
	var jf judgeFlags
	cmd := &cobra.Command{
		Use:   "report DIR",
		Short: "Judge the records of a run again and render its reports",
		Example: `  floodgate report out
  floodgate report out --confidence 95 --tolerance 2`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			records, err := readRecords(args[0])
			if err != nil {
				return err
			}
			return a.judge(records, rolesOf(records), false, args[0], jf)
		},
	}
	jf.add(cmd.Flags())
	return cmd
}

func (a *app) compareCommand() *cobra.Command {
	var jf judgeFlags
	var out string
	cmd := &cobra.Command{
		Use:   "compare BASELINE-DIR CANDIDATE-DIR",
		Short: "Compare the records of two runs",
		Long: `Compare takes the candidate's records of each folder (or, where there are none,
the baseline's) and judges the second folder's against the first's. Runs made
apart have no pairs: they are compared as two samples (Welch's interval on the
logarithms), which may have different numbers of replicates. Two runs made one
after the other are not a fair order: the verdict carries a warning, and bench is
the better way.`,
		Example: `  floodgate run burst_300k --out before
  floodgate run burst_300k --out after
  floodgate compare before after`,
		Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			var records []*record.Record
			for i, role := range bothRoles {
				side, err := readRecords(args[i])
				if err != nil {
					return err
				}
				records = append(records, as(role, side)...)
			}
			return a.judge(records, bothRoles, true, out, jf)
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "out/compare", "folder for the reports")
	jf.add(cmd.Flags())
	return cmd
}

func readRecords(dir string) ([]*record.Record, error) {
	records, err := record.ReadDir(dir)
	if err != nil {
		return nil, &usageError{err}
	}
	if len(records) == 0 {
		return nil, usagef("no records in %s: want a folder that bench or run wrote", dir)
	}
	return records, nil
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

// rolesOf are the roles that were planned when the records were made, as they
// keep them: where all records of one side are gone, what is left must not be
// taken for a run of one variant.
func rolesOf(records []*record.Record) []string {
	for _, r := range records {
		if r.Variant.Role == record.Baseline || slices.Contains(r.Order.Roles, record.Baseline) {
			return bothRoles
		}
	}
	return []string{record.Candidate}
}

// judge judges records alone: their scenarios are in them. apart says that the
// roles come from two runs.
func (a *app) judge(records []*record.Record, roles []string, apart bool, out string, jf judgeFlags) error {
	options, err := jf.options()
	if err != nil {
		return err
	}
	suite, replicates, err := regress.ScenariosOf(records)
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

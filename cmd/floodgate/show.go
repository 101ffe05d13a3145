package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"floodgate/internal/record"
	"floodgate/regress"
	"floodgate/reports"
	"floodgate/scenarios"
)

// show writes every report into out, prints the comparison, and keeps the
// decision as the exit code.
func (a *app) show(verdict regress.Verdict, records []*record.Record, suite []scenarios.Scenario, out string, jf judgeFlags) error {
	r := reports.Report{Command: commandLine(), Version: version(), Verdict: verdict, Records: records, Scenarios: suite}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return fmt.Errorf("cannot write reports: %w", err)
	}
	for name, render := range map[string]func(io.Writer) error{
		"report.html": func(w io.Writer) error { return reports.HTML(w, r) },
		"report.md":   func(w io.Writer) error { return reports.Markdown(w, r) },
		"report.json": func(w io.Writer) error { return reports.JSON(w, r) },
		"junit.xml":   func(w io.Writer) error { return reports.JUnit(w, r) },
		"bench.txt":   func(w io.Writer) error { return record.BenchLines(w, records) },
	} {
		var b bytes.Buffer
		if err := render(&b); err != nil {
			return fmt.Errorf("cannot render %s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(out, name), b.Bytes(), 0o644); err != nil {
			return fmt.Errorf("cannot write reports: %w", err)
		}
	}
	if err := reports.Terminal(a.stdout, r, reports.TerminalOptions{Color: useColor(jf.color, a.stdout), Width: width(a.stdout)}); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "\nThe full report is %s\n", filepath.Join(out, "report.html"))
	a.code = exitCode(verdict.Decision)
	return nil
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
			return a.judge(records, args[0], jf)
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
the baseline's) and judges the second folder's against the first's. Replicates
are paired by their number. Two runs made one after the other are not a fair
order: the verdict carries a warning, and bench is the better way.`,
		Example: `  floodgate run burst_300k --out before
  floodgate run burst_300k --out after
  floodgate compare before after`,
		Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			var records []*record.Record
			for i, role := range []string{record.Baseline, record.Candidate} {
				side, err := readRecords(args[i])
				if err != nil {
					return err
				}
				records = append(records, as(role, side)...)
			}
			return a.judge(records, out, jf)
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "out", "folder for the reports")
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

// judge judges records alone: their scenarios are in them.
func (a *app) judge(records []*record.Record, out string, jf judgeFlags) error {
	options, err := jf.options()
	if err != nil {
		return err
	}
	suite, replicates, err := regress.ScenariosOf(records)
	if err != nil {
		return &usageError{err}
	}
	verdict := regress.Judge(regress.Input{Scenarios: suite, Replicates: replicates, Records: records, Options: options})
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

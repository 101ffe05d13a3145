package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"floodgate/internal/harness"
	"floodgate/internal/record"

	"floodgate/regress/calibration"
	"floodgate/reports"
	"floodgate/scenarios"
)

// calibrateFlags are what a calibration was asked for.
type calibrateFlags struct {
	runFlags
	judge    judgeFlags
	blocks   bool
	slices   []string  // lengths; empty for none
	planted  []float64 // in percent
	within   time.Duration
	markdown bool
	svg      string
}

func (a *app) calibrateCommand() *cobra.Command {
	f := calibrateFlags{judge: defaultJudgeFlags()}
	cmd := &cobra.Command{
		Use:   "calibrate SCENARIO",
		Short: "Measure what this machine can see of a scenario: the spread of A/A pairs, in blocks and woven",
		Long: `Calibrate compares one variant with itself, in blocks and woven in slices of
several lengths, one pair of each in turn, so that a slow hour falls on all of
them alike. The spread of the log ratios is what a real change has to stand out
of: from it follow the smallest change that 10 pairs find with 90 % power, the
pairs that settle the tolerance, and whether the goal is as erratic as the
scenario declares.

With --planted it also compares the variant with itself plus that percentage of
CPU time, in every order, and shows what each finds of it: an order that sees
much and finds something else is biased. Only a target with the option ballast
can do that, as the reference server has.

The records of each order are kept below --out, under the scenario's name with
the order behind it, together with calibration.html, calibration.json,
calibration.md and calibration.svg. An interrupted calibration keeps what it has.

` + targetWords,
		Example: `  floodgate calibrate packed_steady_cpu
  floodgate calibrate packed_steady_cpu --slices 25ms,50ms --planted 2,5 --pairs 20
  floodgate calibrate packed_steady_cpu --markdown --svg weaving.svg
  floodgate calibrate burst_300k --slices 50ms --target target:statsd_exporter`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeScenarios,
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, _, err := a.applyTargets(cmd.Flags(), &f.runFlags); err != nil {
				return err
			}
			return a.calibrate(cmd.Context(), &f, args[0])
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.baseline, "target", "refserver", "variant to compare with itself")
	flags.IntVarP(&f.replicates, "pairs", "n", 10, "pairs of each order")
	flags.BoolVar(&f.blocks, "blocks", true, "also measure pairs in blocks, one replicate after the other")
	flags.StringSliceVar(&f.slices, "slices", []string{"10ms", "25ms", "50ms", "100ms", "200ms"},
		"lengths of the slices of woven pairs; empty for none")
	flags.Float64SliceVar(&f.planted, "planted", nil, "also plant so much CPU time, in percent, in every order")
	flags.DurationVar(&f.within, "within", 2*time.Hour, "end after so long, with what is done by then")
	flags.Uint64Var(&f.seed, "seed", 1, "seed of the orders")
	flags.StringVarP(&f.out, "out", "o", "out/calibrate", "folder for records and reports")
	flags.StringVar(&f.svg, "svg", "", "also write the picture to this file")
	flags.BoolVar(&f.markdown, "markdown", false, "print Markdown to paste into a page, instead of text")
	flags.Float64Var(&f.judge.confidence, "confidence", f.judge.confidence, "confidence of the intervals, in percent")
	flags.Float64Var(&f.judge.tolerance, "tolerance", f.judge.tolerance, "smallest change that matters, in percent")
	flags.StringVar(&f.refserver, "refserver", "", "the reference server's program (default: beside floodgate)")
	flags.StringVar(&f.targetDir, "target-dir", "", "folder with descriptions of your own for target:NAME")
	flags.BoolVar(&f.adapt, "adapt", false, "leave out of the scenario what the target cannot do")
	addProject(flags, &f.project)
	f.judge.addColor(flags)
	return cmd
}

// calibrate is the whole command: plan, measure, show what there is.
func (a *app) calibrate(ctx context.Context, f *calibrateFlags, name string) error {
	options, err := f.judge.options()
	if err != nil {
		return err
	}
	s, arms, err := f.arms(name)
	if err != nil {
		return err
	}
	config, err := f.plan(arms)
	if err != nil {
		return err
	}
	if err := f.prepare(); err != nil {
		return err
	}
	if err := a.buildAll(ctx, f.git, config); err != nil {
		return err
	}
	progress := newProgress(a.stderr, config)
	config.OnEvent = progress.event
	until, cancel := context.WithTimeout(ctx, f.within)
	defer cancel()
	records, measured := harness.Run(until, config)
	progress.finish()
	switch {
	case len(records) == 0 && errors.Is(measured, context.DeadlineExceeded):
		return fmt.Errorf("cannot calibrate %s within %v: no replicate ended, give it longer with --within", s.Name, f.within)
	case len(records) == 0 && measured != nil:
		return measured
	}
	c := reports.Calibration{Command: commandLine(), Version: version(), Calibration: calibration.Of(calibration.Input{
		Scenario: s, Arms: arms, Pairs: f.replicates, Records: records, Options: options})}
	if c.Missing > 0 {
		a.code = exitUnmeasured
	}
	if err := f.show(a, c); err != nil {
		return err
	}
	if errors.Is(measured, context.DeadlineExceeded) && ctx.Err() == nil {
		fmt.Fprintf(a.stderr, "floodgate: ended after %v, with what was done by then\n", f.within)
		return nil
	}
	return measured
}

// arms checks what was asked for and returns the scenario in all its orders.
func (f *calibrateFlags) arms(name string) (scenarios.Scenario, []calibration.Arm, error) {
	s, err := scenarios.Open(name)
	if err != nil {
		return s, nil, &usageError{err}
	}
	switch {
	case f.replicates < 2 || f.replicates > 1000:
		return s, nil, usagef("--pairs is %d, allowed are 2 to 1000", f.replicates)
	case f.within <= 0:
		return s, nil, usagef("--within is %v, want more than 0", f.within)
	case len(f.planted) > 0 && !slices.Contains(cpuMeasures, s.Goal.Name):
		return s, nil, usagef("--planted burns CPU time, and the goal of %s is %s: want a scenario with one of %v", s.Name, s.Goal.Name, cpuMeasures)
	}
	for _, percent := range f.planted {
		if !(percent > 0 && percent <= 1000) {
			return s, nil, usagef("--planted has %v, allowed are more than 0 and at most 1000 percent", percent)
		}
	}
	var lengths []time.Duration
	for _, text := range f.slices {
		length, err := scenarios.ParseDuration(text)
		if err != nil {
			return s, nil, usagef("--slices: %w", err)
		}
		if length < scenarios.MinSlice || length > scenarios.MaxSlice {
			return s, nil, usagef("--slices has %v, allowed are %v to %v", length, scenarios.MinSlice, scenarios.MaxSlice)
		}
		lengths = append(lengths, length)
	}
	arms, err := calibration.Arms(s, f.blocks, lengths, f.planted)
	if err != nil {
		return s, nil, usagef("%v", err) // flat: the file that it names is a copy which exists nowhere
	}
	return s, arms, nil
}

// cpuMeasures are the goals on which planted CPU time shows as it is.
var cpuMeasures = []string{"cpu_per_message", "cpu_seconds", "cpu_millicores"}

// plan is the run: every arm a scenario of its own, with the planted variant as
// the candidate of those that have one.
func (f *calibrateFlags) plan(arms []calibration.Arm) (harness.Config, error) {
	var suite []scenarios.Scenario
	for _, arm := range arms {
		suite = append(suite, arm.Copy)
	}
	flags := f.runFlags
	flags.candidate = f.baseline
	finder, err := flags.finder()
	if err != nil {
		return harness.Config{}, err
	}
	if _, err := finder.Variant(record.Baseline, f.baseline); err != nil {
		return harness.Config{}, usagef("--target: %w", err)
	}
	config, err := flags.config(suite, bothRoles)
	if err != nil {
		return config, err
	}
	config.Candidates = map[string]harness.Variant{}
	for _, arm := range arms {
		if arm.Planted == 0 {
			continue
		}
		v, err := finder.Variant(record.Candidate, withOption(f.baseline, fmt.Sprintf("ballast=%.10g", 100*arm.Planted)))
		if err != nil {
			return config, usagef("--planted: %w", err)
		}
		config.Candidates[arm.Copy.Name] = v
	}
	if err := config.Validate(); err != nil {
		return config, &usageError{err}
	}
	return config, nil
}

// buildAll builds the variants of a run that come from a commit.
func (a *app) buildAll(ctx context.Context, f gitFlags, config harness.Config) error {
	if err := a.build(ctx, f, config.Variants); err != nil {
		return err
	}
	for name, v := range config.Candidates {
		built := []harness.Variant{v}
		if err := a.build(ctx, f, built); err != nil {
			return err
		}
		config.Candidates[name] = built[0]
	}
	return nil
}

// calibrationFiles are the reports of a calibration, by the names of their files.
var calibrationFiles = map[string]func(io.Writer, reports.Calibration) error{
	"calibration.html": reports.CalibrationHTML,
	"calibration.json": reports.CalibrationJSON,
	"calibration.md":   reports.CalibrationMarkdown,
	"calibration.svg":  reports.CalibrationSVG,
}

// prepare finds out before anything is measured what cannot be written, and
// removes the reports of an earlier calibration.
func (f *calibrateFlags) prepare() error {
	if err := prepareOut(f.out); err != nil {
		return err
	}
	if err := removeReports(calibrationFiles, f.out); err != nil {
		return err
	}
	if f.svg == "" {
		return nil
	}
	file, err := os.OpenFile(f.svg, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return usagef("cannot use --svg: %w", err)
	}
	return file.Close()
}

// show writes the reports and prints the table.
func (f *calibrateFlags) show(a *app, c reports.Calibration) error {
	if err := writeReports(calibrationFiles, c, f.out); err != nil {
		return err
	}
	if f.svg != "" {
		picture := map[string]func(io.Writer, reports.Calibration) error{filepath.Base(f.svg): reports.CalibrationSVG}
		if err := writeReports(picture, c, filepath.Dir(f.svg)); err != nil {
			return err
		}
	}
	if f.markdown {
		return reports.CalibrationMarkdown(a.stdout, c)
	}
	if err := reports.CalibrationTerminal(a.stdout, c, reports.TerminalOptions{Color: useColor(f.judge.color, a.stdout), Width: width(a.stdout)}); err != nil {
		return fmt.Errorf("cannot print the calibration: %w", err)
	}
	fmt.Fprintf(a.stdout, "\nThe full report is %s\n", filepath.Join(f.out, "calibration.html"))
	return nil
}

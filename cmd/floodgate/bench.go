package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"floodgate/internal/harness"
	"floodgate/internal/record"
	"floodgate/regress"
	"floodgate/scenarios"
)

// What is compared when nobody says otherwise: the server that the origin
// started from against the one it wished for.
const (
	defaultBaseline  = "refserver:reader=coupled,flush=sync"
	defaultCandidate = "refserver:reader=decoupled,flush=async"
)

// runFlags are the flags of the commands that measure.
type runFlags struct {
	baseline, candidate string
	refserver           string
	targetDir           string
	git                 gitFlags
	project             string
	adapt               bool
	replicates          int
	looks               lookFlags
	seed                uint64
	out                 string
	shard               *harness.Shard // nil for a load that is not shared
}

// add declares the flags. counted is what --replicates counts.
func (f *runFlags) add(flags *pflag.FlagSet, counted string) {
	flags.IntVarP(&f.replicates, "replicates", "n", 0, counted)
	flags.Uint64Var(&f.seed, "seed", 1, "seed of the order of the replicates")
	flags.StringVarP(&f.out, "out", "o", "out", "folder for records and reports")
	flags.StringVar(&f.refserver, "refserver", "", "the reference server's program (default: beside floodgate)")
	flags.StringVar(&f.targetDir, "target-dir", "", "folder with descriptions of your own for target:NAME")
	flags.BoolVar(&f.adapt, "adapt", false, "leave out of a scenario what a target cannot do, for all variants alike")
	f.git.add(flags)
	addProject(flags, &f.project)
}

// judgeFlags are the flags of the commands that judge.
type judgeFlags struct {
	confidence, tolerance float64 // in percent
	rule                  string
	failOn                []string
	color                 string
}

func defaultJudgeFlags() judgeFlags {
	o := regress.DefaultOptions()
	return judgeFlags{confidence: 100 * o.Confidence, tolerance: 100 * o.Tolerance, rule: string(o.Rule)}
}

func (f *judgeFlags) add(flags *pflag.FlagSet) {
	*f = defaultJudgeFlags()
	flags.Float64Var(&f.confidence, "confidence", f.confidence, "confidence of the intervals, in percent")
	flags.Float64Var(&f.tolerance, "tolerance", f.tolerance, "smallest change that matters, in percent")
	flags.StringVar(&f.rule, "rule", f.rule, "what a mark claims: detect (a change that we put at the tolerance or more) or prove (one that is larger than the tolerance)")
	flags.StringSliceVar(&f.failOn, "fail-on", nil, "also fail (exit 3) on: inconclusive")
	f.addColor(flags)
}

// addColor is all there is to say where nothing is compared.
func (f *judgeFlags) addColor(flags *pflag.FlagSet) {
	flags.StringVar(&f.color, "color", "auto", "auto, always or never")
}

// options checks the flags and returns what they mean.
func (f *judgeFlags) options() (regress.Options, error) {
	o := regress.DefaultOptions()
	if f.confidence < 50 || f.confidence > 99.9 {
		return o, usagef("--confidence is %v, allowed are 50 to 99.9 percent", f.confidence)
	}
	if f.tolerance < 0 || f.tolerance >= 100 {
		return o, usagef("--tolerance is %v, allowed are 0 to below 100 percent", f.tolerance)
	}
	o.Confidence, o.Tolerance, o.Rule = asShare(f.confidence), asShare(f.tolerance), regress.Rule(f.rule)
	if o.Rule != regress.Detect && o.Rule != regress.Prove && o.Rule != "" {
		return o, usagef("--rule is %q, allowed are %s and %s", f.rule, regress.Detect, regress.Prove)
	}
	for _, what := range f.failOn {
		if what != "inconclusive" {
			return o, usagef("--fail-on is %q, allowed is inconclusive", what)
		}
		o.FailOnInconclusive = true
	}
	if f.color != "auto" && f.color != "always" && f.color != "never" {
		return o, usagef("--color is %q, allowed are auto, always and never", f.color)
	}
	if err := o.Validate(); err != nil {
		return o, &usageError{err}
	}
	return o, nil
}

// asShare is so many percent as the number that people mean: 99.9/100 is a little
// more than 0.999, and would be beyond a limit of that.
func asShare(percent float64) float64 { return math.Round(percent*1e10) / 1e12 }

func (a *app) benchCommand() *cobra.Command {
	var rf runFlags
	var jf judgeFlags
	cmd := &cobra.Command{
		Use:   "bench [SCENARIO…]",
		Short: "Compare a baseline and a candidate: run, account, judge, report",
		Long: `Bench runs each scenario against the baseline and the candidate, in pairs and in
a seeded order, writes a record for every replicate and the reports beside them,
prints the comparison, and exits with the decision. Without arguments it runs
the default suite; an argument is the name of a scenario or the path of a YAML
file.

A variant is refserver, bin:PATH for another build of a server that takes the
same flags, target:NAME for any server that is described (see floodgate targets
list), or git:REF for a commit of the repository that you are in, with options
behind a colon: refserver:reader=coupled,flush=sync. An option in capitals is an
environment variable of the target: GOGC=50.

` + gitWords + `

` + projectWords + `

A scenario that asks for what a target cannot do is refused; with --adapt it is
left out of the load of both variants, and every record says so.

` + looksWords,
		Example: `  floodgate bench
  floodgate bench burst_300k --replicates 10
  floodgate bench --max-pairs 20 --rule prove
  floodgate bench --baseline bin:./old/refserver --candidate refserver
  floodgate bench my_burst.yaml --candidate refserver:flush=async,GOGC=50
  floodgate bench burst_300k --baseline target:statsd_exporter --candidate refserver
  floodgate bench burst_300k --baseline git:HEAD~1 --candidate git:HEAD --target my_server`,
		RunE: func(cmd *cobra.Command, args []string) error {
			args, err := a.applyProject(cmd.Flags(), args, &rf, &jf)
			if err != nil {
				return err
			}
			return a.measure(cmd.Context(), args, rf, jf, bothRoles)
		},
	}
	cmd.Flags().StringVar(&rf.baseline, "baseline", defaultBaseline, "variant to compare with")
	cmd.Flags().StringVar(&rf.candidate, "candidate", defaultCandidate, "variant to judge")
	rf.add(cmd.Flags(), "pairs per scenario; 0 takes each scenario's own number")
	rf.looks.add(cmd.Flags())
	jf.add(cmd.Flags())
	cmd.ValidArgsFunction = completeScenarios
	return cmd
}

func (a *app) runCommand() *cobra.Command {
	var rf runFlags
	var sf shardFlags
	jf := defaultJudgeFlags()
	cmd := &cobra.Command{
		Use:   "run [SCENARIO…]",
		Short: "Run one variant and check it against its bounds, comparing nothing",
		Long: `Run carries out each scenario with one variant, writes a record for every
replicate and the reports beside them, and exits with what the checks decide.

` + shardWords,
		Example: `  floodgate run burst_300k
  floodgate run packed_3m --candidate refserver:reader=coupled --replicates 3
  floodgate run mixed_kinds --candidate target:statsd_exporter --adapt
  floodgate run packed_3m --shard 1/2 --at 2026-01-31T12:00:00Z --listen 10.0.0.7:8125 --out shard-1
  floodgate run packed_3m --shard 2/2 --at 2026-01-31T12:00:00Z --to udp://10.0.0.7:8125 --allow-remote --out shard-2
  floodgate report shard-1 shard-2`,
		RunE: func(cmd *cobra.Command, args []string) error {
			args, err := a.applyProject(cmd.Flags(), args, &rf, &jf)
			if err != nil {
				return err
			}
			if rf.shard, err = sf.config(cmd.Flags(), &rf, time.Now()); err != nil {
				return err
			}
			return a.measure(cmd.Context(), args, rf, jf, []string{record.Candidate})
		},
	}
	cmd.Flags().StringVar(&rf.candidate, "candidate", defaultCandidate, "variant to run")
	rf.add(cmd.Flags(), "replicates per scenario; 0 takes each scenario's own number")
	sf.add(cmd.Flags())
	jf.addColor(cmd.Flags())
	cmd.ValidArgsFunction = completeScenarios
	return cmd
}

// measure is bench and run: everything from scenarios to the exit code.
func (a *app) measure(ctx context.Context, names []string, rf runFlags, jf judgeFlags, roles []string) error {
	options, err := jf.options()
	if err != nil {
		return err
	}
	suite, err := loadScenarios(names)
	if err != nil {
		return err
	}
	config, err := rf.config(suite, roles)
	if err != nil {
		return err
	}
	if err := rf.looks.plan(&config, rf.replicates, options); err != nil {
		return err
	}
	if err := rf.git.check(config.Variants); err != nil {
		return err
	}
	if err := a.build(ctx, rf.git, config.Variants); err != nil {
		return err
	}
	if err := prepareOut(rf.out); err != nil {
		return err
	}
	progress := newProgress(a.stderr, config)
	config.OnEvent = progress.event
	records, err := harness.Run(ctx, config)
	progress.finish()
	if err != nil {
		if len(records) > 0 {
			fmt.Fprintf(a.stderr, "floodgate: %d finished replicates are kept in %s; floodgate report %s shows them\n", len(records), rf.out, rf.out)
		}
		return err
	}
	if rf.shard != nil {
		return a.showShard(records, rf.out)
	}
	verdict := regress.Judge(regress.Input{
		Scenarios: suite, Replicates: config.Replicates, Records: records, Roles: roles, Options: options})
	return a.show(verdict, records, suite, rf.out, jf)
}

// config checks the flags and returns the run they ask for.
func (f *runFlags) config(suite []scenarios.Scenario, roles []string) (harness.Config, error) {
	c := harness.Config{Out: f.out, Scenarios: suite, Replicates: map[string]int{}, Seed: f.seed, Version: version(), Adapt: f.adapt, Shard: f.shard}
	if f.replicates < 0 || f.replicates > 1000 {
		return c, usagef("--replicates is %d, allowed are 1 to 1000, and 0 for each scenario's own number", f.replicates)
	}
	for _, s := range suite {
		c.Replicates[s.Name] = s.Replicates
		if f.replicates > 0 {
			c.Replicates[s.Name] = f.replicates
		}
	}
	finder, err := f.finder()
	if err != nil {
		return c, err
	}
	for _, role := range roles {
		if f.shard != nil && f.shard.Index > 1 {
			c.Variants = append(c.Variants, harness.Variant{Role: role})
			continue // the target is another shard's
		}
		spec := f.candidate
		if role == record.Baseline {
			spec = f.baseline
		}
		v, err := finder.Variant(role, spec)
		var faults *scenarios.FaultError
		switch {
		case errors.As(err, &faults):
			return c, err // file:line: at the start of each line
		case err != nil:
			return c, &usageError{fmt.Errorf("--%s: %w", role, err)}
		}
		c.Variants = append(c.Variants, v)
	}
	if err := c.Validate(); err != nil {
		return c, &usageError{remoteHint(err)}
	}
	return c, nil
}

// finder knows where programs and descriptions are looked up.
func (f *runFlags) finder() (harness.Finder, error) {
	self, err := os.Executable()
	if err != nil {
		return harness.Finder{}, err
	}
	beside := filepath.Dir(self)
	refserver := f.refserver
	if refserver == "" {
		refserver = filepath.Join(beside, "refserver")
	}
	return harness.Finder{RefServer: refserver, Peers: filepath.Join(beside, "peers"), TargetDir: f.targetDir, Git: f.git.builds()}, nil
}

// loadScenarios resolves names and paths; none is the default suite. The
// faults of all files are named at once.
func loadScenarios(names []string) ([]scenarios.Scenario, error) {
	if len(names) == 0 {
		return scenarios.Suite()
	}
	var suite []scenarios.Scenario
	var faults []error
	seen := map[string]bool{}
	for _, name := range names {
		s, err := scenarios.Open(name)
		switch {
		case err != nil:
			faults = append(faults, err)
		case seen[s.Name]:
			faults = append(faults, fmt.Errorf("scenario %s is named twice", s.Name))
		}
		seen[s.Name] = true
		suite = append(suite, s)
	}
	if len(faults) > 0 {
		return nil, &usageError{errors.Join(faults...)}
	}
	return suite, nil
}

func completeScenarios(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	all, _ := scenarios.All()
	var names []string
	for _, s := range all {
		names = append(names, s.Name)
	}
	return names, cobra.ShellCompDirectiveDefault
}

// useColor decides whether w gets colours.
func useColor(choice string, w io.Writer) bool {
	if choice != "auto" {
		return choice == "always"
	}
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && isTerminal(w)
}

// commandLine is how the run can be repeated.
func commandLine() string {
	args := append([]string{filepath.Base(os.Args[0])}, os.Args[1:]...)
	for i, arg := range args {
		if arg == "" || strings.ContainsAny(arg, " \t\n\"'\\$`*?[]{}()<>|&;#~") {
			args[i] = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
	}
	return strings.Join(args, " ")
}

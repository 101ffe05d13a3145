package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"floodgate/internal/harness"
	"floodgate/internal/record"
	"floodgate/regress/saturation"
	"floodgate/reports"
	"floodgate/scenarios"
)

// saturateFlags are those of the saturate command, as they are written.
type saturateFlags struct {
	runFlags
	targets                   []string
	loss, precision           string
	from, to, atLeast, memory string
	confirm                   int
	over                      time.Duration
	color                     string

	// What they mean.
	lossShare               float64 // of the messages
	atLeastRate, mostMemory int64   // messages per second, bytes
	plan                    saturation.Plan
	scenario                scenarios.Scenario
	slowest                 scenarios.Scenario // at the first rate
}

// The search goes down to this part of the rate that it begins with, or to so many
// messages in a load.
const (
	leastShare  = 1 << 10
	fewMessages = 10
)

func (f *saturateFlags) add(flags *pflag.FlagSet) {
	flags.StringArrayVar(&f.targets, "target", []string{defaultCandidate}, "variant to search the highest rate of; a second one is searched beside it")
	flags.StringVar(&f.loss, "loss", "0", "largest share of the messages that may be lost, such as 0.1%")
	flags.IntVar(&f.confirm, "confirm", 2, "replicates that must all hold for a rate to hold")
	flags.StringVar(&f.precision, "precision", "5%", "how close the rates that hold and do not must be in the end")
	flags.StringVar(&f.from, "from", "", "messages per second to begin with (default 50k)")
	flags.StringVar(&f.to, "to", "5M", "messages per second that are not exceeded")
	flags.DurationVar(&f.over, "for", 2*time.Second, "length of each load")
	flags.StringVar(&f.atLeast, "at-least", "", "exit with 1 unless so many messages per second hold; the search then begins there, unless --from says otherwise")
	flags.StringVar(&f.memory, "memory", "1GiB", "memory that the load of one rate may take")
	flags.StringVarP(&f.out, "out", "o", "out/saturate", "folder for records and reports")
	flags.StringVar(&f.refserver, "refserver", "", "the reference server's program (default: beside floodgate)")
	flags.StringVar(&f.targetDir, "target-dir", "", "folder with descriptions of your own for target:NAME")
	flags.BoolVar(&f.adapt, "adapt", false, "leave out of the scenario what a target cannot do, for all targets alike")
	addProject(flags, &f.project)
	flags.StringVar(&f.color, "color", "auto", "auto, always or never")
}

func (a *app) saturateCommand() *cobra.Command {
	var f saturateFlags
	cmd := &cobra.Command{
		Use:   "saturate SCENARIO",
		Short: "Find the highest rate that a target takes",
		Long: `Saturate offers the messages of a scenario at a steady rate in place of its
schedule, and finds the highest rate that the target takes: one that loses no
more than --loss and of which no backlog grows. It doubles the rate until one
does not hold, or halves it until one does, and then halves what lies between,
up to --precision. A rate holds only if all of --confirm replicates hold; one
that does not ends its rate. Each is a fresh process with a record of its own.

Throughput that only fills a queue does not count. The backlog of a rate is
stable if over the second half of the load it grew by no more than 2 % of what
was offered, and if everything had arrived two flush intervals after the load.
The report says from what that was told.

Where the generator is late, or its own ceiling, --to or --memory comes first,
the answer is a lower bound and says so. With two targets both are searched in
turn, the first as the baseline.

It exits with 1 if no rate holds, or if --at-least does not, and with 3 if that
could not be measured. An interrupt keeps what was found.

` + targetWords,
		Example: `  floodgate saturate burst_300k
  floodgate saturate packed_3m --target refserver:reader=coupled --loss 0.1%
  floodgate saturate burst_300k --target target:statsd_exporter --target refserver --adapt
  floodgate saturate burst_300k --target git:HEAD~1 --target git:HEAD
  floodgate saturate burst_300k --at-least 300k --confirm 3`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, _, err := a.applyTargets(cmd.Flags(), &f.runFlags); err != nil {
				return err
			}
			return a.saturate(cmd.Context(), args[0], &f)
		},
	}
	f.add(cmd.Flags())
	cmd.ValidArgsFunction = completeScenarios
	return cmd
}

// saturate is the whole command, from flags to exit code.
func (a *app) saturate(ctx context.Context, name string, f *saturateFlags) error {
	if err := f.parse(name); err != nil {
		return err
	}
	config, err := f.configure()
	if err != nil {
		return err
	}
	if err := a.build(ctx, f.git, config.Variants); err != nil {
		return err
	}
	if err := prepareOut(f.out); err != nil {
		return err
	}
	if err := removeReports(saturationFiles, f.out); err != nil {
		return err
	}
	progress := &searchProgress{w: a.stderr, terminal: isTerminal(a.stderr) && os.Getenv("TERM") != "dumb", started: time.Now()}
	config.OnEvent = progress.event
	search := &searching{saturateFlags: f, config: config, progress: progress}
	failed := search.run(ctx)
	progress.clear()
	if len(search.report.Targets) == 0 {
		return failed
	}
	if failed == nil {
		a.code = f.exitCode(search.report.Targets)
	}
	return errors.Join(failed, a.showSaturation(search.report, f))
}

// parse checks the flags and reads what they mean.
func (f *saturateFlags) parse(name string) error {
	var err error
	read := func(flag, text string, parse func(string) (int64, error), to *int64) {
		if err == nil && text != "" {
			if *to, err = parse(text); err != nil {
				err = usagef("%s: %w", flag, err)
			}
		}
	}
	ratio := func(flag, text string, to *float64) {
		if err == nil {
			if *to, err = scenarios.ParseQuantity(text, scenarios.Ratio); err != nil {
				err = usagef("%s: %w", flag, err)
			}
		}
	}
	if f.from = cmp.Or(f.from, f.atLeast); f.from == "" {
		f.from = "50k"
	}
	f.plan = saturation.Plan{Confirm: f.confirm, Limit: saturation.LimitAsked}
	read("--from", f.from, scenarios.ParseCount, &f.plan.From)
	read("--to", f.to, scenarios.ParseCount, &f.plan.To)
	read("--at-least", f.atLeast, scenarios.ParseCount, &f.atLeastRate)
	read("--memory", f.memory, scenarios.ParseBytes, &f.mostMemory)
	ratio("--loss", f.loss, &f.lossShare)
	ratio("--precision", f.precision, &f.plan.Precision)
	if err != nil {
		return err
	}
	// Below it a load is too small to say anything.
	few := int64(math.Ceil(fewMessages / max(f.over.Seconds(), 0.1)))
	f.plan.Least = max(min(f.plan.From, max(f.plan.From/leastShare, few)), 1)
	if f.plan.From < 1 || f.plan.To < f.plan.From {
		return usagef("cannot search from %d to %d messages/s: want --from, or --at-least, at 1 or more and no higher than --to", f.plan.From, f.plan.To)
	}
	if err := f.plan.Validate(); err != nil {
		return usagef("--precision, --confirm: %w", err)
	}
	switch {
	case f.lossShare >= 1:
		return usagef("--loss is %s, allowed are 0 to below 100%%", f.loss)
	case f.over < 100*time.Millisecond:
		return usagef("--for is %v, want at least 100ms", f.over)
	case len(f.targets) < 1 || len(f.targets) > 2:
		return usagef("--target is given %d times, allowed are one and two", len(f.targets))
	case f.atLeastRate > f.plan.To:
		return usagef("--at-least is %s, which is more than --to %s", f.atLeast, f.to)
	case f.color != "auto" && f.color != "always" && f.color != "never":
		return usagef("--color is %q, allowed are auto, always and never", f.color)
	}
	suite, err := loadScenarios([]string{name})
	if err != nil {
		return err
	}
	f.scenario = suite[0]
	for _, rate := range []int64{f.plan.To, f.plan.Least, f.plan.From} {
		if f.slowest, err = f.scenario.AtRate(rate, f.over); err != nil {
			return usagef("cannot offer %d messages/s for %v: %w", rate, f.over, err)
		}
	}
	return nil
}

// configure finds the targets, and refuses what one of them cannot do.
func (f *saturateFlags) configure() (harness.Config, error) {
	config := harness.Config{Out: f.out, Seed: 1, Version: version(), Adapt: f.adapt, Scenarios: []scenarios.Scenario{f.slowest}}
	finder, err := f.finder()
	if err != nil {
		return config, err
	}
	roles := bothRoles[len(bothRoles)-len(f.targets):] // one alone is the candidate
	for i, spec := range f.targets {
		v, err := finder.Variant(roles[i], spec)
		var faults *scenarios.FaultError
		switch {
		case errors.As(err, &faults):
			return config, err // file:line: at the start of each line
		case err != nil:
			return config, usagef("--target: %w", err)
		}
		config.Variants = append(config.Variants, v)
	}
	if err := config.Validate(); err != nil {
		return config, &usageError{err}
	}
	return config, nil
}

// searching is a search under way.
type searching struct {
	*saturateFlags
	config   harness.Config
	steps    *harness.Steps
	limits   saturation.Limits // but for the flush interval, which is the target's
	progress *searchProgress
	report   reports.Saturation
}

// run searches all targets, a rate of each in turn, so that a slow hour does not
// fall on one of them. Beside an error the report has what was found until then.
func (s *searching) run(ctx context.Context) error {
	var err error
	if s.steps, err = harness.NewSteps(s.config); err != nil {
		return err
	}
	if err := s.survey(ctx); err != nil {
		return err
	}
	for _, v := range s.config.Variants {
		t := reports.Saturated{Role: v.Role, Spec: v.Spec}
		if v.Revision != nil {
			t.Commit = v.Revision.Commit
		}
		s.report.Targets = append(s.report.Targets, t)
	}
	for more := true; more; {
		more = false
		for i := range s.report.Targets {
			again, err := s.rate(ctx, i)
			if err != nil {
				return err
			}
			more = more || again
		}
	}
	return nil
}

// survey finds out how far the generator and the memory reach, which is as far as
// the search goes.
func (s *searching) survey(ctx context.Context) error {
	s.report = reports.Saturation{Scenario: s.scenario.Name, Command: commandLine(), Version: version(), Over: s.over,
		Loss: s.lossShare, Precision: s.plan.Precision, Confirm: s.plan.Confirm}
	s.progress.show("preparing the load")
	load, err := s.steps.Load(ctx, s.slowest)
	if err != nil {
		return err
	}
	perMessage := float64(load.MemoryBytes) / float64(load.Messages)
	if most := int64(float64(s.mostMemory) / perMessage / s.over.Seconds()); most < s.plan.To {
		s.plan.To, s.plan.Limit = most, saturation.LimitMemory
	}
	if s.plan.To < s.plan.From {
		return usagef("--memory %s is too little for --from %s: its load takes %s", s.memory, s.from, scenarios.Format(float64(load.MemoryBytes), scenarios.Bytes))
	}
	s.ceiling(load)
	s.limits = saturation.Limits{Loss: s.lossShare, Over: s.over, Drain: s.slowest.Limits.Drain,
		MessagesPerDatagram: float64(load.Messages) / float64(load.Datagrams), BytesPerMessage: float64(load.WireBytes) / float64(load.Messages)}
	return nil
}

// ceiling takes note of how fast the generator was. It is measured anew with each
// load, and the best counts: on a busy machine one may be far too low.
func (s *searching) ceiling(load harness.Load) {
	s.report.Ceiling = max(s.report.Ceiling, load.Ceiling)
}

// within is the plan as far as the generator reaches.
func (s *searching) within() saturation.Plan {
	p := s.plan
	if most := max(int64(s.report.Ceiling), 1); s.report.Ceiling > 0 && most < p.To {
		p.To, p.Limit = most, saturation.LimitGenerator
		p.From, p.Least = min(p.From, most), min(p.Least, most)
	}
	return p
}

// rate tries one rate of a target as often as it takes. more says that there is
// another one to try.
func (s *searching) rate(ctx context.Context, i int) (more bool, err error) {
	t, v := &s.report.Targets[i], s.config.Variants[i]
	limits := s.limits
	limits.Flush = s.scenario.Target.FlushInterval
	if v.Target != nil {
		limits.Flush = max(limits.Flush, v.Target.FlushEvery)
	}
	rate, answer := s.within().Next(t.Trials)
	if t.Answer = answer; rate == 0 {
		return false, nil
	}
	at, err := s.scenario.AtRate(rate, s.over)
	if err != nil {
		return false, err
	}
	s.progress.show("preparing the load")
	load, err := s.steps.Load(ctx, at)
	if err != nil {
		return false, err
	}
	s.ceiling(load)
	for n := 0; ; n++ {
		s.progress.trial(s.within(), *t, rate, n)
		rec, err := s.steps.Replicate(ctx, at, t.Role, n, s.plan.Confirm)
		if err != nil {
			return false, err
		}
		t.Trials = append(t.Trials, limits.Of(rate, rec))
		next, answer := s.within().Next(t.Trials)
		if t.Answer = answer; next != rate {
			return next != 0, nil
		}
	}
}

// exitCode is that of searches that came to their end. What failed outweighs what
// could not be measured.
func (f *saturateFlags) exitCode(targets []reports.Saturated) int {
	code := exitPass
	for _, t := range targets {
		one := exitPass
		switch a := t.Answer; {
		case a.Rate > 0 && f.atLeastRate > 0 && a.Rate >= f.atLeastRate:
		case a.End == saturation.Unmeasured, a.End == saturation.AtLeast && a.Rate < f.atLeastRate:
			one = exitUnmeasured
		case a.End == saturation.NoRate, a.Rate < f.atLeastRate:
			one = exitFail
		}
		if code == exitPass || one == exitFail {
			code = one
		}
	}
	return code
}

// saturationFiles are the reports, by the names of their files.
var saturationFiles = map[string]func(io.Writer, reports.Saturation) error{
	"saturation.html": reports.SaturationHTML,
	"saturation.md":   reports.SaturationMarkdown,
	"saturation.json": reports.SaturationJSON,
}

// showSaturation writes the reports and prints the curves. A disk that is full
// does not keep it from printing.
func (a *app) showSaturation(s reports.Saturation, f *saturateFlags) error {
	unwritten := writeReports(saturationFiles, s, f.out)
	if err := reports.SaturationTerminal(a.stdout, s, reports.TerminalOptions{Color: useColor(f.color, a.stdout), Width: width(a.stdout)}); err != nil {
		return errors.Join(unwritten, fmt.Errorf("cannot print the curve: %w", err))
	}
	if unwritten == nil {
		fmt.Fprintf(a.stdout, "\nThe full report is %s\n", filepath.Join(f.out, "saturation.html"))
	}
	return unwritten
}

// searchProgress shows one line on a terminal: which rate is tried, what is known
// so far. Elsewhere it only tells of replicates that failed.
type searchProgress struct {
	w        io.Writer
	terminal bool
	started  time.Time
	doing    string
}

// trial begins replicate n of a rate.
func (p *searchProgress) trial(plan saturation.Plan, t reports.Saturated, rate int64, n int) {
	p.doing = fmt.Sprintf("%s  trial %d of at most %d  %s messages/s, replicate %d of %d", t.Role, len(t.Trials)+1, plan.Bound(), grouped(rate), n+1, plan.Confirm)
	if t.Answer.Rate > 0 {
		p.doing += fmt.Sprintf("  %s held", grouped(t.Answer.Rate))
	}
	if t.Answer.Above > 0 {
		p.doing += fmt.Sprintf("  %s did not", grouped(t.Answer.Above))
	}
}

func (p *searchProgress) event(e harness.Event) {
	if e.Phase == "" {
		if e.Record.Invalid != "" {
			p.clear()
			tellInvalid(p.w, e, "replicate")
		}
		return
	}
	if e.Phase == record.PhaseMeasuring || e.Phase == record.PhaseStarting {
		p.show(p.doing)
	}
}

func (p *searchProgress) show(doing string) {
	if !p.terminal {
		return
	}
	line := fmt.Sprintf("%s  %s elapsed", doing, time.Since(p.started).Round(time.Second))
	if columns := width(p.w); columns > 0 && len(line) >= columns {
		line = line[:columns-1]
	}
	fmt.Fprint(p.w, "\r\x1b[K", line)
}

func (p *searchProgress) clear() {
	if p.terminal {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

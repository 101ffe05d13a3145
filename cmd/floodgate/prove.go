package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"gonum.org/v1/gonum/stat/distuv"

	"floodgate/internal/harness"
	"floodgate/internal/record"
	"floodgate/internal/target"
	"floodgate/regress"
	"floodgate/scenarios"
)

// proveScenario is a short load at a steady pace, so that many comparisons fit
// into minutes. One of proveOrders stands behind it.
const proveScenario = `name: prove
description: Half a million packed counters a second, with a buffer that holds a pause of the machine.
load:
  transport: udp
  schedule: {burst: {count: 750k, over: 1500ms}}
  corpus: {context_keys: 1k, tags: 4, kinds: {c: 1}, packing: 1432B}
target: {receive_buffer: 4MiB, flush_interval: 500ms}
goal: cpu_per_message
limits: {warm_up: 100ms, lateness_p99: 100ms}
`

var proveOrders = map[string]string{"woven": "order: woven\nslice: 10ms\n", "blocks": "order: blocks\n"}

// proving is what the prove command was asked for.
type proving struct {
	runFlags
	judge       judgeFlags
	unchanged   int // comparisons of one build with itself
	planted     int // comparisons with more CPU time planted
	percent     float64
	order       string
	within      time.Duration
	comparisons []proved
}

// proved is one comparison that came to an end.
type proved struct {
	name    string
	planted bool
	c       regress.Comparison
	failed  bool // its run would have failed
}

func (a *app) proveCommand() *cobra.Command {
	var p proving
	cmd := &cobra.Command{
		Use:   "prove",
		Short: "Prove the detector on this machine: false alarms of A/A runs, detections of a planted change",
		Long: `Prove compares one build of the reference server with itself, many times, and
with itself plus a planted share of CPU time, in runs that are as real as those
of bench but short. It counts the marks that nothing justifies and the planted
changes that were found, and holds both against what chance allows: it exits
with 1 when there are more false marks, or fewer detections, than one such
machine in a hundred would show if the statistics were right.`,
		Example: `  floodgate prove
  floodgate prove --order blocks
  floodgate prove --unchanged 40 --planted 20 --pairs 10 --within 1h`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.prove(cmd.Context(), &p) },
	}
	flags := cmd.Flags()
	flags.StringVar(&p.baseline, "baseline", "refserver", "variant to compare with itself; it has to know the option ballast")
	flags.IntVar(&p.unchanged, "unchanged", 20, "comparisons of the build with itself")
	flags.IntVar(&p.planted, "planted", 10, "comparisons with a planted change")
	flags.Float64Var(&p.percent, "percent", 10, "CPU time that is planted, in percent")
	flags.StringVar(&p.order, "order", "woven", "order of the pairs: woven or blocks")
	flags.IntVarP(&p.replicates, "pairs", "n", 6, "pairs of each comparison")
	flags.DurationVar(&p.within, "within", 30*time.Minute, "end after so long, with what is done by then")
	flags.Uint64Var(&p.seed, "seed", 1, "seed of the orders")
	flags.StringVarP(&p.out, "out", "o", "out/prove", "folder for the records")
	flags.StringVar(&p.refserver, "refserver", "", "the reference server's program (default: beside floodgate)")
	p.judge.add(flags)
	return cmd
}

// prove carries out all comparisons in turn and prints what they came to.
func (a *app) prove(ctx context.Context, p *proving) error {
	options, err := p.judge.options()
	switch {
	case err != nil:
		return err
	case p.unchanged < 0 || p.planted < 0 || p.unchanged+p.planted < 1 || p.unchanged+p.planted > 1000:
		return usagef("--unchanged and --planted are %d and %d, want 1 to 1000 in all", p.unchanged, p.planted)
	case p.replicates < 2 || p.replicates > 100:
		return usagef("--pairs is %d, allowed are 2 to 100", p.replicates)
	case !(p.percent > 0 && p.percent <= 1000):
		return usagef("--percent is %v, allowed are more than 0 and at most 1000", p.percent)
	case proveOrders[p.order] == "":
		return usagef("--order is %q, allowed are woven and blocks", p.order)
	case p.within <= 0:
		return usagef("--within is %v, want more than 0", p.within)
	}
	s, err := scenarios.Parse("prove.yaml", []byte(proveScenario+proveOrders[p.order]))
	if err != nil {
		return err
	}
	until, cancel := context.WithTimeout(ctx, p.within)
	defer cancel()
	for i, planted := range p.turns() {
		done, err := a.proveOne(until, p, s, i, planted, options)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, context.DeadlineExceeded):
			a.code = exitUnmeasured
		case err != nil:
			return err
		}
		if err != nil {
			fmt.Fprintf(a.stdout, "ended after %v, in the middle of comparison %d\n", p.within, i+1)
			break
		}
		p.comparisons = append(p.comparisons, done)
		fmt.Fprintln(a.stdout, done)
	}
	p.summary(a, options)
	return nil
}

// turns says which comparisons are planted, spread evenly among the others, so
// that a slow hour falls on both kinds.
func (p *proving) turns() []bool {
	var turns []bool
	all, planted := p.unchanged+p.planted, 0
	for i := range all {
		now := (i+1)*p.planted/all > planted
		if now {
			planted++
		}
		turns = append(turns, now)
	}
	return turns
}

func (a *app) proveOne(ctx context.Context, p *proving, s scenarios.Scenario, i int, planted bool, o regress.Options) (proved, error) {
	name := fmt.Sprintf("%02d-unchanged", i+1)
	flags := p.runFlags
	flags.candidate = p.baseline
	if planted {
		name = fmt.Sprintf("%02d-planted", i+1)
		flags.candidate = withOption(p.baseline, fmt.Sprintf("ballast=%g", p.percent))
	}
	flags.out, flags.seed = filepath.Join(p.out, name), p.seed+uint64(i)
	suite := []scenarios.Scenario{s}
	config, err := flags.config(suite, bothRoles)
	if err == nil {
		err = a.build(ctx, flags.git, config.Variants)
	}
	if err != nil {
		return proved{}, err
	}
	progress := newProgress(a.stderr, config)
	config.OnEvent = progress.event
	records, err := harness.Run(ctx, config)
	progress.finish()
	if err != nil {
		return proved{}, err
	}
	v := regress.Judge(regress.Input{Scenarios: suite, Replicates: config.Replicates, Records: records,
		Roles: []string{record.Baseline, record.Candidate}, Options: o})
	return proved{name, planted, v.Comparisons[0], v.Decision.Outcome == regress.Fail}, nil
}

// withOption adds an option to a variant as users write it.
func withOption(spec, option string) string {
	if v, err := target.ParseVariant(spec); err == nil && len(v.Options) > 0 {
		return spec + "," + option
	}
	return strings.TrimSuffix(spec, ":") + ":" + option
}

func (p proved) String() string {
	line := fmt.Sprintf("%-14s %s %-12s", p.name, p.c.Mark.Symbol(), p.c.Mark)
	if p.c.Mark == regress.NoVerdict {
		return line + " " + p.c.Reason
	}
	return line + fmt.Sprintf(" %+7.2f %% [%+.2f, %+.2f], spread %.1f %%",
		100*p.c.Delta.Estimate, 100*p.c.Delta.Low, 100*p.c.Delta.High, 100*p.c.Spread)
}

// count is what the comparisons of one kind came to.
type count struct {
	all, lost              int // with a verdict, and without
	regressed, improved    int
	failed                 int
	mean, spread, expected float64 // change, spread, and share of detections that the power promises
}

func (p *proving) count(planted bool, o regress.Options) count {
	var n count
	squares := 0.0
	for _, x := range p.comparisons {
		if x.planted != planted {
			continue
		}
		if x.c.Mark == regress.NoVerdict {
			n.lost++
			continue
		}
		n.all++
		n.mean += x.c.Delta.Estimate
		squares += x.c.Spread * x.c.Spread
		switch x.c.Mark {
		case regress.Regressed:
			n.regressed++
		case regress.Improved:
			n.improved++
		}
		if x.failed {
			n.failed++
		}
	}
	if n.all > 0 {
		n.mean /= float64(n.all)
		// Squares of spreads have no bias; the median of spreads from few pairs is too
		// small, and would promise too much.
		n.spread = math.Sqrt(squares / float64(n.all))
	}
	if planted && n.all > 0 {
		n.expected = regress.DetectionPower(p.replicates, n.spread, p.percent/100, o)
	}
	return n
}

// summary prints both counts against what chance allows, and sets the exit code.
func (p *proving) summary(a *app, o regress.Options) {
	same, more := p.count(false, o), p.count(true, o)
	if same.all > 0 {
		marks := same.regressed + same.improved
		most := binomialLimit(same.all, 1-o.Confidence)
		fmt.Fprintf(a.stdout, "\nunchanged: %d comparisons of %d pairs, spread %.1f %%, mean change %+.2f %%\n", same.all, p.replicates, 100*same.spread, 100*same.mean)
		fmt.Fprintf(a.stdout, "  false marks: %d (%d regressed, %d improved); runs that would have failed: %d; up to %d marks are within chance at a nominal %.3g %%\n",
			marks, same.regressed, same.improved, same.failed, most, 100*(1-o.Confidence))
		if marks > most {
			a.code = exitFail
		}
	}
	if more.all > 0 {
		least := more.all - binomialLimit(more.all, 1-more.expected)
		fmt.Fprintf(a.stdout, "planted %+g %%: %d comparisons of %d pairs, spread %.1f %%, mean change %+.2f %%\n", p.percent, more.all, p.replicates, 100*more.spread, 100*more.mean)
		fmt.Fprintf(a.stdout, "  detected: %d; the power at this spread promises %.1f, down to %d is within chance\n", more.regressed, more.expected*float64(more.all), least)
		if more.regressed < least {
			a.code = exitFail
		}
	}
	if lost := same.lost + more.lost; lost > 0 {
		fmt.Fprintf(a.stdout, "without a verdict: %d\n", lost)
	}
	if (same.lost+more.lost > 0 || same.all+more.all == 0) && a.code == exitPass {
		a.code = exitUnmeasured
	}
}

// binomialLimit is the least k that n trials of probability p exceed in at most
// one of a hundred cases.
func binomialLimit(n int, p float64) int {
	if p <= 0 {
		return 0
	}
	law := distuv.Binomial{N: float64(n), P: min(p, 1)}
	for k := range n {
		if law.CDF(float64(k)) >= 0.99 {
			return k
		}
	}
	return n
}

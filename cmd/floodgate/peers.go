package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"floodgate/internal/harness"
	"floodgate/internal/record"
	"floodgate/reports"
	"floodgate/scenarios"
)

func (a *app) peersCommand() *cobra.Command {
	var rf runFlags
	var targets []string
	jf := defaultJudgeFlags()
	cmd := &cobra.Command{
		Use:   "peers [SCENARIO…]",
		Short: "Put several servers under the same loads in turn, and print them side by side",
		Long: `Peers runs each scenario against each of the targets. They take turns, round by
round and in another order each time, so that a slow minute of the machine does
not fall on one of them alone. It prints what each lost, what a message cost it
and how much memory it took, and writes the same as Markdown, HTML and a picture.
It judges nothing: use bench to compare two servers.

What a target cannot do is left out of its own load, and noted beside its
figures. Without --targets the reference server and every server that is
installed are run; see floodgate targets list, and make peers.

` + targetWords,
		Example: `  floodgate peers packed_3m -n 3
  floodgate peers burst_300k packed_3m --targets refserver,statsd_exporter,telegraf
  floodgate peers packed_3m --targets refserver,refserver:sockets=4,reader=coupled`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, _, err := a.applyTargets(cmd.Flags(), &rf); err != nil {
				return err
			}
			return a.peers(cmd.Context(), args, targets, rf, jf)
		},
	}
	rf.add(cmd.Flags(), "replicates of each server per scenario; 0 takes 3")
	cmd.Flags().StringSliceVar(&targets, "targets", nil, "what to run: names of targets, or variants such as bin:PATH; default: all that are installed")
	cmd.Flags().Set("out", "out/peers")
	cmd.Flags().Lookup("out").DefValue = "out/peers"
	cmd.Flags().Set("adapt", "true")
	cmd.Flags().Lookup("adapt").DefValue = "true"
	jf.addColor(cmd.Flags())
	cmd.ValidArgsFunction = completeScenarios
	return cmd
}

func (a *app) peers(ctx context.Context, names, targets []string, rf runFlags, jf judgeFlags) error {
	if len(names) == 0 {
		names = []string{"burst_300k", "packed_3m"}
	}
	suite, err := loadScenarios(names)
	if err != nil {
		return err
	}
	specs, err := rf.specs(targets)
	if err != nil {
		return err
	}
	if err := prepareOut(rf.out); err != nil {
		return err
	}
	runs := map[string]harness.Config{} // by target; checked before the first of them runs
	rounds := rf.replicates
	if rounds == 0 {
		rounds = 3
	}
	finder, err := rf.finder()
	if err != nil {
		return err
	}
	for _, spec := range specs {
		var faults *scenarios.FaultError
		if _, err := finder.Variant(record.Candidate, spec); err != nil && !errors.As(err, &faults) {
			return usagef("--targets: %w", err)
		}
		one := rf
		one.replicates, one.candidate = 1, spec
		config, err := one.config(suite, []string{record.Candidate})
		if err != nil {
			return err
		}
		if err := a.build(ctx, one.git, config.Variants); err != nil {
			return err
		}
		runs[spec] = config
	}
	league := reports.League{Command: commandLine(), Version: version(), First: "refserver"}
	if !slices.Contains(specs, "refserver") {
		league.First = label(specs[0])
	}
	entries := map[[2]string]*reports.LeagueEntry{}
	for round := range rounds {
		for turn := range specs {
			spec := specs[(turn+round)%len(specs)]
			config := runs[spec]
			config.Seed += uint64(round)
			config.Out = filepath.Join(rf.out, strings.NewReplacer(":", "_", "/", "_", ",", "_").Replace(label(spec)), fmt.Sprintf("%02d", round))
			fmt.Fprintf(a.stderr, "round %d of %d: %s\n", round+1, rounds, label(spec))
			progress := newProgress(a.stderr, config)
			config.OnEvent = progress.event
			records, err := harness.Run(ctx, config)
			progress.finish()
			if err != nil {
				return err
			}
			for _, rec := range records {
				key := [2]string{rec.Scenario, label(spec)}
				if entries[key] == nil {
					entries[key] = &reports.LeagueEntry{Scenario: rec.Scenario, Target: label(spec)}
				}
				entries[key].Records = append(entries[key].Records, rec)
			}
		}
	}
	for _, s := range suite {
		for _, spec := range specs {
			if e := entries[[2]string{s.Name, label(spec)}]; e != nil {
				league.Entries = append(league.Entries, *e)
			}
		}
	}
	return a.showLeague(league, suite, rf.out, jf)
}

// label is a variant as the table names it.
func label(spec string) string { return strings.TrimPrefix(spec, "target:") }

// specs are the variants to run: those asked for, where a bare name is that of a
// target, or every one whose program is there.
func (f *runFlags) specs(asked []string) ([]string, error) {
	if len(asked) == 0 {
		finder, err := f.finder()
		if err != nil {
			return nil, err
		}
		all, err := scenarios.Targets(f.targetDir)
		if err != nil {
			return nil, err
		}
		asked = []string{"refserver"}
		for i := range all {
			if _, err := finder.LookUp(&all[i]); err == nil && all[i].Name != scenarios.RefServer {
				asked = append(asked, all[i].Name)
			}
		}
	}
	var specs []string
	for _, name := range withOptions(asked) {
		switch {
		case strings.HasPrefix(name, "refserver"), strings.Contains(name, ":"):
			specs = append(specs, name)
		default:
			specs = append(specs, "target:"+name)
		}
		if last := len(specs) - 1; slices.Contains(specs[:last], specs[last]) {
			return nil, usagef("--targets names %s twice", name)
		}
	}
	return specs, nil
}

// withOptions puts together again what a list separated by commas takes apart: a
// variant and its options.
func withOptions(list []string) []string {
	var variants []string
	for _, item := range list {
		option, _, isOption := strings.Cut(item, "=")
		if isOption && !strings.Contains(option, ":") && len(variants) > 0 {
			variants[len(variants)-1] += "," + item
			continue
		}
		variants = append(variants, item)
	}
	return variants
}

func (a *app) showLeague(l reports.League, suite []scenarios.Scenario, out string, jf judgeFlags) error {
	files := map[string]func(io.Writer) error{
		"peers.md":   func(w io.Writer) error { return reports.LeagueMarkdown(w, l) },
		"peers.html": func(w io.Writer) error { return reports.LeagueHTML(w, l) },
	}
	for _, s := range suite {
		files["peers-"+s.Name+".svg"] = func(w io.Writer) error { return reports.LeagueSVG(w, l, s.Name) }
	}
	for name, write := range files {
		file, err := os.Create(filepath.Join(out, name))
		if err != nil {
			return err
		}
		if err := write(file); err != nil {
			file.Close()
			return err
		}
		if err := file.Close(); err != nil {
			return err
		}
	}
	if err := reports.LeagueTerminal(a.stdout, l, reports.TerminalOptions{Color: useColor(jf.color, a.stdout), Width: width(a.stdout)}); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "\nThe same as a page is %s\n", filepath.Join(out, "peers.html"))
	for _, e := range l.Entries {
		if !slices.ContainsFunc(e.Records, func(r *record.Record) bool { return r.Invalid == "" }) {
			a.code = exitUnmeasured
		}
	}
	return nil
}

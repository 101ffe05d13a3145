package main

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"floodgate/scenarios"
)

func (a *app) targetsCommand() *cobra.Command {
	var rf runFlags
	cmd := &cobra.Command{
		Use: "targets", Short: "List, show, check and probe descriptions of servers", Args: cobra.NoArgs,
		Long: `A target is a server that is described by a file: how its program is found,
started and ended, and what it can do. With target:NAME it is a variant of run
and bench. Folders of your own descriptions are named with --target-dir; a name
there goes before the same name here.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVar(&rf.targetDir, "target-dir", "", "folder with descriptions of your own")
	addProject(cmd.PersistentFlags(), &rf.project)
	cmd.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		p, found, err := openProject(cmd.Flags(), rf.project)
		if found && !cmd.Flags().Changed("target-dir") {
			rf.targetDir = p.Path(p.Targets)
		}
		return err
	}
	list := &cobra.Command{
		Use: "list", Short: "List the described servers and where their programs are", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return a.listTargets(&rf) },
	}
	show := &cobra.Command{
		Use: "show TARGET", Short: "Print a description as YAML, to start one of your own from", Args: cobra.ExactArgs(1),
		Example:           "  floodgate targets show statsd_exporter > mine/my_server.yaml",
		ValidArgsFunction: completeTargets(&rf),
		RunE: func(_ *cobra.Command, args []string) error {
			t, err := scenarios.OpenTarget(rf.targetDir, args[0])
			if err != nil {
				return &usageError{err}
			}
			_, err = a.stdout.Write(t.Source)
			return err
		},
	}
	check := &cobra.Command{
		Use: "check FILE…", Short: "Check descriptions, name every fault, and print the command lines they come to", Args: cobra.MinimumNArgs(1),
		Example: "  floodgate targets check mine/my_server.yaml",
		RunE:    func(_ *cobra.Command, args []string) error { return a.checkTargets(&rf, args) },
	}
	cmd.AddCommand(list, show, check, a.probeCommand(&rf))
	return cmd
}

func completeTargets(rf *runFlags) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		all, _ := scenarios.Targets(rf.targetDir)
		var names []string
		for _, t := range all {
			names = append(names, t.Name)
		}
		return names, cobra.ShellCompDirectiveDefault
	}
}

// listTargets prints one line for each description. Faulty files of the user are
// named behind the others.
func (a *app) listTargets(rf *runFlags) error {
	all, faults := scenarios.Targets(rf.targetDir)
	finder, err := rf.finder()
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TARGET\tTRANSPORTS\tKINDS\tCOUNTED AT\tPROGRAM")
	for _, t := range all {
		program, err := finder.LookUp(&t)
		if t.Name == scenarios.RefServer {
			program, err = finder.RefServer, nil
		}
		if err != nil {
			program = "not found: " + t.Install
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", t.Name, joined(t.Transports), joined(t.Capabilities.Kinds), t.Sink, program)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if faults != nil {
		return &usageError{faults}
	}
	return nil
}

func joined[T ~string](words []T) string {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = string(w)
	}
	return strings.Join(texts, ",")
}

// checkTargets names the faults of all files at once.
func (a *app) checkTargets(rf *runFlags, names []string) error {
	var faults []error
	for _, name := range names {
		t, err := scenarios.OpenTarget(rf.targetDir, name)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		fmt.Fprintf(a.stdout, "%s: ok\n", t.Name)
		for _, transport := range t.Transports {
			filled, err := t.Render(scenarios.SampleLaunch(transport))
			if err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "  %s: %s %s\n", transport, t.Binary, strings.Join(filled.Args, " "))
		}
	}
	if len(faults) > 0 {
		return &usageError{errors.Join(faults...)}
	}
	return nil
}

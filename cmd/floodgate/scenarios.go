package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"floodgate/scenarios"
)

func (a *app) scenariosCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "scenarios", Short: "List, show and check scenarios", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	list := &cobra.Command{
		Use: "list", Short: "List the embedded scenarios, and the measures and series they can name", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return a.listScenarios() },
	}
	show := &cobra.Command{
		Use: "show SCENARIO", Short: "Print a scenario as YAML, to start one of your own from", Args: cobra.ExactArgs(1),
		Example:           "  floodgate scenarios show burst_300k > my_burst.yaml",
		ValidArgsFunction: completeScenarios,
		RunE: func(_ *cobra.Command, args []string) error {
			s, err := scenarios.Open(args[0])
			if err != nil {
				return &usageError{err}
			}
			_, err = a.stdout.Write(s.Source)
			return err
		},
	}
	check := &cobra.Command{
		Use: "check FILE…", Short: "Check scenario files and name every fault", Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			suite, err := loadScenarios(args)
			if err != nil {
				return err
			}
			for _, s := range suite {
				fmt.Fprintf(a.stdout, "%s: ok\n", s.Name)
			}
			return nil
		},
	}
	cmd.AddCommand(list, show, check, a.schemaCommand())
	return cmd
}

func (a *app) listScenarios() error {
	all, err := scenarios.All()
	if err != nil {
		return err
	}
	suite, err := scenarios.Suite()
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SCENARIO\tSUITE\tGOAL\tCHECKS")
	for i, s := range all {
		inSuite := ""
		if i < len(suite) {
			inSuite = "default"
		}
		var checks []string
		for _, c := range s.Checks {
			checks = append(checks, c.String())
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", s.Name, inSuite, s.Goal.Name, strings.Join(checks, ", "))
	}
	fmt.Fprintln(w, "\nMEASURE\tUNIT\tBETTER\t")
	for _, m := range scenarios.Measures {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", m.Name, m.Unit, m.Better, m.Words)
	}
	var by []string
	for _, r := range scenarios.Reductions {
		by = append(by, string(r))
	}
	fmt.Fprintf(w, "\nSERIES\tUNIT\tIN CHECKS: %s OF\t\n", strings.Join(by, ", "))
	for _, x := range scenarios.SeriesCatalogue {
		fmt.Fprintf(w, "%s\t%s\t%s\n", x.Name, x.Unit, x.Words)
	}
	return w.Flush()
}

package main

import (
	"errors"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// closeEnough is how many letters a word may be off for the hint "did you mean".
const closeEnough = 2

// refuseArguments makes wrong arguments a usage error, also of subcommands.
func refuseArguments(cmd *cobra.Command) {
	cmd.SuggestionsMinimumDistance = closeEnough
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if check(cmd, args) == nil {
				return nil
			}
			return wrongArguments(cmd, args)
		}
	}
	for _, sub := range cmd.Commands() {
		refuseArguments(sub)
	}
}

// wrongArguments says what a command takes instead of what it was given.
func wrongArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 && cmd.HasAvailableSubCommands() && !strings.Contains(cmd.Use, " ") {
		hint := ""
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			hint = ": did you mean " + strconv.Quote(near[0]) + "?"
		}
		return usagef("unknown command %q for %q%s; see %s --help", args[0], cmd.CommandPath(), hint, cmd.CommandPath())
	}
	given := "none is given"
	switch len(args) {
	case 0:
	case 1:
		given = "one is given"
	default:
		given = strconv.Itoa(len(args)) + " are given"
	}
	_, takes, _ := strings.Cut(cmd.Use, " ")
	takes, _, _ = strings.Cut(takes, "--") // flags that are always needed stand behind
	if takes = strings.TrimSpace(takes); takes == "" {
		takes = "no arguments"
	}
	return usagef("%s takes %s, and %s; see %s --help", cmd.CommandPath(), takes, given, cmd.CommandPath())
}

// wrongFlag is the fault of a flag without the words of the library that found it.
func wrongFlag(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown):
		return usagef("%w%s; see %s --help", err, nearFlag(cmd, unknown.GetSpecifiedName()), cmd.CommandPath())
	case errors.As(err, &invalid):
		flag := invalid.GetFlag()
		if want := flagWords[flag.Value.Type()]; want != "" {
			return usagef("--%s is %q, want %s; see %s --help", flag.Name, invalid.GetValue(), want, cmd.CommandPath())
		}
	}
	return usagef("%w; see %s --help", err, cmd.CommandPath())
}

// flagWords is what a flag of a type takes.
var flagWords = map[string]string{
	"int": "a whole number", "uint64": "a whole number, 0 or more", "float64": "a number", "float64Slice": "numbers with commas between them",
	"bool": "true or false", "duration": "a duration such as 90s or 5m",
}

// nearFlag is a hint at the flag that begins or is spelt like name.
func nearFlag(cmd *cobra.Command, name string) string {
	if len(name) < 2 {
		return ""
	}
	// The search of the subcommands' names serves here too.
	names := &cobra.Command{SuggestionsMinimumDistance: closeEnough}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names.AddCommand(&cobra.Command{Use: f.Name, Run: func(*cobra.Command, []string) {}})
		}
	})
	if near := names.SuggestionsFor(name); len(near) > 0 {
		return ": did you mean --" + near[0] + "?"
	}
	return ""
}

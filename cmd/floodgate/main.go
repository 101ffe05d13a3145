// Command floodgate offers exact bursts to metric servers, accounts for every
// message, and says whether a candidate is worse than its baseline.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"floodgate/regress"
	"floodgate/scenarios"
)

// Exit codes. Of several that would fit, the one that comes first in this
// order wins: interrupted, usage, failed, unmeasured.
const (
	exitPass        = 0
	exitFail        = 1   // regressed, or a gate failed
	exitUsage       = 2   // a flag, an argument, a scenario
	exitUnmeasured  = 3   // a replicate invalid after its repetitions, missing data
	exitInterrupted = 130 // by a signal; finished replicates are kept
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The first signal stops in order; a second one, with the handler gone, at
	// once.
	context.AfterFunc(ctx, stop)
	// A generator keeps a processor while it sleeps, and a woven pair has two.
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 2)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// app is what all subcommands share.
type app struct {
	stdout, stderr io.Writer
	code           int // of the decision; exitPass for a command that makes none
}

// run is the program without its process.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	slog.SetDefault(slog.New(slog.NewTextHandler(stderr, nil)))
	a := &app{stdout: stdout, stderr: stderr}
	root := a.root()
	root.SetArgs(goDashes(root, args))
	err := root.ExecuteContext(ctx)
	var u *usageError
	var faults *scenarios.FaultError
	switch {
	case err == nil:
		return a.code
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "floodgate: interrupted; every process it started has ended")
		return exitInterrupted
	case errors.As(err, &faults):
		fmt.Fprintln(stderr, err) // file:line: at the start of each line, for editors
		return exitUsage
	case errors.As(err, &u):
		fmt.Fprintf(stderr, "floodgate: %v\n", err)
		return exitUsage
	}
	fmt.Fprintf(stderr, "floodgate: %v\n", err)
	if a.code == exitFail {
		return exitFail // the decision was made, and only telling it went wrong
	}
	return exitUnmeasured
}

// usageError is a mistake of whoever called: exit 2.
type usageError struct{ error }

func (e *usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "floodgate",
		Short: "Offer exact bursts to a metric server and judge what they cost",
		Long: `Floodgate answers one question for people who run or write metric servers:
if I deploy this change, what will the next burst cost me?

It offers an exact burst to a server, accounts for every metric it offered,
repeats that for a baseline and a candidate in a fair order, and says with a
stated confidence whether the candidate is worse.

Exit codes: 0 pass; 1 regressed or a gate failed; 2 usage or scenario fault;
3 could not measure; 130 interrupted.`,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetVersionTemplate("floodgate {{.Version}}\n")
	root.SetFlagErrorFunc(wrongFlag)
	root.AddCommand(a.benchCommand(), a.runCommand(), a.compareCommand(), a.reportCommand(),
		a.scenariosCommand(), a.targetsCommand(), a.intakeCommand(), a.versionCommand())
	root.AddCommand(a.sizesCommand(), a.historyCommand())
	root.AddCommand(a.blastCommand(), a.saturateCommand())
	root.AddCommand(a.benchstatCommand())
	root.AddCommand(a.initCommand())
	root.AddCommand(a.proveCommand(), a.peersCommand())
	root.AddCommand(a.calibrateCommand(), a.bisectCommand())
	refuseArguments(root)
	return root
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		Run: func(*cobra.Command, []string) { fmt.Fprintln(a.stdout, "floodgate "+version()) },
	}
}

// describe is git describe, set by the Makefile at link time.
var describe string

func version() string {
	info, ok := debug.ReadBuildInfo()
	switch {
	case describe != "":
		return describe
	case ok && strings.HasPrefix(info.Main.Version, "v"):
		return info.Main.Version
	}
	return "unknown"
}

// exitCode is the code of a decision.
func exitCode(d regress.Decision) int {
	switch d.Outcome {
	case regress.Pass:
		return exitPass
	case regress.Fail:
		return exitFail
	}
	return exitUnmeasured
}

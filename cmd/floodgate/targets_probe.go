package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"floodgate/internal/capability"
	"floodgate/internal/harness"
	"floodgate/internal/record"
	"floodgate/scenarios"
)

func (a *app) probeCommand(rf *runFlags) *cobra.Command {
	var asJSON bool
	limit := 10 * time.Second
	cmd := &cobra.Command{
		Use: "probe TARGET[:option=value,…]", Short: "Find out what a server can do, and where its description is wrong", Args: cobra.ExactArgs(1),
		Long: `Probe starts the described server as a run does, once for each transport, sends
it a line of each kind and with each part that a load may have, and looks at what
arrives at the sink: a capability is a yes only if the values are right. What the
sink cannot show is unclear, and counts for nothing. Long texts are cut; --json
has them whole.

Exit codes: 0 the description says what the probes do; 1 it does not, and each
key that should read otherwise is named with its line; 2 usage; 3 the server
could not be started, or nothing arrived.`,
		Example: `  floodgate targets probe statsd_exporter
  floodgate targets probe my_server:binary=./my_server --target-dir targets`,
		ValidArgsFunction: completeTargets(rf),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.probeTarget(cmd.Context(), rf, args[0], limit, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print what was found as JSON")
	cmd.Flags().DurationVar(&limit, "limit", limit, "how long one probe may take to arrive; at least five flush intervals")
	return cmd
}

// probed is what was found, as JSON.
type probed struct {
	Target        string              `json:"target"`
	Transports    []capability.Matrix `json:"transports"`
	Disagreements []disagreement      `json:"disagreements"`
	Warnings      []string            `json:"warnings"`
}

// disagreement is one with the place of its key.
type disagreement struct {
	File string `json:"file"`
	Line int    `json:"line"`
	capability.Disagreement
}

func (a *app) probeTarget(ctx context.Context, rf *runFlags, spec string, limit time.Duration, asJSON bool) error {
	if limit <= 0 {
		return usagef("--limit is %v: want more than 0", limit)
	}
	finder, err := rf.finder()
	if err != nil {
		return err
	}
	v, err := finder.Variant(record.Candidate, "target:"+strings.TrimPrefix(spec, "target:"))
	if err != nil {
		return &usageError{err}
	}
	found := probed{Target: spec, Disagreements: []disagreement{}, Warnings: []string{}}
	matrices, warnings, err := harness.ProbeCapabilities(ctx, v, limit)
	if err != nil {
		return err
	}
	found.Transports = matrices
	found.Warnings = append(found.Warnings, warnings...)
	for _, d := range capability.Compare(&v.Target.Capabilities, matrices) {
		found.Disagreements = append(found.Disagreements, disagreement{v.Target.File, v.Target.Line("capabilities." + d.Key), d})
	}
	if len(found.Disagreements) > 0 {
		a.code = exitFail
	}
	if asJSON {
		encoder := json.NewEncoder(a.stdout)
		encoder.SetIndent("", "  ")
		return encoder.Encode(found)
	}
	return a.showProbed(v.Target, &found)
}

// showProbed prints one table for each transport, and what should be mended.
func (a *app) showProbed(t *scenarios.Target, found *probed) error {
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	for _, m := range found.Transports {
		fmt.Fprintf(w, "%s over %s, seen at %s\n\n", found.Target, m.Transport, t.Sink)
		fmt.Fprintln(w, "CAPABILITY\tPROBED\tFILE\t\tSENT\tSEEN")
		for _, r := range m.Rows {
			differs := ""
			if r.Differs() {
				differs = "differs"
			}
			seen := r.Seen
			if r.Why != "" {
				seen = r.Why + "; " + seen
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Name(), r.Probed, r.File, differs, shortened(r.Sent, 46), shortened(seen, 72))
		}
		fmt.Fprintln(w)
		if err := w.Flush(); err != nil {
			return err
		}
	}
	for _, warning := range found.Warnings {
		fmt.Fprintf(a.stderr, "floodgate: %s\n", warning)
	}
	for _, d := range found.Disagreements {
		fmt.Fprintf(a.stdout, "%s:%d: capabilities.%s is %s: want %s\n", d.File, d.Line, d.Key, d.Says, d.Want)
	}
	if len(found.Disagreements) == 0 {
		fmt.Fprintf(a.stdout, "The description of %s says what the probes do.\n", t.Name)
	}
	return nil
}

// shortened is a text that fits a column; --json has the whole of it.
func shortened(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"floodgate/scenarios"
)

func (a *app) initCommand() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use: "init", Short: "Write a floodgate.yaml and a description of your server to start from", Args: cobra.NoArgs,
		Long: `Init looks around in the folder it is run in, finds out what it can about the
server there (go.mod and the packages main of it, package.json, a Dockerfile,
scripts and programs), and writes

  floodgate.yaml              what floodgate bench takes without arguments
  targets/NAME.yaml           how the server is built and started
  scenarios/first_burst.yaml  a small burst of plain counters
  .floodgate/*.schema.json    for your editor

It asks nothing, runs nothing that it finds, and overwrites nothing.`,
		Example: "  floodgate init\n  floodgate init --name my_server",
		RunE:    func(*cobra.Command, []string) error { return a.init(name) },
	}
	cmd.Flags().StringVar(&name, "name", "", "name of the server's description (default: as it is found)")
	return cmd
}

// draft is a file that init writes.
type draft struct {
	path, text string
	may        bool // be there already
}

func (a *app) init(name string) error {
	found := findServer(".")
	if name != "" {
		if err := scenarios.CheckTargetName(name); err != nil {
			return usagef("--name: %v", err)
		}
		found.name = name
	}
	drafts, err := found.drafts()
	if err != nil {
		return err
	}
	if err := checkDrafts(drafts); err != nil {
		return err
	}
	for _, d := range drafts {
		wrote, err := d.write()
		if err != nil {
			return &usageError{fmt.Errorf("cannot write %s: %w", d.path, err)}
		}
		if wrote {
			fmt.Fprintln(a.stdout, "wrote "+d.path)
		}
	}
	fmt.Fprint(a.stdout, found.next())
	return nil
}

// checkDrafts finds out before anything is written what would be in the way, and
// holds what would be written against the readers that will read it.
func checkDrafts(drafts []draft) error {
	for _, d := range drafts {
		if _, err := os.Lstat(d.path); err == nil && !d.may {
			return usagef("%s is there already: init overwrites nothing; change it, or move it away", d.path)
		}
		var err error
		switch {
		case d.path == scenarios.ProjectFile:
			_, err = scenarios.ParseProject(d.path, []byte(d.text))
		case strings.HasPrefix(d.path, "targets"):
			_, err = scenarios.ParseTarget(d.path, []byte(d.text))
		case strings.HasPrefix(d.path, "scenarios"):
			_, err = scenarios.Parse(d.path, []byte(d.text))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// write makes the file unless there is one.
func (d draft) write() (bool, error) {
	if err := os.MkdirAll(filepath.Dir(d.path), 0o755); err != nil {
		return false, err
	}
	f, err := os.OpenFile(d.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) && d.may {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	_, err = f.WriteString(d.text)
	return true, errors.Join(err, f.Close())
}

// drafts are the files that describe what was found.
func (s server) drafts() ([]draft, error) {
	drafts := []draft{
		{path: scenarios.ProjectFile, text: s.project()},
		{path: filepath.Join("targets", s.name+".yaml"), text: s.description()},
		{path: filepath.Join("scenarios", "first_burst.yaml"), text: firstBurst, may: true},
	}
	for _, of := range scenarios.Schemas {
		schema, err := scenarios.Schema(of)
		if err != nil {
			return nil, err
		}
		drafts = append(drafts, draft{path: filepath.Join(".floodgate", of+".schema.json"), text: string(schema), may: true})
	}
	return drafts, nil
}

func (s server) project() string {
	return fmt.Sprintf(`# yaml-language-server: $schema=.floodgate/project.schema.json
# What floodgate bench and floodgate run take where their flags say nothing.

# The description of the server, in the folder of descriptions: it says how a
# git:REF is built and started.
target: %s
targets: targets

# Commits of this repository, or target:%s:binary=PATH for a program that you
# built yourself. What is not committed is not built.
baseline: git:HEAD~1
candidate: git:HEAD

# Files, or names out of floodgate scenarios list.
scenarios: [scenarios/first_burst.yaml]

# The smallest change that matters, and what a mark claims: detect or prove.
judge: {tolerance: 5%%, rule: detect}
`, s.name, s.name)
}

func (s server) description() string {
	var b strings.Builder
	fmt.Fprintf(&b, `# yaml-language-server: $schema=../.floodgate/target.schema.json
# How floodgate builds, starts and loads the server. For more of what can be said
# here: floodgate targets show statsd_exporter.
name: %s
description: %s
binary: %s
`, s.name, quoted("The server of this repository: "+s.what+"."), quoted(s.binary))
	if s.install != "" {
		fmt.Fprintf(&b, "install: %s\n", quoted(s.install))
	}
	fmt.Fprintf(&b, "\n# The command that builds it in a checkout. It writes {{.Output}}: the program, or\n# a folder with the program in it. sh -c is there for more than one command.\nbuild: %s\n", flow(s.build))
	fmt.Fprintf(&b, "\n# The words after the program. Also {{.Listen}}, udp://HOST:PORT, and {{.Dir}}, an\n# empty folder; with files there may be a file of settings in it.\n")
	if len(s.flags) > 0 {
		fmt.Fprintf(&b, "# Flags that its source seems to have: %s.\n", strings.Join(s.flags, " "))
	}
	fmt.Fprintf(&b, "command: %s\n", flow(s.command()))
	if s.path != "" {
		fmt.Fprintf(&b, "\n# All the variables that it gets.\nenvironment: {PATH: %s}\n", quoted(s.path))
	}
	b.WriteString(`
# It may be loaded once its socket is there; or {http: URL}, {output: TEXT}.
transports: [udp]
ready: bound

# Where its output is counted: datadog, influx, otlp (paths of {{.Intake}}),
# graphite ({{.GraphiteHost}}:{{.GraphitePort}}), prometheus (with scrape: URL).
# With none it is judged by CPU, memory and the kernel's drops alone.
sink: none

# What it understands. Also tags, packed_values, timestamps, origin and the kinds
# h, d and s.
capabilities: {kinds: [c, g, ms], packing: true, sampling: true}
`)
	return b.String()
}

const firstBurst = `# yaml-language-server: $schema=../.floodgate/scenario.schema.json
name: first_burst
description: >-
  A hundred thousand plain counters within two seconds, each in a datagram of its own.
  Any server that calls itself StatsD takes them.
load:
  transport: udp
  schedule:
    burst: {count: 100k, over: 2s}
  corpus: {context_keys: 1k, tags: 0, kinds: {c: 100}, packing: one_line}
target: {flush_interval: 1s}
# The load is the same for both, so CPU time is too, unless the server changed. Once
# its sink is known: cpu_per_message, a check on lost_messages, and gate: true.
goal: cpu_seconds
checks:
  - max(kernel_dropped) <= 0
gate: false
`

// next says what was found and what to do now.
func (s server) next() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\nfound: %s\n", s.what)
	for _, n := range s.notes {
		fmt.Fprintf(&b, "  %s\n", n)
	}
	file := filepath.Join("targets", s.name+".yaml")
	fmt.Fprintf(&b, "\nnext:\n  1. Read %s. It guesses that the server is told where to listen with %s", file, strings.Join(s.command(), " "))
	if !s.buildKnown {
		b.WriteString(", and how it is built")
	}
	fmt.Fprintf(&b, ".\n  2. floodgate targets check %s\n  3. floodgate run     starts, loads and measures HEAD\n  4. floodgate bench   compares HEAD with HEAD~1, or what --baseline and --candidate name\n", file)
	b.WriteString("\nRecords and reports go to out/: let git ignore it. The rest is worth committing.\n")
	if _, err := os.Stat(".git"); err != nil {
		b.WriteString("\nThis folder is not the top of a git repository: for git:REF there has to be one around it.\n")
	}
	return b.String()
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"floodgate/internal/artefact"
	"floodgate/regress/sizes"
	"floodgate/reports"
)

// sizesFlags are the flags of the static gates.
type sizesFlags struct {
	baseline, candidate string
	gates               string
	limits              sizes.Limits
	allowNew            bool
	codec               string
	format, color       string
}

func (f *sizesFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.baseline, "baseline", "", "file, folder or archive to compare with")
	flags.StringVar(&f.candidate, "candidate", "", "file, folder or archive to judge")
	flags.StringVar(&f.gates, "gates", "", "YAML file with the limits of several artefacts, whose paths lie below --baseline and --candidate")
	flags.StringVar(&f.limits.MaxDisk, "max-disk", "", "largest size on disk, such as 50MiB")
	flags.StringVar(&f.limits.MaxWire, "max-wire", "", "largest size on the wire, such as 20MiB")
	flags.StringVar(&f.limits.MaxGrowthDisk, "max-growth-disk", "", "largest growth on disk, such as 1% or 600KiB")
	flags.StringVar(&f.limits.MaxGrowthWire, "max-growth-wire", "", "largest growth on the wire, such as 1% or 600KiB")
	flags.BoolVar(&f.allowNew, "allow-new", false, "an artefact that is not below --baseline is new: its growth is not judged")
	flags.StringVar(&f.codec, "compress", artefact.Codec{}.String(), "how to compress what is not compressed by itself: gzip:1 to gzip:9, or zstd:fastest, default, better, best")
	flags.StringVar(&f.format, "format", "terminal", "terminal, markdown or json")
	flags.StringVar(&f.color, "color", "auto", "auto, always or never")
}

func (a *app) sizesCommand() *cobra.Command {
	var f sizesFlags
	cmd := &cobra.Command{
		Use:   "sizes --candidate NEW [--baseline OLD]",
		Short: "Static gates: sizes of what was built, and which files are in it",
		Long: `Sizes measures what a build made, before anything runs: its size on disk and,
compressed, on the wire. Each is held against a limit and against a limit on
growth. A folder or an archive (tar, tar.gz, tar.xz, tar.zst, zip, deb) counts
with the files in it, and these are compared with the baseline's: added,
removed, changed in size or mode. Nothing is extracted.

Growth below 2 KiB is neutral. A limit that the baseline broke as well is shown
and does not fail: the change did not do it. A size that is missing is never
taken for one that holds.

With --gates one file has the limits of several artefacts:

  artefacts:
    - name: package
      path: "*.deb"          # below --baseline and --candidate
      max_disk: 50MiB
      max_wire: 20MiB
      max_growth_disk: 1%
      max_growth_wire: 600KiB`,
		Example: `  floodgate sizes --baseline old/refserver --candidate bin/refserver --max-disk 50MiB --max-growth-disk 1%
  floodgate sizes --baseline old/ --candidate out/ --gates sizes.yaml --format markdown
  floodgate sizes --candidate server.tar.gz --max-wire 20MiB`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.sizes(cmd.Context(), f) },
	}
	f.add(cmd.Flags())
	return cmd
}

// sizes is the whole command, from flags to exit code.
func (a *app) sizes(ctx context.Context, f sizesFlags) error {
	write, err := f.writer(a.stdout)
	if err != nil {
		return err
	}
	codec, err := artefact.ParseCodec(f.codec)
	if err != nil {
		return usagef("--compress: %w", err)
	}
	planned, err := f.plan()
	if err != nil {
		return err
	}
	s := reports.Sizes{Baseline: f.baseline, Candidate: f.candidate, Codec: codec.String(), Version: version()}
	var gates []sizes.Gate
	for _, p := range planned {
		gate, inventory := f.measure(ctx, p, codec)
		if err := ctx.Err(); err != nil {
			return err
		}
		gates = append(gates, gate)
		if inventory != nil {
			s.Inventories = append(s.Inventories, *inventory)
		}
	}
	s.Verdict = sizes.Judge(gates)
	a.code = exitCode(s.Verdict.Decision)
	if err := write(s); err != nil {
		return fmt.Errorf("cannot print the sizes: %w", err)
	}
	return nil
}

// writer returns what prints in the format that was asked for.
func (f *sizesFlags) writer(w io.Writer) (func(reports.Sizes) error, error) {
	if f.color != "auto" && f.color != "always" && f.color != "never" {
		return nil, usagef("--color is %q, allowed are auto, always and never", f.color)
	}
	switch f.format {
	case "terminal":
		return func(s reports.Sizes) error {
			return reports.SizesTerminal(w, s, reports.TerminalOptions{Color: useColor(f.color, w), Width: width(w)})
		}, nil
	case "markdown":
		return func(s reports.Sizes) error { return reports.SizesMarkdown(w, s) }, nil
	case "json":
		return func(s reports.Sizes) error { return reports.SizesJSON(w, s) }, nil
	}
	return nil, usagef("--format is %q, allowed are terminal, markdown and json", f.format)
}

// plan checks the flags and returns what is to be measured. An empty path is
// the baseline and the candidate themselves.
func (f *sizesFlags) plan() ([]sizes.Planned, error) {
	if f.candidate == "" {
		return nil, usagef("--candidate is missing: want a file, a folder or an archive")
	}
	for _, side := range [][2]string{{"--candidate", f.candidate}, {"--baseline", f.baseline}} {
		if side[1] == "" {
			continue
		}
		if _, err := os.Stat(side[1]); err != nil {
			return nil, usagef("%s: %w", side[0], err)
		}
	}
	if f.gates == "" {
		disk, wire, err := f.limits.Parse(flagOf)
		if err != nil {
			return nil, &usageError{err}
		}
		return []sizes.Planned{{Name: filepath.Base(f.candidate), Disk: disk, Wire: wire}}, nil
	}
	if f.limits != (sizes.Limits{}) {
		return nil, usagef("--gates has the limits of each artefact: leave the --max flags out")
	}
	source, err := os.ReadFile(f.gates)
	if err != nil {
		return nil, usagef("--gates: %w", err)
	}
	planned, err := sizes.ParseGates(f.gates, source)
	if err != nil {
		return nil, &usageError{err}
	}
	return planned, nil
}

// flagOf is the flag of a limit.
func flagOf(key string) string {
	return map[string]string{
		"max_disk": "--max-disk", "max_wire": "--max-wire",
		"max_growth_disk": "--max-growth-disk", "max_growth_wire": "--max-growth-wire",
	}[key]
}

// measure reads both sides of an artefact. What cannot be read is a fault of
// this artefact, and the others are judged all the same.
func (f *sizesFlags) measure(ctx context.Context, p sizes.Planned, codec artefact.Codec) (sizes.Gate, *sizes.Inventory) {
	gate := sizes.Gate{Name: p.Name, Disk: p.Disk, Wire: p.Wire}
	candidate, err := readBelow(ctx, f.candidate, p.Path, codec)
	if err != nil {
		gate.Fault = err.Error()
		return gate, nil
	}
	gate.Candidate = &sizes.Size{Disk: candidate.Disk, Wire: candidate.Wire}
	if f.baseline == "" {
		return gate, nil
	}
	baseline, err := readBelow(ctx, f.baseline, p.Path, codec)
	switch {
	case errors.Is(err, fs.ErrNotExist) && f.allowNew:
		gate.New = true
		return gate, nil
	case errors.Is(err, fs.ErrNotExist):
		gate.Fault = err.Error() + " (--allow-new where the artefact is new)"
		return gate, nil
	case err != nil:
		gate.Fault = err.Error()
		return gate, nil
	}
	gate.Baseline = &sizes.Size{Disk: baseline.Disk, Wire: baseline.Wire}
	if candidate.Entries == nil || baseline.Entries == nil {
		return gate, nil
	}
	inventory := sizes.CompareFiles(p.Name, baseline.Entries, candidate.Entries)
	return gate, &inventory
}

// readBelow reads the one artefact below root that the path names, or that
// matches it.
func readBelow(ctx context.Context, root, path string, codec artefact.Codec) (*artefact.Artefact, error) {
	if path != "" {
		pattern := filepath.Join(root, filepath.FromSlash(path))
		found, err := filepath.Glob(pattern)
		switch {
		case err != nil:
			return nil, fmt.Errorf("cannot look for %s: %w", pattern, err)
		case len(found) == 0:
			return nil, fmt.Errorf("cannot read artefact %s: %w", pattern, fs.ErrNotExist)
		case len(found) > 1:
			return nil, fmt.Errorf("cannot read artefact %s: %d files match, want one", pattern, len(found))
		}
		root = found[0]
	}
	return artefact.Read(ctx, root, codec, artefact.DefaultLimits())
}

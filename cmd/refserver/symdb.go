package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync/atomic"

	"github.com/prometheus/procfs"
	"github.com/spf13/pflag"

	"floodgate/server/symdb"
)

const symdbUsage = `refserver symdb uploads the symbols of a made-up program to an intake, and prints
what became of them as JSON.

Usage:
  refserver symdb --intake URL [flags]

Examples:
  refserver symdb --intake http://127.0.0.1:8080
  refserver symdb --intake http://127.0.0.1:8080 --mode buffered --packages 10000
  refserver symdb --intake http://127.0.0.1:8080 --stats 127.0.0.1:8126 --linger

Flags:
`

type symdbOptions struct {
	config    symdb.Config
	tree      symdb.TreeConfig
	stats     string
	statsFile string
	linger    bool
}

// parseSymdbOptions reads the flags. Help goes to stdout and is pflag.ErrHelp.
func parseSymdbOptions(args []string, stdout io.Writer) (symdbOptions, error) {
	o := symdbOptions{config: symdb.Default(), tree: symdb.DefaultTree()}
	c, t := &o.config, &o.tree
	flags := pflag.NewFlagSet("refserver symdb", pflag.ContinueOnError)
	flags.SortFlags = false
	flags.Usage = func() { fmt.Fprint(stdout, symdbUsage, flags.FlagUsages()) }
	flags.StringVar(&c.URL, "intake", c.URL, "`URL` of the intake that symbols are sent to (required)")
	flags.StringVar((*string)(&c.Mode), "mode", string(c.Mode), "streaming (into the compressor) or buffered (as scopes, as JSON and compressed)")
	flags.Var(size(&c.ThresholdBytes), "threshold", "compressed size at which streaming sends a batch; 0 sends every package alone")
	flags.Var(count(&c.MaxFunctions), "max-functions", "functions after which buffered sends a batch")
	flags.StringVar(&c.Service, "service", c.Service, "name of the program")
	flags.StringVar(&c.Version, "program-version", c.Version, "version of the program")
	flags.StringVar(&c.RuntimeID, "runtime-id", c.RuntimeID, "identifier of the running program")
	flags.StringVar(&c.UploadID, "upload-id", c.UploadID, "identifier that all batches share; empty for a new one")
	flags.DurationVar(&c.RetryFor, "retry-for", c.RetryFor, "how long a batch is tried before it is lost")
	flags.Var(count(&t.Packages), "packages", "packages of the program")
	flags.Var(count(&t.FunctionsPerPackage), "functions", "functions per package")
	flags.Var(count(&t.VariablesPerFunction), "variables", "variables per function")
	flags.Uint64Var(&t.Seed, "seed", t.Seed, "which program it is")
	flags.StringVar(&o.stats, "stats", "", "`address` of the statistics endpoint, such as 127.0.0.1:8126: /stats in JSON; empty for none")
	flags.StringVar(&o.statsFile, "stats-file", "", "`file` that the final statistics are written to")
	flags.BoolVar(&o.linger, "linger", false, "stay after the upload until SIGTERM, so that somebody can look")
	if err := flags.Parse(args); err != nil {
		return o, refused("", err)
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q: every setting is a flag, see --help", flags.Arg(0))
	}
	if c.URL == "" {
		return o, fmt.Errorf("no intake: want --intake URL, such as --intake http://127.0.0.1:8080")
	}
	if err := c.Validate(); err != nil {
		return o, err
	}
	return o, t.Validate()
}

// symdbStatistics is what an upload tells about itself.
type symdbStatistics struct {
	Mode symdb.Mode `json:"mode"`
	Done bool       `json:"done"` // everything is acknowledged or lost
	symdb.UploadStats
	PeakRSS uint64 `json:"peak_rss_bytes"` // 0 where the system does not tell
	Error   string `json:"error,omitempty"`
}

// runSymdb is the subcommand without its process. It uploads and, if it is to
// linger, waits for the end of ctx.
func runSymdb(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	refuse := func(err error) int {
		fmt.Fprintf(stderr, "refserver symdb: %v\n", err)
		return exitRefused
	}
	opts, err := parseSymdbOptions(args, stdout)
	if errors.Is(err, pflag.ErrHelp) {
		return exitOK
	}
	if err != nil {
		return refuse(err)
	}
	client, err := symdb.New(opts.config)
	if err != nil {
		return refuse(err)
	}
	var ended atomic.Pointer[symdbStatistics]
	stopStats, err := serveStatistics(opts.stats, symdbHandler(func() symdbStatistics {
		if st := ended.Load(); st != nil {
			return *st
		}
		return symdbStatistics{Mode: opts.config.Mode, UploadStats: client.Stats(), PeakRSS: peakRSS()}
	}))
	if err != nil {
		return refuse(err)
	}
	defer stopStats()

	code := exitOK
	stats, err := client.Upload(ctx, symdb.Tree(opts.tree))
	last := symdbStatistics{Mode: opts.config.Mode, Done: true, UploadStats: stats, PeakRSS: peakRSS()}
	if err != nil {
		fmt.Fprintf(stderr, "refserver symdb: %v\n", err)
		last.Error = err.Error()
		code = exitFailed
	}
	ended.Store(&last)
	if err := writeSymdbStatistics(last, opts.statsFile, stdout); err != nil {
		fmt.Fprintf(stderr, "refserver symdb: cannot write the statistics: %v\n", err)
		code = exitFailed
	}
	if opts.linger {
		<-ctx.Done()
	}
	return code
}

func symdbHandler(now func() symdbStatistics) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(now())
	})
	return mux
}

// writeSymdbStatistics writes to the file first: whoever reads the line on
// stdout finds it complete.
func writeSymdbStatistics(st symdbStatistics, path string, stdout io.Writer) error {
	text, err := json.MarshalIndent(st, "", "  ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if path != "" {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
	}
	_, err = stdout.Write(text)
	return err
}

// peakRSS is the most memory that this process ever had resident, in bytes.
func peakRSS() uint64 {
	self, err := procfs.Self()
	if err != nil {
		return 0
	}
	status, err := self.NewStatus()
	if err != nil {
		return 0
	}
	return status.VmHWM
}

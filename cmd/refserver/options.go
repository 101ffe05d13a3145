package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v4"

	"floodgate/server"
)

type options struct {
	config    server.Config
	stats     string
	statsFile string
	profile   string
	version   bool
}

const usage = `refserver is Floodgate's reference DogStatsD server: messages in over UDP or a
unix datagram socket, series out to an intake as compressed JSON.

Usage:
  refserver --intake URL [flags]

Examples:
  refserver --intake http://127.0.0.1:8080
  refserver --intake http://127.0.0.1:8080 --listen udp://127.0.0.1:0 --stats 127.0.0.1:8126
  refserver --intake http://127.0.0.1:8080 --reader coupled --flush sync --flush-interval 1s
  refserver --config refserver.yaml

The environment variables DD_DOGSTATSD_PORT, DD_DOGSTATSD_SOCKET, DD_DOGSTATSD_QUEUE_SIZE,
DD_DOGSTATSD_BUFFER_SIZE and DD_DOGSTATSD_SO_RCVBUF are read too.

Flags:
`

// parseOptions reads flags over the environment over a file over the defaults.
// Help goes to stdout and is pflag.ErrHelp.
func parseOptions(args []string, env func(string) (string, bool), stdout io.Writer) (options, error) {
	o := options{config: server.Default()}
	var file string
	c := &o.config
	flags := pflag.NewFlagSet("refserver", pflag.ContinueOnError)
	flags.SortFlags = false
	flags.Usage = func() { fmt.Fprint(stdout, usage, flags.FlagUsages()) }
	flags.StringVar(&c.Forward.URL, "intake", c.Forward.URL, "URL of the intake that series are sent to (required)")
	flags.StringArrayVar(&c.Listen, "listen", c.Listen, "socket to listen on, udp://HOST:PORT, unixgram:///PATH or unixstream:///PATH; may be repeated")
	flags.StringVar((*string)(&c.Reader), "reader", string(c.Reader), "coupled (read and aggregate in turn) or decoupled (with a queue between)")
	flags.StringVar((*string)(&c.Flush), "flush", string(c.Flush), "what ingest waits for: sync (all of it), async-copy (a copy of the contextKeys) or async (a cut)")
	flags.DurationVar(&c.Aggregate.Interval, "flush-interval", c.Aggregate.Interval, "length of a bucket; a bucket is flushed when it ends")
	flags.IntVar(&c.QueueSize, "queue-size", c.QueueSize, "datagrams that a decoupled reader may be ahead")
	flags.IntVar(&c.BufferSize, "buffer-size", c.BufferSize, "longest datagram in bytes")
	flags.IntVar(&c.ReceiveBuffer, "receive-buffer", c.ReceiveBuffer, "the kernel's buffer per socket in bytes; 0 leaves the system's default")
	flags.BoolVar(&c.KernelTime, "kernel-time", c.KernelTime, "ask the kernel when each datagram arrived, for the ingest latency in the statistics")
	flags.IntVar(&c.Readers, "readers", c.Readers, "sockets, readers and tables per UDP address; more than 1 where one core cannot keep up (Linux)")
	flags.BoolVar(&c.GRO, "gro", false, "take UDP datagrams that the kernel joined, up to 64 KiB at once (Linux)")
	flags.IntVar(&c.Aggregate.MaxKeys, "max-context-keys", c.Aggregate.MaxKeys, "contextKeys held; messages of further ones are rejected")
	flags.DurationVar(&c.Aggregate.Expiry, "expiry", c.Aggregate.Expiry, "how often contextKeys that are not in use are forgotten")
	flags.IntVar(&c.Aggregate.MaxSetMembers, "max-set-members", c.Aggregate.MaxSetMembers, "set members held per bucket")
	flags.Float64SliceVar(&c.Aggregate.Percentiles, "percentiles", c.Aggregate.Percentiles, "of timers and histograms, such as 0.95,0.99")
	flags.StringVar(&c.Forward.Encoding, "encoding", c.Forward.Encoding, "compression of uploads: identity, gzip, deflate or zstd")
	flags.IntVar(&c.Forward.ThresholdBytes, "threshold", c.Forward.ThresholdBytes, "compressed bytes after which a batch is sent; 0 sends every record alone")
	flags.StringVar(&c.Forward.Format, "format", c.Forward.Format, "of series: json or protobuf")
	flags.StringArrayVar(&c.Forward.Also, "also", nil, "URL of a further intake that gets everything too; may be repeated")
	flags.Int64Var(&c.Forward.RetryBytes, "retry-bytes", c.Forward.RetryBytes, "bytes of batches that wait to be tried again, per intake; the oldest are given up beyond that")
	flags.BoolVar(&c.Forward.Buffered, "buffered", false, "hold each batch three times over instead of streaming it, to measure what that costs")
	flags.Float64Var(&c.Ballast, "ballast", 0, "CPU time to burn, in percent of what is used otherwise: something for a comparison to find")
	flags.DurationVar(&c.Grace, "grace", c.Grace, "how long a stop may take")
	flags.StringVar(&o.stats, "stats", "", "address of the statistics endpoint, such as 127.0.0.1:8126; empty for none")
	flags.StringVar(&o.statsFile, "stats-file", "", "file that the final statistics are written to")
	flags.StringVar(&o.profile, "cpu-profile", "", "file that a CPU profile of the whole run is written to")
	flags.StringVar(&file, "config", "", "YAML file with any of these settings, written with _ for -; flags and the environment beat it")
	flags.BoolVar(&o.version, "version", false, "print the version and exit")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q: every setting is a flag, see --help", flags.Arg(0))
	}
	if err := setFromEnvironment(flags, env); err != nil {
		return o, err
	}
	if file != "" {
		if err := setFromFile(flags, file); err != nil {
			return o, err
		}
	}
	if c.Forward.URL == "" && !o.version {
		return o, fmt.Errorf("no intake: want --intake URL, such as --intake http://127.0.0.1:8080")
	}
	return o, nil
}

// setFromEnvironment sets the flags that were not given from the variables that
// agents share. A queue size of 0 there has always meant the default, so it does
// here, with a warning; in a flag or a file it is refused.
func setFromEnvironment(flags *pflag.FlagSet, env func(string) (string, bool)) error {
	number := func(name string) (text string, set bool, err error) {
		if text, set = env(name); !set || text == "" {
			return "", false, nil
		}
		if _, err := strconv.Atoi(text); err != nil {
			return "", false, fmt.Errorf("%s is %q, want a whole number", name, text)
		}
		return text, true, nil
	}
	for _, v := range []struct{ variable, flag string }{
		{"DD_DOGSTATSD_QUEUE_SIZE", "queue-size"},
		{"DD_DOGSTATSD_BUFFER_SIZE", "buffer-size"},
		{"DD_DOGSTATSD_SO_RCVBUF", "receive-buffer"},
	} {
		text, set, err := number(v.variable)
		if err != nil {
			return err
		}
		if set && v.flag == "queue-size" && text == "0" {
			slog.Warn("DD_DOGSTATSD_QUEUE_SIZE is 0, the default is used", "queue_size", flags.Lookup("queue-size").DefValue)
			set = false
		}
		if set && !flags.Changed(v.flag) {
			if err := flags.Set(v.flag, text); err != nil {
				return fmt.Errorf("%s: %w", v.variable, err)
			}
		}
	}
	port, portSet, err := number("DD_DOGSTATSD_PORT")
	path, _ := env("DD_DOGSTATSD_SOCKET")
	if err != nil || flags.Changed("listen") || !portSet && path == "" {
		return err
	}
	if portSet {
		err = flags.Set("listen", "udp://127.0.0.1:"+port)
	} else {
		err = flags.Set("listen", flags.Lookup("listen").Value.(pflag.SliceValue).GetSlice()[0])
	}
	if err == nil && path != "" {
		err = flags.Set("listen", "unixgram://"+path)
	}
	return err
}

// setFromFile sets the flags that neither the command line nor the environment
// set. The file is a YAML mapping; its keys are the names of the flags with _
// for -. Every fault is named with its line.
func setFromFile(flags *pflag.FlagSet, file string) error {
	source, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("cannot read the configuration: %w", err)
	}
	var document yaml.Node
	if err := yaml.Load(source, &document); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if len(document.Content) != 1 || document.Content[0].Kind != yaml.MappingNode {
		return fmt.Errorf("%s: want a mapping of settings, such as queue_size: 2048", file)
	}
	given := map[string]bool{}
	flags.Visit(func(f *pflag.Flag) { given[f.Name] = true })
	var faults []error
	seen := map[string]bool{}
	pairs := document.Content[0].Content
	for i := 0; i+1 < len(pairs); i += 2 {
		key, value := pairs[i], pairs[i+1]
		name := strings.ReplaceAll(key.Value, "_", "-")
		twice := seen[name]
		seen[name] = true
		switch {
		case twice:
			faults = append(faults, fmt.Errorf("%s:%d: %s is set twice", file, key.Line, key.Value))
		case flags.Lookup(name) == nil || name == "config" || name == "version" || strings.Contains(key.Value, "-"):
			faults = append(faults, fmt.Errorf("%s:%d: unknown setting %q: allowed are the names of the flags with _ for -, see --help", file, key.Line, key.Value))
		case given[name]:
		default:
			values := []*yaml.Node{value}
			if value.Kind == yaml.SequenceNode {
				values = value.Content
			}
			for _, v := range values {
				if v.Kind != yaml.ScalarNode {
					faults = append(faults, fmt.Errorf("%s:%d: %s: want a value or a list of values", file, v.Line, key.Value))
				} else if err := flags.Set(name, v.Value); err != nil {
					faults = append(faults, fmt.Errorf("%s:%d: %s: %w", file, v.Line, key.Value, err))
				}
			}
		}
	}
	return errors.Join(faults...)
}

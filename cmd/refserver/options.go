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

const usage = `refserver is Floodgate's reference DogStatsD server. It takes messages over UDP and
unix sockets, aggregates them into buckets, and uploads series and sketches to an
intake: as protobuf compressed with zstd, unless told otherwise.

Usage:
  refserver --intake URL [flags]
  refserver symdb --intake URL [flags]    upload symbols instead, see refserver symdb --help

Examples:
  refserver --intake http://127.0.0.1:8080
  refserver --intake http://127.0.0.1:8080 --listen udp://127.0.0.1:8125 --listen unixgram:///tmp/metrics.sock
  refserver --intake http://127.0.0.1:8080 --receive-buffer 4MiB --queue-size 4k --stats 127.0.0.1:8126
  refserver --intake http://127.0.0.1:8080 --reader coupled --flush sync --flush-interval 1s
  refserver --config refserver.yaml

Sizes are written as 416KiB, 4MiB or plain bytes, counts as 2048, 300k or 1M, durations
as 500ms, 10s or 5m. A flag beats the environment, which beats the file of --config. Read are
DD_DOGSTATSD_PORT, DD_DOGSTATSD_SOCKET (a path), DD_DOGSTATSD_QUEUE_SIZE,
DD_DOGSTATSD_BUFFER_SIZE and DD_DOGSTATSD_SO_RCVBUF.

SIGTERM or an interrupt stops it: what it has read is uploaded before it ends.
Exit codes: 0 stopped when told; 1 failed while serving; 2 a wrong setting, or an address that cannot be had.

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
	flags.StringVar(&c.Forward.URL, "intake", c.Forward.URL, "`URL` of the intake that everything is sent to (required)")
	flags.StringArrayVar(&c.Listen, "listen", c.Listen, "`URL` of a socket to listen on: udp://HOST:PORT, unixgram:///PATH or unixstream:///PATH; may be repeated")
	flags.StringVar((*string)(&c.Reader), "reader", string(c.Reader), "coupled (read and aggregate in turn) or decoupled (with a queue between)")
	flags.StringVar((*string)(&c.Flush), "flush", string(c.Flush), "what ingest waits for: sync (all of it), async-copy (a copy of the contextKeys) or async (a cut)")
	flags.DurationVar(&c.Aggregate.Interval, "flush-interval", c.Aggregate.Interval, "length of a bucket; a bucket is flushed when it ends")
	flags.Var(count(&c.QueueSize), "queue-size", "datagrams that a decoupled reader may be ahead")
	flags.Var(size(&c.BufferSize), "buffer-size", "longest datagram; a longer one loses what is beyond")
	flags.Var(size(&c.ReceiveBuffer), "receive-buffer", "the kernel's buffer of each socket, granted up to net.core.rmem_max; 0 leaves the system's default")
	flags.BoolVar(&c.KernelTime, "kernel-time", c.KernelTime, "ask the kernel when each datagram arrived, for the ingest latency in the statistics")
	flags.Var(count(&c.Readers), "readers", "readers and tables per UDP address, each with sockets of its own; more than 1 where one core cannot keep up (Linux)")
	flags.Var(count(&c.Sockets), "sockets", "sockets per reader of a UDP address, each with a receive buffer of its own (Linux)")
	flags.BoolVar(&c.GRO, "gro", false, "take UDP datagrams that the kernel joined, up to 64 KiB at once (Linux)")
	flags.Var(count(&c.Aggregate.MaxKeys), "max-context-keys", "contextKeys (name, kind and tags together) that are held; messages of further ones are rejected")
	flags.DurationVar(&c.Aggregate.Expiry, "expiry", c.Aggregate.Expiry, "how often contextKeys are forgotten when most are not in use")
	flags.Var(count(&c.Aggregate.MaxSetMembers), "max-set-members", "members of sets that are held per bucket; messages with further ones are rejected")
	flags.Float64SliceVar(&c.Aggregate.Percentiles, "percentiles", c.Aggregate.Percentiles, "`numbers` above 0 and below 1: the percentiles that timers and histograms are sent with, such as 0.95,0.99")
	flags.StringVar(&c.Forward.Encoding, "encoding", c.Forward.Encoding, "compression of uploads: identity, gzip, deflate or zstd")
	flags.Var(size(&c.Forward.ThresholdBytes), "threshold", "compressed size at which a batch is sent; 0 sends every record alone")
	flags.StringVar(&c.Forward.Format, "format", c.Forward.Format, "format of series: json or protobuf; sketches are always protobuf")
	flags.StringArrayVar(&c.Forward.Also, "also", nil, "`URL` of a further intake that gets everything too; may be repeated")
	flags.Var(size(&c.Forward.RetryBytes), "retry-bytes", "compressed batches that wait to be tried again, per intake; the oldest are given up beyond that")
	flags.BoolVar(&c.Forward.Buffered, "buffered", false, "hold each batch three times over instead of streaming it, to measure what that costs")
	flags.Float64Var(&c.Ballast, "ballast", 0, "CPU time to burn, in `percent` of what is used otherwise: something for a comparison to find")
	flags.DurationVar(&c.Grace, "grace", c.Grace, "how long a stop may take; what is not uploaded by then is given up")
	flags.StringVar(&o.stats, "stats", "", "`address` of the statistics endpoint, such as 127.0.0.1:8126: /stats in JSON, /metrics for Prometheus; empty for none")
	flags.StringVar(&o.statsFile, "stats-file", "", "`file` that the final statistics are written to")
	flags.StringVar(&o.profile, "cpu-profile", "", "`file` that a CPU profile of the whole run is written to")
	flags.StringVar(&file, "config", "", "YAML `file` with any of these settings, written with _ for -, such as queue_size: 4k")
	flags.BoolVar(&o.version, "version", false, "print the version and exit")
	flags.Lookup("percentiles").DefValue = "0.95" // its own form has six decimals
	flags.Lookup("receive-buffer").DefValue = "0" // nothing that is worth a remark
	if err := flags.Parse(args); err != nil {
		return o, refused("", err)
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
	for _, v := range []struct{ variable, flag string }{
		{"DD_DOGSTATSD_QUEUE_SIZE", "queue-size"},
		{"DD_DOGSTATSD_BUFFER_SIZE", "buffer-size"},
		{"DD_DOGSTATSD_SO_RCVBUF", "receive-buffer"},
	} {
		text, _ := env(v.variable)
		set := text != ""
		if v.flag == "queue-size" && text == "0" {
			slog.Warn("DD_DOGSTATSD_QUEUE_SIZE is 0, the default is used", "queue_size", flags.Lookup("queue-size").DefValue)
			set = false
		}
		if set && !flags.Changed(v.flag) {
			if err := flags.Set(v.flag, text); err != nil {
				return refused(v.variable, err)
			}
		}
	}
	port, _ := env("DD_DOGSTATSD_PORT")
	path, _ := env("DD_DOGSTATSD_SOCKET")
	if port != "" {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return fmt.Errorf("DD_DOGSTATSD_PORT is %.60q, want a port, 0 to 65535", port)
		}
	}
	if flags.Changed("listen") || port == "" && path == "" {
		return nil
	}
	var err error
	if port != "" {
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
					faults = append(faults, refused(fmt.Sprintf("%s:%d: %s", file, v.Line, key.Value), err))
				}
			}
		}
	}
	return errors.Join(faults...)
}

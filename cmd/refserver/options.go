package main

import (
	"fmt"
	"io"
	"log/slog"
	"strconv"

	"github.com/spf13/pflag"

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

Flags:
`

// parseOptions reads flags over the environment over the defaults. Help goes
// to stdout and is pflag.ErrHelp.
func parseOptions(args []string, env func(string) (string, bool), stdout io.Writer) (options, error) {
	o := options{config: server.Default()}
	if err := o.fromEnvironment(env); err != nil {
		return o, err
	}
	c := &o.config
	flags := pflag.NewFlagSet("refserver", pflag.ContinueOnError)
	flags.SortFlags = false
	flags.Usage = func() { fmt.Fprint(stdout, usage, flags.FlagUsages()) }
	flags.StringVar(&c.Forward.URL, "intake", c.Forward.URL, "URL of the intake that series are sent to (required)")
	flags.StringArrayVar(&c.Listen, "listen", c.Listen, "socket to listen on, udp://HOST:PORT or unixgram:///PATH; may be repeated")
	flags.StringVar((*string)(&c.Reader), "reader", string(c.Reader), "coupled (read and aggregate in turn) or decoupled (with a queue between)")
	flags.StringVar((*string)(&c.Flush), "flush", string(c.Flush), "what ingest waits for: sync (all of it), async-copy (a copy of the contextKeys) or async (a cut)")
	flags.DurationVar(&c.Aggregate.Interval, "flush-interval", c.Aggregate.Interval, "length of a bucket; a bucket is flushed when it ends")
	flags.IntVar(&c.QueueSize, "queue-size", c.QueueSize, "datagrams that a decoupled reader may be ahead")
	flags.IntVar(&c.BufferSize, "buffer-size", c.BufferSize, "longest datagram in bytes")
	flags.IntVar(&c.ReceiveBuffer, "receive-buffer", c.ReceiveBuffer, "the kernel's buffer per socket in bytes; 0 leaves the system's default")
	flags.IntVar(&c.Aggregate.MaxKeys, "max-context-keys", c.Aggregate.MaxKeys, "contextKeys held; messages of further ones are rejected")
	flags.IntVar(&c.Aggregate.MaxSetMembers, "max-set-members", c.Aggregate.MaxSetMembers, "set members held per bucket")
	flags.StringVar(&c.Forward.Encoding, "encoding", c.Forward.Encoding, "compression of uploads: identity, gzip, deflate or zstd")
	flags.IntVar(&c.Forward.ThresholdBytes, "threshold", c.Forward.ThresholdBytes, "compressed bytes after which a batch is sent; 0 sends every record alone")
	flags.DurationVar(&c.Forward.RetryFor, "retry-for", c.Forward.RetryFor, "how long a batch is tried before it counts as failed")
	flags.DurationVar(&c.Grace, "grace", c.Grace, "how long a stop may take")
	flags.StringVar(&o.stats, "stats", "", "address of the statistics endpoint, such as 127.0.0.1:8126; empty for none")
	flags.StringVar(&o.statsFile, "stats-file", "", "file that the final statistics are written to")
	flags.StringVar(&o.profile, "cpu-profile", "", "file that a CPU profile of the whole run is written to")
	flags.BoolVar(&o.version, "version", false, "print the version and exit")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q: every setting is a flag, see --help", flags.Arg(0))
	}
	if c.Forward.URL == "" && !o.version {
		return o, fmt.Errorf("no intake: want --intake URL, such as --intake http://127.0.0.1:8080")
	}
	return o, nil
}

// fromEnvironment reads the variables that agents share. A queue size of 0
// there has always meant the default, so it does here, with a warning; in a flag
// it is refused.
func (o *options) fromEnvironment(env func(string) (string, bool)) error {
	number := func(name string, into *int) error {
		text, ok := env(name)
		if !ok || text == "" {
			return nil
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%s is %q, want a whole number", name, text)
		}
		*into = n
		return nil
	}
	c := &o.config
	queueSize := c.QueueSize
	if err := number("DD_DOGSTATSD_QUEUE_SIZE", &queueSize); err != nil {
		return err
	}
	if queueSize == 0 {
		slog.Warn("DD_DOGSTATSD_QUEUE_SIZE is 0, using the default", "queue_size", c.QueueSize)
		queueSize = c.QueueSize
	}
	c.QueueSize = queueSize
	port := 8125
	for _, v := range []struct {
		name string
		into *int
	}{
		{"DD_DOGSTATSD_BUFFER_SIZE", &c.BufferSize},
		{"DD_DOGSTATSD_SO_RCVBUF", &c.ReceiveBuffer},
		{"DD_DOGSTATSD_PORT", &port},
	} {
		if err := number(v.name, v.into); err != nil {
			return err
		}
	}
	c.Listen = []string{fmt.Sprintf("udp://127.0.0.1:%d", port)}
	if path, ok := env("DD_DOGSTATSD_SOCKET"); ok && path != "" {
		c.Listen = append(c.Listen, "unixgram://"+path)
	}
	return nil
}

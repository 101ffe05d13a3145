package main

import (
	"errors"
	"fmt"
	"math"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"floodgate/internal/dogstatsd"
	"floodgate/loadgen"
	"floodgate/scenarios"
)

// blastFlags are the flags of blast as they are written.
type blastFlags struct {
	count, rate, over string
	contexts, kinds   string
	packing           string
	tags              int
	seed              uint64
	senders           int
	method, client    string
	drop              bool
	shard, startAt    string
	json, allowRemote bool
}

func (f *blastFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.count, "count", "300k", "messages to send, such as 300k or 3M")
	flags.StringVar(&f.rate, "rate", "", "messages per second, instead of --count")
	flags.StringVar(&f.over, "over", "3s", "time over which they are spread evenly; 0s sends them all at once")
	flags.StringVar(&f.contexts, "contexts", "1k", "distinct contextKeys: name, type and tags")
	flags.StringVar(&f.kinds, "kinds", "c=1", "shares of the kinds c, g, ms, h, d and s, such as c=80,g=10,h=10")
	flags.IntVar(&f.tags, "tags", 4, "tags of each message")
	flags.StringVar(&f.packing, "packing", "one_line", "one_line, or the size up to which messages are packed into datagrams, such as 1432B")
	flags.Uint64Var(&f.seed, "seed", 1, "seed of the messages: the same seed sends the same bytes")
	flags.IntVar(&f.senders, "senders", 1, "sockets that share the load, each a client of its own")
	flags.StringVar(&f.method, "method", "", "sendmmsg, gso or single; empty for the fastest that keeps datagrams as they are")
	flags.StringVar(&f.client, "client", "", "send through a client library: datadog-go")
	flags.BoolVar(&f.drop, "drop-when-full", false, "give up what there is no room for instead of waiting for it")
	flags.StringVar(&f.shard, "shard", "", "send share I of N of the load, such as 1/2; the N shares together are the whole")
	flags.StringVar(&f.startAt, "start-at", "", "instant to start at, in RFC 3339, such as 2026-01-31T12:00:00Z")
	flags.BoolVar(&f.json, "json", false, "print the summary as JSON")
	flags.BoolVar(&f.allowRemote, "allow-remote", false, "send to other machines too")
}

func (a *app) blastCommand() *cobra.Command {
	var f blastFlags
	cmd := &cobra.Command{
		Use:   "blast URL",
		Short: "Send a burst to a server that is running, and say how it went",
		Long: `Blast sends an exact burst to a server that is running already: so many messages,
evenly over a time, each at its own instant. It starts nothing and judges
nothing. On a terminal it shows how far it is; at the end it says how many
messages were sent, how late they were, and for a UDP socket of this machine how
many datagrams the kernel dropped because the socket was full.

URL is udp://HOST:PORT, tcp://HOST:PORT, unixgram:///PATH or unixstream:///PATH.
A burst is an attack on a machine that did not ask for it: other machines than
this one take --allow-remote.

Several machines can share a load: each sends one --shard of it, and --start-at
makes them begin together, as far as their clocks agree. What each says with
--json, blast merge puts together.

Exit codes: 0 all was sent; 2 usage; 3 it could not be sent, or not all of it; 130
interrupted, with a summary of what had been sent.`,
		Example: `  floodgate blast udp://127.0.0.1:8125
  floodgate blast udp://127.0.0.1:8125 --count 3M --over 3s --packing 1432B
  floodgate blast udp://127.0.0.1:8125 --rate 50k --over 1m --kinds c=80,g=10,h=10
  floodgate blast unixgram:///run/dsd.socket --count 300k --over 0s --drop-when-full
  floodgate blast udp://127.0.0.1:8125 --client datadog-go --json
  floodgate blast udp://10.0.0.7:8125 --allow-remote --shard 1/2 --start-at 2026-01-31T12:00:00Z`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := f.burst(args[0], cmd.Flags().Changed("count"), time.Now())
			if err != nil {
				return &usageError{err}
			}
			return a.blast(cmd.Context(), b)
		},
	}
	f.add(cmd.Flags())
	cmd.AddCommand(a.blastMergeCommand())
	return cmd
}

// burst is what blast was asked for.
type burst struct {
	url, network, address string
	schedule              loadgen.Schedule
	whole                 int64 // messages, all shares together
	corpus                loadgen.CorpusConfig
	dial                  loadgen.DialOptions
	over                  time.Duration
	startAt               time.Time // zero for at once
	json                  bool
}

// burst reads the flags. Its errors say what is wrong and what is allowed.
func (f *blastFlags) burst(url string, counted bool, now time.Time) (b burst, err error) {
	b = burst{url: url, json: f.json}
	if b.network, b.address, err = loadgen.SplitURL(url); err != nil {
		return b, err
	}
	if err := checkAddress(b.network, b.address); err != nil {
		return b, fmt.Errorf("cannot read target URL %q: %w", url, err)
	}
	b.dial = loadgen.DialOptions{AllowRemote: f.allowRemote, Method: loadgen.Method(f.method), Client: loadgen.Client(f.client),
		DropWhenFull: f.drop, Sockets: f.senders}
	if f.senders < 1 {
		return b, fmt.Errorf("--senders is %d, want at least 1", f.senders)
	}
	if err := b.dial.Validate(b.network); err != nil {
		return b, fmt.Errorf("cannot send to %s like that: %w", url, err)
	}
	whole, err := f.schedule(counted)
	if err != nil {
		return b, err
	}
	b.over, b.whole = whole.Over, whole.Count
	if err := f.readCorpus(&b.corpus); err != nil {
		return b, err
	}
	if b.corpus.Shard, b.corpus.Shards, err = parseShard(f.shard); err != nil {
		return b, err
	}
	if b.schedule, err = loadgen.Shard(whole, b.corpus.Shard, b.corpus.Shards); err != nil {
		return b, err
	}
	b.corpus.Messages = b.schedule.Total()
	if b.dial.Client != loadgen.NoClient {
		b.dial.ClientBytes = b.corpus.DatagramBytes
		if b.corpus.DatagramBytes == 0 {
			b.dial.ClientLines = 1
		}
	}
	if f.startAt != "" {
		if b.startAt, err = parseInstant("--start-at", f.startAt, now); err != nil {
			return b, err
		}
	}
	return b, b.corpus.Validate()
}

// checkAddress finds out what is wrong with an address before it is dialled.
func checkAddress(network, address string) error {
	if network != loadgen.UDP && network != loadgen.TCP {
		return nil // a path; the system says what is wrong with it
	}
	host, port, err := net.SplitHostPort(address)
	n, bad := strconv.Atoi(port)
	if err != nil || host == "" || bad != nil || n < 1 || n > math.MaxUint16 {
		return fmt.Errorf("want a host and a port, such as %s://127.0.0.1:8125", network)
	}
	return nil
}

// schedule is the whole load, before it is shared out.
func (f *blastFlags) schedule(counted bool) (loadgen.Burst, error) {
	var s loadgen.Burst
	var err error
	if s.Over, err = scenarios.ParseDuration(f.over); err != nil {
		return s, fmt.Errorf("--over: %w", err)
	}
	if f.rate == "" {
		if s.Count, err = scenarios.ParseCount(f.count); err != nil {
			return s, fmt.Errorf("--count: %w", err)
		}
		if s.Count == 0 {
			return s, errors.New("--count is 0, want at least 1 message")
		}
		return s, nil
	}
	rate, err := scenarios.ParseCount(f.rate)
	switch {
	case err != nil:
		return s, fmt.Errorf("--rate: %w", err)
	case counted:
		return s, errors.New("--rate and --count are both given, want one: the rate times --over is the count")
	}
	count := math.Round(float64(rate) * s.Over.Seconds())
	if count < 1 || count > math.MaxInt32 {
		return s, fmt.Errorf("--rate %s over %v is %.0f messages, want at least 1 and at most %d", f.rate, s.Over, count, math.MaxInt32)
	}
	s.Count = int64(count)
	return s, nil
}

func (f *blastFlags) readCorpus(c *loadgen.CorpusConfig) error {
	contexts, err := scenarios.ParseCount(f.contexts)
	if err != nil {
		return fmt.Errorf("--contexts: %w", err)
	}
	*c = loadgen.CorpusConfig{Seed: f.seed, ContextKeys: int(contexts), Cycle: true, Tags: f.tags, PackedValues: 1}
	if f.packing != "one_line" {
		size, err := scenarios.ParseBytes(f.packing)
		if err != nil || size == 0 {
			return fmt.Errorf("--packing is %q, want one_line or the size of the largest datagram, such as 1432B", f.packing)
		}
		c.DatagramBytes = int(size)
	}
	c.Kinds, err = parseKinds(f.kinds)
	return err
}

// parseKinds reads shares such as c=80,g=10,h=10.
func parseKinds(text string) ([]loadgen.KindWeight, error) {
	var kinds []loadgen.KindWeight
	for part := range strings.SplitSeq(text, ",") {
		name, number, _ := strings.Cut(part, "=")
		kind, known := dogstatsd.KindOf(name)
		weight, err := strconv.Atoi(number)
		if !known || err != nil || weight < 0 {
			return nil, fmt.Errorf("--kinds has %q, want a kind and its share, such as c=80: the kinds are c, g, ms, h, d and s", part)
		}
		kinds = append(kinds, loadgen.KindWeight{Kind: kind, Weight: weight})
	}
	return kinds, nil
}

// parseShard reads I/N, the first being 1, and returns the share from 0.
func parseShard(text string) (shard, shards int, err error) {
	if text == "" {
		return 0, 1, nil
	}
	i, n, _ := strings.Cut(text, "/")
	shard, bad := strconv.Atoi(i)
	shards, worse := strconv.Atoi(n)
	if bad != nil || worse != nil || shard < 1 || shard > shards {
		return 0, 0, fmt.Errorf("--shard is %q, want a share and their number, from 1/2 to 2/2 for two", text)
	}
	return shard - 1, shards, nil
}

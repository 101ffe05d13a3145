package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"floodgate/internal/harness"
	"floodgate/internal/record"
	"floodgate/loadgen"
)

// shardFlags are the flags of a run that shares its load with others, as they are
// written.
type shardFlags struct {
	shard       string
	at          []string
	listen, to  string
	allowRemote bool
}

// defaultListen is the port that DogStatsD's clients send to.
const defaultListen = "127.0.0.1:8125"

func (f *shardFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.shard, "shard", "", "offer share I of N of the load, such as 2/3; the first has the target")
	flags.StringSliceVar(&f.at, "at", nil, "with --shard: instant at which all shards begin, in RFC 3339, one for each replicate")
	flags.StringVar(&f.listen, "listen", defaultListen, "with --shard 1/N: address on which the target listens")
	flags.StringVar(&f.to, "to", "", "with the other shards: URL of the target, such as udp://127.0.0.1:8125")
	flags.BoolVar(&f.allowRemote, "allow-remote", false, "with --to: send to another machine too")
}

const shardWords = `Several machines can offer one load together. Each runs --shard I/N of the same
scenario and begins --at the same instant, as far as their clocks agree; share I
has every N-th message of the schedule, and all shares together are exactly the
whole. The first shard starts the target, which listens on --listen, and records
it; the others send --to it. No shard judges: floodgate report and compare merge
the records of all, and refuse those of different loads. A replicate of which a
shard is missing, was late or did not send all is invalid.`

// config makes a run a shard where the flags ask for it. Its errors say what is
// wrong and what is allowed.
func (f *shardFlags) config(flags *pflag.FlagSet, rf *runFlags, now time.Time) (*harness.Shard, error) {
	if f.shard == "" {
		for _, name := range []string{"at", "listen", "to", "allow-remote"} {
			if flags.Changed(name) {
				return nil, usagef("--%s is for a load that is shared, want --shard too, such as --shard 1/2", name)
			}
		}
		return nil, nil
	}
	index, of, err := parseShard(f.shard)
	if err != nil {
		return nil, &usageError{err}
	}
	s := &harness.Shard{Index: index + 1, Of: of, To: f.to, AllowRemote: f.allowRemote}
	switch {
	case len(f.at) == 0:
		return nil, usagef("--shard needs --at, the instant at which all shards begin, such as %s", now.Add(time.Minute).UTC().Format(time.RFC3339))
	case s.Index == 1 && f.to != "":
		return nil, usagef("--shard 1/%d starts the target and has no --to: the others send to it", of)
	case s.Index == 1:
		s.Listen = f.listen
	case f.to == "":
		return nil, usagef("--shard %s needs --to, the URL on which the target of shard 1 listens, such as udp://%s", f.shard, defaultListen)
	default:
		for _, name := range []string{"candidate", "listen"} {
			if flags.Changed(name) {
				return nil, usagef("--%s is for the shard with the target, --shard 1/%d", name, of)
			}
		}
	}
	for _, text := range f.at {
		at, err := parseInstant("--at", text, now)
		if err != nil {
			return nil, &usageError{err}
		}
		s.At = append(s.At, at)
	}
	if n := len(s.At); flags.Changed("replicates") && rf.replicates != n {
		return nil, usagef("--replicates is %d, want an instant of --at for each, found %d", rf.replicates, n)
	}
	rf.replicates = len(s.At)
	return s, nil
}

// parseInstant reads a future instant that a flag gives.
func parseInstant(flag, text string, now time.Time) (time.Time, error) {
	at, err := time.Parse(time.RFC3339Nano, text)
	switch {
	case err != nil:
		return at, fmt.Errorf("%s is %q, want an instant such as %s", flag, text, now.Add(time.Minute).UTC().Format(time.RFC3339))
	case !at.After(now):
		return at, fmt.Errorf("%s is %s, which is past: it is %s", flag, text, now.UTC().Format(time.RFC3339))
	}
	return at, nil
}

// remoteHint tells which flag lifts a refusal.
func remoteHint(err error) error {
	if errors.Is(err, loadgen.ErrRemote) {
		return fmt.Errorf("%w; that takes --allow-remote", err)
	}
	return err
}

// showShard says how a shard went, which alone is nothing to judge.
func (a *app) showShard(records []*record.Record, out string) error {
	var b strings.Builder
	for _, r := range records {
		l := r.Ledger
		fmt.Fprintf(&b, "%s, replicate %d, shard %d of %d: %s of %s messages sent", r.Scenario, r.Replicate, r.Shard.Index, r.Shard.Of, grouped(l.Sent), grouped(l.Offered))
		if late, measured := r.Measure("lateness_p99"); measured {
			fmt.Fprintf(&b, ", 99 %% at most %v late", time.Duration(late.Value*1e9).Round(time.Microsecond))
		}
		if r.Invalid != "" {
			fmt.Fprintf(&b, "; invalid: %s", r.Invalid)
			a.code = exitUnmeasured
		}
		fmt.Fprintf(&b, "\n  %s\n", r.Path(out))
	}
	b.WriteString("\nfloodgate report FOLDER… judges it, with the folders of all shards\n")
	_, err := a.stdout.Write([]byte(b.String()))
	return err
}

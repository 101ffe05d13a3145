package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/spf13/cobra"

	"floodgate/loadgen"
)

func (a *app) blastMergeCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "merge FILE…",
		Short: "Put the summaries of all shares of a burst together",
		Long: `Merge reads what blast --shard I/N --json printed on each machine, and says how
the whole burst went. Counts are added, and percentiles of the lateness are those
of all datagrams, taken from the merged histograms. A file may hold several
summaries, one after the other, and their order does not matter.

Every share must be there once, and all of the same burst: the same load, seed and
number of shares, and the same --start-at. Otherwise nothing is merged. Datagrams
that the kernel dropped are counted by socket, and a socket that several shares
watched counts once.

Exit codes: 0 all was sent; 2 the files do not make up one burst; 3 not all of it
was sent.`,
		Example: `  floodgate blast merge shard-1.json shard-2.json
  floodgate blast merge shards/*.json --json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, files []string) error {
			shares, err := readShares(files)
			if err != nil {
				return &usageError{err}
			}
			merged, err := mergeShares(shares)
			if err != nil {
				return &usageError{err}
			}
			if err := merged.print(a.stdout, asJSON); err != nil {
				return err
			}
			if left := merged.Planned - merged.Sent - merged.GivenUp; left > 0 || merged.Interrupted {
				return fmt.Errorf("cannot call the burst whole: %s of its %s messages were not sent", grouped(left), grouped(merged.Planned))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the summary as JSON")
	return cmd
}

// share is the summary of one share, as it was read.
type share struct {
	blastSummary
	name     string // of its file; with a number where that has several
	i, n     int    // share i of n, from 0
	start    time.Time
	lateness *hdrhistogram.Histogram
}

// shardSummary is what a merged summary keeps of each share.
type shardSummary struct {
	Shard    string       `json:"shard"`
	Host     string       `json:"host,omitempty"`
	URL      string       `json:"url"`
	Digest   string       `json:"corpus_digest"`
	Planned  int64        `json:"planned"`
	Offered  int64        `json:"offered"`
	Sent     int64        `json:"sent"`
	GivenUp  int64        `json:"given_up"`
	NotSent  int64        `json:"not_sent"`
	LastSent float64      `json:"last_sent_seconds"`
	Lateness []percentile `json:"lateness"`
}

// readShares reads the summaries of all files. Its errors name the file.
func readShares(files []string) ([]share, error) {
	var all []share
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("cannot read a share: %w", err)
		}
		shares, err := decodeShares(f, file)
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
		all = append(all, shares...)
	}
	return all, nil
}

func decodeShares(r io.Reader, file string) ([]share, error) {
	var shares []share
	for decoder := json.NewDecoder(r); ; {
		s := share{name: file}
		if len(shares) > 0 {
			s.name = fmt.Sprintf("%s (summary %d)", file, len(shares)+1)
		}
		err := decoder.Decode(&s.blastSummary)
		if err == io.EOF && len(shares) > 0 {
			return shares, nil
		}
		if err == io.EOF {
			return nil, fmt.Errorf("cannot read %s: it is empty, want what floodgate blast --json printed", file)
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read %s: %w; want what floodgate blast --json printed, and nothing else", s.name, err)
		}
		if err := s.check(); err != nil {
			return nil, fmt.Errorf("cannot take %s for a share: %w", s.name, err)
		}
		shares = append(shares, s)
	}
}

// check completes a share, and finds out whether it is one.
func (s *share) check() (err error) {
	switch {
	case len(s.Shards) > 0:
		return errors.New("it was merged already; want the summaries of the shares")
	case s.Load.Messages < 1 || s.LatenessHistogram == "":
		return errors.New("it has no load, or no lateness_histogram; want what floodgate blast --json of this version printed")
	}
	// The only share of a load is not called one.
	s.n = 1
	if s.Shard != "" {
		if s.i, s.n, err = parseShard(s.Shard); err != nil {
			return fmt.Errorf("its shard is %q, want I/N, such as 1/2", s.Shard)
		}
	}
	if s.start, err = time.Parse(time.RFC3339Nano, s.Started); err != nil {
		return fmt.Errorf("its started is %q, want an instant", s.Started)
	}
	if s.lateness, err = hdrhistogram.Decode([]byte(s.LatenessHistogram)); err != nil {
		return fmt.Errorf("its lateness_histogram is none: %w", err)
	}
	schedule, err := loadgen.Shard(loadgen.Burst{Count: s.Load.Messages}, s.i, s.n)
	if err != nil {
		return err
	}
	switch {
	case s.Planned != schedule.Total():
		return fmt.Errorf("it planned %d messages, but share %d of %d of %d messages has %d", s.Planned, s.i+1, s.n, s.Load.Messages, schedule.Total())
	case min(s.Sent, s.GivenUp, s.NotSent) < 0 || s.Offered != s.Sent+s.GivenUp+s.NotSent || s.Offered > s.Planned:
		return fmt.Errorf("its account does not balance: %d planned, %d offered, %d sent, %d given up, %d not sent",
			s.Planned, s.Offered, s.Sent, s.GivenUp, s.NotSent)
	}
	return nil
}

// identity is what all shares of a burst have in common, with the words for it.
func (s *share) identity() [][2]string {
	client := "none"
	if s.Client != nil {
		client = s.Client.Name
	}
	whole := strconv.FormatInt(s.Load.Messages, 10)
	return [][2]string{
		{"number of shares", strconv.Itoa(s.n)},
		{"seed", strconv.FormatUint(s.Seed, 10)},
		{"number of messages", whole},
		{"time over which they are spread", strconv.FormatFloat(s.Over, 'g', -1, 64) + " s"},
		{"number of contextKeys", strconv.Itoa(s.Load.Contexts)},
		{"kinds", s.Load.Kinds},
		{"number of tags", strconv.Itoa(s.Load.Tags)},
		{"size of the datagrams", strconv.Itoa(s.Load.DatagramBytes)},
		{"client", client},
		{"start", s.start.UTC().Format(time.RFC3339Nano)},
	}
}

// complete orders the shares, and returns an error unless each of one burst is
// there once.
func complete(shares []share) error {
	first := shares[0].identity()
	for i := range shares {
		for k, have := range shares[i].identity() {
			if have == first[k] {
				continue
			}
			hint := "want the shares of one burst"
			if have[0] == "start" {
				hint = "give all shares the same --start-at"
			}
			return fmt.Errorf("cannot merge %s with %s: the %s is %s in the first and %s in the second; %s",
				shares[0].name, shares[i].name, have[0], first[k][1], have[1], hint)
		}
	}
	slices.SortStableFunc(shares, func(a, b share) int { return a.i - b.i })
	for k := 1; k < len(shares); k++ {
		if a, b := shares[k-1], shares[k]; a.i == b.i {
			return fmt.Errorf("cannot merge: share %d of %d is there twice, in %s and %s", a.i+1, a.n, a.name, b.name)
		}
	}
	n := shares[0].n
	if missing := n - len(shares); missing > 0 {
		return fmt.Errorf("cannot merge: %d of %d shares are missing: %s", missing, n, missingShares(shares))
	}
	return nil
}

// missingShares names the first shares that are not there. shares are in order.
func missingShares(shares []share) string {
	const most = 10
	var names []string
	for i, k := 0, 0; i < shares[0].n; i++ {
		if k < len(shares) && shares[k].i == i {
			k++
			continue
		}
		if len(names) == most {
			names = append(names, "…")
			break
		}
		names = append(names, strconv.Itoa(i+1))
	}
	return strings.Join(names, ", ")
}

// mergeShares makes one summary of all shares of a burst.
func mergeShares(shares []share) (blastSummary, error) {
	if err := complete(shares); err != nil {
		return blastSummary{}, err
	}
	first := shares[0]
	m := blastSummary{Started: first.Started, Over: first.Over, Seed: first.Seed, Load: first.Load}
	var urls []string
	high := int64(1)
	for _, s := range shares {
		urls = append(urls, s.URL)
		high = max(high, s.lateness.HighestTrackableValue())
	}
	slices.Sort(urls)
	m.URL = strings.Join(slices.Compact(urls), ", ")
	all := hdrhistogram.New(1, high, 3)
	for _, s := range shares {
		m.add(s)
		m.LatenessOverflow += s.LatenessOverflow + all.Merge(s.lateness)
	}
	m.KernelDropped, m.CPU = socketDrops(shares), cpuOf(shares)
	m.Lateness = latenessOf(all, m.LatenessOverflow)
	encoded, err := all.EncodeV2()
	if err != nil {
		return m, fmt.Errorf("cannot encode the merged lateness: %w", err)
	}
	m.LatenessHistogram = string(encoded)
	return m, nil
}

// add adds what can be summed up.
func (s *blastSummary) add(o share) {
	s.Interrupted = s.Interrupted || o.Interrupted
	s.Planned += o.Planned
	s.Offered += o.Offered
	s.Sent += o.Sent
	s.GivenUp += o.GivenUp
	s.NotSent += o.NotSent
	s.Datagrams += o.Datagrams
	s.Segmented += o.Segmented
	s.LastSent = max(s.LastSent, o.LastSent) // they started together
	s.Calls += o.Calls
	s.Wakeups += o.Wakeups
	s.Blocked += o.Blocked
	s.EAGAIN += o.EAGAIN
	s.ENOBUFS += o.ENOBUFS
	if c := o.Client; c != nil {
		if s.Client == nil {
			s.Client = &clientSummary{Name: c.Name}
		}
		s.Client.Submitted += c.Submitted
		s.Client.Written += c.Written
		s.Client.QueueDropped += c.QueueDropped
		s.Client.WriterDropped += c.WriterDropped
	}
	s.Shards = append(s.Shards, shardSummary{
		Shard: fmt.Sprintf("%d/%d", o.i+1, o.n), Host: o.Host, URL: o.URL, Digest: o.Digest,
		Planned: o.Planned, Offered: o.Offered, Sent: o.Sent, GivenUp: o.GivenUp, NotSent: o.NotSent,
		LastSent: o.LastSent, Lateness: o.Lateness,
	})
}

// socketDrops adds up what the sockets dropped; nil unless all are known. Shares
// that watched the same socket each counted the drops of all, from before the
// start on, so the one that looked last has them.
func socketDrops(shares []share) *int64 {
	bySocket := map[[2]string]int64{}
	for _, s := range shares {
		if s.KernelDropped == nil {
			return nil
		}
		socket := [2]string{s.Host, s.URL}
		bySocket[socket] = max(bySocket[socket], *s.KernelDropped)
	}
	var sum int64
	for _, n := range bySocket {
		sum += n
	}
	return &sum
}

// cpuOf adds up the CPU time in seconds; nil unless all are known.
func cpuOf(shares []share) *float64 {
	var sum float64
	for _, s := range shares {
		if s.CPU == nil {
			return nil
		}
		sum += *s.CPU
	}
	sum = math.Round(sum*1e9) / 1e9 // they were nanoseconds
	return &sum
}

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"floodgate/loadgen"
	"floodgate/scenarios"
)

// blastSummary is how a burst went: what is printed, and the JSON. Durations are
// in seconds, losses carry their place, and what is not known is absent.
type blastSummary struct {
	URL         string    `json:"url"`
	Host        string    `json:"host,omitempty"` // that sent
	Interrupted bool      `json:"interrupted"`
	Started     string    `json:"started"` // RFC 3339
	Over        float64   `json:"over_seconds"`
	Seed        uint64    `json:"seed"`
	Load        blastLoad `json:"load"`
	Shard       string    `json:"shard,omitempty"`
	Digest      string    `json:"corpus_digest,omitempty"`
	Planned     int64     `json:"planned"` // messages, of the share where there is one

	// In messages: offered = sent + given_up + not_sent.
	Offered int64 `json:"offered"`
	Sent    int64 `json:"sent"`
	GivenUp int64 `json:"given_up"`
	NotSent int64 `json:"not_sent"`

	Datagrams int64 `json:"sent_datagrams"`
	Segmented int64 `json:"segmented_datagrams"` // of these, in runs by GSO
	// KernelDropped counts datagrams that the socket had no room for, whoever sent
	// them.
	KernelDropped *int64 `json:"kernel_dropped_datagrams,omitempty"`

	LastSent float64 `json:"last_sent_seconds"` // since the start
	// Lateness has no percentile beyond which fewer than ten datagrams lie.
	Lateness []percentile `json:"lateness"`
	// LatenessHistogram is an HdrHistogram, V2, base64, in nanoseconds, without
	// the LatenessOverflow datagrams that were later than it reaches. Only the
	// JSON has it.
	LatenessHistogram string `json:"lateness_histogram,omitempty"`
	LatenessOverflow  int64  `json:"lateness_overflow"`

	Calls   int64    `json:"calls"`
	Wakeups int64    `json:"wakeups"`
	CPU     *float64 `json:"cpu_seconds,omitempty"` // of the sending thread
	Blocked float64  `json:"blocked_seconds"`
	EAGAIN  int64    `json:"eagain"`
	ENOBUFS int64    `json:"enobufs"`

	Client *clientSummary `json:"client,omitempty"`

	// Shards are the summaries that this one was merged from, in their order.
	Shards []shardSummary `json:"shards,omitempty"`
}

// blastLoad is what the messages are, for all shares together: with the time,
// the seed and the share it makes the same burst again.
type blastLoad struct {
	Messages      int64  `json:"messages"`
	Contexts      int    `json:"contexts"`
	Kinds         string `json:"kinds"`
	Tags          int    `json:"tags"`
	DatagramBytes int    `json:"datagram_bytes"` // 0 for one message in each
}

func newBlastLoad(b burst) blastLoad {
	var kinds []string
	for _, k := range b.corpus.Kinds {
		kinds = append(kinds, fmt.Sprintf("%v=%d", k.Kind, k.Weight))
	}
	return blastLoad{Messages: b.whole, Contexts: b.corpus.ContextKeys, Kinds: strings.Join(kinds, ","),
		Tags: b.corpus.Tags, DatagramBytes: b.corpus.DatagramBytes}
}

// percentile is one of the lateness of datagrams; the 100th is the largest.
type percentile struct {
	Percentile float64 `json:"percentile"`
	Seconds    float64 `json:"seconds"`
}

// clientSummary is what a client library did with the messages.
type clientSummary struct {
	Name          string `json:"name"`
	Submitted     int64  `json:"submitted"`
	Written       int64  `json:"written"`
	QueueDropped  int64  `json:"queue_dropped"`
	WriterDropped int64  `json:"writer_dropped"`
}

func newBlastSummary(b burst, corpus *loadgen.Corpus, r loadgen.Result, dropped *int64) (blastSummary, error) {
	s := blastSummary{
		URL: b.url, Load: newBlastLoad(b), Started: r.Started.Format(time.RFC3339Nano), Over: b.over.Seconds(), Seed: b.corpus.Seed,
		Planned: corpus.Messages(), Offered: r.OfferedMessages, Sent: r.SentMessages, GivenUp: r.GivenUp, NotSent: r.NotSent,
		Datagrams: r.SentDatagrams, Segmented: r.Sender.Segmented, KernelDropped: dropped,
		LastSent: r.LastSent.Seconds(), Lateness: latenessOf(r.Lateness, r.LatenessOverflow), LatenessOverflow: r.LatenessOverflow,
		Calls: r.Sender.Calls, Wakeups: r.Wakeups, Blocked: r.Sender.Blocked.Seconds(), EAGAIN: r.Sender.EAGAIN, ENOBUFS: r.Sender.ENOBUFS,
	}
	if b.json { // it takes a while, and is for programs to compare
		encoded, err := r.Lateness.EncodeV2()
		if err != nil {
			return s, fmt.Errorf("cannot encode the lateness of the burst: %w", err)
		}
		s.Digest, s.LatenessHistogram = corpus.Digest(), string(encoded)
	}
	if host, err := os.Hostname(); err == nil {
		s.Host = host
	}
	if b.corpus.Shards > 1 {
		s.Shard = fmt.Sprintf("%d/%d", b.corpus.Shard+1, b.corpus.Shards)
	}
	if r.CPU >= 0 {
		cpu := r.CPU.Seconds()
		s.CPU = &cpu
	}
	if b.dial.Client != loadgen.NoClient {
		c := r.Sender.Client
		s.Client = &clientSummary{string(b.dial.Client), c.Submitted, c.Written, c.QueueDropped, c.WriterDropped}
	}
	return s, nil
}

// latenessOf reads the percentiles that the number of datagrams bears, and the
// largest value. overflow datagrams lie above the histogram.
func latenessOf(h *hdrhistogram.Histogram, overflow int64) []percentile {
	all := []percentile{} // JSON: none is a list too
	n := h.TotalCount() + overflow
	if n == 0 {
		return all
	}
	for _, p := range []float64{50, 90, 99, 99.9, 99.99} {
		if beyond := float64(n) * (100 - p) / 100; beyond >= 10 && beyond > float64(overflow) {
			// Of what the histogram holds: what lies above it comes last.
			within := p * float64(n) / float64(h.TotalCount())
			all = append(all, percentile{p, time.Duration(h.ValueAtQuantile(within)).Seconds()})
		}
	}
	if overflow == 0 {
		all = append(all, percentile{100, time.Duration(h.Max()).Seconds()})
	}
	return all
}

func (s blastSummary) print(w io.Writer, asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		return encoder.Encode(s)
	}
	_, err := io.WriteString(w, s.text())
	return err
}

// text is the summary for people.
func (s blastSummary) text() string {
	var b strings.Builder
	seconds := func(x float64) string { return scenarios.Format(x, scenarios.Seconds) }
	fmt.Fprintf(&b, "%s messages over %s to %s", grouped(s.Planned), seconds(s.Over), s.URL)
	if s.Shard != "" {
		fmt.Fprintf(&b, ", share %s", s.Shard)
	}
	if len(s.Shards) > 0 {
		fmt.Fprintf(&b, ", in %d shares", len(s.Shards))
	}
	fmt.Fprintf(&b, " (seed %d)\n", s.Seed)
	if s.Interrupted {
		b.WriteString("interrupted: what follows had happened until then\n")
	}
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(table, "  %s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	row("offered", "%s messages", grouped(s.Offered))
	row("sent", "%s messages in %s datagrams", grouped(s.Sent), grouped(s.Datagrams))
	if s.Segmented > 0 {
		row("by GSO", "%s datagrams", grouped(s.Segmented))
	}
	if s.GivenUp > 0 {
		row("given up", "%s messages: no room, and not waited for", grouped(s.GivenUp))
	}
	if s.NotSent > 0 {
		row("not sent", "%s messages that were due", grouped(s.NotSent))
	}
	if s.KernelDropped != nil {
		row("dropped by the kernel", "%s datagrams", grouped(*s.KernelDropped))
	}
	if c := s.Client; c != nil {
		row(c.Name, "%s submitted, %s written, %s dropped by its queue, %s by its writer",
			grouped(c.Submitted), grouped(c.Written), grouped(c.QueueDropped), grouped(c.WriterDropped))
	}
	if s.LastSent > 0 {
		row("last one left", "%s after the start, %s messages/s", time.Duration(s.LastSent*1e9).Round(time.Microsecond), grouped(int64(float64(s.Sent)/s.LastSent)))
	}
	if len(s.Lateness) > 0 {
		var parts []string
		for _, p := range s.Lateness {
			name := "p" + strconv.FormatFloat(p.Percentile, 'f', -1, 64)
			if p.Percentile == 100 {
				name = "max"
			}
			parts = append(parts, name+" "+seconds(p.Seconds))
		}
		row("lateness", "%s", strings.Join(parts, "  "))
	}
	if s.Blocked > 0 || s.EAGAIN+s.ENOBUFS > 0 {
		row("receiver full", "%s blocked, %s refusals (EAGAIN), %s without memory (ENOBUFS)", seconds(s.Blocked), grouped(s.EAGAIN), grouped(s.ENOBUFS))
	}
	if s.CPU != nil {
		row("cost", "%s of CPU, %s system calls, %s wake-ups", seconds(*s.CPU), grouped(s.Calls), grouped(s.Wakeups))
	}
	for _, o := range s.Shards {
		row("share "+o.Shard, "%s of %s messages sent%s", grouped(o.Sent), grouped(o.Planned), on(o.Host))
	}
	table.Flush()
	return b.String()
}

// on says where a share was sent from, if that is known.
func on(host string) string {
	if host == "" {
		return ""
	}
	return ", on " + host
}

// grouped writes n with a comma at each thousand.
func grouped(n int64) string {
	text := strconv.FormatInt(n, 10)
	digits := strings.TrimPrefix(text, "-")
	sign := text[:len(text)-len(digits)]
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

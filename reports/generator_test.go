package reports

import (
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"floodgate/internal/record"
	"floodgate/scenarios"
)

func withCeiling(datagrams, messages, share float64) *record.Record {
	return &record.Record{Generator: &record.Generator{Ceiling: &record.Ceiling{Datagrams: datagrams, Messages: messages, Share: share}}}
}

func TestGeneratorWords(t *testing.T) {
	for _, c := range []struct {
		why  string
		in   []*record.Record
		want string
	}{
		{"nothing is known", []*record.Record{{}, {Generator: &record.Generator{}}}, ""},
		{"one load", []*record.Record{{}, withCeiling(625_911, 625_911, 0.0416), withCeiling(625_911, 625_911, 0.0416)},
			"at its busiest the load is 4 % of what this generator can send here: 626,000 messages/s in 626,000 datagrams/s"},
		{"several", []*record.Record{withCeiling(600_000, 600_000, 0.166), withCeiling(300_400, 6_000_000, 0.004)},
			"at its busiest the load is less than 1 % to 17 % of what this generator can send here: 600,000 to 6,000,000 messages/s in 300,000 to 600,000 datagrams/s"},
		{"more than it can", []*record.Record{withCeiling(400_000, 400_000, 25)},
			"at its busiest the load is 2,500 % of what this generator can send here: 400,000 messages/s in 400,000 datagrams/s"},
		{"a slow one", []*record.Record{withCeiling(10, 10, 1)}, "at its busiest the load is 100 % of what this generator can send here: 10 messages/s in 10 datagrams/s"},
	} {
		if got := generatorWords(c.in); got != c.want {
			t.Errorf("%s: %q, want %q", c.why, got, c.want)
		}
	}
}

func TestClientWords(t *testing.T) {
	through := func(c record.Client) *record.Record { return &record.Record{Generator: &record.Generator{Client: &c}} }
	whole := through(record.Client{Name: "datadog-go", Written: 1000, Payloads: 50})
	losing := through(record.Client{Name: "datadog-go", Written: 900, Payloads: 45, QueueDropped: 60, WriterDropped: 40})
	for want, in := range map[string][]*record.Record{
		"": {{}, {Generator: &record.Generator{}}},
		"datadog-go wrote 2,000 messages in 100 payloads":                                                                   {whole, whole},
		"datadog-go wrote 1,900 messages in 95 payloads and dropped 60 for its full queue and 40 that could not be written": {whole, losing},
	} {
		if got := clientWords(in); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestReportsNameTheGenerator: how near the load came to what the generator can
// send stands in every report, and what was given up in every ledger, where there
// is any.
func TestReportsNameTheGenerator(t *testing.T) {
	r := fixture(t)
	for i, rec := range r.Records {
		changed := *rec
		changed.Generator = &record.Generator{Ceiling: &record.Ceiling{Datagrams: 5e5, Messages: 5e5, Share: 0.2},
			Client: &record.Client{Name: "datadog-go", Written: 7, Payloads: 3}}
		changed.Ledger.Offered += 11
		changed.Ledger.GivenUp = 11
		r.Records[i] = &changed
	}
	plain := fixture(t)
	for name, write := range map[string]func(io.Writer, Report) error{"HTML": HTML, "Markdown": Markdown, "terminal": renderers["report.txt"]} {
		got := strings.Join(strings.Fields(string(render(t, write, r))), " ")
		want := []string{"t its busiest the load is 20 % of what this generator can send here: 500,000 messages/s in 500,000 datagrams/s", "given_up"}
		if name == "HTML" {
			want = append(want, "datadog-go wrote")
		}
		without := strings.Join(strings.Fields(string(render(t, write, plain))), " ")
		for _, text := range want {
			if !strings.Contains(got, text) {
				t.Errorf("%s: %q is missing", name, text)
			}
			if name == "HTML" && text == "given_up" {
				without, _, _ = strings.Cut(without, `<script type="application/json"`) // the data has every place
			}
			if strings.Contains(without, text) {
				t.Errorf("%s: %q stands in a report of records without it", name, text)
			}
		}
	}
}

func TestLoadWordsSayHowItIsSent(t *testing.T) {
	l := scenarios.Load{Transport: scenarios.UnixStream, Schedule: scenarios.Schedule{Count: 1000, Over: time.Second}}
	for _, c := range []struct {
		change func(*scenarios.Load)
		want   string
	}{
		{func(*scenarios.Load) {}, "1,000 messages in 1s over unixstream, one message in each datagram"},
		{func(l *scenarios.Load) { l.Sender.Sockets, l.Sender.WhenFull = 4, scenarios.Drop }, "1,000 messages in 1s over unixstream, through 4 sockets, dropped when there is no room, one message in each datagram"},
		{func(l *scenarios.Load) { l.Sender.Client = scenarios.DatadogGo }, "1,000 messages in 1s over unixstream, through datadog-go, packed as it likes"},
		{func(l *scenarios.Load) { l.Sender.Client, l.Corpus.Packing.Lines = scenarios.DatadogGo, 5 }, "1,000 messages in 1s over unixstream, through datadog-go, up to 5 messages in each datagram"},
	} {
		other := l
		if c.change(&other); loadWords(other) != c.want {
			t.Errorf("%q, want %q", loadWords(other), c.want)
		}
	}
	if !slices.ContainsFunc(histogramWords, func(h struct{ name, title, words string }) bool { return h.name == record.HistogramFreshness }) {
		t.Error("the ages of messages have no chart")
	}
}

package reports

import (
	"bytes"
	"encoding/xml"
	"io"
	"strings"
	"testing"

	"floodgate/internal/record"
)

// aLeague has a server that all others are compared with, one that is worse and
// had to be asked for less, one that tells little, and one that never got
// through.
func aLeague() League {
	measure := func(name, unit string, value float64) record.Measure {
		return record.Measure{Name: name, Unit: unit, Better: "lower", Value: value}
	}
	valid := func(lost, cpu, rss float64, warnings ...string) *record.Record {
		return &record.Record{Warnings: warnings, Measures: []record.Measure{
			measure("lost_fraction", "ratio", lost), measure("cpu_per_message", "s", cpu), measure("rss_peak", "bytes", rss)}}
	}
	flushing := func(cpu float64, r *record.Record) *record.Record {
		r.Measures = append(r.Measures, measure("flush_cpu_per_message", "s", cpu))
		return r
	}
	return League{
		Command: "floodgate peers packed_3m", Version: "v1", First: "refserver",
		Entries: []LeagueEntry{
			{Scenario: "packed_3m", Target: "slow", Records: []*record.Record{
				valid(.5, 3e-6, 100<<20, "adapted for slow: without tags, unlike the scenario"),
				valid(.7, 2e-6, 90<<20, "target slow has no setting for its receive buffer: it has the system's, not the scenario's"),
				{Invalid: "the generator was late"}}},
			{Scenario: "packed_3m", Target: "refserver", Records: []*record.Record{
				flushing(2e-8, valid(0, 2e-7, 16<<20)), flushing(4e-8, valid(0, 3e-7, 17<<20)), flushing(3e-8, valid(.001, 2.5e-7, 16<<20))}},
			{Scenario: "packed_3m", Target: "silent", Records: []*record.Record{
				{Warnings: []string{"the output of target silent is not counted: …"}, Measures: []record.Measure{measure("rss_peak", "bytes", 1<<20)}}}},
			{Scenario: "packed_3m", Target: "broken", Records: []*record.Record{{Invalid: "the target died <under> load"}}},
			{Scenario: "burst_300k", Target: "refserver", Records: []*record.Record{valid(0, 1.7e-6, 16<<20)}},
		},
	}
}

func TestLeague(t *testing.T) {
	for name, write := range map[string]func(io.Writer, League) error{
		"league.txt":  func(w io.Writer, l League) error { return LeagueTerminal(w, l, TerminalOptions{Width: 150}) },
		"league.md":   LeagueMarkdown,
		"league.html": LeagueHTML,
	} {
		var b bytes.Buffer
		if err := write(&b, aLeague()); err != nil {
			t.Fatal(err)
		}
		got := b.Bytes()
		for _, e := range elided {
			got = e.pattern.ReplaceAll(got, []byte(e.by))
		}
		golden(t, name, got)
	}
}

// What is written to a file or a pipe has no width to fit into.
func TestLeagueIsWholeWithoutAWidth(t *testing.T) {
	l := aLeague()
	const long = "refserver:reader=coupled,flush=sync,sockets=4,encoding=gzip,format=json"
	l.Entries[0].Target = long
	for width, want := range map[int]bool{0: true, 80: false} {
		var b strings.Builder
		if err := LeagueTerminal(&b, l, TerminalOptions{Width: width}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(b.String(), long); got != want {
			t.Errorf("a width of %d shows the whole name: %v, want %v", width, got, want)
		}
	}
}

// The picture stands alone: well formed, with its colours, and nothing fetched.
func TestLeagueSVG(t *testing.T) {
	var b bytes.Buffer
	if err := LeagueSVG(&b, aLeague(), "packed_3m"); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	if err := xml.NewDecoder(strings.NewReader(text)).Decode(new(struct{})); err != nil {
		t.Errorf("the picture is no XML: %v", err)
	}
	for _, want := range []string{`xmlns="http://www.w3.org/2000/svg"`, "prefers-color-scheme: dark", "refserver", "slow", "250ns"} {
		if !strings.Contains(text, want) {
			t.Errorf("the picture lacks %s", want)
		}
	}
	for _, outside := range []string{"url(", "href", "@import"} {
		if strings.Contains(text, outside) {
			t.Errorf("the picture has %s", outside)
		}
	}
}

package scenarios

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func parseLoad(load string) (Load, error) {
	s, err := Parse("", []byte("name: x\ngoal: rss_peak\nlimits: {lateness_p99: 1m}\nload: "+load+"\n"))
	return s.Load, err
}

// TestSchedules: what each form comes to, by its count, its length and its
// curve, with the reason where it is not plain.
func TestSchedules(t *testing.T) {
	const s = time.Second
	rows := []struct {
		text, why string
		want      Schedule
	}{
		{"burst: {count: 300k, over: 3s}", "", Schedule{Count: 300_000, Over: 3 * s}},
		{"idle: {over: 3s}", "", Schedule{Over: 3 * s}},
		{"all_out: {count: 1M}", "all at instant 0", Schedule{Count: 1_000_000}},
		{"steady: {rate: 100k, for: 3s}", "a burst of their product", Schedule{Count: 300_000, Over: 3 * s}},
		{"steady: {rate: 3, for: 1500ms}", "4.5 messages, rounded up", Schedule{Count: 5, Over: 1500 * time.Millisecond}},
		{"ramp: {from: 0, to: 1k, for: 3s}", "half of them", Schedule{Count: 1500, Over: 3 * s, Curve: Ramp, To: 1000}},
		{"ramp: {from: 2, to: 1, for: 1s}", "1.5 messages, rounded up", Schedule{Count: 2, Over: s, Curve: Ramp, From: 2, To: 1}},
		{"sine: {mean: 1k, amplitude: 500, period: 2s, for: 6s}", "", Schedule{Count: 6000, Over: 6 * s, Curve: Sine, Mean: 1000, Amplitude: 500, Period: 2 * s}},
		{"poisson: {rate: 1k, for: 2s, seed: 7}", "", Schedule{Count: 2000, Over: 2 * s, Curve: Poisson, Seed: 7}},
		{"steps: [{rate: 10, for: 1s}, {rate: 0, for: 1s}]", "a step may rest", inSequence(Schedule{Count: 10, Over: s}, Schedule{Over: s})},
		{"spike: {base: 10, peak: 50, at: 1s, lasts: 2s, for: 4s}", "", inSequence(Schedule{Count: 10, Over: s}, Schedule{Count: 100, Over: 2 * s}, Schedule{Count: 10, Over: s})},
		{"repeat: {burst: {count: 5, over: 1s}, times: 1, gap: 2s}", "no gap after the last", Schedule{Count: 5, Over: s}},
		{"repeat: {burst: {count: 5, over: 1s}, times: 3, gap: 2s}", "", inSequence(
			Schedule{Count: 10, Over: 6 * s, Curve: Sequence, Times: 2, Parts: []Schedule{{Count: 5, Over: s}, {Over: 2 * s}}}, Schedule{Count: 5, Over: s})},
		{"sum: [{idle: {over: 3s}}, {burst: {count: 5, over: 1s}}]", "as long as the longest", Schedule{Count: 5, Over: 3 * s, Curve: Sum, Parts: []Schedule{{Over: 3 * s}, {Count: 5, Over: s}}}},
	}
	for _, r := range rows {
		got, err := parseLoad("{schedule: {" + r.text + "}}")
		if diff := cmp.Diff(r.want, got.Schedule); err != nil || diff != "" {
			t.Errorf("%s (%s): %v, -want +got:\n%s", r.text, r.why, err, diff)
		}
	}
}

// TestCorpusForms reads every key of a corpus in a form that is not its default.
func TestCorpusForms(t *testing.T) {
	base := Default().Load.Corpus
	check := func(text string, change func(*Corpus)) {
		t.Helper()
		want := base
		change(&want)
		got, err := parseLoad("{schedule: {burst: {count: 1, over: 1s}}, corpus: {" + text + "}}")
		if diff := cmp.Diff(want, got.Corpus); err != nil || diff != "" {
			t.Errorf("%s: %v, -want +got:\n%s", text, err, diff)
		}
	}
	check("popularity: {zipf: 1.1}", func(c *Corpus) { c.Popularity, c.Zipf = Zipf, 1.1 })
	check("churn: 5k", func(c *Corpus) { c.Churn = 5000 })
	check(`names: [a, "b.{0..9}"]`, func(c *Corpus) { c.Names = []string{"a", "b.{0..9}"} })
	check("name_length: 40", func(c *Corpus) { c.NameBytes = 40 })
	check("tags: {count: 2..8, length: 10, unique: 5%}", func(c *Corpus) { c.Tags, c.TagsMost, c.TagBytes, c.UniqueTags = 2, 8, 10, 0.05 })
	check("tags: {count: 3..3, length: 5..6}", func(c *Corpus) { c.Tags, c.TagBytes, c.TagBytesMost = 3, 5, 6 })
	check(`tags: ["env:{a,b}", "host:x"]`, func(c *Corpus) { c.Tags, c.TagPatterns = 2, []string{"env:{a,b}", "host:x"} })
	check("packing: {lines: 20}", func(c *Corpus) { c.Packing = Packing{Lines: 20} })
	check("packing: {lines: 20, bytes: 1432B}", func(c *Corpus) { c.Packing = Packing{Lines: 20, Bytes: 1432} })
	check("values: {constant: 7}", func(c *Corpus) { c.Values = Values{Shape: "constant", Center: 7} })
	check("values: {uniform: {min: 2, max: 3k}}", func(c *Corpus) { c.Values = Values{Shape: "uniform", Min: 2, Max: 3000} })
	check("values: {normal: {mean: 250, deviation: 12.5}}", func(c *Corpus) { c.Values = Values{Shape: "normal", Center: 250, Spread: 12.5} })
	check("values: {lognormal: {median: 40, sigma: 0}}", func(c *Corpus) { c.Values = Values{Shape: "lognormal", Center: 40} })
	check("values: {exponential: {mean: 40}}", func(c *Corpus) { c.Values = Values{Shape: "exponential", Center: 40} })
	check("timestamps: {share: 10%, from: 1767225600}", func(c *Corpus) { c.TimestampedShare, c.TimestampFrom = 0.1, 1767225600 })
	check("containers: {share: 20%, count: 5}", func(c *Corpus) { c.ContainerShare, c.Containers = 0.2, 5 })
	check("events: 1%, service_checks: 2%", func(c *Corpus) { c.EventShare, c.CheckShare = 0.01, 0.02 })
	check("hostile: {share: 3%, malformed: 1, truncated: 2, oversize: 3, non_utf8: 4, oversize_bytes: 9kB}", func(c *Corpus) {
		c.Hostile = Hostile{Share: 0.03, Malformed: 1, Truncated: 2, Oversize: 3, NonUTF8: 4, OversizeBytes: 9000}
	})
}

func TestReplays(t *testing.T) {
	check := func(text string, want Replay) {
		t.Helper()
		got, err := parseLoad("{replay: {file: lines.txt" + text + "}}")
		want.File = "lines.txt"
		if diff := cmp.Diff(&want, got.Replay); err != nil || diff != "" {
			t.Errorf("%s: %v, -want +got:\n%s", text, err, diff)
		}
	}
	check("", Replay{Speed: 1})
	check(", speed: 0.5", Replay{Speed: 0.5})
	check(", rate: 10k, packing: 1432B", Replay{Rate: 10_000, Packing: Packing{Bytes: 1432}})
}

var fenced = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")

// TestDocumentedLoads parses every example of the page about loads: a key that
// is renamed would leave it behind.
func TestDocumentedLoads(t *testing.T) {
	page, err := os.ReadFile("../docs/load.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := fenced.FindAllStringSubmatch(string(page), -1)
	if len(examples) < 10 || len(examples) != strings.Count(string(page), "```yaml") {
		t.Fatalf("%d examples were found: the pattern has lost touch with the page", len(examples))
	}
	for _, e := range examples {
		text := e[1]
		if strings.HasPrefix(text, "corpus:") {
			text = "schedule: {burst: {count: 300k, over: 3s}}\n" + text
		}
		if !strings.HasPrefix(text, "load:") {
			text = "load:\n  " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  ") + "\n"
		}
		text += "\nname: x\ngoal: rss_peak\n"
		if !strings.Contains(text, "limits:") {
			text += "limits: {lateness_p99: 1m}\n"
		}
		if _, err := Parse("example.md", []byte(strings.ReplaceAll(text, "\nname: x\n", "\nname: example\n"))); err != nil {
			t.Errorf("%v in:\n%s", err, text)
		}
	}
}

// TestKeysAreDocumented: the page about loads names every key of a load, and of
// what the intake does.
func TestKeysAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/load.md")
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{
		"intake":   "{schedule: {idle: {over: 1s}}}\nintake: {nothing: 1}",
		"errors":   "{schedule: {idle: {over: 1s}}}\nintake: {errors: {nothing: 1}}",
		"outage":   "{schedule: {idle: {over: 1s}}}\nintake: {outage: {nothing: 1}}",
		"schedule": "{schedule: {nothing: 1}}",
		"corpus":   "{schedule: {idle: {over: 1s}}, corpus: {nothing: 1}}",
		"hostile":  "{schedule: {idle: {over: 1s}}, corpus: {hostile: {nothing: 1}}}",
		"replay":   "{replay: {nothing: 1}}",
		"sender":   "{schedule: {idle: {over: 1s}}, sender: {nothing: 1}}",
		"values":   "{schedule: {idle: {over: 1s}}, corpus: {values: {nothing: 1}}}",
	} {
		_, err := parseLoad(text)
		_, keys, found := strings.Cut(fmt.Sprint(err), `unknown key "nothing": want `)
		keys, _, _ = strings.Cut(keys, "\n")
		if !found {
			t.Fatalf("%s: %v", path, err)
		}
		for key := range strings.SplitSeq(keys, ", ") {
			if !strings.Contains(string(page), "`"+key+"`") {
				t.Errorf("the page says nothing of `%s` of %s", key, path)
			}
		}
	}
}

package harness

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"floodgate/internal/dogstatsd"
	"floodgate/internal/intake"
	"floodgate/scenarios"
)

// TestIntakeConfig: of the ways in, only the one that the description names is
// there.
func TestIntakeConfig(t *testing.T) {
	setup := scenarios.Default().Target
	for _, c := range []struct {
		sink   string
		change func(*intake.Config)
		fault  string
	}{
		{"sink: datadog", func(*intake.Config) {}, ""},
		{"sink: none", func(*intake.Config) {}, ""},
		{"sink: influx\nmapping: telegraf", func(c *intake.Config) { c.Sinks.Mapping = "telegraf" }, ""},
		{"sink: otlp", func(*intake.Config) {}, ""},
		{"sink: graphite", func(c *intake.Config) { c.Sinks.Graphite = "127.0.0.1:0" }, ""},
		{"sink: prometheus\nscrape: http://{{.Stats}}/m", func(c *intake.Config) {
			c.Sinks.Scrape = intake.Scrape{URL: "http://127.0.0.1:77/m", Interval: setup.FlushInterval, MaxBytes: c.MaxDecodedBytes}
		}, ""},
		{"sink: graphite\nmapping: telegram", nil, `its mapping is "telegram", allowed are brubeck`},
	} {
		description, err := scenarios.ParseTarget("", []byte("name: x\ndescription: X.\nbinary: b\ncommand: []\n"+c.sink))
		if err != nil {
			t.Fatal(err)
		}
		got, err := Variant{Target: &description}.intakeConfig(setup, addresses{own: 77}, "/d")
		if c.fault != "" {
			if err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("%s: %v, want %q", c.sink, err, c.fault)
			}
			continue
		}
		want := intake.Default()
		c.change(&want)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", c.sink, err, diff)
		}
		if err := got.Validate(); err != nil {
			t.Errorf("%s: %v", c.sink, err)
		}
	}
}

// TestPresetsMappings: each shipped description names a mapping that there is.
func TestPresetsMappings(t *testing.T) {
	all, err := scenarios.Targets("")
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range all {
		if _, err := (Variant{Target: &x}).intakeConfig(scenarios.Default().Target, addresses{own: 1}, "/d"); err != nil {
			t.Error(err)
		}
	}
}

// TestNamesOfPrometheus: there names are known only after what it does to them,
// and two that become one cannot be counted.
func TestNamesOfPrometheus(t *testing.T) {
	e := &expectations{
		keys: []expectation{{name: "a.b|", kind: dogstatsd.Counter}, {name: "c.d|x:1", kind: dogstatsd.Timer}},
		index: map[string]part{
			"a.b|": {0, total}, "c.d.count|x:1": {1, total}, "c.d.min|x:1": {1, minimum},
		},
	}
	plain, scraped := &scenarios.Target{Sink: scenarios.SinkDatadog}, &scenarios.Target{Sink: scenarios.SinkPrometheus}
	if same, err := e.namedFor(plain); same != e || err != nil {
		t.Errorf("names are changed for a target that keeps them: %v", err)
	}
	renamed, err := e.namedFor(scraped)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]part{"a_b|": {0, total}, "c_d.count|x:1": {1, total}, "c_d.min|x:1": {1, minimum}}
	if diff := cmp.Diff(want, renamed.index, cmp.AllowUnexported(part{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	e.keys = append(e.keys, expectation{name: "a-b|", kind: dogstatsd.Counter})
	e.index["a-b|"] = part{2, total}
	if _, err := e.namedFor(scraped); err == nil || !strings.Contains(err.Error(), "get the same name") {
		t.Errorf("two contextKeys that become one: %v", err)
	}
}

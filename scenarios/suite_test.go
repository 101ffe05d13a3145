package scenarios

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestEmbedded: every scenario that is shipped loads, tells why it exists, and
// decides something.
func TestEmbedded(t *testing.T) {
	files, err := filepath.Glob("*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != len(files) {
		t.Errorf("%d scenarios from %d files", len(all), len(files))
	}
	for _, s := range all {
		source, err := os.ReadFile(s.Name + ".yaml")
		if err != nil || !bytes.Equal(source, s.Source) {
			t.Errorf("%s: its source is not its file: %v", s.Name, err)
		}
		if s.File != "scenarios/"+s.Name+".yaml" {
			t.Errorf("%s: file %s", s.Name, s.File)
		}
		if len(strings.Fields(s.Description)) < 20 {
			t.Errorf("%s: its description does not say why it exists: %q", s.Name, s.Description)
		}
		if !s.Gate || len(s.Checks) == 0 {
			t.Errorf("%s: nothing in it can fail a run", s.Name)
		}
		// A key that is spelled out protects the scenario from a new default.
		for _, key := range []string{"transport:", "flush_interval:", "order:", "replicates:"} {
			if !bytes.Contains(source, []byte(key)) {
				t.Errorf("%s: leaves %s to the defaults", s.Name, key)
			}
		}
	}
}

// TestSuite: the default suite is what its documentation promises, in the order
// of its run. Changing a load here makes older records incomparable.
func TestSuite(t *testing.T) {
	suite, err := Suite()
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		name        string
		count       int64
		contextKeys int
		packing     int
		goal        string
		check       string
	}
	want := []row{
		{"burst_300k", 300_000, 1000, 0, "cpu_per_message", "lost_messages <= 0"},
		{"burst_300k_contexts", 300_000, 300_000, 0, "flush_stall_total", "lost_messages <= 0"},
		{"packed_3m", 3_000_000, 1000, 1432, "cpu_per_message", "lost_messages <= 0"},
		{"idle", 0, 1000, 0, "rss_peak", "rss_peak <= 64MiB"},
	}
	var got []row
	for _, s := range suite {
		c := s.Load.Corpus
		got = append(got, row{s.Name, s.Load.Schedule.Count, c.ContextKeys, c.Packing.Bytes, s.Goal.Name, s.Checks[0].String()})
		if s.Load.Schedule.Over != 3*time.Second || s.Load.Transport != UDP || s.Target.ReceiveBuffer != 416<<10 || c.Tags != 4 {
			t.Errorf("%s: another load or target than the suite's: %+v %+v", s.Name, s.Load, s.Target)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// TestEveryKindIsOffered: one shipped scenario has all of the wire format, so
// that right values are proved for all of it.
func TestEveryKindIsOffered(t *testing.T) {
	s, err := Find("mixed_kinds")
	if err != nil {
		t.Fatal(err)
	}
	c := s.Load.Corpus
	var kinds []string
	for _, k := range c.Kinds {
		kinds = append(kinds, k.Kind)
	}
	if !slices.Equal(kinds, wireKinds) || c.SampledShare == 0 || c.SampleRate == 1 || c.PackedValues < 2 || s.Load.Transport != Unixgram {
		t.Errorf("%+v over %s", c, s.Load.Transport)
	}
}

func TestFindUnknown(t *testing.T) {
	_, err := Find("burst_300")
	want := `cannot find scenario "burst_300": did you mean "burst_300k"? want one of burst_300k, burst_300k_contexts, packed_3m, idle, churn, client_datadog_go, intake_outage, lambda_burst_300k, mixed_kinds, packed_3m_contexts, packed_contexts_warm, packed_steady_cpu, packed_steady_cpu_contexts, ramp_to_saturation, spike_hostile, steady_zipf, symdb_upload, unixstream_burst, or the path of a file that ends in .yaml`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	for _, name := range []string{"", "../scenarios/idle", "idle.txt", "IDLE"} {
		if _, err := Find(name); err == nil {
			t.Errorf("%q is found", name)
		}
	}
}

func TestOpen(t *testing.T) {
	if s, err := Open("idle"); err != nil || s.Name != "idle" {
		t.Errorf("by name: %v, %v", s.Name, err)
	}
	for _, extension := range []string{".yaml", ".yml"} {
		file := filepath.Join(t.TempDir(), "least"+extension)
		if err := os.WriteFile(file, []byte(minimal), 0o644); err != nil {
			t.Fatal(err)
		}
		if s, err := Open(file); err != nil || s.Name != "least" || s.File != file {
			t.Errorf("by path: %+v, %v", s, err)
		}
	}
	if _, err := Open("nowhere.yaml"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	huge := filepath.Join(t.TempDir(), "huge.yaml")
	if err := os.WriteFile(huge, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(huge, 1<<33); err != nil { // sparse
		t.Skip(err)
	}
	var faults *FaultError
	if _, err := Open(huge); !errors.As(err, &faults) {
		t.Errorf("a file of 8 GiB: %v", err)
	}
}

// TestMeasures: the catalogue is consistent, because reports, records and
// checks all rely on it.
func TestMeasures(t *testing.T) {
	units := []Unit{Seconds, Bytes, Messages, Datagrams, Ratio, Millicores, Count}
	seen := map[string]bool{}
	for _, m := range Measures {
		if seen[m.Name] || !namePattern.MatchString(m.Name) {
			t.Errorf("%s: is there twice, or is no name", m.Name)
		}
		seen[m.Name] = true
		if m.Better != "lower" && m.Better != "higher" {
			t.Errorf("%s: %q is no direction", m.Name, m.Better)
		}
		if !slices.Contains(units, m.Unit) || m.Words == "" {
			t.Errorf("%s: unit %q, words %q", m.Name, m.Unit, m.Words)
		}
		if got, found := LookUp(m.Name); !found || got != m {
			t.Errorf("%s: looked up as %v", m.Name, got)
		}
	}
	if _, found := LookUp("speed"); found {
		t.Error("a measure that does not exist is found")
	}
}

func TestCheckHolds(t *testing.T) {
	check := func(text string, value float64, want bool) {
		t.Helper()
		c, err := parseCheck(text)
		if err != nil {
			t.Fatal(err)
		}
		if c.Holds(value) != want {
			t.Errorf("%s holds for %v: %v", text, value, !want)
		}
	}
	check("lost_messages <= 0", 0, true)
	check("lost_messages <= 0", 1, false)
	check("delivered_messages >= 10", 10, true)
	check("delivered_messages >= 10", 9, false)
	check("lost_messages == 5", 5, true)
	check("lost_messages == 5", 4, false)
}

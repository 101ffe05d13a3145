package reports

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"floodgate/internal/record"
	"floodgate/scenarios"
)

func TestIntakeWords(t *testing.T) {
	asked := func(f record.IntakeFaults, i record.Intake) *record.Record {
		i.Faults = f
		return &record.Record{Intake: &i}
	}
	outage := record.IntakeFaults{OutageTo: 2, ErrorShare: 0.1, ErrorStatus: 503}
	for _, c := range []struct {
		why  string
		in   []*record.Record
		want string
	}{
		{"nothing was asked", []*record.Record{{}}, ""},
		{"several replicates add up", []*record.Record{asked(outage, record.Intake{Uploads: 1000, Outage: 9, Errors: 3}), {}, asked(outage, record.Intake{Uploads: 50, Outage: 1})},
			"the intake refused 13 of 1,050 uploads (10 in the outage, 3 with 503), as the scenario asks"},
		{"what was asked and came to nothing is said", []*record.Record{asked(outage, record.Intake{Uploads: 5})},
			"the intake refused 0 of 5 uploads (0 in the outage, 0 with 503), as the scenario asks"},
		{"held only", []*record.Record{asked(record.IntakeFaults{Latency: 1}, record.Intake{Uploads: 5, Delayed: 5})},
			"the intake delayed 5 of 5 uploads, as the scenario asks"},
		{"everything at once", []*record.Record{asked(record.IntakeFaults{Latency: 1, ResetShare: 0.5, SlowRead: 64 << 10}, record.Intake{Uploads: 6, Delayed: 6, Resets: 2})},
			"the intake refused 2 of 6 uploads (2 by a reset) and delayed 6 of them and read 64KiB per second of each connection, as the scenario asks"},
	} {
		if got := intakeWords(c.in); got != c.want {
			t.Errorf("%s:\ngot  %q\nwant %q", c.why, got, c.want)
		}
	}
}

// TestReportsSayWhatTheIntakeDid: in every report it stands beside the doubts,
// that nobody takes our doing for the target's.
func TestReportsSayWhatTheIntakeDid(t *testing.T) {
	r := fixture(t)
	rec := *r.Records[0]
	rec.Invalid = ""
	rec.Intake = &record.Intake{Faults: record.IntakeFaults{OutageTo: 1}, Uploads: 40, Outage: 12}
	r.Records = []*record.Record{&rec}
	r.Scenarios = []scenarios.Scenario{{Name: rec.Scenario, Intake: scenarios.Intake{OutageFor: time.Second}}}
	want := rec.Scenario + ", " + rec.Variant.Role + ": the intake refused 12 of 40 uploads (12 in the outage), as the scenario asks"
	for name, write := range map[string]func(io.Writer, Report) error{"HTML": HTML, "Markdown": Markdown, "terminal": renderers["report.txt"], "JSON": JSON} {
		got := strings.ReplaceAll(strings.Join(strings.Fields(string(render(t, write, r))), " "), `\_`, "_")
		if !strings.Contains(got, want) {
			t.Errorf("%s: %q is missing", name, want)
		}
		if asked := "refuses all from 0s to 1s of the load"; name == "HTML" && !strings.Contains(got, asked) {
			t.Errorf("%s: %q is missing", name, asked)
		}
	}
}

// TestJSONTellsOfBothEnds: programs read the generator's ceiling and the intake's
// doing from fields, not from words.
func TestJSONTellsOfBothEnds(t *testing.T) {
	r := fixture(t)
	first := *r.Records[0]
	first.Invalid = ""
	first.Intake = &record.Intake{Uploads: 40, Delayed: 5, Errors: 1, Resets: 2, Outage: 3}
	first.Generator = &record.Generator{Ceiling: &record.Ceiling{Datagrams: 5e5, Messages: 6e5, Share: 0.2}}
	second, third := first, first
	second.Generator = &record.Generator{Ceiling: &record.Ceiling{Datagrams: 4e5, Messages: 5e5, Share: 0.25}}
	third.Generator = nil
	r.Records = []*record.Record{&first, &second, &third}
	var got document
	if err := json.Unmarshal(render(t, JSON, r), &got); err != nil {
		t.Fatal(err)
	}
	x := func(x float64) *float64 { return &x }
	wantCeilings := []jsonCeiling{{first.Scenario, first.Variant.Role, x(4e5), x(5e5), x(0.25)}}
	wantIntakes := []jsonIntake{{first.Scenario, first.Variant.Role, 120, 15, 3, 6, 9}}
	if diff := cmp.Diff(wantCeilings, got.Ceilings); diff != "" {
		t.Errorf("of several the one that the load came nearest to; -want +got:\n%s", diff)
	}
	if diff := cmp.Diff(wantIntakes, got.Intakes); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

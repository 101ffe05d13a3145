package scenarios

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestAtRate: of every scenario that comes with floodgate only the schedule, the
// name and what judges it change, and its source reads as it does.
func TestAtRate(t *testing.T) {
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	offered := 0
	for _, s := range all {
		at, err := s.AtRate(50_000, 2*time.Second)
		if s.Load.Schedule.Count == 0 {
			if err == nil || !strings.Contains(err.Error(), "its load is idle") {
				t.Errorf("%s offers nothing: %v", s.Name, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		offered++
		want := s
		want.Name, want.Checks, want.Gate, want.Limits.Retries = s.Name+"_at_50000", nil, false, min(s.Limits.Retries, 1)
		want.Load.Schedule = Schedule{Count: 100_000, Over: 2 * time.Second}
		ignored := cmpopts.IgnoreFields(Scenario{}, "File", "Source")
		if diff := cmp.Diff(want, at, ignored); diff != "" {
			t.Errorf("%s at a rate: -want +got\n%s", s.Name, diff)
		}
		again, err := Parse(at.File, at.Source)
		if diff := cmp.Diff(at, again); diff != "" || err != nil {
			t.Errorf("the source of %s reads otherwise: %v\n%s", at.Name, err, diff)
		}
	}
	if offered == 0 {
		t.Error("no scenario was offered at a rate")
	}
}

func TestAtRateRefuses(t *testing.T) {
	parse := func(text string) Scenario {
		name, _, _ := strings.Cut(strings.TrimPrefix(text, "name: "), "\n")
		s, err := Parse(name+".yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	burst := "name: x\nload: {schedule: {burst: {count: 1k, over: 1s}}}\ngoal: rss_peak\n"
	for _, c := range []struct {
		why  string
		s    Scenario
		rate int64
		want string
	}{
		{"a replay has times of its own", parse("name: x\nload: {replay: {file: y.txt, rate: 1k}}\ngoal: rss_peak\n"), 10, "a replay is offered at its own times"},
		{"more messages than a scenario may have", parse(burst), 900_000_000, "more than 1G messages"},
		{"less than one", parse(burst), 0, "1 to 1G messages per second"},
	} {
		if _, err := c.s.AtRate(c.rate, 2*time.Second); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.why, err, c.want)
		}
	}
	at, err := parse(strings.Replace(burst, "name: x", "name: "+strings.Repeat("x", 60), 1)).AtRate(123, time.Second)
	if err != nil || len(at.Name) != 60 || !strings.HasSuffix(at.Name, "x_at_123") {
		t.Errorf("a long name becomes %q: %v", at.Name, err)
	}
}

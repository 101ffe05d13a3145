package regress

import (
	"slices"
	"strings"
	"testing"

	"floodgate/internal/record"
)

func TestPlanLooks(t *testing.T) {
	for pairs, want := range map[int][]int{4: {4}, 6: {4, 6}, 8: {4, 6, 8}, 9: {4, 6, 9}, 10: {4, 6, 8, 10}, 20: {6, 10, 16, 20}, 40: {10, 20, 30, 40}, 200: {50, 100, 150, 200}} {
		l := PlanLooks(pairs, Pocock)
		if !slices.Equal(l.Pairs, want) || l.Validate() != nil {
			t.Errorf("%d pairs: looks at %v, %v; want %v", pairs, l.Pairs, l.Validate(), want)
		}
	}
	for pairs := 4; pairs <= MaxLookedPairs; pairs++ {
		if err := PlanLooks(pairs, OBrienFleming).Validate(); err != nil {
			t.Errorf("%d pairs: %v", pairs, err)
		}
	}
	for _, l := range []Looks{{}, {Pairs: []int{4}}, {Pairs: []int{4}, Boundary: "haybittle"}, {Boundary: Pocock}, {[]int{2, 4}, Pocock}, {[]int{4, 5}, Pocock}, {[]int{8, 4}, Pocock}, {[]int{4, 202}, Pocock}} {
		if l.Validate() == nil {
			t.Errorf("%+v is accepted", l)
		}
	}
}

// sequential plans one scenario with looks and gives it six pairs so far.
func sequential(t *testing.T, candidate []float64) *run {
	r := newRun(t)
	r.scenario("packed_3m", "cpu_seconds", 12)
	r.pairs(wobble, candidate)
	for _, x := range r.in.Records {
		x.Order.Looks, x.Order.Boundary, x.Order.Planned = []int{6, 12}, string(Pocock), 12
	}
	return r
}

// TestLook: a scenario ends when its mark stands, and at no other time.
func TestLook(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*run)
		values []float64
		family int
		stop   bool
		reason string
	}{
		{"clearly worse", nil, times(shaken, 1.2), 25, true, "excludes 0"},
		{"clearly better", nil, times(shaken, 0.8), 25, true, "excludes 0"},
		{"proved unchanged", nil, shaken, 1, true, "lies within"},
		{"noisy", nil, []float64{80, 130, 90, 120, 70, 110}, 1, false, "neither a change nor its absence"},
		{"worse, alone", nil, []float64{112, 107, 118, 106, 106, 105}, 1, true, "excludes 0"},
		{"worse, but one of many", nil, []float64{112, 107, 118, 106, 106, 105}, 25, false, "among 25 scenarios it might not count yet"},
		{"a missing replicate", func(r *run) { r.in.Records = r.in.Records[1:] }, times(shaken, 1.2), 1, false, "no record of the baseline"},
		{"an invalid replicate", func(r *run) { r.in.Records[3].Invalid = "late" }, times(shaken, 1.2), 1, false, "is invalid: late"},
		{"no plan", func(r *run) {
			for _, x := range r.in.Records {
				x.Order.Looks = nil
			}
		}, times(shaken, 1.2), 1, false, "no look was planned"},
		{"two plans", func(r *run) { r.in.Records[0].Order.Looks = []int{4, 6, 12} }, times(shaken, 1.2), 1, false, "different plans of looks"},
		{"declared erratic", func(r *run) { r.in.Scenarios[0].Erratic = true }, times(shaken, 1.2), 1, false, "declared erratic"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := sequential(t, c.values)
			if c.change != nil {
				c.change(r)
			}
			got := Look(LookInput{Scenario: r.in.Scenarios[0], Records: r.in.Records, Pairs: 6, Family: c.family, Options: DefaultOptions()})
			if got.Stop != c.stop || !strings.Contains(got.Reason, c.reason) {
				t.Errorf("%+v; want stop %v: …%s…", got, c.stop, c.reason)
			}
		})
	}
}

// TestEndedEarly: the pairs that a look left out are not missing, those that an
// interruption left out are; and the verdict is the one of the look.
func TestEndedEarly(t *testing.T) {
	r := sequential(t, times(shaken, 1.2))
	r.check("cpu_seconds", "<=", 1000)
	r.in.Scenarios[0].Gate = true
	if v := Judge(r.in); v.Decision.Outcome != Unmeasured || v.Comparisons[0].Mark != NoVerdict {
		t.Errorf("six of twelve pairs: %s, %+v", v.Comparisons[0].Mark, v.Decision)
	}
	for _, x := range r.in.Records {
		if x.Replicate == 5 {
			x.Order.Ended = 6
		}
	}
	v := Judge(r.in)
	c := v.Comparisons[0]
	if v.Decision.Outcome != Fail || c.Mark != Regressed || c.Looked == nil || c.Planned != 6 || v.Checks[0].Total != 6 {
		t.Fatalf("%+v, %+v", v.Decision, c)
	}
	if want := (Looked{Look: 1, Looks: 2, Pairs: 6, Most: 12, Boundary: Pocock, Overall: 0.9}); *c.Looked != want {
		t.Errorf("looked %+v, want %+v", *c.Looked, want)
	}
	if c.Delta.Level <= 0.9 || c.Delta.Level >= 0.97 {
		t.Errorf("the interval has the level %v, want more than the .9 that hold over both looks", c.Delta.Level)
	}
	// A single comparison that is marked at a look also decides: the repeated p is
	// on the same scale as the error.
	if !c.Confirmed(v.Options) || c.P <= 0 {
		t.Errorf("p %v, adjusted %v", c.P, c.PAdjusted)
	}
	for _, x := range r.in.Records {
		x.Order.Ended = 5 // no look was planned there
		x.Order.Looks = []int{6, 12}
	}
	if v := Judge(r.in); v.Decision.Outcome != Unmeasured {
		t.Errorf("ended where nobody looked: %+v", v.Decision)
	}
	if scenarios, planned, err := ScenariosOf(withText(r.in.Records), nil); err != nil || len(scenarios) != 1 || planned["packed_3m"] != 12 {
		t.Errorf("planned %v, %v", planned, err)
	}
}

// withText gives records the scenario that they were made under.
func withText(records []*record.Record) []*record.Record {
	for _, x := range records {
		x.Config.ScenarioYAML = "name: packed_3m\nload: {schedule: {burst: {count: 1k, over: 1s}}}\ngoal: cpu_seconds\n"
	}
	return records
}

package harness

import (
	"slices"
	"testing"

	"floodgate/internal/record"
	"floodgate/scenarios"
)

// TestLook carries out a plan of two scenarios without any target: after which
// pairs is asked, what ends, and what the records then say.
func TestLook(t *testing.T) {
	suite := suiteOf("x", "y")
	planned := map[string]int{"x": 8, "y": 8}
	var asked [][2]any
	looks := &Looks{Pairs: []int{4, 6, 8}, Boundary: "pocock",
		Enough: func(s scenarios.Scenario, pairs int, records []*record.Record) bool {
			asked = append(asked, [2]any{s.Name, pairs})
			if len(records) != 2*pairs {
				t.Errorf("%s is looked at after %d pairs with %d records", s.Name, pairs, len(records))
			}
			return s.Name == "x" && pairs == 6
		}}
	r := runner{config: Config{Out: t.TempDir(), Scenarios: suite, Looks: looks}, replicates: planned, ended: map[string]bool{}}
	plan := NewPlan(suite, planned, bothRoles, 3)
	r.total = plan.Replicates()
	var order []string
	for _, pair := range plan.Pairs {
		s := suite[pair.Scenario]
		if r.ended[s.Name] {
			continue
		}
		order = append(order, s.Name)
		for _, role := range pair.Roles {
			rec := &record.Record{Schema: record.Schema, Scenario: s.Name, Variant: record.Variant{Role: role}, Replicate: pair.Replicate,
				Order: pair.recordOrder(scenarios.Blocks, r.position, planned[s.Name], looks)}
			r.position++
			r.records = append(r.records, rec)
			if err := record.Write(record.Path(r.config.Out, s.Name, role, pair.Replicate, 0, false), rec); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.look(pair); err != nil {
			t.Fatal(err)
		}
	}
	if want := [][2]any{{"x", 4}, {"y", 4}, {"x", 6}, {"y", 6}}; !slices.Equal(asked, want) {
		t.Errorf("asked %v, want %v: each look but the last", asked, want)
	}
	if r.total != 2*6+2*8 {
		t.Errorf("%d replicates in all, want 28", r.total)
	}
	var ran []string
	for _, pair := range plan.Pairs {
		if pair.Scenario == 1 || pair.Replicate < 6 {
			ran = append(ran, suite[pair.Scenario].Name)
		}
	}
	if !slices.Equal(order, ran) {
		t.Errorf("the pairs ran as %v, want %v: those of the other scenario keep their order", order, ran)
	}
	kept, err := record.ReadDir(r.config.Out)
	if err != nil {
		t.Fatal(err)
	}
	for _, rec := range kept {
		want := 0
		if rec.Scenario == "x" && rec.Replicate == 5 {
			want = 6
		}
		if rec.Order.Ended != want || !slices.Equal(rec.Order.Looks, looks.Pairs) || rec.Order.Boundary != "pocock" {
			t.Errorf("%s, replicate %d: order %+v, want ended after %d", rec.Scenario, rec.Replicate, rec.Order, want)
		}
	}
}

// TestLookNeedsAWholePair: one whose last attempt was invalid has nothing to look
// at, and runs on.
func TestLookNeedsAWholePair(t *testing.T) {
	r := runner{config: Config{Scenarios: suiteOf("x"), Looks: &Looks{Pairs: []int{1, 2},
		Enough: func(scenarios.Scenario, int, []*record.Record) bool {
			t.Error("an invalid pair was looked at")
			return true
		}}}, replicates: map[string]int{"x": 2}, ended: map[string]bool{}}
	for _, role := range bothRoles {
		r.records = append(r.records, &record.Record{Scenario: "x", Variant: record.Variant{Role: role}, Invalid: "late"})
	}
	if err := r.look(Pair{Roles: bothRoles}); err != nil || r.ended["x"] {
		t.Errorf("ended %v, %v", r.ended, err)
	}
	one := Config{Looks: r.config.Looks, Variants: []Variant{{Role: record.Candidate}}}
	if err := one.Validate(); err == nil {
		t.Error("a run of one variant is looked at")
	}
}

package main

import (
	"slices"
	"testing"

	"floodgate/internal/record"
)

// TestRolesOf: what is left of a comparison must not pass as a run of one variant.
func TestRolesOf(t *testing.T) {
	of := func(role string, planned ...string) *record.Record {
		return &record.Record{Variant: record.Variant{Role: role}, Order: record.Order{First: planned[0], Roles: planned}}
	}
	plan := func(roles ...string) *record.Plan {
		p := &record.Plan{}
		for _, role := range roles {
			p.Variants = append(p.Variants, record.Variant{Role: role})
		}
		return p
	}
	for _, c := range []struct {
		why     string
		records []*record.Record
		plan    *record.Plan
		want    []string
	}{
		{"one variant alone", []*record.Record{of("candidate", "candidate")}, nil, []string{"candidate"}},
		{"one variant alone, as planned", []*record.Record{of("candidate", "candidate")}, plan("candidate"), []string{"candidate"}},
		{"there is nothing but the plan", nil, plan("baseline", "candidate"), bothRoles},
		{"both sides", []*record.Record{of("candidate", "candidate", "baseline"), of("baseline", "candidate", "baseline")}, nil, bothRoles},
		{"the candidates are gone", []*record.Record{of("baseline", "baseline", "candidate")}, nil, bothRoles},
		{"the baselines are gone", []*record.Record{of("candidate", "candidate", "baseline")}, nil, bothRoles},
	} {
		if got := rolesOf(c.records, c.plan); !slices.Equal(got, c.want) {
			t.Errorf("%s: planned were %v, want %v", c.why, got, c.want)
		}
	}
}

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
	for _, c := range []struct {
		why     string
		records []*record.Record
		want    []string
	}{
		{"one variant alone", []*record.Record{of("candidate", "candidate")}, []string{"candidate"}},
		{"both sides", []*record.Record{of("candidate", "candidate", "baseline"), of("baseline", "candidate", "baseline")}, bothRoles},
		{"the candidates are gone", []*record.Record{of("baseline", "baseline", "candidate")}, bothRoles},
		{"the baselines are gone", []*record.Record{of("candidate", "candidate", "baseline")}, bothRoles},
	} {
		if got := rolesOf(c.records); !slices.Equal(got, c.want) {
			t.Errorf("%s: planned were %v, want %v", c.why, got, c.want)
		}
	}
}

package regress

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"floodgate/internal/record"
	"floodgate/scenarios"
)

// book finds the record that counts for each planned replicate.
type book struct {
	planned  map[side]int    // replicates, by scenario and role
	roles    map[string]bool // the roles to judge
	last     map[place]*record.Record
	twice    map[place]bool // more than one record claims the last attempt
	apart    bool           // the roles ran apart: replicates of one number are no pair
	designs  map[string]*boundaries
	warnings []string
}

// side is one role of a scenario.
type side struct{ scenario, role string }

// place is where a record belongs.
type place struct {
	scenario, role string
	replicate      int
}

// newBook sorts the records of in into their places. The last attempt at each
// place counts. Records that nothing planned asks for are left out, with a
// warning.
func newBook(in Input) *book {
	b := &book{
		planned: plannedIn(in), roles: make(map[string]bool), apart: in.Apart,
		last: make(map[place]*record.Record), twice: make(map[place]bool), designs: make(map[string]*boundaries),
	}
	for _, role := range in.Roles {
		b.roles[role] = true
	}
	stray := make(map[string]int)
	for _, r := range in.Records {
		if r == nil {
			continue
		}
		planned, known := b.planned[side{r.Scenario, r.Variant.Role}]
		switch {
		case !known:
			stray[fmt.Sprintf("of scenario %s, which was not planned", r.Scenario)]++
		case r.Replicate < 0 || r.Replicate >= planned:
			stray[fmt.Sprintf("of scenario %s beyond the %d planned replicates", r.Scenario, planned)]++
		default:
			b.enter(r)
			if len(in.Roles) == 0 {
				b.roles[r.Variant.Role] = true
			}
		}
	}
	if len(b.roles) == 0 {
		b.roles[record.Baseline], b.roles[record.Candidate] = true, true
	}
	for what, n := range stray {
		b.warnings = append(b.warnings, fmt.Sprintf("%s left out %s", plural(n, "record"), what))
	}
	slices.Sort(b.warnings) // the order of a map is no order
	return b
}

// plannedIn is how many replicates of each role were planned. Runs made apart
// say it for themselves, each for its own side.
func plannedIn(in Input) map[side]int {
	planned := make(map[side]int)
	for _, s := range in.Scenarios {
		pairs, said := in.Replicates[s.Name]
		if !said {
			pairs = s.Replicates
		}
		if !in.Apart {
			pairs = endedAfter(in.Records, s.Name, pairs)
		}
		for _, role := range []string{record.Baseline, record.Candidate} {
			n := pairs
			if in.Apart {
				n = plannedApart(in.Records, side{s.Name, role})
			}
			planned[side{s.Name, role}] = n
		}
	}
	return planned
}

// endedAfter is the number of pairs that were to be run in the end: those of the
// look that ended the scenario, as its records say, or all.
func endedAfter(records []*record.Record, scenario string, pairs int) int {
	for _, r := range records {
		if r != nil && r.Scenario == scenario && r.Order.Ended > 0 && slices.Contains(r.Order.Looks, r.Order.Ended) {
			pairs = min(pairs, r.Order.Ended)
		}
	}
	return pairs
}

// plannedApart is the number of replicates that the records of one side tell of.
func plannedApart(records []*record.Record, of side) int {
	var own []*record.Record
	planned := 0
	for _, r := range records {
		if r != nil && r.Scenario == of.scenario && r.Variant.Role == of.role {
			own = append(own, r)
			planned = max(planned, r.Order.Planned, r.Replicate+1)
		}
	}
	return endedAfter(own, of.scenario, planned)
}

// enter keeps r if it is the last attempt at its place so far.
func (b *book) enter(r *record.Record) {
	at := place{r.Scenario, r.Variant.Role, r.Replicate}
	have := b.last[at]
	switch {
	case have == nil || r.Attempt > have.Attempt:
		b.last[at], b.twice[at] = r, false
	case r.Attempt == have.Attempt:
		b.twice[at] = true
	}
}

// valid returns the record that counts for a replicate, or nil and why there
// is none.
func (b *book) valid(at place) (*record.Record, string) {
	r := b.last[at]
	switch {
	case r == nil:
		return nil, fmt.Sprintf("no record of the %s", at.role)
	case b.twice[at]:
		return nil, fmt.Sprintf("two records of attempt %d of the %s", r.Attempt, at.role)
	case r.Invalid != "":
		return nil, fmt.Sprintf("the %s is invalid: %s", at.role, oneLine(r.Invalid))
	}
	return r, ""
}

// value returns a measure of the record that counts for a replicate, or why
// there is none.
func (b *book) value(at place, measure string) (*record.Record, float64, string) {
	r, fault := b.valid(at)
	if fault != "" {
		return nil, 0, fault
	}
	value, measured := measured(r, measure)
	if !measured {
		return nil, 0, fmt.Sprintf("the %s has no %s", at.role, measure)
	}
	return r, value, ""
}

// measured returns the finite value of a measure, if there is one.
func measured(r *record.Record, measure string) (float64, bool) {
	m, found := r.Measure(measure)
	return m.Value, found && !math.IsNaN(m.Value) && !math.IsInf(m.Value, 0)
}

// recordPair is a pair with the records it was read from.
type recordPair struct {
	Pair
	baseline, candidate *record.Record
}

// pairs returns the complete pairs of a scenario by replicate, and a fault for
// each planned pair that is not complete.
func (b *book) pairs(s scenarios.Scenario) (pairs []recordPair, faults []string) {
	planned := b.planned[side{s.Name, record.Baseline}]
	if planned < 1 {
		return nil, []string{"no pairs were planned"}
	}
	if !b.any(s.Name) {
		return nil, []string{fmt.Sprintf("none of the %d planned pairs left a record", planned)}
	}
	for i := range planned {
		baseline, before, fault := b.value(place{s.Name, record.Baseline, i}, s.Goal.Name)
		candidate, after, other := b.value(place{s.Name, record.Candidate, i}, s.Goal.Name)
		if fault = joined(fault, other); fault != "" {
			faults = append(faults, fmt.Sprintf("replicate %d: %s", i, fault))
			continue
		}
		first := baseline.Order.First
		if first != candidate.Order.First {
			first = ""
		}
		pairs = append(pairs, recordPair{Pair{Replicate: i, First: first, Baseline: before, Candidate: after}, baseline, candidate})
	}
	return pairs, faults
}

// any reports whether any replicate of the scenario left a record.
func (b *book) any(scenario string) bool {
	for at := range b.last {
		if at.scenario == scenario {
			return true
		}
	}
	return false
}

// repeats counts the attempts before the last one. Attempts are numbered from
// 0, so they are counted also where their records were not kept.
func (b *book) repeats(scenario string) int {
	n := 0
	for i := range b.planned[side{scenario, record.Baseline}] {
		attempts := 0
		for _, role := range []string{record.Baseline, record.Candidate} {
			if r := b.last[place{scenario, role, i}]; r != nil {
				attempts = max(attempts, r.Attempt)
			}
		}
		n += attempts
	}
	return n
}

// missingOf names the replicates of one role that cannot be judged.
func (b *book) missingOf(s scenarios.Scenario, role string) []string {
	var missing []string
	planned := b.planned[side{s.Name, role}]
	for i := range planned {
		if _, fault := b.valid(place{s.Name, role, i}); fault != "" {
			missing = append(missing, fmt.Sprintf("replicate %d: %s", i, fault))
		}
	}
	if planned < 1 {
		missing = append(missing, "no replicates were planned")
	}
	if len(missing) == 0 {
		return nil
	}
	return []string{s.Name + ": " + firstOf(missing)}
}

func joined(a, b string) string {
	if a != "" && b != "" {
		return a + " and " + b
	}
	return cmp.Or(a, b)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// oneLine makes a reason from a record part of a sentence.
func oneLine(text string) string {
	return strings.TrimSuffix(strings.Join(strings.Fields(text), " "), ".")
}

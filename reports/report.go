// Package reports shows a verdict: in a terminal, as Markdown for a pull
// request, as one HTML file, as JUnit XML and as JSON. It judges nothing. What
// it writes depends on its argument alone (no clock, no map order), so the same
// report has the same bytes on every machine.
package reports

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"floodgate/internal/record"
	"floodgate/regress"
	"floodgate/scenarios"
)

// Report is everything that the renderers of this package show. They only read
// it. Every part may be empty: what is missing is said in words.
type Report struct {
	Title   string // heading; "Floodgate" when empty
	Command string // the command line that made the run, to repeat it
	Version string // of the floodgate that judged

	Verdict   regress.Verdict
	Records   []*record.Record // all replicates, also invalid and repeated ones
	Scenarios []scenarios.Scenario
}

// view is a report in the order in which it is shown: what needs attention
// first, and the same order in every format.
type view struct {
	Report
	comparisons []regress.Comparison
	checks      []regress.CheckResult
	scenes      []scene
	invalid     []invalidRun
}

// scene is all that is known of one scenario.
type scene struct {
	name       string
	scenario   *scenarios.Scenario // nil when only records or verdict name it
	comparison *regress.Comparison // nil when nothing was compared
	checks     []regress.CheckResult
	records    []*record.Record // by position in the run

	merged map[string]distribution // histograms, by role and name; see distribution
}

// invalidRun is a replicate that was not judged.
type invalidRun struct {
	record   *record.Record
	repeated bool // a later attempt of the same replicate exists
	// lastWords is what the target printed last; empty when it only repeats what
	// the run before in the list said.
	lastWords string
}

func newView(r Report) view {
	if r.Title == "" {
		r.Title = "Floodgate"
	}
	v := view{Report: r}
	v.comparisons = slices.Clone(r.Verdict.Comparisons)
	slices.SortStableFunc(v.comparisons, compareComparisons)
	v.checks = slices.Clone(r.Verdict.Checks)
	slices.SortStableFunc(v.checks, compareChecks)
	v.Records = slices.DeleteFunc(slices.Clone(r.Records), func(rec *record.Record) bool { return rec == nil })
	slices.SortStableFunc(v.Records, compareRecords)
	v.scenes = v.collectScenes()
	v.invalid = collectInvalid(v.Records)
	return v
}

// severity orders marks by how much a reader must know of them.
func severity(m regress.Mark) int {
	switch m {
	case regress.Regressed:
		return 0
	case regress.NoVerdict:
		return 1
	case regress.Inconclusive:
		return 2
	case regress.Improved:
		return 3
	case regress.NoChange:
		return 4
	}
	return 1 // an unknown mark is no verdict
}

func compareComparisons(a, b regress.Comparison) int {
	size := func(c regress.Comparison) float64 {
		if !finite(c.Delta.Estimate) {
			return 0
		}
		return math.Abs(c.Delta.Estimate)
	}
	return cmp.Or(
		cmp.Compare(severity(a.Mark), severity(b.Mark)),
		cmp.Compare(size(b), size(a)),
		cmp.Compare(a.Scenario, b.Scenario),
	)
}

// compareChecks puts broken checks first, those that decide before the rest.
func compareChecks(a, b regress.CheckResult) int {
	rank := func(c regress.CheckResult) int {
		switch {
		case c.OK:
			return 2
		case decides(c):
			return 0
		}
		return 1
	}
	return cmp.Or(
		cmp.Compare(rank(a), rank(b)),
		cmp.Compare(a.Scenario, b.Scenario),
		cmp.Compare(measureRank(a.Check.Name()), measureRank(b.Check.Name())),
		cmp.Compare(a.Check.String(), b.Check.String()),
		cmp.Compare(a.Role, b.Role),
	)
}

// measureRank is the place of a measure in the catalogue.
func measureRank(name string) int {
	i := slices.IndexFunc(scenarios.Measures, func(m scenarios.Measure) bool { return m.Name == name })
	if i < 0 {
		return len(scenarios.Measures)
	}
	return i
}

func compareRecords(a, b *record.Record) int {
	return cmp.Or(
		cmp.Compare(a.Scenario, b.Scenario),
		cmp.Compare(a.Order.Position, b.Order.Position),
		cmp.Compare(a.Replicate, b.Replicate),
		cmp.Compare(a.Attempt, b.Attempt),
		cmp.Compare(a.Variant.Role, b.Variant.Role),
	)
}

// collectScenes lists the scenarios that anything is known of: the compared
// ones in the order of the comparisons, then the rest by name.
func (v *view) collectScenes() []scene {
	var names []string
	add := func(name string) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, c := range v.comparisons {
		add(c.Scenario)
	}
	compared := len(names)
	for _, c := range v.checks {
		add(c.Scenario)
	}
	for _, rec := range v.Records {
		add(rec.Scenario)
	}
	slices.Sort(names[compared:])
	scenes := make([]scene, len(names))
	for i, name := range names {
		scenes[i] = v.scene(name)
	}
	return scenes
}

func (v *view) scene(name string) scene {
	s := scene{name: name, merged: map[string]distribution{}}
	for i := range v.Scenarios {
		if v.Scenarios[i].Name == name {
			s.scenario = &v.Scenarios[i]
		}
	}
	for i := range v.comparisons {
		if v.comparisons[i].Scenario == name {
			s.comparison = &v.comparisons[i]
		}
	}
	for _, c := range v.checks {
		if c.Scenario == name {
			s.checks = append(s.checks, c)
		}
	}
	for _, rec := range v.Records {
		if rec.Scenario == name {
			s.records = append(s.records, rec)
		}
	}
	return s
}

// valid returns the replicates of one role that may be judged.
func (s *scene) valid(role string) []*record.Record {
	var rs []*record.Record
	for _, rec := range s.records {
		if rec.Variant.Role == role && rec.Invalid == "" {
			rs = append(rs, rec)
		}
	}
	return rs
}

// roles returns the variants that ran, baseline first.
func (s *scene) roles() []string {
	var roles []string
	for _, role := range []string{record.Baseline, record.Candidate} {
		if slices.ContainsFunc(s.records, func(r *record.Record) bool { return r.Variant.Role == role }) {
			roles = append(roles, role)
		}
	}
	return roles
}

func collectInvalid(records []*record.Record) []invalidRun {
	var runs []invalidRun
	said := ""
	for _, rec := range records {
		if rec.Invalid == "" {
			continue
		}
		later := slices.ContainsFunc(records, func(o *record.Record) bool {
			return o.Scenario == rec.Scenario && o.Variant.Role == rec.Variant.Role &&
				o.Replicate == rec.Replicate && o.Attempt > rec.Attempt
		})
		run := invalidRun{record: rec, repeated: later}
		if rec.LastWords != said {
			run.lastWords, said = rec.LastWords, rec.LastWords
		}
		runs = append(runs, run)
	}
	return runs
}

// specs returns what a role was, as the user wrote it.
func (v *view) specs(role string) string {
	return v.eachOf(role, func(r *record.Record) string { return r.Variant.Spec })
}

// variants returns what a role was, with the commits that it was built from.
func (v *view) variants(role string) string { return v.eachOf(role, (*record.Record).Text) }

// eachOf lists what the records of a role say. More than one thing means that
// records of different runs were put together.
func (v *view) eachOf(role string, of func(*record.Record) string) string {
	var said []string
	for _, rec := range v.Records {
		if text := of(rec); rec.Variant.Role == role && !slices.Contains(said, text) {
			said = append(said, text)
		}
	}
	slices.Sort(said)
	return strings.Join(said, " and ")
}

// warnings returns every doubt of the run, each with what it is about, without
// repetition: ten replicates that warn alike make one line.
func (v *view) warnings() []string {
	lines := slices.Clone(v.Verdict.Warnings)
	for _, c := range v.comparisons {
		for _, w := range c.Warnings {
			lines = append(lines, c.Scenario+": "+w)
		}
	}
	for _, s := range v.scenes {
		if s.scenario != nil && s.scenario.Order == scenarios.Woven {
			lines = append(lines, s.name+": woven pairs keep both targets resident, share the caches and start every slice colder: read the change, not the absolute figures")
		}
		lines = append(append(lines, s.intakeNotes()...), recordWarnings(s)...)
	}
	return dedupe(lines)
}

func recordWarnings(s scene) []string {
	type key struct{ role, text string }
	var order []key
	counts := map[key]int{}
	for _, rec := range s.records {
		for _, w := range rec.Warnings {
			k := key{rec.Variant.Role, w}
			if counts[k] == 0 {
				order = append(order, k)
			}
			counts[k]++
		}
	}
	var lines []string
	for _, k := range order {
		line := s.name + ", " + k.role + ": " + k.text
		if n := counts[k]; n > 1 {
			line += " (" + plural(n, "replicate") + ")"
		}
		lines = append(lines, line)
	}
	return lines
}

func dedupe(lines []string) []string {
	var out []string
	for _, line := range lines {
		if !slices.Contains(out, line) {
			out = append(out, line)
		}
	}
	return out
}

// decides reports whether a check can fail the run.
func decides(c regress.CheckResult) bool { return c.Gate && !c.Check.Informational }

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

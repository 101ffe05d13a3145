package reports

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"floodgate/internal/record"
	"floodgate/scenarios"
)

// replicates lists every replicate of the scenario in the order of the run.
func (s *scene) replicates() *table {
	if len(s.records) == 0 {
		return nil
	}
	goal := scenarios.Measure{}
	if s.comparison != nil {
		goal = s.comparison.Goal
	} else if s.scenario != nil {
		goal = s.scenario.Goal
	}
	t := &table{
		Label:   "Replicates",
		Caption: "In the order of the run. Replicates of a pair have the same number.",
		Head: []column{{"place", true}, {"pair", true}, {"attempt", true}, {"variant", false}, {"first", false},
			{goalHead(goal), true}, {"lost", true}, {"lateness p99", true}, {"validity", false}, {"warnings", false}},
	}
	for _, rec := range s.records {
		validity := "valid"
		if rec.Invalid != "" {
			validity = "invalid: " + rec.Invalid
		}
		t.add(strconv.Itoa(rec.Order.Position), strconv.Itoa(rec.Replicate), strconv.Itoa(rec.Attempt), rec.Variant.Role,
			rec.Order.First, measureCell(rec, goal.Name), measureCell(rec, "lost_messages"), measureCell(rec, "lateness_p99"),
			validity, strings.Join(rec.Warnings, "; "))
	}
	t.drop("warnings", "")
	t.drop("attempt", "0")
	return t
}

// drop removes the named column when all its cells say nothing.
func (t *table) drop(name, nothing string) {
	i := slices.IndexFunc(t.Head, func(c column) bool { return c.Name == name })
	if i < 0 || slices.ContainsFunc(t.Rows, func(row []string) bool { return row[i] != nothing }) {
		return
	}
	t.Head = slices.Delete(t.Head, i, i+1)
	for r := range t.Rows {
		t.Rows[r] = slices.Delete(t.Rows[r], i, i+1)
	}
}

func goalHead(goal scenarios.Measure) string {
	if goal.Name == "" {
		return "goal"
	}
	return goal.Name
}

func measureCell(rec *record.Record, name string) string {
	m, ok := rec.Measure(name)
	if !ok || !finite(m.Value) {
		return absent
	}
	return scenarios.Format(m.Value, scenarios.Unit(m.Unit))
}

// setup says on what and from what the run was made, for each variant: what is
// needed to repeat it.
func (v *view) setup() *table {
	var roles []string
	for _, role := range []string{record.Baseline, record.Candidate} {
		if v.specs(role) != "" {
			roles = append(roles, role)
		}
	}
	if len(roles) == 0 {
		return nil
	}
	t := &table{Label: "What ran", Head: []column{{"", false}}}
	for _, role := range roles {
		t.Head = append(t.Head, column{role, false})
	}
	for _, line := range setupLines {
		cells := []string{line.name}
		told := false
		for _, role := range roles {
			text := line.of(v.ofRole(role))
			told = told || text != ""
			if text == "" {
				text = absent
			}
			cells = append(cells, text)
		}
		if told {
			t.add(cells...)
		}
	}
	return t
}

func (v *view) ofRole(role string) []*record.Record {
	return slices.DeleteFunc(slices.Clone(v.Records), func(r *record.Record) bool { return r.Variant.Role != role })
}

var setupLines = []struct {
	name string
	of   func([]*record.Record) string
}{
	{"variant", distinct(func(r *record.Record) string { return r.Variant.Spec })},
	{"commit", distinct(func(r *record.Record) string {
		if r.Build.Source == nil {
			return ""
		}
		return r.Build.Source.Commit
	})},
	{"target", distinct(func(r *record.Record) string { return r.Build.TargetPath })},
	{"sha256 of the target", distinct(func(r *record.Record) string { return firstRunes(r.Build.TargetDigest, 16) })},
	{"command", distinct(func(r *record.Record) string { return strings.Join(r.Config.Command, " ") })},
	{"address", distinct(func(r *record.Record) string { return r.Config.Address })},
	{"floodgate", distinct(func(r *record.Record) string { return r.Build.Floodgate })},
	{"Go", distinct(func(r *record.Record) string { return r.Build.GoVersion })},
	{"seed", distinct(func(r *record.Record) string { return strconv.FormatUint(r.Seed, 10) })},
	{"system", distinct(func(r *record.Record) string {
		return strings.TrimSpace(r.Environment.OS + " " + r.Environment.Arch + " " + r.Environment.Kernel)
	})},
	{"CPU", distinct(func(r *record.Record) string { return r.Environment.CPUModel })},
	{"cores", distinct(func(r *record.Record) string { return positive(r.Environment.Cores) })},
	{"cores of the target", distinct(func(r *record.Record) string { return cpuList(r.Config.CPUs) })},
	{"allotment of the target", distinct(func(r *record.Record) string { return allotmentText(r.Config.Allotment) })},
	{"memory", distinct(func(r *record.Record) string {
		if r.Environment.MemoryBytes <= 0 {
			return ""
		}
		return scenarios.Format(float64(r.Environment.MemoryBytes), scenarios.Bytes)
	})},
	{"rmem_max", distinct(func(r *record.Record) string {
		if r.Environment.RmemMax == nil {
			return ""
		}
		return scenarios.Format(float64(*r.Environment.RmemMax), scenarios.Bytes)
	})},
	{"generator", generatorWords},
	{"client", clientWords},
	{"load average", span(func(r *record.Record) *float64 { return r.Environment.Load1 }, func(x float64) string { return short(x, 2) })},
	{"waiting for a CPU (PSI)", span(func(r *record.Record) *float64 { return r.Environment.PSICPUSome }, shareText)},
	{"stolen by the hypervisor", span(func(r *record.Record) *float64 { return r.Environment.StealFraction }, shareText)},
}

func shareText(x float64) string { return scenarios.Format(x, scenarios.Ratio) }

func positive(n int) string {
	if n <= 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func cpuList(cpus []int) string {
	var parts []string
	for _, n := range cpus {
		parts = append(parts, strconv.Itoa(n))
	}
	return strings.Join(parts, ", ")
}

// allotmentText says what limited a target, and where that is not what its
// scenario asked for, also what was.
func allotmentText(a *record.Allotment) string {
	if a == nil {
		return ""
	}
	var parts []string
	if asked := a.Asked.CPUs; asked > 0 {
		cpus := func(n float64) string { return strconv.FormatFloat(n, 'g', 4, 64) + " CPU" }
		text := "asked for " + cpus(asked) + ", not limited"
		switch {
		case a.By == record.ByCgroup:
			text = fmt.Sprintf("%s by quota (%s µs, cgroup v%d)", cpus(a.CPUsApplied), strings.Replace(a.CPUMax, " ", " of ", 1), a.CgroupVersion)
		case a.By == record.ByAffinity && a.CPUsApplied == asked:
			text = cpus(asked) + " by affinity"
		case a.By == record.ByAffinity:
			text = fmt.Sprintf("asked for %s, got %s by affinity", cpus(asked), cpus(a.CPUsApplied))
		}
		parts = append(parts, text)
	}
	if asked := a.Asked.MemoryBytes; asked > 0 {
		size := func(n int64) string { return scenarios.Format(float64(n), scenarios.Bytes) }
		text := size(a.MemoryMaxBytes) + " of memory"
		if a.MemoryMaxBytes == 0 {
			text = "asked for " + size(asked) + " of memory, not limited"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}

func firstRunes(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "") + "…"
}

// distinct lists the values that occur, at most three of them.
func distinct(of func(*record.Record) string) func([]*record.Record) string {
	return func(rs []*record.Record) string {
		var values []string
		for _, rec := range rs {
			if value := of(rec); value != "" && !slices.Contains(values, value) {
				values = append(values, value)
			}
		}
		if len(values) > 3 {
			values = append(values[:3:3], fmt.Sprintf("and %d more", len(values)-3))
		}
		return strings.Join(values, "; ")
	}
}

// span is the range of a reading over the replicates.
func span(of func(*record.Record) *float64, format func(float64) string) func([]*record.Record) string {
	return func(rs []*record.Record) string {
		low, high := math.Inf(1), math.Inf(-1)
		for _, rec := range rs {
			if x := of(rec); x != nil && finite(*x) {
				low, high = min(low, *x), max(high, *x)
			}
		}
		switch {
		case low > high:
			return ""
		case format(low) == format(high):
			return format(low)
		}
		return format(low) + " to " + format(high)
	}
}

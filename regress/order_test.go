package regress_test

import (
	"flag"
	"math"
	"math/rand/v2"
	"testing"

	"floodgate/internal/documented"
	"floodgate/internal/harness"
	"floodgate/internal/record"
	"floodgate/regress"
	"floodgate/scenarios"
)

// machine is how fast the machine is at each place of a run, on the log scale.
type machine struct {
	name string
	at   func(r *rand.Rand, places int) []float64
}

// machines are noise as real hosts have it: independent, correlated from run to
// run as strongly as ever measured, and drifting by 10 % from end to end.
var machines = []machine{
	{"independent", func(r *rand.Rand, places int) []float64 {
		x := make([]float64, places)
		for i := range x {
			x[i] = 0.15 * r.NormFloat64()
		}
		return x
	}},
	{"AR(1), .8", func(r *rand.Rand, places int) []float64 {
		x := make([]float64, places)
		state := r.NormFloat64()
		for i := range x {
			x[i] = 0.15 * state
			state = 0.8*state + 0.6*r.NormFloat64()
		}
		return x
	}},
	{"drift of 10 %", func(r *rand.Rand, places int) []float64 {
		x := make([]float64, places)
		for i := range x {
			x[i] = 0.10*float64(i)/float64(places) + 0.03*r.NormFloat64()
		}
		return x
	}},
}

// runOn makes the records of one scenario without a change, run in that order.
func runOn(m machine, r *rand.Rand, plan []harness.Pair, s scenarios.Scenario) []*record.Record {
	places := m.at(r, 2*len(plan))
	var records []*record.Record
	for _, pair := range plan {
		for _, role := range pair.Roles {
			records = append(records, &record.Record{
				Schema: record.Schema, Scenario: s.Name, Variant: record.Variant{Role: role}, Replicate: pair.Replicate,
				Order:    record.Order{Position: len(records), First: pair.Roles[0], Planned: len(plan)},
				Measures: []record.Measure{{Name: s.Goal.Name, Value: math.Exp(places[len(records)])}},
			})
		}
	}
	return records
}

// TestFalseAlarmsInTheRealOrder judges whole runs without any change, in the order
// in which the harness carries them out, and holds the table in docs/statistics.md,
// of -families 2000.
func TestFalseAlarmsInTheRealOrder(t *testing.T) {
	const pairs = 10
	trials := 2 * flag.Lookup("families").Value.(flag.Getter).Get().(int)
	goal, _ := scenarios.LookUp("cpu_per_message")
	s := scenarios.Scenario{Name: "x", Goal: goal, Replicates: pairs}
	o := regress.DefaultOptions()
	page := documented.Open(t, "../docs/statistics.md")
	for _, m := range machines {
		random := rand.New(rand.NewPCG(41, uint64(len(m.name))))
		marked, failed, naive := 0, 0, 0
		for i := range trials {
			plan := harness.NewPlan([]scenarios.Scenario{s}, map[string]int{"x": pairs}, []string{record.Baseline, record.Candidate}, uint64(i)).Pairs
			v := regress.Judge(regress.Input{Scenarios: []scenarios.Scenario{s}, Records: runOn(m, random, plan, s), Options: o})
			switch v.Comparisons[0].Mark {
			case regress.Regressed, regress.Improved:
				marked++
			case regress.NoVerdict:
				t.Fatalf("%s: %s", m.name, v.Comparisons[0].Reason)
			}
			if v.Decision.Outcome == regress.Fail {
				failed++
			}
			naive += baselinesFirst(m, random, s, pairs, o)
		}
		share := func(n int) float64 { return float64(n) / float64(trials) }
		t.Logf("| %s | %.3f | %.3f | %.3f |", m.name, share(marked), share(failed), share(naive))
		for k, f := range page.Row(t, "| machine | marks |", "| "+m.name+" |") {
			f.Share(t, m.name, share([]int{marked, failed, naive}[k]), trials, 2*2000)
		}
		limit := func(p float64) float64 { return p + 3.72*math.Sqrt(p*(1-p)/float64(trials)) }
		if share(marked) > limit(0.10) || share(failed) > limit(0.05) {
			t.Errorf("%s: marked in %.3f, failed in %.3f of the runs without a change, want at most .10 and .05", m.name, share(marked), share(failed))
		}
		if m.name != machines[0].name && share(naive) < 0.3 {
			t.Errorf("%s: all baselines first makes only %.3f false marks: the simulation shows nothing", m.name, share(naive))
		}
	}
}

// baselinesFirst is 1 if the same machine, with all baselines before all
// candidates, makes a false mark.
func baselinesFirst(m machine, r *rand.Rand, s scenarios.Scenario, pairs int, o regress.Options) int {
	var plan []harness.Pair
	for i := range pairs {
		plan = append(plan, harness.Pair{Replicate: i, Roles: []string{record.Baseline, record.Candidate}})
	}
	records := runOn(m, r, plan, s)
	values := make([]float64, len(records))
	for i, x := range records {
		values[i] = x.Measures[0].Value
	}
	for i := range pairs {
		records[2*i].Measures[0].Value, records[2*i+1].Measures[0].Value = values[i], values[pairs+i]
	}
	v := regress.Judge(regress.Input{Scenarios: []scenarios.Scenario{s}, Records: records, Options: o})
	if m := v.Comparisons[0].Mark; m == regress.Regressed || m == regress.Improved {
		return 1
	}
	return 0
}

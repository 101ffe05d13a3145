package regress_test

import (
	"fmt"

	"floodgate/internal/record"
	"floodgate/regress"
	"floodgate/scenarios"
)

// Six pairs of one scenario, judged on CPU per message.
func ExampleJudge() {
	goal, _ := scenarios.LookUp("cpu_per_message")
	before := []float64{118e-9, 121e-9, 116e-9, 119e-9, 122e-9, 117e-9}
	after := []float64{141e-9, 147e-9, 139e-9, 140e-9, 149e-9, 143e-9}
	order := []string{"baseline", "candidate", "candidate", "baseline", "baseline", "candidate"}

	in := regress.Input{
		Scenarios: []scenarios.Scenario{{Name: "packed_3m", Goal: goal, Replicates: 6}},
		Options:   regress.DefaultOptions(),
	}
	for i := range before {
		for role, value := range map[string]float64{record.Baseline: before[i], record.Candidate: after[i]} {
			in.Records = append(in.Records, &record.Record{
				Scenario: "packed_3m", Variant: record.Variant{Role: role}, Replicate: i,
				Order:    record.Order{First: order[i]},
				Measures: []record.Measure{{Name: goal.Name, Value: value}},
			})
		}
	}

	v := regress.Judge(in)
	fmt.Println(v.Comparisons[0].Mark.Symbol(), v.Comparisons[0].Reason)
	fmt.Println(v.Decision.Outcome)
	for _, reason := range v.Decision.Reasons {
		fmt.Println(reason)
	}
	// Output:
	// ❌ +20.5 % is at least 5 % and the 90 % interval [+19.0, +22.0] excludes 0
	// fail
	// packed_3m: cpu_per_message regressed by +20.5 % [+19.0, +22.0], p < 0.001 after Holm.
	// 1 comparison: 1 regressed.
}

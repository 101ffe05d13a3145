package benchstat

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"golang.org/x/perf/benchmath"

	"floodgate/internal/documented"
	"floodgate/regress"
)

// TestFalseAlarms reproduces the table of false alarms in docs/statistics.md: how
// often rules fail 87 benchmarks, ten runs each, of which none has changed.
func TestFalseAlarms(t *testing.T) {
	page := documented.Open(t, "../../docs/statistics.md")
	const rounds = 400
	for _, spread := range []float64{.02, .08} {
		fails := map[string]int{}
		for seed := range uint64(rounds) {
			r := unchanged(rand.New(rand.NewPCG(seed, 7)), 87, 10, spread)
			for _, rule := range []string{"regression", ">5%"} {
				rules, err := ParseRules(rule)
				if err != nil {
					t.Fatal(err)
				}
				for _, holm := range []bool{false, true} {
					rules.Holm = holm
					if r.Judge(rules).Outcome == regress.Fail {
						fails[fmt.Sprint(rule, holm)]++
					}
				}
			}
		}
		share := func(key string) string {
			return strings.TrimPrefix(fmt.Sprintf("%.2f", float64(fails[key])/rounds), "0")
		}
		row := fmt.Sprintf("| %.0f %% | %s | %s | %s | %s |", 100*spread, share("regressionfalse"), share("regressiontrue"), share(">5%false"), share(">5%true"))
		t.Log(row)
		page.Says(t, row)
	}
}

// unchanged are benchmarks whose two columns are drawn alike.
func unchanged(r *rand.Rand, rows, runs int, spread float64) *Report {
	t := &Table{Unit: "sec/op", Better: -1, Columns: []Column{{Label: "old"}, {Label: "new"}}}
	for range rows {
		var samples [2]*benchmath.Sample
		var centers [2]float64
		for i := range samples {
			var values []float64
			for range runs {
				values = append(values, math.Exp(spread*r.NormFloat64()))
			}
			samples[i] = benchmath.NewSample(values, &benchmath.DefaultThresholds)
			centers[i] = benchmath.AssumeNothing.Summary(samples[i], .95).Center
		}
		change := &Change{compare(benchmath.AssumeNothing, samples[0], samples[1]), centers[0], centers[1]}
		t.Rows = append(t.Rows, Row{Cells: []*Cell{{}, {Change: change}}})
	}
	return &Report{Tables: []*Table{t}, columns: t.Columns}
}

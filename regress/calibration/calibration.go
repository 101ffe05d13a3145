// Package calibration says what a machine can see of a scenario's goal. It reads
// the records of pairs of one variant with itself, made in several orders in
// turn: the spread of their log ratios is what a real change has to stand out
// of. Pairs with a planted change show whether an order also finds the truth. It
// is pure: records in, calibration out.
package calibration

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"floodgate/internal/record"
	"floodgate/regress"
	"floodgate/scenarios"
)

// VisiblePairs is the number of pairs for which the smallest visible change is
// stated, so that figures of different calibrations can be set side by side.
const VisiblePairs = 10

// ErraticFactor is how many tolerances the smallest change that a scenario's
// planned pairs find may have before its goal is called erratic.
const ErraticFactor = 2

// Arm is one way to carry out the pairs of a scenario.
type Arm struct {
	// Copy is the scenario in the arm's order, under a name of its own; its
	// records have that name.
	Copy scenarios.Scenario
	// Planted is the change of the goal that was built into the candidate, as a
	// ratio: 0.02 for 2 %. It is 0 for pairs of one variant with itself.
	Planted float64
}

// Order is the arm's order in words: "blocks" or "50ms".
func (a Arm) Order() string {
	if a.Copy.Order == scenarios.Woven {
		return a.Copy.Slice.String()
	}
	return string(scenarios.Blocks)
}

// Input is what a calibration depends on. Of changes none of it.
type Input struct {
	Scenario scenarios.Scenario // as its file has it
	Arms     []Arm              // in the order of the result
	Pairs    int                // planned for each arm
	Records  []*record.Record   // of all arms, in any order, with invalid attempts
	Options  regress.Options
}

// Row is what one arm came to. Spreads are standard deviations of log ratios;
// what is not known is 0.
type Row struct {
	Arm
	// Comparison has the estimate with its interval, the pairs, and why any are
	// missing. Its figures hold for the pairs there are, also without a verdict.
	Comparison regress.Comparison
	Spread     float64
	// SpreadLow and SpreadHigh are the ends of the spread's interval, at the
	// confidence of the options. It supposes normal log ratios:
	// s·√((n-1)/χ²(n-1)).
	SpreadLow, SpreadHigh float64
	// Visible is the smallest relative change that VisiblePairs find with 90 %
	// power.
	Visible float64
	// Needed is how many pairs prove, in 90 % of all runs without a change, that
	// there is none beyond the tolerance.
	Needed int
	// OfBlocks is the share of the pairs in blocks that gives the same certainty,
	// the ratio of the squared spreads; 0 where no blocks were measured.
	OfBlocks float64
	// PairTime is how long a pair took, from start to stop: the median.
	PairTime time.Duration
	// Holds reports whether the interval has the planted change in it.
	Holds bool
}

// Measured reports whether the arm has pairs enough for a spread.
func (r Row) Measured() bool { return len(r.Comparison.Pairs) >= 2 && r.Comparison.Delta.Level > 0 }

// Noise is how a goal's noise compares with what may be asked of the scenario.
type Noise string

// The kinds of noise. NearTheLimit says that the interval of the spread has the
// limit in it; Unknown, that the scenario's own order was not measured.
const (
	Steady       Noise = "steady"
	Erratic      Noise = "erratic"
	NearTheLimit Noise = "near the limit"
	Unknown      Noise = "unknown"
)

// Calibration is what was found. Its zero value is a calibration without arms.
type Calibration struct {
	Scenario scenarios.Scenario
	Options  regress.Options
	Pairs    int // planned for each arm
	Rows     []Row
	// Noise is that of the scenario in its own order, and Found the smallest
	// change that its own number of pairs finds there, 0 when unknown.
	Noise Noise
	Found float64
	// Missing counts the pairs that are not there or invalid.
	Missing  int
	Baseline string // the variant, as the user wrote it
	Digest   string // SHA-256 of its program, hex
	// Environment is the machine at the first replicate, Began its time.
	Environment record.Environment
	Began       time.Time
	// Steal is the median share of the CPU time that the hypervisor took during a
	// replicate; nil where the machine does not tell.
	Steal *float64
}

// Of computes a calibration. It never fails: an arm without records has a row
// without figures.
func Of(in Input) Calibration {
	c := Calibration{Scenario: in.Scenario, Options: in.Options, Pairs: in.Pairs, Noise: Unknown}
	var copies []scenarios.Scenario
	planned := map[string]int{}
	for _, arm := range in.Arms {
		copies = append(copies, arm.Copy)
		planned[arm.Copy.Name] = in.Pairs
	}
	verdict := regress.Judge(regress.Input{Scenarios: copies, Replicates: planned, Records: in.Records,
		Roles: []string{record.Baseline, record.Candidate}, Options: in.Options})
	for i, comparison := range verdict.Comparisons {
		row := newRow(in.Arms[i], comparison, in.Options)
		row.PairTime = pairTime(in.Records, row.Copy)
		c.Rows = append(c.Rows, row)
		c.Missing += in.Pairs - len(comparison.Pairs)
	}
	for i := range c.Rows {
		if blocks := c.blocks(c.Rows[i].Planted); blocks != nil && blocks.Spread > 0 && c.Rows[i].Measured() {
			c.Rows[i].OfBlocks = math.Pow(c.Rows[i].Spread/blocks.Spread, 2)
		}
	}
	c.judgeNoise()
	c.describe(in.Records)
	return c
}

func newRow(arm Arm, comparison regress.Comparison, o regress.Options) Row {
	r := Row{Arm: arm, Comparison: comparison, Spread: comparison.Spread}
	if !r.Measured() {
		return r
	}
	freedom := float64(len(comparison.Pairs) - 1)
	law := distuv.ChiSquared{K: freedom}
	r.SpreadLow = r.Spread * math.Sqrt(freedom/law.Quantile((1+o.Confidence)/2))
	r.SpreadHigh = r.Spread * math.Sqrt(freedom/law.Quantile((1-o.Confidence)/2))
	r.Visible = regress.MinimumDetectable(VisiblePairs, r.Spread, o.Confidence)
	r.Needed = regress.PairsNeeded(r.Spread, o.Tolerance, o.Confidence, (1+regress.TargetPower)/2)
	r.Holds = comparison.Delta.Low <= arm.Planted && arm.Planted <= comparison.Delta.High
	return r
}

// blocks is the row of pairs in blocks with that planted change, or nil.
func (c *Calibration) blocks(planted float64) *Row {
	i := slices.IndexFunc(c.Rows, func(r Row) bool {
		return r.Copy.Order == scenarios.Blocks && r.Planted == planted && r.Measured()
	})
	if i < 0 {
		return nil
	}
	return &c.Rows[i]
}

// judgeNoise holds the scenario's own order against what it declares.
func (c *Calibration) judgeNoise() {
	for _, r := range c.Rows {
		own := r.Copy.Order == c.Scenario.Order && (r.Copy.Order == scenarios.Blocks || r.Copy.Slice == c.Scenario.Slice)
		if !own || r.Planted != 0 || !r.Measured() || c.Scenario.Replicates < 2 {
			continue
		}
		found := func(spread float64) float64 {
			return regress.MinimumDetectable(c.Scenario.Replicates, spread, c.Options.Confidence)
		}
		limit := ErraticFactor * c.Options.Tolerance
		c.Found = found(r.Spread)
		switch {
		case found(r.SpreadLow) > limit:
			c.Noise = Erratic
		case found(r.SpreadHigh) <= limit:
			c.Noise = Steady
		default:
			c.Noise = NearTheLimit
		}
	}
}

// Erratic says in one sentence, without a full stop, how the noise that was
// measured compares with what the scenario declares.
func (c Calibration) Erratic() string {
	declared := "does not declare the goal erratic"
	if c.Scenario.Erratic {
		declared = "declares the goal erratic"
	}
	switch {
	case c.Noise == Unknown:
		return fmt.Sprintf("the scenario %s; whether it is was not measured: no two pairs in its own order are here", declared)
	case c.Noise == NearTheLimit:
		return fmt.Sprintf("the scenario %s; more pairs would have to tell whether it is", declared)
	case (c.Noise == Erratic) == c.Scenario.Erratic:
		return fmt.Sprintf("the scenario %s, and it is %s here: both agree", declared, c.Noise)
	}
	return fmt.Sprintf("the scenario %s, but it is %s here", declared, c.Noise)
}

// describe adds what the records say about variant and machine.
func (c *Calibration) describe(records []*record.Record) {
	var steal []float64
	for _, r := range records {
		if c.Began.IsZero() || r.Started.Before(c.Began) {
			c.Began, c.Environment = r.Started, r.Environment
		}
		if r.Variant.Role == record.Baseline {
			c.Baseline, c.Digest = r.Text(), r.Build.TargetDigest
		}
		if r.Environment.StealFraction != nil {
			steal = append(steal, *r.Environment.StealFraction)
		}
	}
	if len(steal) > 0 {
		slices.Sort(steal)
		c.Steal = &steal[len(steal)/2]
	}
}

// pairTime is the median length of the pairs of a scenario that are whole and
// valid.
func pairTime(records []*record.Record, s scenarios.Scenario) time.Duration {
	type key struct{ replicate, attempt int }
	sides := map[key]int{}
	seconds := map[key]float64{}
	for _, r := range records {
		if r.Scenario != s.Name || r.Invalid != "" || len(r.Phases) == 0 {
			continue
		}
		at, last := key{r.Replicate, r.Attempt}, r.Phases[len(r.Phases)-1]
		sides[at]++
		if length := last.Start + last.Duration; s.Order == scenarios.Woven {
			seconds[at] = max(seconds[at], length) // they are alive at once
		} else {
			seconds[at] += length
		}
	}
	var lengths []float64
	for at, n := range sides {
		if n == 2 {
			lengths = append(lengths, seconds[at])
		}
	}
	if len(lengths) == 0 {
		return 0
	}
	slices.Sort(lengths)
	return time.Duration(lengths[len(lengths)/2] * float64(time.Second))
}

// Sort puts arms in their order of show: without a planted change first, then by
// its size; within these blocks first, then by slice.
func Sort(arms []Arm) {
	slices.SortStableFunc(arms, func(a, b Arm) int {
		return cmp.Or(cmp.Compare(a.Planted, b.Planted), strings.Compare(string(a.Copy.Order), string(b.Copy.Order)), cmp.Compare(a.Copy.Slice, b.Copy.Slice))
	})
}

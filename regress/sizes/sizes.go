// Package sizes judges how large build products are: against limits, and
// against what they were before. It is pure; sizes and lists of files come in,
// verdicts go out.
package sizes

import (
	"fmt"
	"math"

	"floodgate/regress"
	"floodgate/scenarios"
)

// Neutral is the change in bytes below which a size counts as unchanged: build
// identifiers, paths and times move that much without anybody having done
// anything.
const Neutral = 2 << 10

// Size is that of one build product, in bytes.
type Size struct {
	Disk int64 // when it is in use
	Wire int64 // when it travels, compressed
}

// Growth is how much larger than before a size may be: a share of what it was,
// or bytes.
type Growth struct {
	Ratio float64 // 0.01 is 1 %; only when Bytes is 0
	Bytes int64
}

// ParseGrowth reads a limit on growth: "1%" and "0.01" are shares, "600KiB" is
// bytes, "0" is nothing at all.
func ParseGrowth(text string) (Growth, error) {
	if n, err := scenarios.ParseBytes(text); err == nil {
		return Growth{Bytes: n}, nil
	}
	if x, err := scenarios.ParseQuantity(text, scenarios.Ratio); err == nil {
		return Growth{Ratio: x}, nil
	}
	return Growth{}, fmt.Errorf("%q is no growth: want a share such as 1%% or a size such as 600KiB", text)
}

// String is the limit as ParseGrowth reads it.
func (g Growth) String() string {
	switch {
	case g.Bytes > 0:
		return scenarios.FormatExact(float64(g.Bytes), scenarios.Bytes)
	case g.Ratio > 0:
		return scenarios.FormatExact(g.Ratio, scenarios.Ratio)
	}
	return "0"
}

// of is the growth that is allowed from a size, in bytes.
func (g Growth) of(before int64) float64 {
	return math.Max(float64(g.Bytes), g.Ratio*float64(before))
}

// Limit is what one size of a product must keep to; nil is no limit.
type Limit struct {
	Max    *int64 // bytes
	Growth *Growth
}

// Gate is one product with its limits and sizes.
type Gate struct {
	Name       string
	Disk, Wire Limit
	// Baseline is nil where there is nothing to compare with.
	Baseline *Size
	// New says that there need not be: growth is not judged then.
	New bool
	// Candidate is nil where it could not be measured.
	Candidate *Size
	// Fault says why a size that was asked for is missing.
	Fault string
}

// Dimension is what a size is of.
type Dimension string

// The dimensions.
const (
	OnDisk Dimension = "disk"
	OnWire Dimension = "wire"
)

// Mark is the judgement of one size of one product.
type Mark string

// The marks. BrokenBefore is a limit that the baseline broke as well: it is
// shown, and does not fail the run, because the change did not do it.
const (
	Held         Mark = "held"
	Broken       Mark = "broken"
	BrokenBefore Mark = "broken before"
	NotMeasured  Mark = "not measured"
)

// Symbol is the mark as one character.
func (m Mark) Symbol() string {
	switch m {
	case Held:
		return "✅"
	case Broken:
		return "❌"
	case BrokenBefore:
		return "❕"
	}
	return "⛔"
}

// Row is the judgement of one size of one product.
type Row struct {
	Gate      string
	Dimension Dimension
	Limit     Limit
	Previous  *int64 // bytes; nil without a baseline
	Current   *int64 // bytes; nil when it was not measured
	Mark      Mark
	Reason    string // why the mark, where it is not Held; without a full stop
}

// Change is Current less Previous in bytes; not ok where one is missing.
func (r Row) Change() (change int64, ok bool) {
	if r.Previous == nil || r.Current == nil {
		return 0, false
	}
	return *r.Current - *r.Previous, true
}

// Neutral reports whether the size is as good as unchanged.
func (r Row) Neutral() bool {
	change, ok := r.Change()
	return ok && change > -Neutral && change < Neutral
}

// Verdict is the judgement of all products: of each the size on disk, then that
// on the wire.
type Verdict struct {
	Rows     []Row
	Decision regress.Decision
}

// Judge applies the limits:
//
//   - a size above its limit is Broken, and BrokenBefore where it was above it
//     already;
//   - growth above its limit is Broken, unless the change is Neutral;
//   - a size that is missing is NotMeasured, and the run unmeasured.
//
// A new break fails the run. However small the change that crosses a limit:
// that would never be news again.
func Judge(gates []Gate) Verdict {
	var v Verdict
	for _, g := range gates {
		v.Rows = append(v.Rows, g.judge(OnDisk, g.Disk, func(s *Size) int64 { return s.Disk }))
		v.Rows = append(v.Rows, g.judge(OnWire, g.Wire, func(s *Size) int64 { return s.Wire }))
	}
	v.Decision = decide(gates, v.Rows)
	return v
}

func (g Gate) judge(d Dimension, limit Limit, of func(*Size) int64) Row {
	r := Row{Gate: g.Name, Dimension: d, Limit: limit, Mark: Held}
	if g.New {
		r.Limit.Growth = nil
	}
	for _, side := range []struct {
		size *Size
		to   **int64
	}{{g.Baseline, &r.Previous}, {g.Candidate, &r.Current}} {
		if side.size != nil {
			n := of(side.size)
			*side.to = &n
		}
	}
	switch {
	case g.Fault != "":
		r.Mark, r.Reason = NotMeasured, g.Fault
	case r.Current == nil:
		r.Mark, r.Reason = NotMeasured, "the candidate has no size"
	case r.Limit.Growth != nil && r.Previous == nil:
		r.Mark, r.Reason = NotMeasured, "growth is limited and there is no baseline"
	default:
		r.judgeMeasured()
	}
	return r
}

// judgeMeasured applies the limits to sizes that are there. A new break is told
// before one that is not news.
func (r *Row) judgeMeasured() {
	current := *r.Current
	over := r.Limit.Max != nil && current > *r.Limit.Max
	before := over && r.Previous != nil && *r.Previous > *r.Limit.Max
	if over && !before {
		r.Mark = Broken
		r.Reason = aboveLimit(current, *r.Limit.Max)
		return
	}
	if change, ok := r.Change(); ok && r.Limit.Growth != nil && !r.Neutral() {
		if allowed := r.Limit.Growth.of(*r.Previous); float64(change) > allowed {
			r.Mark = Broken
			r.Reason = fmt.Sprintf("it grew by %s, which is above the limit of %s", written(change), *r.Limit.Growth)
			return
		}
	}
	if before {
		r.Mark = BrokenBefore
		r.Reason = fmt.Sprintf("%s, and was before at %s", aboveLimit(current, *r.Limit.Max), written(*r.Previous))
	}
}

func written(n int64) string { return scenarios.Format(float64(n), scenarios.Bytes) }

// aboveLimit says so, in bytes where two decimals of a larger unit would hide
// the difference.
func aboveLimit(n, limit int64) string {
	a, b := written(n), written(limit)
	if a == b {
		a, b = fmt.Sprintf("%dB", n), fmt.Sprintf("%dB", limit)
	}
	return fmt.Sprintf("%s is above the limit of %s", a, b)
}

func decide(gates []Gate, rows []Row) regress.Decision {
	d := regress.Decision{Outcome: regress.Pass}
	lines := map[Mark][]string{}
	for _, r := range rows {
		if r.Mark != Held {
			lines[r.Mark] = append(lines[r.Mark], fmt.Sprintf("%s, on %s: %s.", r.Gate, r.Dimension, r.Reason))
		}
	}
	switch {
	case len(lines[Broken]) > 0:
		d.Outcome = regress.Fail
	case len(lines[NotMeasured]) > 0 || len(gates) == 0:
		d.Outcome = regress.Unmeasured
	}
	for _, m := range []Mark{Broken, NotMeasured, BrokenBefore} {
		d.Reasons = append(d.Reasons, lines[m]...)
	}
	if len(gates) == 0 {
		d.Reasons = append(d.Reasons, "no artefact was measured.")
	}
	return d
}

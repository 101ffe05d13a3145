package benchstat

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/perf/benchunit"

	"floodgate/regress"
)

// Rules say which changes fail a run. Their grammar is
//
//	RULES = RULE { "," RULE }
//	RULE  = "regression" | [UNIT] ">" NUMBER "%"
//
// regression is >0%: any significant change for the worse. >5% lets changes of
// up to 5 % pass. A rule that names a unit stands in for the one without a unit
// there, and if there is none the other units are not judged.
type Rules struct {
	limits map[string]float64 // by unit, as a share; "" for all others
	// Holm asks for significance after Holm's correction for the number of
	// comparisons. Without it about alpha of all unchanged benchmarks seem
	// changed, half of them for the worse.
	Holm bool
}

// ParseRules reads rules.
func ParseRules(text string) (Rules, error) {
	rules := Rules{limits: map[string]float64{}}
	for part := range strings.SplitSeq(text, ",") {
		unit, limit, err := parseRule(strings.TrimSpace(part))
		if err != nil {
			return Rules{}, fmt.Errorf("cannot parse rule %q: %w; want regression, >N%% or UNIT>N%%, with commas between several, such as >5%%,allocs/op>0%%", part, err)
		}
		if _, twice := rules.limits[unit]; twice {
			return Rules{}, fmt.Errorf("cannot parse rule %q: there is another one for the same unit", part)
		}
		rules.limits[unit] = limit
	}
	return rules, nil
}

func parseRule(text string) (unit string, limit float64, err error) {
	if text == "regression" {
		return "", 0, nil
	}
	at := strings.LastIndex(text, ">")
	if at < 0 {
		return "", 0, errors.New("there is no >")
	}
	number, percent := strings.CutSuffix(strings.TrimSpace(text[at+1:]), "%")
	if !percent {
		return "", 0, errors.New("there is no % at its end")
	}
	limit, err = strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || !(limit >= 0) || math.IsInf(limit, 0) {
		return "", 0, fmt.Errorf("%q is no number from 0 up", number)
	}
	if unit = strings.TrimSpace(text[:at]); unit != "" {
		_, unit = benchunit.Tidy(1, unit) // ns/op is shown as sec/op
	}
	return unit, limit / 100, nil
}

// limit is the limit of a unit, if it is judged.
func (r Rules) limit(unit string) (share float64, judged bool) {
	_, unit = benchunit.Tidy(1, unit) // the reader leaves 0 ns/op as it is
	if share, judged = r.limits[unit]; !judged {
		share, judged = r.limits[""]
	}
	return share, judged
}

// trial is a comparison that rules apply to.
type trial struct {
	table  *Table
	row    Row
	column int
	change *Change
	limit  float64
	p      float64 // adjusted, if asked for
}

// Judge decides whether the changes keep the rules. A rule that is broken fails.
// What could not be judged makes the run unmeasured: malformed lines, benchmarks
// of the base that are missing in another column, comparisons of so few runs
// that no difference would be significant, nothing to compare at all.
func (r *Report) Judge(rules Rules) regress.Decision {
	trials := r.trials(rules)
	var broken, doubts []string
	family := len(trials)
	if rules.Holm {
		family = adjust(trials)
	}
	for _, t := range trials {
		if t.change.finite() && t.worse() > t.limit && t.p <= t.change.Alpha {
			broken = append(broken, t.reason(rules, family))
		}
	}
	if r.Malformed > 0 {
		doubts = append(doubts, fmt.Sprintf("%d malformed lines were left out", r.Malformed))
	}
	doubts = append(doubts, r.unseenUnits(rules)...)
	if len(trials) == 0 {
		doubts = append(doubts, "nothing was compared"+r.splitBy())
	} else {
		doubts = append(doubts, r.missing(rules)...)
		doubts = append(doubts, powerless(trials, rules.Holm, family)...)
	}
	d := regress.Decision{Outcome: regress.Pass, Reasons: append(broken, doubts...)}
	switch {
	case len(broken) > 0:
		d.Outcome = regress.Fail
	case len(doubts) > 0:
		d.Outcome = regress.Unmeasured
	default:
		d.Reasons = []string{fmt.Sprintf("none of %d comparisons breaks a rule", len(trials))}
	}
	return d
}

// trials lists the comparisons that rules apply to.
func (r *Report) trials(rules Rules) []*trial {
	var list []*trial
	for _, t := range r.Tables {
		limit, judged := rules.limit(t.Unit)
		if !judged {
			continue
		}
		for _, row := range t.Rows {
			for i, cell := range row.Cells {
				if cell != nil && cell.Change != nil {
					list = append(list, &trial{t, row, i, cell.Change, limit, cell.Change.P})
				}
			}
		}
	}
	return list
}

// adjust corrects the p of trials for their number, which it returns. Exact
// units are not tested, so they are not counted.
func adjust(trials []*trial) (family int) {
	var tested []*trial
	var p []float64
	for _, t := range trials {
		if !t.table.Exact {
			tested, p = append(tested, t), append(p, t.p)
		}
	}
	for i, adjusted := range regress.Holm(p) {
		tested[i].p = adjusted
	}
	return len(tested)
}

// worse is by how much of the base a change is for the worse. Where nobody said
// which direction is better, every change is taken for one: the other guess would
// let regressions pass.
func (t *trial) worse() float64 {
	if t.table.Better == 0 {
		return math.Abs(t.change.Relative())
	}
	return t.change.Relative() * -float64(t.table.Better)
}

// place names a trial.
func (t *trial) place() string {
	return fmt.Sprintf("%s %s in %s", t.table.Unit, t.row.Label, t.table.Columns[t.column].Label)
}

func (t *trial) reason(rules Rules, family int) string {
	scale := t.table.scaler(t.row)
	evidence := t.change.String()
	if rules.Holm && !t.table.Exact {
		evidence += fmt.Sprintf(", p=%.3f after Holm over %d", t.p, family)
	}
	percent := "from zero"
	if r := t.change.Relative(); !math.IsInf(r, 0) {
		percent = fmt.Sprintf("%+.2f%%", 100*r)
	}
	beyond := ""
	if t.limit > 0 {
		beyond = fmt.Sprintf(" by more than %s%%", strconv.FormatFloat(100*t.limit, 'g', 6, 64))
	}
	text := fmt.Sprintf("%s: %s → %s, %s, worse%s (%s)", t.place(), scale.Format(t.change.Base), scale.Format(t.change.New), percent, beyond, evidence)
	if t.table.Better == 0 {
		text += fmt.Sprintf("; a line “Unit %s better=…” in the log would say whether it is", t.table.Unit)
	}
	return text
}

// unseenUnits names rules that nothing was measured for.
func (r *Report) unseenUnits(rules Rules) []string {
	var list []string
	for unit := range rules.limits {
		if unit != "" && !slices.ContainsFunc(r.Tables, func(t *Table) bool { return t.Unit == unit }) {
			list = append(list, fmt.Sprintf("there is a rule for %s, but nothing was measured in it", unit))
		}
	}
	slices.Sort(list)
	return list
}

// missing names what the base has and another column has not. It is not
// important whether it crashed or was removed on purpose: it was not judged.
func (r *Report) missing(rules Rules) []string {
	var names []string
	units := map[string][]string{}
	for _, t := range r.Tables {
		if _, judged := rules.limit(t.Unit); !judged || t.Columns[0].key != r.columns[0].key {
			continue
		}
		for _, row := range t.Rows {
			for _, c := range r.columns[1:] {
				at := slices.IndexFunc(t.Columns, func(have Column) bool { return have.key == c.key })
				if row.Cells[0] == nil || at >= 0 && row.Cells[at] != nil {
					continue
				}
				name := fmt.Sprintf("%s is missing in %s", row.Label, c.Label)
				if units[name] == nil {
					names = append(names, name)
				}
				if !slices.Contains(units[name], t.Unit) {
					units[name] = append(units[name], t.Unit)
				}
			}
		}
	}
	for i, name := range names {
		names[i] += " (" + strings.Join(units[name], ", ") + ")"
	}
	return names
}

// powerless counts the comparisons that could not have shown a difference,
// however large.
func powerless(trials []*trial, holm bool, family int) []string {
	factor := 1.0
	if holm {
		factor = float64(family)
	}
	var list []string
	few, first := 0, ""
	need := 0
	for _, t := range trials {
		if slices.Contains(t.change.Warnings, errNaN) {
			list = append(list, t.place()+": "+errNaN.Error())
			continue
		}
		if !t.change.finite() {
			list = append(list, t.place()+": a median that is no finite number cannot be judged")
			continue
		}
		if t.table.Exact || factor*smallestP(t.change.N1, t.change.N2) <= t.change.Alpha {
			continue
		}
		if few++; few == 1 {
			first = t.place()
			need = runsFor(t.change.Alpha / factor)
		}
	}
	if few > 0 {
		want := fmt.Sprintf("want %d runs of each", need)
		if need == 0 {
			want = "no number of runs is enough"
		}
		list = append(list, fmt.Sprintf("%d comparisons have too few runs for any difference to be significant, the first is %s: %s", few, first, want))
	}
	return list
}

// smallestP is the least two-sided p of the rank test: all of one sample above
// all of the other, 2 of the (n1+n2 choose n1) orders.
func smallestP(n1, n2 int) float64 {
	p := 2.0
	for i := 1; i <= n1; i++ {
		p *= float64(i) / float64(n2+i)
	}
	return min(p, 1)
}

// runsFor is how many runs of each side can reach a p; 0 if none can.
func runsFor(p float64) int {
	for n := 1; n <= 100; n++ {
		if smallestP(n, n) <= p {
			return n
		}
	}
	return 0
}

// splitBy names the configuration that keeps tables apart which have one column
// each.
func (r *Report) splitBy() string {
	if len(r.columns) < 2 {
		return ": there is one column only"
	}
	var keys []string
	for i, first := range r.Tables[0].Config {
		if slices.ContainsFunc(r.Tables, func(t *Table) bool { return t.Config[i] != first }) {
			keys = append(keys, first.Key)
		}
	}
	if len(keys) == 0 {
		return ": no benchmark of the base is in another column"
	}
	list := strings.Join(keys, ",")
	return fmt.Sprintf(": different values of %s split the tables, -ignore %s joins them", list, list)
}

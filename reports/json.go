package reports

import (
	"cmp"
	"encoding/json"
	"io"

	"floodgate/internal/record"
	"floodgate/regress"
	"floodgate/regress/trend"
)

// JSONSchema is the major version of what JSON writes. A field that changes its
// meaning raises it; fields may be added without.
const JSONSchema = 1

// document is the report as JSON. Relative changes are ratios (0.05 is +5 %).
// A number that is not known, or not finite, is null.
type document struct {
	Schema      int              `json:"schema"`
	Title       string           `json:"title"`
	Version     string           `json:"version"`
	Command     string           `json:"command"`
	Baseline    string           `json:"baseline"`
	Candidate   string           `json:"candidate"`
	Decision    jsonDecision     `json:"decision"`
	Options     jsonOptions      `json:"options"`
	Comparisons []jsonComparison `json:"comparisons"`
	Checks      []jsonCheck      `json:"checks"`
	Ledgers     []jsonLedger     `json:"ledgers"`
	Percentiles []jsonPercentile `json:"percentiles"`
	Ceilings    []jsonCeiling    `json:"ceilings"`
	Intakes     []jsonIntake     `json:"intakes"`
	Invalid     []jsonInvalid    `json:"invalid"`
	Warnings    []string         `json:"warnings"`
	// Origin is when and on what the records were made; null without records.
	Origin *trend.Origin `json:"origin"`
}

type jsonDecision struct {
	Outcome string   `json:"outcome"`
	Reasons []string `json:"reasons"`
}

type jsonOptions struct {
	Confidence         *float64 `json:"confidence"`
	Tolerance          *float64 `json:"tolerance"`
	Rule               string   `json:"rule"`
	FailOnInconclusive bool     `json:"fail_on_inconclusive"`
}

type jsonInterval struct {
	Estimate *float64 `json:"estimate"`
	Low      *float64 `json:"low"`
	High     *float64 `json:"high"`
	Level    *float64 `json:"level"`
}

type jsonPair struct {
	Replicate int      `json:"replicate"`
	First     string   `json:"first"`
	Baseline  *float64 `json:"baseline"`
	Candidate *float64 `json:"candidate"`
}

type jsonComparison struct {
	Scenario          string        `json:"scenario"`
	Goal              string        `json:"goal"`
	Unit              string        `json:"unit"`
	Better            string        `json:"better"`
	Mark              string        `json:"mark"`
	Reason            string        `json:"reason"`
	Confirmed         bool          `json:"confirmed"` // a regression that counts against the run
	Erratic           bool          `json:"erratic"`
	Delta             *jsonInterval `json:"delta"`
	Robust            *jsonInterval `json:"robust"`
	P                 *float64      `json:"p"`
	PAdjusted         *float64      `json:"p_adjusted"`
	PRandom           *float64      `json:"p_random"`
	Q                 *float64      `json:"q"`            // Benjamini–Hochberg
	WorthALook        bool          `json:"worth_a_look"` // worse, without deciding
	Spread            *float64      `json:"spread"`
	MinimumDetectable *float64      `json:"minimum_detectable"`
	PairsNeeded       int           `json:"pairs_needed"`
	Planned           int           `json:"pairs_planned"`
	Repeats           int           `json:"repeats"`
	Pairs             []jsonPair    `json:"pairs"`
	Apart             *jsonApart    `json:"apart,omitempty"`  // values of two runs; pairs is then empty
	Looked            *jsonLooked   `json:"looked,omitempty"` // where a run with looks ended
	Warnings          []string      `json:"warnings"`
}

type jsonApart struct {
	Baseline  []*float64 `json:"baseline"`
	Candidate []*float64 `json:"candidate"`
}

type jsonLooked struct {
	Look     int      `json:"look"` // from 1
	Looks    int      `json:"looks"`
	Pairs    int      `json:"pairs"`
	Most     int      `json:"most"`
	Boundary string   `json:"boundary"`
	Overall  *float64 `json:"overall"` // confidence over all looks; that of the interval stands with it
}

type jsonCheck struct {
	Scenario         string   `json:"scenario"`
	Name             string   `json:"name"`
	Unit             string   `json:"unit"`
	Op               string   `json:"op"`
	Bound            *float64 `json:"bound"`
	Role             string   `json:"role"`
	Decides          bool     `json:"decides"`
	OK               bool     `json:"ok"`
	Passed           int      `json:"passed"`
	Total            int      `json:"total"`
	Missing          int      `json:"missing"`
	Needed           int      `json:"needed"` // replicates that must keep the bound
	Observed         *float64 `json:"observed"`
	BaselinePassed   int      `json:"baseline_passed"`
	BaselineTotal    int      `json:"baseline_total"`
	BaselineObserved *float64 `json:"baseline_observed"`
}

// jsonLedger holds sums over the valid replicates of a variant; a place that
// the target does not tell is absent.
type jsonLedger struct {
	Scenario   string           `json:"scenario"`
	Role       string           `json:"role"`
	Replicates int              `json:"replicates"`
	Messages   map[string]int64 `json:"messages"`
}

// jsonPercentile is one merged histogram. A percentile with fewer than ten
// samples beyond it is null: its value would be a matter of chance.
type jsonPercentile struct {
	Scenario  string   `json:"scenario"`
	Role      string   `json:"role"`
	Histogram string   `json:"histogram"`
	Samples   int64    `json:"samples"`
	P50       *float64 `json:"p50_seconds"`
	P90       *float64 `json:"p90_seconds"`
	P99       *float64 `json:"p99_seconds"`
	P999      *float64 `json:"p99_9_seconds"`
	P9999     *float64 `json:"p99_99_seconds"`
	Longest   *float64 `json:"longest_seconds"`
}

// jsonCeiling is what the generator could send of the load, in the valid
// replicate that came nearest to it; one that was not measured is not listed.
type jsonCeiling struct {
	Scenario  string   `json:"scenario"`
	Role      string   `json:"role"`
	Datagrams *float64 `json:"datagrams_per_second"`
	Messages  *float64 `json:"messages_per_second"`
	Share     *float64 `json:"share"` // of it, asked for in the load's busiest tenth of a second
}

// jsonIntake is what the intake did to uploads on purpose, in all valid replicates
// of a variant; one of which nothing was asked is not listed.
type jsonIntake struct {
	Scenario string `json:"scenario"`
	Role     string `json:"role"`
	Uploads  int64  `json:"uploads"` // tries again included
	Delayed  int64  `json:"delayed"`
	Errors   int64  `json:"errors"` // refused, as the others below
	Resets   int64  `json:"resets"`
	Outage   int64  `json:"outage"`
}

type jsonInvalid struct {
	Scenario  string `json:"scenario"`
	Role      string `json:"role"`
	Replicate int    `json:"replicate"`
	Attempt   int    `json:"attempt"`
	Reason    string `json:"reason"`
	Repeated  bool   `json:"repeated"`
	LastWords string `json:"last_words,omitempty"`
}

// JSON writes the report for programs: one object, indented, in the schema
// JSONSchema.
func JSON(w io.Writer, r Report) error {
	v := newView(r)
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v.document())
}

// number is x for JSON, nil where JSON has no word for it.
func number(x float64) *float64 {
	if !finite(x) {
		return nil
	}
	return &x
}

func jsonNumbers(values []float64) []*float64 {
	out := make([]*float64, len(values))
	for i, x := range values {
		out[i] = number(x)
	}
	return out
}

// list is never null in JSON.
func list[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

func (v *view) document() document {
	o := v.Verdict.Options
	d := document{
		Schema: JSONSchema, Title: v.Title, Version: v.Version, Command: v.Command,
		Baseline: v.specs(record.Baseline), Candidate: v.specs(record.Candidate),
		Decision: jsonDecision{string(v.Verdict.Decision.Outcome), list(v.Verdict.Decision.Reasons)},
		Options:  jsonOptions{number(o.Confidence), number(o.Tolerance), string(cmp.Or(o.Rule, regress.Detect)), o.FailOnInconclusive},
		Warnings: list(v.warnings()),
	}
	if origin := trend.OriginOf(v.Records); origin.Hosts > 0 {
		d.Origin = &origin
	}
	for _, c := range v.comparisons {
		d.Comparisons = append(d.Comparisons, jsonComparisonOf(c, o))
	}
	for _, c := range v.checks {
		d.Checks = append(d.Checks, jsonCheckOf(c))
	}
	for i := range v.scenes {
		s := &v.scenes[i]
		for _, t := range s.tallies() {
			d.Ledgers = append(d.Ledgers, jsonLedgerOf(s.name, t))
		}
		d.Percentiles = append(d.Percentiles, jsonPercentilesOf(s)...)
		for _, role := range s.roles() {
			if c := ceilingOf(s.valid(role)); c != nil {
				d.Ceilings = append(d.Ceilings, jsonCeiling{s.name, role, number(c.Datagrams), number(c.Messages), number(c.Share)})
			}
			if i := intakeOf(s.valid(role)); i != nil {
				d.Intakes = append(d.Intakes, jsonIntake{s.name, role, i.Uploads, i.Delayed, i.Errors, i.Resets, i.Outage})
			}
		}
	}
	for _, run := range v.invalid {
		rec := run.record
		d.Invalid = append(d.Invalid, jsonInvalid{rec.Scenario, rec.Variant.Role, rec.Replicate, rec.Attempt, rec.Invalid, run.repeated, rec.LastWords})
	}
	d.Comparisons, d.Checks, d.Ledgers = list(d.Comparisons), list(d.Checks), list(d.Ledgers)
	d.Percentiles, d.Invalid = list(d.Percentiles), list(d.Invalid)
	d.Ceilings, d.Intakes = list(d.Ceilings), list(d.Intakes)
	return d
}

func jsonComparisonOf(c regress.Comparison, o regress.Options) jsonComparison {
	j := jsonComparison{
		Scenario: c.Scenario, Goal: c.Goal.Name, Unit: string(c.Goal.Unit), Better: c.Goal.Better,
		Mark: string(c.Mark), Reason: c.Reason, Confirmed: c.Confirmed(o), Erratic: c.Erratic,
		P: number(c.P), PAdjusted: number(c.PAdjusted), PRandom: number(c.PRandom),
		PairsNeeded: c.PairsNeeded, Planned: c.Planned, Repeats: c.Repeats,
		Pairs: []jsonPair{}, Warnings: list(c.Warnings), Q: number(c.Q), WorthALook: c.WorthALook(o),
	}
	if a := c.Apart; a != nil {
		j.Apart = &jsonApart{jsonNumbers(a.Baseline), jsonNumbers(a.Candidate)}
	}
	if l := c.Looked; l != nil {
		j.Looked = &jsonLooked{l.Look, l.Looks, l.Pairs, l.Most, string(l.Boundary), number(l.Overall)}
	}
	if measured(c) {
		j.Delta = jsonIntervalOf(c.Delta)
		j.Spread = number(c.Spread)
	}
	if measured(c) && c.Robust.Level > 0 {
		j.Robust = jsonIntervalOf(c.Robust)
	}
	if c.MinimumDetectable > 0 {
		j.MinimumDetectable = number(c.MinimumDetectable)
	}
	for _, p := range c.Pairs {
		j.Pairs = append(j.Pairs, jsonPair{p.Replicate, p.First, number(p.Baseline), number(p.Candidate)})
	}
	return j
}

// jsonIntervalOf leaves the ends null where there is no interval.
func jsonIntervalOf(i regress.Interval) *jsonInterval {
	if i.Level == 0 {
		return &jsonInterval{Estimate: number(i.Estimate)}
	}
	return &jsonInterval{number(i.Estimate), number(i.Low), number(i.High), number(i.Level)}
}

func jsonCheckOf(c regress.CheckResult) jsonCheck {
	j := jsonCheck{
		Scenario: c.Scenario, Name: c.Check.Name(), Unit: string(c.Check.Measure.Unit), Op: c.Check.Op, Bound: number(c.Check.Bound),
		Role: c.Role, Decides: decides(c), OK: c.OK, Passed: c.Passed, Total: c.Total, Missing: c.Missing, Needed: c.Total - c.Spare,
		BaselinePassed: c.BaselinePassed, BaselineTotal: c.BaselineTotal,
	}
	if c.Missing < c.Total {
		j.Observed = number(c.Observed)
	}
	if c.BaselineTotal > 0 {
		j.BaselineObserved = number(c.BaselineObserved)
	}
	return j
}

func jsonLedgerOf(scenario string, t tally) jsonLedger {
	l := jsonLedger{Scenario: scenario, Role: t.role, Replicates: t.replicates, Messages: map[string]int64{}}
	for i, p := range places {
		if t.counts[i] != nil {
			l.Messages[p.name] = *t.counts[i]
		}
	}
	return l
}

func jsonPercentilesOf(s *scene) []jsonPercentile {
	var out []jsonPercentile
	for _, h := range histogramWords {
		for _, role := range s.roles() {
			d := s.distribution(role, h.name)
			if d.samples() == 0 {
				continue
			}
			at := func(percentile float64) *float64 {
				if !d.sure(percentile) {
					return nil
				}
				return number(d.at(percentile))
			}
			out = append(out, jsonPercentile{s.name, role, h.name, d.samples(),
				at(50), at(90), at(99), at(99.9), at(99.99), number(d.at(100))})
		}
	}
	return out
}

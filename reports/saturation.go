package reports

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"floodgate/internal/record"
	"floodgate/regress/saturation"
	"floodgate/scenarios"
)

// Saturation is everything that the reports of a search for the highest rate
// show.
type Saturation struct {
	Scenario  string
	Command   string
	Version   string
	Over      time.Duration // length of each load
	Loss      float64       // the largest share that may be lost
	Precision float64
	Confirm   int
	Ceiling   float64 // of the generator, in messages per second; 0 where it was not measured
	Targets   []Saturated
}

// Saturated is the search of one target. The trials are in their order.
type Saturated struct {
	Role, Spec string
	Commit     string // that it was built from, hex; "" for none
	Answer     saturation.Answer
	Trials     []saturation.Trial
}

// saturationPoint is what all trials of one rate came to. The figures are those
// of the worst, CPU their mean; nil where none of them was measured.
type saturationPoint struct {
	rate        int64
	tried, held int
	finding     saturation.Finding // Held only where as many held as it takes
	reason      string
	loss, cpu   *float64
	p99         *float64
	growth      *float64
	drain       *float64
}

// points are the rates of a search, the lowest first.
func (t Saturated) points(confirm int) []saturationPoint {
	byRate := map[int64][]saturation.Trial{}
	for _, trial := range saturation.Counted(t.Trials) {
		byRate[trial.Rate] = append(byRate[trial.Rate], trial)
	}
	var out []saturationPoint
	for rate, trials := range byRate {
		p := saturationPoint{rate: rate, tried: len(trials), finding: saturation.Held}
		var cpu float64
		measured := 0
		for _, trial := range trials {
			if trial.Finding == saturation.Held {
				p.held++
			} else {
				p.finding, p.reason = trial.Finding, trial.Reason
			}
			p.loss, p.p99 = worse(p.loss, trial.Loss), worse(p.p99, trial.LatencyP99)
			p.growth, p.drain = worse(p.growth, trial.Backlog.Growth), worse(p.drain, trial.Backlog.Drain)
			if trial.CPU != nil {
				cpu += *trial.CPU
				measured++
			}
		}
		if measured > 0 {
			cpu /= float64(measured)
			p.cpu = &cpu
		}
		if p.finding == saturation.Held && p.held < confirm {
			p.finding, p.reason = saturation.Doubt, "it was not confirmed"
		}
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b saturationPoint) int { return cmp.Compare(a.rate, b.rate) })
	return out
}

// worse is the larger of two figures, or the one that was measured.
func worse(a, b *float64) *float64 {
	if a == nil || b != nil && *b > *a {
		return b
	}
	return a
}

// saturationHead are the columns of the curve.
var saturationHead = []string{"rate", "messages/s", "held", "loss", "CPU/message", "ingest p99", "backlog growth", "drain"}

func (p saturationPoint) symbol() string { return findingSymbol(p.finding) }

func findingSymbol(f saturation.Finding) string {
	switch f {
	case saturation.Held:
		return "✅"
	case saturation.Broke:
		return "❌"
	}
	return "❔"
}

func (p saturationPoint) word() string {
	switch p.finding {
	case saturation.Held:
		return "holds"
	case saturation.Broke:
		return "too many"
	case saturation.Late:
		return "generator late"
	}
	return "not known"
}

func (p saturationPoint) cells() []string {
	figure := func(x *float64, unit scenarios.Unit) string {
		if x == nil {
			return absent
		}
		return scenarios.Format(*x, unit)
	}
	return []string{p.symbol() + " " + p.word(), grouped(p.rate), fmt.Sprintf("%d/%d", p.held, p.tried), figure(p.loss, scenarios.Ratio),
		figure(p.cpu, scenarios.Seconds), figure(p.p99, scenarios.Seconds), figure(p.growth, scenarios.Ratio), figure(p.drain, scenarios.Seconds)}
}

// symbol is that of the answer of a search.
func (t Saturated) symbol() string {
	switch t.Answer.End {
	case saturation.Found, saturation.AtLeast:
		return "✅"
	case saturation.NoRate:
		return "❌"
	}
	return "❔"
}

// sentence is the answer in words.
func (t Saturated) sentence() string {
	a := t.Answer
	switch a.End {
	case saturation.Found:
		return fmt.Sprintf("%s messages/s; %s are too many: %s", grouped(a.Rate), grouped(a.Above), a.Reason)
	case saturation.AtLeast:
		return fmt.Sprintf("at least %s messages/s: %s", grouped(a.Rate), a.Reason)
	case saturation.NoRate:
		return fmt.Sprintf("no rate held; even %s messages/s are too many: %s", grouped(a.Above), a.Reason)
	}
	known := "no rate is known to hold"
	if a.Rate > 0 {
		known = fmt.Sprintf("%s messages/s held", grouped(a.Rate))
	}
	if a.Above > 0 {
		known += fmt.Sprintf(", %s did not", grouped(a.Above))
	}
	if a.End == saturation.Unmeasured {
		return "could not be measured: " + a.Reason + "; " + known
	}
	return "unfinished: so far " + known
}

// backlogWords say what a backlog was told from.
var backlogWords = map[saturation.Source]string{
	saturation.Received: "messages sent that the target had not read, as it tells",
	saturation.Socket:   "bytes in the target's socket",
	saturation.Sender:   "messages that waited with their sender before a full socket",
	saturation.Arrivals: "messages that arrived at the intake",
	saturation.Quiet:    "how long the target was not quiet",
}

// rule says which of the rules for a stable backlog applied.
func (t Saturated) rule() string {
	var grown, drained []string
	add := func(to *[]string, s saturation.Source) {
		if words := backlogWords[s]; words != "" && !slices.Contains(*to, words) {
			*to = append(*to, words)
		}
	}
	for _, trial := range t.Trials {
		add(&grown, trial.Backlog.From)
		add(&drained, trial.Backlog.DrainFrom)
	}
	slices.Sort(grown)
	slices.Sort(drained)
	words := "backlog: told from " + strings.Join(grown, "; ")
	if len(grown) == 0 {
		words = "backlog: its growth was not told, the load is too short or nothing shows it"
	}
	if len(drained) > 0 {
		words += "; drain: told from " + strings.Join(drained, "; ")
	}
	return words
}

// title says how the search was made.
func (s Saturation) title() string {
	return fmt.Sprintf("scenario %s at a steady rate: each load %v, loss at most %s, each rate confirmed %s, precision %s",
		s.Scenario, s.Over, scenarios.Format(s.Loss, scenarios.Ratio), times(s.Confirm), scenarios.Format(s.Precision, scenarios.Ratio))
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// notes are what stands under the curves: the generator's ceiling, how two targets
// compare, and doubts.
func (s Saturation) notes() []string {
	var out []string
	if s.Ceiling > 0 {
		out = append(out, fmt.Sprintf("The generator alone offers %s messages/s of this load.", grouped(int64(s.Ceiling))))
	}
	if len(s.Targets) == 2 && s.Targets[0].Answer.End == saturation.Found && s.Targets[1].Answer.End == saturation.Found {
		a, b := s.Targets[0], s.Targets[1]
		out = append(out, fmt.Sprintf("The %s takes %s times the rate of the %s; each is known to %s.", b.Role,
			short(float64(b.Answer.Rate)/float64(a.Answer.Rate), 2), a.Role, scenarios.Format(s.Precision, scenarios.Ratio)))
	}
	for _, t := range s.Targets {
		counts := map[string]int{}
		var order []string
		for _, trial := range t.Trials {
			for _, w := range trial.Warnings {
				if counts[w]++; counts[w] == 1 {
					order = append(order, w)
				}
			}
		}
		for _, w := range order {
			out = append(out, fmt.Sprintf("%s, in %s: %s", upperFirst(t.Role), plural(counts[w], "replicate"), w))
		}
		out = append(out, t.repeated()...)
	}
	return out
}

// repeated tells of the trials that do not count, because the machine was
// disturbed.
func (t Saturated) repeated() []string {
	counted := map[int64]int{} // of each rate
	for _, trial := range saturation.Counted(t.Trials) {
		counted[trial.Rate]++
	}
	tried, why := map[int64]int{}, map[int64]string{}
	var rates []int64
	for _, trial := range t.Trials {
		if tried[trial.Rate]++; tried[trial.Rate] == 1 {
			rates = append(rates, trial.Rate)
		}
		if trial.Disturbed != "" && trial.Finding != saturation.Held {
			why[trial.Rate] = cmp.Or(why[trial.Rate], trial.Reason+", and "+trial.Disturbed)
		}
	}
	var out []string
	for _, rate := range rates {
		if n := tried[rate] - counted[rate]; n > 0 {
			out = append(out, fmt.Sprintf("%s, at %s messages/s: %s repeated: %s", upperFirst(t.Role), grouped(rate), plural(n, "replicate"), why[rate]))
		}
	}
	return out
}

// only is the role of a target where there are others; else nothing.
func (s Saturation) label(t Saturated) string {
	if len(s.Targets) > 1 {
		return t.Role + " " + record.VariantText(t.Spec, t.Commit)
	}
	return record.VariantText(t.Spec, t.Commit)
}

// SaturationTerminal writes the curves as text, and the answers last.
func SaturationTerminal(w io.Writer, s Saturation, opt TerminalOptions) error {
	t := terminal{style: style{opt.Color}, width: opt.Width}
	for _, line := range wrap(clean(s.title()), opt.Width) {
		t.add(t.bold(line))
	}
	for _, target := range s.Targets {
		t.heading(clean(s.label(target)))
		table := textTable{head: saturationHead, right: []bool{false, true, true, true, true, true, true, true}}
		for _, p := range target.points(s.Confirm) {
			row := textRow{cells: p.cells(), paint: t.symbol(p.symbol())}
			if p.reason != "" {
				row.notes = []string{clean(p.reason)}
			}
			table.rows = append(table.rows, row)
		}
		if len(table.rows) > 0 {
			t.add(table.lines(t.width, t.style)...)
			for _, line := range wrap(target.rule(), t.width) {
				t.add(t.dim(line))
			}
		}
	}
	t.list("Notes", s.notes())
	t.heading("Highest rate that holds")
	for _, target := range s.Targets {
		head := target.symbol() + " " + clean(s.label(target)) + ": "
		for i, line := range wrap(head+clean(target.sentence()), t.width) {
			if i == 0 && t.symbol(target.symbol()) != nil {
				line = t.symbol(target.symbol())(target.symbol()) + strings.TrimPrefix(line, target.symbol())
			}
			t.add(line)
		}
	}
	for i, line := range t.lines {
		t.lines[i] = strings.TrimRight(line, " ")
	}
	_, err := io.WriteString(w, strings.Join(t.lines, "\n")+"\n")
	return err
}

// SaturationMarkdown writes the curves for a pull request, in at most 64,000 of the 65,536
// characters of a comment.
func SaturationMarkdown(w io.Writer, s Saturation) error {
	head := block{head: []string{"## Highest rate that holds: " + md(s.Scenario), "", md(upperFirst(s.title())) + ".", ""}}
	for _, t := range s.Targets {
		head.head = append(head.head, fmt.Sprintf("- %s %s: %s", t.symbol(), code(limitLine(s.label(t))), md(limitLine(t.sentence()))))
	}
	head.head = append(head.head, "")
	blocks := []block{head}
	rule := []string{":--"}
	for range saturationHead[1:] {
		rule = append(rule, "--:")
	}
	for _, t := range s.Targets {
		b := block{name: "the curves", cut: 2, head: []string{"### " + code(limitLine(s.label(t))), "", mdRow(saturationHead...), mdRow(rule...)},
			tail: []string{"", md(upperFirst(t.rule())) + ".", ""}}
		for _, p := range t.points(s.Confirm) {
			b.rows = append(b.rows, mdRow(p.cells()...))
		}
		if len(b.rows) > 0 {
			blocks = append(blocks, b)
		}
	}
	notes := block{name: "the notes", cut: 1}
	for _, n := range s.notes() {
		notes.rows = append(notes.rows, "- "+md(limitLine(n)))
	}
	blocks = append(blocks, notes)
	return writeBlocks(w, blocks, fit(blocks, markdownLimit))
}

// inkOf is the colour of a target in the chart, and whether its line is dashed.
func (t Saturated) inkOf() (ink, []float64) {
	if t.Role == record.Baseline {
		return inkBaseline, []float64{5, 3}
	}
	return inkCandidate, nil
}

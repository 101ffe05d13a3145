package reports

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"floodgate/internal/record"
	"floodgate/regress"
)

var (
	//go:embed template.html
	pageSource string
	//go:embed style.css
	pageStyle string
)

var pageTemplate = template.Must(template.New("page").Funcs(template.FuncMap{
	"clean": clean,
	"lines": cleanLines,
	"minus": minus,
	"lost":  func(cell string) bool { return cell != "0" && cell != absent },
}).Parse(pageSource))

// minus makes the hyphens of a figure minus signs, which stand as wide as plus
// signs in a column.
func minus(text string) string {
	if strings.ContainsAny(text, "0123456789") {
		return strings.ReplaceAll(text, "-", "−")
	}
	return text
}

// page is what the HTML template shows.
type page struct {
	Title, Symbol, Outcome, Class string
	Summary                       string
	Style                         template.CSS
	Facts                         []fact
	Reasons, Leading              []string // all reasons, and those shown with the verdict
	Next                          []string // what to do about it
	NextTitle                     string
	Marks                         []string // how the marks come about
	Rule                          string   // how the decision does
	Comparisons                   []comparisonRow
	Forest                        []template.HTML
	ForestNotes                   []string
	Checks                        []checkRow
	ChecksSummary                 string
	Ledger                        *table
	Scenes                        []sceneView
	Invalid                       []invalidView
	Warnings                      []string
	WorthTitle                    string
	Worth                         []string
	Setup                         *table
	Data                          any
}

// fact is a line of a list of names and values.
type fact struct {
	Name, Value string
	Code        bool
}

// table is a plain table: the first cell of each row names it.
type table struct {
	Label   string // what it is, for those who move through the page by ear
	Caption string
	Figures bool // nothing but figures
	Head    []column
	Losses  []bool // by column: figures other than 0 stand out; nil for none
	Rows    [][]string
}

type column struct {
	Name   string
	Number bool
}

func (t *table) add(cells ...string) { t.Rows = append(t.Rows, cells) }

// numberColumns are columns of figures.
func numberColumns(names ...string) []column {
	var out []column
	for _, name := range names {
		out = append(out, column{name, true})
	}
	return out
}

type comparisonRow struct {
	ID, Symbol, Mark, Class                         string
	Scenario, Goal, Better, Delta, Interval, Trials string
	P, Adjusted, Note                               string
}

type checkRow struct {
	Symbol, Word, Class                   string
	ID, Scenario, Name                    string
	Passed, Observed, Baseline, Authority string
}

type invalidView struct {
	Line      string
	LastWords string
}

// mostLeading is how many reasons stand with the verdict at the top at most.
const mostLeading = 6

// leading returns the reasons that made the decision. They come first in the
// list, and there are as many as the verdict has findings that do not pass.
func (v *view) leading() []string {
	d := v.Verdict.Decision
	if d.Outcome == regress.Pass {
		return nil
	}
	n := 0
	for _, c := range v.checks {
		if decides(c) && !c.OK {
			n++
		}
	}
	for _, c := range v.comparisons {
		if c.Confirmed(v.Verdict.Options) || c.Mark == regress.NoVerdict ||
			c.Mark == regress.Inconclusive && v.Verdict.Options.FailOnInconclusive {
			n++
		}
	}
	return d.Reasons[:min(max(n, 1), mostLeading, len(d.Reasons))]
}

// HTML writes the report as one file that needs nothing else: no network, no
// script, charts as inline SVG.
func HTML(w io.Writer, r Report) error {
	v := newView(r)
	p, err := v.page()
	if err != nil {
		return err
	}
	if err := pageTemplate.Execute(w, p); err != nil {
		return fmt.Errorf("cannot write the HTML report: %w", err)
	}
	return nil
}

func (v *view) page() (page, error) {
	d := v.Verdict.Decision
	p := page{
		Title: v.Title, Symbol: outcomeSymbol(d.Outcome), Outcome: outcomeWord(d.Outcome), Class: outcomeClass(d.Outcome),
		Summary: upperFirst(v.summary()) + ".", Style: template.CSS(pageStyle),
		Facts: v.facts(), Reasons: d.Reasons, Marks: markRules(v.Verdict.Options), Rule: decisionRule(len(v.comparisons)),
		ChecksSummary: v.checksSummary(), Ledger: v.ledgerOverview(), Warnings: v.warnings(),
		Setup: v.setup(), Data: v.document(), Leading: v.leading(), WorthTitle: worthTitle, Worth: v.worth(),
		NextTitle: nextTitle, Next: v.next(),
	}
	ids := v.ids()
	for _, c := range v.comparisons {
		p.Comparisons = append(p.Comparisons, v.comparisonRow(c, ids[c.Scenario]))
	}
	for _, c := range v.checks {
		p.Checks = append(p.Checks, checkRowOf(c, ids[c.Scenario]))
	}
	for _, run := range v.invalid {
		p.Invalid = append(p.Invalid, invalidView{run.line(), run.lastWords})
	}
	if err := v.drawForest(&p); err != nil {
		return page{}, err
	}
	for i := range v.scenes {
		s, err := v.sceneView(i, ids[v.scenes[i].name])
		if err != nil {
			return page{}, err
		}
		p.Scenes = append(p.Scenes, s)
	}
	return p, nil
}

func outcomeClass(o regress.Outcome) string {
	switch o {
	case regress.Pass:
		return "good"
	case regress.Fail:
		return "bad"
	}
	return "unsure"
}

func markClass(m regress.Mark) string {
	switch m {
	case regress.Improved:
		return "good"
	case regress.Regressed:
		return "bad"
	case regress.NoChange:
		return "same"
	}
	return "unsure"
}

// ids gives every scenario an anchor that is safe in an attribute and in a URL.
func (v *view) ids() map[string]string {
	ids := map[string]string{}
	for i, s := range v.scenes {
		plain := strings.Map(func(r rune) rune {
			switch {
			case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '_', r == '-':
				return r
			}
			return -1
		}, s.name)
		if plain != s.name || plain == "" {
			plain = fmt.Sprintf("%s-%d", plain, i)
		}
		ids[s.name] = "s-" + plain
	}
	return ids
}

func (v *view) facts() []fact {
	var facts []fact
	for _, role := range []string{record.Baseline, record.Candidate} {
		if what := v.variants(role); what != "" {
			facts = append(facts, fact{upperFirst(role), what, true})
		}
	}
	if v.Command != "" {
		facts = append(facts, fact{"Command", v.Command, true})
	}
	if v.Version != "" {
		facts = append(facts, fact{"Floodgate", v.Version, false})
	}
	return facts
}

func (v *view) comparisonRow(c regress.Comparison, id string) comparisonRow {
	row := comparisonRow{
		ID: id, Symbol: c.Mark.Symbol(), Mark: string(c.Mark), Class: markClass(c.Mark),
		Scenario: c.Scenario, Goal: c.Goal.Name, Better: c.Goal.Better + " is better",
		Delta: deltaCell(c), Interval: intervalCell(c), Trials: trialsCell(c),
		P: absent, Adjusted: absent, Note: note(c, v.Verdict.Options),
	}
	if measured(c) {
		row.P, row.Adjusted = probability(c.P), probability(c.PAdjusted)
	}
	return row
}

func checkRowOf(c regress.CheckResult, id string) checkRow {
	symbol, word := checkMark(c)
	row := checkRow{
		Symbol: symbol, Word: word, ID: id, Scenario: c.Scenario, Name: c.Check.Name(),
		Passed: passedCell(c), Observed: observedCell(c), Baseline: baselineCell(c), Authority: "informs",
	}
	switch symbol {
	case "✅":
		row.Class = "good"
	case "❌":
		row.Class = "bad"
	default:
		row.Class = "unsure"
	}
	if decides(c) {
		row.Authority = "decides"
	}
	return row
}

func (v *view) drawForest(p *page) error {
	drawable := false
	for _, c := range v.comparisons {
		drawable = drawable || measured(c)
	}
	switch {
	case len(v.comparisons) == 0:
		p.ForestNotes = []string{"Nothing was compared: only one variant ran."}
		return nil
	case !drawable:
		p.ForestNotes = []string{"There is nothing to draw: no comparison had enough valid pairs."}
		return nil
	}
	f := newForest(v.comparisons, v.Verdict.Options.Tolerance)
	for _, layout := range []forestLayout{wideForest, narrowForest} {
		svg, err := f.drawing(layout).svg()
		if err != nil {
			return err
		}
		p.Forest = append(p.Forest, template.HTML(svg))
	}
	if slices.ContainsFunc(f.comparisons, func(c regress.Comparison) bool { return measured(c) && f.far(c) }) {
		p.ForestNotes = append(p.ForestNotes, "Arrow with a figure: a change far beyond the axis.")
	}
	if f.beyond > 0 {
		p.ForestNotes = append(p.ForestNotes, plural(f.beyond, "pair")+" beyond the axis not drawn.")
	}
	return nil
}

// ledgerOverview is the loss table of all scenarios.
func (v *view) ledgerOverview() *table {
	var all []tally
	for i := range v.scenes {
		all = append(all, v.scenes[i].tallies()...)
	}
	if len(all) == 0 {
		return nil
	}
	shown := shownPlaces(all)
	// Where no output is counted, nobody knows that what is unattributed was lost.
	counted := !slices.ContainsFunc(all, func(t tally) bool { _, told := t.of("delivered"); return !told })
	t := &table{
		Label:   "Messages by place",
		Caption: strings.TrimSpace(ledgerWords + " " + placeWords(shown)),
		Head:    []column{{"experiment", false}, {"variant", false}, {"runs", true}},
		Losses:  make([]bool, 3),
	}
	for _, i := range shown {
		t.Head = append(t.Head, column{places[i].name, true})
		t.Losses = append(t.Losses, places[i].loss() && (places[i].name != "unattributed" || counted))
	}
	for i := range v.scenes {
		for _, sum := range v.scenes[i].tallies() {
			cells := []string{v.scenes[i].name, sum.role, fmt.Sprint(sum.replicates)}
			for _, p := range shown {
				cells = append(cells, sum.cell(p))
			}
			t.add(cells...)
		}
	}
	return t
}

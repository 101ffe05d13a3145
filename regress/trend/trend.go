package trend

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"floodgate/internal/history"
	"floodgate/regress"
	"floodgate/regress/changepoint"
)

// leastRuns is the number of runs from which on a series is searched.
const leastRuns = 6

// leastLinks is the number of comparisons that make a chain worth telling.
const leastLinks = 3

// Series is the history of one measure under one scenario on one host.
type Series struct {
	Scenario, Measure, Unit, Better string
	Host                            history.Host
	Lines                           []history.Line // by time
	Ratio                           Finding        // in candidate over baseline
	Level                           Finding        // in the candidate's absolute level
	// Chain is what the latest comparisons come to together, where the candidate
	// of each is the baseline of the next; nil where they are no chain.
	Chain *Drift
}

// Finding is what was found in one kind of number of a series: points, or a
// drift, or nothing.
type Finding struct {
	Points []Point
	Drift  *Drift
}

// Change is a relative change, 0.05 is +5 %, with its interval.
type Change struct {
	Estimate, Low, High float64
	Confidence          float64
}

// Point is a change of the level.
type Point struct {
	Line   int // index into Lines of the first run at the new level
	Change Change
	P      float64
	Worse  bool
}

// Drift is a change that came about over many runs.
type Drift struct {
	From, To int // indices into Lines of the first and the last run
	Runs     int // that it was told from
	Change   Change
	// Told says that an interval at this certainty, which is that of the search,
	// excludes 0. A drift of ratio or level is kept only where it is told.
	Told      bool
	Certainty float64
	Worse     bool
	// Slow says that no comparison on the way was marked for the same direction.
	Slow bool
}

// DefaultOptions are those of package changepoint, for both searches of a
// number: 2 % false alarms together.
func DefaultOptions() changepoint.Options {
	o := changepoint.DefaultOptions()
	o.Significance *= searches
	return o
}

// searches are made in each number of a series: for changes of level and for a
// drift. Each gets its share of the false alarms.
const searches = 2

// Analyse sorts lines into series and searches each. The series come by
// scenario, measure and host. The significance of o, which must allow half of
// it, is the probability of finding anything in the ratios, or in the levels, of
// a series that never changed; a chain is told from 0 at half of it too.
func Analyse(lines []history.Line, o changepoint.Options) []Series {
	o.Significance /= searches
	type key struct{ scenario, measure, host string }
	var order []key
	found := map[key]*Series{}
	for _, l := range lines {
		k := key{l.Scenario, l.Measure, l.Host.Fingerprint}
		s := found[k]
		if s == nil {
			s = &Series{Scenario: l.Scenario, Measure: l.Measure, Unit: l.Unit, Better: l.Better, Host: l.Host}
			found[k] = s
			order = append(order, k)
		}
		s.Lines = append(s.Lines, l)
	}
	slices.SortFunc(order, func(a, b key) int {
		return cmp.Or(strings.Compare(a.scenario, b.scenario), strings.Compare(a.measure, b.measure), strings.Compare(a.host, b.host))
	})
	var all []Series
	for _, k := range order {
		s := found[k]
		slices.SortStableFunc(s.Lines, func(a, b history.Line) int { return a.Time.Compare(b.Time) })
		s.Ratio = s.search(func(l history.Line) *float64 { return l.Ratio }, o)
		s.Level = s.search(func(l history.Line) *float64 { return l.Candidate.Level }, o)
		s.Chain = s.chain(o)
		all = append(all, *s)
	}
	return all
}

// search looks for points and for a drift in one number of each line, and keeps
// the one that tells the series better.
func (s *Series) search(number func(history.Line) *float64, o changepoint.Options) Finding {
	var x []float64
	var at []int // indices into Lines
	for i, l := range s.Lines {
		if n := number(l); n != nil {
			x, at = append(x, math.Log(*n)), append(at, i)
		}
	}
	if skipped := len(x) - changepoint.MaxRuns; skipped > 0 {
		x, at = x[skipped:], at[skipped:]
	}
	if len(x) < leastRuns {
		return Finding{}
	}
	points := changepoint.Detect(x, o)
	line := changepoint.Fit(x, o.Confidence)
	// The same line, with the interval of the search's significance.
	told := changepoint.Fit(x, 1-o.Significance).Change.ExcludesZero()
	if told && changepoint.Steadier(x, points, line) {
		d := s.drift(at[0], at[len(at)-1], line.Change, o)
		d.Runs, d.Told = len(at), true
		return Finding{Drift: d}
	}
	var f Finding
	for _, p := range points {
		f.Points = append(f.Points, Point{Line: at[p.Index], Change: changeOf(p.Change, o), P: p.P, Worse: s.worse(p.Change.Estimate)})
	}
	return f
}

func (s *Series) drift(from, to int, change changepoint.Interval, o changepoint.Options) *Drift {
	d := &Drift{From: from, To: to, Change: changeOf(change, o), Worse: s.worse(change.Estimate), Slow: true, Certainty: 1 - o.Significance}
	seen := string(regress.Improved)
	if d.Worse {
		seen = string(regress.Regressed)
	}
	for _, l := range s.Lines[from : to+1] {
		if l.Mark == seen {
			d.Slow = false
		}
	}
	return d
}

// worse reports whether a change of the logarithm is for the worse.
func (s *Series) worse(change float64) bool {
	if s.Better == "higher" {
		return change < 0
	}
	return change > 0
}

func changeOf(i changepoint.Interval, o changepoint.Options) Change {
	return Change{math.Expm1(i.Estimate), math.Expm1(i.Low), math.Expm1(i.High), o.Confidence}
}

// chain adds up the latest comparisons that form a chain. Comparisons of the
// same two builds are one link, and their mean counts.
func (s *Series) chain(o changepoint.Options) *Drift {
	var links [][]changepoint.Step // the latest link first
	from := len(s.Lines)
	for i := len(s.Lines) - 1; i >= 0; i-- {
		step, known := stepOf(s.Lines[i])
		if !known {
			break
		}
		switch {
		case from == len(s.Lines):
			links = [][]changepoint.Step{{step}}
		case repeats(s.Lines[i], s.Lines[from]):
			links[len(links)-1] = append(links[len(links)-1], step)
		case identity(s.Lines[i].Candidate) == identity(s.Lines[from].Baseline):
			links = append(links, []changepoint.Step{step})
		default:
			known = false
		}
		if !known {
			break
		}
		from = i
	}
	if len(links) < leastLinks {
		return nil
	}
	steps := make([]changepoint.Step, len(links))
	for i, link := range links {
		steps[i] = meanOf(link)
	}
	d := s.drift(from, len(s.Lines)-1, changepoint.Cumulate(steps, o.Confidence), o)
	d.Runs = len(s.Lines) - from
	d.Told = changepoint.Cumulate(steps, 1-o.Significance).ExcludesZero()
	return d
}

// stepOf is the change that a line measured; not known without an interval, or
// where it is not known what was compared.
func stepOf(l history.Line) (changepoint.Step, bool) {
	if l.Ratio == nil || l.Spread == nil || l.Pairs < 2 || identity(l.Baseline) == "" || identity(l.Candidate) == "" {
		return changepoint.Step{}, false
	}
	return changepoint.Step{
		Change:   math.Log(*l.Ratio),
		Variance: *l.Spread * *l.Spread / float64(l.Pairs),
		Freedom:  float64(l.Pairs - 1),
	}, true
}

// meanOf is the mean of measurements of one change.
func meanOf(steps []changepoint.Step) changepoint.Step {
	k := float64(len(steps))
	var mean changepoint.Step
	for _, s := range steps {
		mean.Change += s.Change / k
		mean.Variance += s.Variance / (k * k)
		mean.Freedom += s.Freedom
	}
	return mean
}

func repeats(a, b history.Line) bool {
	return identity(a.Baseline) == identity(b.Baseline) && identity(a.Candidate) == identity(b.Candidate)
}

// identity is what a side was: its commit, or else its binary, with the options
// that it ran with. Empty where neither is known.
func identity(s history.Side) string {
	build := cmp.Or(s.Commit, s.Digest)
	if build == "" {
		return ""
	}
	options := ""
	if i := strings.LastIndexByte(s.Spec, ':'); i >= 0 && strings.Contains(s.Spec[i:], "=") {
		options = s.Spec[i:]
	}
	return build + options
}

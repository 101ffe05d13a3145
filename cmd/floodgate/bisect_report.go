package main

import (
	"fmt"
	"io"
	"math"

	"floodgate/internal/target"
	"floodgate/regress"
)

// bisectReport is a search as bisect.json keeps it. Changes are ratios.
type bisectReport struct {
	Scenario string       `json:"scenario"`
	Goal     string       `json:"goal"`
	Good     string       `json:"good"`
	Bad      string       `json:"bad"`
	First    string       `json:"first_bad"` // empty where it is not known
	Suspects []string     `json:"suspects"`  // of which any could be it, then
	Steps    []bisectStep `json:"steps"`
}

// bisectStep is one commit with the evidence on it.
type bisectStep struct {
	Commit  string        `json:"commit"`
	Subject string        `json:"subject"`
	Answer  target.Answer `json:"answer"`
	Mark    regress.Mark  `json:"mark"`
	Reason  string        `json:"reason"`
	Pairs   int           `json:"pairs"`
	// Delta, Low and High are null where nothing was compared.
	Delta *float64 `json:"delta"`
	Low   *float64 `json:"low"`
	High  *float64 `json:"high"`

	comparison regress.Comparison
}

func (s *bisectStep) fill() {
	c := s.comparison
	s.Mark, s.Reason, s.Pairs = c.Mark, c.Reason, len(c.Pairs)
	if len(c.Pairs) == 0 {
		return
	}
	for _, x := range []struct {
		to   **float64
		from float64
	}{{&s.Delta, c.Delta.Estimate}, {&s.Low, c.Delta.Low}, {&s.High, c.Delta.High}} {
		if !math.IsNaN(x.from) && !math.IsInf(x.from, 0) {
			*x.to = &x.from
		}
	}
}

// evidence is what a step saw, in words.
func (s bisectStep) evidence() string {
	if s.Mark == regress.NoVerdict || s.Delta == nil || s.Low == nil || s.High == nil {
		return "no verdict: " + s.Reason
	}
	text := fmt.Sprintf("%+.2f %% [%+.2f, %+.2f], %d pairs", 100**s.Delta, 100**s.Low, 100**s.High, s.Pairs)
	if s.Answer == target.SkipCommit {
		text += ": " + s.Reason
	}
	return text
}

// String is the step on one line.
func (s bisectStep) String() string {
	return fmt.Sprintf("%s %-4s  %s  %s  %s", s.Mark.Symbol(), s.Answer, target.Commit{Hash: s.Commit}.Short(), s.evidence(), s.Subject)
}

// mostSuspects is how many commits are listed for people.
const mostSuspects = 20

// tell prints what a search came to, and returns its exit code.
func (r bisectReport) tell(w io.Writer, found target.Found) int {
	end := r.Steps[0] // the bad end
	fmt.Fprintln(w)
	switch {
	case found.First != nil:
		fmt.Fprintf(w, "%s is the first bad commit: %s\n", found.First.Hash, found.First.Subject)
		for _, s := range r.Steps {
			if s.Commit == r.First {
				fmt.Fprintf(w, "  %s against %s: %s\n", r.Goal, target.Commit{Hash: r.Good}.Short(), s.evidence())
			}
		}
		return exitPass
	case end.Answer == target.GoodCommit:
		fmt.Fprintf(w, "There is no regression to find: the bad end is %s, %s\n", end.Mark, end.evidence())
		return exitFail
	case end.Answer == target.SkipCommit:
		fmt.Fprintln(w, "It cannot be told whether the bad end has regressed, so nothing was searched: try more pairs with --max-pairs, or a quieter machine")
		return exitUnmeasured
	case len(found.Suspects) == 0: // it was broken off before git knew
		return exitUnmeasured
	}
	fmt.Fprintf(w, "The first bad commit cannot be told; it is one of these %d:\n", len(found.Suspects))
	for i, c := range found.Suspects {
		if i == mostSuspects {
			fmt.Fprintf(w, "  and %d more, in bisect.json\n", len(found.Suspects)-i)
			break
		}
		fmt.Fprintf(w, "  %s  %s\n", c.Short(), c.Subject)
	}
	return exitUnmeasured
}

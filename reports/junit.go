package reports

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"floodgate/regress"
)

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Skipped  int          `xml:"skipped,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Failure *junitMessage `xml:"failure"`
	Error   *junitMessage `xml:"error"`
	Skipped *junitMessage `xml:"skipped"`
	Out     string        `xml:"system-out,omitempty"`
}

type junitMessage struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// JUnit writes one test case for each comparison and each check, with the
// scenario as its class. A case fails exactly when it counts against the run;
// what could not be measured is an error; what is worse or broken without
// deciding, and what is inconclusive, is skipped with its reason.
func JUnit(w io.Writer, r Report) error {
	v := newView(r)
	doc := junitSuites{Name: clean(v.Title)}
	for i := range v.scenes {
		s := &v.scenes[i]
		suite := junitSuite{Name: clean(s.name)}
		if s.comparison != nil {
			suite.add(comparisonCase(*s.comparison, v.Verdict.Options))
		}
		for _, c := range s.checks {
			suite.add(checkCase(c))
		}
		if suite.Tests == 0 {
			continue
		}
		doc.Tests += suite.Tests
		doc.Failures += suite.Failures
		doc.Errors += suite.Errors
		doc.Skipped += suite.Skipped
		doc.Suites = append(doc.Suites, suite)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(doc); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func (s *junitSuite) add(c junitCase) {
	s.Tests++
	switch {
	case c.Failure != nil:
		s.Failures++
	case c.Error != nil:
		s.Errors++
	case c.Skipped != nil:
		s.Skipped++
	}
	s.Cases = append(s.Cases, c)
}

func comparisonCase(c regress.Comparison, o regress.Options) junitCase {
	out := junitCase{Class: clean(c.Scenario), Name: clean(c.Goal.Name)}
	figures := fmt.Sprintf("%s: Δ mean %% %s, CI %s, %s pairs", c.Mark, deltaCell(c), intervalCell(c), trialsCell(c))
	message := &junitMessage{Message: clean(figures), Text: clean(note(c, o))}
	if !strings.Contains(message.Text, clean(c.Reason)) {
		message.Text = clean(c.Reason) + "; " + message.Text
	}
	switch {
	case c.Confirmed(o):
		out.Failure = message
	case c.Mark == regress.NoVerdict, c.Mark == regress.Inconclusive && o.FailOnInconclusive:
		out.Error = message
	case c.Mark == regress.Regressed, c.Mark == regress.Inconclusive:
		out.Skipped = message
	default:
		out.Out = clean(figures)
	}
	return out
}

func checkCase(c regress.CheckResult) junitCase {
	out := junitCase{Class: clean(c.Scenario), Name: clean("bound " + c.Check.String())}
	_, word := checkMark(c)
	figures := fmt.Sprintf("%s: %s, replicates passed: %s", word, observedCell(c), passedCell(c))
	message := &junitMessage{Message: clean(figures)}
	if c.BaselineTotal > 0 {
		message.Text = "baseline: " + baselineCell(c)
	}
	switch {
	case c.OK:
		out.Out = clean(figures)
	case !decides(c):
		out.Skipped = message
	case c.Failed():
		out.Failure = message
	default:
		out.Error = message
	}
	return out
}

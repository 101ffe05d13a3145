package reports

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"floodgate/internal/record"
	"floodgate/regress/saturation"
	"floodgate/scenarios"
)

// saturated searches a simulated target of a known capacity. It loses what comes
// beyond it, and before that its latency rises.
func saturated(role, spec string, capacity float64, source saturation.Source, p saturation.Plan, generator int64) Saturated {
	t := Saturated{Role: role, Spec: spec}
	for {
		rate, answer := p.Next(t.Trials)
		if rate == 0 {
			t.Answer = answer
			return t
		}
		x := float64(rate) / capacity
		figure := func(y float64) *float64 { y = rounding(y); return &y }
		trial := saturation.Trial{Rate: rate, Replicate: len(t.Trials) % p.Confirm, Finding: saturation.Held,
			Loss: figure(max(0, 1-1/x)), CPU: figure(4e-7 + 3e-6/math.Sqrt(float64(rate))), LatencyP99: figure(2e-4 / math.Max(0.02, 1-x)),
			Backlog: saturation.Backlog{From: source, Growth: figure(max(0, 0.3*(x-1))), DrainFrom: saturation.Arrivals, Drain: figure(0.8)}}
		switch {
		case rate > generator:
			trial.Finding, trial.Reason = saturation.Late, "the generator was late: p99 31ms, the scenario's limit is 10ms"
		case x > 1:
			trial.Finding, trial.Reason = saturation.Broke, scenarios.Format(*trial.Loss, scenarios.Ratio)+" was lost"
		}
		if source == saturation.Socket {
			trial.LatencyP99 = nil
			trial.Warnings = []string{"target \x1b[31msilent<b> has no setting for its receive buffer"}
		}
		t.Trials = append(t.Trials, trial)
	}
}

func saturationFixture() Saturation {
	p := saturation.Plan{From: 50_000, Least: 48, To: 5_000_000, Limit: saturation.LimitAsked, Precision: 0.05, Confirm: 2}
	return Saturation{Scenario: "burst_300k", Command: "floodgate saturate burst_300k", Version: "v0.1.0", Over: 2 * time.Second,
		Precision: p.Precision, Confirm: p.Confirm, Ceiling: 1_234_567.8, Targets: []Saturated{
			saturated(record.Baseline, "target:silent", 175_000, saturation.Socket, p, math.MaxInt64),
			saturated(record.Candidate, "refserver:reader=decoupled", 1.2e6, saturation.Received, p, 900_000),
		}}
}

// TestSaturationGoldens shows a search as people see it.
func TestSaturationGoldens(t *testing.T) {
	s := saturationFixture()
	var text, comment, page, doc bytes.Buffer
	for _, err := range []error{SaturationTerminal(&text, s, TerminalOptions{Width: 110}), SaturationMarkdown(&comment, s), SaturationHTML(&page, s), SaturationJSON(&doc, s)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if *keep != "" {
		if err := os.WriteFile(filepath.Join(*keep, "saturation.html"), page.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "saturation.txt", text.Bytes())
	golden(t, "saturation.md", comment.Bytes())
	charts := 0
	for _, e := range parse(t, page.Bytes()) {
		if e.name == "svg" {
			charts++
		}
		if e.name == "script" || e.name == "link" || e.name == "img" || e.attr["src"] != "" {
			t.Errorf("the page has a <%s>, which may load something", e.name)
		}
	}
	if charts != 2 || page.Len() > 200<<10 {
		t.Errorf("%d charts in %d bytes, want a wide and a narrow one", charts, page.Len())
	}
	whole := page.Bytes()
	for _, e := range elided {
		whole = e.pattern.ReplaceAll(whole, []byte(e.by))
	}
	golden(t, "saturation.html", whole)
	if strings.Contains(text.String()+comment.String()+page.String(), "\x1b") {
		t.Error("a warning brings a terminal escape along")
	}
	var back saturationDocument
	if err := json.Unmarshal(doc.Bytes(), &back); err != nil || back.Schema != JSONSchema || len(back.Targets) != 2 {
		t.Fatalf("the JSON reads as %+v: %v", back, err)
	}
	for i, target := range back.Targets {
		of := s.Targets[i]
		if *target.Rate != of.Answer.Rate || target.End != string(of.Answer.End) || len(target.Trials) != len(of.Trials) || *target.Trials[0].Loss != *of.Trials[0].Loss {
			t.Errorf("target %d reads as %+v", i, target)
		}
	}
}

// TestSaturationAnswers: what each end of a search says, and that none needs
// anything measured.
func TestSaturationAnswers(t *testing.T) {
	for _, c := range []struct {
		answer saturation.Answer
		want   string
	}{
		{saturation.Answer{Rate: 176_000, Above: 183_000, End: saturation.Found, Reason: "5% was lost"}, "✅ refserver: 176,000 messages/s; 183,000 are too many: 5% was lost"},
		{saturation.Answer{Rate: 5_000_000, End: saturation.AtLeast, Reason: "the generator is the limit"}, "✅ refserver: at least 5,000,000 messages/s: the generator is the limit"},
		{saturation.Answer{Above: 48, End: saturation.NoRate, Reason: "the target died under load"}, "❌ refserver: no rate held; even 48 messages/s are too many: the target died under load"},
		{saturation.Answer{Rate: 50, End: saturation.Unmeasured, Reason: "nothing tells"}, "❔ refserver: could not be measured: nothing tells; 50 messages/s held"},
		{saturation.Answer{Rate: 50, Above: 100}, "❔ refserver: unfinished: so far 50 messages/s held, 100 did not"},
		{saturation.Answer{}, "❔ refserver: unfinished: so far no rate is known to hold"},
	} {
		s := Saturation{Scenario: "x", Over: time.Second, Confirm: 1, Targets: []Saturated{{Role: record.Candidate, Spec: "refserver", Answer: c.answer}}}
		var text, other bytes.Buffer
		if err := SaturationTerminal(&text, s, TerminalOptions{}); err != nil || !strings.Contains(text.String(), c.want+"\n") {
			t.Errorf("%+v: %v\n%s", c.answer, err, text.String())
		}
		for _, write := range []error{SaturationHTML(&other, s), SaturationMarkdown(&other, s), SaturationJSON(&other, s)} {
			if write != nil {
				t.Error(write)
			}
		}
		if out := other.String(); strings.Contains(out, "NaN") || strings.Contains(out, "Inf") || strings.Contains(out, "<svg") {
			t.Errorf("%+v: nothing was measured, and it shows %s", c.answer, out)
		}
	}
}

// TestSaturationPoint: a rate holds only if enough replicates held, and its figures
// are those of the worst.
func TestSaturationPoint(t *testing.T) {
	x := func(y float64) *float64 { return &y }
	held := saturation.Trial{Rate: 10, Finding: saturation.Held, Loss: x(0), CPU: x(1e-6), LatencyP99: x(1e-3)}
	broke := saturation.Trial{Rate: 10, Finding: saturation.Broke, Reason: "lost", Loss: x(0.1), CPU: x(3e-6)}
	disturbed := broke
	disturbed.Disturbed = "the hypervisor took 12% of the CPU time"
	for _, c := range []struct {
		why    string
		trials []saturation.Trial
		want   string
	}{
		{"as many as it takes", []saturation.Trial{held, held}, "✅ holds|10|2/2|0%|1µs|1ms|–|–"},
		{"one is missing", []saturation.Trial{held}, "❔ not known|10|1/1|0%|1µs|1ms|–|–"},
		{"one of two broke", []saturation.Trial{held, broke}, "❌ too many|10|1/2|10%|2µs|1ms|–|–"},
		{"what broke on a disturbed machine was repeated", []saturation.Trial{disturbed, held, held}, "✅ holds|10|2/2|0%|1µs|1ms|–|–"},
		{"the generator", []saturation.Trial{{Rate: 10, Finding: saturation.Late}}, "❔ generator late|10|0/1|–|–|–|–|–"},
	} {
		points := Saturated{Trials: c.trials}.points(2)
		if got := strings.Join(points[0].cells(), "|"); len(points) != 1 || got != c.want {
			t.Errorf("%s: %s, want %s", c.why, got, c.want)
		}
	}
	searched := Saturated{Role: record.Candidate, Trials: []saturation.Trial{held, disturbed, disturbed, held}}
	want := []string{"Candidate, at 10 messages/s: 2 replicates repeated: lost, and the hypervisor took 12% of the CPU time"}
	if got := (Saturation{Confirm: 2, Targets: []Saturated{searched}}).notes(); !slices.Equal(got, want) {
		t.Errorf("the notes are %q, want %q", got, want)
	}
}

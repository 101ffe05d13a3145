package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"floodgate/internal/harness"
	"floodgate/scenarios"
)

// progress shows one line on a terminal: what runs, how far the run is, and how
// long it will still take. Elsewhere it only tells of replicates that failed.
type progress struct {
	w        io.Writer
	terminal bool
	started  time.Time
	left     time.Duration            // planned for what has not begun
	planned  map[string]time.Duration // of one replicate, by scenario
	measured map[string]time.Duration // of the last one
	begun    time.Time                // of the replicate at hand
	current  harness.Event
	ended    int // replicates
}

func newProgress(w io.Writer, suite []scenarios.Scenario, config harness.Config) *progress {
	p := &progress{w: w, terminal: isTerminal(w) && os.Getenv("TERM") != "dumb", started: time.Now(),
		planned: map[string]time.Duration{}, measured: map[string]time.Duration{}}
	for _, s := range suite {
		// Start, drain and stop take about one flush interval and a second more.
		p.planned[s.Name] = s.Load.Schedule.Over + s.Limits.WarmUp + s.Target.FlushInterval + time.Second
		p.left += p.planned[s.Name] * time.Duration(config.Replicates[s.Name]*len(config.Variants))
	}
	return p
}

// event is called by the harness at each phase and at the end of each
// replicate.
func (p *progress) event(e harness.Event) {
	now := time.Now()
	switch {
	case e.Phase == "":
		p.ended++
		if e.Attempt == 0 {
			p.left = max(0, p.left-p.planned[e.Scenario])
		}
		p.measured[e.Scenario] = now.Sub(p.begun)
		if e.Record.Invalid != "" {
			p.clear()
			fmt.Fprintf(p.w, "%s, %s %d: invalid: %s\n", e.Scenario, e.Role, e.Replicate, e.Record.Invalid)
			if words := strings.TrimSpace(e.Record.LastWords); words != "" {
				fmt.Fprintf(p.w, "its last words:\n  %s\n", strings.ReplaceAll(words, "\n", "\n  "))
			}
		}
	case p.current.Scenario != e.Scenario || p.current.Role != e.Role || p.current.Replicate != e.Replicate || p.current.Attempt != e.Attempt || p.current.Phase == "":
		p.begun = now
	}
	p.current = e
	p.draw(now)
}

func (p *progress) draw(now time.Time) {
	if !p.terminal {
		return
	}
	e := p.current
	line := fmt.Sprintf("%d/%d  %s  %s %d", min(p.ended+1, e.Total), e.Total, e.Scenario, e.Role, e.Replicate+1)
	if e.Attempt > 0 {
		line += fmt.Sprintf(", attempt %d", e.Attempt+1)
	}
	if e.Phase != "" {
		line += "  " + strings.ReplaceAll(e.Phase, "_", " ")
	}
	line += fmt.Sprintf("  %s elapsed, about %s left", now.Sub(p.started).Round(time.Second), p.estimate().Round(time.Second))
	if columns := width(p.w); columns > 0 && len(line) >= columns {
		line = line[:columns-1]
	}
	fmt.Fprintf(p.w, "\r\x1b[K%s", line)
}

// estimate scales what was planned for the rest by how the plan has held so
// far.
func (p *progress) estimate() time.Duration {
	var planned, measured time.Duration
	for name, d := range p.measured {
		planned += p.planned[name]
		measured += d
	}
	if planned == 0 {
		return p.left
	}
	return time.Duration(float64(p.left) * float64(measured) / float64(planned))
}

func (p *progress) clear() {
	if p.terminal {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

// finish leaves the terminal as it was.
func (p *progress) finish() { p.clear() }

package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"floodgate/internal/harness"
)

// quietFor is how long a run says nothing where it is not watched: in the log of a
// CI job a long one must be told from one that hangs.
const quietFor = 30 * time.Second

// progress shows one line on a terminal: what runs, how far the run is, and how
// long it will still take. Elsewhere it tells of replicates that failed, and every
// quietFor how far the run is.
type progress struct {
	w        io.Writer
	terminal bool
	started  time.Time
	left     []time.Duration          // planned when so many replicates have ended
	planned  map[string]time.Duration // of one replicate, by scenario
	measured map[string]time.Duration // of the last one
	begun    time.Time                // of the replicate at hand
	current  harness.Event
	told     time.Time // the last line elsewhere
}

func newProgress(w io.Writer, config harness.Config) *progress {
	p := &progress{w: w, terminal: isTerminal(w) && os.Getenv("TERM") != "dumb", started: time.Now(),
		planned: map[string]time.Duration{}, measured: map[string]time.Duration{}}
	for _, s := range config.Scenarios {
		// Start, drain and stop take about one flush interval and a second more.
		p.planned[s.Name] = s.Load.Schedule.Over + s.Limits.WarmUp + s.Target.FlushInterval + time.Second
	}
	var roles []string
	for _, v := range config.Variants {
		roles = append(roles, v.Role)
	}
	pairs := harness.NewPlan(config.Scenarios, config.Replicates, roles, config.Seed).Pairs
	p.left = []time.Duration{0}
	for i := len(pairs) - 1; i >= 0; i-- {
		for range roles {
			p.left = append(p.left, p.left[len(p.left)-1]+p.planned[config.Scenarios[pairs[i].Scenario].Name])
		}
	}
	return p
}

// event is called by the harness at each phase and at the end of each
// replicate.
func (p *progress) event(e harness.Event) {
	now := time.Now()
	switch {
	case e.Phase == "":
		p.measured[e.Scenario] = now.Sub(p.begun)
		if e.Record.Invalid != "" {
			p.clear()
			tellInvalid(p.w, e, "pair")
		}
	case p.current.Phase == "": // the one before has ended
		p.begun = now
	}
	p.current = e
	if p.terminal {
		fmt.Fprint(p.w, "\r\x1b[K", p.line(now, width(p.w)))
	} else if e.Phase == "" {
		p.tell(now)
	}
}

// tell writes the line of a run that nobody watches, unless one stands there that
// is hardly older, or the run is over.
func (p *progress) tell(now time.Time) {
	if p.told.IsZero() {
		p.told = p.started
	}
	if now.Sub(p.told) >= quietFor && p.current.Done < p.current.Total {
		p.told = now
		fmt.Fprintln(p.w, p.line(now, 0))
	}
}

// tellInvalid says why a replicate that has ended must not be judged. unit is what
// its number counts.
func tellInvalid(w io.Writer, e harness.Event, unit string) {
	fmt.Fprintf(w, "%s, %s, %s %d: invalid: %s\n", e.Scenario, e.Role, unit, e.Replicate, e.Record.Invalid)
	// A single line stands in the reason already.
	if words := strings.TrimSpace(e.Record.LastWords); words != "" && !strings.Contains(e.Record.Invalid, fmt.Sprintf("%q", words)) {
		fmt.Fprintf(w, "its last words:\n  %s\n", strings.ReplaceAll(words, "\n", "\n  "))
	}
}

// line is the state of the run, cut to the columns where those are known.
func (p *progress) line(now time.Time, columns int) string {
	e := p.current
	line := fmt.Sprintf("%d/%d done", e.Done, e.Total)
	if e.Phase != "" {
		line += fmt.Sprintf("  %s, %s, pair %d", e.Scenario, e.Role, e.Replicate)
		if e.Attempt > 0 {
			line += fmt.Sprintf(", attempt %d", e.Attempt+1)
		}
		line += "  " + strings.ReplaceAll(e.Phase, "_", " ")
	}
	line += fmt.Sprintf("  %s elapsed, about %s left", now.Sub(p.started).Round(time.Second), p.estimate().Round(time.Second))
	if columns > 0 && len(line) >= columns {
		line = line[:columns-1]
	}
	return line
}

// estimate scales what was planned for the rest by how the plan has held so
// far.
func (p *progress) estimate() time.Duration {
	left := p.left[p.current.Total-p.current.Done]
	var planned, measured time.Duration
	for name, d := range p.measured {
		planned += p.planned[name]
		measured += d
	}
	if planned == 0 {
		return left
	}
	return time.Duration(float64(left) * float64(measured) / float64(planned))
}

func (p *progress) clear() {
	if p.terminal {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

// finish leaves the terminal as it was.
func (p *progress) finish() { p.clear() }

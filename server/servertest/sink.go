package servertest

import (
	"context"
	"slices"
	"testing"
	"time"

	"floodgate/internal/intake"
	"floodgate/internal/payload"
)

// Sink is an intake that keeps all that arrives. It ends with its test.
type Sink struct {
	*intake.Intake
	t       testing.TB
	arrived Arrived
}

// NewSink starts an intake that misbehaves as faults say.
func NewSink(t testing.TB, faults intake.Faults) *Sink {
	t.Helper()
	config := intake.Default()
	config.Faults = faults
	in, err := intake.New(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- in.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return &Sink{Intake: in, t: t}
}

// Arrived is what came to an intake, in the order of its arrival.
type Arrived struct {
	Series   []payload.Series
	Sketches []payload.Sketch
	Events   []payload.Event
	Checks   []payload.ServiceCheck
	Totals   intake.Totals // of all of it
}

// onHost is the series and sketches that belong to a host.
func (a *Arrived) onHost(name string) *Arrived {
	of := &Arrived{}
	for i := range a.Series {
		if s := &a.Series[i]; s.Host == name {
			of.Totals.Add(time.Time{}, s)
		}
	}
	for i := range a.Sketches {
		if s := &a.Sketches[i]; s.Host == name {
			of.Totals.AddSketch(time.Time{}, s)
		}
	}
	return of
}

// Arrived decodes what has come by now and returns it with all that came
// before. It belongs to one goroutine, and so does what it returns, until the
// next call.
func (s *Sink) Arrived() *Arrived {
	s.t.Helper()
	a := &s.arrived
	err := s.DecodeAll(intake.Visitor{
		Series: func(at time.Time, one *payload.Series) error {
			a.Totals.Add(at, one)
			kept := *one
			kept.Points, kept.Tags = slices.Clone(one.Points), slices.Clone(one.Tags)
			a.Series = append(a.Series, kept)
			return nil
		},
		Sketch: func(at time.Time, one *payload.Sketch) error {
			a.Totals.AddSketch(at, one)
			kept := *one
			kept.Tags, kept.Points = slices.Clone(one.Tags), slices.Clone(one.Points)
			for i := range kept.Points {
				p := &kept.Points[i]
				p.Keys, p.Counts = slices.Clone(p.Keys), slices.Clone(p.Counts)
			}
			a.Sketches = append(a.Sketches, kept)
			return nil
		},
		Event: func(_ time.Time, one *payload.Event) error {
			kept := *one
			kept.Tags = slices.Clone(one.Tags)
			a.Events = append(a.Events, kept)
			return nil
		},
		Check: func(_ time.Time, one *payload.ServiceCheck) error {
			kept := *one
			kept.Tags = slices.Clone(one.Tags)
			a.Checks = append(a.Checks, kept)
			return nil
		},
	})
	if err != nil {
		s.t.Error(err)
	}
	return a
}

package loadgen

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// It ends at the first of its limits, and counts exactly what it sent.
func TestCeilingIsBounded(t *testing.T) {
	c := newCorpus(t, plain(1_000))
	for _, test := range []struct {
		why    string
		change func(*CeilingConfig)
		check  func(CeilingResult) bool
	}{
		{"a number that is no multiple of the corpus", func(c *CeilingConfig) { c.Datagrams, c.Over = 2_500, time.Hour },
			func(r CeilingResult) bool { return r.Datagrams == 2_500 && r.Messages == 2_500 }},
		{"a time", func(c *CeilingConfig) { c.Datagrams, c.Over = 1<<40, 5*time.Millisecond },
			func(r CeilingResult) bool { return r.Datagrams > 0 && r.Elapsed >= 5*time.Millisecond }},
		{"beside a reader", func(c *CeilingConfig) { c.Read, c.Datagrams = true, 100 },
			func(r CeilingResult) bool { return r.Datagrams == 100 }},
		{"by single writes", func(c *CeilingConfig) { c.Options.Method, c.Datagrams = Single, 100 },
			func(r CeilingResult) bool { return r.Datagrams == 100 && r.Segmented == 0 }},
		{"through several sockets", func(c *CeilingConfig) { c.Options.Sockets, c.Datagrams = 3, 100 },
			func(r CeilingResult) bool { return r.Datagrams == 100 }},
	} {
		config := DefaultCeiling(c)
		config.Over = time.Minute
		test.change(&config)
		r, err := Ceiling(t.Context(), config)
		if err != nil || !test.check(r) || r.DatagramsPerSecond() <= 0 || r.MessagesPerSecond() <= 0 {
			t.Errorf("%s: %+v, %v", test.why, r, err)
		}
	}
}

func TestCeilingRefuses(t *testing.T) {
	c := newCorpus(t, plain(10))
	for want, change := range map[string]func(*CeilingConfig){
		"want a corpus":    func(c *CeilingConfig) { c.Corpus = nil },
		"Datagrams is 0":   func(c *CeilingConfig) { c.Datagrams = 0 },
		"Over -1ns":        func(c *CeilingConfig) { c.Over = -1 },
		"through the":      func(c *CeilingConfig) { c.Options.Client = DatadogGo },
		"is unknown: want": func(c *CeilingConfig) { c.Options.Method = "pigeon" },
	} {
		config := DefaultCeiling(c)
		change(&config)
		if _, err := Ceiling(t.Context(), config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if r := (CeilingResult{}); r.DatagramsPerSecond() != 0 || r.MessagesPerSecond() != 0 {
		t.Error("a ceiling of nothing")
	}
}

func TestCeilingCanBeCancelled(t *testing.T) {
	cause := errors.New("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	config := DefaultCeiling(newCorpus(t, plain(10)))
	if _, err := Ceiling(ctx, config); !errors.Is(err, cause) {
		t.Errorf("%v, want %v", err, cause)
	}
}

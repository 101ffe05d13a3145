package target

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Await asks ready at once and then every interval, which must be above 0, until
// it returns nil. The context that ready gets ends when the process does, so that
// no probe outlives its target.
//
// The error wraps ErrEnded, with the process's last line, when the process ended
// first; an answer to the probe then came from somebody else. When ctx ended, the
// error wraps its cause and the last that ready said.
func Await(ctx context.Context, p *Process, interval time.Duration, ready func(context.Context) error) error {
	begin := time.Now()
	probing, cancel := context.WithCancel(ctx)
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		select {
		case <-p.done:
			cancel()
		case <-probing.Done():
		}
	}()
	defer func() {
		cancel()
		<-watching
	}()

	again := time.NewTicker(interval)
	defer again.Stop()
	seen := errors.New("nothing")
	for {
		err := ready(probing)
		switch {
		case p.ended():
			return p.endedEarly()
		case err == nil:
			return nil
		case ctx.Err() == nil || !errors.Is(err, ctx.Err()):
			// An error that only echoes the end of ctx would hide the cause.
			seen = err
		}
		select {
		case <-p.done:
			return p.endedEarly()
		case <-ctx.Done():
			return fmt.Errorf("cannot await %s (pid %d), not ready after %v: %w; the last seen was: %w",
				p.name, p.pid, time.Since(begin).Round(time.Millisecond), context.Cause(ctx), seen)
		case <-again.C:
		}
	}
}

func (p *Process) endedEarly() error {
	state, _ := p.State()
	words := "it printed nothing"
	if line := lastLine(p.LastWords()); line != "" {
		words = fmt.Sprintf("its last words: %q", line)
	}
	return fmt.Errorf("cannot await %s (pid %d): %w, %v; %s", p.name, p.pid, ErrEnded, state, words)
}

// lastLine is the last line of text that is not blank, cut to a length that
// still reads well in an error.
func lastLine(text string) string {
	text = strings.TrimSpace(text)
	line := []rune(strings.TrimSpace(text[strings.LastIndexByte(text, '\n')+1:]))
	const most = 200
	if len(line) > most {
		return string(line[:most]) + "…"
	}
	return string(line)
}

package target

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// longGrace is more than any test takes: whatever ends sooner ended for another
// reason.
const longGrace = time.Hour

func TestStopLetsAGentleTargetEnd(t *testing.T) {
	d := direct(t)
	p := launch(t, d.command("gentle"))
	h := d.accept()
	if h.PID != p.PID() {
		t.Errorf("the target is process %d, but PID is %d", h.PID, p.PID())
	}
	if _, ended := p.State(); ended {
		t.Error("a running process has a final state")
	}
	if reason, died := p.Died(); died {
		t.Errorf("a running process died: %s", reason)
	}

	// More than one may want it to stop, at once and later.
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if err := p.Stop(t.Context(), longGrace); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if err := p.Stop(t.Context(), 0); err != nil {
		t.Errorf("stopping what is stopped: %v", err)
	}
	if state := expectDone(t, p); state.String() != "exit status 0" {
		t.Errorf("state %v, want a clean exit", state)
	}
	if reason, died := p.Died(); died {
		t.Errorf("it was asked to end, yet it died: %s", reason)
	}
	if got := p.LastWords(); got != "up\nbye\n" {
		t.Errorf("last words %q", got)
	}
	if got := p.Warnings(); len(got) > 0 {
		t.Errorf("warnings %q", got)
	}
}

func TestStopKillsWhatDoesNotEnd(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	tests := []struct {
		why   string
		ctx   context.Context
		grace time.Duration
		cause error // beside ErrKilled; nil for none
	}{
		{"the grace is over", t.Context(), time.Millisecond, nil},
		{"no grace at all", t.Context(), 0, nil},
		{"the context ends before a long grace", cancelled, longGrace, context.Canceled},
	}
	for _, test := range tests {
		t.Run(test.why, func(t *testing.T) {
			d := direct(t)
			p := launch(t, d.command("stubborn"))
			h := d.accept()
			err := p.Stop(test.ctx, test.grace)
			if !errors.Is(err, ErrKilled) || test.cause != nil && !errors.Is(err, test.cause) {
				t.Errorf("error %v, want ErrKilled and %v", err, test.cause)
			}
			h.expectGone()
			state := expectDone(t, p)
			if state.Signal != syscall.SIGKILL || state.String() != "killed by signal 9" {
				t.Errorf("state %v, want killed by signal 9", state)
			}
			if reason, died := p.Died(); died {
				t.Errorf("we killed it, yet it died: %s", reason)
			}
		})
	}
}

func TestTheContextOfStartEndsTheProcess(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	d := direct(t)
	p, err := Start(ctx, d.command("stubborn"))
	if err != nil {
		t.Fatal(err)
	}
	h := d.accept()
	cancel()
	h.expectGone()
	expectDone(t, p)
	if reason, died := p.Died(); died {
		t.Errorf("interrupted, yet it died: %s", reason)
	}
	if err := p.Stop(t.Context(), longGrace); !errors.Is(err, ErrKilled) || !errors.Is(err, context.Canceled) {
		t.Errorf("Stop afterwards: %v, want ErrKilled because of the context", err)
	}
}

func TestATargetThatDiesSaysHow(t *testing.T) {
	tests := []struct{ order, want, words string }{
		{"fail", "exit status 3", "up\nto one output\nto the other\ncannot go on\n"},
		{"crash", "killed by signal 9", "up\n"},
	}
	for _, test := range tests {
		t.Run(test.order, func(t *testing.T) {
			d := direct(t)
			p := launch(t, d.command("gentle"))
			d.accept().tell(test.order)
			expectDone(t, p)
			if reason, died := p.Died(); !died || reason != test.want {
				t.Errorf("died %v, %q; want %q", died, reason, test.want)
			}
			if got := p.LastWords(); got != test.words {
				t.Errorf("last words %q, want %q", got, test.words)
			}
			if err := p.Stop(t.Context(), longGrace); err != nil {
				t.Errorf("stopping the dead: %v", err)
			}
			if _, died := p.Died(); !died {
				t.Error("Stop came later and must not excuse the death")
			}
		})
	}
}

func TestNoneOfTheGroupIsLeft(t *testing.T) {
	tests := []struct {
		why, part string
		end       func(t *testing.T, p *Process, leader *helper)
	}{
		{"the leader ends gently and forgets its child", "gentle parent", func(t *testing.T, p *Process, _ *helper) {
			if err := p.Stop(t.Context(), longGrace); err != nil {
				t.Error(err)
			}
		}},
		{"the leader has to be killed", "stubborn parent", func(t *testing.T, p *Process, _ *helper) {
			if err := p.Stop(t.Context(), 0); !errors.Is(err, ErrKilled) {
				t.Error(err)
			}
		}},
		{"the leader dies", "gentle parent", func(t *testing.T, p *Process, leader *helper) {
			leader.tell("crash")
			expectDone(t, p)
		}},
	}
	for _, test := range tests {
		t.Run(test.why, func(t *testing.T) {
			d := direct(t)
			p := launch(t, d.command(test.part))
			leader := d.accept()
			child := d.accept()
			child.expectAlive()
			test.end(t, p, leader)
			leader.expectGone()
			child.expectGone()
			expectDone(t, p)
			if got := p.Warnings(); len(got) > 0 {
				t.Errorf("warnings %q", got)
			}
		})
	}
}

func TestWhoLeavesTheGroupDoesNotHoldUsUp(t *testing.T) {
	d := direct(t)
	p := launch(t, d.command("runaway parent"))
	d.accept()
	runaway := d.accept()
	if err := p.Stop(t.Context(), longGrace); err != nil {
		t.Fatal(err)
	}
	if got := p.Warnings(); len(got) != 1 || !strings.Contains(got[0], "left its process group") {
		t.Errorf("warnings %q, want one about what was left", got)
	}
	runaway.expectAlive() // or this test would show nothing
	runaway.conn.Close()
}

func TestTheEnvironmentIsExactlyWhatWasGiven(t *testing.T) {
	t.Setenv("FLOODGATE_TEST_SHELL_VARIABLE", "must not be seen")
	for _, env := range [][]string{nil, {}, {"B=2", "A=", "C=x=y"}} {
		d := direct(t)
		c := d.command("gentle")
		c.Env = env
		launch(t, c)
		h := d.accept()
		if len(h.Environ) != len(env) || len(env) > 0 && !slices.Equal(h.Environ, env) {
			t.Errorf("given %q, the target has %q", env, h.Environ)
		}
	}
}

func TestFolderAndLog(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	d := direct(t)
	c := d.command("gentle")
	c.Dir, c.Log = dir, "target.log"
	p := launch(t, c)
	h := d.accept()
	if h.Dir != dir {
		t.Errorf("it works in %s, want %s", h.Dir, dir)
	}
	h.tell("talk")
	h.answer()
	if err := p.Stop(t.Context(), longGrace); err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(filepath.Join(dir, "target.log"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(log), "up\nline 0\n") || !strings.HasSuffix(string(log), "line 9999\nbye\n") {
		t.Errorf("log of %d bytes, from %.20q: want all that was printed", len(log), log)
	}
	words := p.LastWords()
	if len(words) > lastWordsSize || !strings.HasPrefix(words, "line ") || !strings.HasSuffix(string(log), words) {
		t.Errorf("last words of %d bytes, from %.20q: want whole lines from the end of the log", len(words), words)
	}
}

func TestStateHasTheCPUTime(t *testing.T) {
	d := direct(t)
	p := launch(t, d.command("gentle"))
	d.accept().tell("burn")
	if state := expectDone(t, p); state.CPU <= 0 || state.Code != 0 {
		t.Errorf("state %+v, want CPU time and a clean exit", state)
	}
}

func TestStartNamesWhatIsWrong(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "nothing")
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, []byte("no program"), 0o644); err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	tests := []struct {
		why     string
		ctx     context.Context
		command Command
		want    string
	}{
		{"no path", t.Context(), Command{}, "no path is given"},
		{"no such file", t.Context(), Command{Path: missing}, "cannot start nothing: "},
		{"no program", t.Context(), Command{Path: plain}, "permission denied"},
		{"no such folder", t.Context(), Command{Path: executable(t), Dir: missing}, "no such file"},
		{"no place for the log", t.Context(), Command{Path: executable(t), Log: filepath.Join(missing, "log")}, "log"},
		{"a bad variable", t.Context(), Command{Path: executable(t), Env: []string{"A"}}, `"A" is no variable: want NAME=value`},
		{"a zero byte", t.Context(), Command{Path: executable(t), Args: []string{"a\x00b"}}, "zero byte"},
		{"it is over already", over, Command{Path: executable(t)}, "context canceled"},
	}
	for _, test := range tests {
		p, err := Start(test.ctx, test.command)
		if err == nil {
			p.Stop(t.Context(), 0)
			t.Errorf("%s: no error", test.why)
			continue
		}
		if !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %q, want one line with %q", test.why, err, test.want)
		}
	}
}

func TestATargetThatIsAwaited(t *testing.T) {
	notYet := errors.New("connection refused")
	d := direct(t)
	p := launch(t, d.command("gentle"))
	h := d.accept()

	calls := 0
	err := Await(t.Context(), p, time.Millisecond, func(context.Context) error {
		if calls++; calls < 3 {
			return notYet
		}
		return nil
	})
	if err != nil || calls != 3 {
		t.Errorf("%v after %d calls, want ready at the third", err, calls)
	}

	ctx, cancel := context.WithCancel(t.Context())
	calls = 0
	err = Await(ctx, p, time.Millisecond, func(ctx context.Context) error {
		if calls++; calls == 2 {
			cancel()
			return ctx.Err() // says nothing new
		}
		return notYet
	})
	if !errors.Is(err, context.Canceled) || !errors.Is(err, notYet) {
		t.Errorf("error %v, want the context's end and what was seen last", err)
	}

	// The probe hangs until the process dies under it.
	err = Await(t.Context(), p, time.Millisecond, func(ctx context.Context) error {
		h.tell("fail")
		<-ctx.Done()
		return ctx.Err()
	})
	want := []string{"it ended, exit status 3", `its last words: "cannot go on"`}
	for _, want := range want {
		if !errors.Is(err, ErrEnded) || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want ErrEnded with %q", err, want)
		}
	}

	err = Await(t.Context(), p, time.Millisecond, func(context.Context) error { return nil })
	if !errors.Is(err, ErrEnded) {
		t.Errorf("error %v: whoever answers, it is not the target", err)
	}
}

func TestLastLine(t *testing.T) {
	got := []string{lastLine(""), lastLine(" \n\n"), lastLine("a\nb\n\n  "), lastLine(strings.Repeat("ä", 300))}
	want := []string{"", "", "b", strings.Repeat("ä", 200) + "…"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

package target

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// groupGrace is how long killed members of a group, and output that is still in
// the pipe, are waited for once the target itself is dead.
const groupGrace = time.Second

// Process is a target that was started. All methods may be called from any
// goroutine, at any time.
type Process struct {
	name   string
	pid    int
	cpus   []int
	group  *Cgroup // nil where nothing but CPUs is limited
	output *output
	done   chan struct{}
	stop   syscall.Signal // that asks it to end

	mu       sync.Mutex
	reaped   bool  // the pid is free: it must not be signalled any more
	asked    bool  // it was asked to end, so its end is no accident
	killed   error // why it had to be killed; nil if it had not
	state    State // valid when done is closed
	usage    Usage // of its group, valid when counted
	counted  bool  // the group's last word was taken; it may be gone
	warnings []string
}

// State is how a process ended.
type State struct {
	// Code is the exit status, -1 if a signal ended the process.
	Code   int
	Signal syscall.Signal // that ended it, or 0
	// CPU is the user and system time of the process, and of those of its
	// children that it waited for.
	//
	// There is no peak of memory here, although rusage has one: the kernel
	// carries the starter's own peak into it. Ask for it while the process lives.
	CPU time.Duration
	// OutOfMemory is the limit in bytes for which the kernel killed it; 0 where it
	// did not.
	OutOfMemory int64
	err         error // it could not be found out
}

// String is "exit status 3" or "killed by signal 9", or says that the kernel
// killed it for its limit of memory.
func (s State) String() string {
	switch {
	case s.err != nil:
		return "ended in an unknown way: " + s.err.Error()
	case s.OutOfMemory > 0:
		return fmt.Sprintf("killed by the kernel: it needed more than its limit of %d bytes of memory", s.OutOfMemory)
	case s.Signal != 0:
		return fmt.Sprintf("killed by signal %d", int(s.Signal))
	}
	return fmt.Sprintf("exit status %d", s.Code)
}

// Start starts c as the leader of a process group of its own, so that a
// terminal's interrupt does not reach it. Its input is empty. The process lives
// until it ends by itself, is stopped, or ctx ends, which kills it with its
// group at once; it also dies with the harness, however that ends (Linux), but
// children of its own do not. The caller must see to it that the process ends,
// and should wait for Done.
func Start(ctx context.Context, c Command) (*Process, error) {
	name := filepath.Base(c.Path)
	p, err := start(ctx, c, name)
	if err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", name, errors.Join(err, c.Cgroup.Close()))
	}
	return p, nil
}

func start(ctx context.Context, c Command, name string) (*Process, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	path, err := filepath.Abs(c.Path)
	if err != nil {
		return nil, err
	}
	c.Path = path
	input, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer input.Close()
	out, writer, err := openOutput(c.logPath())
	if err != nil {
		return nil, err
	}

	p := &Process{name: name, output: out, group: c.Cgroup, done: make(chan struct{}), stop: c.Stop}
	if p.stop == 0 {
		p.stop = syscall.SIGTERM
	}
	started := make(chan error)
	go p.live(ctx, c, []*os.File{input, writer, writer}, started)
	err = <-started
	writer.Close()
	if err != nil {
		out.close()
		return nil, err
	}
	return p, nil
}

// live starts the process, reports on started, and stays until all of it is
// over.
//
// It keeps one OS thread for itself. The death signal that the kernel is asked
// for comes when the thread that forked ends, not its process, and Go ends
// threads as it likes; and the affinity that the child inherits is that thread's
// too.
func (p *Process) live(ctx context.Context, c Command, files []*os.File, started chan<- error) {
	runtime.LockOSThread()
	free, err := confine(c.CPUs)
	if err != nil {
		p.warn(fmt.Sprintf("cannot confine %s to CPUs %v, it runs on any: %v", p.name, c.CPUs, err))
	} else {
		p.cpus = slices.Clone(c.CPUs)
	}
	env := c.Env
	if env == nil {
		env = []string{} // nil would mean the harness's own
	}
	sys := attributes()
	leave, err := c.Cgroup.enter(sys)
	var child *os.Process
	if err == nil {
		child, err = os.StartProcess(c.Path, append([]string{c.Path}, c.Args...), &os.ProcAttr{
			Dir: c.Dir, Env: env, Files: files, Sys: sys,
		})
	}
	if left, freed := leave(), free(); left == nil && freed == nil {
		// A thread that stays confined is not given back: it ends with this
		// goroutine.
		defer runtime.UnlockOSThread()
	}
	if err != nil {
		started <- err
		return
	}
	p.pid = child.Pid
	started <- nil
	go p.output.drain()
	unwatch := context.AfterFunc(ctx, func() { p.kill(context.Cause(ctx)) })
	defer unwatch()

	result, err := p.collect(child)
	state := State{Code: -1, err: err}
	if err == nil {
		state = stateOf(result)
	}
	p.awaitGroup()
	p.mu.Lock()
	p.usage, p.counted = p.group.usage(), true
	p.mu.Unlock()
	if kills := p.usage.OOMKills; kills != nil && *kills > 0 && state.Signal == syscall.SIGKILL {
		state.OutOfMemory = p.group.Applied().MemoryMax
	}
	if err := p.group.Close(); err != nil {
		p.warn(err.Error())
	}
	if !p.output.finish(groupGrace) {
		p.warn("something that " + p.name + " started has left its process group and still holds its output")
	}
	p.mu.Lock()
	p.state = state
	p.mu.Unlock()
	close(p.done)
}

func stateOf(result *os.ProcessState) State {
	s := State{Code: result.ExitCode(), CPU: result.UserTime() + result.SystemTime()}
	if status, ok := result.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		s.Signal = status.Signal()
	}
	return s
}

// awaitGroup waits until no process of the group lives: one that was killed holds
// its ports for a moment longer.
func (p *Process) awaitGroup() {
	limit := time.NewTimer(groupGrace)
	defer limit.Stop()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for groupLives(p.pid) {
		select {
		case <-again.C:
		case <-limit.C:
			p.warn(fmt.Sprintf("processes that %s started still live %v after they were killed", p.name, groupGrace))
			return
		}
	}
}

// Stop asks the process to end with its command's signal, waits for it up to grace, and then
// kills its group with SIGKILL; when ctx ends, it does so at once. It returns
// when the process is reaped and no other of its group is left. Its error wraps
// ErrKilled when the process did not end by itself, and is nil otherwise; that it
// had ended before is told by Died.
//
// Only the leader is asked, and what is left of its group is killed once it has
// ended: a server's own workers must not be ended under its feet while it
// empties its queues. Stop may be called more than once, also at the same time.
func (p *Process) Stop(ctx context.Context, grace time.Duration) error {
	p.terminate()
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-ctx.Done():
		p.kill(context.Cause(ctx))
	case <-timer.C:
		p.kill(fmt.Errorf("it still ran %v after %s", grace, unix.SignalName(p.stop)))
	}
	<-p.done

	p.mu.Lock()
	defer p.mu.Unlock()
	if p.killed != nil {
		return fmt.Errorf("cannot stop %s (pid %d) gently, %w: %w", p.name, p.pid, ErrKilled, p.killed)
	}
	return nil
}

// ask notes that the process was asked to end and reports whether there is
// anything left to signal. A process that is dead already, and only not yet
// reaped, died unasked. The caller holds p.mu.
func (p *Process) ask() bool {
	if p.reaped || exited(p.pid) {
		return false
	}
	p.asked = true
	return true
}

func (p *Process) terminate() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.asked && p.ask() {
		syscall.Kill(p.pid, p.stop)
	}
}

// kill ends the whole group, for the reason given.
func (p *Process) kill(reason error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.killed == nil && p.ask() {
		p.killed = reason
		killGroup(p.pid)
	}
}

// killGroup ends all members of the group. That there is none left is no error,
// and nothing could be done about any other.
func killGroup(pid int) { syscall.Kill(-pid, syscall.SIGKILL) }

func (p *Process) warn(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.warnings = append(p.warnings, text)
}

// PID is the process's number. It may belong to another process once Done is
// closed.
func (p *Process) PID() int { return p.pid }

// CPUs are the cores that the process is confined to; nil when it runs free,
// whether or not that was wished.
func (p *Process) CPUs() []int { return slices.Clone(p.cpus) }

// Limits are what the process's control group keeps it within.
func (p *Process) Limits() Applied { return p.group.Applied() }

// Usage is what the process's control group counted: until now, or until its end.
func (p *Process) Usage() Usage {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.counted {
		return p.group.usage()
	}
	return p.usage
}

// Done is closed when the process has ended, its group with it, and its output
// is complete.
func (p *Process) Done() <-chan struct{} { return p.done }

// ended reports whether all is over.
func (p *Process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// State returns how the process ended; false while it has not.
func (p *Process) State() (State, bool) {
	if !p.ended() {
		return State{}, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state, true
}

// Died reports that the process ended without being asked to, and how: "exit
// status 3", "killed by signal 9". It is false while the process runs.
func (p *Process) Died() (reason string, died bool) {
	state, ended := p.State()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !ended || p.asked {
		return "", false
	}
	return state.String(), true
}

// LastWords is the end of what the process has printed so far, on either
// output, in whole lines if possible: 8 KiB at most.
func (p *Process) LastWords() string { return p.output.lastWords() }

// Warnings are doubts about the process: that it could not be confined, that its
// log is not complete, that something it started got away. They are complete
// once Done is closed.
func (p *Process) Warnings() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append(slices.Clone(p.warnings), p.output.warnings()...)
}

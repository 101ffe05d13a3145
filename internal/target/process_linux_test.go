package target

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func allowed(t *testing.T) []int {
	t.Helper()
	cpus, err := AllowedCPUs()
	if err != nil {
		t.Fatal(err)
	}
	return cpus
}

func TestAffinityHoldsFromTheFirstInstruction(t *testing.T) {
	all := allowed(t)
	for _, cpu := range all {
		d := direct(t)
		c := d.command("gentle")
		c.CPUs = []int{cpu}
		p := launch(t, c)
		h := d.accept()
		// The runtime counts its CPUs before anything else runs.
		if !slices.Equal(h.CPUs, c.CPUs) || h.NumCPU != 1 {
			t.Errorf("confined to %v, the target has %v and counted %d", c.CPUs, h.CPUs, h.NumCPU)
		}
		if !slices.Equal(p.CPUs(), c.CPUs) || len(p.Warnings()) > 0 {
			t.Errorf("CPUs %v, warnings %q", p.CPUs(), p.Warnings())
		}
	}
	for _, id := range threads(t) {
		var set unix.CPUSet
		if err := unix.SchedGetaffinity(id, &set); err != nil {
			continue // ended meanwhile
		}
		if got := numbers(&set); !slices.Equal(got, all) {
			t.Errorf("thread %d of the harness is confined to %v", id, got)
		}
	}
}

func threads(t *testing.T) []int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	var ids []int
	for _, entry := range entries {
		id, err := strconv.Atoi(entry.Name())
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids
}

func TestAffinityThatIsNotPossibleIsAWarning(t *testing.T) {
	all := allowed(t)
	if slices.Contains(all, maxCPU) {
		t.Skipf("this host has a CPU %d", maxCPU)
	}
	tests := []struct {
		why  string
		cpus []int
	}{
		{"no such CPU", []int{maxCPU}},
		{"one of them does not exist: the kernel would confine it to the other", []int{all[0], maxCPU}},
		{"beyond what can be asked for", []int{maxCPU + 1}},
		{"no number of a CPU", []int{-1}},
	}
	for _, test := range tests {
		d := direct(t)
		c := d.command("gentle")
		c.CPUs = test.cpus
		p := launch(t, c)
		h := d.accept()
		warnings := p.Warnings()
		if len(warnings) != 1 || !strings.Contains(warnings[0], fmt.Sprint(test.cpus)) {
			t.Errorf("%s: warnings %q, want one that names %v", test.why, warnings, test.cpus)
		}
		if p.CPUs() != nil || !slices.Equal(h.CPUs, all) {
			t.Errorf("%s: CPUs %v, and the target has %v; want it free", test.why, p.CPUs(), h.CPUs)
		}
	}
}

func TestATargetDiesWithItsHarness(t *testing.T) {
	d := direct(t)
	harness := exec.Command(executable(t), "helper", "harness", d.listener.Addr().String())
	if err := harness.Start(); err != nil {
		t.Fatal(err)
	}
	d.accept()
	target := d.accept()
	target.expectAlive()
	if err := harness.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	harness.Wait()
	target.expectGone()
}

// The death signal belongs to the thread that forked. Were that the caller's, or
// one that Go may use for something else, a target would die at some random later
// moment. So threads are made to end here, the caller's among them.
func TestATargetOutlivesTheThreadsOfItsHarness(t *testing.T) {
	d := direct(t)
	var ended []int
	var mu sync.Mutex
	onItsOwnThread := func(f func()) {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		f()
		mu.Lock()
		defer mu.Unlock()
		ended = append(ended, unix.Gettid())
	}
	var targets []*Process
	var group sync.WaitGroup
	for range 5 {
		group.Go(func() {
			onItsOwnThread(func() { targets = append(targets, launch(t, d.command("stubborn"))) })
		})
		group.Wait()
	}
	helpers := make([]*helper, len(targets))
	for i := range helpers {
		helpers[i] = d.accept()
	}
	for range 100 {
		group.Go(func() { onItsOwnThread(func() {}) })
	}
	group.Wait()

	gone := func() bool {
		left := threads(t)
		return !slices.ContainsFunc(ended, func(id int) bool {
			// Go parks the main thread instead of ending it.
			return id != os.Getpid() && slices.Contains(left, id)
		})
	}
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(patience); !gone(); <-again.C {
		if time.Now().After(deadline) {
			t.Fatal("the threads do not end")
		}
	}
	for _, h := range helpers {
		h.expectAlive()
	}
}

// Between the death of a target and its reaping, Stop must neither take the
// death for its own doing nor signal anybody.
func TestStopDoesNotExcuseAnUnreapedDeath(t *testing.T) {
	d := direct(t)
	p := launch(t, d.command("gentle"))
	h := d.accept()
	p.mu.Lock() // keeps it from being reaped
	h.tell("crash")
	h.expectGone()
	for {
		err := unix.Waitid(unix.P_PID, p.pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err == nil {
			break
		}
		if err != unix.EINTR {
			t.Error(err)
			break
		}
	}
	if p.ask() {
		t.Error("the dead was asked to end")
	}
	p.mu.Unlock()
	if err := p.Stop(t.Context(), longGrace); err != nil {
		t.Error(err)
	}
	if reason, died := p.Died(); !died || reason != "killed by signal 9" {
		t.Errorf("died %v, %q", died, reason)
	}
}

func TestNothingStaysOpen(t *testing.T) {
	open := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(entries)
	}
	attempt := func(path string) {
		p, err := Start(t.Context(), Command{Path: path, Args: []string{"-test.run=^$"}, Log: "log", Dir: t.TempDir()})
		if err == nil {
			expectDone(t, p)
		}
	}
	attempt(executable(t)) // what the runtime opens for itself
	before := open()
	for range 3 {
		attempt(executable(t))
		attempt("/nonexistent")
	}
	if after := open(); after != before {
		t.Errorf("%d files open before, %d after", before, after)
	}
}

// An output that nobody reads would stop the target when the pipe is full.
func TestALogThatCannotGrowDoesNotStopTheOutput(t *testing.T) {
	const full = "/dev/full"
	if _, err := os.Stat(full); err != nil {
		t.Skip("there is no " + full)
	}
	d := direct(t)
	c := d.command("gentle")
	c.Log = full
	p := launch(t, c)
	h := d.accept()
	h.tell("talk")
	if got := h.answer(); got != "done" {
		t.Errorf("the target says %q", got)
	}
	if err := p.Stop(t.Context(), longGrace); err != nil {
		t.Error(err)
	}
	if got := p.Warnings(); len(got) != 1 || !strings.Contains(got[0], "no space left") {
		t.Errorf("warnings %q", got)
	}
	if !strings.HasSuffix(p.LastWords(), "line 9999\nbye\n") {
		t.Error("the last words are not complete")
	}
}

func TestTheLogIsBounded(t *testing.T) {
	path := t.TempDir() + "/log"
	o, writer, err := openOutput(path)
	if err != nil {
		t.Fatal(err)
	}
	writer.Close()
	chunk := bytes.Repeat([]byte("x"), logSize-10)
	o.take(chunk)
	if got := o.warnings(); len(got) > 0 {
		t.Errorf("warnings %q before the end", got)
	}
	o.take(chunk[:11])
	o.take(chunk[:11])
	o.close()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() != logSize || len(o.warnings()) != 1 {
		t.Errorf("%d bytes and warnings %q, want %d and one", info.Size(), o.warnings(), logSize)
	}
}

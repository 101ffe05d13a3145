package target

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// group makes a group that keeps to l, or skips the test where that is not
// permitted.
func group(t *testing.T, l Limits) *Cgroup {
	t.Helper()
	g, err := NewCgroup(l)
	t.Cleanup(func() { g.Close() })
	if err != nil {
		t.Skipf("control groups cannot do that here: %v", err)
	}
	return g
}

// quota makes one that limits CPU time.
func quota(t *testing.T, cpus float64) *Cgroup {
	t.Helper()
	return group(t, Limits{CPUs: cpus, Period: 10 * time.Millisecond})
}

func expectRemoved(t *testing.T, g *Cgroup) {
	t.Helper()
	for _, p := range g.parts {
		if _, err := os.Stat(p.dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the group %s is still there: %v", p.dir, err)
		}
	}
}

// TestQuotaHolds: a target that would use all of a CPU gets its fifth of one. The
// bounds are wide, because both clocks tick coarsely; without the quota, the
// share is near 1 on an idle machine, and what bounds it on a busy one is not
// the quota, so the throttling must be seen as well.
func TestQuotaHolds(t *testing.T) {
	g := quota(t, 0.2)
	d := direct(t)
	c := d.command("gentle")
	c.Cgroup = g
	p := launch(t, c)
	h := d.accept()
	if got := p.Limits(); got.CPUMax != "2000 10000" || got.CPUs != 0.2 {
		t.Errorf("limits %+v", got)
	}
	start := time.Now()
	h.tell("burn")
	state := expectDone(t, p)
	share := state.CPU.Seconds() / time.Since(start).Seconds()
	if share > 0.4 {
		t.Errorf("the target used %.2f of a CPU (%v), with a quota of 0.2", share, state.CPU)
	}
	if u := p.Usage(); u.ThrottledPeriods == nil || *u.ThrottledPeriods == 0 || u.Throttled == nil || *u.Throttled == 0 {
		t.Errorf("it was never throttled: %+v", u)
	}
	if w := p.Warnings(); len(w) > 0 {
		t.Errorf("warnings %q", w)
	}
	expectRemoved(t, g)
}

// TestMemoryLimitKills: a target that needs more than it may has died, and says
// why.
func TestMemoryLimitKills(t *testing.T) {
	for _, l := range []Limits{{Memory: 64 << 20}, {Memory: 64 << 20, CPUs: 0.9, Period: 10 * time.Millisecond}} {
		g := group(t, l)
		d := direct(t)
		c := d.command("gentle")
		c.Cgroup = g
		p := launch(t, c)
		h := d.accept()
		if got := p.Limits(); got.MemoryMax != 64<<20 || got.CPUs != l.CPUs {
			t.Errorf("limits %+v, want %+v", got, l)
		}
		h.tell("hog")
		expectDone(t, p)
		if reason, died := p.Died(); !died || !strings.Contains(reason, "its limit of 67108864 bytes") {
			t.Errorf("died: %v, %q", died, reason)
		}
		if u := p.Usage(); u.OOMKills == nil || *u.OOMKills != 1 {
			t.Errorf("killed %+v", u)
		}
		expectRemoved(t, g)
	}
}

// TestTheHarnessStaysOutside: the thread that starts a process in the group is
// itself not limited.
func TestTheHarnessStaysOutside(t *testing.T) {
	g := group(t, Limits{CPUs: 0.5, Period: 10 * time.Millisecond, Memory: 64 << 20})
	d := direct(t)
	c := d.command("gentle")
	c.Cgroup = g
	p := launch(t, c)
	d.accept()
	for _, part := range g.parts {
		members, err := words(filepath.Join(part.dir, "cgroup.procs"))
		if err != nil || !slices.Equal(members, []string{strconv.Itoa(p.PID())}) {
			t.Errorf("in %s: %v, %v; want the target %d alone", part.dir, members, err, p.PID())
		}
		if part.tree.version == 2 {
			continue
		}
		tasks, err := words(filepath.Join(part.dir, "tasks"))
		for _, id := range threads(t) {
			if err != nil || slices.Contains(tasks, strconv.Itoa(id)) {
				t.Errorf("thread %d of the harness is in %s: %v", id, part.dir, err)
			}
		}
	}
}

// TestGroupIsRemoved: however the target ends.
func TestGroupIsRemoved(t *testing.T) {
	for _, order := range []string{"crash", "fail"} {
		g := quota(t, 0.5)
		d := direct(t)
		c := d.command("gentle")
		c.Cgroup = g
		p := launch(t, c)
		d.accept().tell(order)
		expectDone(t, p)
		expectRemoved(t, g)
	}
	t.Run("with what it started", func(t *testing.T) {
		g := quota(t, 0.5)
		d := direct(t)
		c := d.command("runaway parent")
		c.Cgroup = g
		p := launch(t, c)
		d.accept()
		grandchild := d.accept() // in a group of processes, and a session, of its own
		p.Stop(t.Context(), 0)
		grandchild.expectGone()
		expectRemoved(t, g)
	})
	t.Run("that did not start", func(t *testing.T) {
		g := quota(t, 0.5)
		if _, err := Start(t.Context(), Command{Path: filepath.Join(t.TempDir(), "nothing"), Cgroup: g}); err == nil {
			t.Error("a file that is not there started")
		}
		expectRemoved(t, g)
	})
}

// TestBornInsideV2 starts a process in a plain group of v2, which needs none of
// the controllers that may not be there.
func TestBornInsideV2(t *testing.T) {
	unified, err := treeOf(2, "")
	if err != nil {
		t.Skipf("no cgroup v2 here: %v", err)
	}
	plain, err := makePart(unified, unified.own, Limits{})
	if err != nil {
		t.Skipf("no group can be made: %v", err)
	}
	g := newGroup(plain)
	d := direct(t)
	c := d.command("gentle")
	c.Cgroup = g
	p := launch(t, c)
	d.accept()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(p.PID()) + "/cgroup")
	if err != nil || !strings.Contains(string(text), "/"+filepath.Base(plain.dir)+"\n") {
		t.Errorf("the target lives in %q: %v", text, err)
	}
	if got := p.Limits(); got != (Applied{Version: 2}) {
		t.Errorf("limits %+v of a group without any", got)
	}
	p.Stop(t.Context(), patience)
	expectRemoved(t, g)
}

// TestSweep: what a killed harness left behind goes, and nothing else.
func TestSweep(t *testing.T) {
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Skip(err)
	}
	gone := strconv.Itoa(dead.Process.Pid)
	if !errors.Is(unix.Kill(dead.Process.Pid, 0), unix.ESRCH) {
		t.Skip("the number of a dead process was given away again")
	}
	parent := t.TempDir()
	old := time.Now().Add(-time.Hour)
	for _, dir := range []struct {
		name  string
		age   time.Time
		stays bool
	}{
		{prefix + gone + "-1", old, false},
		{prefix + gone + "-2", time.Now(), true}, // its maker may be in another container
		{prefix + strconv.Itoa(os.Getpid()) + "-1", old, true},
		{"session-" + gone, old, true}, // somebody else's
		{prefix + "x", old, true},
	} {
		path := filepath.Join(parent, dir.name)
		if err := os.Mkdir(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, dir.age, dir.age); err != nil {
			t.Fatal(err)
		}
		sweep(tree{rmdir: os.Remove}, parent)
		if _, err := os.Stat(path); (err == nil) != dir.stays {
			t.Errorf("%s: %v", dir.name, err)
		}
	}
}

// TestOffers: which groups give their children what is needed.
func TestOffers(t *testing.T) {
	for _, test := range []struct {
		why, has, gives string
		enable, ok      bool
		written         string
	}{
		{"all is given", "cpu memory", "cpu memory", false, true, "cpu memory"},
		{"it could be given, by its owner", "cpu memory", "cpu", false, false, "cpu"},
		{"it is given now", "cpu memory", "cpu", true, true, "+memory"},
		{"it is not there", "hugetlb", "", true, false, ""},
	} {
		dir := t.TempDir()
		for name, text := range map[string]string{"cgroup.controllers": test.has, "cgroup.subtree_control": test.gives} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := offers(dir, []string{"cpu", "memory"}, test.enable); (err == nil) != test.ok {
			t.Errorf("%s: %v", test.why, err)
		}
		// A plain file keeps the rest of a longer text; none here is longer.
		text, _ := os.ReadFile(filepath.Join(dir, "cgroup.subtree_control"))
		if got := string(text); got != test.written {
			t.Errorf("%s: %q was written, want %q", test.why, got, test.written)
		}
	}
}

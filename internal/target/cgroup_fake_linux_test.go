package target

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// fakeTree is a tree in a folder, with own and the groups above it as they stand
// below it. As the kernel does, it gives a new group the files, and takes them away
// with it, unless somebody lives there.
func fakeTree(t *testing.T, version int, own string, files ...string) tree {
	t.Helper()
	top := t.TempDir()
	return tree{version: version, own: filepath.Join(top, own), top: top,
		mkdir: func(dir string) error {
			err := os.Mkdir(dir, 0o755)
			for _, name := range files {
				err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
			}
			return err
		},
		rmdir: func(dir string) error {
			members, err := words(filepath.Join(dir, "cgroup.procs"))
			if err != nil {
				return err
			}
			for _, member := range members {
				if pid, err := strconv.Atoi(member); err == nil && unix.Kill(pid, 0) == nil {
					return unix.EBUSY
				}
			}
			return os.RemoveAll(dir)
		}}
}

// v2Files are those of a group that can limit CPU time and memory.
var v2Files = []string{"cgroup.procs", "cpu.max", "cpu.stat", "memory.max", "memory.swap.max", "memory.oom.group", "memory.events"}

// has makes a group of the tree, below which others can be made.
func (tr tree) has(t *testing.T, group, controllers, given string) {
	t.Helper()
	dir := filepath.Join(tr.top, group)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"cgroup.controllers": controllers, "cgroup.subtree_control": given, "cgroup.procs": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// written are the files below a folder that hold anything, without the number in
// the name of a group of ours.
func written(t *testing.T, top string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if name := filepath.Base(path); len(text) > 0 && name != "cgroup.controllers" {
			below, _ := filepath.Rel(top, filepath.Dir(path))
			if strings.HasPrefix(filepath.Base(below), prefix) {
				below = filepath.Join(filepath.Dir(below), "GROUP")
			}
			found[filepath.Join(below, name)] = string(text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestV2 says where a group comes to lie and what is written to which of its
// files; and that what could not be finished is taken back.
func TestV2(t *testing.T) {
	both := Limits{CPUs: 0.25, Period: 100 * time.Millisecond, Memory: 64 << 20}
	type files map[string]string
	for _, c := range []struct {
		why     string
		limits  Limits
		groups  [][3]string // with their controllers, and those they give to their children
		lacks   string      // a file that the kernel does not give a group
		want    files
		applied Applied
		fault   string
	}{
		{why: "its own group gives what is needed", limits: both, groups: [][3]string{{"", "cpu memory", "cpu memory"}, {"mine", "cpu memory", "cpu memory"}},
			want: files{"cgroup.subtree_control": "cpu memory", "mine/cgroup.subtree_control": "cpu memory", "mine/GROUP/cpu.max": "25000 100000",
				"mine/GROUP/memory.max": "67108864", "mine/GROUP/memory.swap.max": "0", "mine/GROUP/memory.oom.group": "1"},
			applied: Applied{Version: 2, CPUMax: "25000 100000", CPUs: 0.25, MemoryMax: 64 << 20}},
		{why: "its own group is told to give it", limits: Limits{Memory: 64 << 20}, groups: [][3]string{{"", "", ""}, {"mine", "cpu memory", ""}},
			want: files{"mine/cgroup.subtree_control": "+memory", "mine/GROUP/memory.max": "67108864", "mine/GROUP/memory.swap.max": "0",
				"mine/GROUP/memory.oom.group": "1"},
			applied: Applied{Version: 2, MemoryMax: 64 << 20}},
		{why: "a group above gives it, and is not changed", limits: both, groups: [][3]string{{"", "cpu memory", "cpu memory"}, {"mine", "", ""}},
			want: files{"cgroup.subtree_control": "cpu memory", "GROUP/cpu.max": "25000 100000", "GROUP/memory.max": "67108864",
				"GROUP/memory.swap.max": "0", "GROUP/memory.oom.group": "1"},
			applied: Applied{Version: 2, CPUMax: "25000 100000", CPUs: 0.25, MemoryMax: 64 << 20}},
		{why: "a kernel without swap", limits: Limits{Memory: 64 << 20}, groups: [][3]string{{"", "", ""}, {"mine", "memory", "memory"}}, lacks: "memory.swap.max",
			want:    files{"mine/cgroup.subtree_control": "memory", "mine/GROUP/memory.max": "67108864", "mine/GROUP/memory.oom.group": "1"},
			applied: Applied{Version: 2, MemoryMax: 64 << 20}},
		{why: "nobody has the controller", limits: both, groups: [][3]string{{"", "cpu", "cpu"}, {"mine", "cpu", "cpu"}},
			want: files{"cgroup.subtree_control": "cpu", "mine/cgroup.subtree_control": "cpu"}, fault: "has no memory controller"},
		{why: "a group above has it, and does not give it", limits: both, groups: [][3]string{{"", "cpu memory", "cpu"}, {"mine", "cpu", "cpu"}},
			want: files{"cgroup.subtree_control": "cpu", "mine/cgroup.subtree_control": "cpu"}, fault: "has no memory controller"},
		{why: "it cannot be limited after all: no group is left", limits: both, groups: [][3]string{{"", "", ""}, {"mine", "cpu memory", "cpu memory"}}, lacks: "memory.max",
			want: files{"mine/cgroup.subtree_control": "cpu memory"}, fault: "memory.max: no such file"},
	} {
		tr := fakeTree(t, 2, "mine", slices.DeleteFunc(slices.Clone(v2Files), func(name string) bool { return name == c.lacks })...)
		for _, g := range c.groups {
			tr.has(t, g[0], g[1], g[2])
		}
		g, err := newV2(tr, c.limits)
		if diff := cmp.Diff(c.want, files(written(t, tr.top))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.why, diff)
		}
		if c.fault != "" {
			if err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("%s: %v, want %q", c.why, err, c.fault)
			}
			continue
		}
		if err != nil || g.Applied() != c.applied {
			t.Errorf("%s: %+v, %v; want %+v", c.why, g.Applied(), err, c.applied)
			continue
		}
		if err := g.Close(); err != nil {
			t.Errorf("%s: %v", c.why, err)
		}
		expectRemoved(t, g)
	}
}

// TestV2Life: a process is to be born in the folder of the group, its counters are
// read back, and whoever still lives there when it is closed is killed.
func TestV2Life(t *testing.T) {
	tr := fakeTree(t, 2, "mine", v2Files...)
	tr.has(t, "mine", "cpu memory", "cpu memory")
	g, err := newV2(tr, Limits{CPUs: 0.5, Period: 100 * time.Millisecond, Memory: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	var attr syscall.SysProcAttr
	leave, err := g.enter(&attr)
	if err != nil || !attr.UseCgroupFD {
		t.Fatalf("%v: %+v", err, attr)
	}
	var given, folder unix.Stat_t
	if err := errors.Join(unix.Fstat(attr.CgroupFD, &given), unix.Stat(g.parts[0].dir, &folder)); err != nil || given.Ino != folder.Ino || given.Dev != folder.Dev {
		t.Errorf("a process would be born elsewhere than in %s: %v", g.parts[0].dir, err)
	}
	if err := leave(); err != nil || unix.Fstat(attr.CgroupFD, &given) == nil {
		t.Errorf("the folder is still open: %v", err)
	}

	d := direct(t)
	p := launch(t, d.command("stubborn"))
	d.accept()
	for name, text := range map[string]string{
		"cgroup.procs":  fmt.Sprintf("%d\n%d\n", p.PID(), os.Getpid()), // it must not kill itself
		"cpu.stat":      "usage_usec 9\nnr_periods 10\nnr_throttled 4\nthrottled_usec 2500\n",
		"memory.events": "low 0\nhigh 0\nmax 12\noom 1\noom_kill 1\n",
	} {
		if err := os.WriteFile(filepath.Join(g.parts[0].dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	u := g.usage()
	if u.OOMKills == nil || *u.OOMKills != 1 || u.ThrottledPeriods == nil || *u.ThrottledPeriods != 4 || u.Throttled == nil || *u.Throttled != 2500*time.Microsecond {
		t.Errorf("usage %+v", u)
	}
	// The test itself lives there too, and keeps the group from going: what cannot
	// be removed is told.
	if err := g.Close(); err == nil || !strings.Contains(err.Error(), "cannot remove the control group") {
		t.Errorf("closed: %v", err)
	}
	if state := expectDone(t, p); state.Signal != syscall.SIGKILL {
		t.Errorf("who lived there ended with %v", state)
	}
	if err := os.WriteFile(filepath.Join(g.parts[0].dir, "cgroup.procs"), []byte(strconv.Itoa(p.PID())), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	}
	expectRemoved(t, g)
}

// TestV1 says what of a limit holds where only some of the trees are there, and
// that the thread which starts a process comes home from all of them.
func TestV1(t *testing.T) {
	cpu := fakeTree(t, 1, ".", "cgroup.procs", "tasks", "cpu.cfs_period_us", "cpu.cfs_quota_us", "cpu.stat")
	memory := fakeTree(t, 1, ".", "cgroup.procs", "tasks", "memory.limit_in_bytes", "memory.oom_control")
	homes := []string{filepath.Join(cpu.own, "tasks"), filepath.Join(memory.own, "tasks")}
	both := Limits{CPUs: 0.5, Period: 20 * time.Millisecond, Memory: 64 << 20}
	for _, c := range []struct {
		why     string
		trees   map[string]tree
		applied Applied
		fault   string
	}{
		{"both trees", map[string]tree{"cpu": cpu, "memory": memory}, Applied{Version: 1, CPUMax: "10000 20000", CPUs: 0.5, MemoryMax: 64 << 20}, ""},
		{"no tree of memory", map[string]tree{"cpu": cpu}, Applied{Version: 1, CPUMax: "10000 20000", CPUs: 0.5}, "memory: it is not mounted"},
		{"no tree of CPU time", map[string]tree{"memory": memory}, Applied{Version: 1, MemoryMax: 64 << 20}, "cpu: it is not mounted"},
		{"one tree for both", map[string]tree{"cpu": cpu, "memory": cpu}, Applied{Version: 1, CPUMax: "10000 20000", CPUs: 0.5}, "memory: it shares a tree"},
		{"neither", nil, Applied{}, "cpu: it is not mounted; memory: it is not mounted"},
	} {
		g, err := newV1(func(controller string) (tree, error) {
			tr, found := c.trees[controller]
			if !found {
				return tree{}, errors.New("it is not mounted")
			}
			return tr, nil
		}, both)
		if (err != nil) != (c.fault != "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s: %v, want %q", c.why, err, c.fault)
		}
		if got := g.Applied(); got != c.applied {
			t.Errorf("%s: %+v, want %+v", c.why, got, c.applied)
		}
		for _, home := range homes {
			if err := os.WriteFile(home, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var attr syscall.SysProcAttr
		leave, err := g.enter(&attr)
		if err != nil {
			t.Errorf("%s: %v", c.why, err)
		}
		if g != nil {
			for _, p := range g.parts {
				if text, _ := os.ReadFile(filepath.Join(p.dir, "tasks")); string(text) != "0" {
					t.Errorf("%s: %q is written to the tasks of %s", c.why, text, p.dir)
				}
			}
		}
		if err := leave(); err != nil {
			t.Errorf("%s: %v", c.why, err)
		}
		if g == nil {
			continue
		}
		for _, p := range g.parts {
			if text, _ := os.ReadFile(filepath.Join(p.tree.own, "tasks")); string(text) != "0" {
				t.Errorf("%s: the thread does not come home to %s", c.why, p.tree.own)
			}
		}
		if err := g.Close(); err != nil {
			t.Errorf("%s: %v", c.why, err)
		}
		expectRemoved(t, g)
	}
}

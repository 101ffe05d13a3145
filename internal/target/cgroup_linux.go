package target

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// NewCgroup makes an empty group that keeps whoever is started in it within l.
//
// In cgroup v2 it lies below the harness's own group, or below the nearest group
// above it that gives its children the controllers needed and that the harness
// may make groups in. Where v2 cannot limit what is asked, the trees of v1 do, a
// group in that of each controller. The error, which wraps ErrNoCgroup, says why
// each was not possible. A group beside an error limits less than was asked:
// Applied says what.
func NewCgroup(l Limits) (*Cgroup, error) {
	if !l.any() {
		return nil, fmt.Errorf("%w: nothing is to be limited", ErrNoCgroup)
	}
	unified, why := treeOf(2, "")
	if why == nil {
		var g *Cgroup
		if g, why = newV2(unified, l); why == nil {
			return g, nil
		}
	}
	g, err := newV1(func(controller string) (tree, error) { return treeOf(1, controller) }, l)
	switch {
	case err == nil:
		return g, nil
	case g != nil:
		return g, fmt.Errorf("%w for all of it: cgroup v2: %w; cgroup v1: %w", ErrNoCgroup, why, err)
	}
	return nil, fmt.Errorf("%w: cgroup v2: %w; cgroup v1: %w", ErrNoCgroup, why, err)
}

func newV2(t tree, l Limits) (*Cgroup, error) {
	needed := l.controllers()
	var faults []error
	for dir := t.own; ; dir = filepath.Dir(dir) {
		// Only the harness's own group is changed for it: what the groups above
		// give to their children is not the harness's to decide.
		err := offers(dir, needed, dir == t.own)
		if err == nil {
			var p part
			if p, err = makePart(t, dir, l); err == nil {
				return newGroup(p), nil
			}
		}
		faults = append(faults, err)
		if dir == t.top {
			break
		}
	}
	// What is wrong with the own group is what its owner can mend.
	if errors.Is(faults[0], unix.EBUSY) || errors.Is(faults[0], os.ErrPermission) {
		return nil, fmt.Errorf("%w; start floodgate in a scope of its own, such as systemd-run --user --scope -p Delegate=yes floodgate …", faults[0])
	}
	return nil, faults[0]
}

// offers reports why the children of a group cannot have the controllers. With
// enable, it gives them those that are only not yet given.
func offers(dir string, needed []string, enable bool) error {
	file := filepath.Join(dir, "cgroup.subtree_control")
	given, err := words(file)
	if err != nil {
		return err
	}
	var missing []string
	for _, name := range needed {
		if !slices.Contains(given, name) {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if has, err := words(filepath.Join(dir, "cgroup.controllers")); err != nil {
		return err
	} else if i := slices.IndexFunc(missing, func(name string) bool { return !slices.Contains(has, name) }); i >= 0 {
		return fmt.Errorf("%s has no %s controller", dir, missing[i])
	}
	if !enable {
		return fmt.Errorf("%s does not give its children the %s controller", dir, missing[0])
	}
	return writeTo(file, "+"+strings.Join(missing, " +"))
}

// newV1 makes as many of the parts as can be made; the error names the others.
func newV1(treeOf func(controller string) (tree, error), l Limits) (*Cgroup, error) {
	var made []part
	var faults []error
	for _, controller := range l.controllers() {
		t, err := treeOf(controller)
		var p part
		switch shared := slices.ContainsFunc(made, func(p part) bool { return p.tree.own == t.own }); {
		case err == nil && shared: // nobody can be in two groups of a tree
			err = errors.New("it shares a tree with the one before, which is not supported")
		case err == nil:
			p, err = makePart(t, t.own, l.only(controller))
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", controller, err))
			continue
		}
		made = append(made, p)
	}
	err := errors.Join(faults...)
	if len(faults) > 1 {
		err = fmt.Errorf("%w; %w", faults[0], faults[1]) // a warning has one line
	}
	if len(made) == 0 {
		return nil, err
	}
	return newGroup(made...), err
}

// treeOf finds the tree of v2, or that of a controller in v1.
func treeOf(version int, controller string) (tree, error) {
	self, err := procfs.Self()
	if err != nil {
		return tree{}, err
	}
	groups, err := self.Cgroups()
	if err != nil {
		return tree{}, err
	}
	mounts, err := procfs.GetMounts()
	if err != nil {
		return tree{}, err
	}
	mine := func(g procfs.Cgroup) bool {
		if version == 2 {
			return g.HierarchyID == 0
		}
		return slices.Contains(g.Controllers, controller)
	}
	at := slices.IndexFunc(groups, mine)
	for _, m := range mounts {
		_, has := m.SuperOptions[controller]
		if at < 0 || version == 2 && m.FSType != "cgroup2" || version == 1 && (m.FSType != "cgroup" || !has) {
			continue
		}
		// A container may see only a part of the tree.
		below, err := filepath.Rel(m.Root, groups[at].Path)
		if err != nil || below == ".." || strings.HasPrefix(below, "../") {
			below = "."
		}
		return tree{version: version, own: filepath.Join(m.MountPoint, below), top: m.MountPoint,
			mkdir: func(dir string) error { return unix.Mkdir(dir, 0o755) }, rmdir: os.Remove}, nil
	}
	return tree{}, errors.New("it is not mounted")
}

// groups counts the groups that this process has made.
var groups atomic.Int64

// prefix starts the names of groups; the number of their maker follows.
const prefix = "floodgate-"

// makePart makes a group of a tree below parent.
func makePart(t tree, parent string, l Limits) (part, error) {
	if t.version == 2 {
		// Who starts a process in a group must be allowed to move processes in the
		// lowest group above both.
		if err := unix.Access(filepath.Join(parent, "cgroup.procs"), unix.W_OK); err != nil {
			return part{}, fmt.Errorf("cannot move processes within %s: %w", parent, err)
		}
	}
	sweep(t, parent)
	p := part{t, filepath.Join(parent, fmt.Sprintf("%s%d-%d", prefix, os.Getpid(), groups.Add(1)))}
	if err := t.mkdir(p.dir); err != nil {
		// Without its name, replicates with the same trouble share one warning.
		return part{}, fmt.Errorf("cannot make a group in %s: %w", parent, err)
	}
	for _, s := range l.settings(t.version) {
		err := writeTo(filepath.Join(p.dir, s.file), s.text)
		if err != nil && !(s.optional && errors.Is(err, os.ErrNotExist)) {
			t.rmdir(p.dir)
			return part{}, err
		}
	}
	return p, nil
}

// newGroup is the group of parts of one version, with what the kernel made of
// their limits: it rounds.
func newGroup(parts ...part) *Cgroup {
	g := &Cgroup{parts: parts, applied: Applied{Version: parts[0].tree.version}}
	cpuMax, memoryMax := g.read("cpu.max"), g.read("memory.max")
	if g.applied.Version == 1 {
		cpuMax, memoryMax = g.read("cpu.cfs_quota_us")+" "+g.read("cpu.cfs_period_us"), g.read("memory.limit_in_bytes")
	}
	if cpus := cpusOf(cpuMax); cpus > 0 {
		g.applied.CPUMax, g.applied.CPUs = cpuMax, cpus
	}
	g.applied.MemoryMax = memoryOf(memoryMax)
	return g
}

// sweep removes the groups that a harness which was killed has left behind. A
// group that somebody lives in cannot be removed; one without anybody may be
// waiting for its process, if its maker lives.
func sweep(t tree, parent string) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, entry := range entries {
		name, ours := strings.CutPrefix(entry.Name(), prefix)
		number, _, _ := strings.Cut(name, "-")
		maker, err := strconv.Atoi(number)
		info, statErr := entry.Info()
		// The makers of other containers have numbers that mean nothing here, so
		// a group must also be too old to be waiting.
		if !ours || err != nil || statErr != nil || time.Since(info.ModTime()) < time.Minute {
			continue
		}
		if errors.Is(unix.Kill(maker, 0), unix.ESRCH) {
			t.rmdir(filepath.Join(parent, entry.Name()))
		}
	}
}

// enter makes the next process that the calling thread starts with attr begin
// its life in the group; leave takes the thread out again. The thread must be
// locked to its goroutine. Of v2, the kernel itself starts processes in a group;
// in v1 they are born where the thread is that starts them, and its own memory
// stays charged where its process lives. leave must be called beside an error too.
func (g *Cgroup) enter(attr *syscall.SysProcAttr) (leave func() error, err error) {
	nothing := func() error { return nil }
	if g == nil {
		return nothing, nil
	}
	if g.applied.Version == 2 {
		dir := g.parts[0].dir
		fd, err := unix.Open(dir, unix.O_DIRECTORY|unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return nothing, fmt.Errorf("cannot open %s: %w", dir, err)
		}
		attr.UseCgroupFD, attr.CgroupFD = true, fd
		return func() error { return unix.Close(fd) }, nil
	}
	var homes []string
	leave = func() error {
		var faults []error
		for _, home := range homes {
			faults = append(faults, writeTo(home, "0"))
		}
		return errors.Join(faults...)
	}
	for _, p := range g.parts {
		// 0 is the calling thread; v1 moves threads one by one.
		if err := writeTo(filepath.Join(p.dir, "tasks"), "0"); err != nil {
			return leave, err
		}
		homes = append(homes, filepath.Join(p.tree.own, "tasks"))
	}
	return leave, nil
}

// usage reads the group's counters.
func (g *Cgroup) usage() Usage {
	if g == nil {
		return Usage{}
	}
	events := "memory.events"
	if g.applied.Version == 1 {
		events = "memory.oom_control"
	}
	return usageOf(g.applied.Version, g.read("cpu.stat"), g.read(events))
}

// Close kills whatever still lives in the group and removes it. It may be called
// more than once, and for no group at all.
func (g *Cgroup) Close() error {
	if g == nil {
		return nil
	}
	var faults []error
	for _, p := range g.parts {
		faults = append(faults, p.remove())
	}
	return errors.Join(faults...)
}

func (p part) remove() error {
	for limit := time.Now().Add(groupGrace); ; time.Sleep(time.Millisecond) {
		err := p.tree.rmdir(p.dir)
		if err == nil || errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if time.Now().After(limit) {
			return fmt.Errorf("cannot remove the control group: %w", err)
		}
		p.killAll()
	}
}

// killAll kills every member of the group but the harness, of which a thread may
// be in it.
func (p part) killAll() {
	members, err := words(filepath.Join(p.dir, "cgroup.procs"))
	if err != nil {
		return
	}
	for _, text := range members {
		if pid, err := strconv.Atoi(text); err == nil && pid > 0 && pid != os.Getpid() {
			unix.Kill(pid, unix.SIGKILL)
		}
	}
}

// read returns a file of the group, from whichever part has it; "" where none has.
func (g *Cgroup) read(name string) string {
	for _, p := range g.parts {
		if text, err := os.ReadFile(filepath.Join(p.dir, name)); err == nil {
			return strings.TrimSpace(string(text))
		}
	}
	return ""
}

func words(file string) ([]string, error) {
	text, err := os.ReadFile(file)
	return strings.Fields(string(text)), err
}

// writeTo writes to a file that exists: the kernel's groups have all of theirs.
func writeTo(file, text string) error {
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

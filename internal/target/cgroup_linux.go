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
// may make groups in. Where v2 cannot limit what is asked, the cpu hierarchy of
// v1 limits CPU time, but no memory. The error, which wraps ErrNoCgroup, says why
// each was not possible. A group beside an error limits less than was asked:
// Applied says what.
func NewCgroup(l Limits) (*Cgroup, error) {
	if !l.any() {
		return nil, fmt.Errorf("%w: nothing is to be limited", ErrNoCgroup)
	}
	g, why := newV2(l)
	if why == nil {
		return g, nil
	}
	if l.CPUs == 0 {
		return nil, fmt.Errorf("%w: cgroup v2: %w", ErrNoCgroup, why)
	}
	g, err := newV1(l)
	if err != nil {
		return nil, fmt.Errorf("%w: cgroup v2: %w; cgroup v1: %w", ErrNoCgroup, why, err)
	}
	if l.Memory > 0 {
		return g, fmt.Errorf("%w for memory: cgroup v2: %w", ErrNoCgroup, why)
	}
	return g, nil
}

func newV2(l Limits) (*Cgroup, error) {
	own, top, err := ownGroup(2)
	if err != nil {
		return nil, err
	}
	needed := l.controllers()
	var faults []error
	for dir := own; ; dir = filepath.Dir(dir) {
		// Only the harness's own group is changed for it: what the groups above
		// give to their children is not the harness's to decide.
		if err = offers(dir, needed, dir == own); err == nil {
			var g *Cgroup
			if g, err = makeGroup(dir, 2, l); err == nil {
				return g, nil
			}
		}
		faults = append(faults, err)
		if dir == top {
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

func newV1(l Limits) (*Cgroup, error) {
	own, _, err := ownGroup(1)
	if err != nil {
		return nil, err
	}
	g, err := makeGroup(own, 1, Limits{CPUs: l.CPUs, Period: l.Period})
	if err != nil {
		return nil, err
	}
	g.home = own
	return g, nil
}

// ownGroup is the folder of the group that this process belongs to in v2, or in
// v1's cpu hierarchy, and the highest that it can see.
func ownGroup(version int) (own, top string, err error) {
	self, err := procfs.Self()
	if err != nil {
		return "", "", err
	}
	groups, err := self.Cgroups()
	if err != nil {
		return "", "", err
	}
	mounts, err := procfs.GetMounts()
	if err != nil {
		return "", "", err
	}
	mine := func(g procfs.Cgroup) bool {
		if version == 2 {
			return g.HierarchyID == 0
		}
		return slices.Contains(g.Controllers, "cpu")
	}
	at := slices.IndexFunc(groups, mine)
	for _, m := range mounts {
		_, cpu := m.SuperOptions["cpu"]
		if at < 0 || version == 2 && m.FSType != "cgroup2" || version == 1 && (m.FSType != "cgroup" || !cpu) {
			continue
		}
		// A container may see only a part of the tree.
		below, err := filepath.Rel(m.Root, groups[at].Path)
		if err != nil || below == ".." || strings.HasPrefix(below, "../") {
			below = "."
		}
		return filepath.Join(m.MountPoint, below), m.MountPoint, nil
	}
	return "", "", errors.New("it is not mounted")
}

// groups counts the groups that this process has made.
var groups atomic.Int64

// prefix starts the names of groups; the number of their maker follows.
const prefix = "floodgate-"

// makeGroup makes a group below parent.
func makeGroup(parent string, version int, l Limits) (*Cgroup, error) {
	if version == 2 {
		// Who starts a process in a group must be allowed to move processes in the
		// lowest group above both.
		if err := unix.Access(filepath.Join(parent, "cgroup.procs"), unix.W_OK); err != nil {
			return nil, fmt.Errorf("cannot move processes within %s: %w", parent, err)
		}
	}
	sweep(parent)
	g := &Cgroup{dir: filepath.Join(parent, fmt.Sprintf("%s%d-%d", prefix, os.Getpid(), groups.Add(1))), applied: Applied{Version: version}}
	if err := unix.Mkdir(g.dir, 0o755); err != nil {
		// Without its name, replicates with the same trouble share one warning.
		return nil, fmt.Errorf("cannot make a group in %s: %w", parent, err)
	}
	for _, s := range l.settings(version) {
		err := writeTo(filepath.Join(g.dir, s.file), s.text)
		if err != nil && !(s.optional && errors.Is(err, os.ErrNotExist)) {
			os.Remove(g.dir)
			return nil, err
		}
	}
	g.readBack()
	return g, nil
}

// readBack reads what the kernel made of the limits: it rounds.
func (g *Cgroup) readBack() {
	cpuMax := g.read("cpu.max")
	if g.applied.Version == 1 {
		cpuMax = g.read("cpu.cfs_quota_us") + " " + g.read("cpu.cfs_period_us")
	}
	if cpus := cpusOf(cpuMax); cpus > 0 {
		g.applied.CPUMax, g.applied.CPUs = cpuMax, cpus
	}
	// "max", where there is no limit, is no number.
	g.applied.MemoryMax, _ = strconv.ParseInt(g.read("memory.max"), 10, 64)
}

// sweep removes the groups that a harness which was killed has left behind. A
// group that somebody lives in cannot be removed; one without anybody may be
// waiting for its process, if its maker lives.
func sweep(parent string) {
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
			os.Remove(filepath.Join(parent, entry.Name()))
		}
	}
}

// enter makes the next process that the calling thread starts with attr begin
// its life in the group; leave takes the thread out again. The thread must be
// locked to its goroutine. Of v2, the kernel itself starts processes in a group;
// in v1 they are born where the thread is that starts them.
func (g *Cgroup) enter(attr *syscall.SysProcAttr) (leave func() error, err error) {
	nothing := func() error { return nil }
	if g == nil {
		return nothing, nil
	}
	if g.applied.Version == 2 {
		fd, err := unix.Open(g.dir, unix.O_DIRECTORY|unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return nothing, fmt.Errorf("cannot open %s: %w", g.dir, err)
		}
		attr.UseCgroupFD, attr.CgroupFD = true, fd
		return func() error { return unix.Close(fd) }, nil
	}
	// 0 is the calling thread; v1 moves threads one by one.
	if err := writeTo(filepath.Join(g.dir, "tasks"), "0"); err != nil {
		return nothing, err
	}
	return func() error { return writeTo(filepath.Join(g.home, "tasks"), "0") }, nil
}

// usage reads the group's counters.
func (g *Cgroup) usage() Usage {
	if g == nil {
		return Usage{}
	}
	return usageOf(g.applied.Version, g.read("cpu.stat"), g.read("memory.events"))
}

// Close kills whatever still lives in the group and removes it. It may be called
// more than once, and for no group at all.
func (g *Cgroup) Close() error {
	if g == nil {
		return nil
	}
	var err error
	for limit := time.Now().Add(groupGrace); ; time.Sleep(time.Millisecond) {
		err = os.Remove(g.dir)
		if err == nil || errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if time.Now().After(limit) {
			return fmt.Errorf("cannot remove the control group: %w", err)
		}
		g.killAll()
	}
}

// killAll kills every member of the group but the harness, of which a thread may
// be in it.
func (g *Cgroup) killAll() {
	members, err := words(filepath.Join(g.dir, "cgroup.procs"))
	if err != nil {
		return
	}
	for _, text := range members {
		if pid, err := strconv.Atoi(text); err == nil && pid > 0 && pid != os.Getpid() {
			unix.Kill(pid, unix.SIGKILL)
		}
	}
}

func (g *Cgroup) read(name string) string {
	text, err := os.ReadFile(filepath.Join(g.dir, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
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

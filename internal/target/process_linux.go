package target

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// attributes make the child the leader of its own group and let the kernel kill
// it when the thread that starts it ends.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// maxCPU is the highest number that unix.CPUSet can hold.
const maxCPU = 1023

// confine limits the calling thread to the given CPUs and returns how to free it
// again; both do nothing without CPUs. After an error the thread is as free as
// before. A child inherits the limit when it is forked, so that no instruction
// of its runs elsewhere and a runtime that counts its CPUs at the start counts
// right; setting it on a running process would come too late for both.
func confine(cpus []int) (free func() error, err error) {
	nothing := func() error { return nil }
	if len(cpus) == 0 {
		return nothing, nil
	}
	var before, want, got unix.CPUSet
	for _, cpu := range cpus {
		if cpu < 0 || cpu > maxCPU {
			return nothing, fmt.Errorf("CPU %d is not between 0 and %d", cpu, maxCPU)
		}
		want.Set(cpu)
	}
	// 0 is the calling thread.
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return nothing, fmt.Errorf("cannot read the affinity: %w", err)
	}
	free = func() error { return unix.SchedSetaffinity(0, &before) }
	if err := unix.SchedSetaffinity(0, &want); err != nil {
		return nothing, fmt.Errorf("cannot set the affinity, allowed are CPUs %v: %w", numbers(&before), err)
	}
	// The kernel drops CPUs that do not exist or are not allowed without a word,
	// as long as one remains.
	err = unix.SchedGetaffinity(0, &got)
	if err == nil && got != want {
		err = fmt.Errorf("only CPUs %v would be used, allowed are %v", numbers(&got), numbers(&before))
	}
	if err != nil {
		// Should this fail as well, the caller's own free fails too.
		free()
	}
	return free, err
}

// AllowedCPUs returns the numbers of the CPUs that this process, and so a
// target, may use, in ascending order.
func AllowedCPUs() ([]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(os.Getpid(), &set); err != nil {
		return nil, fmt.Errorf("cannot read which CPUs are allowed: %w", err)
	}
	return numbers(&set), nil
}

func numbers(set *unix.CPUSet) []int {
	var cpus []int
	for cpu := range maxCPU + 1 {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return slices.Clip(cpus)
}

// collect waits for the child to end, kills what is left of its group and reaps
// it, in this order: until it is reaped, its number and its group's cannot be
// given to others, so the kill cannot hit a stranger.
func (p *Process) collect(child *os.Process) (*os.ProcessState, error) {
	for {
		err := unix.Waitid(unix.P_PID, p.pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break // what else can be wrong, the Wait below reports
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	killGroup(p.pid)
	p.reaped = true
	return child.Wait()
}

// exited reports whether the child is dead; it must not be reaped yet.
func exited(pid int) bool {
	var info unix.Siginfo
	err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG, nil)
	return err == nil && info.Signo != 0
}

// groupLives reports whether a process of the group is not dead yet.
//
// That the kernel still knows the group is not enough. Members whose parent was
// the target now belong to the system's first process, and where that is not a
// true init, as in many containers, nobody ever reaps them: they are dead, hold
// nothing, and stay listed.
func groupLives(group int) bool {
	// Signal 0 is none; it only asks. Mostly this ends the matter.
	if errors.Is(unix.Kill(-group, 0), unix.ESRCH) {
		return false
	}
	processes, err := procfs.AllProcs()
	if err != nil {
		return false // it cannot be known, and all were killed
	}
	for _, process := range processes {
		stat, err := process.Stat()
		if err != nil || stat.PGRP != group {
			continue
		}
		// A process whose first thread has ended is listed as dead while its
		// other threads still end.
		if dead := stat.State == "Z" || stat.State == "X"; !dead || stat.NumThreads > 1 {
			return true
		}
	}
	return false
}

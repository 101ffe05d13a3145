//go:build !linux

package target

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
)

// attributes make the child the leader of its own group. That it dies with the
// harness cannot be asked for here.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func confine(cpus []int) (free func() error, err error) {
	if len(cpus) > 0 {
		err = fmt.Errorf("not possible on %s: %w", runtime.GOOS, errors.ErrUnsupported)
	}
	return func() error { return nil }, err
}

// AllowedCPUs is supported on Linux only.
func AllowedCPUs() ([]int, error) {
	return nil, fmt.Errorf("cannot read which CPUs are allowed on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}

// collect reaps the child and kills what is left of its group. Between the two
// the number is free, for a moment that only Linux lets us avoid.
func (p *Process) collect(child *os.Process) (*os.ProcessState, error) {
	result, err := child.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reaped = true
	killGroup(p.pid)
	return result, err
}

// exited cannot be asked here without reaping.
func exited(int) bool { return false }

// groupLives reports whether the system still knows the group; signal 0 is none,
// it only asks.
func groupLives(group int) bool {
	return !errors.Is(syscall.Kill(-group, 0), syscall.ESRCH)
}

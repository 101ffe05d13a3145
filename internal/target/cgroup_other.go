//go:build !linux

package target

import (
	"fmt"
	"runtime"
	"syscall"
)

// NewCgroup is supported on Linux only.
func NewCgroup(Limits) (*Cgroup, error) {
	return nil, fmt.Errorf("%w: %s has none", ErrNoCgroup, runtime.GOOS)
}

// Close does nothing here.
func (g *Cgroup) Close() error { return nil }

func (g *Cgroup) enter(*syscall.SysProcAttr) (leave func() error, err error) {
	return func() error { return nil }, nil
}

func (g *Cgroup) usage() Usage { return Usage{} }

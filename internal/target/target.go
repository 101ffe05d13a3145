// Package target starts, awaits, watches and stops the server under load. A
// target is always a process of its own: it gets exactly the environment and
// the CPUs that it is given, it never outlives the harness, and what it printed
// last is kept for the case that it dies.
//
// The package is for Linux. It works on other Unix systems as far as they allow,
// and says in a process's warnings what they do not.
package target

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
)

// ErrKilled is wrapped by the errors of Stop when the target did not end by
// itself.
var ErrKilled = errors.New("its process group was killed")

// ErrEnded is wrapped by the error of Await when the target ended before it was
// ready.
var ErrEnded = errors.New("it ended")

// Command says what to start.
type Command struct {
	// Path is the program's file. It is not searched for in PATH, and a relative
	// one is relative to the caller's folder, not to Dir.
	Path string
	Args []string // without the program's name
	// Env is the whole environment, as "NAME=value". Nothing is inherited: a
	// variable of the user's shell must not decide a comparison.
	Env []string
	Dir string // working folder; empty for the caller's
	// CPUs are the cores, by number, that the target is confined to from its
	// first instruction; none leaves it free. Where this is not possible, the
	// process runs free and has a warning.
	CPUs []int
	// Cgroup, if not nil, is the group that the target lives in from its first
	// instruction. Start takes it over, whether or not it succeeds.
	Cgroup *Cgroup
	// Log is a file that takes a copy of what the target prints, its first 16 MiB
	// at most; a relative one is relative to Dir. Empty for none.
	Log string
	// Stop is the signal that asks the process to end; 0 is SIGTERM.
	Stop syscall.Signal
}

// validate names every fault of c.
func (c Command) validate() error {
	var faults []string
	if c.Path == "" {
		faults = append(faults, "no path is given")
	}
	for _, text := range c.Args {
		if strings.ContainsRune(text, 0) {
			faults = append(faults, fmt.Sprintf("argument %q holds a zero byte", text))
		}
	}
	for _, text := range c.Env {
		if name, _, found := strings.Cut(text, "="); !found || name == "" || strings.ContainsRune(text, 0) {
			faults = append(faults, fmt.Sprintf("%q is no variable: want NAME=value", text))
		}
	}
	if len(faults) > 0 {
		return errors.New(strings.Join(faults, "; "))
	}
	return nil
}

// logPath is where the copy of the output goes, empty for nowhere.
func (c Command) logPath() string {
	if c.Log == "" || filepath.IsAbs(c.Log) {
		return c.Log
	}
	return filepath.Join(c.Dir, c.Log)
}

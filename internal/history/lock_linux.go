package history

import (
	"os"
	"syscall"
)

// lock waits until nobody else adds to f. Closing f, or the end of the process,
// unlocks it.
func lock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX) }

package record

import "time"

// Above these a replicate was disturbed: the share (0..1) of the host's CPU time
// that the hypervisor took, and, where the kernel dropped messages, how late the
// target's reader was woken from a sleep. The reference server sleeps less than
// the latter at most loads, and a socket's buffer holds some milliseconds of
// load. What else ran on the machine may have woken it late as well as the
// hypervisor: the generator, or the target's own flush.
const (
	StealLimit    = 0.05
	WakeLateLimit = 2 * time.Millisecond
)

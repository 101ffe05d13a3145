// Package procfs reads what the kernel knows about a process under load and
// about its host: CPU time, memory, the queue and the drops of a UDP socket,
// and how much the rest of the machine was in the way.
//
// It looks from outside, so the process needs no support for it and is not
// told. Everything comes from Linux; on another system the functions report
// errors.ErrUnsupported, and the Sampler and the host's facts leave the
// quantities out. The length of a unix datagram socket's queue is nowhere in
// /proc, so it is absent everywhere.
package procfs

import (
	"fmt"
	"os"
)

// A process that has ended, reaped or not, is reported as os.ErrProcessDone by
// every function of this package that takes a pid.
func gone(quantity string, pid int) error {
	return fmt.Errorf("cannot read the %s of process %d: %w", quantity, pid, os.ErrProcessDone)
}

// SocketStats is the state of all UDP sockets bound to one port.
type SocketStats struct {
	// QueueBytes is the memory held by datagrams that wait to be read. The
	// kernel counts its own bookkeeping in it, as it does against SO_RCVBUF, so
	// it exceeds the payload.
	QueueBytes int64
	// Drops counts the datagrams that found the receive buffer full (or failed
	// their checksum), since the sockets were opened.
	Drops int64
	// Sockets is how many sockets are bound to the port now.
	Sockets int
}

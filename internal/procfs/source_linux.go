package procfs

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// procSource reads one process, and perhaps one port, over open files. A reading
// allocates nothing.
type procSource struct {
	pid   int
	statm *os.File
	udp   *UDPReader // nil without a port
	// buffer and clock are here because they would escape from the stack.
	buffer [statmSize]byte
	clock  unix.Timespec

	port       int
	socketSeen bool
	problems   []string
	failing    columns // those that already have a warning
}

func openSource(pid, port int) (source, error) {
	statm, err := openStatm(pid)
	if err != nil {
		return nil, err
	}
	p := &procSource{pid: pid, statm: statm, port: port}
	if port == 0 {
		return p, nil
	}
	if p.udp, err = OpenUDPReader(port); err != nil {
		p.warn(columnSocket, err)
	}
	return p, nil
}

// read implements source. Memory comes after the CPU time, because the open
// statm proves that the pid still was the process that was meant.
func (p *procSource) read(r *Reading) (columns, error) {
	var got columns
	cpu, err := cpuTime(p.pid, &p.clock)
	switch {
	case errors.Is(err, os.ErrProcessDone):
		return 0, err
	case err != nil:
		p.warn(columnCPU, err)
	default:
		r.CPU = cpu
		got |= columnCPU
	}

	rss, err := readStatm(p.statm, p.pid, p.buffer[:])
	switch {
	case errors.Is(err, os.ErrProcessDone):
		return 0, err
	case err != nil:
		p.warn(columnMemory, err)
	default:
		r.RSSBytes = rss
		got |= columnMemory
	}

	if p.udp == nil {
		return got, nil
	}
	stats, err := p.udp.Read()
	if err != nil {
		p.warn(columnSocket, err)
		return got, nil
	}
	r.KernelQueueBytes, r.KernelDrops = stats.QueueBytes, stats.Drops
	p.socketSeen = p.socketSeen || stats.Sockets > 0
	return got | columnSocket, nil
}

// warn keeps the first reason for which a quantity is absent.
func (p *procSource) warn(column columns, reason error) {
	if p.failing&column == 0 {
		p.failing |= column
		p.problems = append(p.problems, reason.Error())
	}
}

func (p *procSource) summary() (columns, []string) {
	if p.udp == nil || p.socketSeen {
		return 0, p.problems
	}
	p.warn(columnSocket, fmt.Errorf("cannot read the drops of UDP port %d: no socket was bound to it", p.port))
	return columnSocket, p.problems
}

func (p *procSource) Close() error {
	err := p.statm.Close()
	if p.udp != nil {
		err = errors.Join(err, p.udp.Close())
	}
	return err
}

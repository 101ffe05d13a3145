package procfs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// UDPSocket returns the state of the UDP sockets bound to the local port, IPv4
// and IPv6, summed over the sockets that share it with SO_REUSEPORT. Sockets is
// 0, without an error, when there is none. Only sockets in the caller's network
// namespace are seen.
func UDPSocket(port int) (SocketStats, error) {
	r, err := OpenUDPReader(port)
	if err != nil {
		return SocketStats{}, err
	}
	defer r.Close()
	return r.Read()
}

// UDPReader reads the state of the UDP sockets of one port again and again. It
// keeps its files and buffers, so that a reading allocates nothing once the
// buffers fit. It is for one goroutine at a time.
type UDPReader struct {
	port   int
	tables []*os.File
	buffer []byte
	book   dropBook
	add    func(udpLine) // made once: a closure per reading would allocate
	now    SocketStats
}

// OpenUDPReader opens the kernel's tables of sockets. The caller closes the
// reader. A host without IPv6 is no error.
func OpenUDPReader(port int) (*UDPReader, error) {
	if port < 1 || port > 65535 {
		return nil, fmt.Errorf("cannot watch UDP port %d: want a port from 1 to 65535", port)
	}
	r := &UDPReader{port: port, buffer: make([]byte, 16<<10)}
	for _, path := range []string{"/proc/net/udp", "/proc/net/udp6"} {
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) && len(r.tables) > 0 {
			continue
		}
		if err != nil {
			r.Close()
			return nil, fmt.Errorf("cannot watch UDP port %d: %w", port, err)
		}
		r.tables = append(r.tables, f)
	}
	r.add = func(line udpLine) {
		if line.port != r.port {
			return
		}
		r.now.Sockets++
		r.now.QueueBytes += line.queue
		r.book.note(line.inode, line.drops)
	}
	return r, nil
}

// Read returns the state now. Drops also counts sockets that an earlier Read of
// this reader saw and that are closed by now, with their last known drops, so
// it never falls. What a socket dropped between the last Read and its closing is
// lost with it: read once more before the process is stopped.
//
// The kernel hands out a long table in pieces, and sockets may come and go
// between two of them. On a host with hundreds of UDP sockets in steady change
// a reading can therefore miss one; the next reading has it again.
func (r *UDPReader) Read() (SocketStats, error) {
	r.now = SocketStats{}
	for _, f := range r.tables {
		table, err := r.load(f)
		if err == nil {
			err = eachUDPLine(table, r.add)
		}
		if err != nil {
			return SocketStats{}, fmt.Errorf("cannot read the sockets of UDP port %d in %s: %w", r.port, f.Name(), err)
		}
	}
	r.now.Drops = r.book.total()
	return r.now, nil
}

// load reads a whole table into the buffer, which grows until the table fits.
func (r *UDPReader) load(f *os.File) ([]byte, error) {
	filled := 0
	for {
		n, err := f.ReadAt(r.buffer[filled:], int64(filled))
		filled += n
		switch {
		case errors.Is(err, io.EOF):
			return r.buffer[:filled], nil
		case err != nil:
			return nil, err
		}
		r.buffer = append(r.buffer, make([]byte, len(r.buffer))...)
	}
}

// Close closes the tables.
func (r *UDPReader) Close() error {
	var errs []error
	for _, f := range r.tables {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

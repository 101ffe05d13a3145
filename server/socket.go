package server

import (
	"io/fs"
	"os"
)

// A socket receives datagrams in batches:
//
//	listen(network, address, config) (*socket, error)
//	addr() net.Addr
//	receive(slots, deadline) (int, error)  waits for at least one datagram
//	drain(slots) (int, error)              does not wait
//	stop()                                 makes receive return, now and ever after
//	busy(slots, n) bool                    whether n slots just read say that there is more
//	spread(n) error                        over n sockets of one address
//	close() error
//
// receive returns os.ErrDeadlineExceeded at the deadline, of which a zero one is
// none, and after stop. receive and drain belong to one goroutine; stop may be
// called from any.

// readBatch is the most datagrams taken from a socket at once.
const readBatch = 64

// removeStale removes a socket that an earlier server left behind, which would
// make the bind fail. Any other kind of file is somebody's and stays.
func removeStale(path string) error {
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSocket != 0 {
		return os.Remove(path)
	}
	return nil
}

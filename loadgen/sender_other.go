//go:build !linux

package loadgen

import "net"

// batches says that this system has no sendmmsg.
const batches = false

func newSender(conn net.Conn, name string, _ DialOptions) (Sender, error) {
	return &connSender{conn: conn, name: name}, nil
}

func openStream(conn net.Conn, name string) (stream, error) {
	return &connStream{conn: conn, name: name}, nil
}

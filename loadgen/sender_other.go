//go:build !linux

package loadgen

import "net"

func newSender(conn net.Conn, name string) (Sender, error) {
	return &connSender{conn: conn, name: name}, nil
}

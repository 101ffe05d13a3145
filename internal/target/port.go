package target

import (
	"errors"
	"fmt"
	"net"
)

// FreePort returns a port of ip that no socket of the network, "udp" or "tcp",
// is bound to. Nothing keeps it: another process may take it before the target
// does, and two calls may, though rarely, return the same one.
func FreePort(ip, network string) (int, error) {
	port, err := freePort(net.JoinHostPort(ip, "0"), network)
	if err != nil {
		return 0, fmt.Errorf("cannot find a free %s port on %s: %w", network, ip, err)
	}
	return port, nil
}

func freePort(address, network string) (int, error) {
	switch network {
	case "udp":
		conn, err := net.ListenPacket(network, address)
		if err != nil {
			return 0, err
		}
		defer conn.Close()
		return conn.LocalAddr().(*net.UDPAddr).Port, nil
	case "tcp":
		listener, err := net.Listen(network, address)
		if err != nil {
			return 0, err
		}
		defer listener.Close()
		return listener.Addr().(*net.TCPAddr).Port, nil
	}
	return 0, errors.New("the network is unknown, allowed are udp and tcp")
}

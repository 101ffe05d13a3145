package harness

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"floodgate/internal/procfs"
	"floodgate/internal/target"
	"floodgate/scenarios"
)

// readiness is the question whether a target may be loaded, as its description
// says it is asked. The caller calls close when it has been answered.
func readiness(by scenarios.ReadyBy, what string, a addresses, p *target.Process) (ask func(context.Context) error, close func()) {
	switch by {
	case scenarios.ReadyHTTP:
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}}
		return func(ctx context.Context) error {
			_, err := get(ctx, client, what)
			return err
		}, client.CloseIdleConnections
	case scenarios.ReadyTCP:
		return func(ctx context.Context) error {
			var dialer net.Dialer
			conn, err := dialer.DialContext(ctx, "tcp", what)
			if err != nil {
				return err
			}
			return conn.Close()
		}, func() {}
	case scenarios.ReadyOutput:
		return func(context.Context) error {
			// Of much that is printed only the end is kept; asked every few
			// milliseconds, a line is not missed.
			if strings.Contains(p.LastWords(), what) {
				return nil
			}
			return fmt.Errorf("it has not printed %q", what)
		}, func() {}
	}
	return func(context.Context) error { return bound(a) }, func() {}
}

// bound reports whether the socket under load is there.
func bound(a addresses) error {
	if a.transport == scenarios.UnixStream || a.transport == scenarios.TCP {
		// The file of a socket is there before it listens, and a port tells nobody.
		network, address := "unix", a.socket
		if a.transport == scenarios.TCP {
			network, address = "tcp", strings.TrimPrefix(a.to(), "tcp://")
		}
		conn, err := net.DialTimeout(network, address, time.Second)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	if a.socket != "" {
		info, err := os.Stat(a.socket)
		if err == nil && info.Mode()&os.ModeSocket == 0 {
			err = fmt.Errorf("%s is no socket", a.socket)
		}
		return err
	}
	stats, err := procfs.UDPSocket(a.port)
	if err == nil && stats.Sockets == 0 {
		err = errors.New("no socket is bound to the UDP port " + fmt.Sprint(a.port))
	}
	return err
}

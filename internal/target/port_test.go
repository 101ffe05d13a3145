package target

import (
	"net"
	"strconv"
	"strings"
	"testing"
)

func TestFreePortCanBeBound(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		port, err := FreePort("127.0.0.1", network)
		if err != nil {
			t.Fatal(err)
		}
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		if network == "udp" {
			conn, err := net.ListenPacket(network, address)
			if err != nil {
				t.Fatal(err)
			}
			conn.Close()
			continue
		}
		listener, err := net.Listen(network, address)
		if err != nil {
			t.Fatal(err)
		}
		listener.Close()
	}
}

func TestFreePortNamesWhatIsWrong(t *testing.T) {
	tests := []struct{ ip, network, want string }{
		{"127.0.0.1", "unixgram", "allowed are udp and tcp"},
		{"192.0.2.1", "udp", "192.0.2.1"}, // an address for documents, on no host
	}
	for _, test := range tests {
		if port, err := FreePort(test.ip, test.network); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s %s: %d, %v; want an error with %q", test.ip, test.network, port, err, test.want)
		}
	}
}

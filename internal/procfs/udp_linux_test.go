package procfs

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// listen opens a UDP socket with the smallest receive buffer there is, on a
// port that others may share.
func listen(t *testing.T, network, address string) *net.UDPConn {
	t.Helper()
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		raw.Control(func(fd uintptr) {
			err = errors.Join(
				unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1),
				unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4096),
			)
		})
		return err
	}}
	conn, err := config.ListenPacket(context.Background(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.(*net.UDPConn)
}

func portOf(conn *net.UDPConn) int { return conn.LocalAddr().(*net.UDPAddr).Port }

// send writes n datagrams to address.
func send(t *testing.T, address string, n int) {
	t.Helper()
	conn, err := net.Dial("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for range n {
		if _, err := conn.Write(make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
	}
}

// receive reads what is queued and returns the number of datagrams.
func receive(t *testing.T, conns ...*net.UDPConn) int {
	t.Helper()
	n := 0
	buffer := make([]byte, 1000)
	for _, conn := range conns {
		raw, err := conn.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		err = raw.Read(func(fd uintptr) bool {
			for {
				if _, _, err := unix.Recvfrom(int(fd), buffer, unix.MSG_DONTWAIT); err != nil {
					return true
				}
				n++
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// settle reads the sockets empty until everything sent was received or dropped,
// and returns the last statistics.
func settle(t *testing.T, r *UDPReader, sent int, conns ...*net.UDPConn) (received int, stats SocketStats) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		received += receive(t, conns...)
		var err error
		if stats, err = r.Read(); err != nil {
			t.Fatal(err)
		}
		// A queue that was not empty here would still be received.
		if stats.QueueBytes == 0 && received+int(stats.Drops) >= sent {
			return received, stats
		}
	}
	t.Fatalf("%d sent, but %d received and %d dropped", sent, received, stats.Drops)
	return 0, SocketStats{}
}

func openReader(t *testing.T, port int) *UDPReader {
	t.Helper()
	r, err := OpenUDPReader(port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func TestDropsAreWhatWasSentAndNotReceived(t *testing.T) {
	tests := []struct{ why, network, listen, send string }{
		{"IPv4", "udp4", "127.0.0.1:0", "127.0.0.1"},
		{"IPv4 into a dual-stack socket, which is in the IPv6 table only", "udp", "[::]:0", "127.0.0.1"},
		{"IPv6", "udp6", "[::1]:0", "::1"},
	}
	for _, test := range tests {
		t.Run(test.why, func(t *testing.T) {
			if probe, err := net.ListenPacket(test.network, test.listen); err != nil {
				t.Skipf("this host cannot listen on %s: %v", test.listen, err)
			} else {
				probe.Close()
			}
			const sent = 200
			conn := listen(t, test.network, test.listen)
			address := net.JoinHostPort(test.send, portText(conn))
			r := openReader(t, portOf(conn))
			send(t, address, sent)

			full, err := UDPSocket(portOf(conn))
			if err != nil {
				t.Fatal(err)
			}
			if full.Sockets != 1 || full.QueueBytes <= 0 {
				t.Errorf("with datagrams waiting: %+v, want one socket and a queue", full)
			}
			received, stats := settle(t, r, sent, conn)
			if received == 0 || stats.Drops == 0 {
				t.Fatalf("%d received, %d dropped: the test needs both", received, stats.Drops)
			}
			if received+int(stats.Drops) != sent {
				t.Errorf("%d received + %d dropped, want %d sent", received, stats.Drops, sent)
			}
		})
	}
}

func portText(conn *net.UDPConn) string {
	_, port, _ := net.SplitHostPort(conn.LocalAddr().String())
	return port
}

func TestSocketsThatShareAPortAreSummed(t *testing.T) {
	first := listen(t, "udp4", "127.0.0.1:0")
	second := listen(t, "udp4", first.LocalAddr().String())
	r := openReader(t, portOf(first))
	// Each sender's port decides which of the two gets its datagrams, so many
	// senders are needed to fill both.
	const senders, each = 40, 20
	for range senders {
		send(t, first.LocalAddr().String(), each)
	}
	received, before := settle(t, r, senders*each, first, second)
	if before.Sockets != 2 || received+int(before.Drops) != senders*each {
		t.Errorf("%+v and %d received, want 2 sockets and %d datagrams", before, received, senders*each)
	}

	second.Close()
	after, err := r.Read()
	if err != nil {
		t.Fatal(err)
	}
	if after.Sockets != 1 || after.Drops != before.Drops {
		t.Errorf("after one was closed: %+v, want one socket and still %d drops", after, before.Drops)
	}
	fresh, err := UDPSocket(portOf(first))
	if err != nil {
		t.Fatal(err)
	}
	if fresh.Drops >= before.Drops {
		t.Errorf("the closed socket dropped nothing (%d of %d remain): the test shows nothing", fresh.Drops, before.Drops)
	}
}

func TestNoSocketIsNoError(t *testing.T) {
	conn := listen(t, "udp4", "127.0.0.1:0")
	port := portOf(conn)
	conn.Close()
	if stats, err := UDPSocket(port); err != nil || stats != (SocketStats{}) {
		t.Errorf("%+v, %v; want nothing", stats, err)
	}
	for _, port := range []int{-1, 0, 65536} {
		if _, err := UDPSocket(port); err == nil {
			t.Errorf("port %d has no error", port)
		}
	}
}

// The library that reads the rest of /proc reads this table too, only not
// without garbage. Both must see the same.
func TestUDPTableAgreesWithTheLibrary(t *testing.T) {
	conns := []*net.UDPConn{listen(t, "udp4", "127.0.0.1:0"), listen(t, "udp4", "127.0.0.1:0")}
	send(t, conns[0].LocalAddr().String(), 50)
	table, err := os.ReadFile("/proc/net/udp")
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "net"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "net", "udp"), table, 0o644); err != nil {
		t.Fatal(err)
	}
	fs, err := procfs.NewFS(root)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := fs.NetUDP()
	if err != nil {
		t.Fatal(err)
	}
	var got, want []udpLine
	for _, line := range theirs {
		want = append(want, udpLine{int(line.LocalPort), int64(line.RxQueue), int64(line.Inode), int64(*line.Drops)})
	}
	if err := eachUDPLine(table, func(line udpLine) { got = append(got, line) }); err != nil {
		t.Fatal(err)
	}
	if len(got) < len(conns) {
		t.Errorf("%d sockets in the table, want %d at least", len(got), len(conns))
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(udpLine{})); diff != "" {
		t.Errorf("library against ours (-want +got):\n%s", diff)
	}
}

// A table longer than a page comes in pieces, and one longer than the buffer
// makes it grow.
func TestLongTablesAreReadWhole(t *testing.T) {
	first := listen(t, "udp4", "127.0.0.1:0")
	const sockets = 150
	for range sockets - 1 {
		listen(t, "udp4", first.LocalAddr().String())
	}
	r := openReader(t, portOf(first))
	r.buffer = make([]byte, 1000)
	stats, err := r.Read()
	if err != nil {
		t.Fatal(err)
	}
	if stats.Sockets != sockets {
		t.Errorf("%d sockets, want %d", stats.Sockets, sockets)
	}
}

package server

import (
	"net"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestCharged asks the kernel what a datagram on loopback takes off the receive
// buffer. The estimate may be half of that or double: it decides how long a
// nap is, and a nap fills a third of the buffer.
func TestCharged(t *testing.T) {
	config := Default()
	for _, n := range []int{1, 60, 128, 129, 512, 1432, 8192, 60000} {
		s, err := listen("udp", "127.0.0.1:0", &config)
		if err != nil {
			t.Fatal(err)
		}
		from, err := net.Dial("udp", s.addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := from.Write(make([]byte, n)); err != nil {
			t.Fatal(err)
		}
		var memory [9]uint32 // SK_MEMINFO_VARS
		size := uint32(unsafe.Sizeof(memory))
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(s.fds[0]), unix.SOL_SOCKET, unix.SO_MEMINFO, uintptr(unsafe.Pointer(&memory)), uintptr(unsafe.Pointer(&size)), 0)
		if errno != 0 {
			t.Skip("the kernel does not tell: ", errno)
		}
		got, want := charged(n), int(memory[unix.SK_MEMINFO_RMEM_ALLOC])
		t.Logf("%d bytes: charged %d, estimated %d", n, want, got)
		if want == 0 || got < want/2 || got > 2*want {
			t.Errorf("a datagram of %d bytes is estimated at %d, and charged %d", n, got, want)
		}
		from.Close()
		s.close()
	}
}

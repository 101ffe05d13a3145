//go:build !linux

package procfs

import (
	"errors"
	"fmt"
	"runtime"
	"time"
)

func unsupported(quantity string) error {
	return fmt.Errorf("cannot read the %s on %s: %w", quantity, runtime.GOOS, errors.ErrUnsupported)
}

// CPUTime is supported on Linux only.
func CPUTime(int) (time.Duration, error) { return 0, unsupported("CPU time of a process") }

// Memory is supported on Linux only.
func Memory(int) (int64, error) { return 0, unsupported("memory of a process") }

// PeakMemory is supported on Linux only.
func PeakMemory(int) (int64, error) { return 0, unsupported("peak memory of a process") }

// PSS is supported on Linux only.
func PSS(int) (int64, error) { return 0, unsupported("proportional memory of a process") }

// UDPSocket is supported on Linux only.
func UDPSocket(int) (SocketStats, error) { return SocketStats{}, unsupported("state of a UDP socket") }

// UDPReader is supported on Linux only.
type UDPReader struct{}

// OpenUDPReader is supported on Linux only.
func OpenUDPReader(int) (*UDPReader, error) { return nil, unsupported("state of a UDP socket") }

// Read is supported on Linux only.
func (*UDPReader) Read() (SocketStats, error) {
	return SocketStats{}, unsupported("state of a UDP socket")
}

// Close does nothing.
func (*UDPReader) Close() error { return nil }

// Host returns the facts that Go knows on any system.
func Host() HostFacts {
	return HostFacts{OS: runtime.GOOS, Arch: runtime.GOARCH, Cores: runtime.NumCPU()}
}

// Snapshot returns only the moment: the counters are absent.
func Snapshot() HostSnapshot { return HostSnapshot{At: time.Now()} }

// absent is the source of a Sampler on a system that tells nothing.
type absent struct{}

func openSource(int, int) (source, error) { return absent{}, nil }

func (absent) read(*Reading) (columns, error) { return 0, nil }

func (absent) summary() (columns, []string) {
	return 0, []string{unsupported("CPU time, memory and sockets of a process").Error()}
}

func (absent) Close() error { return nil }

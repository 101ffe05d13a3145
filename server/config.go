// Package server is the reference DogStatsD server: sockets in, series out.
//
// It has two independent switches. The reader is coupled (read, aggregate, read
// again on one goroutine) or decoupled (a reader fills a bounded queue, a
// processor empties it). The flush is sync (ingest waits for all of it),
// async-copy (ingest waits for a copy of the contextKeys) or async (ingest
// waits for a cut, which takes no longer for a million contextKeys than for
// one). All six combinations run the same code: a lane per socket, with a table
// of its own.
//
// The queue is bounded by QueueSize x BufferSize bytes, the table by its limits
// and an upload by its threshold. Flushes that fall behind leave at most eight
// closed buckets in the table.
package server

import (
	"errors"
	"fmt"
	"net/url"
	"runtime"
	"time"

	"floodgate/server/aggregate"
	"floodgate/server/forward"
)

// Reader says how reading and aggregating share goroutines.
type Reader string

// The readers.
const (
	Coupled   Reader = "coupled"
	Decoupled Reader = "decoupled"
)

// Flush says what ingest waits for when buckets are flushed.
type Flush string

// The flushes.
const (
	Sync      Flush = "sync"
	AsyncCopy Flush = "async-copy"
	Async     Flush = "async"
)

// Config sets up a Server.
type Config struct {
	// Listen are the sockets: udp://127.0.0.1:8125, unixgram:///path/to.sock,
	// unixstream:///path/to.sock.
	Listen []string
	Reader Reader
	Flush  Flush
	// QueueSize is the number of datagrams that a decoupled reader may be ahead
	// of its processor; BufferSize the longest datagram in bytes. Their product
	// is the memory of the queue.
	QueueSize  int
	BufferSize int
	// ReceiveBuffer is the kernel's buffer of each socket in bytes (SO_RCVBUF);
	// 0 leaves the system's default.
	ReceiveBuffer int
	// KernelTime asks the kernel when each datagram arrived (SO_TIMESTAMPNS), for
	// the ingest latency of the statistics.
	KernelTime bool
	// Readers is the number of readers of each UDP address, each with its own
	// sockets, queue and table (SO_REUSEPORT); a program in the kernel spreads
	// datagrams evenly. More than 1 pays where one core cannot keep up. Of a gauge
	// that several tables have in one bucket any of the last values is sent, because
	// their order is not known. Linux only.
	Readers int
	// Sockets is the number of sockets of each reader of a UDP address. Each has a
	// receive buffer of its own: a way to more of it where the system's limit
	// (net.core.rmem_max) cannot be raised. Datagrams that come within a few
	// milliseconds may then be read in another order, so that of a gauge the last
	// value but one may be sent. Linux only.
	Sockets int
	// GRO lets the kernel hand over UDP datagrams of equal length joined, up to
	// 64 KiB at once, where the sender or the network card joined them. The queue
	// then has fewer places of 64 KiB each. Linux only.
	GRO       bool
	Aggregate aggregate.Config
	Forward   forward.Config
	// Ballast is CPU time to burn, in percent of what the process uses
	// otherwise: something to find for who compares servers.
	Ballast float64
	// Grace is how long a stop may take: draining, the last flush, its upload.
	Grace time.Duration
}

// Default returns the defaults: decoupled, async, a queue of 1024 datagrams of
// 8192 bytes, buckets of 10 s, UDP on port 8125 of the loopback.
func Default() Config {
	return Config{
		Listen:     []string{"udp://127.0.0.1:8125"},
		Reader:     Decoupled,
		Flush:      Async,
		QueueSize:  1024,
		BufferSize: 8192,
		KernelTime: true,
		Readers:    1,
		Sockets:    1,
		Aggregate:  aggregate.Default(),
		Forward:    forward.Default(),
		Grace:      8 * time.Second,
	}
}

// Validate names every value that cannot be, one error each, joined.
func (c Config) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if len(c.Listen) == 0 {
		fault("no socket to listen on: want at least one URL such as udp://127.0.0.1:8125")
	}
	for _, l := range c.Listen {
		if _, _, err := splitListen(l); err != nil {
			faults = append(faults, err)
		}
	}
	if c.Reader != Coupled && c.Reader != Decoupled {
		fault("reader is %q, want coupled or decoupled", c.Reader)
	}
	if c.Flush != Sync && c.Flush != AsyncCopy && c.Flush != Async {
		fault("flush is %q, want sync, async-copy or async", c.Flush)
	}
	if c.QueueSize < 1 || c.QueueSize > 1<<20 {
		fault("queue size is %d datagrams, want 1 to 1048576", c.QueueSize)
	}
	if c.BufferSize < 64 || c.BufferSize > 65536 {
		fault("buffer size is %d bytes, want 64 to 65536", c.BufferSize)
	}
	if c.ReceiveBuffer < 0 || c.ReceiveBuffer > 1<<30 {
		fault("receive buffer is %d bytes, want 0 to 1073741824", c.ReceiveBuffer)
	}
	if c.Readers < 1 || c.Readers > 64 {
		fault("readers are %d, want 1 to 64", c.Readers)
	}
	if c.Sockets < 1 || c.Sockets > 64 {
		fault("sockets are %d for each reader, want 1 to 64", c.Sockets)
	}
	if (c.Readers > 1 || c.Sockets > 1 || c.GRO) && runtime.GOOS != "linux" {
		fault("several readers, several sockets and GRO need Linux, this is %s", runtime.GOOS)
	}
	if !(c.Ballast >= 0 && c.Ballast <= 1000) {
		fault("ballast is %v%%, want 0 to 1000", c.Ballast)
	}
	if c.Ballast > 0 && !tellsThreadTime {
		fault("ballast needs a system that tells the CPU time of a thread, and %s does not", runtime.GOOS)
	}
	if c.Grace <= 0 {
		fault("grace is %v, want more than 0", c.Grace)
	}
	faults = append(faults, c.Aggregate.Validate(), c.Forward.Validate())
	return errors.Join(faults...)
}

// slots is the size in bytes and the number of the places of a queue.
func (c *Config) slots() (bytes, count int) {
	if c.GRO {
		return joinedMax, max(1, c.QueueSize*c.BufferSize/joinedMax)
	}
	return c.BufferSize, c.QueueSize
}

// joinedMax is the most bytes that the kernel joins.
const joinedMax = 1 << 16

// splitListen returns the network and address of a listen URL.
func splitListen(text string) (network, address string, err error) {
	u, err := url.Parse(text)
	if err == nil {
		switch {
		case u.Scheme == "udp" && u.Port() != "" && u.Path == "":
			return "udp", u.Host, nil
		case (u.Scheme == "unixgram" || u.Scheme == "unixstream") && u.Host == "" && u.Path != "":
			return u.Scheme, u.Path, nil
		}
	}
	return "", "", fmt.Errorf("cannot listen on %q: want udp://HOST:PORT, unixgram:///PATH or unixstream:///PATH", text)
}

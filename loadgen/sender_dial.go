package loadgen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
)

// The networks that a sender knows.
const (
	UDP      = "udp"
	Unixgram = "unixgram"
	// UnixStream is DogStatsD's stream: each datagram of the corpus is a frame
	// with its length in front, four bytes, little-endian.
	UnixStream = "unixstream"
	// TCP is the stream of statsd servers: every message is a line with its end.
	TCP = "tcp"
)

// Method is how datagrams are handed to the kernel.
type Method string

// The methods. A stream has one way only, which AutoMethod stands for.
const (
	// AutoMethod is Batch where the system has it, and Single elsewhere.
	AutoMethod Method = ""
	// Batch hands over many datagrams in one system call (sendmmsg; Linux).
	Batch Method = "sendmmsg"
	// GSO hands over runs of datagrams of equal length, of which the last may be
	// shorter, as one, which the kernel cuts up late (UDP_SEGMENT; Linux, UDP).
	// What is not part of such a run, or where the kernel does not know it, goes
	// as with Batch; SenderStats.Segmented says how many did not.
	GSO Method = "gso"
	// Single writes one datagram at a time, as most clients do.
	Single Method = "single"
)

// Client is a library whose functions the messages go through.
type Client string

// The clients.
const (
	// NoClient sends the datagrams of the corpus as they are.
	NoClient Client = ""
	// DatadogGo is github.com/DataDog/datadog-go/v5/statsd. It packs messages by
	// itself, from its own goroutines, and drops what its queue has no room for.
	// Its aggregation is off, so that a message stays a message.
	DatadogGo Client = "datadog-go"
)

// DialOptions change how Dial connects and how the sender sends. The zero value
// is one socket that sends as fast as the system can and waits where there is
// no room.
type DialOptions struct {
	// AllowRemote permits UDP and TCP to other machines than this one. A burst is
	// an attack on whoever did not ask for it, so that takes a decision.
	AllowRemote bool
	Method      Method
	// DropWhenFull gives up datagrams that there is no room for, as a client does
	// that must not hold up its program; without it the sender waits, and the
	// load is late. It needs Linux, and is not for Single: other ways of writing
	// cannot tell at once that there is no room. A frame that a stream has begun
	// to take is always finished.
	DropWhenFull bool
	// Sockets is the number of sockets that share the load; 0 is 1. Each is a
	// client of its own to the receiver: see spread.
	Sockets int
	Client  Client
	// ClientBytes is the largest payload that a Client fills; 0 is its default:
	// 1432 bytes for UDP, 8192 for unix sockets.
	ClientBytes int
	// ClientLines is the largest number of messages in a payload of a Client; 0
	// is no limit but ClientBytes.
	ClientLines int
}

// ErrRemote is wrapped by Dial where it refuses another machine.
var ErrRemote = errors.New("it is another machine: load goes to loopback only, unless remote targets are allowed")

// maxSockets keeps a slip of the pen from eating every descriptor.
const maxSockets = 1024

// Validate names what of the options does not fit network.
func (o DialOptions) Validate(network string) error {
	stream := network == UnixStream || network == TCP
	switch {
	case !slices.Contains([]string{UDP, Unixgram, UnixStream, TCP}, network):
		return errors.New("want udp, unixgram, unixstream or tcp")
	case !slices.Contains([]Method{AutoMethod, Batch, GSO, Single}, o.Method):
		return fmt.Errorf("method %q is unknown: want sendmmsg, gso or single", o.Method)
	case !slices.Contains([]Client{NoClient, DatadogGo}, o.Client):
		return fmt.Errorf("client %q is unknown: want datadog-go", o.Client)
	case o.Sockets < 0 || o.Sockets > maxSockets:
		return fmt.Errorf("%d sockets: want 1 to %d", o.Sockets, maxSockets)
	case stream && o.Method != AutoMethod:
		return fmt.Errorf("method %s is for datagrams, and %s is a stream: leave it out", o.Method, network)
	case o.Method == GSO && network != UDP:
		return fmt.Errorf("method gso is for udp, not %s: want sendmmsg or single", network)
	case (o.Method == Batch || o.Method == GSO) && !batches:
		return fmt.Errorf("method %s needs Linux: want single", o.Method)
	case o.DropWhenFull && (!batches || o.Method == Single):
		return errors.New("only sendmmsg, gso and streams, on Linux, can drop when full instead of waiting")
	case o.Client == NoClient && (o.ClientBytes != 0 || o.ClientLines != 0):
		return errors.New("a limit on a client's payloads needs a client")
	case o.ClientBytes < 0 || o.ClientBytes > maxDatagram || o.ClientLines < 0:
		return fmt.Errorf("payloads of %d bytes and %d messages: want up to %d bytes, and no negative numbers", o.ClientBytes, o.ClientLines, maxDatagram)
	case o.Client != NoClient && network == TCP:
		return fmt.Errorf("%s has no tcp: want udp, unixgram or unixstream", o.Client)
	case o.Client != NoClient && (o.Method != AutoMethod || o.DropWhenFull):
		return fmt.Errorf("%s writes in a way of its own: leave method and drop when full out", o.Client)
	}
	return nil
}

// SplitURL takes a target's URL apart into the network and address that Dial
// wants: udp://host:port, tcp://host:port, unixgram:///path or
// unixstream:///path.
func SplitURL(url string) (network, address string, err error) {
	network, address, _ = strings.Cut(url, "://")
	switch network {
	case UDP, TCP, Unixgram, UnixStream:
		if address != "" {
			return network, address, nil
		}
	}
	return "", "", fmt.Errorf("cannot read target URL %q: want udp://host:port, tcp://host:port, unixgram:///path or unixstream:///path", url)
}

// Dial returns a sender to a socket: network "udp" or "tcp" with host:port, or
// "unixgram" or "unixstream" with a path. It refuses addresses that are not
// loopback unless the options allow them. That it succeeds does not mean that a
// UDP target exists; any other must. When ctx ends before it answers, the error
// wraps the cause.
func Dial(ctx context.Context, network, address string, options DialOptions) (Sender, error) {
	name := network + "://" + address
	fail := func(err error) (Sender, error) { return nil, fmt.Errorf("cannot send to %s: %w", name, err) }
	if err := options.Validate(network); err != nil {
		return fail(err)
	}
	var senders []Sender
	for range max(options.Sockets, 1) {
		s, err := dialOne(ctx, network, address, name, options)
		if err != nil {
			closeAll(senders)
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			return fail(err)
		}
		senders = append(senders, s)
	}
	if len(senders) == 1 {
		return senders[0], nil
	}
	return &manySender{senders: senders}, nil
}

func dialOne(ctx context.Context, network, address, name string, options DialOptions) (Sender, error) {
	conn, err := dial(ctx, network, address, options)
	if err != nil {
		return nil, err
	}
	var s Sender
	switch {
	case options.Client == DatadogGo:
		s, err = newClientSender(conn, network, name, options)
	case network == UnixStream || network == TCP:
		s, err = newStreamSender(conn, network, name, options)
	case options.Method == Single:
		s = &connSender{conn: conn, name: name}
	default:
		s, err = newSender(conn, name, options)
	}
	if err != nil {
		conn.Close()
	}
	return s, err
}

func dial(ctx context.Context, network, address string, options DialOptions) (net.Conn, error) {
	var dialer net.Dialer
	switch network {
	case UDP:
		to, err := net.ResolveUDPAddr(network, address)
		if err != nil {
			return nil, err
		}
		if err := checkHost(to.IP, to.Port, options); err != nil {
			return nil, err
		}
		// The address as resolved: a second look-up might say something else.
		return dialer.DialContext(ctx, network, to.String())
	case TCP:
		to, err := net.ResolveTCPAddr(network, address)
		if err != nil {
			return nil, err
		}
		if err := checkHost(to.IP, to.Port, options); err != nil {
			return nil, err
		}
		return dialer.DialContext(ctx, network, to.String())
	case UnixStream:
		return dialer.DialContext(ctx, "unix", address)
	}
	return dialer.DialContext(ctx, network, address)
}

// checkHost refuses what is no host, and other machines unless allowed.
func checkHost(ip net.IP, port int, options DialOptions) error {
	if ip == nil || port == 0 {
		return errors.New("want a host and a port, such as 127.0.0.1:8125")
	}
	if !ip.IsLoopback() && !options.AllowRemote {
		return ErrRemote
	}
	return nil
}

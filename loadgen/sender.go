package loadgen

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// Sender hands the datagrams of a corpus to the kernel. It is used by one
// goroutine at a time.
type Sender interface {
	// Send hands over datagrams [from, to) of c, in order, and returns how many
	// of them the kernel took: those and no others count as sent. It returns
	// fewer with a nil error when the receiver had no room for a while, at most
	// patience, and the caller may call again for the rest. Any error is final;
	// it wraps ErrTargetGone where nobody receives any more.
	Send(c *Corpus, from, to int) (sent int, err error)
	// Stats is what the sender counted since it was made.
	Stats() SenderStats
	// Close frees the socket. What was sent stays sent.
	Close() error
}

// ErrTargetGone is wrapped by the errors of a sender whose receiver has closed
// its socket. What the kernel took before it said so may have gone nowhere.
var ErrTargetGone = errors.New("target gone")

// patience bounds how long one call of Send waits for a full receiver, and so
// how long a cancelled run takes to notice.
const patience = 50 * time.Millisecond

// SenderStats counts what the socket said. A refusal that is tried again is
// counted each time.
type SenderStats struct {
	Calls   int64 // writes to the kernel, of one datagram or a batch
	EAGAIN  int64 // refused: the receiver's queue or the socket's buffer was full
	ENOBUFS int64 // refused: the kernel had no memory for it
	Refused int64 // refused: nobody receives (any more)
	// Blocked is the time spent waiting after EAGAIN and ENOBUFS. A unixgram
	// receiver that is full blocks its sender, and this is where that shows.
	Blocked time.Duration
}

// Sub is what was counted since an earlier reading.
func (s SenderStats) Sub(earlier SenderStats) SenderStats {
	return SenderStats{
		Calls:   s.Calls - earlier.Calls,
		EAGAIN:  s.EAGAIN - earlier.EAGAIN,
		ENOBUFS: s.ENOBUFS - earlier.ENOBUFS,
		Refused: s.Refused - earlier.Refused,
		Blocked: s.Blocked - earlier.Blocked,
	}
}

// DialOptions change how Dial connects.
type DialOptions struct {
	// AllowRemote permits UDP to other machines than this one. A burst is an
	// attack on whoever did not ask for it, so that takes a decision.
	AllowRemote bool
}

// SplitURL takes a target's URL apart into the network and address that Dial
// wants: udp://host:port or unixgram:///path.
func SplitURL(url string) (network, address string, err error) {
	network, address, _ = strings.Cut(url, "://")
	if address == "" || network != "udp" && network != "unixgram" {
		return "", "", fmt.Errorf("cannot read target URL %q: want udp://host:port or unixgram:///path", url)
	}
	return network, address, nil
}

// Dial returns a sender to a datagram socket: network "udp" with host:port, or
// "unixgram" with a path. For UDP it refuses addresses that are not loopback
// unless the options allow them. That it succeeds does not mean that a UDP
// target exists; a unixgram target must.
func Dial(network, address string, options DialOptions) (Sender, error) {
	conn, err := dial(network, address, options)
	if err != nil {
		return nil, fmt.Errorf("cannot send to %s://%s: %w", network, address, err)
	}
	return newSender(conn, network+"://"+address)
}

func dial(network, address string, options DialOptions) (net.Conn, error) {
	switch network {
	case "udp":
		to, err := net.ResolveUDPAddr(network, address)
		if err != nil {
			return nil, err
		}
		if to.IP == nil || to.Port == 0 {
			return nil, errors.New("want a host and a port, such as 127.0.0.1:8125")
		}
		if !to.IP.IsLoopback() && !options.AllowRemote {
			return nil, errors.New("it is another machine: load goes to loopback only, unless remote targets are allowed")
		}
		// The address as resolved: a second look-up might say something else.
		return net.DialUDP(network, nil, to)
	case "unixgram":
		return net.DialUnix(network, nil, &net.UnixAddr{Name: address, Net: network})
	}
	return nil, errors.New("want udp or unixgram")
}

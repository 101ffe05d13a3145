package loadgen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/sync/errgroup"
)

// CeilingConfig says how the generator's ceiling is found. It is bounded by
// Datagrams and by Over, of which whichever comes first ends it.
type CeilingConfig struct {
	// Corpus is what is sent, again and again. Short datagrams are dearer per
	// byte, long ones per datagram: it should be the one of the load.
	Corpus *Corpus
	// Options are those of the load's sender, without a client: what a library
	// costs is not the generator's. AllowRemote means nothing here.
	Options DialOptions
	// Read has a reader take the datagrams and throw them away, as a target
	// would that costs nothing: it shares the machine with the generator. Without
	// it the socket is full soon, and the kernel drops what comes.
	Read      bool
	Datagrams int64
	Over      time.Duration
}

// DefaultCeiling measures for half a second, or two million datagrams, into a
// socket that nobody reads.
func DefaultCeiling(c *Corpus) CeilingConfig {
	return CeilingConfig{Corpus: c, Datagrams: 2_000_000, Over: 500 * time.Millisecond}
}

// Validate names what is wrong with the configuration.
func (c CeilingConfig) Validate() error {
	switch {
	case c.Corpus == nil || c.Corpus.Datagrams() == 0:
		return errors.New("cannot measure the generator's ceiling: want a corpus with datagrams")
	case c.Options.Client != NoClient:
		return fmt.Errorf("cannot measure the generator's ceiling: it has none of its own through the client %s, want none", c.Options.Client)
	case c.Datagrams <= 0 || c.Over <= 0:
		return fmt.Errorf("cannot measure the generator's ceiling: Datagrams is %d and Over %v, want more than 0 of both", c.Datagrams, c.Over)
	}
	return nil
}

// CeilingResult is how fast the generator is when nothing is in its way but the
// kernel.
type CeilingResult struct {
	Datagrams int64
	Messages  int64
	Segmented int64 // of the datagrams, by GSO
	// Elapsed is the time spent sending, without what lies between two passes
	// over the corpus.
	Elapsed time.Duration
	CPU     time.Duration // of the generator's thread; -1 where the system does not tell
}

// DatagramsPerSecond is the ceiling; 0 if nothing was sent.
func (r CeilingResult) DatagramsPerSecond() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(r.Datagrams) / r.Elapsed.Seconds()
}

// MessagesPerSecond is the ceiling in messages; 0 if nothing was sent.
func (r CeilingResult) MessagesPerSecond() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(r.Messages) / r.Elapsed.Seconds()
}

// Ceiling measures how many datagrams the generator can offer in a second: a
// schedule on which everything is due at once, into a UDP socket of its own on
// loopback. A load that comes near it measures the generator, not the target. It
// keeps the thread of the calling goroutine until it returns. When ctx ends
// before, the result is what was measured until then, beside an error.
func Ceiling(ctx context.Context, config CeilingConfig) (CeilingResult, error) {
	if err := config.Validate(); err != nil {
		return CeilingResult{}, err
	}
	null, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return CeilingResult{}, fmt.Errorf("cannot measure the generator's ceiling: %w", err)
	}
	var reader errgroup.Group
	defer func() {
		null.Close()
		_ = reader.Wait() // it ends because the socket is closed
	}()
	if config.Read {
		reader.Go(func() error { return discard(null) })
	}
	sender, err := Dial(ctx, UDP, null.LocalAddr().String(), config.Options)
	if err != nil {
		return CeilingResult{}, fmt.Errorf("cannot measure the generator's ceiling: %w", err)
	}
	defer sender.Close()
	return repeatedly(ctx, config, sender)
}

// repeatedly sends the corpus until one of the limits.
func repeatedly(ctx context.Context, config CeilingConfig, sender Sender) (CeilingResult, error) {
	enough := errors.New("long enough")
	limited, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var sum CeilingResult
	for sum.Datagrams < config.Datagrams && sum.Elapsed < config.Over {
		g, err := New(Config{Schedule: Burst{Count: config.Corpus.Messages()}, Corpus: config.Corpus,
			Sender: &stopping{Sender: sender, left: config.Datagrams - sum.Datagrams, stop: func() { cancel(enough) }}, MaxBatch: DefaultMaxBatch})
		if err != nil {
			return sum, err
		}
		timer := time.AfterFunc(config.Over-sum.Elapsed, func() { cancel(enough) })
		r, err := g.Run(limited, time.Now())
		timer.Stop()
		sum.Datagrams += r.SentDatagrams
		sum.Messages += r.SentMessages
		sum.Segmented += r.Sender.Segmented
		sum.Elapsed += r.LastSent
		sum.CPU += r.CPU
		if r.CPU < 0 {
			sum.CPU = -1
		}
		switch {
		case errors.Is(err, enough):
			return sum, nil
		case err != nil:
			return sum, fmt.Errorf("cannot measure the generator's ceiling: %w", err)
		}
	}
	return sum, nil
}

// stopping ends a run after a number of datagrams.
type stopping struct {
	Sender
	left int64
	stop func()
}

func (s *stopping) Send(c *Corpus, from, to int) (int, error) {
	if s.left <= 0 {
		s.stop()
		return 0, nil
	}
	n, err := s.Sender.Send(c, from, int(min(int64(to), int64(from)+s.left)))
	s.left -= int64(n)
	return n, err
}

// discard reads until the socket is closed.
func discard(conn net.PacketConn) error {
	raw, ok := conn.(*net.UDPConn)
	if !ok {
		return fmt.Errorf("cannot read %T: want a UDP socket", conn)
	}
	var buffer [1]byte // what does not fit is thrown away by the kernel
	for {
		if _, _, err := raw.ReadFromUDPAddrPort(buffer[:]); errors.Is(err, net.ErrClosed) {
			return nil
		}
	}
}

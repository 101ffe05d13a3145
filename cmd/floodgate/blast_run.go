package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"floodgate/internal/procfs"
	"floodgate/loadgen"
)

// blastGrace is how long a receiver that stays full may hold up the end.
const blastGrace = 10 * time.Second

// errGrace is why a burst was ended whose receiver stayed full.
var errGrace = fmt.Errorf("the receiver stayed full for %v after the end of the burst", blastGrace)

// blast sends the burst and prints the summary, also of one that was broken off.
func (a *app) blast(ctx context.Context, b burst) error {
	watch, err := watchSocket(b)
	if err != nil {
		return err
	}
	defer watch.close()
	sender, err := loadgen.Dial(ctx, b.network, b.address, b.dial)
	if errors.Is(err, loadgen.ErrRemote) {
		return &usageError{remoteHint(err)}
	}
	if err != nil {
		return err
	}
	defer sender.Close()
	corpus, err := loadgen.NewCorpus(ctx, b.corpus)
	if err != nil {
		return err
	}
	config := loadgen.DefaultConfig()
	config.Schedule, config.Corpus, config.Sender = b.schedule, corpus, sender
	generator, err := loadgen.New(config)
	if err != nil {
		return err
	}
	start := time.Now().Add(10 * time.Millisecond)
	if !b.startAt.IsZero() {
		if late := time.Since(b.startAt); late >= 0 {
			return fmt.Errorf("cannot start at %s: the messages were ready %v after that; choose a later instant", b.startAt.Format(time.RFC3339), late.Round(time.Millisecond))
		}
		start = b.startAt
	}

	limited, cancel := context.WithDeadlineCause(ctx, start.Add(b.over+blastGrace), errGrace)
	defer cancel()
	stop := a.liveLine(generator, watch, corpus.Messages(), start)
	result, runErr := generator.Run(limited, start)
	stop()
	dropped := watch.drops()
	if result.OfferedMessages == 0 && runErr != nil && ctx.Err() == nil {
		return runErr
	}
	s, err := newBlastSummary(b, corpus, result, dropped)
	if err != nil {
		return errors.Join(runErr, err)
	}
	s.Interrupted = ctx.Err() != nil
	if err := s.print(a.stdout, b.json); err != nil {
		return errors.Join(runErr, err)
	}
	return runErr
}

// socketWatch reads what the kernel dropped at the UDP socket that is sent to. A
// nil one knows nothing.
type socketWatch struct {
	reader *procfs.UDPReader
	before int64
}

// watchSocket returns nil where the socket cannot be watched: it is another
// machine's, no UDP, or the system does not tell. It returns an error where
// nobody listens.
func watchSocket(b burst) (*socketWatch, error) {
	if b.network != loadgen.UDP {
		return nil, nil
	}
	to, err := net.ResolveUDPAddr("udp", b.address)
	if err != nil || !to.IP.IsLoopback() {
		return nil, nil // for Dial to say
	}
	reader, err := procfs.OpenUDPReader(to.Port)
	if err != nil {
		return nil, nil // another system than Linux
	}
	w := &socketWatch{reader: reader}
	now, err := reader.Read()
	switch {
	case err != nil:
		w.close()
		return nil, nil
	case now.Sockets == 0:
		w.close()
		return nil, fmt.Errorf("cannot send to %s: nobody listens on UDP port %d of this machine", b.url, to.Port)
	}
	w.before = now.Drops
	return w, nil
}

// drops is how many datagrams the socket dropped since the watch began; nil
// where that is not known.
func (w *socketWatch) drops() *int64 {
	if w == nil {
		return nil
	}
	now, err := w.reader.Read()
	if err != nil {
		return nil
	}
	n := now.Drops - w.before
	return &n
}

func (w *socketWatch) close() {
	if w != nil {
		w.reader.Close()
	}
}

// liveInterval is how often the line is written anew.
const liveInterval = 200 * time.Millisecond

// liveLine shows on a terminal how far the burst is, until stop is called, which
// returns when it will not write any more and leaves the line empty.
func (a *app) liveLine(g *loadgen.Generator, watch *socketWatch, total int64, start time.Time) (stop func()) {
	if !isTerminal(a.stderr) || os.Getenv("TERM") == "dumb" {
		return func() {}
	}
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(liveInterval)
		defer tick.Stop()
		var before loadgen.Progress
		at := start
		for {
			select {
			case now := <-tick.C:
				p := g.Progress()
				state := liveState{progress: p, total: total, until: start.Sub(now), late: g.Late(), dropped: watch.drops()}
				if elapsed := now.Sub(at); elapsed > 0 {
					state.rate = float64(p.SentMessages-before.SentMessages) / elapsed.Seconds()
				}
				if now.After(start) {
					before, at = p, now
				}
				fmt.Fprint(a.stderr, "\r\x1b[K", state.line(width(a.stderr)))
			case <-quit:
				fmt.Fprint(a.stderr, "\r\x1b[K")
				return
			}
		}
	}()
	return func() {
		close(quit)
		<-done
	}
}

// liveState is what the live line tells of.
type liveState struct {
	progress loadgen.Progress
	total    int64
	rate     float64       // messages a second since the last line
	until    time.Duration // the start; not above 0 afterwards
	late     time.Duration // the last batch
	dropped  *int64        // datagrams; nil when unknown
}

// line is the state, cut to the columns where those are known.
func (s liveState) line(columns int) string {
	if s.until > 0 {
		return cut(fmt.Sprintf("starts in %v", s.until.Round(100*time.Millisecond)), columns)
	}
	line := fmt.Sprintf("%s of %s sent  %s/s  %v late", grouped(s.progress.SentMessages), grouped(s.total),
		grouped(int64(s.rate)), s.late.Round(time.Microsecond))
	if s.dropped != nil {
		line += fmt.Sprintf("  kernel dropped %s", grouped(*s.dropped))
	}
	return cut(line, columns)
}

func cut(line string, columns int) string {
	if columns > 0 && len(line) >= columns {
		return line[:columns-1]
	}
	return line
}

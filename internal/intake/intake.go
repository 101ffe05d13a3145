// Package intake is the counting sink that a target flushes to. It takes series,
// sketches, events and service checks over HTTP, loses none of them, and counts
// what it took:
//
//	Requests     uploads taken, of whatever kind, without the duplicates
//	Bytes        their bodies, compressed
//	Connections  opened to the intake since it was started
//	Duplicates   uploads with an Idempotency-Key seen before: acknowledged, not counted again
//	Refused      uploads answered with an error or cut off: nothing else is counted of them
//	Unknown      requests to other paths: acknowledged, thrown away, warned of
//	Invalid      uploads taken that turned out to be unreadable when decoded
//	Last         when the last upload of Requests had arrived
//
// So that it disturbs the target as little as it can while that is measured,
// a handler only moves the compressed body into the spool. Decoding waits until
// somebody calls Decode or DecodeAll; Totals is made to fold what it yields. The spool is
// bounded, in memory and in a temporary file beyond that; when both are full
// uploads are refused, which their sender sees.
//
// An acknowledged body that cannot be decoded is a hole in the accounts: both
// then fail, on that call and on every later one, and the replicate that it
// belongs to is invalid.
package intake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// stopGrace is how long uploads under way may take to finish once the intake is
// told to stop. They come from a target that has been stopped before, as a rule.
const stopGrace = time.Second

// Intake is one counting sink. Everything but Run may be called at any time,
// from any goroutine.
type Intake struct {
	config   Config
	listener *boundedListener
	created  time.Time // with a monotonic reading: all times are taken against it
	ran      atomic.Bool
	started  time.Time     // of Run; written before the first request
	arrivals atomic.Uint64 // requests that Faults have seen

	requests, bytes, connections, duplicates, refused, unknown, unreadable atomic.Int64

	last atomic.Int64 // nanoseconds since created; 0 is none

	spool spool
	notes notes

	decoding sync.Mutex // one Decode at a time
	invalid  []error    // guarded by decoding: the first few
}

// Activity is a cheap reading of what an intake has done so far. The package
// comment says what each counter means.
type Activity struct {
	Requests    int64
	Bytes       int64
	Connections int64
	Duplicates  int64
	Refused     int64
	Unknown     int64
	Invalid     int64
	Last        time.Time // zero before the first upload; with a monotonic clock reading
}

// New binds an intake to its address, so that URL is known, and starts nothing.
// Run has to be called once, if only with a context that has ended, to give the
// address back.
func New(config Config) (*Intake, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", config.Listen)
	if err != nil {
		return nil, fmt.Errorf("cannot open the intake: %w", err)
	}
	return &Intake{
		config:   config,
		listener: newBoundedListener(listener, config.MaxConnections),
		created:  time.Now(),
		spool:    spool{memoryLimit: config.SpoolBytes, diskLimit: config.SpillBytes},
	}, nil
}

// URL is where uploads go, without a path: http://127.0.0.1:4711.
func (i *Intake) URL() string { return "http://" + i.listener.Addr().String() }

// Run serves until ctx ends and then returns nil, after every connection has
// been closed and every goroutine has ended. Uploads under way get a second to
// finish; one that is cut off then was not acknowledged. What was taken can be
// decoded after Run, too. Run works once.
func (i *Intake) Run(ctx context.Context) error {
	if !i.ran.CompareAndSwap(false, true) {
		return errors.New("cannot run the intake: it ran before, open a new one")
	}
	i.started = time.Now()
	var open sync.WaitGroup
	server := &http.Server{
		Handler:           http.HandlerFunc(i.serve),
		ReadHeaderTimeout: 10 * time.Second,
		MaxHeaderBytes:    64 << 10,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          slog.NewLogLogger(slog.Default().Handler(), slog.LevelWarn),
		// Serve reports a connection as new before it starts the goroutine of it,
		// and as closed at the end of that goroutine.
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				i.connections.Add(1)
				open.Add(1)
			case http.StateClosed, http.StateHijacked:
				i.listener.release()
				open.Done()
			}
		},
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(i.listener) }()
	var err error
	select {
	case err = <-served:
		err = fmt.Errorf("cannot serve the intake on %s: %w", i.listener.Addr(), err)
	case <-ctx.Done():
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
		// Its error is only that the time was up; Close below ends what is left.
		_ = server.Shutdown(grace)
		cancel()
		<-served
	}
	_ = server.Close() // closing a listener twice is no failure worth a word
	open.Wait()
	return err
}

// Activity reads the counters. It takes no lock, so that it can be polled while
// a target is measured; an upload that is just being taken may show in one
// counter and not yet in the next.
func (i *Intake) Activity() Activity {
	a := Activity{
		Requests:    i.requests.Load(),
		Bytes:       i.bytes.Load(),
		Connections: i.connections.Load(),
		Duplicates:  i.duplicates.Load(),
		Refused:     i.refused.Load(),
		Unknown:     i.unknown.Load(),
		Invalid:     i.unreadable.Load(),
	}
	if last := i.last.Load(); last != 0 {
		a.Last = i.created.Add(time.Duration(last))
	}
	return a
}

// Warnings says in words what a reader of the counts has to know: requests that
// were acknowledged and thrown away, uploads that were refused other than by
// Faults, a spool that did not fit into memory. It is empty for a clean run.
func (i *Intake) Warnings() []string {
	warnings := i.notes.list()
	if spilled := i.spool.spilledSoFar(); spilled > 0 {
		warnings = append(warnings, fmt.Sprintf("%d uploads did not fit into the spool of %d bytes and went to a temporary file; nothing is lost", spilled, i.config.SpoolBytes))
	}
	return warnings
}

// notes counts remarks by their text, up to a number of different ones, because
// paths and headers come from outside.
type notes struct {
	mu    sync.Mutex
	count map[string]int64
}

const differentNotes = 64

func (n *notes) add(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.count == nil {
		n.count = make(map[string]int64)
	}
	if _, known := n.count[text]; !known && len(n.count) >= differentNotes {
		text = "further requests of other kinds"
	}
	n.count[text]++
}

func (n *notes) list() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var list []string
	for _, text := range slices.Sorted(maps.Keys(n.count)) {
		list = append(list, fmt.Sprintf("%s (%d times)", strings.TrimSpace(text), n.count[text]))
	}
	return list
}

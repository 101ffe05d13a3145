// Package intake is the counting sink that a target flushes to. It takes what
// servers send, loses none of it, and counts what it took:
//
//	Requests     uploads taken, of whatever kind, without the duplicates
//	Bytes        their bodies, compressed
//	Connections  opened to the intake since it was started
//	Duplicates   uploads with an Idempotency-Key seen before: acknowledged, not counted again
//	Refused      uploads answered with an error or cut off: nothing else is counted of them
//	Unknown      requests to other paths: acknowledged, thrown away, warned of
//	Invalid      uploads taken that turned out to be unreadable when decoded
//	Struck       uploads that Faults have seen, and what these did to them
//	Derived      series decoded that the mapping left out: they repeat others, or tell of the server
//	Last         when the last upload of Requests had arrived
//
// Over HTTP come Datadog's series (versions 1 and 2), sketches, events and
// service checks, InfluxDB lines and OTLP metrics. The other Sinks are there
// when they are asked for: Graphite lines over TCP, OTLP over gRPC, a target to
// scrape as Prometheus does, files that a target appends to; and ReadLines takes
// its output. What each leads to is said in package foreign. An upload is then a
// block of whole lines as it was read, a request, or a scrape.
//
// Uploads that are sent again count once where both tries carry the same
// Idempotency-Key. Senders of other formats have no such key: one that repeats
// an upload whose acknowledgement it missed counts twice, since two flushes may
// well have the same body. Cumulative series are safe: what comes again adds
// nothing.
//
// So that it disturbs the target as little as it can while that is measured,
// a handler only moves the compressed body into the spool. Decoding waits until
// somebody calls Decode or DecodeAll; Totals is made to fold what it yields. The spool is
// bounded, in memory and in a temporary file beyond that; when both are full
// uploads are refused, which their sender sees, except over ways without an
// answer: there it is warned of.
//
// An acknowledged body that cannot be decoded is a hole in the accounts: both
// then fail, on that call and on every later one, and the replicate that it
// belongs to is invalid. So is a line of a stream or of a file. An output may
// hold other lines, which are skipped and warned of.
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

	"golang.org/x/sync/errgroup"

	"floodgate/internal/payload/foreign"
)

// stopGrace is how long uploads under way may take to finish once the intake is
// told to stop. They come from a target that has been stopped before, as a rule.
const stopGrace = time.Second

// Intake is one counting sink. Everything but Run may be called at any time,
// from any goroutine.
type Intake struct {
	config   Config
	listener *boundedListener
	graphite *boundedListener // nil when not asked for
	otlp     *boundedListener // likewise, over gRPC
	scraper  *scraper         // likewise
	created  time.Time        // with a monotonic reading: all times are taken against it
	ran      atomic.Bool
	clock    faultClock

	requests, bytes, connections, duplicates, refused, unknown, unreadable, derived atomic.Int64

	last atomic.Int64 // nanoseconds since created; 0 is none

	spool spool
	notes notes

	decoding sync.Mutex // one Decode at a time
	invalid  []error    // guarded by decoding: the first few
	foreign  foreign.Decoder
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
	Derived     int64
	Struck      Struck
	Last        time.Time // zero before the first upload; with a monotonic clock reading
}

// New binds an intake to its addresses, so that they are known, and starts
// nothing. Run has to be called once, if only with a context that has ended, to
// give the addresses back.
func New(config Config) (*Intake, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	mapping, _ := foreign.MappingOf(config.Sinks.Mapping) // the config was validated
	i := &Intake{
		config:  config,
		created: time.Now(),
		spool:   spool{memoryLimit: config.SpoolBytes, diskLimit: config.SpillBytes},
		foreign: foreign.Decoder{Mapping: mapping, LineBytes: config.MaxLineBytes},
	}
	for _, l := range []struct {
		address string
		place   **boundedListener
	}{{config.Listen, &i.listener}, {config.Sinks.Graphite, &i.graphite}, {config.Sinks.OTLPGRPC, &i.otlp}} {
		if l.address == "" {
			continue
		}
		listener, err := net.Listen("tcp", l.address)
		if err != nil {
			i.close()
			return nil, fmt.Errorf("cannot open the intake: %w", err)
		}
		*l.place = newBoundedListener(listener, config.MaxConnections)
		(*l.place).accepted, (*l.place).slowRead, (*l.place).byPeer = &i.connections, config.Faults.SlowRead, l.place == &i.otlp
	}
	if config.Sinks.Scrape.URL != "" {
		i.scraper = newScraper(config.Sinks.Scrape)
	}
	return i, nil
}

// close gives the addresses back; once more is no harm.
func (i *Intake) close() {
	for _, l := range []*boundedListener{i.listener, i.graphite, i.otlp} {
		if l != nil {
			_ = l.Close() // what is closed already is no failure worth a word
		}
	}
}

// URL is where uploads go, without a path: http://127.0.0.1:4711.
func (i *Intake) URL() string { return "http://" + i.listener.Addr().String() }

// Graphite is the address that takes Graphite lines over TCP, 127.0.0.1:4712;
// empty when it was not asked for.
func (i *Intake) Graphite() string { return i.graphite.address() }

// OTLPGRPC is the address that takes OTLP over gRPC, 127.0.0.1:4713, without
// TLS; empty when it was not asked for. Over HTTP, OTLP goes to URL.
func (i *Intake) OTLPGRPC() string { return i.otlp.address() }

// Run serves until ctx ends and then returns nil, after every connection has
// been closed and every goroutine has ended. Uploads under way get a second to
// finish; one that is cut off then was not acknowledged. What was taken can be
// decoded after Run, too. Run works once. When one way in fails, all end, and
// its error is returned.
func (i *Intake) Run(ctx context.Context) error {
	if !i.ran.CompareAndSwap(false, true) {
		return errors.New("cannot run the intake: it ran before, open a new one")
	}
	defer i.close()
	if !i.config.FaultsWait {
		i.BeginFaults(time.Now())
	}
	ways, ctx := errgroup.WithContext(ctx)
	ways.Go(func() error { return i.serveHTTP(ctx) })
	if i.graphite != nil {
		ways.Go(func() error { return i.serveGraphite(ctx) })
	}
	if i.otlp != nil {
		ways.Go(func() error { return i.serveOTLP(ctx) })
	}
	if i.scraper != nil {
		ways.Go(func() error { return i.scrapeAtIntervals(ctx) })
	}
	for _, file := range i.config.Sinks.Files {
		ways.Go(func() error { return i.follow(ctx, file) })
	}
	return ways.Wait()
}

// serveHTTP takes uploads over HTTP until ctx ends.
func (i *Intake) serveHTTP(ctx context.Context) error {
	var open sync.WaitGroup
	server := &http.Server{
		Handler:           http.HandlerFunc(i.serve),
		ReadHeaderTimeout: 10 * time.Second,
		MaxHeaderBytes:    64 << 10,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext:       func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
		ErrorLog:          slog.NewLogLogger(slog.Default().Handler(), slog.LevelWarn),
		// Serve reports a connection as new before it starts the goroutine of it,
		// and as closed at the end of that goroutine.
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				open.Add(1)
			case http.StateClosed, http.StateHijacked:
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
		Derived:     i.derived.Load(),
		Struck:      i.clock.struck(),
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

func (n *notes) add(text string) { n.addSome(text, 1) }

func (n *notes) addSome(text string, count int64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.count == nil {
		n.count = make(map[string]int64)
	}
	if _, known := n.count[text]; !known && len(n.count) >= differentNotes {
		text = "further requests of other kinds"
	}
	n.count[text] += count
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

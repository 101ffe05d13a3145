package forward

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"floodgate/internal/payload"
	"floodgate/server/aggregate"
)

// Counters is what became of the messages and batches on their way to one
// intake. They only grow, but for Waiting and WaitingBytes, and can be read at
// any time.
type Counters struct {
	Uploaded      atomic.Int64 // messages that the intake acknowledged
	UploadFailed  atomic.Int64 // messages that were given up
	Batches       atomic.Int64 // acknowledged
	BatchesFailed atomic.Int64
	Retries       atomic.Int64
	Bytes         atomic.Int64 // compressed, acknowledged
	Waiting       atomic.Int64 // messages in batches that wait to be tried again
	WaitingBytes  atomic.Int64 // compressed, of these batches
}

// Forwarder uploads what cuts hold. Flush, Sketches, Events and Checks must be
// called from one goroutine at a time.
//
// There are two ways of retrying. Without Run each of these calls tries a batch
// until it is acknowledged or given up, and its caller waits. From the first
// call of Run on they try it once: what may still get through waits in a buffer
// of RetryBytes, from which Run sends it again, and the oldest batches give way
// to newer ones. Batches stay in order: as long as some wait, new ones line up
// behind them without a try of their own. Drain ends that.
//
// With several intakes each has its own buffer, its own retries and its own
// Counters, and none waits for another but for the first try, which goes to all
// at the same time. The first one, Config.URL, is the primary: the field
// Counters and the errors returned speak of it alone, so that a message is
// accounted for once. Endpoints has the others, too.
type Forwarder struct {
	Counters Counters // of the primary intake

	config    Config
	client    *http.Client
	endpoints []*endpoint // the primary first
	encoders  map[*route]*BatchEncoder
	running   atomic.Bool // Run is under way
	buffering atomic.Bool // Run was called
	proto     payload.SeriesProto
	ownHost   []byte   // Config.Host
	tags      [][]byte // scratch
	name      []byte   // scratch
	host      string   // the last that tags named
}

// Endpoint is one of the intakes of a Forwarder.
type Endpoint struct {
	URL      string
	Counters *Counters
}

// Endpoints returns the intakes, the primary first.
func (f *Forwarder) Endpoints() []Endpoint {
	list := make([]Endpoint, len(f.endpoints))
	for i, e := range f.endpoints {
		list[i] = Endpoint{e.url, e.counters}
	}
	return list
}

// New returns a Forwarder. It opens no connection before the first Flush.
func New(config Config) (*Forwarder, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	if config.Buffered && config.MaxRecords == 0 {
		config.MaxRecords = bufferedRecords
	}
	f := &Forwarder{
		config: config,
		client: &http.Client{
			Timeout: config.Timeout,
			Transport: &http.Transport{
				DisableCompression:  true,
				MaxIdleConnsPerHost: 2, // a first try and a retry
				IdleConnTimeout:     90 * time.Second,
			},
		},
		encoders: map[*route]*BatchEncoder{},
		ownHost:  []byte(config.Host),
	}
	f.endpoints = append(f.endpoints, newEndpoint(f, config.URL, &f.Counters))
	for _, u := range config.Also {
		f.endpoints = append(f.endpoints, newEndpoint(f, u, &Counters{}))
	}
	return f, nil
}

// Close gives the connections back. It sends nothing: see Drain.
func (f *Forwarder) Close() { f.client.CloseIdleConnections() }

// Flush encodes and uploads the series, sketches, events and service checks of
// the cut and releases it. Without Run it
// returns when everything was acknowledged or given up, with Run when everything
// was tried once or lined up. What was given up is counted, and the first error
// returned.
func (f *Forwarder) Flush(ctx context.Context, cut *aggregate.Cut) error {
	defer cut.Release()
	var lost losses
	f.flushSeries(ctx, cut.Each, &lost)
	f.flushSketches(ctx, cut.EachSketch, &lost)
	f.flushEvents(ctx, eventsOf(cut.Events), &lost)
	f.flushChecks(ctx, checksOf(cut.Checks), &lost)
	return lost.first
}

// losses keeps the first error of a flush.
type losses struct{ first error }

// keep returns the errors that end a stream. Those of uploads do not: they are
// counted, and the next batch may get through.
func (l *losses) keep(err error) error {
	if err != nil && l.first == nil {
		l.first = err
	}
	if errors.Is(err, ErrUpload) {
		return nil
	}
	return err
}

// upload sends a batch to all intakes and returns what became of it at the
// primary.
func (f *Forwarder) upload(ctx context.Context, to *route, b Batch) error {
	d := newDispatch(to, b)
	wait := f.buffering.Load()
	var others sync.WaitGroup
	for _, e := range f.endpoints[1:] {
		// Its errors are counted and logged; they are none of the caller's.
		others.Go(func() { _ = e.deliver(ctx, d, wait) })
	}
	err := f.endpoints[0].deliver(ctx, d, wait)
	others.Wait()
	return err
}

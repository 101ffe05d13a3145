package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"floodgate/server/forward"
)

// Server is the reference server. New binds its sockets, Run serves.
type Server struct {
	config  Config
	lanes   []*lane
	addrs   []net.Addr // one per Config.Listen
	flusher *flusher
	ballast ballast
}

// New binds the sockets and returns the server; it starts nothing. The sockets
// are closed by Run.
func New(config Config) (*Server, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	f, err := forward.New(config.Forward)
	if err != nil {
		return nil, err
	}
	s := &Server{config: config, flusher: newFlusher(f), ballast: ballast{percent: config.Ballast}}
	for _, listenURL := range config.Listen {
		if err := s.listen(listenURL); err != nil {
			for _, l := range s.lanes {
				l.close()
			}
			return nil, fmt.Errorf("cannot listen on %s: %w", listenURL, err)
		}
	}
	s.flusher.open(len(s.lanes))
	return s, nil
}

// listen adds the lanes of one address.
func (s *Server) listen(listenURL string) error {
	network, address, err := splitListen(listenURL)
	if err != nil {
		return err
	}
	shared := network == "udp" && s.config.Readers*s.config.Sockets > 1
	if shared {
		// A socket that shares its address would take its share of another server's
		// datagrams, where one that does not is refused.
		alone, err := net.ListenPacket("udp", address)
		if err != nil {
			return err
		}
		if err := alone.Close(); err != nil {
			return err
		}
	}
	first, err := newLane(&s.config, network, address, s.flusher, &s.ballast)
	if err != nil {
		return err
	}
	s.lanes = append(s.lanes, first)
	s.addrs = append(s.addrs, first.addr())
	if !shared {
		return nil
	}
	for range s.config.Readers - 1 {
		// The address as it was bound: the port that was asked for may be 0.
		l, err := newLane(&s.config, network, first.addr().String(), s.flusher, &s.ballast)
		if err != nil {
			return err
		}
		s.lanes = append(s.lanes, l)
	}
	if err := first.socket.spread(s.config.Readers * s.config.Sockets); err != nil {
		return fmt.Errorf("cannot spread datagrams over %d sockets: %w", s.config.Readers*s.config.Sockets, err)
	}
	return nil
}

// Addrs returns where the server listens, in the order of Config.Listen: the
// way to learn a port that was asked for as 0.
func (s *Server) Addrs() []net.Addr { return slices.Clone(s.addrs) }

// Run serves until ctx ends or a socket fails, then stops within the grace:
// every goroutine has ended when it returns, and everything accepted is
// uploaded or counted.
func (s *Server) Run(ctx context.Context) error {
	serve, stop := context.WithCancel(ctx)
	defer stop()
	// Uploads go on after ctx has ended, for the time of the grace.
	upload, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	context.AfterFunc(serve, func() {
		timer := time.AfterFunc(s.config.Grace, giveUp)
		context.AfterFunc(upload, func() { timer.Stop() })
	})

	var wg sync.WaitGroup
	failures := make([]error, len(s.lanes))
	for i, l := range s.lanes {
		wg.Go(func() {
			if failures[i] = l.run(serve); failures[i] != nil {
				stop() // one lane less is not what was asked for
			}
		})
	}
	var flushing sync.WaitGroup
	flushing.Go(func() { s.flusher.run(upload) })
	var retrying sync.WaitGroup
	retry, stopRetrying := context.WithCancel(upload)
	defer stopRetrying()
	forwarder := s.flusher.forward
	var retryFailure error
	retrying.Go(func() { retryFailure = forwarder.Run(retry) })
	wg.Wait()
	close(s.flusher.in)
	flushing.Wait()
	stopRetrying()
	retrying.Wait()
	if err := forwarder.Drain(upload); err != nil {
		slog.Warn("not everything was uploaded", "err", err) // counted as upload_failed
	}
	forwarder.Close()
	return errors.Join(append(failures, retryFailure)...)
}

// Processors is how many goroutines of the server keep a processor (in the
// sense of GOMAXPROCS) for themselves while there is traffic: the program should
// have as many more, or its other goroutines wait for them.
func (s *Server) Processors() int { return len(s.lanes) }

// Handler serves the statistics: /stats as JSON, /metrics in Prometheus' text
// format. Anything else is not found.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(s.Statistics())
	})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		s.Statistics().WritePrometheus(w)
	})
	return mux
}

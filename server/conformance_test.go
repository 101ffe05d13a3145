package server_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"floodgate/server"
	"floodgate/server/servertest"
)

// run runs a server until stop, or to the end of the test.
func run(t *testing.T, c server.Config) (s *server.Server, stop func()) {
	t.Helper()
	s, err := server.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return s, stop
}

// until polls until the condition holds.
func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	limit, again := time.NewTimer(15*time.Second), time.NewTicker(time.Millisecond)
	defer limit.Stop()
	defer again.Stop()
	for !condition() {
		select {
		case <-again.C:
		case <-limit.C:
			t.Fatalf("never happened: %s", what)
		}
	}
}

// inProcess starts a server of this process with what its program has around
// it: the statistics endpoint and the file of the final statistics.
func inProcess(config server.Config) servertest.Start {
	return func(t *testing.T, e servertest.Endpoints) func() {
		c := config
		c.Listen, c.Forward.URL, c.Aggregate.Interval = []string{e.Listen}, e.Intake, e.FlushInterval
		listener, err := net.Listen("tcp", e.Stats)
		if err != nil {
			t.Fatal(err)
		}
		s, stop := run(t, c)
		statistics := &http.Server{Handler: s.Handler()}
		served := make(chan struct{})
		go func() { statistics.Serve(listener); close(served) }()
		return func() {
			stop()
			statistics.Close()
			<-served
			st, err := s.FinalStatistics()
			if err != nil {
				t.Error(err)
			}
			text, err := json.Marshal(st)
			if err != nil {
				t.Error(err)
			}
			if err := os.WriteFile(e.StatsFile, text, 0o600); err != nil {
				t.Error(err)
			}
		}
	}
}

// modes visits all combinations of the two switches.
func modes(visit func(name string, reader server.Reader, flush server.Flush)) {
	for _, reader := range []server.Reader{server.Coupled, server.Decoupled} {
		for _, flush := range []server.Flush{server.Sync, server.AsyncCopy, server.Async} {
			visit(string(reader)+","+string(flush), reader, flush)
		}
	}
}

// TestConformance holds the server to all of the target contract, in every mode
// over a unix datagram socket, and over the other sockets in the modes in which
// their readers differ.
func TestConformance(t *testing.T) {
	const bufferSize = 4096 // below the default, so that the queue is small
	modes(func(name string, reader server.Reader, flush server.Flush) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := server.Default()
			c.Reader, c.Flush, c.BufferSize, c.QueueSize = reader, flush, bufferSize, 256
			sockets := []string{"unixgram"}
			if flush == server.Async {
				sockets = append(sockets, "udp", "unixstream")
			}
			servertest.Run(t, servertest.All(bufferSize, sockets...), inProcess(c))
		})
	})
}

// Command refserver is Floodgate's reference DogStatsD server.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"floodgate/server"
)

// Exit codes.
const (
	exitOK      = 0
	exitFailed  = 1 // it served, and something went wrong
	exitRefused = 2 // usage, configuration, or a socket that cannot be had
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.LookupEnv, os.Stdout, os.Stderr))
}

// run is the program without its process: it serves until ctx ends.
func run(ctx context.Context, args []string, env func(string) (string, bool), stdout, stderr io.Writer) int {
	slog.SetDefault(slog.New(slog.NewTextHandler(stderr, nil)))
	if len(args) > 0 && args[0] == "symdb" {
		return runSymdb(ctx, args[1:], stdout, stderr)
	}
	opts, err := parseOptions(args, env, stdout)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return exitOK
	case err != nil:
		fmt.Fprintf(stderr, "refserver: %v\n", err)
		return exitRefused
	case opts.version:
		fmt.Fprintln(stdout, version())
		return exitOK
	}
	s, err := server.New(opts.config)
	if err != nil {
		fmt.Fprintf(stderr, "refserver: %v\n", err)
		return exitRefused
	}
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + s.Processors())
	// The statistics stay readable until the last message is uploaded.
	stopStats, err := serveStatistics(opts.stats, s.Handler())
	if err != nil {
		fmt.Fprintf(stderr, "refserver: %v\n", err)
		return exitRefused
	}
	defer stopStats()
	stopProfile, err := profile(opts.profile)
	if err != nil {
		fmt.Fprintf(stderr, "refserver: %v\n", err)
		return exitRefused
	}
	defer stopProfile()
	for _, addr := range s.Addrs() {
		slog.Info("listening", "network", addr.Network(), "address", addr.String(), "reader", opts.config.Reader, "flush", opts.config.Flush)
	}
	code := exitOK
	if err := s.Run(ctx); err != nil {
		slog.Error("stopped", "err", err)
		code = exitFailed
	}
	if err := writeStatistics(opts.statsFile, s); err != nil {
		slog.Error("statistics lost", "err", err)
		code = exitFailed
	}
	return code
}

// serveStatistics serves the statistics endpoint and returns what stops it.
func serveStatistics(address string, statistics http.Handler) (stop func(), err error) {
	if address == "" {
		return func() {}, nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot serve statistics on %s: %w", address, err)
	}
	slog.Info("statistics", "url", "http://"+listener.Addr().String()+"/stats")
	endpoint := &http.Server{Handler: statistics, ReadHeaderTimeout: 5 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		endpoint.Serve(listener)
	}()
	return func() {
		endpoint.Close()
		<-done
	}, nil
}

// profile starts a CPU profile and returns what ends it.
func profile(path string) (stop func(), err error) {
	if path == "" {
		return func() {}, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("cannot write a CPU profile: %w", err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot write a CPU profile: %w", err)
	}
	return func() {
		pprof.StopCPUProfile()
		if err := f.Close(); err != nil {
			slog.Error("CPU profile lost", "err", err)
		}
	}, nil
}

// writeStatistics leaves the final statistics behind, for whoever wants the
// ledger of a server that has ended.
func writeStatistics(path string, s *server.Server) error {
	if path == "" {
		return nil
	}
	st, err := s.FinalStatistics()
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(st, "", "  ")
	if err != nil {
		return err
	}
	// Whoever reads it must not find half of it.
	temporary := path + ".tmp"
	if err := os.WriteFile(temporary, append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "refserver (unknown build)"
	}
	revision := "unknown revision"
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			revision = s.Value
		}
	}
	return fmt.Sprintf("refserver %s, %s", revision, info.GoVersion)
}

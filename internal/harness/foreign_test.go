package harness

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"floodgate/internal/record"
	"floodgate/internal/target"
	"floodgate/scenarios"
)

// behaveForeign is a server that does nothing but listen; one that tells also
// counts lines, in the text format of Prometheus. It ends the process.
func behaveForeign(flags map[string]string, telling bool) {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGINT) // SIGTERM would kill it
	var datagrams, lines atomic.Int64
	listen(flags["listen"], func(payload []byte) {
		datagrams.Add(1)
		lines.Add(int64(1 + bytes.Count(bytes.TrimSpace(payload), []byte("\n"))))
	})
	if telling {
		go http.ListenAndServe(flags["stats"], http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			n := lines.Load() // once: more may come between two readings
			fmt.Fprintf(w, "packets_total %d\nlines_total %d\nlines_done_total %d\n", datagrams.Load(), n, n)
		}))
	}
	fmt.Println("server is up")
	<-asked
	os.Exit(0)
}

// listen hands on what arrives: datagrams, frames or lines.
func listen(url string, take func(payload []byte)) {
	network, address, _ := strings.Cut(url, "://")
	if network == "udp" || network == "unixgram" {
		socket, err := net.ListenPacket(network, address)
		if err != nil {
			panic(err)
		}
		go func() {
			for buffer := make([]byte, 1<<16); ; {
				n, _, err := socket.ReadFrom(buffer)
				if err != nil {
					return
				}
				take(buffer[:n])
			}
		}()
		return
	}
	listener, err := net.Listen(map[string]string{"unixstream": "unix", "tcp": "tcp"}[network], address)
	if err != nil {
		panic(err)
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				for from := bufio.NewReader(conn); ; {
					payload, err := readPayload(from, network)
					if err != nil {
						return
					}
					take(payload)
				}
			}()
		}
	}()
}

// readPayload reads a frame with its length in front, or a line.
func readPayload(from *bufio.Reader, network string) ([]byte, error) {
	if network == "tcp" {
		return from.ReadBytes('\n')
	}
	var length [4]byte
	if _, err := io.ReadFull(from, length[:]); err != nil {
		return nil, err
	}
	payload := make([]byte, binary.LittleEndian.Uint32(length[:]))
	_, err := io.ReadFull(from, payload)
	return payload, err
}

// foreigner describes the test's own program as a foreign target.
func foreigner(t *testing.T, more string) Variant {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	description, err := scenarios.ParseTarget("", []byte(`
name: foreigner
description: It does nothing but listen.
binary: foreigner
command: ['--listen={{.Listen}}', '--stats={{.Stats}}']
transports: [udp, unixgram, unixstream, tcp]
stop: INT
sink: none
capabilities: {tags: true}
`+more))
	if err != nil {
		t.Fatal(err)
	}
	return Variant{Role: record.Candidate, Path: self, Target: &description}
}

// TestForeignTarget takes servers that know nothing of the contract through the
// harness: whatever is known of their losses has its place, and nothing else.
func TestForeignTarget(t *testing.T) {
	const telling = `
statistics:
  url: http://{{.Stats}}/
  format: prometheus
  every: 100ms
  map: {datagrams: packets_total, received: lines_total, aggregated: lines_done_total}
`
	for _, c := range []struct {
		why, more, manners string
		transport          scenarios.Transport
		known              bool // what was lost
		unattributed       int64
	}{
		{"it only listens, on a UDP port", "", "foreign", scenarios.UDP, false, 1000},
		{"it only listens, at a unix socket", "", "foreign", scenarios.Unixgram, false, 1000},
		{"it only listens, at a stream socket", "", "foreign", scenarios.UnixStream, false, 1000},
		{"it only listens, on a TCP port", "", "foreign", scenarios.TCP, false, 1000},
		{"it is ready when it says so", "ready: {output: server is up}", "foreign", scenarios.Unixgram, false, 1000},
		{"it tells its own figures", "ready: {tcp: '{{.Stats}}'}" + telling, "foreign and telling", scenarios.Unixgram, true, 0},
		{"it tells the figures of its streams", telling, "foreign and telling", scenarios.UnixStream, true, 0},
		{"it tells the figures of its connections", telling, "foreign and telling", scenarios.TCP, true, 0},
		{"it is ready when it answers", "ready: {http: 'http://{{.Stats}}'}" + telling, "foreign and telling", scenarios.Unixgram, true, 0},
	} {
		t.Run(strings.ReplaceAll(c.why, " ", "_"), func(t *testing.T) {
			t.Parallel() // they mostly wait
			config := badlyMannered(t, c.manners)
			config.Variants = []Variant{foreigner(t, c.more)}
			config.Variants[0].Options = target.Options{{Key: mannersVariable, Value: c.manners}}
			config.Scenarios[0].Load.Transport = c.transport
			config.Scenarios[0].Limits.Drain = 5e9
			records, err := Run(t.Context(), config)
			if err != nil {
				t.Fatal(err)
			}
			last := records[len(records)-1]
			if last.Invalid != "" {
				t.Fatalf("invalid: %s", last.Invalid)
			}
			l := last.Ledger
			if l.Delivered != nil || l.LossKnown() != c.known || l.KernelDropped == nil && c.transport == scenarios.UDP {
				t.Errorf("ledger %+v", l)
			}
			dropped := value(l.KernelDropped)
			if l.Unattributed != c.unattributed-min(dropped, c.unattributed) || c.known && *l.Aggregated != 1000 {
				t.Errorf("ledger %+v: want each of 1000 messages at its place", l)
			}
			if _, measured := last.Measure("lost_messages"); measured != c.known {
				t.Errorf("lost_messages is measured: %v, want %v", measured, c.known)
			}
			for _, name := range []string{"intake_bytes", "delivered_messages", "wrong_values"} {
				if _, measured := last.Measure(name); measured {
					t.Errorf("%s was measured, though nothing was counted", name)
				}
			}
			warnings := strings.Join(last.Warnings, "; ")
			if !strings.Contains(warnings, "the output of target foreigner is not counted") || strings.Contains(warnings, "did not end well") || strings.Contains(warnings, "had not drained") {
				t.Errorf("warnings %q", warnings)
			}
		})
	}
}

// TestPresetsLive takes every described server whose program is here through a
// small load. It proves that the descriptions work, not how fast anything is.
func TestPresetsLive(t *testing.T) {
	if testing.Short() {
		t.Skip("starts other programs")
	}
	all, err := scenarios.Targets("")
	if err != nil {
		t.Fatal(err)
	}
	peers, err := filepath.Abs("../../bin/peers")
	if err != nil {
		t.Fatal(err)
	}
	finder := Finder{RefServer: filepath.Join(filepath.Dir(peers), "refserver"), Peers: peers}
	for _, x := range all {
		t.Run(x.Name, func(t *testing.T) {
			t.Parallel() // they mostly wait
			v, err := finder.Variant(record.Candidate, "target:"+x.Name)
			if err != nil {
				t.Skip(err)
			}
			for _, transport := range x.Transports {
				config := badlyMannered(t, "")
				config.Variants, config.Adapt = []Variant{v}, true
				s := &config.Scenarios[0]
				s.Load.Transport, s.Limits.Drain, s.Limits.Stop, s.Limits.WarmUp = transport, 20e9, 10e9, 100e6
				s.Target.FlushInterval = 1e9
				records, err := Run(t.Context(), config)
				if err != nil {
					t.Fatal(err)
				}
				last := records[len(records)-1]
				if last.Invalid != "" {
					t.Errorf("%s: invalid: %s\n%s", transport, last.Invalid, last.LastWords)
				}
				t.Logf("%s: %+v, warnings %q", transport, last.Ledger, last.Warnings)
			}
		})
	}
}

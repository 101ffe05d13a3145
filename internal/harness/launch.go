package harness

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"floodgate/internal/record"
	"floodgate/internal/target"
	"floodgate/scenarios"
)

// addresses are where one replicate's target listens.
type addresses struct {
	transport scenarios.Transport
	load      string // URL of the socket under load
	host      string // of it; empty for the loopback
	port      int    // of it, 0 for a unix socket
	socket    string // its path, empty for UDP and TCP
	own       int    // TCP port of the target's own endpoint, for statistics and readiness
	file      string // of the final statistics
}

// newAddresses picks free ports, and files in dir. Where listen is a host and a
// port, the socket under load is there.
func newAddresses(transport scenarios.Transport, dir, listen string) (addresses, error) {
	a := addresses{transport: transport, file: filepath.Join(dir, "stats.json")}
	if transport == scenarios.Unixgram || transport == scenarios.UnixStream {
		a.socket = filepath.Join(dir, "target.sock")
		if len(a.socket) > longestSocketPath {
			return a, fmt.Errorf("cannot make a unix socket at %s: its path has %d bytes and may have %d, set TMPDIR to a shorter folder", a.socket, len(a.socket), longestSocketPath)
		}
		a.load = string(transport) + "://" + a.socket
	} else if listen != "" {
		host, port, err := splitListen(listen)
		if err != nil {
			return a, err
		}
		a.host, a.port, a.load = host, port, string(transport)+"://"+listen
	} else {
		port, err := target.FreePort(loopback, string(transport))
		if err != nil {
			return a, err
		}
		a.port = port
		a.load = string(transport) + "://" + net.JoinHostPort(loopback, strconv.Itoa(port))
	}
	for {
		own, err := target.FreePort(loopback, "tcp")
		if a.own = own; err != nil || own != a.port {
			return a, err
		}
	}
}

// udp is the UDP port under load, of whose socket the kernel tells; 0 where there
// is none.
func (a addresses) udp() int {
	if a.transport != scenarios.UDP {
		return 0
	}
	return a.port
}

// to is the URL that this machine reaches the socket under load by.
func (a addresses) to() string {
	if ip := net.ParseIP(a.host); ip != nil && ip.IsUnspecified() {
		return string(a.transport) + "://" + net.JoinHostPort(loopback, strconv.Itoa(a.port))
	}
	return a.load
}

const loopback = "127.0.0.1"

// longestSocketPath is what every system takes: macOS, with 104 bytes and a zero
// at the end, has the least.
const longestSocketPath = 103

// start is everything that starting a variant's program takes.
type start struct {
	command    target.Command
	files      []scenarios.TargetFile // to write into its folder first
	ready      string                 // what its readiness is told by
	statistics string                 // URL; empty when it has none
	warnings   []string
}

// counters are where the output of a target is counted.
type counters struct {
	url      string // of the intake, without a path
	graphite string // host:port; empty where it was not asked for
}

// start fills in the variant's description for a scenario.
func (v Variant) start(setup scenarios.TargetSetup, a addresses, at counters, dir string) (start, error) {
	description := v.description()
	l := v.launch(setup, a, dir)
	intake, err := url.Parse(at.url)
	if err != nil {
		return start{}, err
	}
	l.Intake, l.IntakeHost = at.url, intake.Hostname()
	l.IntakePort, _ = strconv.Atoi(intake.Port())
	if at.graphite != "" {
		_, port, err := net.SplitHostPort(at.graphite)
		if err != nil {
			return start{}, err
		}
		l.GraphitePort, _ = strconv.Atoi(port)
		l.GraphiteHost = loopback
	}
	filled, err := description.Render(l)
	if err != nil {
		return start{}, err
	}
	s := start{
		command: target.Command{Path: v.Path, Dir: dir, Args: filled.Args, Stop: signals[description.Stop]},
		files:   filled.Files, ready: filled.Ready, statistics: filled.Statistics,
		warnings: unheard(description, l),
	}
	s.command.Env = v.environment(filled.Environment)
	return s, nil
}

// launch is what the templates of the description may use, but for the intake.
func (v Variant) launch(setup scenarios.TargetSetup, a addresses, dir string) scenarios.Launch {
	l := scenarios.Launch{
		Transport: a.transport, Listen: a.load, Port: a.port, Socket: a.socket,
		Stats: net.JoinHostPort(loopback, strconv.Itoa(a.own)), StatsHost: loopback, StatsPort: a.own, StatsFile: a.file,
		Dir: dir, FlushInterval: setup.FlushInterval, ReceiveBuffer: setup.ReceiveBuffer,
		Options: map[string]string{}, FreeTCP: func() (int, error) { return target.FreePort(loopback, "tcp") },
	}
	if a.port != 0 {
		l.Host = cmp.Or(a.host, loopback)
	}
	for _, o := range v.Options {
		if !isVariable(o.Key) {
			l.Options[o.Key] = o.Value
		}
	}
	return l
}

// environment is that of the description, where the variant says nothing else.
func (v Variant) environment(described []scenarios.TargetVariable) []string {
	values := map[string]string{}
	for _, x := range described {
		values[x.Name] = x.Value
	}
	for _, o := range v.Options {
		if isVariable(o.Key) {
			values[o.Key] = o.Value
		}
	}
	var env []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		env = append(env, name+"="+values[name])
	}
	return env
}

// unheard says what of the scenario's set-up does not reach the target.
func unheard(t *scenarios.Target, l scenarios.Launch) []string {
	var warnings []string
	buffer, flush := t.Heeds(l)
	if l.ReceiveBuffer > 0 && !buffer {
		warnings = append(warnings, fmt.Sprintf("target %s has no setting for its receive buffer: it has the system's, not the scenario's", t.Name))
	}
	// Where nothing is counted it changes nothing, and a scrape keeps the interval.
	if !flush && t.Sink != scenarios.SinkNone && t.Sink != scenarios.SinkPrometheus {
		warnings = append(warnings, fmt.Sprintf("target %s has no setting for its flush interval: it has its own, not the scenario's", t.Name))
	}
	return warnings
}

// signals are those that a description may name.
var signals = map[string]syscall.Signal{
	"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "QUIT": syscall.SIGQUIT, "HUP": syscall.SIGHUP,
}

// writeFiles puts the files of a start into the target's folder.
func (s *start) writeFiles() error {
	for _, f := range s.files {
		if err := os.WriteFile(filepath.Join(s.command.Dir, f.Name), []byte(f.Text), 0o600); err != nil {
			return fmt.Errorf("cannot write a file for the target: %w", err)
		}
	}
	return nil
}

// notEngaged compares what the variant asks for with what the target says it
// does: a switch that is ignored would make a comparison of nothing.
func (v Variant) notEngaged(s *Statistics) []string {
	if s == nil {
		return nil
	}
	var faults []string
	for key, told := range map[string]*string{"reader": s.Reader, "flush": s.Flush} {
		if asked, set := v.Options.Get(key); set && told != nil && *told != asked {
			faults = append(faults, fmt.Sprintf("%s=%s was asked for, the target says %s", key, asked, *told))
		}
	}
	slices.Sort(faults)
	return faults
}

// isVariable reports whether a key is an environment variable.
func isVariable(key string) bool { return key != "" && key == strings.ToUpper(key) }

// record is the variant as a record keeps it.
func (v Variant) record() record.Variant { return record.Variant{Role: v.Role, Spec: v.Spec} }

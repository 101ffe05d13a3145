package harness

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"floodgate/internal/record"
	"floodgate/internal/target"
	"floodgate/scenarios"
)

// Variant is one of the servers being compared, resolved to a program.
type Variant struct {
	Role    string // record.Baseline or record.Candidate
	Spec    string // as the user wrote it
	Path    string // of the program
	Options target.Options
}

// options are the keys a variant may set, besides environment variables, which
// are written in capitals. Each is a flag of the reference server.
var options = []string{"reader", "flush", "queue_size", "buffer_size", "max_context_keys", "max_set_members", "encoding", "threshold", "retry_bytes", "format", "buffered", "symdb", "cpu_profile"}

// NewVariant resolves what the user wrote for a role. refserver is the path of
// the reference server.
func NewVariant(role, spec, refserver string) (Variant, error) {
	parsed, err := target.ParseVariant(spec)
	if err != nil {
		return Variant{}, err
	}
	v := Variant{Role: role, Spec: spec, Options: parsed.Options}
	switch parsed.Kind {
	case target.RefServer:
		v.Path = refserver
	case target.Binary:
		v.Path = parsed.Name
	default:
		return Variant{}, fmt.Errorf("cannot run variant %q: %s: variants are not supported by this version, use refserver or bin:PATH", spec, parsed.Kind)
	}
	for _, o := range parsed.Options {
		if !isVariable(o.Key) && !slices.Contains(options, o.Key) {
			return Variant{}, fmt.Errorf("cannot run variant %q: unknown option %q, allowed are %s, and environment variables in capitals such as GOGC",
				spec, o.Key, strings.Join(options, ", "))
		}
	}
	info, err := os.Stat(v.Path)
	switch {
	case err != nil && parsed.Kind == target.RefServer:
		return Variant{}, fmt.Errorf("cannot run variant %q: no reference server at %s: build it with make build, or name it with --refserver", spec, v.Path)
	case err != nil:
		return Variant{}, fmt.Errorf("cannot run variant %q: %w", spec, err)
	case info.IsDir() || info.Mode()&0o111 == 0:
		return Variant{}, fmt.Errorf("cannot run variant %q: %s is not an executable file", spec, v.Path)
	}
	return v, nil
}

// isVariable reports whether a key is an environment variable.
func isVariable(key string) bool { return key != "" && key == strings.ToUpper(key) }

// addresses are where one replicate's target listens.
type addresses struct {
	load  string // URL of the socket under load
	port  int    // of it, 0 for a unix socket
	stats string // URL of the statistics
	file  string // of the final statistics
}

// newAddresses picks free ports, and files in dir.
func newAddresses(transport scenarios.Transport, dir string) (addresses, error) {
	a := addresses{file: filepath.Join(dir, "stats.json")}
	if transport == scenarios.Unixgram {
		path := filepath.Join(dir, "target.sock")
		if len(path) > longestSocketPath {
			return a, fmt.Errorf("cannot make a unix socket at %s: its path has %d bytes and may have %d, set TMPDIR to a shorter folder", path, len(path), longestSocketPath)
		}
		a.load = "unixgram://" + path
	} else {
		port, err := target.FreePort(loopback, "udp")
		if err != nil {
			return a, err
		}
		a.port = port
		a.load = "udp://" + net.JoinHostPort(loopback, strconv.Itoa(port))
	}
	port, err := target.FreePort(loopback, "tcp")
	a.stats = "http://" + net.JoinHostPort(loopback, strconv.Itoa(port)) + "/stats"
	return a, err
}

const loopback = "127.0.0.1"

// longestSocketPath is what every system takes: macOS, with 104 bytes and a zero
// at the end, has the least.
const longestSocketPath = 103

// command is how the variant's program is started for a scenario: the flags of
// the reference server, which a program named by bin: must understand as well.
func (v Variant) command(setup scenarios.TargetSetup, a addresses, intakeURL, dir string) target.Command {
	if mode, symbols := v.Options.Get("symdb"); symbols {
		return v.symbolCommand(mode, a, intakeURL, dir)
	}
	c := target.Command{Path: v.Path, Dir: dir, Args: []string{
		"--listen=" + a.load,
		"--intake=" + intakeURL,
		"--stats=" + strings.TrimSuffix(strings.TrimPrefix(a.stats, "http://"), "/stats"),
		"--stats-file=" + a.file,
		"--flush-interval=" + setup.FlushInterval.String(),
	}}
	if setup.ReceiveBuffer > 0 {
		c.Args = append(c.Args, "--receive-buffer="+strconv.FormatInt(setup.ReceiveBuffer, 10))
	}
	for _, o := range v.Options {
		if isVariable(o.Key) {
			c.Env = append(c.Env, o.Key+"="+o.Value)
		} else {
			c.Args = append(c.Args, "--"+strings.ReplaceAll(o.Key, "_", "-")+"="+o.Value)
		}
	}
	return c
}

// symbolCommand starts a symbol upload in place of a server. It begins at once
// and lingers when it is done, to be watched.
func (v Variant) symbolCommand(mode string, a addresses, intakeURL, dir string) target.Command {
	c := target.Command{Path: v.Path, Dir: dir, Args: []string{"symdb", "--linger", "--mode=" + mode, "--intake=" + intakeURL,
		"--stats=" + strings.TrimSuffix(strings.TrimPrefix(a.stats, "http://"), "/stats"), "--stats-file=" + a.file}}
	for _, o := range v.Options {
		if isVariable(o.Key) {
			c.Env = append(c.Env, o.Key+"="+o.Value)
		}
	}
	return c
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

// allot picks the cores for a target that is confined: the last ones, because
// the first serve most interrupts. The warning says why there are none.
func allot(n int) (cpus []int, warning string) {
	if n == 0 {
		return nil, ""
	}
	allowed, err := target.AllowedCPUs()
	if err != nil {
		return nil, fmt.Sprintf("the target was not confined to %d cores: %v", n, err)
	}
	if n > len(allowed) {
		return nil, fmt.Sprintf("the target was not confined to %d cores: this host has %d", n, len(allowed))
	}
	return allowed[len(allowed)-n:], ""
}

// record is the variant as a record keeps it.
func (v Variant) record() record.Variant { return record.Variant{Role: v.Role, Spec: v.Spec} }

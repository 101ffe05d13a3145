package main

import (
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		why  string
		args string
		env  map[string]string
		// one of these two
		fault string
		check func(options) bool
	}{
		{why: "the intake is all that must be given", args: "--intake http://127.0.0.1:1",
			check: func(o options) bool { return o.config.QueueSize == 1024 && o.config.BufferSize == 8192 }},
		{why: "without one there is nothing to do", args: "", fault: "want --intake URL"},
		{why: "a queue of 0 in the environment has always meant the default", args: "--intake x", env: map[string]string{"DD_DOGSTATSD_QUEUE_SIZE": "0"},
			check: func(o options) bool { return o.config.QueueSize == 1024 }},
		{why: "in a flag it is taken for what it says, and refused later", args: "--intake x --queue-size 0",
			check: func(o options) bool { return o.config.QueueSize == 0 && o.config.Validate() != nil }},
		{why: "the environment sets what agents share", args: "--intake x",
			env: map[string]string{"DD_DOGSTATSD_QUEUE_SIZE": "7", "DD_DOGSTATSD_BUFFER_SIZE": "512", "DD_DOGSTATSD_SO_RCVBUF": "4096", "DD_DOGSTATSD_PORT": "99", "DD_DOGSTATSD_SOCKET": "/s"},
			check: func(o options) bool {
				c := o.config
				return c.QueueSize == 7 && c.BufferSize == 512 && c.ReceiveBuffer == 4096 &&
					reflect.DeepEqual(c.Listen, []string{"udp://127.0.0.1:99", "unixgram:///s"})
			}},
		{why: "flags beat the environment", args: "--intake x --queue-size 8 --listen udp://127.0.0.1:1", env: map[string]string{"DD_DOGSTATSD_QUEUE_SIZE": "7", "DD_DOGSTATSD_PORT": "99"},
			check: func(o options) bool {
				return o.config.QueueSize == 8 && reflect.DeepEqual(o.config.Listen, []string{"udp://127.0.0.1:1"})
			}},
		{why: "an empty variable is none", args: "--intake x", env: map[string]string{"DD_DOGSTATSD_PORT": ""},
			check: func(o options) bool { return o.config.Listen[0] == "udp://127.0.0.1:8125" }},
		{why: "a variable that is no number is named", args: "--intake x", env: map[string]string{"DD_DOGSTATSD_PORT": "many"}, fault: `DD_DOGSTATSD_PORT is "many", want a port, 0 to 65535`},
		{why: "arguments have no meaning", args: "--intake x y", fault: `unexpected argument "y"`},
		{why: "unknown flags are refused", args: "--colour red", fault: "unknown flag: --colour; see --help"},
	} {
		env := func(name string) (string, bool) { v, ok := c.env[name]; return v, ok }
		o, err := parseOptions(strings.Fields(c.args), env, io.Discard)
		switch {
		case c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)):
			t.Errorf("%s: error %v, want %q", c.why, err, c.fault)
		case c.fault == "" && (err != nil || !c.check(o)):
			t.Errorf("%s: %+v, %v", c.why, o.config, err)
		}
	}
}

// TestQuantities: a size or a count is written alike in a flag, in the file and
// in the environment.
func TestQuantities(t *testing.T) {
	for _, c := range []struct {
		why, flag, variable, text string
		want                      int64
	}{
		{"binary units", "receive-buffer", "DD_DOGSTATSD_SO_RCVBUF", "4MiB", 4 << 20},
		{"a fraction of one", "receive-buffer", "", "1.5MiB", 3 << 19},
		{"decimal units", "threshold", "", "2MB", 2_000_000},
		{"bare bytes, as agents' variables have them", "buffer-size", "DD_DOGSTATSD_BUFFER_SIZE", "8192", 8192},
		{"or with their unit", "buffer-size", "DD_DOGSTATSD_BUFFER_SIZE", "1432B", 1432},
		{"more than an int32", "retry-bytes", "", "3GiB", 3 << 30},
		{"0 is a size of any unit", "threshold", "", "0", 0},
		{"thousands", "queue-size", "DD_DOGSTATSD_QUEUE_SIZE", "300k", 300_000},
		{"millions", "max-context-keys", "", "1.5M", 1_500_000},
		{"a bare count", "max-set-members", "", "7", 7},
		{"a small one", "readers", "", "2", 2},
	} {
		file := filepath.Join(t.TempDir(), "refserver.yaml")
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(c.flag, "-", "_")+": "+c.text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		for from, args := range map[string][]string{"flag": {"--" + c.flag, c.text}, "file": {"--config", file}, "environment": nil} {
			env := func(name string) (string, bool) {
				if from == "environment" && name == c.variable {
					return c.text, true
				}
				return "", false
			}
			if from == "environment" && c.variable == "" {
				continue
			}
			o, err := parseOptions(append(args, "--intake", "http://x"), env, io.Discard)
			k := o.config
			got, found := map[string]int64{
				"receive-buffer": int64(k.ReceiveBuffer), "threshold": int64(k.Forward.ThresholdBytes), "buffer-size": int64(k.BufferSize),
				"retry-bytes": k.Forward.RetryBytes, "queue-size": int64(k.QueueSize), "max-context-keys": int64(k.Aggregate.MaxKeys),
				"max-set-members": int64(k.Aggregate.MaxSetMembers), "readers": int64(k.Readers),
			}[c.flag]
			if err != nil || !found || got != c.want {
				t.Errorf("%s: %s %s in the %s is %d, %v, want %d", c.why, c.flag, c.text, from, got, err, c.want)
			}
		}
	}
}

// TestRefusals: a value that cannot be costs one line, which says what was found
// and what is allowed, and exit code 2.
func TestRefusals(t *testing.T) {
	for args, want := range map[string]string{
		"--receive-buffer 4Mib":                      `--receive-buffer is "4Mib", want a size such as 416KiB, 4MiB or 425984 (bytes)`,
		"--receive-buffer 2GiB --intake http://x":    "receive buffer is 2147483648 bytes, want 0 to 1073741824", // the kernel would take a negative number
		"--buffer-size -1":                           `--buffer-size is "-1", want a size`,
		"--buffer-size 1KiB8B":                       `--buffer-size is "1KiB8B", want a size`,
		"--buffer-size 32B --intake http://x":        "buffer size is 32 bytes, want 64 to 65536",
		"--queue-size 2KiB":                          `--queue-size is "2KiB", want a whole number such as 2048, 300k or 1M`,
		"--queue-size 1.5":                           `--queue-size is "1.5", want a whole number`,
		"--queue-size 2M --intake http://x":          "queue size is 2000000 datagrams, want 1 to 1048576",
		"--readers two":                              `--readers is "two", want a whole number`,
		"--grace 8":                                  `--grace is "8", want a duration such as 500ms, 10s or 5m`,
		"--ballast much":                             `--ballast is "much", want a number such as 2 or 0.5`,
		"--percentiles p95":                          `--percentiles is "p95", want numbers such as 0.95,0.99`,
		"--gro=maybe":                                `--gro is "maybe", want true or false`,
		"--reader both --intake http://x":            `reader is "both", want coupled or decoupled`,
		"symdb --threshold 2mb --intake http://x":    `--threshold is "2mb", want a size`,
		"symdb --packages 1e3 --intake http://x":     `--packages is "1e3", want a whole number`,
		"symdb --seed -1 --intake http://x":          `--seed is "-1", want a whole number`,
		"--listen udp://127.0.0.1 --intake http://x": `cannot listen on "udp://127.0.0.1": want udp://HOST:PORT`,
	} {
		var stdout, stderr strings.Builder
		code := run(t.Context(), strings.Fields(args), noEnvironment, &stdout, &stderr)
		first, rest, _ := strings.Cut(stderr.String(), "\n")
		if code != exitRefused || !strings.Contains(first, want) || rest != "" || stdout.Len() > 0 {
			t.Errorf("refserver %s: exit code %d, %s%s, want %s", args, code, stdout.String(), stderr.String(), want)
		}
	}
}

// TestEveryTypeOfFlagSaysWhatItTakes: a flag of another type would be refused
// without a word about what is allowed.
func TestEveryTypeOfFlagSaysWhatItTakes(t *testing.T) {
	for _, command := range []string{"", "symdb "} {
		var help strings.Builder
		run(t.Context(), strings.Fields(command+"--help"), noEnvironment, &help, io.Discard)
		for line := range strings.Lines(help.String()) {
			fields := strings.Fields(line)
			if len(fields) == 0 || !strings.HasPrefix(fields[0], "--") {
				continue
			}
			var stderr strings.Builder
			run(t.Context(), strings.Fields(command+fields[0]+"=\x00"), noEnvironment, io.Discard, &stderr)
			if strings.Contains(stderr.String(), "want \n") || strings.Contains(stderr.String(), `invalid argument "`) {
				t.Errorf("%s: %s", fields[0], stderr.String())
			}
		}
	}
}

func TestHelpNamesEveryFlagOnStdout(t *testing.T) {
	var out strings.Builder
	if code := run(t.Context(), []string{"--help"}, noEnvironment, &out, io.Discard); code != exitOK {
		t.Errorf("help exits with %d", code)
	}
	for _, want := range []string{"Examples:", "--intake", "--stats-file", "--flush-interval"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("help lacks %s", want)
		}
	}
}

func TestConfigFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "refserver.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := func(name string) (string, bool) {
		v, ok := map[string]string{"DD_DOGSTATSD_BUFFER_SIZE": "512"}[name]
		return v, ok
	}
	write("intake: http://127.0.0.1:1\nqueue_size: 5\nbuffer_size: 100\nflush: sync\nflush_interval: 2s\n" +
		"listen: [udp://127.0.0.1:1, unixgram:///s]\npercentiles: [0.5, 0.99]\n")
	o, err := parseOptions([]string{"--config", file, "--flush", "async"}, env, io.Discard)
	c := o.config
	if err != nil || c.QueueSize != 5 || c.BufferSize != 512 || c.Flush != "async" || c.Aggregate.Interval != 2*time.Second ||
		len(c.Listen) != 2 || !reflect.DeepEqual(c.Aggregate.Percentiles, []float64{.5, .99}) {
		t.Errorf("flags beat the environment, which beats the file: %+v, %v", c, err)
	}
	for text, want := range map[string]string{
		"queue_size: many\nsize: 1\n": `:1: queue_size is "many", want a whole number`,
		"\nreceive_buffer: 4MB/s\n":   `:2: receive_buffer is "4MB/s", want a size such as 416KiB`,
		"\nsize: 1\n":                 `:2: unknown setting "size"`,
		"queue-size: 1\n":             `:1: unknown setting "queue-size"`,
		"listen: {a: b}\n":            ":1: listen: want a value or a list of values",
		"- 1\n":                       "want a mapping of settings",
		"flush: sync\nflush: async\n": ":2: flush is set twice",
	} {
		write(text)
		if _, err := parseOptions([]string{"--config", file}, env, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

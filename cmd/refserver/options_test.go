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
		{why: "a variable that is no number is named", args: "--intake x", env: map[string]string{"DD_DOGSTATSD_PORT": "many"}, fault: `DD_DOGSTATSD_PORT is "many"`},
		{why: "arguments have no meaning", args: "--intake x y", fault: `unexpected argument "y"`},
		{why: "unknown flags are refused", args: "--colour red", fault: "unknown flag: --colour"},
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

func TestHelpNamesEveryFlagOnStdout(t *testing.T) {
	var out strings.Builder
	none := func(string) (string, bool) { return "", false }
	if code := run(t.Context(), []string{"--help"}, none, &out, io.Discard); code != exitOK {
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
		"queue_size: many\nsize: 1\n": ":1: queue_size: invalid argument",
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

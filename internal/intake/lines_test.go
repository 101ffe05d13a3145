package intake

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"floodgate/internal/payload"
)

// FuzzSplitter holds the splitter to cutting the whole stream at once, however
// it comes.
func FuzzSplitter(f *testing.F) {
	f.Add("a\nbb\n\nccc", uint8(2), uint8(3))
	f.Add("aa\r\nbbb\r\ncccc\r\n\r\n", uint8(3), uint8(1))
	f.Fuzz(func(t *testing.T, text string, limit, step uint8) {
		s := splitter{limit: int(limit)}
		var got []byte
		for rest := []byte(text); len(rest) > 0; {
			n := min(len(rest), int(step)+1)
			block := s.feed(rest[:n])
			if len(block) > 0 && block[len(block)-1] != '\n' {
				t.Fatalf("a block ends within a line: %q", block)
			}
			got, rest = append(got, block...), rest[n:]
			if len(s.rest) > int(limit)+1 {
				t.Fatalf("%d bytes of a line are held, want at most %d", len(s.rest), limit+1)
			}
		}
		var want []byte
		dropped := 0
		lines := strings.Split(text, "\n")
		for _, line := range lines[:len(lines)-1] {
			if line = strings.TrimSuffix(line, "\r"); len(line) > int(limit) {
				dropped++
				continue
			}
			want = append(append(want, line...), '\n')
		}
		if len(lines[len(lines)-1]) > int(limit)+1 {
			dropped++ // already known, without its end
		}
		if !bytes.Equal(got, want) || s.dropped != dropped {
			t.Fatalf("got %q and dropped %d, want %q and %d", got, s.dropped, want, dropped)
		}
	})
}

// dial opens a connection to the Graphite listener.
func (c *client) dial(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", c.Graphite())
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func withGraphite(change func(*Config)) func(*Config) {
	return func(config *Config) {
		config.Sinks.Graphite = "127.0.0.1:0"
		if change != nil {
			change(config)
		}
	}
}

// wait polls until ready, or for as long as a test may take.
func wait(t *testing.T, what string, ready func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ready() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// TestGraphiteIsExact: many connections, lines cut anywhere, some connections
// kept open, and a stop that comes right behind the last byte.
func TestGraphiteIsExact(t *testing.T) {
	c := run(t, withGraphite(func(config *Config) { config.Sinks.Mapping = "etsy" }))
	const senders, flushes, lines = 8, 5, 200
	var sending sync.WaitGroup
	for sender := range senders {
		sending.Go(func() {
			var conn net.Conn
			for flush := range flushes {
				if conn == nil {
					conn = c.dial(t)
				}
				var text strings.Builder
				for n := range lines {
					fmt.Fprintf(&text, "stats.counters.hits.%d.count 2 %d\nstats.counters.hits.%d.rate 0.2 %d\n", n, 1700000000+flush, n, 1700000000+flush)
				}
				rest := text.String()
				for step := 1 + sender*97; len(rest) > 0; {
					n := min(step, len(rest))
					if _, err := io.WriteString(conn, rest[:n]); err != nil {
						t.Error(err)
						return
					}
					rest = rest[n:]
				}
				if sender%2 == 0 || flush == flushes-1 {
					_ = conn.Close()
					conn = nil
				}
			}
		})
	}
	sending.Wait()
	c.stop() // the kernel may still hold connections that nobody has accepted
	totals := c.totals(t)
	const points = senders * flushes * lines
	if got, want := totals.OfType(payload.Count), (TypeTotal{Keys: lines, Series: points, Points: points, Sum: 2 * points}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := totals.Counters(); got != 2*points {
		t.Errorf("counters came to %v, want %v", got, 2*points)
	}
	if got := totals.ByName(payload.Count)["hits.7"]; got.Sum != 2*senders*flushes || got.Last != 2 || got.LastTimestamp != 1700000000+flushes-1 {
		t.Errorf("hits.7: %+v", got)
	}
	got := c.Activity()
	if got.Derived != points || got.Refused != 0 || got.Connections != senders/2*flushes+senders/2 {
		t.Errorf("activity %+v, want %d derived and none refused", got, points)
	}
	if warnings := c.Warnings(); len(warnings) != 0 {
		t.Errorf("warnings of a clean run: %q", warnings)
	}
}

func TestGraphiteBounds(t *testing.T) {
	c := run(t, withGraphite(func(config *Config) { config.MaxLineBytes = minLineBytes }))
	conn := c.dial(t)
	fmt.Fprintf(conn, "a 1 2\n%s 1 2\nb 3 4\nc 5 6", strings.Repeat("x", 200))
	_ = conn.Close()
	wait(t, "the refusals", func() bool { return c.Activity().Refused == 2 })
	if got := c.totals(t).OfType(payload.Unspecified); got.Sum != 4 || got.Points != 2 {
		t.Errorf("%+v, want the two whole lines", got)
	}
	want := "a line of a Graphite connection was dropped: it was longer than 64 bytes (1 times); the last line of a Graphite connection had no end and was dropped (1 times)"
	if got := strings.Join(c.Warnings(), "; "); got != want {
		t.Errorf("warnings %q, want %q", got, want)
	}
}

func TestGraphiteLineThatIsNone(t *testing.T) {
	c := run(t, withGraphite(nil))
	conn := c.dial(t)
	_, _ = io.WriteString(conn, "a 1 2\nnonsense\nb 3 4\n")
	_ = conn.Close()
	wait(t, "the block", func() bool { return c.Activity().Requests == 1 })
	totals := &Totals{}
	err := c.Decode(fold(totals))
	if err == nil || !strings.Contains(err.Error(), `cannot decode 1 of 3 lines, first line 2, "nonsense"`) {
		t.Errorf("%v", err)
	}
	if got := totals.OfType(payload.Unspecified).Sum; got != 4 {
		t.Errorf("sum %v, want those of the good lines", got)
	}
}

func TestGraphiteSpoolIsFull(t *testing.T) {
	c := run(t, withGraphite(func(config *Config) { config.SpoolBytes, config.SpillBytes = 0, 0 }))
	conn := c.dial(t)
	_, _ = io.WriteString(conn, "a 1 2\n")
	if _, err := conn.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("%v, want a connection that is reset: its sender shall see it", err)
	}
	_ = conn.Close()
	activity(t, c, Activity{Refused: 1})
}

func TestGraphiteFaults(t *testing.T) {
	for name, faults := range map[string]Faults{"reset": {ResetRate: 1}, "outage": {OutageTo: time.Hour, SlowRead: 1 << 20}} {
		c := run(t, withGraphite(func(config *Config) { config.Faults = faults }))
		conn := c.dial(t)
		_, _ = io.WriteString(conn, "a 1 2\n")
		if _, err := conn.Read(make([]byte, 1)); err == nil || err == io.EOF {
			t.Errorf("%s: %v, want a reset", name, err)
		}
		_ = conn.Close()
		activity(t, c, Activity{Refused: 1})
		if got := c.totals(t).OfType(payload.Unspecified); got != (TypeTotal{}) {
			t.Errorf("%s: what was refused counts: %+v", name, got)
		}
		if warnings := c.Warnings(); len(warnings) != 0 {
			t.Errorf("%s: faults on purpose are no warning: %q", name, warnings)
		}
	}
	// Errors mean nothing where nothing is answered.
	c := run(t, withGraphite(func(config *Config) { config.Faults = Faults{ErrorRate: 1, ErrorStatus: 500, SlowRead: 1000} }))
	conn := c.dial(t)
	_, _ = io.WriteString(conn, strings.Repeat("a 1 2\n", 30))
	_ = conn.Close()
	wait(t, "all lines", func() bool { return c.Activity().Bytes == 180 })
	if got := c.totals(t).OfType(payload.Unspecified).Sum; got != 30 {
		t.Errorf("sum %v, want 30", got)
	}
	if got := c.Activity().Struck; got.Uploads == 0 || got.Errors+got.Resets+got.Outage != 0 {
		t.Errorf("%+v: errors count that refused nothing", got)
	}
}

func TestFollow(t *testing.T) {
	dir := t.TempDir()
	influx, graphite := filepath.Join(dir, "influx"), filepath.Join(dir, "graphite")
	c := run(t, func(config *Config) {
		config.Sinks.Files = []File{{influx, LinesInflux}, {graphite, LinesGraphite}, {filepath.Join(dir, "nothing"), LinesInflux}}
		config.Sinks.Mapping = "telegraf"
	})
	file, err := os.Create(influx)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	_, _ = io.WriteString(file, "hits,metric_type=counter,env=a value=5i 1700000000000000000\nhits,metric_type=counter,en")
	wait(t, "the first line", func() bool { return c.Activity().Requests == 1 })
	_, _ = io.WriteString(file, "v=a value=6i 1700000001000000000\nhits,metric")
	if err := os.WriteFile(graphite, []byte("plain 1 2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.stop() // reads once more
	totals := c.totals(t)
	if got, found := totals.Get(payload.Count, "hits|env:a"); !found || got.Sum != 11 || got.LastTimestamp != 1700000001 {
		t.Errorf("hits: %+v, %v", got, found)
	}
	if got, found := totals.Get(payload.Unspecified, "plain|"); !found || got.Sum != 1 {
		t.Errorf("plain: %+v, %v", got, found)
	}
	got := strings.Join(c.Warnings(), "\n")
	for _, want := range []string{"the last line of " + influx + " had no end", "nothing never appeared"} {
		if !strings.Contains(got, want) {
			t.Errorf("warnings %q, want %s", got, want)
		}
	}
}

func TestFollowAFileThatIsCut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a 1 2\na 1 2\nhalf a line")
	c := run(t, func(config *Config) { config.Sinks.Files = []File{{path, LinesGraphite}} })
	wait(t, "the first lines", func() bool { return c.Activity().Requests == 1 })
	write("a 5 2\n")
	wait(t, "the others", func() bool { return c.Activity().Requests == 2 })
	if got := c.totals(t).OfType(payload.Unspecified).Sum; got != 7 {
		t.Errorf("sum %v, want 1+1+5", got)
	}
	if got := strings.Join(c.Warnings(), "\n"); !strings.Contains(got, "was cut") {
		t.Errorf("warnings %q", got)
	}
}

func TestFollowAFolderFails(t *testing.T) {
	config := Default()
	config.Sinks.Files = []File{{t.TempDir(), LinesInflux}}
	config.Sinks.Graphite, config.Sinks.OTLPGRPC = "127.0.0.1:0", "127.0.0.1:0"
	sink, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := sink.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "cannot follow "+config.Sinks.Files[0].Path) {
		t.Errorf("%v, want one way in that fails to end all", err)
	}
}

func TestReadLines(t *testing.T) {
	sink, err := New(Default())
	if err != nil {
		t.Fatal(err)
	}
	defer sink.close()
	output := "starting\na,x=1 value=2i\nb value=3\n\nan error: x=1\nlast value=4"
	if err := sink.ReadLines(iotest.OneByteReader(strings.NewReader(output)), LinesInflux); err != nil {
		t.Error(err)
	}
	if err := sink.ReadLines(strings.NewReader("Flushed 3 metrics in 5ms\nc 5 1700000000\n"), LinesGraphite); err != nil {
		t.Error(err)
	}
	totals := &Totals{}
	if err := sink.Decode(fold(totals)); err != nil {
		t.Error(err)
	}
	if got := totals.OfType(payload.Unspecified); got.Sum != 10 || got.Keys != 3 {
		t.Errorf("%+v, want 2+3+5", got)
	}
	want := "a line of an output was no metric and was skipped (3 times); the last line of an output had no end and was dropped (1 times)"
	if got := strings.Join(sink.Warnings(), "; "); got != want {
		t.Errorf("warnings %q, want %q", got, want)
	}
	if err := sink.ReadLines(strings.NewReader(""), "csv"); err == nil || !strings.Contains(err.Error(), "allowed are graphite and influx") {
		t.Error(err)
	}
	broken := errors.New("broken")
	if err := sink.ReadLines(iotest.ErrReader(broken), LinesInflux); !errors.Is(err, broken) {
		t.Error(err)
	}
}

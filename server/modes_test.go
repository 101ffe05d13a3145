package server_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"maps"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"floodgate/internal/dogstatsd"
	"floodgate/internal/intake"
	"floodgate/internal/payload"
	"floodgate/loadgen"
	"floodgate/server"
	"floodgate/server/servertest"
)

// newCorpus is messages of every kind, each in a datagram of its own, some
// packed and some sampled.
func newCorpus(t *testing.T) *loadgen.Corpus {
	t.Helper()
	c := loadgen.CorpusConfig{Seed: 1, Messages: 6000, ContextKeys: 300, Tags: 3, SampledShare: .5, SampleRate: .25, PackedValues: 2}
	for _, k := range dogstatsd.Kinds {
		c.Kinds = append(c.Kinds, loadgen.KindWeight{Kind: k, Weight: 1})
	}
	corpus, err := loadgen.NewCorpus(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return corpus
}

// deal deals the messages of a corpus to sockets and packs them into datagrams.
// A gauge keeps to one socket, because between two there is no last value. With
// again the members of sets are sent a second time, over another socket.
func deal(corpus *loadgen.Corpus, sockets int, again bool) (datagrams [][][]byte) {
	const lines = 20
	datagrams = make([][][]byte, sockets)
	waiting := make([][][]byte, sockets)
	put := func(socket int, line []byte) {
		waiting[socket] = append(waiting[socket], line)
		if len(waiting[socket]) == lines {
			datagrams[socket] = append(datagrams[socket], bytes.Join(waiting[socket], []byte("\n")))
			waiting[socket] = nil
		}
	}
	for k := range corpus.Datagrams() {
		line := corpus.Datagram(k)
		socket := k % sockets
		switch kind(line) {
		case "g":
			hash := fnv.New32()
			hash.Write(line[:bytes.IndexByte(line, ':')])
			socket = int(hash.Sum32() % uint32(sockets))
		case "s":
			if again {
				put((k+1)%sockets, line)
			}
		}
		put(socket, line)
	}
	for i, rest := range waiting {
		if rest != nil {
			datagrams[i] = append(datagrams[i], bytes.Join(rest, []byte("\n")))
		}
	}
	return datagrams
}

func kind(line []byte) string { return string(bytes.SplitN(line, []byte("|"), 3)[1]) }

// offer sends the datagrams of each socket in turn without ever being far ahead
// of the server, and calls third when about a third and two thirds are sent. It
// returns the number of messages.
func offer(t *testing.T, s *server.Server, datagrams [][][]byte, third func()) int64 {
	t.Helper()
	conns := make([]net.Conn, len(datagrams))
	for i, addr := range s.Addrs() {
		conn, err := net.Dial(addr.Network(), addr.String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conns[i] = conn
	}
	most := 0
	for _, d := range datagrams {
		most = max(most, len(d))
	}
	var messages int64
	for k := range most {
		if k > 0 && k%(most/3) == 0 {
			third()
		}
		for i := range datagrams {
			if k >= len(datagrams[i]) {
				continue
			}
			d := datagrams[i][k]
			messages += dogstatsd.CountMessages(d)
			if s.Addrs()[i].Network() == "unix" {
				d = append(binary.LittleEndian.AppendUint32(nil, uint32(len(d))), d...)
			}
			if _, err := conns[i].Write(d); err != nil {
				t.Fatal(err)
			}
		}
		if k%16 == 15 || k == most-1 {
			until(t, "everything was read", func() bool { return s.Statistics().Received == messages })
		}
	}
	return messages
}

// listenOn are the URLs of sockets of the schemes given.
func listenOn(t *testing.T, schemes ...string) []string {
	t.Helper()
	dir, err := os.MkdirTemp("", "server") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	var urls []string
	for i, scheme := range schemes {
		if scheme == "udp" {
			urls = append(urls, "udp://127.0.0.1:0")
		} else {
			urls = append(urls, fmt.Sprintf("%s://%s/%d", scheme, dir, i))
		}
	}
	return urls
}

// schemes are those of all kinds of sockets.
var schemes = []string{"unixgram", "udp", "unixstream"}

// everything is all series and sketches in words, without their times.
func everything(a *servertest.Arrived) []string {
	var all []string
	for _, s := range a.Series {
		line := fmt.Sprintf("%v %s:", s.Type, intake.Key(s.Metric, s.Tags))
		for _, p := range s.Points {
			line += fmt.Sprint(" ", p.Value)
		}
		all = append(all, line)
	}
	for _, s := range a.Sketches {
		line := fmt.Sprintf("sketch %s:", intake.Key(s.Metric, s.Tags))
		for _, p := range s.Points {
			line += fmt.Sprint(" ", p.Count, p.Min, p.Max, p.Avg, p.Sum, p.Keys, p.Counts)
		}
		all = append(all, line)
	}
	slices.Sort(all)
	return all
}

// TestModesAgree is metamorphic: the same unhurried corpus in one bucket gives
// the same series and sketches to the last bit, whatever the reader, the flush,
// and the number of sockets that it comes in through; and they are what the
// corpus is known to come to.
func TestModesAgree(t *testing.T) {
	corpus := newCorpus(t)
	var want []string
	modes(func(name string, reader server.Reader, flush server.Flush) {
		for sockets := 1; sockets <= 3; sockets++ {
			t.Run(fmt.Sprintf("%s,%d", name, sockets), func(t *testing.T) {
				sink := servertest.NewSink(t, intake.Faults{})
				c := server.Default()
				c.Listen, c.Reader, c.Flush, c.Forward.URL = listenOn(t, schemes[:sockets]...), reader, flush, sink.URL()
				c.Aggregate.Interval = time.Hour
				s, stop := run(t, c)
				messages := offer(t, s, deal(corpus, sockets, true), func() {})
				stop()
				if st := s.Statistics(); st.Uploaded != messages || st.Aggregated != messages {
					t.Errorf("of %d messages %d were aggregated and %d uploaded", messages, st.Aggregated, st.Uploaded)
				}
				arrived := sink.Arrived()
				got := everything(arrived)
				if want == nil {
					want = got
					compareExpected(t, corpus, arrived)
				}
				if !slices.Equal(got, want) {
					t.Errorf("%d series and sketches are not the %d of the first mode over one socket:\n%s", len(got), len(want), firstDifference(got, want))
				}
			})
		}
	})
}

func firstDifference(got, want []string) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("got  %s\nwant %s", got[i], want[i])
		}
	}
	return "one is the beginning of the other"
}

// compareExpected compares what arrived in one bucket with what the corpus
// comes to.
func compareExpected(t *testing.T, corpus *loadgen.Corpus, a *servertest.Arrived) {
	t.Helper()
	series := func(typ payload.Type, name string, e *loadgen.Expectation, want float64) {
		t.Helper()
		total, found := a.Totals.Get(typ, intake.Key(name, e.Tags))
		if !found || total.Points != 1 || total.Sum != want {
			t.Errorf("%v %s %v is %+v, want one point of %v", typ, name, e.Tags, total, want)
		}
	}
	seen := map[dogstatsd.Kind]bool{}
	for e := range corpus.Expected() {
		seen[e.Kind] = true
		switch e.Kind {
		case dogstatsd.Counter:
			series(payload.Count, e.Metric, e, e.Sum)
		case dogstatsd.Gauge:
			series(payload.Gauge, e.Metric, e, e.Last)
		case dogstatsd.Set:
			series(payload.Gauge, e.Metric, e, float64(e.Members))
		case dogstatsd.Distribution:
			s, found := a.Totals.GetSketch(intake.Key(e.Metric, e.Tags))
			if want := (intake.SketchTotal{Points: 1, Count: int64(e.Count), Sum: e.Sum, Min: e.Min, Max: e.Max}); !found || s != want {
				t.Errorf("sketch %s %v is %+v, want %+v", e.Metric, e.Tags, s, want)
			}
		default:
			series(payload.Count, e.Metric+".count", e, e.Count)
			series(payload.Gauge, e.Metric+".min", e, e.Min)
			series(payload.Gauge, e.Metric+".max", e, e.Max)
			series(payload.Gauge, e.Metric+".avg", e, e.Sum/e.Count)
		}
	}
	if len(seen) != len(dogstatsd.Kinds) {
		t.Errorf("the corpus has the kinds %v, want all", slices.Collect(maps.Keys(seen)))
	}
}

// TestModesAgreeOverBuckets: where buckets end in the middle of the corpus, what
// adds up over them still does, in every mode: counts, the members of sets (no
// two messages of the corpus have the same), and the number and sum of values.
func TestModesAgreeOverBuckets(t *testing.T) {
	corpus := newCorpus(t)
	modes(func(name string, reader server.Reader, flush server.Flush) {
		for _, sockets := range []int{1, 3} {
			t.Run(fmt.Sprintf("%s,%d", name, sockets), func(t *testing.T) {
				t.Parallel()
				sink := servertest.NewSink(t, intake.Faults{})
				c := server.Default()
				c.Listen, c.Reader, c.Flush, c.Forward.URL = listenOn(t, schemes[:sockets]...), reader, flush, sink.URL()
				c.Aggregate.Interval = 50 * time.Millisecond
				s, stop := run(t, c)
				messages := offer(t, s, deal(corpus, sockets, false), func() {
					uploaded := s.Statistics().Uploaded
					until(t, "a flush is uploaded", func() bool { return s.Statistics().Uploaded > uploaded })
				})
				stop()
				if st := s.Statistics(); st.Uploaded != messages {
					t.Errorf("uploaded %d of %d messages", st.Uploaded, messages)
				}
				compareSums(t, corpus, sockets, sink.Arrived())
			})
		}
	})
}

// compareSums compares what adds up over buckets, and the last values of gauges
// where one socket alone says which that is.
func compareSums(t *testing.T, corpus *loadgen.Corpus, sockets int, a *servertest.Arrived) {
	t.Helper()
	points := int64(0)
	for e := range corpus.Expected() {
		key := intake.Key(e.Metric, e.Tags)
		var got, want float64
		switch e.Kind {
		case dogstatsd.Gauge:
			if total, _ := a.Totals.Get(payload.Gauge, key); sockets == 1 {
				got, want = total.Last, e.Last
			}
		case dogstatsd.Set:
			total, _ := a.Totals.Get(payload.Gauge, key)
			got, want = total.Sum, float64(e.Members)
		case dogstatsd.Counter:
			total, _ := a.Totals.Get(payload.Count, key)
			got, want = total.Sum, e.Sum
			points = max(points, total.Points)
		case dogstatsd.Distribution:
			total, _ := a.Totals.GetSketch(key)
			got, want = total.Sum, e.Sum
			if float64(total.Count) != e.Count {
				t.Errorf("count of %s is %d, want %v", key, total.Count, e.Count)
			}
		default:
			total, _ := a.Totals.Get(payload.Count, intake.Key(e.Metric+".count", e.Tags))
			got, want = total.Sum, e.Count
		}
		if got != want {
			t.Errorf("%v %s is %v, want %v", e.Kind, key, got, want)
		}
	}
	if points < 2 {
		t.Errorf("no counter has more than %d points: nothing was cut", points)
	}
}

package loadgen

import (
	"net"
	"runtime"
	"slices"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// allOutRounds is how often every way of sending has its turn, each for
// allOutSlice: the machine's speed drifts over seconds, so only what stands next
// to each other can be compared.
const (
	allOutRounds = 20
	allOutSlice  = 100 * time.Millisecond
)

// BenchmarkAllOut compares what the generator sends when everything is due at
// once with the least that a program can do: prepared headers and sendmmsg in a
// loop. The socket is read by nobody. Every figure is the median of the rounds;
// ratios are of the rounds, not of the medians.
//
// The datagrams are all of one length, because only such leave by GSO; see
// SenderStats.Segmented for those of another corpus.
func BenchmarkAllOut(b *testing.B) {
	withSpareProcessor(b)
	for name, bytes := range map[string]int{"one_line": 0, "packed_1432": 1432} {
		b.Run(name, func(b *testing.B) {
			c := newCorpus(b, plain(200_000).with(func(c *CorpusConfig) { c.ContextKeys, c.DatagramBytes = 1, bytes }))
			raw := newRawLoop(b, c)
			ways := []func() (float64, float64){
				func() (float64, float64) { return raw.run(b, allOutSlice) },
				func() (float64, float64) { return generatorRate(b, c, Batch) },
				func() (float64, float64) { return generatorRate(b, c, GSO) },
				func() (float64, float64) { return generatorRate(b, c, Single) },
			}
			rates, costs := make([][]float64, len(ways)), make([][]float64, len(ways))
			for b.Loop() {
				for round := range allOutRounds {
					for i := range ways {
						way := (i + round) % len(ways) // nobody is always first
						rate, cost := ways[way]()
						rates[way], costs[way] = append(rates[way], rate), append(costs[way], cost)
					}
				}
			}
			b.ReportMetric(0, "ns/op")
			for i, way := range []string{"raw", "sendmmsg", "gso", "single"} {
				b.ReportMetric(median(rates[i]), way+"/s")
				if i > 0 {
					b.ReportMetric(median(ratios(rates[i], rates[0])), way+":raw")
					// Where others share the machine, this is steadier.
					b.ReportMetric(median(ratios(costs[0], costs[i])), way+":raw-by-cpu")
				}
			}
		})
	}
}

// generatorRate is datagrams a second of the generator, and its CPU time for
// each.
func generatorRate(b *testing.B, c *Corpus, method Method) (rate, cost float64) {
	config := CeilingConfig{Corpus: c, Options: DialOptions{Method: method}, Datagrams: 1 << 40, Over: allOutSlice}
	r, err := Ceiling(b.Context(), config)
	if err != nil {
		b.Fatal(err)
	}
	return r.DatagramsPerSecond(), r.CPU.Seconds() / float64(r.Datagrams)
}

// rawLoop has the headers of every datagram ready.
type rawLoop struct {
	corpus  *Corpus
	headers []unix.Mmsghdr
	vectors []unix.Iovec
}

func newRawLoop(b *testing.B, c *Corpus) *rawLoop {
	l := &rawLoop{corpus: c, headers: make([]unix.Mmsghdr, c.Datagrams()), vectors: make([]unix.Iovec, c.Datagrams())}
	for k := range l.headers {
		l.vectors[k].Base = unsafe.SliceData(c.Datagram(k))
		l.vectors[k].SetLen(len(c.Datagram(k)))
		l.headers[k].Hdr.Iov = &l.vectors[k]
		l.headers[k].Hdr.SetIovlen(1)
	}
	return l
}

// run sends for a time and returns datagrams a second, and the CPU time for each.
func (l *rawLoop) run(b *testing.B, over time.Duration) (rate, cost float64) {
	null, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer null.Close()
	conn, err := net.DialUDP("udp", nil, null.LocalAddr().(*net.UDPAddr))
	if err != nil {
		b.Fatal(err)
	}
	s, err := newSocket(conn, "null")
	if err != nil {
		b.Fatal(err)
	}
	defer s.close()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	clock, err := newClock(time.Now(), false) // for the generator's priority: what is compared is the work
	if err != nil {
		b.Fatal(err)
	}
	sent, next := 0, 0
	begun := time.Now()
	for time.Since(begun) < over {
		if next == len(l.headers) {
			next = 0
		}
		batch := l.headers[next:min(next+batchSize, len(l.headers))]
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, s.fd, uintptr(unsafe.Pointer(unsafe.SliceData(batch))), uintptr(len(batch)), unix.MSG_DONTWAIT, 0, 0)
		if errno != 0 && errno != unix.EINTR {
			b.Fatal(errno)
		}
		if errno == 0 {
			next += int(n)
			sent += int(n)
		}
	}
	elapsed := time.Since(begun)
	return float64(sent) / elapsed.Seconds(), clock.close().Seconds() / float64(sent)
}

// withSpareProcessor does what a program with a generator should: it keeps one
// to itself while it sleeps.
func withSpareProcessor(b *testing.B) {
	before := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(before + 1)
	b.Cleanup(func() { runtime.GOMAXPROCS(before) })
}

func ratios(of, to []float64) []float64 {
	r := make([]float64, len(of))
	for i := range of {
		r[i] = of[i] / to[i]
	}
	return r
}

// median is the middle one; of an even number the upper of the two.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

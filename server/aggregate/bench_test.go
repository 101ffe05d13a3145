package aggregate

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"runtime/debug"
	"testing"
)

// BenchmarkAddDatagram takes 24 messages per datagram. Beside the table it runs
// the least that any aggregation does on the same datagrams (find the
// separators, hash, look up, add): machines differ, the ratio of the two less so.
func BenchmarkAddDatagram(b *testing.B) {
	for _, keys := range []int{1_000, 100_000, 1_000_000} {
		datagrams, lines := benchDatagrams(keys)
		table := NewTable(config())
		table.Advance(second)
		for name, add := range map[string]func(datagram []byte){
			"table": func(d []byte) { table.Gather(d, false) }, // as the server does, many datagrams before one Finish
			"plain": plainLoop(),
		} {
			for _, d := range datagrams {
				add(d)
			}
			b.Run(fmt.Sprintf("%s/keys=%d", name, keys), func(b *testing.B) {
				b.ReportAllocs()
				n := 0
				for b.Loop() {
					add(datagrams[n%len(datagrams)])
					n++
				}
				perDatagram := float64(lines) / float64(len(datagrams))
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/perDatagram, "ns/msg")
			})
		}
	}
}

// plainLoop aggregates counters with a map and trusts hashes: no verification,
// no kinds, no faults, no rates.
func plainLoop() func(datagram []byte) {
	seed := maphash.MakeSeed()
	cells := map[uint64]*float64{}
	return func(d []byte) {
		for len(d) > 0 {
			line := d
			if i := bytes.IndexByte(d, '\n'); i >= 0 {
				line, d = d[:i], d[i+1:]
			} else {
				d = nil
			}
			bar := bytes.IndexByte(line, '|')
			colon := bytes.IndexByte(line[:bar], ':')
			h := maphash.Bytes(seed, line[:colon]) ^ maphash.Bytes(seed, line[bar:])
			c := cells[h]
			if c == nil {
				c = new(float64)
				cells[h] = c
			}
			*c += float64(line[colon+1] - '0')
		}
	}
}

var words = [...]string{"requests", "web", "lookups", "mail", "payments", "stage", "messages"}

// benchDatagrams holds every contextKey once, in random order. Lines are of
// different lengths, as everywhere: alike, they would be easier to foresee for
// the processor than they are.
func benchDatagrams(keys int) (datagrams [][]byte, lines int) {
	order := rand.New(rand.NewPCG(1, 1)).Perm(keys)
	for len(order) > 0 {
		var d []byte
		for len(order) > 0 && len(d) < 1360 {
			k := order[0]
			d = fmt.Appendf(d, "app.%s.%d.count:1|c|#env:%s,svc:%s-%d,az:eu-1,id:%06d\n", words[k%7], k, words[k%5], words[k%6], k%100, k/50)
			order = order[1:]
			lines++
		}
		datagrams = append(datagrams, d)
	}
	return datagrams, lines
}

// BenchmarkLearn takes every contextKey for the first time, into a table whose
// memory the process has not touched before, as that of a server that has just
// started.
func BenchmarkLearn(b *testing.B) {
	for _, keys := range []int{1_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("keys=%d", keys), func(b *testing.B) {
			datagrams, _ := benchDatagrams(keys)
			var table *Table
			for b.Loop() {
				b.StopTimer()
				debug.FreeOSMemory() // nothing refers to the last table any more
				b.StartTimer()
				table = NewTable(config())
				table.Advance(second)
				for _, d := range datagrams {
					table.Gather(d, false)
				}
				table.Finish()
			}
			if table.Keys() != keys {
				b.Fatalf("%d contextKeys were learnt, want %d", table.Keys(), keys)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(keys), "ns/key")
			b.ReportMetric(float64(heldBytes(table))/float64(keys), "B/key")
		})
	}
}

func BenchmarkCut(b *testing.B) {
	for _, copying := range []bool{false, true} {
		b.Run(fmt.Sprintf("copy=%v", copying), func(b *testing.B) {
			table := NewTable(config())
			table.Advance(second)
			for k := range 1_000_000 {
				table.AddDatagram(fmt.Appendf(nil, "requests.%06d:1|c|#env:prod,svc:web,az:b", k), false)
			}
			b.ResetTimer()
			for b.Loop() {
				if copying {
					table.CutCopy(false)
				} else {
					table.Cut(false)
				}
			}
		})
	}
}

package loadgen

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"floodgate/internal/dogstatsd"
)

// chunkMessages is the grain of parallel preparation. Each chunk of messages
// has a random stream of its own, which is what makes the corpus independent of
// the number of cores. It is part of the format: changing it changes every
// digest.
const chunkMessages = 1 << 16

// The streams of random numbers, besides those of the chunks, which are
// numbered from 0.
const (
	orderStream   = 1 << 63
	arrivalStream = 1 << 62 // of Poisson schedules
)

// NewCorpus prepares every datagram of config, on all cores. It renders the
// messages twice: once to learn the exact size of each chunk and once into
// place, so that it needs little more memory than the corpus keeps: the bytes of
// the datagrams, 8 more for each (16 where they are packed), 4 for each
// contextKey in use that has an order and 20 more under Zipf's law, 12 of them
// only meanwhile, and up to 9 MiB meanwhile for the texts of up to 65,536
// contextKeys. It returns an error if config is not valid, if a message is
// longer than a datagram may be, or if ctx is cancelled.
func NewCorpus(ctx context.Context, config CorpusConfig) (*Corpus, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	config.Values = config.Values.filled()
	c := &Corpus{config: config, keys: newKeySpace(config), others: newOthers(&config)}
	c.lazily()
	if config.Cycle || config.Zipf > 0 {
		c.order = shuffled(config.ContextKeys, newStream(config.Seed, orderStream))
	}
	if config.Zipf > 0 {
		c.ranks = newRanks(config.ContextKeys, config.Zipf)
	}
	texts := newKeyTexts(&c.keys, config.Messages)
	chunks := make([]chunkSize, (config.Messages+chunkMessages-1)/chunkMessages)
	err := eachChunk(ctx, len(chunks), func(i int) (err error) {
		chunks[i], err = c.measure(i, texts)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot prepare corpus: %w", err)
	}
	var total chunkSize
	for i, size := range chunks {
		chunks[i] = total // from here on: where the chunk begins
		total.bytes += size.bytes
		total.datagrams += size.datagrams
	}
	c.bytes = make([]byte, total.bytes)
	c.ends = make([]uint64, total.datagrams)
	if config.packed() {
		c.through = make([]int64, total.datagrams)
	}
	err = eachChunk(ctx, len(chunks), func(i int) error {
		return c.fill(i, chunks[i], texts)
	})
	if err != nil {
		return nil, fmt.Errorf("cannot prepare corpus: %w", err)
	}
	return c, nil
}

func eachChunk(ctx context.Context, n int, do func(i int) error) error {
	group, failed := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range n {
		if failed.Err() != nil {
			break
		}
		group.Go(func() error { return do(i) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// chunkSize is what a chunk comes to, or all the chunks before one.
type chunkSize struct {
	bytes     int
	datagrams int
}

// measure renders chunk i to nowhere and returns its size.
func (c *Corpus) measure(i int, texts *keyTexts) (chunkSize, error) {
	var size chunkSize
	err := c.pack(i, texts, func(line []byte, joins bool) {
		if joins {
			size.bytes++
		} else {
			size.datagrams++
		}
		size.bytes += len(line)
	})
	return size, err
}

// fill renders chunk i into its place, which begins at.
func (c *Corpus) fill(i int, at chunkSize, texts *keyTexts) error {
	end, datagram, message := at.bytes, at.datagrams-1, int64(i)*chunkMessages
	return c.pack(i, texts, func(line []byte, joins bool) {
		if joins {
			c.bytes[end] = '\n'
			end++
		} else {
			datagram++
		}
		end += copy(c.bytes[end:], line)
		message++
		c.ends[datagram] = uint64(end)
		if c.through != nil {
			c.through[datagram] = message
		}
	})
}

// packed reports whether a datagram may hold several messages.
func (c *CorpusConfig) packed() bool { return c.DatagramBytes > 0 || c.DatagramLines > 1 }

// pack renders the messages of chunk i in order and says of each whether it
// joins the datagram of the one before. The line is valid during the call.
func (c *Corpus) pack(i int, texts *keyTexts, put func(line []byte, joins bool)) error {
	largest := maxDatagram
	if c.config.DatagramBytes > 0 {
		largest = c.config.DatagramBytes
	}
	room := 0 // of a datagram that is filled
	if c.config.packed() {
		room = largest
	}
	lines := c.config.DatagramLines
	if lines == 0 {
		lines = maxMessages
	}
	r := renderer{texts: texts, oversize: c.others.bytes, from: c.config.TimestampFrom}
	size, held := 0, 0
	for m := range c.messages(i) {
		line := r.render(&c.keys, m)
		if m.class == oversizeLine {
			size, held = room, lines // nothing joins it
			put(line, false)
			continue
		}
		if len(line) > largest {
			return fmt.Errorf("message %d has %d bytes but a datagram holds %d: lower PackedValues, Tags or their length, or raise DatagramBytes", m.number, len(line), largest)
		}
		joins := held > 0 && held < lines && size+1+len(line) <= room
		if joins {
			size += 1 + len(line)
			held++
		} else {
			size, held = len(line), 1
		}
		put(line, joins)
	}
	return nil
}

// message is one message before it is written. It is reused for the next.
type message struct {
	number int64 // in the whole load, over all shards
	key    key
	values []int64 // a set's one value is its member
	due    time.Duration

	class  lineClass
	fault  dogstatsd.Fault // of what is no message
	detail uint64          // random
}

// messages yields the messages of chunk i in order. What they are follows from
// the seed and the numbers alone.
//
// A counter always adds 1 per value: then the number of messages that arrived
// follows from a sum even when some were lost. Gauges, timers, histograms and
// distributions draw whole numbers, whose sums are exact in a float64. Each
// message of a set brings a member that no other message has, so that the
// cardinalities of buckets add up.
func (c *Corpus) messages(i int) func(yield func(*message) bool) {
	return func(yield func(*message) bool) {
		random := newStream(c.config.Seed, uint64(c.config.Shard)<<40|uint64(i))
		m := message{values: make([]int64, c.config.PackedValues)}
		packed := m.values
		timed := c.config.Churn > 0 || c.config.TimestampedShare > 0
		first := int64(i) * chunkMessages
		for n := first; n < min(first+chunkMessages, c.config.Messages); n++ {
			m.number = n*c.config.shards() + int64(c.config.Shard)
			if timed {
				m.due = c.config.Schedule.Due(n)
			}
			c.others.draw(&m, random)
			m.key = c.pick(m.number, m.due, random)
			m.values = packed
			switch m.key.kind {
			case dogstatsd.Set:
				m.values = packed[:1]
				m.values[0] = m.number
			case dogstatsd.Counter:
				for j := range m.values {
					m.values[j] = 1
				}
			default:
				for j := range m.values {
					m.values[j] = c.config.Values.draw(random)
				}
			}
			if !yield(&m) {
				return
			}
		}
	}
}

// newStream returns one of the independent random streams of a seed.
func newStream(seed, stream uint64) *rand.PCG {
	return rand.NewPCG(mix(seed, stream), mix(^seed, stream))
}

// shuffled is a random order of the numbers below n (Fisher and Yates).
func shuffled(n int, random *rand.PCG) []uint32 {
	order := make([]uint32, n)
	for i := range order {
		j := bounded(random.Uint64(), i+1)
		order[i] = order[j]
		order[j] = uint32(i)
	}
	return order
}

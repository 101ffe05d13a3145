package loadgen

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"

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
const orderStream = 1 << 63

// NewCorpus prepares every datagram of config, on all cores. It renders the
// messages twice: once to learn the exact size of each chunk and once into
// place, so that the memory it needs is the memory that the corpus keeps. It
// returns an error if config is not valid, if a message is longer than a
// datagram may be, or if ctx is cancelled.
func NewCorpus(ctx context.Context, config CorpusConfig) (*Corpus, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	c := &Corpus{config: config, keys: newKeySpace(config)}
	c.lazily()
	if config.Cycle {
		c.order = shuffled(config.ContextKeys, newStream(config.Seed, orderStream))
	}
	chunks := make([]chunkSize, (config.Messages+chunkMessages-1)/chunkMessages)
	err := eachChunk(ctx, len(chunks), func(i int) (err error) {
		chunks[i], err = c.measure(i)
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
	if config.DatagramBytes > 0 {
		c.through = make([]int64, total.datagrams)
	}
	err = eachChunk(ctx, len(chunks), func(i int) error {
		return c.fill(i, chunks[i])
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
func (c *Corpus) measure(i int) (chunkSize, error) {
	var size chunkSize
	err := c.pack(i, func(line []byte, joins bool) {
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
func (c *Corpus) fill(i int, at chunkSize) error {
	end, datagram, message := at.bytes, at.datagrams-1, int64(i)*chunkMessages
	return c.pack(i, func(line []byte, joins bool) {
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

// pack renders the messages of chunk i in order and says of each whether it
// joins the datagram of the one before. The line is valid during the call.
func (c *Corpus) pack(i int, put func(line []byte, joins bool)) error {
	limit := c.config.DatagramBytes
	largest := limit
	if limit == 0 {
		largest = maxDatagram
	}
	var r renderer
	size := 0
	for m := range c.messages(i) {
		line := r.render(&c.keys, m)
		if len(line) > largest {
			return fmt.Errorf("message %d has %d bytes but a datagram holds %d: lower PackedValues or Tags, or raise DatagramBytes", m.number, len(line), largest)
		}
		joins := size > 0 && size+1+len(line) <= limit
		if joins {
			size += 1 + len(line)
		} else {
			size = len(line)
		}
		put(line, joins)
	}
	return nil
}

// message is one message before it is written. It is reused for the next.
type message struct {
	number int64
	key    key
	values []int64 // a set's one value is its member
}

// messages yields the messages of chunk i in order. What they are follows from
// the seed and the numbers alone.
//
// A counter always adds 1 per value: then the number of messages that arrived
// follows from a sum even when some were lost. Gauges, timers, histograms and
// distributions draw whole numbers from 1 to 1000, whose sums are exact in a
// float64. Each message of a set brings a member that no other message has, so
// that the cardinalities of buckets add up.
func (c *Corpus) messages(i int) func(yield func(*message) bool) {
	return func(yield func(*message) bool) {
		random := newStream(c.config.Seed, uint64(i))
		m := message{values: make([]int64, c.config.PackedValues)}
		packed := m.values
		first := int64(i) * chunkMessages
		for m.number = first; m.number < min(first+chunkMessages, c.config.Messages); m.number++ {
			if c.order != nil {
				m.key = c.keys.key(int(c.order[m.number%int64(len(c.order))]))
			} else {
				m.key = c.keys.key(bounded(random.Uint64(), c.keys.keys))
			}
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
					m.values[j] = int64(1 + bounded(random.Uint64(), 1000))
				}
			}
			if !yield(&m) {
				return
			}
		}
	}
}

// renderer writes messages, reusing its buffers.
type renderer struct {
	line, name, tags, member []byte
	out                      dogstatsd.Out
}

// render returns the line of m, valid until the next call.
func (r *renderer) render(keys *keySpace, m *message) []byte {
	r.name = keys.appendName(r.name[:0], m.key)
	r.tags = keys.appendTags(r.tags[:0], m.key)
	r.out = dogstatsd.Out{Name: r.name, Kind: m.key.kind, Rate: m.key.rate, Tags: r.tags}
	if m.key.kind == dogstatsd.Set {
		r.member = strconv.AppendInt(append(r.member[:0], 'u'), m.values[0], 10)
		r.line = dogstatsd.AppendMember(r.line[:0], &r.out, r.member)
	} else {
		r.line = dogstatsd.AppendInt(r.line[:0], &r.out, m.values...)
	}
	return r.line
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

package loadgen

import (
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"sync/atomic"

	"github.com/DataDog/datadog-go/v5/statsd"

	"floodgate/internal/dogstatsd"
)

// clientSender hands the messages of a corpus to the functions of datadog-go.
// The library packs and queues them, and writes from goroutines of its own, into
// a writer of ours that counts what it takes: so every message is accounted for,
// which the library's own counters, of payloads and bytes, do not allow.
//
// The library allocates as it does in any program.
type clientSender struct {
	client *statsd.Client
	writer *clientWriter
	// aside is where the library's report of itself goes every ten seconds: to
	// the target it would be messages that nobody offered.
	aside     net.PacketConn
	name      string
	calls     *clientCalls
	submitted int64
	queueLost atomic.Int64
}

// clientEnvironment are the variables by which the library adds to messages.
// Then the target would see contextKeys that the corpus does not have.
var clientEnvironment = []string{"DD_ENTITY_ID", "DD_ENV", "DD_SERVICE", "DD_VERSION", "DD_CARDINALITY", "DATADOG_CARDINALITY"}

func newClientSender(conn net.Conn, network, name string, options DialOptions) (Sender, error) {
	for _, variable := range clientEnvironment {
		if os.Getenv(variable) != "" {
			return nil, fmt.Errorf("%s is set, by which %s adds to every message: unset it", variable, options.Client)
		}
	}
	aside, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &clientSender{name: name, aside: aside, writer: &clientWriter{conn: conn, framed: network == UnixStream, name: name}}
	if network != UDP {
		s.writer.patience = clientPatience
	}
	s.client, err = statsd.NewWithWriter(s.writer, s.options(network, options)...)
	if err != nil {
		aside.Close()
		return nil, err
	}
	return s, nil
}

// options are the library's defaults for the network, which it cannot know from
// a writer, without what turns several messages into one or adds to them.
func (s *clientSender) options(network string, options DialOptions) []statsd.Option {
	size, queue := options.ClientBytes, statsd.DefaultUDPBufferPoolSize
	if size == 0 {
		size = statsd.OptimalUDPPayloadSize
	}
	if network != UDP {
		queue = statsd.DefaultUDSBufferPoolSize
		if options.ClientBytes == 0 {
			size = statsd.DefaultMaxAgentPayloadSize
		}
	}
	all := []statsd.Option{
		statsd.WithMaxBytesPerPayload(size),
		statsd.WithBufferPoolSize(queue),
		statsd.WithSenderQueueSize(queue),
		statsd.WithoutClientSideAggregation(),
		statsd.WithoutOriginDetection(),
		statsd.WithTelemetryAddr(s.aside.LocalAddr().String()),
		statsd.WithErrorHandler(s.failed),
	}
	if options.ClientLines > 0 {
		all = append(all, statsd.WithMaxMessagesPerPayload(options.ClientLines))
	}
	return all
}

// failed is told by the library what goes wrong in it. What the writer refused is
// counted there.
func (s *clientSender) failed(err error) {
	if full, ok := err.(*statsd.ErrorSenderChannelFull); ok {
		s.queueLost.Add(int64(full.LostElements))
	}
}

func (s *clientSender) prepare(c *Corpus) (err error) {
	s.calls, err = newClientCalls(c)
	return err
}

// Send submits the messages of datagrams [from, to). The library takes them all:
// it never waits, and drops what it has no room for later.
func (s *clientSender) Send(c *Corpus, from, to int) (int, error) {
	if s.calls == nil || s.calls.corpus != c {
		if err := s.prepare(c); err != nil {
			return 0, err
		}
	}
	for k := from; k < to; k++ {
		if s.writer.gone.Load() {
			return k - from, fmt.Errorf("cannot send to %s: %w", s.name, ErrTargetGone)
		}
		for i := c.MessagesBefore(k); i < c.MessagesBefore(k+1); i++ {
			if err := s.calls.submit(s.client, i); err != nil {
				return k - from, fmt.Errorf("cannot send message %d to %s: %w", i, s.name, err)
			}
			s.submitted++
		}
	}
	return to - from, nil
}

// flush returns when the library holds nothing back any more.
func (s *clientSender) flush() error {
	if err := s.client.Flush(); err != nil {
		return fmt.Errorf("cannot send what %s holds back to %s: %w", DatadogGo, s.name, err)
	}
	return nil
}

// Stats may miss what the library's goroutines do at that moment; after flush
// it is exact.
func (s *clientSender) Stats() SenderStats {
	w, t := s.writer, s.client.GetTelemetry()
	stats := SenderStats{Calls: w.calls.Load(), EAGAIN: w.timeouts.Load(), Refused: w.refused.Load(), Client: ClientStats{
		Submitted: s.submitted, Written: w.written.Load(), QueueDropped: s.queueLost.Load(), WriterDropped: w.lost.Load(),
		Payloads: int64(t.TotalPayloadsSent), PayloadsQueueDropped: int64(t.TotalPayloadsDroppedQueueFull), PayloadsWriterDropped: int64(t.TotalPayloadsDroppedWriter),
	}}
	stats.Blocked = w.blockedTime()
	stats.GivenUpMessages = stats.Client.QueueDropped + stats.Client.WriterDropped
	return stats
}

// Close ends the library's goroutines, after they have written what they hold.
func (s *clientSender) Close() error {
	s.calls = nil
	return errors.Join(s.client.Close(), s.aside.Close())
}

// clientCalls are the messages of a corpus as arguments of the library's
// functions, made before the clock starts: reading them from the datagrams
// would cost about what the library itself does.
type clientCalls struct {
	corpus  *Corpus
	keys    []clientKey
	key     []uint32  // of each message
	value   []float64 // of each message; of a set the index of its member
	members []string
}

type clientKey struct {
	kind dogstatsd.Kind
	name string
	tags []string
}

func newClientCalls(c *Corpus) (*clientCalls, error) {
	calls := &clientCalls{corpus: c, key: make([]uint32, 0, c.Messages()), value: make([]float64, 0, c.Messages())}
	numbers := map[string]uint32{}
	var identity []byte
	for k := range c.Datagrams() {
		for rest := c.Datagram(k); len(rest) > 0; {
			var line []byte
			line, rest = dogstatsd.CutLine(rest)
			name, value, tail, fault := dogstatsd.Split(line)
			if fault != dogstatsd.NoFault {
				return nil, fmt.Errorf("cannot send %q by %s: %w", line, DatadogGo, fault)
			}
			identity = append(append(append(identity[:0], name...), 0), tail...)
			number, known := numbers[string(identity)]
			if !known {
				key, err := newClientKey(line, name, tail)
				if err != nil {
					return nil, err
				}
				number = uint32(len(calls.keys))
				numbers[string(identity)] = number
				calls.keys = append(calls.keys, key)
			}
			if err := calls.add(number, line, value); err != nil {
				return nil, err
			}
		}
	}
	return calls, nil
}

func newClientKey(line, name, tail []byte) (clientKey, error) {
	rest, fault := dogstatsd.ParseRest(tail)
	switch {
	case fault != dogstatsd.NoFault:
		return clientKey{}, fmt.Errorf("cannot send %q by %s: %w", line, DatadogGo, fault)
	case rest.Rate != 1:
		return clientKey{}, fmt.Errorf("cannot send %q by %s: it would draw which of the messages with a sample rate to send, want none", line, DatadogGo)
	case rest.Timestamp != 0 || rest.ContainerID != nil || rest.External != nil || rest.Cardinality != nil:
		return clientKey{}, fmt.Errorf("cannot send %q by %s: want messages with tags alone behind their kind", line, DatadogGo)
	}
	key := clientKey{kind: rest.Kind, name: string(name)}
	if len(rest.Tags) > 0 {
		key.tags = splitTags(rest.Tags)
	}
	return key, nil
}

func (c *clientCalls) add(number uint32, line, value []byte) error {
	c.key = append(c.key, number)
	if c.keys[number].kind == dogstatsd.Set {
		c.value = append(c.value, float64(len(c.members)))
		c.members = append(c.members, string(value))
		return nil
	}
	x, ok := dogstatsd.ParseValue(value)
	switch {
	case !ok:
		return fmt.Errorf("cannot send %q by %s: want one number, its functions take no packed values", line, DatadogGo)
	case c.keys[number].kind == dogstatsd.Counter && x != math.Trunc(x):
		return fmt.Errorf("cannot send %q by %s: want a whole number, its counters take no others", line, DatadogGo)
	}
	c.value = append(c.value, x)
	return nil
}

// submit calls the function for message i.
func (c *clientCalls) submit(client *statsd.Client, i int64) error {
	key, value := &c.keys[c.key[i]], c.value[i]
	switch key.kind {
	case dogstatsd.Counter:
		return client.Count(key.name, int64(value), key.tags, 1)
	case dogstatsd.Gauge:
		return client.Gauge(key.name, value, key.tags, 1)
	case dogstatsd.Timer:
		return client.TimeInMilliseconds(key.name, value, key.tags, 1)
	case dogstatsd.Histogram:
		return client.Histogram(key.name, value, key.tags, 1)
	case dogstatsd.Distribution:
		return client.Distribution(key.name, value, key.tags, 1)
	}
	return client.Set(key.name, c.members[int(value)], key.tags, 1)
}

package loadgen

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"time"

	"floodgate/internal/dogstatsd"
)

// Replay says how captured lines are offered again.
type Replay struct {
	// Rate, in lines per second, is for a file of plain lines. 0 is for one in
	// which each line begins with its time in seconds and a space, such as
	// "1767225600.25 app.requests:1|c": times may have up to nine decimals and
	// must not fall. The first is instant 0.
	Rate int64
	// Speed divides the times: 2 replays twice as fast. It is not for a Rate.
	Speed float64
	// DatagramBytes is the largest datagram that lines are packed into; 0 puts
	// one line into each.
	DatagramBytes int
}

// maxCapture bounds what is read, in bytes.
const maxCapture = 1 << 30

// NewReplay reads captured lines from file, and returns them as a corpus with
// the schedule on which they are due. Empty lines are skipped; any other is a
// message, well formed or not, and offered as it stands. The schedule ends with
// the last line, or for a Rate when the line after it would be due. Errors name
// the line. The corpus keeps the lines, 8 bytes for the due time of each, and
// what each contextKey comes to.
func NewReplay(file io.Reader, how Replay) (*Corpus, Schedule, error) {
	if how.Rate < 0 || how.Rate == 0 && !(how.Speed > 0 && how.Speed <= 1e6) || how.Rate > maxRate || how.DatagramBytes < 0 || how.DatagramBytes > maxDatagram {
		return nil, nil, fmt.Errorf("cannot replay %+v: want a rate of lines per second, or a speed above 0 and at most 1e6; and datagrams up to %d bytes", how, maxDatagram)
	}
	r := &replayed{index: map[string]int{}, members: map[string]bool{}}
	c := &Corpus{config: CorpusConfig{DatagramBytes: how.DatagramBytes}, replay: r}
	c.lazily()
	var due []time.Duration
	var origin time.Duration
	limited := &io.LimitedReader{R: file, N: maxCapture + 1}
	lines := bufio.NewScanner(limited)
	lines.Buffer(make([]byte, 1<<16), maxDatagram+64)
	number := 0
	for lines.Scan() {
		number++
		line := lines.Bytes()
		if len(line) == 0 {
			continue
		}
		if how.Rate == 0 {
			at, rest, err := cutTime(line)
			if err == nil && len(due) > 0 && at < origin {
				err = errors.New("it is earlier than the first line")
			}
			if err != nil {
				return nil, nil, fmt.Errorf("cannot replay line %d: %w", number, err)
			}
			if len(due) == 0 {
				origin = at
			}
			at = time.Duration(math.Round(float64(at-origin) / how.Speed))
			if len(due) > 0 && at < due[len(due)-1] {
				return nil, nil, fmt.Errorf("cannot replay line %d: it is earlier than the line before", number)
			}
			due, line = append(due, at), rest
		}
		if len(line) > maxDatagram {
			return nil, nil, fmt.Errorf("cannot replay line %d: it has %d bytes, and a datagram at most %d", number, len(line), maxDatagram)
		}
		c.appendLine(line)
	}
	switch {
	case lines.Err() != nil:
		return nil, nil, fmt.Errorf("cannot replay line %d: %w", number+1, lines.Err())
	case limited.N == 0:
		return nil, nil, fmt.Errorf("cannot replay a file of more than %d bytes: cut it", maxCapture)
	case len(c.ends) == 0:
		return nil, nil, errors.New("cannot replay an empty file: want one message in each line")
	}
	for i := range r.keys {
		r.keys[i].finish()
	}
	if how.Rate > 0 {
		hi, lo := bits.Mul64(uint64(c.config.Messages), uint64(time.Second))
		over, _ := bits.Div64(hi, lo, uint64(how.Rate))
		if hi >= uint64(how.Rate) || over > math.MaxInt64 {
			return nil, nil, fmt.Errorf("cannot replay %d lines at %d/s: it takes too long", c.config.Messages, how.Rate)
		}
		return c, Burst{Count: c.config.Messages, Over: time.Duration(over)}, nil
	}
	return c, &table{due: due, over: due[len(due)-1] + 1}, nil
}

// cutTime takes the time off a line, exactly to the nanosecond.
func cutTime(line []byte) (time.Duration, []byte, error) {
	text, rest, found := bytes.Cut(line, []byte(" "))
	whole, part, fraction := strings.Cut(string(text), ".")
	seconds, err := strconv.ParseUint(whole, 10, 33)
	if !found || err != nil || len(rest) == 0 || len(part) > 9 || fraction && part == "" {
		return 0, nil, fmt.Errorf("%.40q does not begin with a time: want seconds with up to nine decimals, a space and a message, or plain lines with a rate", line)
	}
	nanos, err := strconv.ParseUint((part + "000000000")[:9], 10, 30)
	if err != nil {
		return 0, nil, fmt.Errorf("%.40q does not begin with a time: %.20q are no decimals", line, part)
	}
	return time.Duration(seconds)*time.Second + time.Duration(nanos), rest, nil
}

// appendLine adds a message to a corpus that is being read.
func (c *Corpus) appendLine(line []byte) {
	c.config.Messages++
	c.replay.add(line)
	limit, n := c.config.DatagramBytes, len(c.ends)
	if n > 0 && limit > 0 {
		size := len(c.Datagram(n - 1))
		if size+1+len(line) <= limit {
			c.bytes = append(append(c.bytes, '\n'), line...)
			c.ends[n-1], c.through[n-1] = uint64(len(c.bytes)), c.config.Messages
			return
		}
	}
	c.bytes = append(c.bytes, line...)
	c.ends = append(c.ends, uint64(len(c.bytes)))
	if limit > 0 {
		c.through = append(c.through, c.config.Messages)
	}
}

// replayed is what lines that were read come to, by the rules of the wire
// format.
type replayed struct {
	keys    []replayedKey
	index   map[string]int
	members map[string]bool // of all sets, with their contextKey
	totals  Totals
}

// replayedKey is a contextKey and the weights of its messages so far.
type replayedKey struct {
	Expectation
	count, sum float64 // of one message; as long as Uneven is false all have them
}

func (r *replayed) expected() iter.Seq[*Expectation] {
	return func(yield func(*Expectation) bool) {
		for i := range r.keys {
			if !yield(&r.keys[i].Expectation) {
				return
			}
		}
	}
}

// passedOn is the tags without those that a server keeps to itself, and with the
// last host, if it has a name.
func passedOn(tags []string) []string {
	host := ""
	tags = slices.DeleteFunc(tags, func(tag string) bool {
		switch dogstatsd.RoleOf([]byte(tag)) {
		case dogstatsd.InternalTag:
			return true
		case dogstatsd.HostTag:
			host = tag
			return true
		}
		return false
	})
	if named, _ := dogstatsd.CutHost([]byte(host)); len(named) > 0 {
		tags = append(tags, host)
	}
	return tags
}

// add counts one line.
func (r *replayed) add(line []byte) {
	class := metricLine
	var fault dogstatsd.Fault
	switch {
	case dogstatsd.IsEvent(line):
		class = eventLine
		_, fault = dogstatsd.ParseEvent(line)
	case dogstatsd.IsServiceCheck(line):
		class = checkLine
		_, fault = dogstatsd.ParseServiceCheck(line)
	default:
		fault = r.addMetric(line)
	}
	if fault != dogstatsd.NoFault {
		class = malformedLine
	}
	r.totals.add(class, fault)
}

func (r *replayed) addMetric(line []byte) dogstatsd.Fault {
	name, values, rest, fault := dogstatsd.Split(line)
	if fault != dogstatsd.NoFault {
		return fault
	}
	m, fault := dogstatsd.ParseRest(rest)
	if fault != dogstatsd.NoFault {
		return fault
	}
	if m.Timestamp != 0 && m.Kind != dogstatsd.Counter && m.Kind != dogstatsd.Gauge {
		return dogstatsd.BadTimestampKind
	}
	var tags []string
	if len(m.Tags) > 0 {
		tags = passedOn(strings.Split(string(m.Tags), ","))
		slices.Sort(tags)
		tags = slices.Compact(tags)
	}
	id := string(name) + "|" + m.Kind.String() + "|" + strings.Join(tags, ",")
	if m.Kind == dogstatsd.Set {
		r.at(id, name, tags, m.Kind).addMember(r.members, id, values)
		return dogstatsd.NoFault
	}
	var numbers []float64
	for value, left := dogstatsd.CutValue(values); value != nil; value, left = dogstatsd.CutValue(left) {
		x, ok := dogstatsd.ParseValue(value)
		if !ok {
			return dogstatsd.BadValue
		}
		numbers = append(numbers, x)
	}
	if len(numbers) == 0 {
		return dogstatsd.EmptyValue
	}
	rate := m.Rate
	if m.Timestamp != 0 || m.Kind == dogstatsd.Gauge {
		rate = 1
	}
	r.at(id, name, tags, m.Kind).addValues(numbers, rate)
	return dogstatsd.NoFault
}

// at is the contextKey of that identity, new or known.
func (r *replayed) at(id string, name []byte, tags []string, kind dogstatsd.Kind) *replayedKey {
	i, known := r.index[id]
	if !known {
		i = len(r.keys)
		r.index[id] = i
		r.keys = append(r.keys, replayedKey{Expectation: Expectation{Metric: string(name), Tags: tags, Kind: kind}})
	}
	return &r.keys[i]
}

func (k *replayedKey) addMember(members map[string]bool, id string, value []byte) {
	k.Messages++
	k.Count++
	if member := id + "|" + string(value); !members[member] {
		members[member] = true
		k.Members++
	}
}

func (k *replayedKey) addValues(values []float64, rate float64) {
	count, sum := 0.0, 0.0
	for _, v := range values {
		if k.Messages == 0 && count == 0 {
			k.Min, k.Max = v, v
		}
		k.Min, k.Max, k.Last = min(k.Min, v), max(k.Max, v), v
		count += 1 / rate
		sum += v / rate
	}
	if k.Messages == 0 {
		k.count, k.sum = count, sum
	}
	// What arrived of a counter shows in its sum, of the others in their count.
	k.Uneven = k.Uneven || count != k.count || k.Kind == dogstatsd.Counter && sum != k.sum
	k.Messages++
	k.Count += count
	k.Sum += sum
}

// finish marks the sets whose members do not tell their messages apart, and
// counters whose messages add nothing.
func (k *replayedKey) finish() {
	k.Uneven = k.Uneven || k.Kind == dogstatsd.Set && k.Members != k.Messages || k.Kind == dogstatsd.Counter && k.sum == 0
}

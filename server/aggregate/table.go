// Package aggregate turns messages into buckets and buckets into series. It is
// pure: time comes in as an argument, and nothing here waits, locks or sends.
//
// A Table belongs to one goroutine, the one that ingests. A Cut is what it
// detaches for a flush; it belongs to whoever flushes, on the same goroutine or
// another, while the table goes on.
package aggregate

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"floodgate/internal/dogstatsd"
)

// Config sets up a Table.
type Config struct {
	// Interval is the length of a bucket, aligned to multiples of itself.
	Interval time.Duration
	// MaxKeys is the number of contextKeys that are held; messages of further
	// ones are rejected and counted, so that memory has a ceiling.
	MaxKeys int
	// Percentiles of timers and histograms that are sent beside count, min, max,
	// avg and median, each above 0 and below 1.
	Percentiles []float64
	// Expiry is how often contextKeys are looked over: when none of the buckets
	// since then used half of those that are held, all are forgotten, and those
	// still in use are learnt again.
	Expiry time.Duration
	// MaxPoints is the number of timestamped values held per bucket, MaxEvents
	// that of events and service checks held per cut; further ones are rejected
	// and counted.
	MaxPoints, MaxEvents int
	// MaxSetMembers is the number of set members held per bucket; further ones
	// are rejected and counted.
	MaxSetMembers int
}

// Default returns the configuration of the reference server: buckets of 10 s, a
// million contextKeys that are remembered for five minutes, a million set
// members and timestamped values, the 95th percentile.
func Default() Config {
	return Config{Interval: 10 * time.Second, MaxKeys: 1_000_000, Expiry: 5 * time.Minute, Percentiles: []float64{.95},
		MaxSetMembers: 1_000_000, MaxPoints: 1_000_000, MaxEvents: 10_000}
}

// Validate names the first value that cannot be.
func (c Config) Validate() error {
	switch {
	case c.Interval < time.Millisecond:
		return fmt.Errorf("bucket interval is %v, want at least 1ms", c.Interval)
	case c.MaxKeys < 1 || c.MaxKeys > 50_000_000:
		return fmt.Errorf("limit of contextKeys is %d, want 1 to 50000000", c.MaxKeys)
	case c.Expiry <= 0:
		return fmt.Errorf("expiry of contextKeys is %v, want more than 0", c.Expiry)
	case c.MaxSetMembers < 1 || c.MaxPoints < 1 || c.MaxEvents < 1:
		return fmt.Errorf("limits of set members, timestamped values and events are %d, %d and %d, want at least 1 of each", c.MaxSetMembers, c.MaxPoints, c.MaxEvents)
	}
	for _, q := range c.Percentiles {
		if !(q > 0 && q < 1) {
			return fmt.Errorf("percentile is %v, want more than 0 and less than 1, such as 0.95", q)
		}
	}
	return nil
}

// Counts is what became of the messages a Table was given. They only grow.
// Received = Aggregated + Malformed (all causes) + Truncated + Rejected.
type Counts struct {
	Received   int64 // lines that were not empty
	Aggregated int64
	Truncated  int64 // the cut last lines of datagrams longer than the buffer
	Rejected   int64 // over a limit
	Faults     [dogstatsd.Faults]int64
}

// Malformed is the sum over all causes.
func (c *Counts) Malformed() int64 {
	var n int64
	for _, f := range c.Faults {
		n += f
	}
	return n
}

// Table aggregates messages. Its methods must be called from one goroutine at
// a time.
type Table struct {
	Counts Counts

	config  Config
	seeds   *seeds // of all keyrings
	summary *summary
	ring    *keyring
	now     int64 // Unix nanoseconds, of the last Advance
	born    int64 // when the keyring was started
	active  int   // most contextKeys seen in a bucket since then
	events  []Event
	checks  []ServiceCheck
	open    *bucket
	opened  int64 // Counts.Aggregated when the open bucket was opened
	closed  []*bucket
	spare   chan *bucket // emptied buckets that came back from flushes
	members int          // of sets in the open bucket

	blocks   []separators // of one datagram
	batch    [batchLen]line
	lessons  [batchLen]lesson // of the lines of batch that are new
	gathered int              // of batch
	touched  byte             // keeps the reads of prepare
}

// batchLen lines are taken through each stage together. A stage is a short loop
// that waits for memory at most once per line, so that the processor has the
// cache misses of many lines under way at the same time; one line after the
// other would wait for each of its three (slot, alias, cell) in turn.
const batchLen = 64

// NewTable returns an empty table. The configuration must be valid.
func NewTable(config Config) *Table {
	seeds := newSeeds()
	return &Table{config: config, seeds: seeds, summary: newSummary(config.Percentiles), ring: newKeyring(seeds, config.MaxKeys), spare: make(chan *bucket, 2)}
}

// summary is which quantiles timers and histograms are sent with.
type summary struct {
	quantiles []float64
	suffixes  []string // of their series: ".95percentile"
}

func newSummary(percentiles []float64) *summary {
	s := &summary{quantiles: percentiles}
	for _, q := range percentiles {
		// Rounded, because 0.999*100 is 99.89999….
		s.suffixes = append(s.suffixes, "."+strconv.FormatFloat(math.Round(q*1e8)/1e6, 'f', -1, 64)+"percentile")
	}
	return s
}

// maxClosed is how many closed buckets wait for a flush. Where flushes fall that
// far behind, because an upload is stuck, the open bucket is not closed: messages
// lose the exact interval that they came in, but neither themselves nor the
// bound on memory.
const maxClosed = 8

// Advance closes the open bucket when now (Unix nanoseconds) lies past its
// end. It is called once per batch of datagrams, before they are added: a
// message belongs to the bucket in which it was read.
func (t *Table) Advance(now int64) {
	interval := int64(t.config.Interval)
	t.now = now
	if t.open != nil && now >= t.open.start && now < t.open.start+interval {
		return
	}
	if len(t.closed) >= maxClosed && t.open != nil {
		return
	}
	t.closeOpen()
	t.expire()
	if t.open == nil {
		select {
		case t.open = <-t.spare:
		default:
			t.open = new(bucket)
		}
	}
	t.members = 0
	t.opened = t.Counts.Aggregated
	t.open.start = now - now%interval
}

// closeOpen moves the open bucket to the closed ones, unless nothing was
// aggregated into it.
func (t *Table) closeOpen() {
	if t.open != nil && t.Counts.Aggregated > t.opened {
		t.active = max(t.active, t.open.active)
		t.open.view = t.ring.view()
		t.closed = append(t.closed, t.open)
		t.open = nil
	}
}

// expire forgets contextKeys, between two buckets. It does not look for those
// that are old; it starts a new keyring, into which those in use come back with
// their next message, when none of the buckets of an expiry used half of what the
// old one holds. So ingest never stops to sweep, and contextKeys that come in
// every bucket are never learnt again; those that come less often may be, once
// per expiry. Buckets that were closed keep the keyring that they refer to.
func (t *Table) expire() {
	if t.born == 0 {
		t.born = t.now
	}
	if t.now-t.born < int64(t.config.Expiry) {
		return
	}
	if int(t.ring.nkeys) > 2*t.active {
		t.ring = newKeyring(t.seeds, t.config.MaxKeys)
	}
	t.born, t.active = t.now, 0
}

// AddDatagram aggregates every line of a datagram, which is not kept: Gather and
// Finish in one.
func (t *Table) AddDatagram(datagram []byte, truncated bool) {
	t.Gather(datagram, truncated)
	t.Finish()
}

// Gather takes the lines of a datagram, to be aggregated at the latest by
// Finish; until then the datagram must not change. truncated says that it was
// longer than the buffer it was read into: its last line is cut, and counted
// instead of being parsed into a wrong value. Where the cut fell behind a line
// break, what is missing counts as one line. Advance must have been called.
func (t *Table) Gather(datagram []byte, truncated bool) {
	whole := len(datagram) > 0 && datagram[len(datagram)-1] == '\n' // its last line
	if truncated && whole {
		t.Counts.Received++
		t.Counts.Truncated++
	}
	t.blocks = separate(t.blocks, datagram)
	for at := 0; at < len(datagram); {
		l := &t.batch[t.gathered]
		at = l.cut(datagram, at, t.blocks, t.seeds)
		if len(l.text) == 0 {
			continue
		}
		t.Counts.Received++
		if truncated && at >= len(datagram) && !whole {
			t.Counts.Truncated++
			return
		}
		if t.gathered++; t.gathered == batchLen {
			t.Finish()
		}
	}
}

// Finish aggregates what was gathered.
func (t *Table) Finish() {
	t.addBatch(t.batch[:t.gathered])
	t.gathered = 0
}

// addBatch aggregates lines that were cut.
func (t *Table) addBatch(batch []line) {
	for i := range batch {
		batch[i].slot = t.ring.byAlias.first(batch[i].print.hash)
	}
	for i := range batch {
		batch[i].alias = t.ring.candidate(batch[i].print.hash, batch[i].slot)
	}
	t.prepare(batch)
	for i := range batch {
		l := &batch[i]
		switch {
		case l.alias == nil:
			t.addNew(l, &t.lessons[i])
		case l.whole && l.alias.kind != dogstatsd.Set: // as most messages are
			t.Counts.Aggregated++
			t.addValue(t.open.use(l.alias.key), l.alias, l.value)
		default:
			t.apply(l.alias, l.values())
		}
	}
}

// addPoints keeps the values of a timestamped message as they are: who gives a
// time has aggregated already. Packed counts are summed and of packed gauges
// the last stands, as without a timestamp.
func (t *Table) addPoints(a *alias, values []byte, timestamp int64) {
	if len(t.open.points) >= t.config.MaxPoints {
		t.Counts.Rejected++
		return
	}
	p := point{time: timestamp, key: a.key}
	for {
		var value []byte
		if value, values = dogstatsd.CutValue(values); value == nil {
			break
		}
		x, _ := dogstatsd.ParseValue(value)
		if a.kind == dogstatsd.Counter {
			p.value += x // whatever the rate: it was applied by who aggregated
		} else {
			p.value = x
		}
	}
	t.open.points = append(t.open.points, p)
	t.Counts.Aggregated++
}

// checkValues finds the fault among packed values, if there is one: one bad
// value spoils its message, so nothing is applied before all were read.
func checkValues(values []byte) dogstatsd.Fault {
	fault := dogstatsd.EmptyValue
	for {
		var value []byte
		if value, values = dogstatsd.CutValue(values); value == nil {
			return fault
		}
		if _, ok := dogstatsd.ParseValue(value); !ok {
			return dogstatsd.BadValue
		}
		fault = dogstatsd.NoFault
	}
}

// apply adds the values of a message to the cell of its contextKey.
func (t *Table) apply(a *alias, values []byte) {
	if a.kind == dogstatsd.Set {
		t.applySet(a, values)
		return
	}
	// Most messages carry one short whole number.
	if x, ok := dogstatsd.ParseDigits(values); ok {
		t.Counts.Aggregated++
		t.addValue(t.open.use(a.key), a, x)
		return
	}
	if fault := checkValues(values); fault != dogstatsd.NoFault {
		t.Counts.Faults[fault]++
		return
	}
	t.Counts.Aggregated++
	c := t.open.use(a.key)
	for {
		var value []byte
		if value, values = dogstatsd.CutValue(values); value == nil {
			return
		}
		x, _ := dogstatsd.ParseValue(value)
		t.addValue(c, a, x)
	}
}

func (t *Table) addValue(c *cell, a *alias, x float64) {
	switch a.kind {
	case dogstatsd.Counter:
		c.value += x * a.weight
	case dogstatsd.Gauge:
		c.value = x
	default:
		t.open.sketch(c).insert(x, a.weight)
	}
}

// applySet adds a member: the whole value, colons included.
func (t *Table) applySet(a *alias, member []byte) {
	c := t.open.cell(a.key)
	set := t.open.set(c)
	if _, known := set[string(member)]; !known {
		if t.members >= t.config.MaxSetMembers {
			t.Counts.Rejected++
			return
		}
		set[string(member)] = struct{}{}
		t.members++
	}
	t.open.use(a.key)
	t.Counts.Aggregated++
}

// Keys is the number of contextKeys held.
func (t *Table) Keys() int { return int(t.ring.nkeys) }

// Memory is the number of bytes held for contextKeys; buckets come on top.
func (t *Table) Memory() int64 { return t.ring.memory() }

// Package aggregate turns messages into buckets and buckets into series. It is
// pure: time comes in as an argument, and nothing here waits, locks or sends.
//
// A Table belongs to one goroutine, the one that ingests. A Cut is what it
// detaches for a flush; it belongs to whoever flushes, on the same goroutine or
// another, while the table goes on.
package aggregate

import (
	"fmt"
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
	// MaxSetMembers is the number of set members held per bucket; further ones
	// are rejected and counted.
	MaxSetMembers int
}

// Default returns the configuration of the reference server: buckets of 10 s,
// a million contextKeys, a million set members.
func Default() Config {
	return Config{Interval: 10 * time.Second, MaxKeys: 1_000_000, MaxSetMembers: 1_000_000}
}

// Validate names the first value that cannot be.
func (c Config) Validate() error {
	switch {
	case c.Interval < time.Millisecond:
		return fmt.Errorf("bucket interval is %v, want at least 1ms", c.Interval)
	case c.MaxKeys < 1 || c.MaxKeys > 50_000_000:
		return fmt.Errorf("limit of contextKeys is %d, want 1 to 50000000", c.MaxKeys)
	case c.MaxSetMembers < 1:
		return fmt.Errorf("limit of set members is %d, want at least 1", c.MaxSetMembers)
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
	ring    *keyring
	open    *bucket
	opened  int64 // Counts.Aggregated when the open bucket was opened
	closed  []*bucket
	spare   chan *bucket // emptied buckets that came back from flushes
	members int          // of sets in the open bucket
	batch   [batchLen]line
}

// line is a message on its way through AddDatagram.
type line struct {
	name, values, rest []byte
	hash               uint64
	alias              *alias
}

// batchLen lines are taken through each stage together, so that the cache
// misses of one line's look-up overlap with those of the next.
const batchLen = 64

// NewTable returns an empty table. The configuration must be valid.
func NewTable(config Config) *Table {
	return &Table{config: config, ring: newKeyring(config.MaxKeys), spare: make(chan *bucket, 2)}
}

// Advance closes the open bucket when now (Unix nanoseconds) lies past its
// end. It is called once per batch of datagrams, before they are added: a
// message belongs to the bucket in which it was read.
func (t *Table) Advance(now int64) {
	interval := int64(t.config.Interval)
	if t.open != nil && now >= t.open.start && now < t.open.start+interval {
		return
	}
	t.closeOpen()
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
		t.closed = append(t.closed, t.open)
		t.open = nil
	}
}

// AddDatagram aggregates every line of a datagram. truncated says that the
// datagram was longer than the buffer it was read into: its last line is cut,
// and counted instead of being parsed into a wrong value. Advance must have
// been called. The datagram is not kept.
func (t *Table) AddDatagram(datagram []byte, truncated bool) {
	for len(datagram) > 0 {
		n := 0
		for n < batchLen && len(datagram) > 0 {
			var text []byte
			text, datagram = dogstatsd.CutLine(datagram)
			if len(text) == 0 {
				continue
			}
			t.Counts.Received++
			if truncated && len(datagram) == 0 {
				t.Counts.Truncated++
				break
			}
			l := &t.batch[n]
			var fault dogstatsd.Fault
			if l.name, l.values, l.rest, fault = dogstatsd.Split(text); fault != dogstatsd.NoFault {
				if unsupported(text) != dogstatsd.NoFault {
					fault = dogstatsd.Unsupported // a service check has no ':' where a message has one
				}
				t.Counts.Faults[fault]++
				continue
			}
			l.hash = t.ring.hash(l.name, l.rest)
			n++
		}
		batch := t.batch[:n]
		for i := range batch {
			l := &batch[i]
			l.alias = t.ring.alias(l.hash, l.name, l.rest)
		}
		for i := range batch {
			t.add(&batch[i])
		}
	}
}

// add applies one message whose alias was looked up.
func (t *Table) add(l *line) {
	if l.alias == nil {
		t.addUnseen(l)
		return
	}
	t.apply(l.alias, l.values)
}

// addUnseen applies a message that was not written in this way before.
func (t *Table) addUnseen(l *line) {
	// An earlier line of the same batch may have taught it.
	if a := t.ring.alias(l.hash, l.name, l.rest); a != nil {
		t.apply(a, l.values)
		return
	}
	if fault := unsupported(l.name); fault != dogstatsd.NoFault {
		t.Counts.Faults[fault]++
		return
	}
	m, fault := dogstatsd.ParseRest(l.rest)
	if fault == dogstatsd.NoFault && m.Kind != dogstatsd.Set {
		// A bad line must not take a place among the contextKeys.
		fault = checkValues(l.values)
	}
	if fault != dogstatsd.NoFault {
		t.Counts.Faults[fault]++
		return
	}
	a, ok := t.ring.learn(l.hash, l.name, l.rest, m)
	if !ok {
		t.Counts.Rejected++
		return
	}
	t.apply(&a, l.values)
}

// unsupported tells events and service checks from messages.
func unsupported(name []byte) dogstatsd.Fault {
	if len(name) >= 3 && name[0] == '_' && (string(name[:3]) == "_e{" || string(name[:3]) == "_sc") {
		return dogstatsd.Unsupported
	}
	return dogstatsd.NoFault
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
	first, rest := dogstatsd.CutValue(values)
	x, ok := dogstatsd.ParseValue(first)
	if !ok || len(rest) > 0 {
		if fault := checkValues(values); fault != dogstatsd.NoFault {
			t.Counts.Faults[fault]++
			return
		}
	}
	c := t.open.cell(a.key)
	c.messages++
	t.Counts.Aggregated++
	for {
		switch a.kind {
		case dogstatsd.Counter:
			c.value += x * a.weight
		case dogstatsd.Gauge:
			c.value = x
		default:
			t.open.sketch(c).insert(x, a.weight)
		}
		if len(rest) == 0 {
			return
		}
		if first, rest = dogstatsd.CutValue(rest); first == nil {
			return
		}
		x, _ = dogstatsd.ParseValue(first)
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
	c.messages++
	t.Counts.Aggregated++
}

// Keys is the number of contextKeys held.
func (t *Table) Keys() int { return int(t.ring.nkeys) }

// Memory is the number of bytes held for contextKeys; buckets come on top.
func (t *Table) Memory() int64 { return t.ring.memory() }

package scenarios

import (
	"fmt"
	"slices"
	"strings"
)

// Sender says how the load is handed over.
type Sender struct {
	Method  SendMethod
	Sockets int // that share the load, each a client of its own to the target
	// WhenFull says what becomes of a datagram that there is no room for.
	WhenFull WhenFull
	Client   Client
}

// SendMethod is how datagrams are handed to the kernel.
type SendMethod string

// The methods. AutoMethod is SendBatch where the system has it, and the only way
// there is for streams; SendGSO has the kernel cut up runs of datagrams; SendSingle
// writes one at a time, as most clients do.
const (
	AutoMethod SendMethod = "auto"
	SendBatch  SendMethod = "batch"
	SendGSO    SendMethod = "gso"
	SendSingle SendMethod = "single"
)

// WhenFull is what a sender does before a full receiver.
type WhenFull string

// Block waits, and is late; Drop gives up what there is no room for, as a client
// does that must not hold up its program.
const (
	Block WhenFull = "block"
	Drop  WhenFull = "drop"
)

// Client is a library whose functions the messages go through.
type Client string

// The clients. With one, Corpus.Packing limits the payloads that it fills; 0 of
// both stands for its own defaults.
const (
	NoClient  Client = ""
	DatadogGo Client = "datadog-go"
)

// maxSockets is the generator's.
const maxSockets = 1024

// The largest payloads that DatadogGo fills of itself.
const (
	clientUDPBytes  = 1432
	clientUnixBytes = 8192
)

func (r *reader) sender(to *Sender, v value) {
	r.mapping(v,
		field{"method", false, choiceInto(r, &to.Method, AutoMethod, SendBatch, SendGSO, SendSingle)},
		field{"sockets", false, scalarInto(r, &to.Sockets, asWhole, within(whole, 1, maxSockets, "1 to 1024"))},
		field{"when_full", false, choiceInto(r, &to.WhenFull, Block, Drop)},
		field{"client", false, choiceInto(r, &to.Client, DatadogGo)},
	)
}

// stream reports whether the transport has no datagrams of its own.
func (t Transport) stream() bool { return t == UnixStream || t == TCP }

// senderRules refuses ways of sending that do not go together, or not with the
// load. The generator has the same rules for those of its own options.
func (r *reader) senderRules(l *Load) {
	if r.bad["load.transport"] {
		return
	}
	s := l.Sender
	if line, ok := r.sound("load.sender.method"); ok && s.Method != AutoMethod {
		switch {
		case l.Transport.stream():
			r.add(line, "load.sender.method: %s is for datagrams, and %s is a stream: leave it out", s.Method, l.Transport)
		case s.Method == SendGSO && l.Transport != UDP:
			r.add(line, "load.sender.method: gso is for udp, not %s: want batch or single", l.Transport)
		case s.Client != NoClient && !r.bad["load.sender.client"]:
			r.add(line, "load.sender.method: %s writes in a way of its own: leave it out", s.Client)
		}
	}
	if line, ok := r.sound("load.sender.when_full"); ok && s.WhenFull == Drop {
		switch {
		case s.Client != NoClient && !r.bad["load.sender.client"]:
			r.add(line, "load.sender.when_full: %s drops in a way of its own: leave it out", s.Client)
		case s.Method == SendSingle && !r.bad["load.sender.method"]:
			r.add(line, "load.sender.when_full: single writes cannot tell at once that there is no room: want batch, or block")
		}
	}
	if line, ok := r.sound("load.corpus.hostile.oversize"); ok && l.Corpus.Hostile.Oversize > 0 && l.Transport == UnixStream {
		r.add(line, "load.corpus.hostile.oversize: a receiver ends a stream over such a frame: leave it out, or want another transport")
	}
}

// clientRules refuses loads that a client library would send otherwise than the
// corpus says, because what arrives could not be compared.
func (r *reader) clientRules(s *Scenario) {
	line, ok := r.sound("load.sender.client")
	if !ok {
		return
	}
	add := func(format string, args ...any) {
		r.add(line, "load.sender.client: "+string(s.Load.Sender.Client)+" "+format, args...)
	}
	if s.Load.Transport == TCP && !r.bad["load.transport"] {
		add("has no tcp: want udp, unixgram or unixstream")
	}
	if s.Order == Woven && !r.bad["order"] {
		add("makes its calls ready when the load begins, and then the other half is under load: want order: blocks")
	}
	if s.Load.Replay != nil {
		add("takes messages apart, and a replay is sent as it stands: want a corpus, or no client")
	}
	if lines, ok := r.sound("load.corpus.packing"); ok && s.Load.Corpus.Packing == (Packing{}) {
		r.add(lines, "load.corpus.packing: %s packs by itself: leave it out for its own limits, or want {lines: 1}", s.Load.Sender.Client)
	}
	c := &s.Load.Corpus
	var others []string
	for _, x := range []struct {
		key string
		in  bool
	}{
		{"sampled", c.SampledShare > 0}, {"packed_values", c.PackedValues > 1}, {"timestamps", c.TimestampedShare > 0},
		{"containers", c.ContainerShare > 0}, {"events", c.EventShare > 0}, {"service_checks", c.CheckShare > 0}, {"hostile", c.Hostile.Share > 0},
	} {
		if x.in && !r.bad["load.corpus."+x.key] {
			others = append(others, x.key)
		}
	}
	if len(others) > 0 {
		add("sends no such messages as the corpus has by %s: leave them out", strings.Join(others, ", "))
	}
}

// narrowClient makes a client pack less, for a target that cannot take what it
// packs of itself.
func (c *Capabilities) narrowClient(l *Load) (left []string) {
	p := &l.Corpus.Packing
	if !c.Packing && p.Lines != 1 {
		p.Lines = 1
		left = append(left, "several messages in a datagram")
	}
	most := p.Bytes
	if most == 0 {
		if most = clientUnixBytes; l.Transport == UDP {
			most = clientUDPBytes
		}
	}
	if c.LargestDatagram > 0 && int64(most) > c.LargestDatagram {
		p.Bytes = int(c.LargestDatagram)
		left = append(left, fmt.Sprintf("datagrams over %d bytes", c.LargestDatagram))
	}
	return left
}

// Words says how the load is sent where that is not the plain way, such as
// "through 3 sockets"; empty otherwise.
func (s Sender) Words() string {
	var words []string
	if s.Client != NoClient {
		words = append(words, "through "+string(s.Client))
	}
	if s.Sockets > 1 {
		words = append(words, fmt.Sprintf("through %d sockets", s.Sockets))
	}
	if !slices.Contains([]SendMethod{"", AutoMethod}, s.Method) {
		words = append(words, "by the method "+string(s.Method))
	}
	if s.WhenFull == Drop {
		words = append(words, "dropped when there is no room")
	}
	return strings.Join(words, ", ")
}

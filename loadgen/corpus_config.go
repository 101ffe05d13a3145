package loadgen

import (
	"fmt"
	"math"
	"strings"

	"floodgate/internal/dogstatsd"
)

// CorpusConfig says what the messages of a load are. Equal configurations give
// equal corpora, byte for byte, on every machine and with any number of cores.
// What is left at its zero value is not there, and changes nothing of the rest.
type CorpusConfig struct {
	Seed        uint64
	Messages    int64
	ContextKeys int // distinct name+type+tag sets; with Churn, those in use at any instant

	// Cycle gives the messages their contextKeys in one seeded order that is
	// repeated, so that counts per key differ by at most one, but for messages
	// that are no metrics. Without it each message's key is drawn at random:
	// with a Zipf exponent above 0 the k-th most popular in proportion to
	// k^-Zipf, else all being equally likely.
	Cycle bool
	Zipf  float64
	// Churn is how many contextKeys are replaced by new ones in each second of
	// the Schedule, the oldest first.
	Churn int64
	// Schedule says when each message is due, which only Churn and timestamps
	// ask for. It is not otherwise looked at.
	Schedule Schedule

	// Kinds share the contextKeys by weight, exactly but for rounding.
	Kinds []KindWeight
	// Names are patterns of metric names, such as "web.{0..9}.requests"; none
	// for names of the corpus's own. Where several kinds have a weight, each name
	// gets an end for its kind, because a name must not come under two.
	Names []string
	// Each message has Tags tags, or up to TagsMost where that is more. Tags of
	// TagPatterns replace them: one tag of each pattern, such as "host:web-{0..9}",
	// and an id where the patterns do not tell the contextKeys apart.
	Tags, TagsMost int
	TagPatterns    []string
	// Each generated tag, and name, is made at least so long, in bytes. Where a
	// tag may be up to TagBytesMost long its length is drawn.
	TagBytes, TagBytesMost, NameBytes int
	// UniqueTags, 0 to 1, of the generated tags have a value of their contextKey
	// alone. The others are shared by the contextKeys of an instance.
	UniqueTags float64

	// DatagramBytes is the largest datagram that is filled; 0 puts one message
	// into each. DatagramLines bounds the messages in one; 0 does not.
	DatagramBytes int
	DatagramLines int

	// SampledShare, 0 to 1, of the contextKeys of the kinds that are summed or
	// counted (c, ms, h, d) carry SampleRate on each of their messages. A key is
	// sampled always or never, so that each of its messages weighs the same and
	// the number that arrived follows from the sum. 1/SampleRate must be a whole
	// number, which keeps every expected total exact.
	SampledShare float64
	SampleRate   float64
	// PackedValues is the number of values in each message, 1 for plain ones.
	// Sets have no packed form and always carry one.
	PackedValues int
	Values       Values

	// TimestampedShare, 0 to 1, of the contextKeys of counters and gauges carry
	// the second TimestampFrom (Unix time) plus their due time. They are not
	// sampled, because servers disagree on what that means together.
	TimestampedShare float64
	TimestampFrom    int64
	// ContainerShare, 0 to 1, of the contextKeys name one of Containers origins.
	ContainerShare float64
	Containers     int

	// EventShare and CheckShare, 0 to 1, of the messages are events and service
	// checks, and Hostile says how many are no messages at all.
	EventShare, CheckShare float64
	Hostile                Hostile

	// Shard of Shards, 0 <= Shard < Shards, makes the corpus of one of several
	// senders: its messages are those of the share of a schedule (see Shard),
	// drawn from a random stream of its own, over the same contextKeys. 0 Shards
	// are one.
	Shard, Shards int
}

// KindWeight is the share of the contextKeys that are of one kind.
type KindWeight struct {
	Kind   dogstatsd.Kind
	Weight int
}

// The limits of a corpus. A datagram of maxDatagram bytes is the largest that
// UDP over IPv4 carries.
const (
	maxDatagram = 65_507
	maxTags     = 64
	maxTagBytes = 1000
	maxValues   = 1 << 12
	maxMessages = 1 << 30
	maxKeys     = 1 << 30
	maxWeight   = 1 << 20
	maxShards   = 1 << 12
	maxZipf     = 10
	maxUnixTime = 1 << 40
)

// faultList collects what is wrong with a configuration.
type faultList []string

func (f *faultList) need(ok bool, format string, args ...any) {
	if !ok {
		*f = append(*f, fmt.Sprintf(format, args...))
	}
}

func (f *faultList) between(name string, n, low, high int64) {
	f.need(low <= n && n <= high, "%s is %d, must be %d to %d", name, n, low, high)
}

func (f *faultList) share(name string, x float64) {
	f.need(0 <= x && x <= 1, "%s is %v, must be 0 to 1", name, x)
}

// Validate returns one error that names every fault of the configuration.
func (c CorpusConfig) Validate() error {
	var f faultList
	f.between("Messages", c.Messages, 0, maxMessages)
	f.between("ContextKeys", int64(c.ContextKeys), 1, maxKeys)
	f.between("DatagramBytes", int64(c.DatagramBytes), 0, maxDatagram)
	f.between("DatagramLines", int64(c.DatagramLines), 0, maxMessages)
	f.between("PackedValues", int64(c.PackedValues), 1, maxValues)
	f.share("SampledShare", c.SampledShare)
	weight := 1 / c.SampleRate
	f.need(c.SampledShare == 0 || c.SampleRate <= 1 && weight >= 1 && weight <= maxWeight && weight == math.Trunc(weight),
		"SampleRate is %v, must be 1 divided by a whole number up to %d, such as 0.5, 0.25 or 0.1", c.SampleRate, maxWeight)
	f.need(c.Values.valid(), "Values are %+v, must be between 1 and %d", c.Values, MaxValue)
	c.kindFaults(&f)
	c.keyFaults(&f)
	c.otherFaults(&f)
	f.between("Shards", int64(c.Shards), 0, maxShards)
	f.need(c.Shard >= 0 && c.Shard < max(1, c.Shards), "Shard is %d of %d, must be from 0 and below", c.Shard, max(1, c.Shards))
	if len(f) > 0 {
		return fmt.Errorf("cannot use corpus: %s", strings.Join(f, "; "))
	}
	return nil
}

func (c *CorpusConfig) kindFaults(f *faultList) {
	total, seen := 0, map[dogstatsd.Kind]bool{}
	for _, k := range c.Kinds {
		f.need(k.Kind >= dogstatsd.Counter && k.Kind <= dogstatsd.Set, "Kinds has kind %d, which is none", k.Kind)
		f.need(!seen[k.Kind], "Kinds has %v twice", k.Kind)
		f.need(0 <= k.Weight && k.Weight <= maxWeight, "Kinds gives %v the weight %d, must be 0 to %d", k.Kind, k.Weight, maxWeight)
		seen[k.Kind] = true
		total += k.Weight
	}
	f.need(total > 0, "Kinds has no kind of a weight above 0")
}

// keyFaults judges what contextKeys look like and which of them messages have.
func (c *CorpusConfig) keyFaults(f *faultList) {
	f.need(0 <= c.Zipf && c.Zipf <= maxZipf, "Zipf is %v, must be 0 to %d", c.Zipf, maxZipf)
	f.need(c.Zipf == 0 || !c.Cycle, "Zipf is %v beside Cycle, must be one of the two", c.Zipf)
	f.between("Churn", c.Churn, 0, maxKeys)
	f.need(c.Churn == 0 || c.Schedule != nil, "Churn is %d without a Schedule, which must say when", c.Churn)
	if c.Churn > 0 && c.Churn <= maxKeys && c.Schedule != nil {
		total := float64(c.Churn)*c.Schedule.End().Seconds() + float64(c.ContextKeys)
		f.need(total <= maxKeys, "Churn is %d/s for %v, must come to at most %d contextKeys in all", c.Churn, c.Schedule.End(), maxKeys)
	}
	f.between("Tags", int64(c.Tags), 0, maxTags)
	f.need(c.TagsMost == 0 || c.Tags >= 1 && c.Tags <= c.TagsMost && c.TagsMost <= maxTags, "TagsMost is %d for Tags %d, must be at least that, and both 1 to %d", c.TagsMost, c.Tags, maxTags)
	f.between("TagBytes", int64(c.TagBytes), 0, maxTagBytes)
	f.need(c.TagBytesMost == 0 || c.TagBytes <= c.TagBytesMost && c.TagBytesMost <= maxTagBytes, "TagBytesMost is %d for TagBytes %d, must be at least that and at most %d", c.TagBytesMost, c.TagBytes, maxTagBytes)
	f.between("NameBytes", int64(c.NameBytes), 0, maxTagBytes)
	f.share("UniqueTags", c.UniqueTags)
	f.need(len(c.TagPatterns) == 0 || c.TagsMost == 0 && c.TagBytes == 0 && c.TagBytesMost == 0 && c.UniqueTags == 0,
		"TagPatterns stands beside TagsMost, TagBytes or UniqueTags, must stand alone: patterns say what the tags are")
	f.between("TagPatterns", int64(len(c.TagPatterns)), 0, maxTags)
	names, err := expandAll(c.Names, nameForbids)
	f.need(err == nil, "Names: %v", err)
	f.need(err != nil || len(names) == 0 || c.NameBytes == 0, "NameBytes is %d beside Names, must be 0: they say what the names are", c.NameBytes)
	f.need(err != nil || len(names) == 0 || c.Tags > 0 || len(c.TagPatterns) > 0 || len(names) >= c.keysInAll(),
		"Names has %d names for %d contextKeys without tags, must have one for each", len(names), c.keysInAll())
	for _, p := range c.TagPatterns {
		_, err := expandAll([]string{p}, tagForbids)
		f.need(err == nil, "TagPatterns: %v", err)
	}
	f.share("TimestampedShare", c.TimestampedShare)
	f.need(c.TimestampedShare == 0 || c.TimestampFrom > 0 && c.TimestampFrom <= maxUnixTime && c.Schedule != nil,
		"TimestampFrom is %d, must be above 0, in seconds, and a Schedule must be there", c.TimestampFrom)
	f.share("ContainerShare", c.ContainerShare)
	f.need(c.ContainerShare == 0 || c.Containers > 0, "Containers is %d, must be above 0", c.Containers)
}

// otherFaults judges the messages that are no metrics.
func (c *CorpusConfig) otherFaults(f *faultList) {
	f.share("EventShare", c.EventShare)
	f.share("CheckShare", c.CheckShare)
	h := c.Hostile
	f.share("Hostile.Share", h.Share)
	f.need(!(c.EventShare+c.CheckShare+h.Share > 1), "EventShare, CheckShare and Hostile.Share come to %v, must be at most 1", c.EventShare+c.CheckShare+h.Share)
	for _, w := range []int{h.Malformed, h.Truncated, h.Oversize, h.NonUTF8} {
		f.need(0 <= w && w <= maxWeight, "Hostile has the weight %d, must be 0 to %d", w, maxWeight)
	}
	f.need(h.OversizeBytes == 0 || minOversize <= h.OversizeBytes && h.OversizeBytes <= maxDatagram, "Hostile.OversizeBytes is %d, must be %d to %d", h.OversizeBytes, minOversize, maxDatagram)
}

// keysInAll is how many contextKeys there are from the first instant to the
// last.
func (c *CorpusConfig) keysInAll() int {
	if c.Churn == 0 || c.Schedule == nil {
		return c.ContextKeys
	}
	return c.ContextKeys + c.churned(c.Schedule.End())
}

// shards is the number of senders, at least 1.
func (c *CorpusConfig) shards() int64 { return int64(max(1, c.Shards)) }

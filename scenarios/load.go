package scenarios

import "time"

// Schedule says when messages are due: Count of them over the half-open window
// [0, Over). Evenly spread ones are due at Over*i/Count, and all at once where
// Over is 0. A Count of 0 is an idle stretch of length Over.
//
// Whatever a file says is brought to a few forms: a steady rate is an even
// schedule, steps and spikes are sequences of them.
type Schedule struct {
	Count int64
	Over  time.Duration
	Curve Curve

	From, To        int64         // messages per second, of a ramp
	Mean, Amplitude int64         // likewise, of a sine
	Period          time.Duration // of a sine
	Seed            uint64        // of Poisson arrivals
	Parts           []Schedule    // of a sequence or a sum
	Times           int           // how often a sequence is played; 0 is once
}

// Curve is how the messages of a schedule are spread.
type Curve string

// The curves. The zero Curve spreads messages evenly.
const (
	Even     Curve = ""
	Ramp     Curve = "ramp"
	Sine     Curve = "sine"
	Poisson  Curve = "poisson"
	Sequence Curve = "sequence"
	Sum      Curve = "sum"
)

// Corpus says what the messages are. It is generated from Seed before the
// clock starts.
type Corpus struct {
	Seed        uint64
	ContextKeys int        // distinct name+type+tag sets; with Churn, at any instant
	Popularity  Popularity // which contextKey each message has
	Zipf        float64    // exponent; 0 unless Popularity is Zipf
	Churn       int64      // contextKeys replaced by new ones per second
	Names       []string   // patterns of names; none for generated ones
	NameBytes   int        // least length of a generated name
	Tags        int        // per message
	TagsMost    int        // where their number varies; else 0
	TagBytes    int        // least length of a tag
	// TagBytesMost is the greatest, where lengths vary; else 0.
	TagBytesMost int
	UniqueTags   float64  // share (0..1) of the tags that one contextKey alone has
	TagPatterns  []string // one for each tag, instead of generated ones
	Kinds        []KindWeight
	Packing      Packing
	// SampledShare of the messages (0..1) carry SampleRate.
	SampledShare float64
	SampleRate   float64 // in (0, 1]
	// PackedValues is the number of values per message of the kinds that can be
	// packed (all but sets); 1 for plain messages.
	PackedValues int
	Values       Values
	// TimestampedShare of the contextKeys (0..1) of counters and gauges carry
	// TimestampFrom, in Unix seconds, plus the time since the load began.
	TimestampedShare float64
	TimestampFrom    int64
	ContainerShare   float64 // of the contextKeys (0..1) that name a container
	Containers       int     // how many there are
	EventShare       float64 // of the messages (0..1) that are events
	CheckShare       float64 // and service checks
	Hostile          Hostile
}

// Popularity distributes messages over contextKeys.
type Popularity string

// The popularities. Cycle visits every contextKey in turn, so that counts per
// key differ by at most one; Uniform draws each message's key at random; Zipf
// too, the k-th most popular in proportion to k to the power of -Corpus.Zipf.
const (
	Cycle   Popularity = "cycle"
	Uniform Popularity = "uniform"
	Zipf    Popularity = "zipf"
)

// Values is the distribution of the values of gauges, timers, histograms and
// distributions. The zero value is whole numbers from 1 to 1000, all equally
// likely.
type Values struct {
	Shape          string // "", "constant", "uniform", "normal", "lognormal" or "exponential"
	Min, Max       int64  // uniform
	Center, Spread float64
}

// Hostile is the share of messages that are none, and their weights by form.
// All weights 0 stand for the same of each but oversize.
type Hostile struct {
	Share                                   float64 // of the messages (0..1)
	Malformed, Truncated, Oversize, NonUTF8 int
	OversizeBytes                           int // 0 for the generator's own
}

// Packing is how messages share datagrams. Bytes is the largest datagram that
// is filled and Lines the most messages in one; 0 of both sends one message in
// each, and 0 Lines are as many as fit.
type Packing struct {
	Bytes int
	Lines int
}

// Replay offers a file of captured lines again.
type Replay struct {
	File string // as written: beside the scenario's file unless it is absolute
	// Speed divides the times of the lines. It is 0 for a file without times,
	// whose lines are due at Rate per second.
	Speed   float64
	Rate    int64
	Packing Packing
}

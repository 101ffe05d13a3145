// Package scenarios says what is measured: each scenario is one experiment, a
// load, a set-up of the target, a goal and checks, written as YAML and read by
// a loader that refuses what it does not understand.
package scenarios

import "time"

// Scenario is one experiment, fully resolved: every default is filled in.
type Scenario struct {
	Name        string // also the folder of its records: lower case, digits and underscores
	Description string
	Load        Load
	Target      TargetSetup
	Intake      Intake
	Goal        Measure // the one measure the scenario is judged on
	Checks      []Check
	// Gate makes the checks decide the run. Without it they only inform.
	Gate  bool
	Order Order
	// Slice is how long each target is under load before it is the other's turn,
	// where the order is woven.
	Slice time.Duration
	// Replicates is the number of pairs when the command line does not say.
	Replicates int
	// Erratic declares the goal too noisy to be called improved or regressed.
	Erratic bool
	Limits  Limits

	File   string // where it was read from, for messages and records
	Source []byte // the YAML itself: records keep it, so that they can be judged alone
}

// Order is how the replicates of a pair share the machine.
type Order string

// The two orders. Blocks runs each replicate alone, in seeded ABBA or BAAB
// blocks; woven keeps both targets alive and alternates the load between them.
const (
	Blocks Order = "blocks"
	Woven  Order = "woven"
)

// Load is what is offered to the target.
type Load struct {
	Transport Transport
	Sender    Sender
	Schedule  Schedule
	Corpus    Corpus
	Replay    *Replay // instead of both; nil for a load that is generated
	// WarmUp is how much of the beginning of the schedule CPU per message leaves
	// out. It is offered and accounted for like the rest; 0 for none.
	WarmUp time.Duration
}

// Transport is the kind of socket the load goes through.
type Transport string

// The transports. Over UnixStream each datagram of the corpus is a frame with its
// length in front; over TCP each message is a line.
const (
	UDP        Transport = "udp"
	Unixgram   Transport = "unixgram"
	UnixStream Transport = "unixstream"
	TCP        Transport = "tcp"
)

// transports are all of them.
var transports = []Transport{UDP, Unixgram, UnixStream, TCP}

// KindWeight is the share of contextKeys of one kind of message, named by its
// type on the wire: c, g, ms, h, d or s.
type KindWeight struct {
	Kind   string
	Weight int
}

// TargetSetup is what the scenario asks of any target, whatever its variant.
type TargetSetup struct {
	ReceiveBuffer int64         // SO_RCVBUF asked for, in bytes; 0 leaves the system's
	FlushInterval time.Duration // also the length of a bucket
	// CPUs limits the target to so much CPU time per time; 0 leaves it free. A
	// whole number confines it to so many cores, a fraction is a quota.
	CPUs float64
	// CPUPeriod is the stretch of time that a quota is given for: when it is used
	// up, the target stands still until the next one begins.
	CPUPeriod time.Duration
	Memory    int64 // limit in bytes, beyond which the target is killed; 0 for none
}

// Limits bound a replicate and say when it is invalid.
type Limits struct {
	Ready       time.Duration // for the target to become ready
	WarmUp      time.Duration // idle time between ready and the first due message
	LatenessP99 time.Duration // a generator later than this makes the run invalid
	Drain       time.Duration // for everything sent to arrive at the intake
	Stop        time.Duration // for the target to end by itself after it was asked to
	Retries     int           // how many invalid pairs are repeated, in all
}

// Check is one limit on one measure, judged in every replicate. Of a reduced
// series the Measure has the name, such as max(rss_bytes), and Reduced says how
// its value is made.
type Check struct {
	Measure       Measure
	Reduced       Reduced
	Op            string  // "<=", ">=" or "=="
	Bound         float64 // in the measure's unit
	Replicas      Share   // of the replicates that must keep the bound; zero: all
	Informational bool    // never decides, also in a gate
	Line          int     // in the scenario's file
}

// Name is what reports call the check: the measure it limits.
func (c Check) Name() string { return c.Measure.Name }

// Holds reports whether value keeps the bound.
func (c Check) Holds(value float64) bool {
	switch c.Op {
	case "<=":
		return value <= c.Bound
	case ">=":
		return value >= c.Bound
	}
	return value == c.Bound
}

// String is the check as people write it: "rss_peak <= 64MiB". The bound is
// exact, so that the text can be read back as a check.
func (c Check) String() string {
	return c.Measure.Name + " " + c.Op + " " + FormatExact(c.Bound, c.Measure.Unit)
}

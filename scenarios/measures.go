package scenarios

// Unit is the unit of a measure, as it stands in records.
type Unit string

// The units. Seconds and bytes are always plain, never scaled; Format writes
// them as people read them.
const (
	Seconds    Unit = "s"
	Bytes      Unit = "B"
	Messages   Unit = "messages"
	Datagrams  Unit = "datagrams"
	Ratio      Unit = "ratio"
	Millicores Unit = "millicores"
	Count      Unit = "count"
)

// Measure is a quantity that a replicate can have, with its unit and the
// direction in which it is better.
type Measure struct {
	Name   string
	Unit   Unit
	Better string // "lower" or "higher"
	Words  string // what it is, for help and reports
}

// Measures is the catalogue: what goals and checks may name, in the order in
// which reports list it. A target that does not tell a quantity leaves the
// measure absent, and a check on it fails.
var Measures = []Measure{
	{"cpu_per_message", Seconds, "lower", "CPU time of the target per message delivered, from the first due message until the target ended"},
	{"flush_cpu_per_message", Seconds, "lower", "the part of it that the target's flushes took; where the target tells"},
	{"cpu_seconds", Seconds, "lower", "CPU time of the target over the same stretch"},
	{"cpu_millicores", Millicores, "lower", "the same over the time from the first due message until everything had arrived"},
	{"throttled_time", Seconds, "lower", "how long the target stood still because its CPU quota was used up, over the same stretch"},
	{"throttled_periods", Count, "lower", "periods in which that happened"},
	{"oom_kills", Count, "lower", "processes of the target killed for its memory limit"},
	{"rss_peak", Bytes, "lower", "highest resident memory of the target since it was started"},
	{"pss_drained", Bytes, "lower", "proportional memory of the target when everything had arrived"},
	{"lost_messages", Messages, "lower", "messages sent whose effect did not arrive at the intake"},
	{"lost_fraction", Ratio, "lower", "the same as a share of the messages sent"},
	{"wrong_values", Count, "lower", "contextKeys whose series showed a wrong value; measured when nothing was lost"},
	{"delivered_messages", Messages, "higher", "messages whose effect arrived at the intake"},
	{"kernel_queue_peak", Bytes, "lower", "fullest reading of the target's socket buffer"},
	{"queue_length_peak", Datagrams, "lower", "longest queue inside the target"},
	{"ingest_latency_p50", Seconds, "lower", "how long a datagram waited from its arrival at the socket until the target had aggregated it, median; where the target tells"},
	{"ingest_latency_p99", Seconds, "lower", "the same, 99th percentile"},
	{"ingest_latency_max", Seconds, "lower", "the same, longest"},
	{"freshness_p50", Seconds, "lower", "how old messages were when their effect arrived at the intake, since they were due, median; measured when every message arrived and can be counted there"},
	{"freshness_p99", Seconds, "lower", "the same, 99th percentile"},
	{"freshness_max", Seconds, "lower", "the same, of the oldest, at least"},
	{"flush_stall_max", Seconds, "lower", "longest time that ingest stood still for a flush"},
	{"flush_stall_total", Seconds, "lower", "all the time that ingest stood still for flushes"},
	{"wake_late_max", Seconds, "lower", "how much too late the target's reader was woken from a sleep at worst, by the machine or what else ran on it; where the target tells"},
	{"drain_time", Seconds, "lower", "from the end of the load until the last upload had arrived"},
	{"lateness_p99", Seconds, "lower", "how late the generator was, 99th percentile"},
	{"lateness_max", Seconds, "lower", "how late the generator was at worst"},
	{"blocked_time", Seconds, "lower", "how long the generator stood before a full socket"},
	{"given_up_messages", Messages, "lower", "messages that were never sent because there was no room and their sender does not wait"},
	{"intake_bytes", Bytes, "lower", "compressed bytes that the intake took"},
	{"intake_requests", Count, "lower", "uploads that the intake took"},
	{"intake_connections", Count, "lower", "connections opened to the intake"},
}

// LookUp returns the measure of that name.
func LookUp(name string) (Measure, bool) {
	for _, m := range Measures {
		if m.Name == name {
			return m, true
		}
	}
	return Measure{}, false
}

// needsMessages reports whether the measure has a value only where messages
// were sent.
func (m Measure) needsMessages() bool {
	switch m.Name {
	case "cpu_per_message", "flush_cpu_per_message", "lost_messages", "lost_fraction", "wrong_values", "delivered_messages", "drain_time", "lateness_p99", "lateness_max", "blocked_time",
		"given_up_messages", "ingest_latency_p50", "ingest_latency_p99", "ingest_latency_max", "freshness_p50", "freshness_p99", "freshness_max":
		return true
	}
	return false
}

package intake

import (
	"strings"

	"floodgate/internal/payload"
)

// Counters is what counts came to, over all contextKeys: the sums of the types
// count and rate. It holds for every server, also one that changes names so that
// they cannot be told apart any more. The counts and sums of timers are among
// them: it is the total of the counters where a load has nothing else.
func (t *Totals) Counters() float64 {
	return t.types[payload.Count].total.Sum + t.types[payload.Rate].total.Sum
}

// ByName sums what arrived with one type over the tags of each metric. It walks
// all contextKeys and makes a new map. Last is of the highest timestamp, of
// several with the same one any.
func (t *Totals) ByName(typ payload.Type) map[string]Total {
	names := make(map[string]Total)
	for key, total := range t.All(typ) {
		name, _, _ := strings.Cut(key, "|")
		sum, known := names[name]
		if !known {
			names[name] = total
			continue
		}
		sum.Points += total.Points
		sum.Sum += total.Sum
		sum.Min, sum.Max = min(sum.Min, total.Min), max(sum.Max, total.Max)
		if total.LastTimestamp > sum.LastTimestamp {
			sum.Last, sum.LastTimestamp = total.Last, total.LastTimestamp
		}
		names[name] = sum
	}
	return names
}

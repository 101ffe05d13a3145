package loadgen

import (
	"math/bits"
	"math/rand/v2"
	"time"
)

// ranks draws the rank of a contextKey under Zipf's law: rank k, from 0, has a
// probability in proportion to (k+1)^-s. It is Walker's alias method: one random
// number and one look into a table for each draw, whatever the number of ranks.
// The probabilities are kept to 2^-32 of a rank's even share.
type ranks struct {
	keep  []uint32 // the share of column k that is k's own, in 2^-32
	other []uint32 // whose the rest of the column is
}

// newRanks prepares n ranks in 8 bytes for each, and 12 more while it does.
func newRanks(n int, s float64) *ranks {
	weights, total := make([]float64, n), 0.0
	for k := range weights {
		weights[k] = exp(-s * ln(float64(k+1)))
	}
	for k := n - 1; k >= 0; k-- { // the small ones first, which loses least
		total += weights[k]
	}
	r := &ranks{keep: make([]uint32, n), other: make([]uint32, n)}
	// Vose's construction: a column that is too full hands over to one that is
	// not full. The weights fall, so those above the mean are the first of them.
	small := make([]uint32, 0, n)
	large := 0
	for k := range weights {
		weights[k] = float64(weights[k]*float64(n)) / total
		if weights[k] >= 1 {
			large = k + 1
		}
	}
	for k := n - 1; k >= large; k-- {
		small = append(small, uint32(k))
	}
	for k := large - 1; k >= 0; k-- {
		for weights[k] > 1 && len(small) > 0 {
			last := small[len(small)-1]
			small = small[:len(small)-1]
			r.keep[last], r.other[last] = share32(weights[last]), uint32(k)
			weights[k] -= 1 - weights[last]
		}
		if weights[k] < 1 {
			small = append(small, uint32(k))
			continue
		}
		r.keep[k], r.other[k] = share32(1), uint32(k)
	}
	for _, k := range small { // full but for rounding
		r.keep[k], r.other[k] = share32(1), k
	}
	return r
}

func share32(x float64) uint32 { return uint32(max(0, min(x*(1<<32), 1<<32-1))) }

func (r *ranks) draw(random *rand.PCG) uint32 {
	column, part := bits.Mul64(random.Uint64(), uint64(len(r.keep)))
	if uint32(part>>32) < r.keep[column] {
		return uint32(column)
	}
	return r.other[column]
}

// churned is how many contextKeys have been replaced by elapsed.
func (c *CorpusConfig) churned(elapsed time.Duration) int {
	if c.Churn <= 0 || c.Churn > maxKeys || elapsed <= 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(c.Churn), uint64(elapsed))
	n, _ := bits.Div64(hi, lo, uint64(time.Second))
	return int(n)
}

// pick draws the contextKey of a message. Slots are what is popular; under churn
// the key in a slot is replaced by a new one when its turn has come, so that at
// any instant the last slots keys to appear are in use and each slot has one.
func (c *Corpus) pick(number int64, due time.Duration, random *rand.PCG) key {
	var slot int
	switch {
	case c.ranks != nil:
		slot = int(c.order[c.ranks.draw(random)])
	case c.order != nil:
		slot = int(c.order[number%int64(len(c.order))])
	default:
		slot = bounded(random.Uint64(), c.keys.slots)
	}
	if replaced := c.config.churned(due); replaced > slot {
		slot += (replaced - slot + c.keys.slots - 1) / c.keys.slots * c.keys.slots
	}
	return c.keys.key(slot)
}

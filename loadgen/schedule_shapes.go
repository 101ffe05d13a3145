package loadgen

import (
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"slices"
	"time"
)

// MaxTable is the largest number of messages of a schedule that keeps the due
// time of each: Poisson arrivals and sums. It takes 8 bytes for each, 1 GiB at
// most. The other schedules are computed and have no such limit.
const MaxTable = 1 << 27

// maxRate bounds what is multiplied, in messages per second.
const maxRate = 1 << 50

// maxKnots bounds the memory of a curve to 16 MiB.
const maxKnots = 1 << 20

// Steady sends rate messages per second: the whole number of messages that is
// nearest to rate times over, spread evenly as a Burst spreads them.
func Steady(rate int64, over time.Duration) (Schedule, error) {
	n, err := nearest(rate, over)
	if err != nil || rate < 0 || over < 0 {
		return nil, fmt.Errorf("cannot schedule %d messages/s for %v: want neither negative, and their product below 2^63", rate, over)
	}
	return Burst{Count: n, Over: over}, nil
}

// nearest is rate times over in whole messages, halves rounded up.
func nearest(rate int64, over time.Duration) (int64, error) {
	hi, lo := bits.Mul64(uint64(rate), uint64(over))
	lo, carry := bits.Add64(lo, uint64(time.Second/2), 0)
	hi += carry
	if hi >= uint64(time.Second) {
		return 0, fmt.Errorf("more than 2^64 messages")
	}
	n, _ := bits.Div64(hi, lo, uint64(time.Second))
	if n > math.MaxInt64 {
		return 0, fmt.Errorf("more than 2^63 messages")
	}
	return int64(n), nil
}

// polyline is a schedule of which the number of messages due is a line with
// bends: before[j] messages are due before at[j], and those of the stretch that
// begins there are spread evenly over it, as a Burst spreads them. So it is as
// exact as a Burst, in integers alone.
type polyline struct {
	at     []time.Duration // rising, the first is 0
	before []int64         // never falling, the first is 0
}

func (p *polyline) Total() int64       { return p.before[len(p.before)-1] }
func (p *polyline) End() time.Duration { return p.at[len(p.at)-1] }

func (p *polyline) stretch(j int) Burst {
	return Burst{Count: p.before[j+1] - p.before[j], Over: p.at[j+1] - p.at[j]}
}

func (p *polyline) Due(i int64) time.Duration {
	if uint64(i) >= uint64(p.Total()) {
		panic(fmt.Sprintf("loadgen: message %d of a curve of %d", i, p.Total()))
	}
	j, _ := slices.BinarySearch(p.before, i+1) // the first knot behind message i
	return p.at[j-1] + p.stretch(j-1).Due(i-p.before[j-1])
}

func (p *polyline) DueBy(elapsed time.Duration) int64 {
	switch {
	case elapsed < 0:
		return 0
	case elapsed >= p.End():
		return p.Total()
	}
	j, _ := slices.BinarySearch(p.at, elapsed+1)
	return p.before[j-1] + p.stretch(j-1).DueBy(elapsed-p.at[j-1])
}

// newPolyline puts knots at the ends of n equal stretches of over. The function
// through, which must not fall, says how many messages are due by each.
func newPolyline(n int, over time.Duration, through func(at time.Duration) int64) *polyline {
	p := &polyline{at: make([]time.Duration, n+1), before: make([]int64, n+1)}
	even := Burst{Count: int64(n), Over: over}
	for j := 1; j <= n; j++ {
		p.at[j] = over
		if j < n {
			p.at[j] = even.Due(int64(j))
		}
		p.before[j] = max(p.before[j-1], through(p.at[j]))
	}
	return p
}

// Ramp sends at a rate that changes evenly from one to another, in messages per
// second: (from+to)/2 times over of them, to the nearest whole number. The
// number due follows t*from + t²*(to-from)/(2*over) so closely that at no instant
// it is a whole 2 messages away: knots are rounded to the nearest message, and so
// close that a straight line between two of them leaves the curve by at most half
// a message, as long as (to-from)*over is below 2^34.
func Ramp(from, to int64, over time.Duration) (Schedule, error) {
	if from < 0 || to < 0 || max(from, to) > maxRate || over <= 0 {
		return nil, fmt.Errorf("cannot schedule a ramp from %d to %d messages/s over %v: want rates from 0 to %d, and a length above 0", from, to, over, int64(maxRate))
	}
	area := new(big.Int).Mul(new(big.Int).Add(big.NewInt(from), big.NewInt(to)), big.NewInt(int64(over)))
	if area.Rsh(area, 1).Div(area, big.NewInt(int64(time.Second))); !area.IsInt64() || area.Int64() == math.MaxInt64 {
		return nil, fmt.Errorf("cannot schedule a ramp from %d to %d messages/s over %v: it has more than 2^63 messages", from, to, over)
	}
	// The line leaves the curve by at most slope*h²/8 over a stretch h, which is
	// half a message at h = over/n with this n.
	n := math.Ceil(math.Sqrt(math.Abs(float64(to-from)) * over.Seconds() / 4))
	steady := new(big.Int).Mul(big.NewInt(2*from), big.NewInt(int64(over)))
	divisor := new(big.Int).Mul(big.NewInt(2*int64(time.Second)), big.NewInt(int64(over)))
	half := new(big.Int).Rsh(divisor, 1)
	return newPolyline(int(max(1, min(n, 1<<16, float64(over)))), over, func(at time.Duration) int64 {
		t := big.NewInt(int64(at))
		sum := new(big.Int).Mul(big.NewInt(to-from), t)
		sum.Add(sum, steady).Mul(sum, t)
		return sum.Add(sum, half).Div(sum, divisor).Int64()
	}), nil
}

// Sine sends at a rate of mean + amplitude*sin(2π*t/period) messages per second,
// for a whole number of periods, so that exactly mean times over messages leave,
// to the nearest whole number. Like a Ramp it is never 2 messages away from its
// curve.
func Sine(mean, amplitude int64, period, over time.Duration) (Schedule, error) {
	if mean < 1 || amplitude < 0 || amplitude > mean || period <= 0 || over <= 0 || over%period != 0 {
		return nil, fmt.Errorf("cannot schedule a sine of %d ± %d messages/s with a period of %v for %v: want an amplitude up to the mean, and a whole number of periods", mean, amplitude, period, over)
	}
	total, err := nearest(mean, over)
	if err != nil {
		return nil, fmt.Errorf("cannot schedule a sine of %d ± %d messages/s for %v: %w", mean, amplitude, over, err)
	}
	// As for a ramp, with the steepest slope of the rate, 2π*amplitude/period.
	perPeriod := max(16, math.Ceil(math.Sqrt(math.Pi/2*float64(amplitude)*period.Seconds())))
	periods := float64(over / period)
	if perPeriod*periods > maxKnots || perPeriod > float64(period) {
		return nil, fmt.Errorf("cannot schedule a sine with a period of %v for %v: it needs more than %d stretches, use longer periods, fewer of them, or a lower amplitude", period, over, maxKnots)
	}
	swing := float64(amplitude) * period.Seconds() / (2 * math.Pi)
	return newPolyline(int(perPeriod*periods), over, func(at time.Duration) int64 {
		if at == over {
			return total
		}
		phase := at % period
		hi, lo := bits.Mul64(uint64(mean), uint64(at-phase))
		whole, rest := bits.Div64(hi, lo, uint64(time.Second)) // of full periods; rounded once, with the rest
		part := float64(rest)/1e9 + float64(mean)*phase.Seconds() + swing*(1-math.Cos(2*math.Pi*phase.Seconds()/period.Seconds()))
		return min(total, int64(whole)+int64(math.Round(part)))
	}), nil
}

// table is a schedule that keeps the due time of each message.
type table struct {
	due  []time.Duration // sorted
	over time.Duration
}

func (s *table) Total() int64              { return int64(len(s.due)) }
func (s *table) End() time.Duration        { return s.over }
func (s *table) Due(i int64) time.Duration { return s.due[i] }

func (s *table) DueBy(elapsed time.Duration) int64 {
	if elapsed == math.MaxInt64 {
		return s.Total()
	}
	n, _ := slices.BinarySearch(s.due, elapsed+1)
	return int64(n)
}

// Poisson sends exactly count messages at random, independent instants of
// [0, over). That is a Poisson process of the rate count/over, given that so many
// arrivals fall into the window: gaps are exponential, and clusters occur, but
// two runs offer the same number. Equal seeds give equal instants on every
// machine.
func Poisson(count int64, over time.Duration, seed uint64) (Schedule, error) {
	if count < 0 || count > MaxTable || over <= 0 {
		return nil, fmt.Errorf("cannot schedule %d Poisson arrivals over %v: want 0 to %d, over a length above 0", count, over, MaxTable)
	}
	random := newStream(seed, arrivalStream)
	s := &table{due: make([]time.Duration, count), over: over}
	for i := range s.due {
		hi, _ := bits.Mul64(random.Uint64(), uint64(over))
		s.due[i] = time.Duration(hi)
	}
	slices.Sort(s.due)
	return s, nil
}

package loadgen

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// sequence is one schedule after another.
type sequence struct {
	parts  []Schedule
	starts []time.Duration // of each part, and the end of the last
	before []int64         // messages before each part, and all
}

// Sequence is one schedule after another: each begins at the end of the one
// before, and the half-open windows meet without a gap or an overlap. Together
// they must not have 2^63 messages, nor last for 2^63 ns.
func Sequence(parts ...Schedule) (Schedule, error) {
	s := &sequence{starts: make([]time.Duration, 1, len(parts)+1), before: make([]int64, 1, len(parts)+1)}
	for _, part := range parts {
		end, total := s.End(), s.Total()
		if part.End() > math.MaxInt64-end || part.Total() > math.MaxInt64-total {
			return nil, fmt.Errorf("cannot schedule a sequence of %d parts: together they have 2^63 messages or nanoseconds", len(parts))
		}
		s.parts = append(s.parts, part)
		s.starts = append(s.starts, end+part.End())
		s.before = append(s.before, total+part.Total())
	}
	return s, nil
}

func (s *sequence) Total() int64       { return s.before[len(s.before)-1] }
func (s *sequence) End() time.Duration { return s.starts[len(s.starts)-1] }

func (s *sequence) Due(i int64) time.Duration {
	if uint64(i) >= uint64(s.Total()) {
		panic(fmt.Sprintf("loadgen: message %d of a sequence of %d", i, s.Total()))
	}
	k, _ := slices.BinarySearch(s.before, i+1)
	return s.starts[k-1] + s.parts[k-1].Due(i-s.before[k-1])
}

func (s *sequence) DueBy(elapsed time.Duration) int64 {
	switch {
	case elapsed < 0:
		return 0
	case elapsed >= s.End():
		return s.Total()
	}
	// The last part that has begun. All before it are over, and of one without a
	// length every message is due.
	k, _ := slices.BinarySearch(s.starts, elapsed+1)
	return s.before[k-1] + s.parts[k-1].DueBy(elapsed-s.starts[k-1])
}

// Sum is several schedules at once, each from the same instant 0: at any
// instant as many messages are due as in all of them together. It lasts as long
// as the longest. It keeps every due time, so it is limited to MaxTable messages.
func Sum(parts ...Schedule) (Schedule, error) {
	s := &table{}
	var total int64
	for _, part := range parts {
		if part.Total() > MaxTable-total {
			return nil, fmt.Errorf("cannot schedule a sum of more than %d messages: lower the rates, or combine in sequence", MaxTable)
		}
		total += part.Total()
		s.over = max(s.over, part.End())
	}
	s.due = make([]time.Duration, 0, total)
	next, heads := make([]int64, len(parts)), make([]time.Duration, len(parts))
	look := func(k int) {
		heads[k] = math.MaxInt64
		if next[k] < parts[k].Total() {
			heads[k] = parts[k].Due(next[k])
		}
	}
	for k := range parts {
		look(k)
	}
	for range total {
		first := 0
		for k, due := range heads {
			if due < heads[first] || next[first] == parts[first].Total() {
				first = k
			}
		}
		s.due = append(s.due, heads[first])
		next[first]++
		look(first)
	}
	return s, nil
}

// shard is every n-th message of a schedule.
type shard struct {
	whole Schedule
	i, n  int64
}

// Shard is share i of n, 0 <= i < n, of a schedule: its messages number i, i+n,
// i+2n and so on, each due when it is due in the whole. The n shares together are
// the whole, and no two of them differ by more than one message, so several
// senders offer exactly what one would. Message j of the share is number i+j*n
// of the whole.
func Shard(whole Schedule, i, n int) (Schedule, error) {
	if n < 1 || i < 0 || i >= n {
		return nil, fmt.Errorf("cannot take share %d of %d of a schedule: want a share from 0, below the number of shares", i, n)
	}
	if n == 1 {
		return whole, nil
	}
	return &shard{whole, int64(i), int64(n)}, nil
}

// below is how many messages of the share are among the first m of the whole.
func (s *shard) below(m int64) int64 {
	if m <= s.i {
		return 0
	}
	return (m-s.i-1)/s.n + 1
}

func (s *shard) Total() int64              { return s.below(s.whole.Total()) }
func (s *shard) End() time.Duration        { return s.whole.End() }
func (s *shard) Due(j int64) time.Duration { return s.whole.Due(s.i + j*s.n) }

func (s *shard) DueBy(elapsed time.Duration) int64 { return s.below(s.whole.DueBy(elapsed)) }

// Package saturation finds the highest rate that a target takes: it decides from
// the replicates so far which rate is tried next, and what a replicate says of
// its rate. It is pure; whoever calls it carries the replicates out.
package saturation

import (
	"errors"
	"fmt"
	"math"
)

// Limit is what no higher rate is tried for.
type Limit string

// The limits of a search.
const (
	LimitAsked     Limit = "asked"     // To is what was asked for
	LimitGenerator Limit = "generator" // the generator cannot offer more than To
	LimitMemory    Limit = "memory"    // the load of a higher rate would not fit into the memory that it may take
)

// Plan is how a search goes about it. All rates are messages per second.
type Plan struct {
	From      int64   // tried first
	Least     int64   // no lower rate is tried
	To        int64   // no higher rate is tried
	Limit     Limit   // what To stands for
	Precision float64 // the search ends when the rates that hold and do not are as close, such as 0.05
	Confirm   int     // replicates that must all hold
}

// The bounds of a plan.
const (
	LeastPrecision = 0.01
	MostPrecision  = 1
	MostConfirm    = 100
)

// Validate names what is wrong with the plan.
func (p Plan) Validate() error {
	switch {
	case p.From < 1 || p.To < p.From:
		return fmt.Errorf("cannot search from %d to %d messages/s: want 1 or more, and the second no lower than the first", p.From, p.To)
	case p.Least < 1 || p.Least > p.From:
		return fmt.Errorf("cannot search down to %d messages/s: want 1 to the first rate, which is %d", p.Least, p.From)
	case !(p.Precision >= LeastPrecision && p.Precision <= MostPrecision):
		return fmt.Errorf("cannot search to a precision of %v: want %v to %v", p.Precision, LeastPrecision, float64(MostPrecision))
	case p.Confirm < 1 || p.Confirm > MostConfirm:
		return fmt.Errorf("cannot confirm a rate %d times: want 1 to %d", p.Confirm, MostConfirm)
	case p.Limit != LimitAsked && p.Limit != LimitGenerator && p.Limit != LimitMemory:
		return errors.New("cannot search: nothing says what the highest rate stands for")
	}
	return nil
}

// Bound is how many trials a search takes at most, whatever they come to. Patience
// is in it for every rate.
func (p Plan) Bound() int {
	up := int(math.Ceil(math.Log2(float64(p.To)/float64(p.From)))) + 1
	down := int(math.Ceil(math.Log2(float64(p.From)/float64(p.Least)))) + 1
	// A bracket is a factor of 2 or less. One more each for rates that are rounded
	// and for those so low that halving them is not exact.
	bisections := int(math.Ceil(math.Log2(math.Ln2/math.Log1p(p.Precision)))) + 2
	return (p.Confirm + Patience) * (max(up, down) + max(bisections, 0))
}

// End is how a search came to its end.
type End string

// The ends. At AtLeast the highest rate that was tried held, or the one that did
// not was more than the generator could offer: the target may take more.
const (
	Unfinished End = ""
	Found      End = "found"
	AtLeast    End = "at_least"
	NoRate     End = "no_rate" // not even the lowest held
	Unmeasured End = "unmeasured"
)

// Answer is what a search has come to so far.
type Answer struct {
	Rate   int64  // the highest that is confirmed; 0 for none
	Above  int64  // the lowest that does not hold; 0 for none
	End    End    // Unfinished while there is more to try
	Reason string // of the end, in words; what the rate above failed by where one was found
}

// Next is what to do after the trials so far, which are one search's in their
// order: try a rate, or, if it is 0, nothing more. The answer is that of the
// trials so far, also while they are unfinished. A rate that is to be confirmed
// comes again; a trial that breaks ends its rate.
//
// The rate is doubled until one breaks, or halved until one holds, and then the
// logarithm of what lies between is halved. However much the trials contradict
// each other, the highest rate that held only rises and the lowest that did not
// only falls, so that a search ends within Bound.
func (p Plan) Next(trials []Trial) (rate int64, answer Answer) {
	s := p.read(trials)
	a := Answer{Rate: s.held, Above: s.broke}
	end := func(e End, reason string) (int64, Answer) {
		a.End, a.Reason = e, reason
		return 0, a
	}
	switch {
	case s.doubt != "":
		return end(Unmeasured, s.doubt)
	case s.again > 0:
		return s.again, a
	case s.held == 0 && s.broke == 0:
		return p.From, a
	case s.broke == 0 && s.held >= p.To:
		return end(AtLeast, p.Limit.words())
	case s.broke == 0:
		return doubled(s.held, p.To), a
	case s.held == 0 && s.broke <= p.Least && s.late:
		return end(Unmeasured, s.reason)
	case s.held == 0 && s.broke <= p.Least:
		return end(NoRate, s.reason)
	case s.held == 0:
		return max(s.broke/2, p.Least), a
	}
	if middle := between(s.held, s.broke); middle > 0 && float64(s.broke) > float64(s.held)*(1+p.Precision) {
		return middle, a
	}
	if s.late {
		return end(AtLeast, LimitGenerator.words()+": "+s.reason)
	}
	return end(Found, s.reason)
}

// words say why nobody knows whether the target takes more.
func (l Limit) words() string {
	switch l {
	case LimitGenerator:
		return "the generator is the limit"
	case LimitMemory:
		return "the memory for the load is the limit"
	}
	return "no higher rate was asked for"
}

// state is what the trials come to.
type state struct {
	held   int64  // highest confirmed
	broke  int64  // lowest that does not hold
	late   bool   // because of the generator
	reason string // why it does not hold
	again  int64  // rate to be tried once more
	doubt  string // why a trial says nothing at all
}

func (p Plan) read(trials []Trial) state {
	var s state
	held := map[int64]int{}
	for _, t := range Counted(trials) {
		switch t.Finding {
		case Held:
			if held[t.Rate]++; held[t.Rate] >= p.Confirm {
				s.held = max(s.held, t.Rate)
			}
		case Broke, Late:
			if s.broke == 0 || t.Rate < s.broke {
				s.broke, s.late, s.reason = t.Rate, t.Finding == Late, t.Reason
			}
		default:
			s.doubt = t.Reason
		}
	}
	if n := len(trials); n > 0 {
		if last := trials[n-1].Rate; last > s.held && (s.broke == 0 || last < s.broke) {
			s.again = last // nothing has settled it yet
		}
	}
	return s
}

func doubled(rate, most int64) int64 {
	if rate > most/2 {
		return most
	}
	return 2 * rate
}

// between is the geometric mean of two rates, in four digits where that lies
// between them still; 0 where nothing does.
func between(low, high int64) int64 {
	middle := math.Sqrt(float64(low) * float64(high))
	digits := math.Pow(10, max(math.Floor(math.Log10(middle))-3, 0))
	rounded := int64(math.Round(middle/digits) * digits)
	if rounded <= low || rounded >= high {
		rounded = int64(middle)
	}
	if rounded <= low || rounded >= high {
		return 0
	}
	return rounded
}

package scenarios

import (
	"fmt"
	"strings"
	"time"
)

// Intake says what the intake that a target flushes to does to uploads on
// purpose. The zero value does nothing.
type Intake struct {
	Latency     Latency
	ErrorShare  float64 // of the uploads (0..1), refused with ErrorStatus
	ErrorStatus int     // of HTTP, 400 to 599; 0 where nothing is said of errors
	ResetShare  float64 // of the uploads (0..1), whose connection is reset
	// OutageFrom is when an outage begins, since the first message is due, and
	// OutageFor how long it lasts; 0 for none.
	OutageFrom, OutageFor time.Duration
	SlowRead              int64 // bytes per second that are read of each connection; 0 for no limit
}

// Faulty reports whether it does anything.
func (i Intake) Faulty() bool {
	i.ErrorStatus = 0 // alone it does nothing
	if i.OutageFor == 0 {
		i.OutageFrom = 0
	}
	return i != Intake{}
}

// Latency is how long something is held.
type Latency struct {
	Mean  time.Duration
	Shape string // "" for always the mean, "uniform" between 0 and twice that, or "exponential"
}

// latencyShapes are the words of ParseLatency, and what they stand for.
var latencyShapes = map[string]string{"fixed": "", "uniform": "uniform", "exponential": "exponential"}

// ParseLatency reads a duration, such as 20ms, or SHAPE:MEAN, such as
// exponential:20ms.
func ParseLatency(text string) (Latency, error) {
	word, l := text, Latency{}
	if name, rest, found := strings.Cut(text, ":"); found {
		if shape, known := latencyShapes[name]; known {
			l.Shape, word = shape, rest
		}
	}
	var err error
	if l.Mean, err = ParseDuration(word); err != nil {
		return Latency{}, fmt.Errorf("%q is no latency: want a duration such as 20ms, uniform:20ms or exponential:20ms", clip(text))
	}
	return l, nil
}

// String is the latency as ParseLatency reads it.
func (l Latency) String() string {
	if l.Shape == "" {
		return l.Mean.String()
	}
	return l.Shape + ":" + l.Mean.String()
}

const (
	defaultErrorStatus = 503
	maxLatency         = time.Minute
)

func (r *reader) intake(to *Intake, v value) {
	r.mapping(v,
		field{"latency", false, scalarInto(r, &to.Latency, form{tagsOfQuantity, "a duration such as 200ms, or exponential:200ms"}, parseHold)},
		field{"errors", false, func(v value) {
			to.ErrorStatus = defaultErrorStatus
			r.mapping(v,
				r.share("share", true, &to.ErrorShare),
				field{"status", false, scalarInto(r, &to.ErrorStatus, asWhole, within(whole, 400, 599, "400 to 599"))},
			)
		}},
		field{"outage", false, func(v value) {
			r.mapping(v,
				field{"from", true, scalarInto(r, &to.OutageFrom, asDuration, within(ParseDuration, 0, maxOver, "0s to 10m"))},
				field{"for", true, scalarInto(r, &to.OutageFor, asDuration, within(ParseDuration, time.Millisecond, maxOver, "1ms to 10m"))},
			)
		}},
		field{"slow_read", false, scalarInto(r, &to.SlowRead, form{tagsOfText, "bytes per second such as 100KiB/s"}, parseSlowRead)},
		r.share("resets", false, &to.ResetShare),
	)
}

func parseHold(text string) (Latency, error) {
	l, err := ParseLatency(text)
	if err == nil && l.Mean > maxLatency {
		err = fmt.Errorf("%s is out of range: want 0s to 1m", clip(text))
	}
	return l, err
}

func parseSlowRead(text string) (int64, error) {
	size, perSecond := strings.CutSuffix(text, "/s")
	n, err := ParseBytes(size)
	if err != nil || !perSecond || n < 1 || n > maxBuffer {
		return 0, fmt.Errorf("%q is no rate of bytes: want 1B/s to 1GiB/s, such as 100KiB/s; leave the key out for no limit", clip(text))
	}
	return n, nil
}

// intakeRules refuses faults that outlast the replicate.
func (r *reader) intakeRules(s *Scenario) {
	if r.bad["load"] || r.bad["limits"] || r.bad["order"] {
		return
	}
	if line, ok := r.sound("intake.latency"); ok && s.Intake.Latency.Mean >= s.Limits.Drain {
		r.add(line, "intake.latency: %v is not below limits.drain, %v: no upload would arrive in time", s.Intake.Latency.Mean, s.Limits.Drain)
	}
	// How long a replay lasts is in its file.
	if line, ok := r.sound("intake.outage"); ok && s.Load.Replay == nil {
		if err := s.OutageFault(); err != nil {
			r.add(line, "intake.outage: %v", err)
		}
	}
}

// OutageFault says that the outage of the scenario's intake goes on until nothing
// is waited for any more, so that no target could make up for it; nil where it
// does not.
func (s *Scenario) OutageFault() error {
	lasts := s.Load.Schedule.Over
	if s.Order == Woven {
		lasts *= 2
	}
	end, last := s.Intake.OutageFrom+s.Intake.OutageFor, lasts+s.Limits.Drain
	if s.Intake.OutageFor == 0 || end < last {
		return nil
	}
	return fmt.Errorf("it ends after %v, when the load of %v and limits.drain, %v, are over: want it to end before %v", end, lasts, s.Limits.Drain, last)
}

// narrowIntake leaves out the faults that cannot strike what the target sends.
func (t *Target) narrowIntake(i *Intake) (left []string) {
	switch {
	case !i.Faulty():
	case t.Sink == SinkPrometheus || t.Sink == SinkNone:
		*i = Intake{} // it sends nothing that could be refused
		left = append(left, "faults of the intake")
	case t.Sink == SinkGraphite && i.ErrorShare > 0:
		i.ErrorShare, i.ErrorStatus = 0, 0 // lines are not answered
		left = append(left, "errors of the intake")
	}
	return left
}

// Words says what it does to uploads, such as "refuses 10% with 503"; empty for
// nothing.
func (i Intake) Words() string {
	var words []string
	add := func(is bool, format string, args ...any) {
		if is {
			words = append(words, fmt.Sprintf(format, args...))
		}
	}
	add(i.Latency.Mean > 0, "holds each upload for %s", i.Latency)
	add(i.OutageFor > 0, "refuses all from %v to %v of the load", i.OutageFrom, i.OutageFrom+i.OutageFor)
	add(i.ErrorShare > 0, "refuses %s with %d", Format(i.ErrorShare, Ratio), i.ErrorStatus)
	add(i.ResetShare > 0, "resets the connection of %s", Format(i.ResetShare, Ratio))
	add(i.SlowRead > 0, "reads %s per second of each connection", Format(float64(i.SlowRead), Bytes))
	return strings.Join(words, ", ")
}

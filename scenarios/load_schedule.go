package scenarios

import (
	"fmt"
	"math/bits"
	"time"

	"go.yaml.in/yaml/v4"
)

const (
	maxParts     = 64 // of a list of schedules or steps
	maxNesting   = 4
	maxTimes     = 1000
	maxEveryTime = 100_000_000 // messages whose due times are all kept
	maxPeriods   = 10_000
)

// schedule reads one schedule, or a combination of them.
func (r *reader) schedule(s *Schedule, v value, depth int) {
	if depth > 0 && r.shape != nil {
		r.shape.place(v.path).like = "load.schedule"
		return
	}
	if depth > maxNesting {
		r.add(v.line, "%s: schedules are nested more than %d deep: want fewer levels", v.path, maxNesting)
		return
	}
	given, before := 0, r.total+r.skipped
	shape := func(key string, read func(*Schedule, value)) field {
		return field{key, false, func(v value) {
			given++
			var one Schedule
			before := r.total + r.skipped
			if read(&one, v); r.total+r.skipped == before {
				r.scheduleBounds(&one, v, key)
				*s = one
			}
		}}
	}
	r.mapping(v,
		shape("burst", r.burst),
		shape("idle", func(s *Schedule, v value) { r.mapping(v, r.over("over", &s.Over)) }),
		shape("repeat", r.repeat),
		shape("steady", r.steady),
		shape("ramp", r.ramp),
		shape("steps", r.steps),
		shape("sine", r.sine),
		shape("spike", r.spike),
		shape("poisson", r.poisson),
		shape("all_out", func(s *Schedule, v value) { r.mapping(v, r.count(&s.Count)) }),
		shape("sequence", func(s *Schedule, v value) { r.combination(s, Sequence, v, depth) }),
		shape("sum", func(s *Schedule, v value) { r.combination(s, Sum, v, depth) }),
	)
	if given != 1 && r.total+r.skipped == before {
		r.add(v.line, "%s has %d schedules: want exactly one, such as burst: {count: 300k, over: 3s}, or several under sequence or sum", v.path, given)
	}
}

// scheduleBounds refuses what the numbers of a schedule come to.
func (r *reader) scheduleBounds(s *Schedule, v value, key string) {
	add := func(format string, args ...any) { r.add(v.line, "%s: "+format, append([]any{v.path}, args...)...) }
	kept := s.Curve == Sum || s.Curve == Poisson
	switch {
	case s.Count > maxMessages:
		add("it has more than 1G messages: want at most that")
	case s.Over > maxOver:
		add("it lasts %v: want at most 10m", s.Over)
	case kept && s.Count > maxEveryTime:
		add("it has %d messages: want at most 100M, because every due time is kept", s.Count)
	case s.Count == 0 && key != "idle" && len(s.Parts) == 0:
		add("it comes to no message: want a higher rate or a longer time, or idle")
	}
}

func (r *reader) count(to *int64) field {
	return field{"count", true, scalarInto(r, to, asCount, within(ParseCount, 1, maxMessages, "1 to 1G messages"))}
}

func (r *reader) over(key string, to *time.Duration) field {
	return field{key, true, scalarInto(r, to, asDuration, within(ParseDuration, 1, maxOver, "more than 0s and at most 10m"))}
}

func (r *reader) rate(key string, to *int64, least int64) field {
	return field{key, true, scalarInto(r, to, asRate, within(parseRate, least, maxMessages, fmt.Sprintf("%d to 1G messages per second", least)))}
}

// parseRate reads whole messages per second.
func parseRate(text string) (int64, error) {
	n, err := ParseCount(text)
	if err != nil {
		return 0, fmt.Errorf("%q is no rate: want whole messages per second such as 100k", clip(text))
	}
	return n, nil
}

// messages is rate times over, to the nearest whole number. Both are bounded, so
// that it fits.
func messages(rate int64, over time.Duration) int64 {
	hi, lo := bits.Mul64(uint64(rate), uint64(over))
	lo, carry := bits.Add64(lo, uint64(time.Second/2), 0)
	n, _ := bits.Div64(hi+carry, lo, uint64(time.Second))
	return int64(n)
}

func (r *reader) burst(s *Schedule, v value) {
	r.mapping(v, r.count(&s.Count), r.over("over", &s.Over))
}

// repeat is a burst several times, with gaps between.
func (r *reader) repeat(s *Schedule, v value) {
	var burst Schedule
	var gap time.Duration
	times := 0
	r.mapping(v,
		field{"burst", true, func(v value) { r.burst(&burst, v) }},
		field{"times", true, scalarInto(r, &times, asWhole, within(whole, 1, maxTimes, "1 to 1000"))},
		r.over("gap", &gap),
	)
	if times == 0 {
		return
	}
	*s = inSequence(Schedule{Curve: Sequence, Times: times - 1, Parts: []Schedule{burst, {Over: gap}},
		Count: burst.Count * int64(times-1), Over: (burst.Over + gap) * time.Duration(times-1)}, burst)
	if times == 1 {
		*s = burst
	}
}

// inSequence is one schedule after another.
func inSequence(parts ...Schedule) Schedule {
	s := Schedule{Curve: Sequence, Parts: parts}
	for _, p := range parts {
		s.Count += p.Count
		s.Over += p.Over
	}
	return s
}

func steadily(rate int64, over time.Duration) Schedule {
	return Schedule{Count: messages(rate, over), Over: over}
}

func (r *reader) steady(s *Schedule, v value) {
	var rate int64
	r.mapping(v, r.rate("rate", &rate, 1), r.over("for", &s.Over))
	*s = steadily(rate, s.Over)
}

func (r *reader) ramp(s *Schedule, v value) {
	s.Curve = Ramp
	r.mapping(v, r.rate("from", &s.From, 0), r.rate("to", &s.To, 0), r.over("for", &s.Over))
	// Twice the messages of the mean rate, in halves of a nanosecond's worth.
	hi, lo := bits.Mul64(uint64(s.From+s.To), uint64(s.Over))
	lo, carry := bits.Add64(lo, uint64(time.Second), 0)
	n, _ := bits.Div64(hi+carry, lo, 2*uint64(time.Second))
	s.Count = int64(n)
}

func (r *reader) steps(s *Schedule, v value) {
	var steps []Schedule
	r.parts(v, "steps such as {rate: 100k, for: 5s}", func(v value) {
		var rate int64
		var over time.Duration
		r.mapping(v, r.rate("rate", &rate, 0), r.over("for", &over))
		steps = append(steps, steadily(rate, over))
	})
	*s = inSequence(steps...)
	if s.Count == 0 {
		s.Parts = nil // so that it is refused as what it is
	}
}

// parts is a list that is neither empty nor endless.
func (r *reader) parts(v value, what string, item func(value)) {
	n := 0
	before := r.total + r.skipped
	r.list(v, what, func(v value) {
		if n++; n <= maxParts {
			item(v)
		}
	})
	if (n == 0 || n > maxParts) && r.total+r.skipped == before {
		r.add(v.line, "%s has %d items: want 1 to %d %s", v.path, n, maxParts, what)
	}
}

func (r *reader) sine(s *Schedule, v value) {
	s.Curve = Sine
	before := r.total + r.skipped
	r.mapping(v, r.rate("mean", &s.Mean, 1), r.rate("amplitude", &s.Amplitude, 0), r.over("period", &s.Period), r.over("for", &s.Over))
	if r.total+r.skipped > before {
		return
	}
	s.Count = messages(s.Mean, s.Over)
	switch {
	case s.Amplitude > s.Mean:
		r.add(v.line, "%s: amplitude %d is above the mean of %d: want at most the mean, no rate is below 0", v.path, s.Amplitude, s.Mean)
	case s.Over%s.Period != 0 || s.Over/s.Period > maxPeriods:
		r.add(v.line, "%s: %v is no whole number of periods of %v: want 1 to %d of them, so that the count is exact", v.path, s.Over, s.Period, maxPeriods)
	}
}

// spike is a base load with a higher rate for a while.
func (r *reader) spike(s *Schedule, v value) {
	var base, peak int64
	var at, lasts, over time.Duration
	before := r.total + r.skipped
	r.mapping(v, r.rate("base", &base, 0), r.rate("peak", &peak, 1), r.over("at", &at), r.over("lasts", &lasts), r.over("for", &over))
	if r.total+r.skipped > before {
		return
	}
	if at+lasts > over {
		r.add(v.line, "%s: the spike ends %v after the start, and the load after %v: want a longer for, or an earlier spike", v.path, at+lasts, over)
		return
	}
	*s = inSequence(steadily(base, at), steadily(peak, lasts), steadily(base, over-at-lasts))
}

func (r *reader) poisson(s *Schedule, v value) {
	var rate int64
	s.Curve, s.Seed = Poisson, 1
	r.mapping(v, r.rate("rate", &rate, 1), r.over("for", &s.Over), field{"seed", false, scalarInto(r, &s.Seed, asSeed, wholeUint64)})
	s.Count = messages(rate, s.Over)
}

// combination is several schedules, one after another or all at once.
func (r *reader) combination(s *Schedule, curve Curve, v value, depth int) {
	s.Curve = curve
	r.parts(v, "schedules such as burst: {count: 300k, over: 3s}", func(v value) {
		var part Schedule
		r.schedule(&part, v, depth+1)
		s.Parts = append(s.Parts, part)
	})
	for _, p := range s.Parts {
		s.Count += p.Count
		if curve == Sequence {
			s.Over += p.Over
		} else {
			s.Over = max(s.Over, p.Over)
		}
	}
}

// loadRules refuses a load that is said twice, or not at all.
func (r *reader) loadRules(v value) {
	replay, replayed := r.lines["load.replay"]
	_, scheduled := r.lines["load.schedule"]
	switch {
	case replayed && scheduled:
		r.add(replay, "load.replay: it stands beside a schedule: want one of the two, the file says when lines are due")
	case !replayed && !scheduled && v.node.Kind == yaml.MappingNode:
		r.add(v.line, `load: key "schedule" is missing`)
	}
	if line, found := r.lines["load.corpus"]; found && replayed {
		r.add(line, "load.corpus: it stands beside a replay: leave it out, the file says what the messages are")
	}
}

// lateRule asks for a limit where everything but the first message is late by
// intention.
func (r *reader) lateRule(s *Scenario) {
	line, ok := r.sound("load.schedule.all_out")
	if _, limited := r.lines["limits.lateness_p99"]; ok && !limited {
		r.add(line, "load.schedule.all_out: every message is due at once, so nearly all are late: want limits: {lateness_p99: 1m}, or however long it may take")
	}
}

// replay reads what stands in the place of a schedule and a corpus.
func (r *reader) replay(l *Load, v value) {
	var p Replay
	ratio := func(text string) (float64, error) { return ParseQuantity(text, Ratio) }
	before := r.total + r.skipped
	r.mapping(v,
		field{"file", true, scalarInto(r, &p.File, form{tagsOfText, "the path of a file of captured lines"}, parsePath)},
		field{"speed", false, scalarInto(r, &p.Speed, form{tagsOfQuantity, "a factor such as 1 or 0.5"}, within(ratio, 0.001, 1000, "0.001 to 1000"))},
		field{"rate", false, scalarInto(r, &p.Rate, asRate, within(parseRate, 1, maxMessages, "1 to 1G lines per second"))},
		field{"packing", false, func(v value) { r.packing(&p.Packing, v) }},
	)
	if r.total+r.skipped > before {
		return
	}
	if p.Packing.Lines > 0 {
		r.add(v.line, "%s: packing by lines is not for a replay: want one_line or bytes", v.path)
	}
	switch _, speed := r.lines[v.child("speed")]; {
	case speed && p.Rate > 0:
		r.add(v.line, "%s: speed and rate exclude each other: want speed for lines with times, rate for lines without", v.path)
	case p.Rate == 0 && !speed:
		p.Speed = 1
	}
	l.Replay = &p
}

func parsePath(text string) (string, error) {
	if text == "" {
		return "", fmt.Errorf("it is empty: want the path of a file of captured lines")
	}
	return text, nil
}

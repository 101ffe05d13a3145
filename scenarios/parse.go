package scenarios

import (
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"floodgate/internal/quantity"
)

var namePattern = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// wireKinds are the kinds a corpus may have, in the order in which a Scenario
// lists them: the order of the lines in a file changes nothing.
var wireKinds = []string{"c", "g", "ms", "h", "d", "s"}

// Parse reads one scenario. The file names the source in messages and in the
// result; if it ends in .yaml or .yml, the scenario must have its base name.
// Parse reads no file.
//
// Unknown and duplicate keys, wrong units and types, and impossible values are
// faults. All of them are returned at once, as a *FaultError.
func Parse(file string, source []byte) (Scenario, error) {
	r := newReader(file)
	if len(source) > maxSource {
		r.add(1, "the file has %d bytes: want at most %d", len(source), maxSource)
		return Scenario{}, r.err()
	}
	root, ok := r.document(source)
	if !ok {
		return Scenario{}, r.err()
	}
	s := Default()
	s.File, s.Source = file, slices.Clone(source)
	r.scenario(&s, value{line: 1, node: root})
	r.rules(&s)
	if err := r.err(); err != nil {
		return Scenario{}, err
	}
	return s, nil
}

func (r *reader) scenario(s *Scenario, v value) {
	r.mapping(v,
		field{"name", true, scalarInto(r, &s.Name, asName, parseName)},
		field{"description", false, scalarInto(r, &s.Description, asText, parseDescription)},
		field{"load", true, func(v value) { r.load(&s.Load, v) }},
		field{"target", false, func(v value) { r.target(&s.Target, v) }},
		field{"intake", false, func(v value) { r.intake(&s.Intake, v) }},
		field{"goal", true, scalarInto(r, &s.Goal, asMeasure, parseMeasure)},
		field{"order", false, choiceInto(r, &s.Order, Blocks, Woven)},
		field{"slice", false, scalarInto(r, &s.Slice, asDuration, within(ParseDuration, MinSlice, MaxSlice, "5ms to 10s"))},
		field{"replicates", false, scalarInto(r, &s.Replicates, asWhole, within(whole, 1, maxReplicates, "1 to 1000"))},
		field{"erratic", false, scalarInto(r, &s.Erratic, asBool, boolean)},
		field{"gate", false, scalarInto(r, &s.Gate, asBool, boolean)},
		field{"checks", false, func(v value) { r.checks(&s.Checks, v) }},
		field{"limits", false, func(v value) { r.limits(&s.Limits, v) }},
	)
}

// Slices shorter than MinSlice are hardly longer than the lateness of a message;
// those longer than MaxSlice no longer cancel what the machine does meanwhile.
const (
	MinSlice = 5 * time.Millisecond
	MaxSlice = 10 * time.Second
)

func (r *reader) load(l *Load, v value) {
	r.mapping(v,
		field{"transport", false, choiceInto(r, &l.Transport, transports...)},
		field{"sender", false, func(v value) { r.sender(&l.Sender, v) }},
		field{"schedule", false, func(v value) { r.schedule(&l.Schedule, v, 0) }},
		field{"corpus", false, func(v value) { r.corpus(&l.Corpus, v) }},
		field{"replay", false, func(v value) { r.replay(l, v) }},
		field{"warm_up", false, scalarInto(r, &l.WarmUp, asDuration, within(ParseDuration, 0, maxOver, "0s to 10m"))},
	)
	r.loadRules(v)
}

func (r *reader) kinds(to *[]KindWeight, v value) {
	weights := make([]int, len(wireKinds))
	fields := make([]field, len(wireKinds))
	for i, kind := range wireKinds {
		fields[i] = field{kind, false, scalarInto(r, &weights[i], asWhole, within(whole, 0, maxWeight, "a weight from 0 to 1000000"))}
	}
	before := r.total
	r.mapping(v, fields...)
	var kinds []KindWeight
	for i, w := range weights {
		if w > 0 {
			kinds = append(kinds, KindWeight{Kind: wireKinds[i], Weight: w})
		}
	}
	if len(kinds) == 0 && r.total == before {
		r.add(v.line, "%s has no weight above 0: want at least one kind, such as c: 100", v.path)
	}
	*to = kinds
}

func (r *reader) sampled(c *Corpus, v value) {
	ratio := func(text string) (float64, error) { return ParseQuantity(text, Ratio) }
	rate := func(text string) (float64, error) {
		x, err := within(ratio, 1e-6, 1, "more than 0 (at least 0.000001) and at most 1")(text)
		if err == nil && 1/x != math.Round(1/x) {
			// Only so are the expected totals whole numbers.
			err = fmt.Errorf("%q is no sample rate: want 1 over a whole number, such as 0.5, 0.25 or 0.1", clip(text))
		}
		return x, err
	}
	r.mapping(v,
		field{"share", true, scalarInto(r, &c.SampledShare, asRatio, within(ratio, 0, 1, "0% to 100%"))},
		field{"rate", true, scalarInto(r, &c.SampleRate, asRatio, rate)},
	)
}

func (r *reader) target(t *TargetSetup, v value) {
	r.mapping(v,
		field{"receive_buffer", false, scalarInto(r, &t.ReceiveBuffer, asSize,
			within(ParseBytes, 1, maxBuffer, "1B to 1GiB; leave the key out for the system's own"))},
		field{"flush_interval", false, scalarInto(r, &t.FlushInterval, asDuration, within(ParseDuration, minFlushInterval, maxOver, "10ms to 10m"))},
		field{"cpus", false, scalarInto(r, &t.CPUs, asCPUs, within(parseCPUs, minCPUs, maxCPUs, "0.01 to 4096; leave the key out to use all"))},
		field{"cpu_period", false, scalarInto(r, &t.CPUPeriod, asDuration, within(ParseDuration, minCPUPeriod, maxCPUPeriod, "1ms to 1s"))},
		field{"memory", false, scalarInto(r, &t.Memory, asSize, within(ParseBytes, minMemory, maxMemory, "4MiB to 1TiB; leave the key out for no limit"))},
	)
}

func (r *reader) limits(l *Limits, v value) {
	limit := func(key string, to *time.Duration, least time.Duration, words string) field {
		return field{key, false, scalarInto(r, to, asDuration, within(ParseDuration, least, maxLimit, words))}
	}
	r.mapping(v,
		limit("ready", &l.Ready, time.Millisecond, "1ms to 1h"),
		limit("warm_up", &l.WarmUp, 0, "0s to 1h"),
		limit("lateness_p99", &l.LatenessP99, time.Microsecond, "1us to 1h"),
		limit("drain", &l.Drain, time.Millisecond, "1ms to 1h"),
		limit("stop", &l.Stop, time.Millisecond, "1ms to 1h"),
		field{"retries", false, scalarInto(r, &l.Retries, asWhole, within(whole, 0, maxRetries, "0 to 100"))},
	)
}

// rules refuses what each key allows but their combination does not. A rule
// holds its tongue where one of its keys has a fault of its own.
func (r *reader) rules(s *Scenario) {
	if line, ok := r.sound("name"); ok {
		r.nameRule(s, line)
	}
	if line, ok := r.sound("load.corpus.packing"); ok && s.Load.Corpus.Packing.Bytes > 0 {
		most := maxUDPPacking
		if s.Load.Transport != UDP {
			most = maxUnixPacking
		}
		if s.Load.Corpus.Packing.Bytes > most {
			r.add(line, "load.corpus.packing: %dB is too large for %s: want at most %dB", s.Load.Corpus.Packing.Bytes, s.Load.Transport, most)
		}
	}
	if line, ok := r.sound("load.corpus.kinds"); ok {
		if n := len(s.Load.Corpus.Kinds); n > s.Load.Corpus.ContextKeys {
			r.add(line, "load.corpus.kinds: %d kinds for %d context_keys: want at least one key for each kind", n, s.Load.Corpus.ContextKeys)
		}
	}
	if line, ok := r.sound("load.schedule"); ok && s.Load.Schedule.Count == 0 {
		if idle, found := r.lines["load.schedule.idle"]; found {
			line = idle
		}
		r.idleRules(s, line)
	}
	if line, ok := r.sound("slice"); ok && s.Order != Woven {
		r.add(line, "slice: only woven pairs have slices: leave it out, or say order: woven")
	}
	r.quotaRule(s)
	r.lateRule(s)
	r.warmUpRule(s)
	r.senderRules(&s.Load)
	r.clientRules(s)
	r.intakeRules(s)
	if line, ok := r.sound("gate"); ok && s.Gate {
		r.gateRule(s, line)
	}
}

func (r *reader) nameRule(s *Scenario, line int) {
	base := filepath.Base(s.File)
	extension := filepath.Ext(base)
	if isYAML(s.File) && strings.TrimSuffix(base, extension) != s.Name {
		r.add(line, "name: %q stands in the file %s: want both alike, %s%s", s.Name, base, s.Name, extension)
	}
}

// quotaRule refuses quotas that the kernel does not take, and a period without
// a quota.
func (r *reader) quotaRule(s *Scenario) {
	cpus, quotaGiven := r.sound("target.cpus")
	line, periodGiven := r.sound("target.cpu_period")
	t := s.Target
	switch {
	case periodGiven && !r.bad["target.cpus"] && t.CPUs == math.Trunc(t.CPUs):
		r.add(line, "target.cpu_period: only a fraction of a CPU has a period: leave it out, or give cpus such as 0.5")
	case quotaGiven && !r.bad["target.cpu_period"] && t.CPUs != math.Trunc(t.CPUs) && t.CPUs*float64(t.CPUPeriod) < float64(minCPUPeriod):
		r.add(cpus, "target.cpus: %v of %v is less than 1ms, the least that Linux takes: want more, or a longer cpu_period", t.CPUs, t.CPUPeriod)
	}
}

// gateRule refuses a gate that nothing can close.
func (r *reader) gateRule(s *Scenario, line int) {
	deciding := slices.ContainsFunc(s.Checks, func(c Check) bool { return !c.Informational })
	if !deciding && !r.bad["checks"] {
		r.add(line, "gate: no check can close it: want at least one under checks that is not informational")
	}
}

// idleRules refuses what needs messages where none are sent.
func (r *reader) idleRules(s *Scenario, idle int) {
	because := fmt.Sprintf("the idle schedule in line %d sends no message", idle)
	if line, found := r.lines["load.corpus"]; found {
		r.add(line, "load.corpus: %s: leave the corpus out, or use burst", because)
	}
	if line, ok := r.sound("goal"); ok && s.Goal.needsMessages() {
		r.add(line, "goal: %s has no value, %s: want another, such as rss_peak or cpu_seconds", s.Goal.Name, because)
	}
	if line, ok := r.sound("order"); ok && s.Order == Woven {
		r.add(line, "order: woven alternates the load, and %s: want blocks", because)
	}
	for _, c := range s.Checks {
		if c.Measure.needsMessages() || c.Reduced.Series.needsMessages() {
			r.add(c.Line, "checks: %s has no value, %s: leave the check out", c.Measure.Name, because)
		}
	}
}

func parseName(text string) (string, error) {
	if len(text) > 60 || !namePattern.MatchString(text) {
		return "", fmt.Errorf("%q is no name: want at most 60 lower-case letters, digits and underscores, a letter first", clip(text))
	}
	return text, nil
}

func parseDescription(text string) (string, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return "", fmt.Errorf("it is empty: say why the scenario exists, or leave the key out")
	}
	return text, nil
}

func parseMeasure(text string) (Measure, error) {
	if m, found := LookUp(text); found {
		return m, nil
	}
	names := make([]string, len(Measures))
	for i, m := range Measures {
		names[i] = m.Name
	}
	return Measure{}, fmt.Errorf("%q is no measure: %swant one of %s", clip(text), meant(text, names), strings.Join(names, ", "))
}

// parseCPUs reads a number of CPUs. More than three decimals could not be told
// apart in the shortest periods.
func parseCPUs(text string) (float64, error) {
	_, decimals, _ := strings.Cut(text, ".")
	if !quantity.IsNumber(text) || len(decimals) > 3 {
		return 0, fmt.Errorf("%q is no number of CPUs: want one such as 2 or 0.25, with at most three decimals", clip(text))
	}
	return strconv.ParseFloat(text, 64)
}

func parseIntCount(text string) (int, error) {
	n, err := ParseCount(text)
	return int(n), err
}

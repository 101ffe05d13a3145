package reports

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"floodgate/internal/record"
	"floodgate/regress"
	"floodgate/scenarios"
)

// behaviour is how a simulated target treats a burst.
type behaviour struct {
	count    float64 // messages offered
	over     float64 // seconds
	capacity float64 // messages a second that the target reads
	stalls   [][2]float64
	buffer   float64 // bytes of the socket buffer
	rss      float64 // at the end
	readings int     // 0.1 s apart
}

const bytesPerMessage = 100

// simulate makes the timeline and the ledger of one replicate.
func (b behaviour) simulate(rng *rand.Rand) (record.Timeline, record.Ledger) {
	t := record.Timeline{StepSeconds: 0.1, Columns: map[string][]float64{}}
	put := func(name string, x float64) { t.Columns[name] = append(t.Columns[name], x) }
	var offered, received, dropped, delivered, cpu float64
	for i := range b.readings {
		now := float64(i) / 10
		due := math.Round(b.count * min(now/max(b.over, 0.1), 1))
		arrived := due - offered
		offered = due
		reads := b.capacity / 10 * (0.97 + 0.06*rng.Float64())
		for _, s := range b.stalls {
			if now > s[0] && now <= s[1] {
				reads = 0
			}
		}
		waiting := offered - arrived - dropped - received
		reads = math.Floor(min(reads, waiting+arrived))
		received += reads
		waiting += arrived - reads
		if over := waiting - b.buffer/bytesPerMessage; over > 0 {
			dropped += math.Ceil(over)
			waiting -= math.Ceil(over)
		}
		if i%100 == 99 || i == b.readings-1 {
			delivered = received
		}
		cpu += reads * 2e-6
		put(record.ColumnTime, now)
		put(record.ColumnOffered, offered)
		put(record.ColumnSent, offered)
		put(record.ColumnReceived, received)
		put(record.ColumnDelivered, delivered)
		put(record.ColumnKernelDropped, dropped)
		put(record.ColumnQueueDropped, 0)
		put(record.ColumnQueueLength, 0)
		put(record.ColumnKernelQueue, waiting*bytesPerMessage)
		put(record.ColumnRSS, math.Round(b.rss*(0.9+0.1*min(now/5, 1))+rng.Float64()*40960))
		put(record.ColumnCPU, math.Round(cpu*1e4)/1e4)
	}
	n := int64(received)
	l := record.Ledger{
		Offered: int64(offered), Sent: int64(offered), KernelDropped: record.Count(int64(dropped)), Received: &n,
		QueueDropped: record.Count(0), Malformed: record.Count(0), Truncated: record.Count(0), Rejected: record.Count(0),
		ShutdownDropped: record.Count(0), Aggregated: &n, UploadFailed: record.Count(0), Delivered: &n,
	}
	return t, l
}

// histogram encodes n log-normal times around median seconds.
func histogram(t testing.TB, rng *rand.Rand, n int, median, spread float64) string {
	t.Helper()
	h := hdrhistogram.New(1, int64(60*time.Second), 3)
	for range n {
		v := int64(rounding(median * math.Exp(rng.NormFloat64()*spread) * 1e9))
		if err := h.RecordValue(min(v, int64(59*time.Second))); err != nil {
			t.Fatal(err)
		}
	}
	encoded, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}

// side is one variant of a simulated scenario.
type side struct {
	behaviour
	goal          float64 // its median
	flush, ingest float64 // median stall and latency in seconds; 0: not told
}

// plan is a simulated scenario.
type plan struct {
	scenario            scenarios.Scenario
	baseline, candidate side
	noise               float64 // of the goal, as a standard deviation of its logarithm
	pairs               int
}

// rounding keeps four digits, so that goldens do not depend on how a processor
// rounds the last ones.
func rounding(x float64) float64 {
	y, err := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 4, 64), 64)
	if err != nil {
		panic(err)
	}
	return y
}

func measureOf(name string) scenarios.Measure {
	m, ok := scenarios.LookUp(name)
	if !ok {
		panic("no measure " + name)
	}
	return m
}

// run makes the records of a plan in blocks of ABBA, and the pairs of its goal.
func (p plan) run(t testing.TB, seed uint64, position *int) ([]*record.Record, []regress.Pair) {
	rng := rand.New(rand.NewPCG(seed, 7))
	var rs []*record.Record
	var pairs []regress.Pair
	for i := range p.pairs {
		roles := []string{record.Baseline, record.Candidate}
		if i%2 == 1 {
			roles[0], roles[1] = roles[1], roles[0]
		}
		pair := regress.Pair{Replicate: i, First: roles[0]}
		for _, role := range roles {
			s, value := p.baseline, &pair.Baseline
			if role == record.Candidate {
				s, value = p.candidate, &pair.Candidate
			}
			*value = rounding(s.goal * math.Exp(rng.NormFloat64()*p.noise))
			rec := p.record(t, rng, s, role, *value)
			rec.Replicate, rec.Order = i, record.Order{Kind: string(p.scenario.Order), Position: *position, First: roles[0]}
			*position++
			rs = append(rs, rec)
		}
		pairs = append(pairs, pair)
	}
	return rs, pairs
}

func (p plan) record(t testing.TB, rng *rand.Rand, s side, role string, goal float64) *record.Record {
	timeline, ledger := s.simulate(rng)
	spec, source := "refserver:flush=sync", (*record.Source)(nil)
	if role == record.Candidate {
		spec = "git:HEAD:flush=async"
		source = &record.Source{Ref: "HEAD", Commit: "1d0e9b4c5a66b7f08192a3b4c5d6e7f801234567", Tree: "4b825dc642cb6eb9a060e54bf8d69288fbee4904"}
	}
	rmem := int64(212992)
	load, psi, steal := 0.4+rng.Float64()/5, rng.Float64()/50, 0.0
	rec := &record.Record{
		Schema: record.Schema, Scenario: p.scenario.Name, Variant: record.Variant{Role: role, Spec: spec}, Seed: 42,
		Build: record.Build{Floodgate: "v0.1.0-3-gabc", GoVersion: "go1.26.0", TargetPath: "/opt/bin/refserver",
			TargetDigest: "9f2c4be1a0d37765aa10cc98", CorpusDigest: "77aa", Source: source},
		Environment: record.Environment{OS: "linux", Arch: "amd64", Kernel: "6.1.0", CPUModel: "Example CPU @ 2.5 GHz", Cores: 2,
			MemoryBytes: 8 << 30, RmemMax: &rmem, Load1: &load, PSICPUSome: &psi, StealFraction: &steal},
		Config: record.Config{ScenarioYAML: string(p.scenario.Source), ScenarioFile: p.scenario.File,
			Command: []string{"refserver", "--config", "run.yaml"}, Address: "udp://127.0.0.1:8125"},
		Ledger: ledger, Timeline: timeline, Histograms: map[string]string{},
		Measures: []record.Measure{
			{Name: p.scenario.Goal.Name, Unit: string(p.scenario.Goal.Unit), Better: p.scenario.Goal.Better, Value: goal},
			{Name: "lost_messages", Unit: "messages", Better: "lower", Value: float64(ledger.Lost())},
			{Name: "lateness_p99", Unit: "s", Better: "lower", Value: 8e-5 + rng.Float64()*4e-5},
		},
	}
	if s.count > 0 {
		rec.Histograms[record.HistogramLateness] = histogram(t, rng, 2000, 3e-5, 0.6)
	}
	if s.flush > 0 {
		rec.Histograms[record.HistogramFlushStall] = histogram(t, rng, 3, s.flush, 0.2)
	}
	if s.ingest > 0 {
		rec.Histograms[record.HistogramIngestLatency] = histogram(t, rng, 2000, s.ingest, 1.1)
	}
	return rec
}

func burst(name string, count int64, over time.Duration) scenarios.Scenario {
	source := fmt.Sprintf("name: %s\nload:\n  transport: udp\n  count: %d\n  over: %s\n", name, count, over)
	return scenarios.Scenario{
		Name: name, Description: "A burst of " + fmt.Sprint(count) + " messages.",
		Load: scenarios.Load{Transport: scenarios.UDP, Schedule: scenarios.Schedule{Count: count, Over: over},
			Corpus: scenarios.Corpus{ContextKeys: 1000, Tags: 4, Packing: scenarios.Packing{Bytes: 1432}}},
		Order: scenarios.Blocks, Replicates: 8, File: name + ".yaml", Source: []byte(source),
	}
}

func limit(measure, op string, bound float64) scenarios.Check {
	return scenarios.Check{Measure: measureOf(measure), Op: op, Bound: bound}
}

// compare fills in a comparison as a judge would, roughly: the figures are not
// what is tested here.
func compare(s scenarios.Scenario, pairs []regress.Pair, mark regress.Mark) regress.Comparison {
	c := regress.Comparison{Scenario: s.Name, Goal: s.Goal, Pairs: pairs, Planned: len(pairs), Mark: mark, P: 1, PAdjusted: 1, PRandom: 1, Q: 1}
	var mean, square float64
	n := float64(len(pairs))
	for _, p := range pairs {
		mean += math.Log(p.Candidate/p.Baseline) / n
	}
	for _, p := range pairs {
		square += math.Pow(math.Log(p.Candidate/p.Baseline)-mean, 2)
	}
	c.Spread = rounding(math.Sqrt(square / (n - 1)))
	half := 1.9 * c.Spread / math.Sqrt(n)
	c.Delta = regress.Interval{Estimate: rounding(math.Expm1(mean)), Low: rounding(math.Expm1(mean - half)), High: rounding(math.Expm1(mean + half)), Level: 0.9}
	c.Robust = c.Delta
	c.Robust.Level = 0.922
	c.MinimumDetectable = rounding(math.Expm1(3.5 * c.Spread / math.Sqrt(n)))
	return c
}

var madeFixture *Report

// fixture is a run with everything that a report has to show: each mark, a
// repeated replicate, a dead target, warnings, a broken gate. It is made once;
// its lists are the caller's own, the records are not.
func fixture(t testing.TB) Report {
	t.Helper()
	if madeFixture == nil {
		r := makeFixture(t)
		madeFixture = &r
	}
	r := *madeFixture
	r.Records = slices.Clone(r.Records)
	r.Verdict.Comparisons = slices.Clone(r.Verdict.Comparisons)
	r.Verdict.Checks = slices.Clone(r.Verdict.Checks)
	return r
}

func makeFixture(t testing.TB) Report {
	position := 0
	r := Report{
		Title: "Floodgate", Version: "v0.1.0-3-gabc",
		Command: "floodgate bench --baseline refserver:flush=sync --candidate git:HEAD:flush=async --replicates 8 --seed 42",
		Verdict: regress.Verdict{Options: regress.Options{Confidence: 0.9, Tolerance: 0.05}},
	}
	r.addBurst(t, &position)
	r.addSteady(t, &position)
	r.addUnchanged(t, &position)
	r.addIdle(t, &position)
	r.addDead(t, &position)
	r.Verdict.Decision = regress.Decision{Outcome: regress.Fail, Reasons: []string{
		"idle, bounds check rss_peak: 0/8 replicas passed. Failed 8 which is > 0. Gate FAILED.",
		"steady: cpu_per_message regressed by +8.2 % [+7.1, +9.3], p < 0.001 after Holm.",
		"churn: rss_peak has no verdict: the target died in 2 of 2 attempts of replicate 0.",
		"burst, bounds check lost_messages: 8/8 replicas passed. Gate passed.",
		"5 comparisons: 1 regressed, 1 improved, 1 no change, 1 inconclusive, 1 no verdict.",
	}}
	r.Verdict.Warnings = []string{"the host was busy before the run: load average 1.9 on 2 cores"}
	return r
}

func (r *Report) add(s scenarios.Scenario, rs []*record.Record, c regress.Comparison, checks ...regress.CheckResult) {
	r.Scenarios = append(r.Scenarios, s)
	r.Records = append(r.Records, rs...)
	r.Verdict.Comparisons = append(r.Verdict.Comparisons, c)
	for i := range checks {
		checks[i].Scenario, checks[i].Role = s.Name, record.Candidate
	}
	r.Verdict.Checks = append(r.Verdict.Checks, checks...)
}

// addBurst: the candidate improves; the baseline stalls and loses.
func (r *Report) addBurst(t testing.TB, position *int) {
	s := burst("burst", 300000, 3*time.Second)
	s.Goal, s.Gate = measureOf("drain_time"), true
	s.Checks = []scenarios.Check{limit("lost_messages", "==", 0)}
	both := behaviour{count: 300000, over: 3, capacity: 140000, buffer: 425984, rss: 40 << 20, readings: 120}
	slow := both
	slow.stalls = [][2]float64{{0.9, 1.3}, {2.2, 2.5}}
	rs, pairs := plan{scenario: s, pairs: 8, noise: 0.04,
		baseline:  side{slow, 1.31, 0.35, 2e-3},
		candidate: side{both, 1.08, 0.0004, 4e-4}}.run(t, 1, position)
	c := compare(s, pairs, regress.Improved)
	c.Reason = "-17.6 % is at least 5 % and the 90 % interval excludes 0"
	c.P = 0.9999
	r.add(s, rs, c, regress.CheckResult{Check: s.Checks[0], Gate: true, Passed: 8, Total: 8, OK: true, BaselineTotal: 8, BaselineObserved: 17481})
}

// addSteady: the candidate is worse, measured in woven pairs.
func (r *Report) addSteady(t testing.TB, position *int) {
	s := burst("steady", 600000, 6*time.Second)
	s.Goal, s.Order = measureOf("cpu_per_message"), scenarios.Woven
	s.Checks = []scenarios.Check{limit("lateness_p99", "<=", 2e-4)}
	b := behaviour{count: 600000, over: 6, capacity: 200000, buffer: 425984, rss: 40 << 20, readings: 120}
	rs, pairs := plan{scenario: s, pairs: 8, noise: 0.01,
		baseline: side{b, 2.0e-6, 0, 3e-4}, candidate: side{b, 2.16e-6, 0, 3.1e-4}}.run(t, 2, position)
	rs[3].Warnings = []string{"the sampler missed 2 readings"}
	rs[5].Warnings = []string{"the sampler missed 2 readings"}
	c := compare(s, pairs, regress.Regressed)
	c.P, c.PAdjusted, c.Reason = 0.00002, 0.0001, "+8.2 % is at least 5 % and the 90 % interval excludes 0"
	r.add(s, rs, c, regress.CheckResult{Check: s.Checks[0], Passed: 8, Total: 8, OK: true, Observed: 1.19e-4, BaselinePassed: 8, BaselineTotal: 8, BaselineObserved: 1.18e-4})
}

// addUnchanged: proved equal, after one invalid pair was repeated.
func (r *Report) addUnchanged(t testing.TB, position *int) {
	s := burst("million_contexts", 1000000, 10*time.Second)
	s.Goal = measureOf("rss_peak")
	s.Checks = []scenarios.Check{limit("queue_length_peak", "<=", 1024)}
	b := behaviour{count: 1000000, over: 10, capacity: 250000, buffer: 4 << 20, rss: 800 << 20, readings: 150}
	rs, pairs := plan{scenario: s, pairs: 8, noise: 0.006,
		baseline: side{b, 812 << 20, 0.2, 0}, candidate: side{b, 815 << 20, 0.0005, 0}}.run(t, 3, position)
	first := *rs[4]
	first.Invalid, first.Warnings = "lateness p99 3.1ms is above the limit of 1ms: the generator was late", nil
	rs[4].Attempt, rs[5].Attempt = 1, 1
	rs = append(rs, &first)
	c := compare(s, pairs, regress.NoChange)
	c.Reason, c.Repeats = "the whole 90 % interval lies within ±5 %", 1
	c.Warnings = []string{"the order is not balanced: the candidate ran first in 5 of 8 pairs"}
	r.add(s, rs, c, regress.CheckResult{Check: s.Checks[0], Passed: 0, Total: 8, Missing: 8})
}

// addIdle: inconclusive, and its gate is broken.
func (r *Report) addIdle(t testing.TB, position *int) {
	s := burst("idle", 0, 10*time.Second)
	s.Description = "Nothing is sent."
	s.Goal, s.Gate = measureOf("rss_peak"), true
	s.Checks = []scenarios.Check{limit("rss_peak", "<=", 147<<20), limit("intake_connections", "<=", 4)}
	b := behaviour{rss: 158 << 20, readings: 100}
	rs, pairs := plan{scenario: s, pairs: 8, noise: 0.08,
		baseline: side{b, 157 << 20, 0, 0}, candidate: side{b, 159 << 20, 0, 0}}.run(t, 4, position)
	c := compare(s, pairs, regress.Inconclusive)
	c.PairsNeeded, c.Q = 61, 0.083
	c.Reason = "the 90 % interval [-7.1, +8.2] contains 0 and reaches beyond ±5 %: neither a change nor its absence is shown; 8 pairs find changes from 14.9 % on, about 61 would settle it"
	r.add(s, rs, c,
		regress.CheckResult{Check: s.Checks[0], Gate: true, Passed: 0, Total: 8, Observed: 158.81 * (1 << 20), BaselinePassed: 0, BaselineTotal: 8, BaselineObserved: 157.9 * (1 << 20)},
		regress.CheckResult{Check: s.Checks[1], Gate: true, Passed: 8, Total: 8, OK: true, Observed: 3, BaselinePassed: 8, BaselineTotal: 8, BaselineObserved: 3})
}

// addDead: the candidate dies in both attempts.
func (r *Report) addDead(t testing.TB, position *int) {
	s := burst("churn", 300000, 3*time.Second)
	s.Goal = measureOf("rss_peak")
	b := behaviour{count: 300000, over: 3, capacity: 140000, buffer: 425984, rss: 40 << 20, readings: 60}
	dying := b
	dying.readings = 14
	rs, _ := plan{scenario: s, pairs: 1, noise: 0.01,
		baseline: side{b, 40 << 20, 0, 0}, candidate: side{dying, 40 << 20, 0, 0}}.run(t, 5, position)
	for _, rec := range rs {
		if rec.Variant.Role == record.Candidate {
			rec.Invalid = "the target died: exit status 2"
			rec.LastWords = "panic: runtime error: index out of range [7] with length 7\n\n\x1b[31mgoroutine 18\x1b[0m [running]:\nmain.(*table).insert(...)\n"
			again := *rec
			again.Attempt = 1
			again.Order.Position = *position
			rs = append(rs, &again)
			break
		}
	}
	c := regress.Comparison{Scenario: s.Name, Goal: s.Goal, Planned: 8, Repeats: 1, P: 1, PAdjusted: 1, PRandom: 1, Q: 1,
		Mark: regress.NoVerdict, Reason: "the target died in 2 of 2 attempts of replicate 0"}
	c.Delta.Estimate = math.NaN()
	r.add(s, rs, c)
}

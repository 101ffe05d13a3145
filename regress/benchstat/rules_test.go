package benchstat

import (
	"errors"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/perf/benchfmt"
	"golang.org/x/perf/benchmath"

	"floodgate/regress"
)

func TestParseRules(t *testing.T) {
	for _, c := range []struct {
		text string
		want map[string]float64 // by unit
		err  string
	}{
		{text: "regression", want: map[string]float64{"": 0}},
		{text: ">5%", want: map[string]float64{"": .05}},
		{text: " > 2.5 % ", want: map[string]float64{"": .025}},
		{text: ">5%,allocs/op>0%", want: map[string]float64{"": .05, "allocs/op": 0}},
		{text: "ns/op>10%", want: map[string]float64{"sec/op": .1}},
		{text: "MB/s>1%,x>y>3%", want: map[string]float64{"B/s": .01, "x>y": .03}},
		{text: "", err: "there is no >"},
		{text: "regressions", err: `cannot parse rule "regressions": there is no >; want regression, >N% or UNIT>N%`},
		{text: ">5", err: "no % at its end"},
		{text: ">-5%", err: `"-5" is no number from 0 up`},
		{text: ">NaN%", err: "no number"},
		{text: ">Inf%", err: "no number"},
		{text: ">%", err: "no number"},
		{text: ">5%,", err: `cannot parse rule ""`},
		{text: ">5%,regression", err: "another one for the same unit"},
		{text: "ns/op>1%,sec/op>2%", err: "another one for the same unit"},
	} {
		rules, err := ParseRules(c.text)
		switch {
		case c.err != "":
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%q: error %v, want one with %q", c.text, err, c.err)
			}
		case err != nil:
			t.Errorf("%q: %v", c.text, err)
		default:
			for unit, want := range c.want {
				if got, ok := rules.limits[unit]; !ok || math.Abs(got-want) > 1e-12 {
					t.Errorf("%q: limit of %q is %v (%v), want %v", c.text, unit, got, ok, want)
				}
			}
			if len(rules.limits) != len(c.want) {
				t.Errorf("%q: %v, want %v", c.text, rules.limits, c.want)
			}
		}
	}
}

// logs are a benchmark's runs in two files: the head of both, then one line for
// each value.
func logs(t *testing.T, o Options, head, unit string, old, new []string) *Report {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, values := range map[string][]string{"old": old, "new": new} {
		text := head + "\n"
		for _, value := range values {
			if strings.Contains(value, "Benchmark") || strings.Contains(value, ":") {
				text += value + "\n"
				continue
			}
			text += "BenchmarkX 1 " + value + " " + unit + "\n"
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r, err := Read(&benchfmt.Files{Paths: []string{"old", "new"}}, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var (
	hundred = strings.Fields("98 99 100 100 101 102")
	plus4   = strings.Fields("102.5 103 104 104 105 106")
	plus20  = strings.Fields("118 119 120 120 121 122")
	zero    = strings.Fields("0 0 0 0 0 0")
)

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		reason     string
		rules      string
		holm       bool
		head, unit string
		old, new   []string
		options    func(*Options)
		want       regress.Outcome
		say        string // in the reasons
	}{
		{reason: "worse", rules: "regression", unit: "ns/op", old: hundred, new: plus4, want: regress.Fail,
			say: "sec/op X in new: 100.0n → 104.0n, +4.00%, worse (p=0.002 n=6)"},
		{reason: "worse, but within the limit", rules: ">5%", unit: "ns/op", old: hundred, new: plus4, want: regress.Pass, say: "none of 1 comparisons breaks a rule"},
		{reason: "worse by more than the limit", rules: ">5%", unit: "ns/op", old: hundred, new: plus20, want: regress.Fail, say: "worse by more than 5%"},
		{reason: "better", rules: "regression", unit: "ns/op", old: plus20, new: hundred, want: regress.Pass},
		{reason: "no difference found", rules: "regression", unit: "ns/op", old: hundred, new: strings.Fields("98 99.5 100 101 101 103"), want: regress.Pass},
		{reason: "up is better for throughput", rules: "regression", unit: "MB/s", old: hundred, new: plus20, want: regress.Pass},
		{reason: "down is worse for throughput", rules: ">5%", unit: "MB/s", old: plus20, new: hundred, want: regress.Fail, say: "-16.67%, worse"},
		{reason: "the log says what is better", rules: "regression", head: "Unit score better=higher", unit: "score", old: hundred, new: plus20, want: regress.Pass},
		{reason: "nobody says what is better: a change up", rules: ">5%", unit: "score", old: hundred, new: plus20, want: regress.Fail, say: "Unit score better="},
		{reason: "nobody says what is better: a change down", rules: ">5%", unit: "score", old: plus20, new: hundred, want: regress.Fail},
		{reason: "from zero is more than any limit, though the table shows ?", rules: ">500%", unit: "allocs/op", old: zero, new: hundred, want: regress.Fail, say: "from zero"},
		{reason: "from zero is no harm where up is better", rules: ">5%", head: "Unit msg/s better=higher", unit: "msg/s", old: zero, new: hundred, want: regress.Pass},
		{reason: "to zero", rules: ">5%", head: "Unit msg/s better=higher", unit: "msg/s", old: hundred, new: zero, want: regress.Fail, say: "-100.00%"},
		{reason: "zeros keep the unit MB/s, so they have no base in B/s; that must not pass", rules: "B/s>5%", unit: "MB/s",
			old: append([]string{"BenchmarkY 1 5 MB/s"}, hundred...), new: append([]string{"BenchmarkY 1 5 MB/s"}, zero...), want: regress.Unmeasured, say: "X is missing in new (B/s)"},
		{reason: "below zero up is up", rules: "regression", head: "Unit d better=lower", unit: "d",
			old: strings.Fields("-98 -99 -100 -100 -101 -102"), new: strings.Fields("-8 -9 -10 -10 -11 -12"), want: regress.Fail, say: "+90.00%"},
		{reason: "exact units need one run", rules: "regression", head: "Unit size-B assume=exact better=lower", unit: "size-B", old: []string{"1000"}, new: []string{"1001"}, want: regress.Fail, say: "(n=1)"},
		{reason: "exact units with a limit", rules: ">1%", head: "Unit size-B assume=exact better=lower", unit: "size-B", old: []string{"1000"}, new: []string{"1001"}, want: regress.Pass},
		{reason: "a rule for the unit stands in", rules: "regression,ns/op>10%", unit: "ns/op", old: hundred, new: plus4, want: regress.Pass},
		{reason: "rules for other units alone: nothing is judged", rules: "B/op>1%", unit: "ns/op", old: hundred, new: plus20, want: regress.Unmeasured, say: "there is a rule for B/op, but nothing was measured in it"},

		{reason: "too few runs", rules: "regression", unit: "ns/op", old: hundred[:3], new: plus20[:3], want: regress.Unmeasured, say: "want 4 runs of each"},
		{reason: "enough runs on one side", rules: "regression", unit: "ns/op", old: hundred, new: plus20[:3], want: regress.Fail},
		{reason: "a stricter alpha needs more", rules: "regression", unit: "ns/op", old: hundred, new: plus20, options: func(o *Options) { o.Alpha = .001 }, want: regress.Unmeasured, say: "want 7 runs"},
		{reason: "alpha 0 is out of reach", rules: "regression", unit: "ns/op", old: hundred, new: plus20, options: func(o *Options) { o.Alpha = 0 }, want: regress.Unmeasured, say: "no number of runs is enough"},
		{reason: "not a number", rules: "regression", unit: "ns/op", old: hundred, new: append([]string{"NaN"}, plus20...), want: regress.Unmeasured, say: "not numbers"},
		{reason: "a malformed line", rules: "regression", unit: "ns/op", old: hundred, new: append([]string{"BenchmarkY 1"}, hundred...), want: regress.Unmeasured, say: "1 malformed lines"},
		{reason: "a benchmark that is gone", rules: "regression", unit: "ns/op", old: append([]string{"BenchmarkGone 1 5 ns/op 7 B/op"}, hundred...), new: hundred, want: regress.Unmeasured, say: "Gone is missing in new (sec/op, B/op)"},
		{reason: "a unit that is gone, where no rule is about it", rules: "ns/op>5%", unit: "ns/op", old: append([]string{"BenchmarkX 1 7 B/op"}, hundred...), new: hundred, want: regress.Pass},
		{reason: "a benchmark that is new has no base", rules: "regression", unit: "ns/op", old: hundred, new: append([]string{"BenchmarkNew 1 5 ns/op"}, hundred...), want: regress.Pass},
		{reason: "what is seen to be broken fails, whatever is missing", rules: "regression", unit: "ns/op", old: append([]string{"BenchmarkGone 1 5 ns/op"}, hundred...), new: plus20, want: regress.Fail, say: "Gone is missing"},
		{reason: "configuration splits the tables", rules: "regression", unit: "ns/op", old: append([]string{"commit: a"}, hundred...), new: append([]string{"commit: b"}, plus20...), want: regress.Unmeasured, say: "-ignore commit joins them"},
		{reason: "and can be ignored", rules: "regression", unit: "ns/op", old: append([]string{"commit: a"}, hundred...), new: append([]string{"commit: b"}, plus20...), options: func(o *Options) { o.Ignore = "commit" }, want: regress.Fail},
		{reason: "other benchmarks altogether", rules: "regression", unit: "ns/op", old: hundred, new: []string{"BenchmarkY 1 5 ns/op"}, want: regress.Unmeasured, say: "no benchmark of the base is in another column"},
		{reason: "one column", rules: "regression", unit: "ns/op", old: hundred, new: plus20, options: func(o *Options) { o.Col = ".name" }, want: regress.Unmeasured, say: "one column only"},
		{reason: "nothing at all", rules: "regression", unit: "ns/op", old: hundred, new: plus20, options: func(o *Options) { o.Filter = ".name:None" }, want: regress.Unmeasured, say: "nothing was compared"},

		{reason: "Holm of a single comparison changes nothing", rules: "regression", holm: true, unit: "ns/op", old: hundred, new: plus20, want: regress.Fail, say: "p=0.002 after Holm over 1"},
		{reason: "Holm over two", rules: "regression", holm: true, unit: "ns/op", old: append(ten("Y", 100), ten("X", 100)...), new: append(ten("Y", 100), ten("X", 104)...), want: regress.Fail, say: "after Holm over 2"},
		{reason: "Holm makes it too few runs", rules: "regression", holm: true, unit: "ns/op",
			old:  slices.Concat(ten("A", 1)[:5], ten("B", 1)[:5], ten("C", 1)[:5], ten("D", 1)[:5], ten("E", 1)[:5], ten("F", 1)[:5], ten("G", 1)[:5]),
			new:  slices.Concat(ten("A", 99)[:5], ten("B", 1)[:5], ten("C", 1)[:5], ten("D", 1)[:5], ten("E", 1)[:5], ten("F", 1)[:5], ten("G", 1)[:5]),
			want: regress.Unmeasured, say: "7 comparisons have too few runs for any difference to be significant, the first is sec/op A in new: want 6 runs of each"},
	} {
		t.Run(c.reason, func(t *testing.T) {
			o := DefaultOptions()
			if c.options != nil {
				c.options(&o)
			}
			rules, err := ParseRules(c.rules)
			if err != nil {
				t.Fatal(err)
			}
			rules.Holm = c.holm
			d := logs(t, o, c.head, c.unit, c.old, c.new).Judge(rules)
			if reasons := strings.Join(d.Reasons, "\n"); d.Outcome != c.want || !strings.Contains(reasons, c.say) {
				t.Errorf("%s, want %s with %q:\n%s", d.Outcome, c.want, c.say, reasons)
			}
		})
	}
}

// ten are ten lines of a benchmark around a value.
func ten(name string, around float64) []string {
	var lines []string
	for i := range 10 {
		lines = append(lines, "Benchmark"+name+" 1 "+percent(around*(1+float64(i)/1000))+" ns/op")
	}
	return lines
}

// TestHolmOnThePublishedTable: of its 87 comparisons 26 are significantly worse
// each on its own, and 12 as one of 87.
func TestHolmOnThePublishedTable(t *testing.T) {
	r := published(t)
	rules, err := ParseRules("regression")
	if err != nil {
		t.Fatal(err)
	}
	alone := len(r.Judge(rules).Reasons)
	rules.Holm = true
	together := len(r.Judge(rules).Reasons)
	if alone != 26 || together != 12 {
		t.Errorf("%d comparisons fail alone and %d after Holm, want 26 and 12", alone, together)
	}
	rules, err = ParseRules(">5%")
	if err != nil {
		t.Fatal(err)
	}
	if d := r.Judge(rules); d.Outcome != regress.Pass {
		t.Errorf(">5%%: %v, want a pass: the largest change for the worse is +4.21%%", d)
	}
}

// TestSmallestP compares with the test that benchmath makes of samples that do
// not overlap.
func TestSmallestP(t *testing.T) {
	for n1 := 1; n1 <= 12; n1++ {
		for n2 := 1; n2 <= 12; n2++ {
			var low, high []float64
			for i := range n1 {
				low = append(low, float64(i))
			}
			for i := range n2 {
				high = append(high, float64(100+i))
			}
			want := benchmath.AssumeNothing.Compare(benchmath.NewSample(low, &benchmath.DefaultThresholds), benchmath.NewSample(high, &benchmath.DefaultThresholds)).P
			if got := smallestP(n1, n2); math.Abs(got-want) > 1e-12 {
				t.Errorf("smallestP(%d, %d) = %v, the test gives %v", n1, n2, got, want)
			}
		}
	}
	if p := smallestP(1000, 1000); !(p >= 0 && p < 1e-100) {
		t.Errorf("smallestP(1000, 1000) = %v", p)
	}
}

// TestNaN: benchstat itself does not come back from this log.
func TestNaN(t *testing.T) {
	r := logs(t, DefaultOptions(), "", "ns/op", hundred, []string{"NaN", "NaN", "NaN"})
	change := r.Tables[0].Rows[0].Cells[1].Change
	if change.Significant() || change.Delta() != "~" || !slices.Contains(change.Warnings, errNaN) {
		t.Errorf("%+v, want no difference and a warning", change)
	}
}

// TestInfinity: a metric that divided by zero is no measurement, whichever side has
// it; benchstat shows such a change as NaN %, and calls it significant.
func TestInfinity(t *testing.T) {
	infinite := []string{"+Inf", "+Inf", "+Inf", "+Inf", "+Inf", "+Inf"}
	finite := []string{"5", "5", "5", "5", "5", "5"}
	rules, err := ParseRules("regression")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		why      string
		old, new []string
		want     regress.Outcome
	}{
		{"it became infinite", finite, infinite, regress.Unmeasured},
		{"it was infinite", infinite, finite, regress.Unmeasured},
		{"it stayed so", infinite, infinite, regress.Unmeasured},
		{"one run of six is, and the median is a number", finite, append([]string{"+Inf"}, finite[1:]...), regress.Pass},
	} {
		d := logs(t, DefaultOptions(), "", "ratio", c.old, c.new).Judge(rules)
		if d.Outcome != c.want {
			t.Errorf("%s: %v, want %s", c.why, d, c.want)
		}
	}
}

func TestOptionsAreNamed(t *testing.T) {
	for _, c := range []struct {
		change func(*Options)
		want   string
	}{
		{func(o *Options) { o.Filter = "(" }, "cannot parse -filter: "},
		{func(o *Options) { o.Table = "@" }, "cannot parse -table: "},
		{func(o *Options) { o.Row = "a@b@c" }, "cannot parse -row: "},
		{func(o *Options) { o.Col = "@" }, "cannot parse -col: "},
		{func(o *Options) { o.Ignore = "a b@" }, "cannot parse -ignore: "},
		{func(o *Options) { o.Alpha = 2 }, "cannot use -alpha 2: want a share from 0 to 1"},
		{func(o *Options) { o.Alpha = math.NaN() }, "cannot use -alpha NaN"},
		{func(o *Options) { o.Confidence = 95 }, "cannot use -confidence 95: want a share from 0 to 1"},
	} {
		o := DefaultOptions()
		c.change(&o)
		if err := o.Validate(); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("error %v, want %s…", err, c.want)
		}
	}
	if err := DefaultOptions().Validate(); err != nil {
		t.Error(err)
	}
}

// TestFilesThatCannotBeRead keeps what was said about the lines before.
func TestFilesThatCannotBeRead(t *testing.T) {
	t.Chdir("testdata")
	r, err := Read(&benchfmt.Files{Paths: []string{"broken.txt", "no such file"}}, DefaultOptions())
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want one that says that the file does not exist", err)
	}
	if r.Malformed != 5 || r.Records["broken.txt"] == 0 || r.Tables != nil {
		t.Errorf("%d malformed lines, %v records, %d tables; want 5, some, none", r.Malformed, r.Records, len(r.Tables))
	}
}

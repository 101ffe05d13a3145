package dogstatsd

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"testing"
)

// message is a parsed line, spelled out for tables.
type message struct {
	name   string
	kind   Kind
	values []float64
	member string // of a set
	rate   float64
	tags   string
	ts     int64
}

func parse(line string) (message, Fault) {
	name, values, rest, fault := Split([]byte(line))
	if fault != NoFault {
		return message{}, fault
	}
	r, fault := ParseRest(rest)
	if fault != NoFault {
		return message{}, fault
	}
	m := message{name: string(name), kind: r.Kind, rate: r.Rate, tags: string(r.Tags), ts: r.Timestamp}
	if r.Kind == Set {
		m.member = string(values)
		return m, NoFault
	}
	for {
		var value []byte
		if value, values = CutValue(values); value == nil {
			break
		}
		x, ok := ParseValue(value)
		if !ok {
			return message{}, BadValue
		}
		m.values = append(m.values, x)
	}
	if len(m.values) == 0 {
		return message{}, EmptyValue
	}
	return m, NoFault
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		line, why string
		fault     Fault
		want      message
	}{
		{line: "a:1|c", why: "the least a message can be", want: message{name: "a", kind: Counter, values: []float64{1}, rate: 1}},
		{line: "a:1:2:3|ms", why: "packed values share type, rate and tags", want: message{name: "a", kind: Timer, values: []float64{1, 2, 3}, rate: 1}},
		{line: "a:21::22|ms", why: "empty packed values are skipped", want: message{name: "a", kind: Timer, values: []float64{21, 22}, rate: 1}},
		{line: "a:abc:def|s", why: "a set has one member, colons included", want: message{name: "a", kind: Set, member: "abc:def", rate: 1}},
		{line: "a:1|c|@0.5|#x:y,z", why: "rate and tags", want: message{name: "a", kind: Counter, values: []float64{1}, rate: .5, tags: "x:y,z"}},
		{line: "a:1|c|#x:y|@0.5", why: "sections come in any order", want: message{name: "a", kind: Counter, values: []float64{1}, rate: .5, tags: "x:y"}},
		{line: "a:1|g|#|T1700000000", why: "an empty tag section is no tags", want: message{name: "a", kind: Gauge, values: []float64{1}, rate: 1, ts: 1700000000}},
		{line: "a:1|c|c:ci-1,in-2|e:it-false|card:low|zz", why: "origin fields and unknown sections", want: message{name: "a", kind: Counter, values: []float64{1}, rate: 1}},
		{line: "a:+5|g", why: "signs do not make deltas", want: message{name: "a", kind: Gauge, values: []float64{5}, rate: 1}},
		{line: "a:-5|g", why: "nor does a minus", want: message{name: "a", kind: Gauge, values: []float64{-5}, rate: 1}},
		{line: "a:1|c|#,x", why: "an empty tag is one: there are as many as commas and one", want: message{name: "a", kind: Counter, values: []float64{1}, rate: 1, tags: ",x"}},
		{line: "a:1|c|#é ü:1,x!", why: "tags have no character set either", want: message{name: "a", kind: Counter, values: []float64{1}, rate: 1, tags: "é ü:1,x!"}},
		{line: "_scratch:1|c", why: "a name may begin as a service check does", want: message{name: "_scratch", kind: Counter, values: []float64{1}, rate: 1}},
		{line: "a:1|c|#x|#y|c:a|c:b", why: "of repeated tag sections and fields the last counts", want: message{name: "a", kind: Counter, values: []float64{1}, rate: 1, tags: "y"}},
		{line: "a:1e3|h", why: "exponents are numbers", want: message{name: "a", kind: Histogram, values: []float64{1000}, rate: 1}},
		{line: "a:0x1p-2|d", why: "so are hexadecimal floats", want: message{name: "a", kind: Distribution, values: []float64{.25}, rate: 1}},
		{line: "ünï cödé!:1|c", why: "names have no character set", want: message{name: "ünï cödé!", kind: Counter, values: []float64{1}, rate: 1}},
		{line: "a:1|c|@1|@0.5", why: "of repeated sections the last counts", want: message{name: "a", kind: Counter, values: []float64{1}, rate: .5}},
		{line: "a:1", why: "no type", fault: NoSeparator},
		{line: "a|c", why: "no value", fault: NoSeparator},
		{line: "a|b:c", why: "the ':' must stand before the first '|'", fault: NoSeparator},
		{line: ":1|c", why: "no name", fault: EmptyName},
		{line: "a:|c", why: "no value", fault: EmptyValue},
		{line: "a:::|c", why: "only empty values", fault: EmptyValue},
		{line: "a:1|x", why: "no such type", fault: UnknownKind},
		{line: "a:1|", why: "an empty type", fault: UnknownKind},
		{line: "a:1:x|c", why: "one bad value spoils its message", fault: BadValue},
		{line: "a:NaN|g", why: "not a number would poison every sum", fault: BadValue},
		{line: "a:-Inf|g", why: "so would an infinity", fault: BadValue},
		{line: "a:1e999|g", why: "which an overflow also is", fault: BadValue},
		{line: "a:1|c|@0", why: "a rate of 0 divides by zero", fault: BadRate},
		{line: "a:1|c|@-1", why: "a negative rate means nothing", fault: BadRate},
		{line: "a:1|c|@1e-320", why: "nor one whose inverse overflows", fault: BadRate},
		{line: "a:1|c|@x", why: "a bad rate spoils its message", fault: BadRate},
		{line: "a:1|c|T0", why: "timestamps are positive", fault: BadTimestamp},
		{line: "a:1|c|T1.5", why: "and whole seconds", fault: BadTimestamp},
	} {
		got, fault := parse(c.line)
		if fault != c.fault {
			t.Errorf("%q: fault %v, want %v: %s", c.line, fault, c.fault, c.why)
			continue
		}
		if got.name != c.want.name || got.kind != c.want.kind || got.rate != c.want.rate || got.tags != c.want.tags ||
			got.ts != c.want.ts || got.member != c.want.member || !equal(got.values, c.want.values) {
			t.Errorf("%q: got %+v, want %+v: %s", c.line, got, c.want, c.why)
		}
	}
}

func equal(a, b []float64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestCountMessages(t *testing.T) {
	for datagram, want := range map[string]int64{
		"": 0, "\n\n": 0, "a:1|c": 1, "a:1|c\n": 1, "a:1|c\nb:1|c": 2, "a:1|c\r\n\r\nb": 2,
	} {
		if got := CountMessages([]byte(datagram)); got != want {
			t.Errorf("CountMessages(%q) = %d, want %d", datagram, got, want)
		}
	}
}

// FuzzParseValue holds the fast path for digits against strconv.
func FuzzParseValue(f *testing.F) {
	for _, seed := range []string{"0", "1", "007", "123456789012345", "1234567890123456", "1.5", "-3", "", "1_0", "9e15"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		want, err := strconv.ParseFloat(s, 64)
		wantOK := err == nil && !math.IsNaN(want) && !math.IsInf(want, 0)
		got, ok := ParseValue([]byte(s))
		if ok != wantOK || ok && got != want {
			t.Errorf("ParseValue(%q) = %v, %v; want %v, %v", s, got, ok, want, wantOK)
		}
	})
}

// FuzzSplit holds the cuts against the naive form with package strings.
func FuzzSplit(f *testing.F) {
	for _, seed := range []string{"a:1|c", "a:b:1|c|#x", "|", ":|", "a:|c", "_e{1,1}:a|b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		name, values, rest, fault := Split([]byte(line))
		head, _, bar := strings.Cut(line, "|")
		wantName, wantValues, colon := strings.Cut(head, ":")
		if ok := bar && colon && wantName != "" && wantValues != ""; ok != (fault == NoFault) {
			t.Fatalf("Split(%q): fault %v", line, fault)
		}
		if fault != NoFault {
			return
		}
		if string(name) != wantName || string(values) != wantValues || !bytes.Equal(rest, []byte(line[len(head):])) {
			t.Errorf("Split(%q) = %q, %q, %q", line, name, values, rest)
		}
		ParseRest(rest) // must not panic
	})
}

func TestParseAllocatesNothing(t *testing.T) {
	line := []byte("floodgate.requests.count:17.25|h|@0.5|#env:prod,service:a,region:eu-west-3,instance:i-1|T1700000000")
	if n := testing.AllocsPerRun(100, func() {
		_, values, rest, _ := Split(line)
		if _, ok := ParseValue(values); !ok {
			t.Fatal("value refused")
		}
		if _, fault := ParseRest(rest); fault != NoFault {
			t.Fatal(fault)
		}
	}); n != 0 {
		t.Errorf("parsing a line allocates %v times, want 0", n)
	}
}

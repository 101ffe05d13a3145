package dogstatsd

import (
	"math"
	"strconv"
	"strings"
	"testing"
)

func TestAppendWritesTheLine(t *testing.T) {
	ints := func(want string, m Out, values ...int64) {
		t.Helper()
		if got := string(AppendInt([]byte("before\n"), &m, values...)); got != "before\n"+want {
			t.Errorf("got  %q\nwant %q", got, "before\n"+want)
		}
	}
	name, tags := []byte("page.views"), []byte("env:prod,az:eu-1")
	ints("page.views:1|c", Out{Name: name, Kind: Counter}, 1)
	ints("page.views:-7|g", Out{Name: name, Kind: Gauge}, -7)
	ints("page.views:1:2:3|ms", Out{Name: name, Kind: Timer}, 1, 2, 3)
	ints("page.views:1|h|#env:prod,az:eu-1", Out{Name: name, Kind: Histogram, Tags: tags}, 1)
	ints("page.views:1|d|@0.1|#env:prod,az:eu-1", Out{Name: name, Kind: Distribution, Rate: 0.1, Tags: tags}, 1)
	// A rate of 1 says nothing, and neither does one that was never set.
	ints("page.views:1|c", Out{Name: name, Kind: Counter, Rate: 1}, 1)
	ints("page.views:1|c", Out{Name: name, Kind: Counter, Rate: 0}, 1)
	ints("page.views:9223372036854775807|c", Out{Name: name, Kind: Counter}, math.MaxInt64)

	floats := func(want string, values ...float64) {
		t.Helper()
		if got := string(AppendFloat(nil, &Out{Name: []byte("x"), Kind: Gauge}, values...)); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
	floats("x:0|g", 0)
	floats("x:0.5:-2.25|g", 0.5, -2.25)
	floats("x:1000000|g", 1e6) // no exponent: not every server reads one
	floats("x:0.000001|g", 1e-6)
	floats("x:1e+21|g", 1e21)
	floats("x:1e-07|g", 1e-7)

	member := string(AppendMember(nil, &Out{Name: []byte("users"), Kind: Set, Tags: tags}, []byte("ann:2")))
	if want := "users:ann:2|s|#env:prod,az:eu-1"; member != want {
		t.Errorf("got  %q\nwant %q", member, want)
	}
}

// FuzzAppend compares the appended line with one that is put together from
// strings, and reads its values back.
func FuzzAppend(f *testing.F) {
	f.Add("page.views", "env:prod", uint8(1), 0.5, 1.5, int64(-3))
	f.Add("", "", uint8(6), 0.0, math.MaxFloat64, int64(math.MinInt64))
	f.Fuzz(func(t *testing.T, name, tags string, kind uint8, rate, x float64, n int64) {
		m := Out{Name: []byte(name), Kind: Kinds[int(kind)%len(Kinds)], Rate: rate, Tags: []byte(tags)}
		tail := "|" + m.Kind.String()
		if rate > 0 && rate < 1 {
			tail += "|@" + string(appendFloat(nil, rate))
		}
		if tags != "" {
			tail += "|#" + tags
		}
		text := strconv.FormatInt(n, 10)
		if got, want := string(AppendInt(nil, &m, n, n)), name+":"+text+":"+text+tail; got != want {
			t.Errorf("AppendInt: got %q, want %q", got, want)
		}
		if got, want := string(AppendMember(nil, &m, []byte(text))), name+":"+text+tail; got != want {
			t.Errorf("AppendMember: got %q, want %q", got, want)
		}
		line := strings.TrimSuffix(strings.TrimPrefix(string(AppendFloat(nil, &m, x)), name+":"), tail)
		back, err := strconv.ParseFloat(line, 64)
		if err != nil || back != x && !(math.IsNaN(back) && math.IsNaN(x)) {
			t.Errorf("AppendFloat: %v was written as %q and reads as %v (%v)", x, line, back, err)
		}
	})
}

// Messages are appended before the clock starts and also while it runs, so
// appending into a buffer with room must not allocate.
func TestAppendAllocatesNothing(t *testing.T) {
	m := Out{Name: []byte("page.views"), Kind: Timer, Rate: 0.1, Tags: []byte("env:prod")}
	buf, member := make([]byte, 0, 256), []byte("ann")
	if n := testing.AllocsPerRun(100, func() {
		buf = AppendInt(buf[:0], &m, 1, 2, 3)
		buf = AppendFloat(buf, &m, 1.5, 2.5)
		buf = AppendMember(buf, &m, member)
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func BenchmarkAppendInt(b *testing.B) {
	m := Out{Name: []byte("page.views"), Kind: Counter, Tags: []byte("env:prod,svc:web-12,az:eu-1,id:i-000123")}
	buf := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendInt(buf[:0], &m, 1)
	}
	b.SetBytes(int64(len(buf)))
}

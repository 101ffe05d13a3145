package payload

import (
	"bytes"
	"math"
	"strings"
	"testing"
)

// plainTags is SplitTags as it is defined.
func plainTags(joined string) (list [][]byte) {
	for tag := range strings.SplitSeq(strings.TrimSuffix(joined, ","), ",") {
		list = append(list, []byte(tag))
	}
	if joined == "" {
		return nil
	}
	return list
}

// FuzzSeriesProto holds the way in one pass against the plain one, for a series,
// one that shares what it prepared, and one that does not.
func FuzzSeriesProto(f *testing.F) {
	long := strings.Repeat("x", 120)
	for _, seed := range []struct{ metric, tags, host string }{
		{"requests.count", "az:b,env:prod,host:00777,svc:web-8", "web-1"},
		{"", "", ""}, {"a", ",", ""}, {"a", ",,", "h"}, {"a", "b,", ""}, {"seven77", "eight888,,ninenine9", ""},
		{"a", "sixteen.16161616,eight888", ""}, {"a", "grün:1,b", ""}, {"é", "b", ""}, {"a", "b", "é\xff"}, {"\xff", "\xe2\x82,b", ""},
		{"of 127 or 128 bytes", "a:" + long[:59] + ",b:" + long[:21], ""}, {"a", long + "1234567", ""}, {"a", long + "12345678,b", ""},
		{long + "12345678", "a:1", ""}, {"a", strings.Repeat(",", 300), ""}, {"a", strings.Repeat(long+",", 40), long + long}, {"a\x00", "\x01,\x2b,\x2d", ""},
	} {
		f.Add(seed.metric, uint8(1), int64(10), int64(1700000000), 12.5, seed.tags, seed.host)
		f.Add(seed.metric, uint8(3), int64(0), int64(0), 0.0, seed.tags, seed.host)
	}
	f.Add("m", uint8(0), int64(-1), int64(math.MinInt64), math.Copysign(0, -1), "a,b", "")
	f.Add("m", uint8(200), int64(math.MinInt64), int64(-1), math.Inf(1), "a,b", "")
	f.Add("m", uint8(1), int64(math.MaxInt64), int64(math.MaxInt64), math.NaN(), "a,b", "")
	f.Fuzz(func(t *testing.T, metric string, number uint8, interval, timestamp int64, value float64, tags, host string) {
		p := new(SeriesProto)
		got, want := []byte("before"), []byte("before")
		for i, typ := range []Type{Type(number), Type(number % 4), Count, Gauge} {
			if i == 3 {
				interval, timestamp, value, host = interval/3, timestamp+1, 0, host+"2"
			}
			got = p.Append(got, []byte(metric), typ, interval, timestamp, value, []byte(tags), []byte(host))
			want = AppendSeriesProto(want, []byte(metric), typ, interval, timestamp, value, plainTags(tags), host)
			if !bytes.Equal(got, want) {
				t.Fatalf("series %d of %q with the tags %q is\n%x, plainly\n%x", i, metric, tags, clip(got), clip(want))
			}
		}
	})
}

// TestSeriesProtoHosts: from one series to the next the host may come, change
// and go.
func TestSeriesProtoHosts(t *testing.T) {
	p := new(SeriesProto)
	for _, host := range []string{"web", "db-with-a-longer-name", "", "", "db", "é\xff", "web", strings.Repeat("h", 200), "web"} {
		got := p.Append(nil, []byte("a"), Gauge, 10, 1700000000, 1, []byte("x,y"), []byte(host))
		if want := AppendSeriesProto(nil, []byte("a"), Gauge, 10, 1700000000, 1, plainTags("x,y"), host); !bytes.Equal(got, want) {
			t.Errorf("on host %q: %x, want %x", host, got, want)
		}
	}
}

// TestSeriesProtoLengths walks over the lengths at which lengths grow and words
// end.
func TestSeriesProtoLengths(t *testing.T) {
	p := new(SeriesProto)
	for name := range 130 {
		for first := range 140 {
			metric, tags := bytes.Repeat([]byte("n"), name), strings.Repeat("t", first)+",second:1"
			got := p.Append(nil, metric, Count, 10, 1700000000, 1, []byte(tags), []byte("h"))
			if want := AppendSeriesProto(nil, metric, Count, 10, 1700000000, 1, plainTags(tags), "h"); !bytes.Equal(got, want) {
				t.Fatalf("a name of %d bytes and a tag of %d: %x, want %x", name, first, got, want)
			}
		}
	}
}

func TestSeriesProtoAllocatesNothing(t *testing.T) {
	dst := make([]byte, 0, 4096)
	p := new(SeriesProto)
	metric, host := []byte("app.requests.latency"), []byte("web-1")
	for _, tags := range [][]byte{[]byte("env:prod,zone:b"), []byte("env:prod,zone:ü"), bytes.Repeat([]byte("x"), 200)} {
		if allocs := testing.AllocsPerRun(100, func() {
			dst = p.Append(dst[:0], metric, Count, 10, 1700000000, 0.3, tags, host)
		}); allocs != 0 {
			t.Errorf("%v allocations per series with the tags %s, want 0", allocs, tags)
		}
	}
}

func BenchmarkSeriesProto(b *testing.B) {
	dst := make([]byte, 0, 4096)
	p := new(SeriesProto)
	metric, host := []byte("app.requests.latency.count"), []byte("web-1")
	tags := []byte("env:production,service:checkout,version:1.2.3,zone:eu-west-1a")
	b.ReportAllocs()
	for b.Loop() {
		dst = p.Append(dst[:0], metric, Count, 10, 1700000000, 1234, tags, host)
	}
	b.SetBytes(int64(len(dst)))
}

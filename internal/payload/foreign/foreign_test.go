package foreign

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"floodgate/internal/payload"
)

// decode is one of the methods of a Decoder for a body.
type decode func(d *Decoder, r io.Reader, v Visit) error

func graphiteAt100(d *Decoder, r io.Reader, v Visit) error { return d.Graphite(r, 100, v) }
func influxAt100(d *Decoder, r io.Reader, v Visit) error   { return d.Influx(r, 1e9, 100, v) }
func promAt100(d *Decoder, r io.Reader, v Visit) error     { return d.Prometheus(r, 100, v) }
func seriesV1(d *Decoder, r io.Reader, v Visit) error      { return d.SeriesV1(r, v) }

// show writes what a body holds, one line each: metric|tags type value@timestamp.
func show(t testing.TB, d *Decoder, how decode, r io.Reader) (lines []string, err error) {
	t.Helper()
	err = how(d, r, Visit{
		Series: func(s *payload.Series) error {
			for _, p := range s.Points {
				lines = append(lines, fmt.Sprintf("%s|%s %v %v@%d", s.Metric, strings.Join(s.Tags, ","), s.Type, p.Value, p.Timestamp))
			}
			return nil
		},
		Sketch: func(s *payload.Sketch) error {
			for _, p := range s.Points {
				lines = append(lines, fmt.Sprintf("%s|%s values %d from %v to %v sum %v@%d", s.Metric, strings.Join(s.Tags, ","), p.Count, p.Min, p.Max, p.Sum, p.Timestamp))
			}
			return nil
		},
	})
	return lines, err
}

// lineCase is a body and what it leads to.
type lineCase struct {
	name, body string
	want       []string
	fault      string // part of the error; empty for none
}

func runLines(t *testing.T, how decode, cases []lineCase) {
	t.Helper()
	for _, c := range cases {
		got, err := show(t, &Decoder{LineBytes: 200}, how, strings.NewReader(c.body))
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		switch {
		case c.fault == "" && err != nil, c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)):
			t.Errorf("%s: error %v, want %q", c.name, err, c.fault)
		}
		var lines *LineError
		if err != nil && !errors.As(err, &lines) {
			t.Errorf("%s: error %v is no LineError", c.name, err)
		}
	}
}

func TestGraphite(t *testing.T) {
	runLines(t, graphiteAt100, []lineCase{
		{"plain", "a.b 5 1700000000\n", []string{"a.b| unspecified 5@1700000000"}, ""},
		{"any blanks, no end of the last line", "a \t 5   7", []string{"a| unspecified 5@7"}, ""},
		{"carriage returns and empty lines", "\r\na 1 2\r\n\n", []string{"a| unspecified 1@2"}, ""},
		{"tags", "a;x=1;y= 5 7\n", []string{"a|x:1,y unspecified 5@7"}, ""},
		{"bars, as statsite writes", "counts.a|5.500000|7\n", []string{"counts.a| unspecified 5.5@7"}, ""},
		{"a bar beside blanks is part of the name", "a|b 1 2\n", []string{"a|b| unspecified 1@2"}, ""},
		{"a timestamp with a fraction", "a 1 7.9\n", []string{"a| unspecified 1@7"}, ""},
		{"a timestamp below zero is now", "a 1 -1\n", []string{"a| unspecified 1@100"}, ""},
		{"exponents", "a 1e3 7\n", []string{"a| unspecified 1000@7"}, ""},
		{"the others are still visited", "a 1 2\nbad\nc 3 4\n", []string{"a| unspecified 1@2", "c| unspecified 3@4"},
			`cannot decode 1 of 3 lines, first line 2, "bad": it is no name, value and timestamp`},
		{"no timestamp", "a 1\n", nil, "no name, value and timestamp"},
		{"too many fields", "a 1 2 3\n", nil, "no name, value and timestamp"},
		{"no name before the tags", ";x=1 1 2\n", nil, "no name, value and timestamp"},
		{"a tag without =", "a;x 1 2\n", nil, "a tag is not written tag=value"},
		{"no number", "a one 2\n", nil, "its value is no number"},
		{"not finite", "a NaN 2\na +Inf 2\na 1e999 2\n", nil, "cannot decode 3 of 3 lines, first line 1, \"a NaN 2\": its value is no finite number"},
		{"no timestamp of 64 bits", "a 1 1e30\n", nil, "its timestamp is no number"},
		{"too long, over several buffers", strings.Repeat("x", 1000) + " 1 2\na 1 2\n", []string{"a| unspecified 1@2"}, "first line 1, \"" + strings.Repeat("x", 40) + "\": it is too long"},
		{"as long as allowed", strings.Repeat("x", 196) + " 1 2\n", []string{strings.Repeat("x", 196) + "| unspecified 1@2"}, ""},
		{"one byte longer", strings.Repeat("x", 197) + " 1 2\n", nil, "it is too long"},
	})
}

func TestInflux(t *testing.T) {
	runLines(t, influxAt100, []lineCase{
		{"a field called value is the measurement", "a,x=1 value=5i 7\n", []string{"a|x:1 unspecified 5@7"}, ""},
		{"other fields", "a,x=1,y=2 lower=0.5,upper=9u 7\n", []string{"a.lower|x:1,y:2 unspecified 0.5@7", "a.upper|x:1,y:2 unspecified 9@7"}, ""},
		{"no timestamp", "a value=1\n", []string{"a| unspecified 1@100"}, ""},
		{"text and truth are no numbers", `a s="x, y=1 \" \\",t=true,f=F,value=1 7` + "\n", []string{"a| unspecified 1@7"}, ""},
		{"escapes", `a\,b\ c,k\=\ x=v\,\=w f\ g=1 7` + "\n", []string{"a,b c.f g|k= x:v,=w unspecified 1@7"}, ""},
		{"other backslashes stand for themselves", `a\b,c=C:\d value=1 7` + "\n", []string{`a\b|c:C:\d unspecified 1@7`}, ""},
		{"an equals sign in a measurement", "a=b value=1 7\n", []string{"a=b| unspecified 1@7"}, ""},
		{"comments", "# a value=1\na value=2 7\n", []string{"a| unspecified 2@7"}, ""},
		{"a line of text alone", `a s="x" 7` + "\n", nil, ""},
		{"no fields", "a,x=1\n", nil, "its fields are not written field=value"},
		{"no measurement", ",x=1 value=1\n", nil, "does not begin with a measurement"},
		{"a tag without a value", "a,x= value=1\na,x value=1\na,=1 value=1\n", nil, "cannot decode 3 of 3 lines, first line 1, \"a,x= value=1\": a tag is not written"},
		{"no value", "a value= 7\n", nil, "its fields are not written"},
		{"an open quote", `a s="x 7` + "\n", nil, "its fields are not written"},
		{"something behind a quote", `a s="x"y 7` + "\n", nil, "its fields are not written"},
		{"no whole number", "a value=1.5i 7\n", nil, "no whole number of 64 bits"},
		{"below zero without a sign", "a value=-1u 7\n", nil, "no whole number of 64 bits"},
		{"not finite", "a value=NaN 7\n", nil, "no finite number"},
		{"no timestamp", "a value=1 x\n", nil, "its timestamp is no number"},
		{"a log line", "2026-01-01T00:00:00Z I! Starting Telegraf\n", nil, "its fields are not written"},
	})
}

func TestPrecision(t *testing.T) {
	for text, want := range map[string]int64{"": 1, "ns": 1, "n": 1, "us": 1e3, "u": 1e3, "ms": 1e6, "s": 1e9, "m": 60e9, "h": 3600e9} {
		p, known := ParsePrecision(text)
		if !known || int64(p) != want {
			t.Errorf("%q: %d, %v, want %d", text, p, known, want)
		}
		if got := p.seconds(7200e9 / want); got != 7200 {
			t.Errorf("two hours in %q are %d s, want 7200", text, got)
		}
	}
	if _, known := ParsePrecision("fortnight"); known {
		t.Error("a fortnight is no precision")
	}
}

func TestPrometheus(t *testing.T) {
	runLines(t, promAt100, []lineCase{
		{"kinds", "# HELP c Help.\n# TYPE c counter\nc{x=\"1\",y=\"\"} 5\n# TYPE g gauge\ng 1.5 1700000000000\nu 2\n",
			[]string{"c|x:1,y count 5@100", "g| gauge 1.5@100", "u| unspecified 2@100"}, ""},
		{"a summary gives count and sum", "# TYPE s summary\ns{x=\"1\",quantile=\"0.5\"} NaN\ns_sum{x=\"1\"} 7\ns_count{x=\"1\"} 3\n",
			[]string{"s.sum|x:1 count 7@100", "s.count|x:1 count 3@100"}, ""},
		{"so does a histogram", "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 3\nh_sum 7\nh_count 3\n", []string{"h.sum| count 7@100", "h.count| count 3@100"}, ""},
		{"a counter that is called so", "# TYPE a_count counter\na_count 3\n", []string{"a_count| count 3@100"}, ""},
		{"labels with escapes and blanks", `a{ x = "1\\2\"\n3" , y="}" , } 1` + "\n", []string{"a|x:1\\2\"\n3,y:} unspecified 1@100"}, ""},
		{"a gauge without a number", "# TYPE g gauge\ng NaN\ng +Inf\n", nil, ""},
		{"a counter without a number", "# TYPE c counter\nc NaN\n", nil, "no finite number"},
		{"no value", "a\na{}\n", nil, "cannot decode 2 of 2 lines"},
		{"no name", "{x=\"1\"} 1\n", nil, "does not begin with a name"},
		{"labels that do not end", "a{x=\"1\" 1\n", nil, "its labels are not written"},
		{"labels without quotes", "a{x=1} 1\n", nil, "its labels are not written"},
		{"labels without a comma", "a{x=\"1\"y=\"2\"} 1\n", nil, "its labels are not written"},
	})
}

// TestPrometheusIncrements scrapes one target again and again.
func TestPrometheusIncrements(t *testing.T) {
	d := &Decoder{}
	for i, scrape := range []struct {
		why, body, want string
	}{
		{"the first counts from zero", "c{x=\"1\"} 5\nh_count 2\nh_sum 3", "c|x:1 5, h.count| 2, h.sum| 3"},
		{"what was added", "c{x=\"1\"} 8\nc{x=\"2\"} 1\nh_count 2\nh_sum 3.5", "c|x:1 3, c|x:2 1, h.count| 0, h.sum| 0.5"},
		{"a counter that fell has begun anew", "c{x=\"1\"} 2\nc{x=\"2\"} 1", "c|x:1 2, c|x:2 0"},
		{"one that was away goes on", "h_count 4\nh_sum 5", "h.count| 2, h.sum| 1.5"},
	} {
		var got []string
		err := d.Prometheus(strings.NewReader("# TYPE c counter\n# TYPE h histogram\n"+scrape.body+"\n"), int64(i), Visit{Series: func(s *payload.Series) error {
			got = append(got, fmt.Sprintf("%s|%s %v", s.Metric, strings.Join(s.Tags, ","), s.Points[0].Value))
			return nil
		}})
		if err != nil || strings.Join(got, ", ") != scrape.want {
			t.Errorf("%s: %v, %v, want %s", scrape.why, got, err, scrape.want)
		}
	}
	// The order of labels is nothing to a contextKey.
	first, _ := show(t, d, promAt100, strings.NewReader("# TYPE z counter\nz{a=\"1\",b=\"2\"} 1\n"))
	again, _ := show(t, d, promAt100, strings.NewReader("# TYPE z counter\nz{b=\"2\",a=\"1\"} 3\n"))
	if len(first) != 1 || len(again) != 1 || again[0] != "z|b:2,a:1 count 2@100" {
		t.Errorf("%q, then %q", first, again)
	}
}

func TestSeriesV1(t *testing.T) {
	body := `{"series":[{"metric":"a","type":"rate","interval":10,"points":[[5,0.5]],"tags":["metric_type:counter","x:1"]},` +
		`{"metric":"d","type":"gauge","points":[[5,1],[6,2]],"tags":["metric_type:distribution"]}]}`
	got, err := show(t, &Decoder{Mapping: telegraf}, seriesV1, strings.NewReader(body))
	want := []string{"a|x:1 count 5@5", "d| values 1 from 1 to 1 sum 1@5", "d| values 1 from 2 to 2 sum 2@6"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

func TestVisitorsErrorEndsTheDecoding(t *testing.T) {
	stop := errors.New("stop")
	for name, body := range map[string]struct {
		how  decode
		text string
	}{
		"graphite": {graphiteAt100, "a 1 2\nb 1 2\n"}, "influx": {influxAt100, "a value=1 7\nb value=1 7\n"},
		"prometheus": {promAt100, "a 1\nb 1\n"}, "v1": {seriesV1, `{"series":[{"metric":"a"},{"metric":"b"}]}`},
	} {
		calls := 0
		err := body.how(&Decoder{}, strings.NewReader(body.text), Visit{Series: func(*payload.Series) error { calls++; return stop }})
		if err != stop || calls != 1 {
			t.Errorf("%s: %v after %d calls, want the visitor's error after 1", name, err, calls)
		}
		if err := body.how(&Decoder{}, strings.NewReader(body.text), Visit{}); err != nil {
			t.Errorf("%s without a visitor: %v", name, err)
		}
		broken := errors.New("broken")
		if err := body.how(&Decoder{}, io.MultiReader(strings.NewReader(body.text[:3]), failing{broken}), Visit{}); !errors.Is(err, broken) {
			t.Errorf("%s: %v, want the reader's error", name, err)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// TestLinesAllocateLittle: an intake decodes a million lines in a row.
func TestLinesAllocateLittle(t *testing.T) {
	var graphite, influx, prom strings.Builder
	prom.WriteString("# TYPE hits counter\n")
	for i := range 1000 {
		fmt.Fprintf(&graphite, "hits;n=%d 1 1700000000\n", i)
		fmt.Fprintf(&influx, "hits,n=%d value=1i 1700000000\n", i)
		fmt.Fprintf(&prom, "hits{n=\"%d\"} 1\n", i)
	}
	for _, c := range []struct {
		name string
		how  decode
		body string
		most float64
	}{{"graphite", graphiteAt100, graphite.String(), 20}, {"influx", influxAt100, influx.String(), 20}, {"prometheus", promAt100, prom.String(), 3020}} {
		d, n := &Decoder{}, 0
		v := Visit{Series: func(*payload.Series) error { n++; return nil }}
		got := testing.AllocsPerRun(5, func() {
			if err := c.how(d, strings.NewReader(c.body), v); err != nil {
				t.Error(err)
			}
		})
		if got > c.most || n != 6000 {
			t.Errorf("%s: %v allocations for 1000 lines known before, want at most %v; %d visited", c.name, got, c.most, n)
		}
	}
}

func TestInternerForgets(t *testing.T) {
	var i interner
	first := i.keep([]byte("a"))
	i.size = internedBytes + 1
	if second := i.keep([]byte("b")); first != "a" || second != "b" || len(i.known) != 1 {
		t.Errorf("%q, %q, %d known, want a bound", first, second, len(i.known))
	}
}

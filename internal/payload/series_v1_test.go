package payload

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

func decodeV1(body string) (all []Series, err error) {
	_, err = DecodeSeriesV1(strings.NewReader(body), func(s *Series) error {
		all = append(all, clone(s))
		return nil
	})
	return all, err
}

func TestDecodeSeriesV1(t *testing.T) {
	tests := []struct {
		name, body string
		want       Series
	}{
		{"a count stays a count", `{"metric":"a","type":"count","interval":10,"points":[[5,3]],"tags":["x:1"],"host":"h"}`,
			Series{Metric: "a", Type: Count, Interval: 10, Points: []Point{{5, 3}}, Tags: []string{"x:1"}, Host: "h"}},
		{"the older word for it", `{"metric":"a","type":"counter","points":[[5,3]]}`, Series{Metric: "a", Type: Count, Points: []Point{{5, 3}}}},
		{"a rate is a count over its interval", `{"metric":"a","type":"rate","interval":10,"points":[[5,0.5],[15,2]]}`,
			Series{Metric: "a", Type: Count, Interval: 10, Points: []Point{{5, 5}, {15, 20}}}},
		{"whatever the order of the fields", `{"points":[[5,0.5]],"interval":2.5,"type":"rate","metric":"a"}`,
			Series{Metric: "a", Type: Count, Interval: 3, Points: []Point{{5, 1.25}}}},
		{"a rate without an interval cannot be turned back", `{"metric":"a","type":"rate","points":[[5,0.5]]}`,
			Series{Metric: "a", Type: Rate, Points: []Point{{5, 0.5}}}},
		{"without a type it is a gauge", `{"metric":"a","points":[[5,-1]]}`, Series{Metric: "a", Type: Gauge, Points: []Point{{5, -1}}}},
		{"timestamps as floating-point numbers", `{"metric":"a","type":null,"interval":null,"points":[[1.7e9,1],[7.9,1]]}`,
			Series{Metric: "a", Type: Gauge, Points: []Point{{1700000000, 1}, {7, 1}}}},
		{"unknown fields are skipped", `{"metric":"a","device":"sda","resources":[{"type":"host"}],"points":null}`, Series{Metric: "a", Type: Gauge}},
	}
	for _, test := range tests {
		got, err := decodeV1(`{"series":[` + test.body + `]}`)
		if err != nil || len(got) != 1 {
			t.Errorf("%s: %v, %v", test.name, got, err)
			continue
		}
		if diff := cmp.Diff(test.want, got[0]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
	// What one series says is nothing to the next.
	got, err := decodeV1(`{"series":[{"metric":"a","type":"rate","interval":10,"points":[[1,1]],"host":"h"},{"metric":"b","type":"rate","points":[[1,1]]}]}`)
	if want := (Series{Metric: "b", Type: Rate, Points: []Point{{1, 1}}}); err != nil || len(got) != 2 || !cmp.Equal(got[1], want) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestDecodeSeriesV1Refuses(t *testing.T) {
	for body, want := range map[string]string{
		`{"metric":"a","type":"histogram"}`:  `type "histogram" is unknown, want gauge, rate, count or counter`,
		`{"metric":"a","type":1}`:            `want a string`,
		`{"metric":"a","points":[[1]]}`:      "no pair",
		`{"metric":"a","points":[[1,2,3]]}`:  "no pair",
		`{"metric":"a","points":[[1,null]]}`: "want a number",
		`{"metric":"a","points":[[1e19,1]]}`: "no pair",
		`{"metric":"a","interval":-1}`:       "interval is -1 seconds",
		`{"type":"count","points":[[1,1]]}`:  "the series has no metric",
	} {
		if _, err := decodeV1(`{"series":[` + body + `]}`); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "cannot decode series 1") {
			t.Errorf("%s: %v, want %s", body, err, want)
		}
	}
	stop := errors.New("stop")
	n, err := DecodeSeriesV1(strings.NewReader(`{"series":[{"metric":"a"},{"metric":"b"}]}`), func(s *Series) error {
		if s.Metric == "b" {
			return stop
		}
		return nil
	})
	if n != 1 || err != stop {
		t.Errorf("%d, %v: a visitor's error ends the decoding and comes back as it is", n, err)
	}
}

// FuzzDecodeSeriesV1 holds the parser to a naive one on encoding/json, for the
// bodies that it takes.
func FuzzDecodeSeriesV1(f *testing.F) {
	f.Add([]byte(`{"series":[{"metric":"a","type":"rate","interval":10,"points":[[5,0.5],[1.5e3,2]],"tags":["x"],"host":"h"}]}`))
	f.Add([]byte(`{"series":[{"points":[],"metric":"a"},{"metric":"b","interval":0.1,"type":"counter","points":[[-1,-1]]}]}`))
	f.Add([]byte(`{"series":[{"metric":"a","type":"","points":[[1,1],null]}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		collect := func(all *[]Series) func(*Series) error {
			return func(s *Series) error { *all = append(*all, clone(s)); return nil }
		}
		var got, piecewise []Series
		_, err := DecodeSeriesV1(bytes.NewReader(body), collect(&got))
		_, pieceErr := DecodeSeriesV1(iotest.OneByteReader(bytes.NewReader(body)), collect(&piecewise))
		if diff := cmp.Diff(got, piecewise); diff != "" || (err == nil) != (pieceErr == nil) {
			t.Fatalf("whole and byte by byte differ: %v, %v\n%s", err, pieceErr, diff)
		}
		if err != nil {
			return
		}
		if diff := cmp.Diff(naiveV1(t, body), got); diff != "" {
			t.Fatalf("naive and fast differ (-naive +fast):\n%s", diff)
		}
	})
}

// naiveV1 decodes a body that was taken by reflection.
func naiveV1(t *testing.T, body []byte) (all []Series) {
	var tree map[string]any
	if err := json.Unmarshal(body, &tree); err != nil {
		t.Fatalf("it took what is no JSON: %v", err)
	}
	list, _ := tree["series"].([]any)
	types := map[any]Type{"count": Count, "counter": Count, "rate": Rate}
	for _, element := range list {
		m, s := element.(map[string]any), Series{Type: Gauge}
		s.Metric, _ = m["metric"].(string)
		s.Host, _ = m["host"].(string)
		if typ, ok := types[m["type"]]; ok {
			s.Type = typ
		}
		interval, _ := m["interval"].(float64)
		s.Interval = int64(math.Round(interval))
		scale := 1.0
		if s.Type == Rate && interval > 0 {
			s.Type, scale = Count, interval
		}
		points, _ := m["points"].([]any)
		for _, element := range points {
			pair := element.([]any)
			s.Points = append(s.Points, Point{Timestamp: int64(math.Floor(pair[0].(float64))), Value: pair[1].(float64) * scale})
		}
		tags, _ := m["tags"].([]any)
		for _, tag := range tags {
			text, _ := tag.(string)
			s.Tags = append(s.Tags, text)
		}
		all = append(all, s)
	}
	return all
}

package payload

import (
	"errors"
	"fmt"
	"io"
	"math"
)

// DecodeSeriesV1 is DecodeSeries for the older version 1 JSON,
// {"series":[{"metric":…,"type":"count","interval":10,"points":[[t,v],…]}]}: it
// reads one body from r to its end and calls visit for each series in turn. It
// returns how many it visited.
//
// What DecodeSeries says of the Series, of memory and of errors holds here too.
// Types are the words gauge (also for a series without one), rate, and count or
// counter. A rate with an interval comes out as what it was made from: a count,
// its values times the interval, which may have a fraction. A rate without one
// stays a rate. Timestamps lose their fraction. The field device is skipped.
func DecodeSeriesV1(r io.Reader, visit func(*Series) error) (n int, err error) {
	d := takeDecoder(r)
	defer d.giveBack()
	v := decoderV1{decoder: d}
	d.visit = func(s *Series) error {
		v.settle()
		return visit(s)
	}
	return d.finishJSON(d.body(v.member))
}

type decoderV1 struct {
	*decoder
	interval float64 // of the series at hand, in seconds
}

// settle is called when all fields of a series are known, in whatever order
// they came.
func (v *decoderV1) settle() {
	s := &v.series
	switch {
	case s.Type == Unspecified:
		s.Type = Gauge
	case s.Type == Rate && v.interval > 0:
		s.Type = Count
		for i := range s.Points {
			s.Points[i].Value *= v.interval
		}
	}
	s.Interval, v.interval = int64(math.Round(v.interval)), 0
}

func (v *decoderV1) member(f field) (err error) {
	switch f {
	case fieldType:
		v.series.Type, err = v.typeWord()
	case fieldInterval:
		v.interval, err = v.optional()
	case fieldPoints:
		v.series.Points = v.series.Points[:0]
		err = v.array(v.point)
	case fieldHost:
		v.series.Host, err = v.keptText()
	case fieldMetric, fieldTags:
		err = v.seriesMember(f)
	default:
		err = v.skip(3)
	}
	return err
}

// optional reads a number of seconds, or null as 0.
func (v *decoderV1) optional() (float64, error) {
	if null, err := v.null(); null || err != nil {
		return 0, err
	}
	seconds, err := v.float()
	if err == nil && (seconds < 0 || seconds >= 1<<53) {
		err = fmt.Errorf("interval is %v seconds, want 0 to 2^53", seconds)
	}
	return seconds, err
}

func (v *decoderV1) typeWord() (Type, error) {
	if null, err := v.null(); null || err != nil {
		return Unspecified, err
	}
	word, err := v.text()
	if err != nil {
		return Unspecified, err
	}
	switch string(word) {
	case "count", "counter":
		return Count, nil
	case "rate":
		return Rate, nil
	case "gauge", "":
		return Gauge, nil
	}
	return Unspecified, fmt.Errorf("type %.20q is unknown, want gauge, rate, count or counter", word)
}

// point reads one [timestamp, value].
func (v *decoderV1) point() error {
	var numbers [2]float64
	read := 0
	err := v.array(func() (err error) {
		if read == len(numbers) {
			return errPointV1
		}
		numbers[read], err = v.float()
		read++
		return err
	})
	if err != nil {
		return err
	}
	seconds := math.Floor(numbers[0])
	if read != len(numbers) || seconds < -1<<63 || seconds >= 1<<63 {
		return errPointV1
	}
	v.series.Points = append(v.series.Points, Point{Timestamp: int64(seconds), Value: numbers[1]})
	return nil
}

var errPointV1 = errors.New("a point is no pair of a timestamp and a value")

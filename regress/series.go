package regress

import (
	"math"
	"slices"

	"github.com/HdrHistogram/hdrhistogram-go"

	"floodgate/internal/record"
	"floodgate/scenarios"
)

// observed returns what a check bounds in one replicate, if it was measured.
func observed(r *record.Record, c scenarios.Check) (float64, bool) {
	if c.Reduced == (scenarios.Reduced{}) {
		return measured(r, c.Measure.Name)
	}
	if c.Reduced.Series.Kind == scenarios.Histogram {
		return reduceHistogram(r, c.Reduced)
	}
	values, weights := seriesOf(r, c.Reduced.Series)
	return reduce(c.Reduced.By, values, weights)
}

// seriesOf returns the values of a series and the time that each stands for. It
// is empty where a column is absent, or where any of its values is no number: a
// hole in a series could hide the value that breaks a bound.
func seriesOf(r *record.Record, s scenarios.Series) (values, weights []float64) {
	from := r.Timeline.Columns[s.From]
	switch s.Kind {
	case scenarios.Column:
		values = from
	case scenarios.Difference:
		less := r.Timeline.Columns[s.Less]
		if len(less) != len(from) {
			return nil, nil
		}
		for i := range from {
			values = append(values, from[i]-less[i])
		}
	case scenarios.RateOf:
		values, weights = rates(r.Timeline.Columns[record.ColumnTime], from)
	}
	for _, x := range values {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, nil
		}
	}
	return values, weights
}

// rates is the change of a column of seconds per second, in thousandths, between
// each two readings, and the seconds between them.
func rates(times, column []float64) (values, weights []float64) {
	if len(times) != len(column) {
		return nil, nil
	}
	for i := 1; i < len(times); i++ {
		if passed := times[i] - times[i-1]; passed > 0 {
			values = append(values, 1000*(column[i]-column[i-1])/passed)
			weights = append(weights, passed)
		}
	}
	return values, weights
}

// reduce makes one value of a series. Without weights, all values weigh the same.
func reduce(by scenarios.Reduction, values, weights []float64) (float64, bool) {
	if len(values) == 0 {
		return 0, false
	}
	if p, is := by.Percentile(); is {
		// The nearest rank: a value that was read, and none that lies between two.
		sorted := slices.Sorted(slices.Values(values))
		rank := int(math.Ceil(p*float64(len(sorted))/100 - rounding))
		return sorted[max(rank, 1)-1], true
	}
	switch by {
	case "max":
		return slices.Max(values), true
	case "min":
		return slices.Min(values), true
	case "last":
		return values[len(values)-1], true
	case "avg":
		sum, weight := 0.0, 0.0
		for i, x := range values {
			w := 1.0
			if weights != nil {
				w = weights[i]
			}
			sum += w * x
			weight += w
		}
		return sum / weight, true
	}
	return 0, false
}

// reduceHistogram makes one value of a histogram, in seconds.
func reduceHistogram(r *record.Record, reduced scenarios.Reduced) (float64, bool) {
	encoded, told := r.Histograms[reduced.Series.From]
	if !told {
		return 0, false
	}
	h, err := hdrhistogram.Decode([]byte(encoded))
	if err != nil || h.TotalCount() == 0 {
		return 0, false
	}
	if p, is := reduced.By.Percentile(); is {
		return float64(h.ValueAtQuantile(p)) / 1e9, true
	}
	switch reduced.By {
	case "max":
		return float64(h.Max()) / 1e9, true
	case "min":
		return float64(h.Min()) / 1e9, true
	case "avg":
		return h.Mean() / 1e9, true
	}
	return 0, false
}

package scenarios

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// suffix is one way of scaling a number, largest first in its list.
type suffix struct {
	text  string
	scale float64
}

var (
	countSuffixes = []suffix{{"G", 1e9}, {"M", 1e6}, {"k", 1e3}}
	byteSuffixes  = []suffix{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1}}
)

// ParseCount reads a whole number as people write it: 300000, 300k, 1M, 1.5M.
func ParseCount(text string) (int64, error) {
	n, err := parseScaled(text, countSuffixes)
	if err != nil || n != math.Trunc(n) || n < 0 || n > math.MaxInt64/2 {
		return 0, fmt.Errorf("%q is no count: want a whole number such as 300000, 300k or 1.5M", text)
	}
	return int64(n), nil
}

// ParseBytes reads a size: 1432B, 416KiB, 64MiB, 2GB. A unit is needed, except
// for 0, because a bare number says nothing about 1000 or 1024.
func ParseBytes(text string) (int64, error) {
	n, err := parseScaled(text, byteSuffixes)
	bare := err == nil && n != 0 && text[len(text)-1] != 'B'
	if err != nil || bare || n != math.Trunc(n) || n < 0 || n > math.MaxInt64/2 {
		return 0, fmt.Errorf("%q is no size: want a number with B, KiB, MiB, GiB, kB, MB or GB, such as 416KiB", text)
	}
	return int64(n), nil
}

// ParseDuration reads a duration in Go's form: 3s, 100ms, 1m30s. Negative
// durations are refused.
func ParseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is no duration: want a number with ns, us, ms, s, m or h, such as 3s or 100ms", text)
	}
	return d, nil
}

// Parse reads a quantity in unit, as in a check's bound, and returns it in
// that unit: "64MiB" is 67108864 for Bytes, "1ms" is 0.001 for Seconds, "2%"
// is 0.02 for Ratio.
func Parse(text string, unit Unit) (float64, error) {
	switch unit {
	case Bytes:
		n, err := ParseBytes(text)
		return float64(n), err
	case Seconds:
		d, err := ParseDuration(text)
		return d.Seconds(), err
	case Ratio:
		percent := strings.HasSuffix(text, "%")
		x, err := strconv.ParseFloat(strings.TrimSuffix(text, "%"), 64)
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
			return 0, fmt.Errorf("%q is no ratio: want a number such as 0.02 or 2%%", text)
		}
		if percent {
			x /= 100
		}
		return x, nil
	}
	n, err := ParseCount(text)
	return float64(n), err
}

// Format writes value in unit as people read it, with the unit: 158.81MiB,
// 1.50ms, 300000, 2.00%. It is the same in every report.
func Format(value float64, unit Unit) string {
	switch unit {
	case Bytes:
		return formatBytes(value)
	case Seconds:
		return formatSeconds(value)
	case Ratio:
		return trim(value*100) + "%"
	case Millicores:
		return trim(value)
	}
	return strconv.FormatFloat(value, 'f', -1, 64)
}

func formatBytes(value float64) string {
	magnitude := math.Abs(value)
	for _, s := range byteSuffixes[:3] {
		if magnitude >= s.scale {
			return trim(value/s.scale) + s.text
		}
	}
	return trim(value) + "B"
}

func formatSeconds(value float64) string {
	magnitude := math.Abs(value)
	switch {
	case value == 0:
		return "0s"
	case magnitude >= 1:
		return trim(value) + "s"
	case magnitude >= 1e-3:
		return trim(value*1e3) + "ms"
	case magnitude >= 1e-6:
		return trim(value*1e6) + "µs"
	}
	return trim(value*1e9) + "ns"
}

// trim writes x with two decimals, or with none where they are zero.
func trim(x float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(x, 'f', 2, 64), ".00")
}

func parseScaled(text string, suffixes []suffix) (float64, error) {
	scale := 1.0
	for _, s := range suffixes {
		if number, found := strings.CutSuffix(text, s.text); found {
			text, scale = number, s.scale
			break
		}
	}
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
		return 0, fmt.Errorf("%q is no number", text)
	}
	// Rounded, so that 1.1k is 1100 in spite of binary fractions.
	if scaled := x * scale; math.Abs(scaled-math.Round(scaled)) < 1e-6 {
		return math.Round(scaled), nil
	}
	return x * scale, nil
}

package scenarios

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"floodgate/internal/quantity"
)

// suffix is one way of scaling a number, largest first in its list.
type suffix struct {
	text  string
	scale float64
}

var (
	binarySuffixes = []suffix{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}
	secondSuffixes = []suffix{{"s", 1}, {"ms", 1e-3}, {"µs", 1e-6}, {"ns", 1e-9}}
)

// ParseCount reads a whole number, as quantity.ParseCount does.
func ParseCount(text string) (int64, error) { return quantity.ParseCount(text) }

// ParseBytes reads a size with its unit, as quantity.ParseBytes does.
func ParseBytes(text string) (int64, error) { return quantity.ParseBytes(text) }

// ParseDuration reads a duration in Go's form: 3s, 100ms, 1m30s. Signs are
// refused.
func ParseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || strings.HasPrefix(text, "-") || strings.HasPrefix(text, "+") {
		return 0, fmt.Errorf("%q is no duration: want a number with ns, us, ms, s, m or h, such as 3s or 100ms", clip(text))
	}
	return d, nil
}

// ParseQuantity reads a quantity in unit, as in a check's bound, and returns it
// in that unit: "64MiB" is 67108864 for Bytes, "1ms" is 0.001 for Seconds, "2%"
// is 0.02 for Ratio.
func ParseQuantity(text string, unit Unit) (float64, error) {
	switch unit {
	case Bytes:
		n, err := ParseBytes(text)
		return float64(n), err
	case Seconds:
		d, err := ParseDuration(text)
		return d.Seconds(), err
	case Ratio:
		return parseRatio(text)
	}
	n, err := ParseCount(text)
	return float64(n), err
}

func parseRatio(text string) (float64, error) {
	number, percent := strings.CutSuffix(text, "%")
	if !quantity.IsNumber(number) {
		return 0, fmt.Errorf("%q is no ratio: want a number such as 0.02 or 2%%", clip(text))
	}
	if percent {
		number += "e-2" // as a decimal: 99.9/100 is a little more than 0.999
	}
	x, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no ratio: it is too large", clip(text))
	}
	return x, nil
}

// Format writes value in unit as people read it, with the unit where it has a
// sign of its own: 158.81MiB, 1.50ms, 300000, 2.00%. At most two decimals are
// kept. It is the same in every report.
func Format(value float64, unit Unit) string {
	switch {
	case math.IsNaN(value) || math.IsInf(value, 0):
		return strconv.FormatFloat(value, 'f', -1, 64)
	case unit == Bytes:
		return formatScaled(value, binarySuffixes)
	case unit == Seconds && value == 0:
		return "0s"
	case unit == Seconds:
		return formatScaled(value, secondSuffixes)
	case unit == Ratio:
		return trim(value*100) + "%"
	}
	return trim(value)
}

// FormatExact writes value in unit so that ParseQuantity reads the very same
// value back; it is longer than Format where two decimals do not suffice. It
// takes what ParseQuantity can return.
func FormatExact(value float64, unit Unit) string {
	switch unit {
	case Bytes:
		return quantity.FormatBytes(int64(value))
	case Seconds:
		return time.Duration(math.Round(value * 1e9)).String()
	case Ratio:
		// Percent, where that is short: the multiplication disturbs last digits.
		percent := strconv.FormatFloat(math.Round(value*1e8)/1e6, 'f', -1, 64) + "%"
		if back, err := parseRatio(percent); err == nil && back == value {
			return percent
		}
	}
	return strconv.FormatFloat(value, 'f', -1, 64)
}

// formatScaled picks the largest unit that the value reaches once it is
// rounded for print: no output says 1024KiB or 1000ms.
func formatScaled(value float64, suffixes []suffix) string {
	last := len(suffixes) - 1
	for i, s := range suffixes[:last] {
		below := suffixes[i+1].scale
		if math.Round(math.Abs(value)/below*100)/100 >= math.Round(s.scale/below) {
			return trim(value/s.scale) + s.text
		}
	}
	return trim(value/suffixes[last].scale) + suffixes[last].text
}

// trim writes x with two decimals, or with none where they are zero.
func trim(x float64) string {
	text := strings.TrimSuffix(strconv.FormatFloat(x, 'f', 2, 64), ".00")
	if text == "-0" {
		return "0"
	}
	return text
}

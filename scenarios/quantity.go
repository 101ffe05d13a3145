package scenarios

import (
	"fmt"
	"math"
	"regexp"
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
	countSuffixes  = []suffix{{"G", 1e9}, {"M", 1e6}, {"k", 1e3}}
	byteSuffixes   = []suffix{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1}}
	binarySuffixes = []suffix{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}
	secondSuffixes = []suffix{{"s", 1}, {"ms", 1e-3}, {"µs", 1e-6}, {"ns", 1e-9}}
)

// plainNumber is what people write: digits, and perhaps a fraction. Signs,
// exponents, hexadecimal, leading zeros, infinity and NaN are no quantities.
var plainNumber = regexp.MustCompile(`^(0|[1-9][0-9]*)(\.[0-9]+)?$`)

// maxExact bounds whole numbers: below it every one is exact as a float64, so
// that no count or size changes on its way through one.
const maxExact = 1 << 53

// ParseCount reads a whole number as people write it: 300000, 300k, 1M, 1.5M.
// Any count is below 2^53.
func ParseCount(text string) (int64, error) {
	n, _, err := parseScaled(text, countSuffixes)
	if err != nil || n != math.Trunc(n) || n >= maxExact {
		return 0, fmt.Errorf("%q is no count: want a whole number such as 300000, 300k or 1.5M", clip(text))
	}
	return int64(n), nil
}

// ParseBytes reads a size: 1432B, 416KiB, 64MiB, 2GB. A unit is needed, except
// for 0, because a bare number says nothing about 1000 or 1024. A fraction of
// a larger unit is rounded to whole bytes: 158.81MiB is a size. Any
// size is below 2^53 bytes.
func ParseBytes(text string) (int64, error) {
	n, s, err := parseScaled(text, byteSuffixes)
	if s.scale > 1 {
		n = math.Round(n)
	}
	bare := n != 0 && s.text == ""
	if err != nil || bare || n != math.Trunc(n) || n >= maxExact {
		return 0, fmt.Errorf("%q is no size: want a number with B, KiB, MiB, GiB, kB, MB or GB, such as 416KiB", clip(text))
	}
	return int64(n), nil
}

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
	if !plainNumber.MatchString(number) {
		return 0, fmt.Errorf("%q is no ratio: want a number such as 0.02 or 2%%", clip(text))
	}
	x, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no ratio: it is too large", clip(text))
	}
	if percent {
		x /= 100
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
		for _, s := range binarySuffixes {
			if scaled := value / s.scale; scaled >= 1 && scaled == math.Trunc(scaled) {
				return strconv.FormatFloat(scaled, 'f', -1, 64) + s.text
			}
		}
		return strconv.FormatFloat(value, 'f', -1, 64) + "B"
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

// parseScaled reads a number and its suffix, which is empty for a bare one.
func parseScaled(text string, suffixes []suffix) (float64, suffix, error) {
	unit := suffix{scale: 1}
	for _, s := range suffixes {
		if number, found := strings.CutSuffix(text, s.text); found {
			text, unit = number, s
			break
		}
	}
	if !plainNumber.MatchString(text) {
		return 0, unit, fmt.Errorf("%q is no number", clip(text))
	}
	x, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, unit, err
	}
	// Rounded, so that 1.1k is 1100 in spite of binary fractions.
	if scaled := x * unit.scale; math.Abs(scaled-math.Round(scaled)) < 1e-6 {
		return math.Round(scaled), unit, nil
	}
	return x * unit.scale, unit, nil
}

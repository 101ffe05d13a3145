// Package quantity reads and writes counts and sizes in one form wherever people
// write them: flags, files, environment variables.
package quantity

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// suffix is one way of scaling a number, largest first in its list.
type suffix struct {
	text  string
	scale float64
}

var (
	countSuffixes  = []suffix{{"G", 1e9}, {"M", 1e6}, {"k", 1e3}}
	byteSuffixes   = []suffix{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1}}
	binarySuffixes = []suffix{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}
)

var plainNumber = regexp.MustCompile(`^(0|[1-9][0-9]*)(\.[0-9]+)?$`)

// IsNumber reports whether text is a number as people write it: digits, and
// perhaps a fraction. Signs, exponents, hexadecimal, leading zeros, infinity and
// NaN are no quantities.
func IsNumber(text string) bool { return plainNumber.MatchString(text) }

// maxExact bounds whole numbers: below it every one is exact as a float64, so
// that no count or size changes on its way through one.
const maxExact = 1 << 53

// ParseCount reads a whole number as people write it: 300000, 300k, 1M, 1.5M.
// Any count is below 2^53.
func ParseCount(text string) (int64, error) {
	n, _, ok := parseScaled(text, countSuffixes)
	if !ok || n != math.Trunc(n) || n >= maxExact {
		return 0, fmt.Errorf("%.60q is no count: want a whole number such as 300000, 300k or 1.5M", text)
	}
	return int64(n), nil
}

// ParseBytes reads a size: 1432B, 416KiB, 64MiB, 2GB. A unit is needed, except
// for 0, because a bare number says nothing about 1000 or 1024. A fraction of
// a larger unit is rounded to whole bytes: 158.81MiB is a size. Any
// size is below 2^53 bytes.
func ParseBytes(text string) (int64, error) {
	n, s, ok := parseScaled(text, byteSuffixes)
	if s.scale > 1 {
		n = math.Round(n)
	}
	bare := n != 0 && s.text == ""
	if !ok || bare || n != math.Trunc(n) || n >= maxExact {
		return 0, fmt.Errorf("%.60q is no size: want a number with B, KiB, MiB, GiB, kB, MB or GB, such as 416KiB", text)
	}
	return int64(n), nil
}

// FormatBytes writes a size so that ParseBytes reads the very same one back, in
// the largest binary unit that needs no fraction: 64MiB, 1432B.
func FormatBytes(n int64) string {
	for _, s := range binarySuffixes {
		if unit := int64(s.scale); n != 0 && n%unit == 0 {
			return strconv.FormatInt(n/unit, 10) + s.text
		}
	}
	return strconv.FormatInt(n, 10) + "B"
}

// parseScaled reads a number and its suffix, which is empty for a bare one.
func parseScaled(text string, suffixes []suffix) (float64, suffix, bool) {
	unit := suffix{scale: 1}
	for _, s := range suffixes {
		if number, found := strings.CutSuffix(text, s.text); found {
			text, unit = number, s
			break
		}
	}
	if !IsNumber(text) {
		return 0, unit, false
	}
	x, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, unit, false
	}
	// Rounded, so that 1.1k is 1100 in spite of binary fractions.
	if scaled := x * unit.scale; math.Abs(scaled-math.Round(scaled)) < 1e-6 {
		return math.Round(scaled), unit, true
	}
	return x * unit.scale, unit, true
}

package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"floodgate/internal/quantity"
)

// scaled is the value of a flag that people write with a unit or a multiplier.
type scaled[T int | int64] struct {
	to     *T
	kind   string // a key of wanted
	parse  func(string) (int64, error)
	format func(int64) string
}

// size is a flag in bytes: 416KiB, 4MiB, and also 425984, because the variables
// that agents share have no unit.
func size[T int | int64](to *T) pflag.Value {
	return &scaled[T]{to, "size", func(text string) (int64, error) {
		if digits := strings.Trim(text, "0123456789") == ""; digits && text != "" {
			text += "B"
		}
		return quantity.ParseBytes(text)
	}, quantity.FormatBytes}
}

// count is a flag for a whole number: 2048, 300k, 1M.
func count[T int | int64](to *T) pflag.Value {
	return &scaled[T]{to, "count", quantity.ParseCount, func(n int64) string { return strconv.FormatInt(n, 10) }}
}

func (s *scaled[T]) Set(text string) error {
	n, err := s.parse(text)
	if err == nil && int64(T(n)) != n {
		err = strconv.ErrRange
	}
	if err == nil {
		*s.to = T(n)
	}
	return err
}

func (s *scaled[T]) String() string { return s.format(int64(*s.to)) }
func (s *scaled[T]) Type() string   { return s.kind }

// wanted says what the flags of a type take.
var wanted = map[string]string{
	"size":         "a size such as 416KiB, 4MiB or 425984 (bytes)",
	"count":        "a whole number such as 2048, 300k or 1M",
	"duration":     "a duration such as 500ms, 10s or 5m",
	"float64":      "a number such as 2 or 0.5",
	"float64Slice": "numbers such as 0.95,0.99",
	"uint64":       "a whole number",
	"bool":         "true or false",
}

// refused tells of a value that a flag does not take: where it stands, such as
// --queue-size, what it is, and what is allowed. Other errors, such as that of an
// unknown flag, only say where to look.
func refused(where string, err error) error {
	var bad *pflag.InvalidValueError
	if !errors.As(err, &bad) {
		return fmt.Errorf("%w; see --help", err)
	}
	if where == "" {
		where = "--" + bad.GetFlag().Name
	}
	return fmt.Errorf("%s is %.60q, want %s", where, bad.GetValue(), wanted[bad.GetFlag().Value.Type()])
}

package quantity

import (
	"fmt"
	"testing"
)

func TestParseCount(t *testing.T) {
	good := func(text string, want int64) {
		t.Helper()
		if got, err := ParseCount(text); err != nil || got != want {
			t.Errorf("%q: got %d, %v, want %d", text, got, err, want)
		}
	}
	bad := func(text string) {
		t.Helper()
		want := fmt.Sprintf("%q is no count: want a whole number such as 300000, 300k or 1.5M", text)
		if got, err := ParseCount(text); err == nil || err.Error() != want {
			t.Errorf("%q: got %d, %v", text, got, err)
		}
	}
	good("0", 0)
	good("300000", 300_000)
	good("300k", 300_000)
	good("0.3M", 300_000)
	good("1.1k", 1100) // 1.1 has no exact binary form
	good("1.000001M", 1_000_001)
	good("1G", 1_000_000_000)
	good("9007199254740991", 1<<53-1)
	bad("9007199254740993")     // would become another number on its way through a float
	bad("18446744073709551616") // beyond any integer
	bad("0.5")                  // half a message
	bad("1.0001k")              // 1000.1
	bad("-1")
	bad("+1")
	bad("1e3")
	bad("0x10")
	bad("0x1p4")
	bad("1_000")
	bad("010") // ten to some, eight to others
	bad("1,000")
	bad("1 k")
	bad("k")
	bad("")
	bad(".5k")
	bad("5.k")
	bad("1K") // kilo is a small k; a capital one is often 1024
	bad("1m") // milli
	bad("inf")
	bad("NaN")
	bad("1kk")
}

func TestParseBytes(t *testing.T) {
	good := func(text string, want int64) {
		t.Helper()
		if got, err := ParseBytes(text); err != nil || got != want {
			t.Errorf("%q: got %d, %v, want %d", text, got, err, want)
		}
	}
	bad := func(text string) {
		t.Helper()
		want := fmt.Sprintf("%q is no size: want a number with B, KiB, MiB, GiB, kB, MB or GB, such as 416KiB", text)
		if got, err := ParseBytes(text); err == nil || err.Error() != want {
			t.Errorf("%q: got %d, %v", text, got, err)
		}
	}
	good("0", 0) // the one number that is the same in every unit
	good("0B", 0)
	good("1432B", 1432)
	good("416KiB", 416*1024)
	good("64MiB", 64<<20)
	good("1.5GiB", 3<<29)
	good("2kB", 2000)
	good("2MB", 2_000_000)
	good("2GB", 2_000_000_000)
	good("158.81MiB", 166_524_355) // as reports print it: 166524354.56
	bad("64")                      // 64 what?
	bad("0.5B")
	bad("416kiB")
	bad("416KB") // neither 1000 nor 1024 by any rule
	bad("416K")
	bad("416 KiB")
	bad("-1B")
	bad("B")
	bad("")
	bad("9007199254740993B")
	bad("9000000000GiB")
	bad("1e400B")
	bad("NaNB")
}

func TestFormatBytes(t *testing.T) {
	for _, c := range []struct {
		n         int64
		want, why string
	}{
		{0, "0B", "0 is the same in every unit"},
		{1432, "1432B", "no larger unit fits"},
		{8192, "8KiB", "whole units are shorter"},
		{65537 << 10, "65537KiB", "a larger unit would need a fraction"},
		{2 << 20, "2MiB", ""},
		{3 << 30, "3GiB", ""},
		{2_000_000, "2000000B", "it writes binary units only"},
	} {
		got := FormatBytes(c.n)
		if back, err := ParseBytes(got); got != c.want || err != nil || back != c.n {
			t.Errorf("%d: got %s, which reads back as %d, %v; want %s: %s", c.n, got, back, err, c.want, c.why)
		}
	}
}

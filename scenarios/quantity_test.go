package scenarios

import (
	"fmt"
	"math"
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	good := func(text string, want time.Duration) {
		t.Helper()
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%q: got %v, %v, want %v", text, got, err, want)
		}
	}
	bad := func(text string) {
		t.Helper()
		want := fmt.Sprintf("%q is no duration: want a number with ns, us, ms, s, m or h, such as 3s or 100ms", text)
		if got, err := ParseDuration(text); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, %v", text, got, err)
		}
	}
	good("0s", 0)
	good("0", 0)
	good("3s", 3*time.Second)
	good("100ms", 100*time.Millisecond)
	good("1m30s", 90*time.Second)
	good("1.5µs", 1500)
	good("1.5us", 1500)
	bad("3") // three what?
	bad("-3s")
	bad("-0s")
	bad("+3s")
	bad("3 s")
	bad("3d")
	bad("3sec")
	bad("")
	bad("10000000000h") // beyond 292 years
}

func TestParseQuantity(t *testing.T) {
	good := func(text string, unit Unit, want float64) {
		t.Helper()
		if got, err := ParseQuantity(text, unit); err != nil || got != want {
			t.Errorf("%q in %s: got %v, %v, want %v", text, unit, got, err, want)
		}
	}
	bad := func(text string, unit Unit) {
		t.Helper()
		if got, err := ParseQuantity(text, unit); err == nil {
			t.Errorf("%q in %s: got %v, want an error", text, unit, got)
		}
	}
	good("64MiB", Bytes, 67108864)
	good("1ms", Seconds, 0.001)
	good("2%", Ratio, 0.02)
	good("99.9%", Ratio, 0.999) // the decimal, not a quotient of binary fractions
	good("0.02", Ratio, 0.02)
	good("150%", Ratio, 1.5)
	good("300k", Messages, 300000)
	good("10", Datagrams, 10)
	good("500", Millicores, 500)
	good("7", Count, 7)
	bad("64", Bytes)
	bad("1", Seconds)
	bad("-2%", Ratio) // every measure is at least 0
	bad("2 %", Ratio)
	bad("NaN", Ratio)
	bad("%", Ratio)
	bad("1e-2", Ratio)
	bad("2%", Messages)
	bad("1s", Messages)
	bad("500m", Millicores)
}

func TestFormat(t *testing.T) {
	check := func(value float64, unit Unit, want string) {
		t.Helper()
		if got := Format(value, unit); got != want {
			t.Errorf("%v %s: got %s, want %s", value, unit, got, want)
		}
	}
	check(0, Bytes, "0B")
	check(1023, Bytes, "1023B")
	check(1024, Bytes, "1KiB")
	check(166_524_355, Bytes, "158.81MiB")
	check(64<<20, Bytes, "64MiB")
	check(1<<30, Bytes, "1GiB")
	check(1<<20-1, Bytes, "1MiB") // not 1024KiB
	check(1<<20-1024, Bytes, "1023KiB")
	check(-2048, Bytes, "-2KiB") // a difference
	check(0.5, Bytes, "0.50B")
	check(0, Seconds, "0s")
	check(3, Seconds, "3s")
	check(0.0015, Seconds, "1.50ms")
	check(0.9999999, Seconds, "1s") // not 1000ms
	check(0.000999999, Seconds, "1ms")
	check(0.05, Seconds, "50ms")
	check(917e-9, Seconds, "917ns")
	check(1.2345e-6, Seconds, "1.23µs")
	check(-0.25, Seconds, "-250ms")
	check(90, Seconds, "90s")
	check(1e-12, Seconds, "0ns")
	check(-1e-12, Seconds, "0ns") // no negative zero
	check(0.02, Ratio, "2%")
	check(0.02346, Ratio, "2.35%")
	check(0, Ratio, "0%")
	check(300000, Messages, "300000")
	check(299999.66666, Messages, "299999.67")
	check(1e15, Count, "1000000000000000") // no exponent
	check(0.25, Millicores, "0.25")
	check(math.NaN(), Seconds, "NaN")
	check(math.Inf(1), Bytes, "+Inf")
}

// TestFormatExact: a bound is printed as it is, where Format would round.
func TestFormatExact(t *testing.T) {
	check := func(text string, unit Unit, want string) {
		t.Helper()
		value, err := ParseQuantity(text, unit)
		if err != nil {
			t.Fatal(err)
		}
		got := FormatExact(value, unit)
		if got != want {
			t.Errorf("%s %s: got %s, want %s", text, unit, got, want)
		}
		if back, err := ParseQuantity(got, unit); err != nil || back != value {
			t.Errorf("%s %s: %s reads back as %v, %v, want %v", text, unit, got, back, err, value)
		}
	}
	check("64MiB", Bytes, "64MiB")
	check("65536KiB", Bytes, "64MiB")
	check("65537KiB", Bytes, "65537KiB")
	check("1MiB", Bytes, "1MiB")
	check("1000001B", Bytes, "1000001B")
	check("0", Bytes, "0B")
	check("1005ms", Seconds, "1.005s") // Format says 1s
	check("90s", Seconds, "1m30s")
	check("1us", Seconds, "1µs")
	check("0s", Seconds, "0s")
	check("2%", Ratio, "2%")
	check("7%", Ratio, "7%") // although 0.07*100 is 7.000000000000001
	check("0.123456789012", Ratio, "0.123456789012")
	check("0.00001", Ratio, "0.001%")
	check("0", Ratio, "0%")
	check("300k", Messages, "300000")
}

// FuzzQuantity: what is accepted is finite and not negative, and is printed so
// that it reads back the same.
func FuzzQuantity(f *testing.F) {
	units := []Unit{Seconds, Bytes, Messages, Datagrams, Ratio, Millicores, Count}
	for _, text := range []string{"0", "64MiB", "1.5GiB", "1m30s", "2%", "0.07", "300k", "1e3", "-1B", "9007199254740992"} {
		for i := range units {
			f.Add(text, i)
		}
	}
	f.Fuzz(func(t *testing.T, text string, i int) {
		unit := units[uint(i)%uint(len(units))]
		value, err := ParseQuantity(text, unit)
		if err != nil {
			return
		}
		if !(value >= 0) || math.IsInf(value, 0) {
			t.Fatalf("%q in %s is accepted as %v", text, unit, value)
		}
		exact := FormatExact(value, unit)
		if back, err := ParseQuantity(exact, unit); err != nil || back != value {
			t.Fatalf("%q in %s: %v is printed as %s, which reads back as %v, %v", text, unit, value, exact, back, err)
		}
		if Format(value, unit) == "" {
			t.Fatalf("%q in %s has no printed form", text, unit)
		}
	})
}

package aggregate

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"floodgate/internal/dogstatsd"
)

// FuzzCut: the lines that are cut from a datagram with all its separators found
// beforehand are those that are found one byte after the other, with the same
// parts, the same fingerprint and the same value. If they were not, the same
// message would be learnt twice, or its value read wrongly.
func FuzzCut(f *testing.F) {
	far := strings.Repeat("n", 60)
	for _, datagram := range []string{
		"a:1|c", "a:1|c|#x:y\n", "requests.count:17|c|@0.5|#env:prod,b:c\r\nsevenby:1|c\neightbyt:1|c", "ninebytes:12345678901234567890|g", "a:-1.5|ms", "a:1:2:3|h",
		"a:|c", ":1|c", "no colon here\n\n\r\n", "a:1", "é:1|c", "name.with.0x3b;9:1|c", "a::|s", "_e{1,1}:a|b", "", "a|b:1|c", "a\rb:1|c\r",
		far + "nnnn9123|c|#a:b,c", far + "nnn:123|c|#a:b,c", far + "nnnn:123|c|#a:b,c", // there is no ':' where 64 bytes end; the last that is; one too far
		far + ":123|c|#a:b\n" + far + far + ":1|c\n" + far + "nnn:1|c", far + "|c|#" + far + far + ":\na:1|c|#" + far + far + "\nb:2|g",
		"abcdefgh:12345678|c\nabcdefgh:123456789012345|c\nabcdefgh:1234567890123456|c\nabcdefgh:-2|c\nabcdefgh:1:|c\nabcdefgh:/|c",
	} {
		f.Add([]byte(datagram))
	}
	s := newSeeds()
	var blocks []separators
	f.Fuzz(func(t *testing.T, datagram []byte) {
		blocks = separate(blocks, datagram)
		rest := datagram
		for at := 0; at < len(datagram); {
			var quick line
			slow := line{}
			slow.text, rest = dogstatsd.CutLine(rest)
			at = quick.cut(datagram, at, blocks, s)
			if !bytes.Equal(quick.text, slow.text) || at < len(datagram) && len(datagram)-at != len(rest) {
				t.Fatalf("%q: cut %q and went on at %d, want %q and %d bytes more", datagram, quick.text, at, slow.text, len(rest))
			}
			slow.split(s)
			if slow.bar != quick.bar || slow.bar > 0 && (slow.colon != quick.colon || slow.print != quick.print || slow.value != quick.value || slow.whole != quick.whole) {
				t.Fatalf("%q: cut to %+v, split to %+v", quick.text, quick, slow)
			}
		}
		if len(bytes.Trim(rest, "\r\n")) > 0 {
			t.Errorf("%q: %q was left", datagram, rest)
		}
	})
}

// FuzzSplit: a line that is split has the parts that the parser finds.
func FuzzSplit(f *testing.F) {
	for _, line := range []string{"a:1|c", "requests.count:17|c|@0.5|#env:prod,b:c", "a:-1.5|ms", "a:1:2:3|h", "a:|c", ":1|c", "no colon here", "a:1", "a::|s", "_e{1,1}:a|b", "",
		"requests.count:12345678|c", "requests.count:123456789012345|c", "requests.count:1234567890123456|c"} {
		f.Add(line)
	}
	s := newSeeds()
	f.Fuzz(func(t *testing.T, text string) {
		l := line{text: []byte(text)}
		l.split(s)
		name, values, rest, fault := dogstatsd.Split(l.text)
		if fault != dogstatsd.NoFault {
			return // whatever split says, no alias was learnt for it
		}
		if l.bar == 0 || string(l.name()) != string(name) || string(l.values()) != string(values) || string(l.rest()) != string(rest) {
			t.Fatalf("%q is split at %d and %d, want %q, %q and %q", text, l.colon, l.bar, name, values, rest)
		}
		if x, ok := dogstatsd.ParseDigits(values); ok != l.whole || ok && x != l.value {
			t.Errorf("%q is read as %v (%v), want %v (%v)", values, l.value, l.whole, x, ok)
		}
	})
}

// TestSeparatorsAreFound: in assembly as without.
func TestSeparatorsAreFound(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		text := make([]byte, 4*blockLen)
		for i := range text {
			// The separators, what differs from them in one bit, and anything.
			text[i] = [...]byte{'\n', ':', '\n' ^ 1, ':' ^ 0x80, 0, 0xff, byte(random.Uint32())}[random.IntN(7)]
		}
		var got, want [4]separators
		findSeparators(&got[0], &text[0], len(got))
		findSeparatorsPortably(want[:], text)
		naive := [4]separators{}
		for i, c := range text {
			bit := uint64(1) << (i % blockLen)
			switch b := &naive[i/blockLen]; c {
			case '\n':
				b.newlines |= bit
			case ':':
				b.colons |= bit
			}
		}
		if got != naive || want != naive {
			t.Fatalf("%q: found %x, portably %x, want %x", text, got, want, naive)
		}
	}
}

// TestFingerprintsDiffer: lines that differ little, and a line that is cut
// elsewhere, have other fingerprints, and other hashes, too: all of an index's
// searches begin there.
func TestFingerprintsDiffer(t *testing.T) {
	s := newSeeds()
	prints, hashes := map[fingerprint]string{}, map[uint64]string{}
	check := func(name, rest []byte) {
		p, line := s.print(name, rest), fmt.Sprintf("%q and %q", name, rest)
		if other, ok := prints[p]; ok && other != line {
			t.Fatalf("%s have the fingerprint of %s", line, other)
		}
		if other, ok := hashes[p.hash]; ok && other != line {
			t.Fatalf("%s have the hash of %s", line, other)
		}
		prints[p], hashes[p.hash] = line, line
	}
	for _, n := range []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 40, 63, 64, 65, 100, 127, 128, 129, 150, 200} {
		zeros := make([]byte, n)
		check(zeros, nil)
		check(nil, zeros)
		for i := range n {
			for b := range 8 {
				text := bytes.Repeat([]byte{'a'}, n)
				text[i] ^= 1 << b
				check(text, nil)
				check(nil, text)
				for at := 1; at < n; at += 7 {
					check(text[:at], text[at:])
				}
			}
		}
	}
}

// TestHashesSpread: contextKeys that differ in a few digits, as they do in
// practice, are spread over an index about as evenly as random numbers are. The
// chi-squared of their places must lie within six standard deviations.
func TestHashesSpread(t *testing.T) {
	const keys, places = 1 << 16, 1 << 12
	for name, line := range map[string]func(i int) (string, string){
		"digits of a name": func(i int) (string, string) { return fmt.Sprintf("app.requests.%06d.count", i), "|c|#env:prod" },
		"digits of a tag": func(i int) (string, string) {
			return "app.requests.count", fmt.Sprintf("|c|#env:prod,az:eu-1,id:%06d", i)
		},
		"one binary number": func(i int) (string, string) { return string(binary.LittleEndian.AppendUint64(nil, uint64(i))), "" },
		"its upper end":     func(i int) (string, string) { return string(binary.BigEndian.AppendUint64(nil, uint64(i))), "" },
	} {
		for _, part := range []struct {
			of    string
			place func(hash uint64) uint64
		}{
			{"the segment and the lowest bits", func(h uint64) uint64 { return h>>56<<4 | h&15 }},
			{"the lowest bits", func(h uint64) uint64 { return h % places }},
			{"the upper bits of a slot", func(h uint64) uint64 { return h >> 20 % places }},
		} {
			s := newSeeds()
			var count [places]float64
			for i := range keys {
				a, b := line(i)
				count[part.place(s.print([]byte(a), []byte(b)).hash)]++
			}
			const mean = keys / places
			chi := 0.0
			for _, n := range count {
				chi += (n - mean) * (n - mean) / mean
			}
			if limit := places + 6*math.Sqrt(2*places); chi > limit {
				t.Errorf("%s, %s: chi-squared %.0f over %d places, want at most %.0f", name, part.of, chi, places, limit)
			}
		}
	}
}

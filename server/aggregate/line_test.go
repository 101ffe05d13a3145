package aggregate

import (
	"bytes"
	"fmt"
	"testing"

	"floodgate/internal/dogstatsd"
)

// FuzzSplit: a line that is split while it is hashed has the parts and the
// fingerprint of one that is split first. If it had not, the same message would
// be learnt twice, or its value read wrongly.
func FuzzSplit(f *testing.F) {
	for _, line := range []string{
		"a:1|c", "a:1|c|#x:y", "requests.count:17|c|@0.5|#env:prod,b:c", "sevenby:1|c", "eightbyt:1|c", "ninebytes:12345678901234567890|g", "a:-1.5|ms", "a:1:2:3|h",
		"a:|c", ":1|c", "no colon here", "a:1", "é:1|c", "name.with.0x3b;9:1|c", "a::|s", "_e{1,1}:a|b", "",
	} {
		f.Add(line)
	}
	table := NewTable(config())
	f.Fuzz(func(t *testing.T, text string) {
		l := line{text: []byte(text)}
		l.split(table.seeds)
		name, values, rest, fault := dogstatsd.Split(l.text)
		if fault != dogstatsd.NoFault {
			return // whatever split says, no alias was learnt for it
		}
		if l.bar == 0 || string(l.name()) != string(name) || string(l.values()) != string(values) || string(l.rest()) != string(rest) {
			t.Fatalf("%q is split at %d and %d, want %q, %q and %q", text, l.colon, l.bar, name, values, rest)
		}
		if l.print != table.ring.print(name, rest) {
			t.Errorf("%q has another fingerprint when it is learnt", text)
		}
		if x, ok := dogstatsd.ParseDigits(values); l.whole && (!ok || x != l.value) {
			t.Errorf("%q is read as %v, want %v", values, l.value, x)
		}
	})
}

// TestFingerprintsDiffer: texts that differ little, and a text that is cut
// elsewhere, have other fingerprints, in both of their halves.
func TestFingerprintsDiffer(t *testing.T) {
	s := newSeeds()
	seen := map[uint64]string{}
	check := func(text string, p fingerprint) {
		for _, half := range []uint64{p.hash, p.check} {
			if other, ok := seen[half]; ok && other != text {
				t.Fatalf("%q and %q share half a fingerprint", text, other)
			}
			seen[half] = text
		}
	}
	for n := range 40 {
		for i := range n {
			for b := range 8 {
				text := bytes.Repeat([]byte{'a'}, n)
				text[i] ^= 1 << b
				check("name "+string(text), s.ofName(text))
				check("rest "+string(text), s.of(text))
				for at := 1; at < n; at += 7 {
					check(fmt.Sprintf("%s at %d", text, at), s.ofName(text[:at]).and(s.of(text[at:])))
				}
			}
		}
		zeros := make([]byte, n)
		check(fmt.Sprintf("name of %d zeros", n), s.ofName(zeros))
		check(fmt.Sprintf("rest of %d zeros", n), s.of(zeros))
	}
}

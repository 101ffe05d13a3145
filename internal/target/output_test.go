package target

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTailKeepsWholeLines(t *testing.T) {
	tests := []struct {
		why   string
		parts []string
		want  string
	}{
		{"nothing", nil, ""},
		{"what fits is kept as it is", []string{"ab\nc"}, "ab\nc"},
		{"a line that was cut is left out", []string{"abcdefgh\nij\n", "kl"}, "ij\nkl"},
		{"unless there is no other", []string{"abcdefghijkl\n"}, "fghijkl\n"},
		{"exactly full", []string{"abcdefg\n"}, "abcdefg\n"},
		{"half a character is no text", []string{"äöüäöüä", "x"}, "\uFFFDüäx"},
	}
	for _, test := range tests {
		k := tail{buffer: make([]byte, 8)}
		if strings.Contains(test.why, "half") {
			k.buffer = make([]byte, 6)
		}
		for _, part := range test.parts {
			k.write([]byte(part))
		}
		if got := k.text(); got != test.want {
			t.Errorf("%s: %q, want %q", test.why, got, test.want)
		}
	}
}

// FuzzTail compares the ring with the end of everything that was written.
func FuzzTail(f *testing.F) {
	f.Add("one\ntwo\nthree", uint8(4), uint8(3))
	f.Add("aaaaaaaaaaaaaaaa", uint8(16), uint8(5))
	f.Add("ab\ncd\nef\n", uint8(3), uint8(9))
	f.Fuzz(func(t *testing.T, text string, size, step uint8) {
		if size == 0 || step == 0 || !utf8.ValidString(text) {
			t.Skip()
		}
		k := tail{buffer: make([]byte, size)}
		for rest := text; rest != ""; {
			n := min(int(step), len(rest))
			k.write([]byte(rest[:n]))
			rest = rest[n:]
		}
		want := text
		if len(text) >= int(size) {
			want = text[len(text)-int(size):]
			if _, rest, found := strings.Cut(want, "\n"); found && rest != "" {
				want = rest
			}
		}
		if got := k.text(); got != strings.ToValidUTF8(want, "\uFFFD") {
			t.Errorf("%q in steps of %d into %d: %q, want %q", text, step, size, got, want)
		}
	})
}

package scenarios

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// describe says in words what stands at n.
func describe(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping stands here"
	case n.Kind == yaml.SequenceNode:
		return "a list stands here"
	case n.Tag == "!!null":
		return "no value stands here"
	case n.Tag == "!!str":
		return fmt.Sprintf("%q is text", clip(n.Value))
	case n.Tag == "!!bool":
		return clip(n.Value) + " is a truth value"
	case n.Tag == "!!int" || n.Tag == "!!float":
		return clip(n.Value) + " is a number"
	}
	return fmt.Sprintf("%q is a %s", clip(n.Value), strings.TrimPrefix(n.Tag, "!!"))
}

// clip shortens what a file says to what fits into a message.
func clip(text string) string {
	const most = 60
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most]) + "…"
}

// keys lists the keys of fields for a message.
func keys(fields []field) string {
	words := make([]string, len(fields))
	for i, f := range fields {
		words[i] = f.key
	}
	return strings.Join(words, ", ")
}

// nearest is a hint at the key that was probably meant, or nothing.
func nearest(key string, fields []field) string {
	words := make([]string, len(fields))
	for i, f := range fields {
		words[i] = f.key
	}
	return meant(key, words)
}

// meant is the hint "did you mean …? " at the word that differs from text by
// one typing mistake or two, or nothing.
func meant(text string, words []string) string {
	best, least := "", 3
	if len(text) > 40 {
		return ""
	}
	for _, w := range words {
		if d := distance(text, w); d < least && d < len(w) {
			best, least = w, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("did you mean %q? ", best)
}

// distance counts the letters to insert, delete or replace between a and b
// (Levenshtein's distance, one row at a time).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}

// strangeByte finds the first byte that is no text, and its line.
func strangeByte(source []byte) (line int, what string) {
	line = 1
	for rest := source; len(rest) > 0; {
		c, size := utf8.DecodeRune(rest)
		switch {
		case c == utf8.RuneError && size == 1:
			return line, fmt.Sprintf("byte 0x%02x", rest[0])
		case c < ' ' && c != '\n' && c != '\r' && c != '\t', c == 0x7f:
			return line, fmt.Sprintf("control character 0x%02x", c)
		case c == '\n':
			line++
		}
		rest = rest[size:]
	}
	return 0, ""
}

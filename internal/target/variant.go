package target

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Kind is where a variant's server comes from.
type Kind string

// The kinds of variants.
const (
	RefServer Kind = "refserver" // the reference server beside the harness
	Binary    Kind = "bin"       // a program's file
	Preset    Kind = "target"    // a described target, by name
	Git       Kind = "git"       // built from a revision
)

// Variant is one of the servers or set-ups being compared, as the user names it.
type Variant struct {
	Kind Kind
	// Name is the file, the target's name or the revision; empty for RefServer.
	Name    string
	Options Options
}

// Option is one setting of a variant.
type Option struct{ Key, Value string }

// Options are settings in the order in which they were given, each key once.
type Options []Option

// Get returns the value of key, and whether it was given: an empty value is one.
func (o Options) Get(key string) (string, bool) {
	for _, option := range o {
		if option.Key == key {
			return option.Value, true
		}
	}
	return "", false
}

const variantForms = "allowed are refserver, bin:PATH, target:NAME and git:REF, each with :key=value,… after it if wanted"

// ParseVariant reads a variant:
//
//	refserver[:key=value,…]
//	bin:PATH[:key=value,…]
//	target:NAME[:key=value,…]
//	git:REF[:key=value,…]
//
// A value may hold anything but a comma and control characters. A path may hold
// colons: what follows the last one are options if it holds "=", and a colon at
// the very end says that there are none. In exchange the values of a bin hold no
// colon.
func ParseVariant(text string) (Variant, error) {
	v, err := parseVariant(text)
	if err != nil {
		return Variant{}, fmt.Errorf("cannot read variant %q: %w", text, err)
	}
	return v, nil
}

func parseVariant(text string) (Variant, error) {
	if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return Variant{}, errors.New("it holds control characters or is no UTF-8")
	}
	kind, rest, more := strings.Cut(text, ":")
	v := Variant{Kind: Kind(kind)}
	var options string
	var err error
	switch v.Kind {
	case RefServer:
		options = rest
	case Binary:
		v.Name, options, more, err = splitPath(rest)
	case Preset, Git:
		v.Name, options, more = strings.Cut(rest, ":")
	default:
		return Variant{}, fmt.Errorf("kind %q is unknown; %s", kind, variantForms)
	}
	if err == nil {
		err = v.checkName()
	}
	if err == nil && more {
		v.Options, err = parseOptions(options)
	}
	return v, err
}

// splitPath parts a path from its options.
func splitPath(text string) (path, options string, more bool, err error) {
	colon := strings.LastIndexByte(text, ':')
	if colon < 0 {
		return text, "", false, nil
	}
	path, options = text[:colon], text[colon+1:]
	switch {
	case options == "":
		return path, "", false, nil
	case strings.Contains(options, "="):
		return path, options, true, nil
	case looksLikeOptions(text):
		return "", "", false, errors.New("its path and its options cannot be told apart: " +
			"a value of a bin cannot hold a colon; if all of it is the path, write one more colon at the end")
	}
	return text, "", false, nil
}

// looksLikeOptions reports whether a path has something that reads like options
// after a colon.
func looksLikeOptions(path string) bool {
	_, after, _ := strings.Cut(path, ":")
	return strings.Contains(after, "=")
}

const (
	lower  = "abcdefghijklmnopqrstuvwxyz"
	inWord = lower + "0123456789_.-"
)

func (v Variant) checkName() error {
	switch {
	case v.Kind == RefServer:
		return nil
	case v.Name == "":
		return fmt.Errorf("nothing follows %q; %s", string(v.Kind)+":", variantForms)
	case v.Kind == Preset && strings.ContainsFunc(v.Name, notInWord):
		return fmt.Errorf("%q is no name of a target: want lower-case letters, digits, and . _ -", v.Name)
	case v.Kind == Git && (strings.HasPrefix(v.Name, "-") || strings.ContainsFunc(v.Name, unicode.IsSpace)):
		// git would take the first for a flag.
		return fmt.Errorf("%q is no revision: it begins with - or holds blanks", v.Name)
	}
	return nil
}

func notInWord(r rune) bool { return !strings.ContainsRune(inWord, r) }

// isKey reports whether text can name an option. One without a small letter
// names an environment variable; a mixture would be neither.
func isKey(text string) bool {
	word := strings.ToLower(text)
	return text != "" && strings.Contains(lower, word[:1]) && !strings.ContainsFunc(word, notInWord) &&
		(text == word || text == strings.ToUpper(text))
}

func parseOptions(text string) (Options, error) {
	if text == "" {
		return nil, errors.New("nothing follows the last colon: want key=value,… or no colon")
	}
	var options Options
	for part := range strings.SplitSeq(text, ",") {
		key, value, found := strings.Cut(part, "=")
		switch {
		case !found:
			return nil, fmt.Errorf("option %q has no value: want key=value", part)
		case !isKey(key):
			return nil, fmt.Errorf("option %q has no proper key: want letters, digits, and . _ -, a letter first; capitals for an environment variable, else lower case", part)
		}
		if _, twice := options.Get(key); twice {
			return nil, fmt.Errorf("option %q is given twice", key)
		}
		options = append(options, Option{key, value})
	}
	return options, nil
}

// String is the variant as ParseVariant reads it. It is the same for equal
// variants, so records can be compared by it.
func (v Variant) String() string {
	var b strings.Builder
	b.WriteString(string(v.Kind))
	if v.Kind != RefServer {
		b.WriteString(":" + v.Name)
	}
	for i, option := range v.Options {
		b.WriteByte(":,"[min(i, 1)])
		b.WriteString(option.Key + "=" + option.Value)
	}
	if v.Kind == Binary && len(v.Options) == 0 && (strings.HasSuffix(v.Name, ":") || looksLikeOptions(v.Name)) {
		b.WriteByte(':')
	}
	return b.String()
}

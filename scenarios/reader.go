package scenarios

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// reader walks the nodes of one YAML file against the shape that parse.go
// spells out, and collects every fault on its way instead of stopping at the
// first. It reads nodes, not structs, because only nodes know their lines.
type reader struct {
	faults
	what  string          // what a file describes: "scenario", "target"
	least string          // the keys that it must have, for the fault of an empty one
	lines map[string]int  // of every known key that was found, by its path
	bad   map[string]bool // of these, the keys with a fault in them
	// skipped counts the nodes that were passed over because refuseIndirection
	// has already said what is wrong with them.
	skipped int
	// shape, where it is not nil, collects what a file may hold: the reader then
	// goes over its own tables, and over no file. See Schema.
	shape *shape
}

func newReader(file string) *reader {
	return &reader{faults: faults{file: file}, what: "scenario", least: "name, load and goal", lines: map[string]int{}, bad: map[string]bool{}}
}

// sound returns the line of a key that was given and read without a fault.
// Rules between fields apply only to such keys, so that one mistake is not
// reported twice.
func (r *reader) sound(path string) (line int, ok bool) {
	line, found := r.lines[path]
	return line, found && !r.bad[path]
}

// value is a node with the place where it stands.
type value struct {
	path string // "load.corpus.tags"; empty for the whole file
	line int    // of its key
	node *yaml.Node
}

// named starts a fault's text with the path, where there is one.
func (v value) named(text string) string {
	if v.path == "" {
		return text
	}
	return v.path + ": " + text
}

// child is the path of a key within v.
func (v value) child(key string) string {
	if v.path == "" {
		return key
	}
	return v.path + "." + key
}

// field is one key that a mapping may have.
type field struct {
	key      string
	required bool
	read     func(value)
}

// document returns the only document of source, or false after the faults that
// leave nothing to read.
func (r *reader) document(source []byte) (*yaml.Node, bool) {
	if line, found := strangeByte(source); found != "" {
		r.add(line, "%s stands here: want text in UTF-8 without control characters", found)
		return nil, false
	}
	loader, err := yaml.NewLoader(bytes.NewReader(source))
	if err != nil {
		r.add(1, "cannot read YAML: %v", err)
		return nil, false
	}
	var document, second yaml.Node
	if err := loader.Load(&document); err != nil || len(document.Content) == 0 {
		if err == nil || errors.Is(err, io.EOF) {
			r.add(1, "the file is empty: want a %s with %s", r.what, r.least)
		} else {
			r.syntax(source, err)
		}
		return nil, false
	}
	switch err := loader.Load(&second); {
	case err == nil:
		r.add(second.Line, "a second document starts here: want one %s in one file", r.what)
	case !errors.Is(err, io.EOF):
		r.syntax(source, err)
	}
	root := document.Content[0]
	r.refuseIndirection(root)
	return root, true
}

// syntax reports an error of the YAML reader at its line.
func (r *reader) syntax(source []byte, err error) {
	line, text := 1, err.Error()
	var load *yaml.LoadError
	if errors.As(err, &load) {
		line, text = load.Mark.Line, load.Message
		if load.ContextMsg != "" {
			text = load.ContextMsg + ": " + text
		}
		// What is not closed is noticed behind the last line; the place to mend
		// is where it was opened.
		if last := bytes.Count(bytes.TrimRight(source, "\n"), []byte("\n")) + 1; line > last {
			line = load.ContextMark.Line
		}
	}
	r.add(line, "this is no YAML: %s", text)
}

// refuseIndirection refuses what makes a file say other than it shows: values
// that stand elsewhere, and explicit types.
func (r *reader) refuseIndirection(n *yaml.Node) {
	switch {
	case n.Anchor != "":
		r.add(n.Line, "anchor &%s stands here: anchors and aliases are not allowed, write the value out", clip(n.Anchor))
	case n.Kind == yaml.AliasNode:
		r.add(n.Line, "alias *%s stands here: anchors and aliases are not allowed, write the value out", clip(n.Value))
	case n.Style&yaml.TaggedStyle != 0:
		r.add(n.Line, "tag %s stands here: explicit types are not allowed, write the plain value", clip(n.Tag))
	case n.Kind == yaml.ScalarNode && n.Tag == "!!merge":
		r.add(n.Line, "merge key << stands here: it is not allowed, write the keys out")
	}
	for _, c := range n.Content {
		r.refuseIndirection(c)
	}
}

// refused reports whether refuseIndirection has already said what is wrong
// with n, so that there is nothing to read.
func (r *reader) refused(n *yaml.Node) bool {
	if n.Kind == yaml.AliasNode || n.Style&yaml.TaggedStyle != 0 || n.Tag == "!!merge" {
		r.skipped++
		return true
	}
	return false
}

// mapping reads v as a mapping with the given keys and no others.
func (r *reader) mapping(v value, fields ...field) {
	if r.shape != nil {
		r.shapeMapping(v, fields)
		return
	}
	seen, ok := r.pairs(v, "a mapping with ", keys(fields), func(key string, line int, content *yaml.Node) {
		at := slices.IndexFunc(fields, func(f field) bool { return f.key == key })
		if at < 0 {
			r.add(line, "%s", v.named(fmt.Sprintf("unknown key %q: %swant %s", clip(key), nearest(key, fields), keys(fields))))
			return
		}
		path, before := v.child(key), r.total+r.skipped
		fields[at].read(value{path: path, line: line, node: content})
		r.lines[path], r.bad[path] = line, r.total+r.skipped > before
	})
	for _, f := range fields {
		if _, found := seen[f.key]; ok && f.required && !found {
			r.add(v.line, "%s", v.named(fmt.Sprintf("key %q is missing", f.key)))
		}
	}
}

// pairs hands on what stands in a mapping, each key once. Faults say that kind and
// want were wanted. It returns the line of each key, and whether v is a mapping.
func (r *reader) pairs(v value, kind, want string, pair func(key string, line int, content *yaml.Node)) (seen map[string]int, ok bool) {
	if r.refused(v.node) {
		return nil, false
	}
	if v.node.Kind != yaml.MappingNode {
		r.add(v.node.Line, "%s", v.named(describe(v.node)+": want "+kind+want))
		return nil, false
	}
	seen = map[string]int{}
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		key, content := v.node.Content[i], v.node.Content[i+1]
		if r.refused(key) {
			continue
		}
		if key.Kind != yaml.ScalarNode {
			r.add(key.Line, "%s", v.named(describe(key)+" as a key: want "+want))
			continue
		}
		if line, twice := seen[key.Value]; twice {
			r.add(key.Line, "%s", v.named(fmt.Sprintf("key %q stands twice: it is already in line %d", clip(key.Value), line)))
			continue
		}
		seen[key.Value] = key.Line
		pair(key.Value, key.Line, content)
	}
	return seen, true
}

// list reads v as a list and hands each of its items on.
func (r *reader) list(v value, what string, item func(value)) {
	if r.shape != nil {
		r.shapeList(v, what, item)
		return
	}
	if r.refused(v.node) {
		return
	}
	if v.node.Kind != yaml.SequenceNode {
		r.add(v.node.Line, "%s", v.named(describe(v.node)+": want a list of "+what))
		return
	}
	for i, n := range v.node.Content {
		item(value{path: fmt.Sprintf("%s[%d]", v.path, i), line: n.Line, node: n})
	}
}

// form is what a scalar looks like in YAML: without quotes, 4 is a number and
// four is text.
type form struct {
	tags []string // of YAML
	want string
}

var (
	tagsOfText     = []string{"!!str"}
	tagsOfQuantity = []string{"!!str", "!!int", "!!float"}

	asName        = form{tagsOfText, "a name such as burst_300k"}
	asText        = form{tagsOfText, "text"}
	asMeasure     = form{tagsOfText, "the name of a measure such as cpu_per_message"}
	asCheck       = form{tagsOfText, `a check such as "lost_messages <= 0"`}
	asWhole       = form{[]string{"!!int"}, "a whole number without quotes"}
	asSeed        = form{[]string{"!!int", "!!float"}, "a whole number without quotes"} // YAML takes large ones for floats
	asBool        = form{[]string{"!!bool"}, "true or false"}
	asCount       = form{tagsOfQuantity, "a count such as 300k"}
	asSize        = form{tagsOfQuantity, "a size such as 416KiB"}
	asDuration    = form{tagsOfQuantity, "a duration such as 3s"}
	asRatio       = form{tagsOfQuantity, "a ratio such as 10% or 0.1"}
	asPackingSize = form{tagsOfQuantity, "one_line, or the bytes of the largest datagram such as 1432B"}
	asRate        = form{tagsOfQuantity, "a rate in messages per second such as 100k"}
	asCPUs        = form{[]string{"!!int", "!!float"}, "a number of CPUs such as 2 or 0.5, without quotes"}
	asPattern     = form{tagsOfText, "a text such as web-{0..9}"}
)

// scalar returns the text of v if it has the form, or false after a fault.
func (r *reader) scalar(v value, want form) (string, bool) {
	if r.shape != nil {
		r.shapeScalar(v, want, nil)
		return "", false
	}
	if r.refused(v.node) {
		return "", false
	}
	if v.node.Kind != yaml.ScalarNode || !slices.Contains(want.tags, v.node.Tag) {
		r.add(v.node.Line, "%s", v.named(describe(v.node)+": want "+want.want))
		return "", false
	}
	return v.node.Value, true
}

// scalarInto is the reader of a field that holds one scalar: parse turns its
// text into to, or says what is wrong.
func scalarInto[T any](r *reader, to *T, want form, parse func(string) (T, error)) func(value) {
	return func(v value) {
		text, ok := r.scalar(v, want)
		if !ok {
			return
		}
		x, err := parse(text)
		if err != nil {
			r.add(v.node.Line, "%s", v.named(err.Error()))
			return
		}
		*to = x
	}
}

// within narrows parse to low..high, both allowed; words name them.
func within[T cmp.Ordered](parse func(string) (T, error), low, high T, words string) func(string) (T, error) {
	return func(text string) (T, error) {
		x, err := parse(text)
		if err == nil && (x < low || x > high) {
			err = fmt.Errorf("%s is out of range: want %s", clip(text), words)
		}
		return x, err
	}
}

// choiceInto is the reader of a field that holds one of a few words.
func choiceInto[T ~string](r *reader, to *T, allowed ...T) func(value) {
	words := make([]string, len(allowed))
	for i, a := range allowed {
		words[i] = string(a)
	}
	want := strings.Join(words, " or ")
	if r.shape != nil {
		return func(v value) { r.shapeScalar(v, form{tagsOfText, want}, words) }
	}
	return scalarInto(r, to, form{tagsOfText, want}, func(text string) (T, error) {
		if !slices.Contains(allowed, T(text)) {
			return "", fmt.Errorf("%q is unknown: want %s", clip(text), want)
		}
		return T(text), nil
	})
}

// whole reads a plain decimal number. YAML's other notations (010, 0x10,
// 1_000) are refused: they look like other numbers to other readers.
func whole(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || strconv.Itoa(n) != text {
		return 0, fmt.Errorf("%s is no plain whole number: want digits such as 4 or 100", clip(text))
	}
	return n, nil
}

func wholeUint64(text string) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || strconv.FormatUint(n, 10) != text {
		return 0, fmt.Errorf("%s is no seed: want a whole number from 0 to 18446744073709551615", clip(text))
	}
	return n, nil
}

func boolean(text string) (bool, error) {
	if text != "true" && text != "false" {
		return false, fmt.Errorf("%s is neither: want true or false", clip(text))
	}
	return text == "true", nil
}

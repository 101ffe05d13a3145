package scenarios

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Schemas are the kinds of files that there is a JSON Schema for.
var Schemas = []string{"scenario", "target", "project"}

// Schema returns the JSON Schema (draft 7) of a kind of file, for editors: what
// keys there are, which must be there, and what stands behind them. It is made of
// the tables that the readers go by, so it allows every file that they take. They
// refuse more: numbers out of range, texts of a wrong form, keys that exclude
// each other.
func Schema(of string) ([]byte, error) {
	r := newReader("")
	r.shape = &shape{}
	root := value{line: 1, node: &yaml.Node{Kind: yaml.MappingNode}}
	switch of {
	case "scenario":
		r.scenario(&Scenario{}, root)
	case "target":
		(&targetReader{reader: r}).target(&Target{}, root)
	case "project":
		(&targetReader{reader: r}).project(&Project{}, root)
	default:
		return nil, fmt.Errorf("cannot make a schema of %q: want one of %s", clip(of), strings.Join(Schemas, ", "))
	}
	schema := r.shape.place("").schema()
	schema["$schema"] = "http://json-schema.org/draft-07/schema#"
	schema["title"] = "floodgate: " + of
	text, err := json.MarshalIndent(schema, "", "  ")
	return append(text, '\n'), err
}

// shape is what the tables of a reader say of each place of a file.
type shape struct{ places map[string]*place }

// place is what may stand at one place of a file: any of several forms.
type place struct {
	scalars []scalarShape
	object  *objectShape
	list    *place // of which each item is; nil if no list may stand here
	items   string // what they are, in words
	like    string // the path of another place, which says all
}

type scalarShape struct {
	tags  []string // of YAML
	want  string   // in words
	words []string // one of these; none allows more
}

type objectShape struct {
	fields   []string
	required []string
	at       map[string]*place // of each field
	free     *place            // of keys that are the author's own
	want     string            // in words
}

// place returns what is known of a path, which is nothing at first.
func (s *shape) place(path string) *place {
	if s.places == nil {
		s.places = map[string]*place{}
	}
	if s.places[path] == nil {
		s.places[path] = &place{}
	}
	return s.places[path]
}

// probe calls read with each kind of node in turn: what a reader asks of it is
// what it would take. The mapping comes last, because one reader keeps the last
// node and looks into it later.
func (r *reader) probe(path string, read func(value)) *place {
	for _, n := range []yaml.Node{{Kind: yaml.ScalarNode, Tag: "!!str"}, {Kind: yaml.SequenceNode}, {Kind: yaml.MappingNode}} {
		read(value{path: path, line: 1, node: &n})
	}
	return r.shape.place(path)
}

// settled keeps rules between fields from judging what was not read.
func (r *reader) settled() { r.total++; r.skipped++ }

func (r *reader) shapeMapping(v value, fields []field) {
	defer r.settled()
	p := r.shape.place(v.path)
	if p.object != nil {
		return
	}
	p.object = &objectShape{at: map[string]*place{}}
	for _, f := range fields {
		p.object.fields = append(p.object.fields, f.key)
		if f.required {
			p.object.required = append(p.object.required, f.key)
		}
		p.object.at[f.key] = r.probe(v.child(f.key), f.read)
	}
}

func (r *reader) shapeEntries(v value, want string, entry func(value)) {
	defer r.settled()
	if p := r.shape.place(v.path); p.object == nil {
		p.object = &objectShape{want: want}
		p.object.free = r.probe(v.child("*"), entry)
	}
}

func (r *reader) shapeList(v value, what string, item func(value)) {
	defer r.settled()
	if p := r.shape.place(v.path); p.list == nil {
		p.items = what
		p.list = r.shape.place(v.path + "[]")
		r.probe(v.path+"[]", item)
	}
}

func (r *reader) shapeScalar(v value, want form, words []string) {
	if want.want == asMeasure.want {
		for _, m := range Measures {
			words = append(words, m.Name)
		}
	}
	p := r.shape.place(v.path)
	known := func(s scalarShape) bool { return s.want == want.want }
	if !slices.ContainsFunc(p.scalars, known) {
		p.scalars = append(p.scalars, scalarShape{want.tags, want.want, words})
	}
}

// jsonTypes are the types of JSON that YAML's tags become. A float that has no
// fraction reads like an integer, so a number is both.
var jsonTypes = map[string]string{"!!str": "string", "!!int": "integer", "!!float": "number", "!!bool": "boolean"}

// schema is what may stand here, in the words of JSON Schema.
func (p *place) schema() map[string]any {
	if p.like != "" {
		return map[string]any{"$ref": "#/properties/" + strings.ReplaceAll(p.like, ".", "/properties/")}
	}
	var forms []map[string]any
	for _, s := range p.scalars {
		forms = append(forms, s.schema())
	}
	if p.list != nil {
		forms = append(forms, map[string]any{"type": "array", "items": p.list.schema(), "description": "a list of " + p.items})
	}
	if p.object != nil {
		forms = append(forms, p.object.schema())
	}
	if len(forms) == 1 {
		return forms[0]
	}
	return map[string]any{"anyOf": forms}
}

func (s scalarShape) schema() map[string]any {
	schema := map[string]any{"description": s.want}
	if len(s.words) > 0 {
		schema["enum"] = s.words
		return schema
	}
	var types []string
	for _, tag := range s.tags {
		types = append(types, jsonTypes[tag])
	}
	if slices.Contains(types, "number") {
		types = slices.DeleteFunc(types, func(t string) bool { return t == "integer" })
	}
	schema["type"] = types
	if len(types) == 1 {
		schema["type"] = types[0]
	}
	return schema
}

func (o *objectShape) schema() map[string]any {
	schema := map[string]any{"type": "object"}
	if o.free != nil {
		schema["additionalProperties"], schema["description"] = o.free.schema(), o.want
		return schema
	}
	properties := map[string]any{}
	for _, key := range o.fields {
		properties[key] = o.at[key].schema()
	}
	schema["properties"], schema["additionalProperties"] = properties, false
	if len(o.required) > 0 {
		schema["required"] = o.required
	}
	return schema
}

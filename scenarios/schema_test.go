package scenarios

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// validator understands what Schema writes of JSON Schema, and fails on
// anything else.
type validator struct {
	t    *testing.T
	root map[string]any
}

func newValidator(t *testing.T, of string) *validator {
	t.Helper()
	text, err := Schema(of)
	if err != nil {
		t.Fatal(err)
	}
	v := &validator{t: t}
	if err := json.Unmarshal(text, &v.root); err != nil {
		t.Fatal(err)
	}
	return v
}

// validate says what is wrong with x, or nothing.
func (v *validator) validate(schema map[string]any, x any, path string) (faults []string) {
	for keyword, want := range schema {
		switch keyword {
		case "$schema", "title", "description", "properties", "additionalProperties", "items":
		case "$ref":
			at := v.root
			for part := range strings.SplitSeq(strings.TrimPrefix(want.(string), "#/"), "/") {
				at = at[part].(map[string]any)
			}
			faults = append(faults, v.validate(at, x, path)...)
		case "enum":
			if !slices.Contains(want.([]any), x) {
				faults = append(faults, fmt.Sprintf("%s: %v is none of %v", path, x, want))
			}
		case "type":
			if types, several := want.([]any); several && !slices.ContainsFunc(types, func(t any) bool { return isType(t.(string), x) }) || !several && !isType(want.(string), x) {
				faults = append(faults, fmt.Sprintf("%s: %v is no %v", path, x, want))
			}
		case "required":
			for _, key := range want.([]any) {
				if object, ok := x.(map[string]any); ok && object[key.(string)] == nil {
					faults = append(faults, fmt.Sprintf("%s: key %v is missing", path, key))
				}
			}
		case "anyOf":
			var all []string
			fits := slices.ContainsFunc(want.([]any), func(one any) bool {
				wrong := v.validate(one.(map[string]any), x, path)
				all = append(all, wrong...)
				return len(wrong) == 0
			})
			if !fits {
				faults = append(faults, all...)
			}
		default:
			v.t.Fatalf("keyword %s is not understood", keyword)
		}
	}
	return append(faults, v.within(schema, x, path)...)
}

func (v *validator) within(schema map[string]any, x any, path string) (faults []string) {
	if list, ok := x.([]any); ok && schema["items"] != nil {
		for i, item := range list {
			faults = append(faults, v.validate(schema["items"].(map[string]any), item, fmt.Sprintf("%s[%d]", path, i))...)
		}
	}
	object, ok := x.(map[string]any)
	if !ok {
		return faults
	}
	properties, _ := schema["properties"].(map[string]any)
	for key, value := range object {
		inner, known := properties[key].(map[string]any)
		if !known {
			inner, known = schema["additionalProperties"].(map[string]any)
		}
		switch {
		case known:
			faults = append(faults, v.validate(inner, value, path+"."+key)...)
		case schema["additionalProperties"] == false:
			faults = append(faults, fmt.Sprintf("%s: unknown key %s", path, key))
		}
	}
	return faults
}

func isType(name string, x any) bool {
	switch x := x.(type) {
	case string:
		return name == "string"
	case bool:
		return name == "boolean"
	case int, uint64:
		return name == "integer" || name == "number"
	case float64:
		return name == "number" || name == "integer" && x == float64(int64(x))
	case []any:
		return name == "array"
	case map[string]any:
		return name == "object"
	}
	return false
}

// examples are files of each kind that their readers take.
func examples(t *testing.T) map[string]map[string][]byte {
	t.Helper()
	found := map[string]map[string][]byte{"scenario": {}, "target": {}, "project": {"full": []byte(fullProject), "least": []byte("adapt: true\n")}}
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		found["scenario"][s.Name] = s.Source
	}
	targets, err := Targets("")
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range targets {
		found["target"][x.Name] = x.Source
	}
	for of, file := range map[string]string{"scenario": "full.yaml", "target": "target_full.yaml"} {
		if found[of]["full"], err = os.ReadFile(filepath.Join("testdata", file)); err != nil {
			t.Fatal(err)
		}
	}
	page, err := os.ReadFile("../docs/load.md")
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range fenced.FindAllStringSubmatch(string(page), -1) {
		if strings.HasPrefix(e[1], "load:") {
			found["scenario"][fmt.Sprint("load ", i)] = []byte("name: x\ngoal: rss_peak\n" + e[1])
		}
	}
	return found
}

func parseAs(of, name string, source []byte) error {
	var err error
	switch of {
	case "scenario":
		_, err = Parse("", source)
	case "target":
		_, err = ParseTarget("", source)
	case "project":
		_, err = ParseProject("", source)
	}
	return err
}

// TestSchemaTakesFiles: an editor must not complain about what runs.
func TestSchemaTakesFiles(t *testing.T) {
	for of, files := range examples(t) {
		v := newValidator(t, of)
		for name, source := range files {
			if err := parseAs(of, name, source); err != nil && !strings.Contains(err.Error(), "lateness_p99") {
				t.Errorf("%s: %v", name, err)
			}
			var x any
			if err := yaml.Unmarshal(source, &x); err != nil {
				t.Fatal(err)
			}
			for _, fault := range v.validate(v.root, x, "") {
				t.Errorf("the schema refuses the %s %s: %s", of, name, fault)
			}
		}
	}
}

// TestSchemaAndReaderAgreeOnKeys misspells every key of every file in turn: what
// the reader does not know, the schema does not either.
func TestSchemaAndReaderAgreeOnKeys(t *testing.T) {
	tried := 0
	for of, files := range examples(t) {
		v := newValidator(t, of)
		for name, source := range files {
			var document yaml.Node
			if err := yaml.Unmarshal(source, &document); err != nil {
				t.Fatal(err)
			}
			eachKey(&document, func(key *yaml.Node) {
				tried++
				right := key.Value
				key.Value = right + "xx"
				defer func() { key.Value = right }()
				text, err := yaml.Marshal(&document)
				if err != nil {
					t.Fatal(err)
				}
				var x any
				if err := yaml.Unmarshal(text, &x); err != nil {
					t.Fatal(err)
				}
				err = parseAs(of, name, text)
				read := err != nil && strings.Contains(err.Error(), fmt.Sprintf("unknown key %q", key.Value))
				checked := strings.Contains(strings.Join(v.validate(v.root, x, ""), "\n"), "unknown key "+key.Value)
				if read != checked {
					t.Errorf("%s %s, key %s: the reader says unknown %v, the schema %v (%v)", of, name, key.Value, read, checked, err)
				}
			})
		}
	}
	if tried < 300 {
		t.Errorf("only %d keys were tried", tried)
	}
}

func eachKey(n *yaml.Node, visit func(*yaml.Node)) {
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			visit(c)
			continue
		}
		eachKey(c, visit)
	}
}

// TestSchemaRefuses: what an editor can tell, it does.
func TestSchemaRefuses(t *testing.T) {
	for _, c := range []struct{ of, text, want string }{
		{"scenario", "name: x\ngoal: rss_peak\nload: {schedule: {burst: {count: 1k}}}", ".load.schedule.burst: key over is missing"},
		{"scenario", "name: x\ngoal: speed\nload: {schedule: {idle: {over: 1s}}}", ".goal: speed is none of"},
		{"scenario", "name: x\nload: {}", "key goal is missing"},
		{"scenario", "name: x\ngoal: rss_peak\nload: {schedule: {sum: [{sequence: [{brust: {}}]}]}}", ".load.schedule.sum[0].sequence[0]: unknown key brust"},
		{"target", "name: x\ndescription: y\nbinary: z\ncommand: [a]\nsink: kafka", ".sink: kafka is none of"},
		{"target", "name: x\ndescription: y\nbinary: z\ncommand: a", ".command: a is no array"},
		{"project", "judge: {tolerance: [5%]}", ".judge.tolerance: [5%] is no"},
		{"project", "replicates: many", ".replicates: many is no integer"},
	} {
		v := newValidator(t, c.of)
		var x any
		if err := yaml.Unmarshal([]byte(c.text), &x); err != nil {
			t.Fatal(err)
		}
		if faults := strings.Join(v.validate(v.root, x, ""), "\n"); !strings.Contains(faults, c.want) {
			t.Errorf("%s: %q, want %q", c.text, faults, c.want)
		}
		if parseAs(c.of, "", []byte(c.text)) == nil {
			t.Errorf("%s: the reader takes it", c.text)
		}
	}
	if _, err := Schema("record"); err == nil || !strings.Contains(err.Error(), "want one of scenario, target, project") {
		t.Errorf("a schema of something else: %v", err)
	}
}

package symdb

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTreeHasWhatWasAskedFor(t *testing.T) {
	for _, c := range []struct {
		why  string
		tree TreeConfig
	}{
		{"nothing", TreeConfig{}},
		{"empty packages", TreeConfig{Packages: 3}},
		{"functions without variables", TreeConfig{Packages: 2, FunctionsPerPackage: 9}},
		{"one function each, which is in no struct", TreeConfig{Packages: 2, FunctionsPerPackage: 1, VariablesPerFunction: 1}},
		{"several structs in a package", TreeConfig{Seed: 7, Packages: 4, FunctionsPerPackage: 41, VariablesPerFunction: 6}},
	} {
		packages, functions, variables := 0, 0, 0
		names := map[string]bool{}
		var walk func(s *Scope, from, to int)
		walk = func(s *Scope, from, to int) {
			if names[s.Name] {
				t.Errorf("%s: two scopes are called %s", c.why, s.Name)
			}
			names[s.Name] = true
			if s.Type == FunctionScope || s.Type == MethodScope {
				functions++
				for _, v := range s.Symbols {
					variables++
					if v.Line < s.StartLine || v.Line > s.EndLine || v.Kind == FieldSymbol {
						t.Errorf("%s: %+v is outside of %s, lines %d to %d", c.why, v, s.Name, s.StartLine, s.EndLine)
					}
				}
			}
			if s.StartLine < from || s.EndLine > to || s.EndLine < s.StartLine {
				t.Errorf("%s: %s has lines %d to %d, within %d to %d", c.why, s.Name, s.StartLine, s.EndLine, from, to)
			}
			if s.Type != PackageScope {
				from, to = s.StartLine, s.EndLine
			}
			for i := range s.Scopes {
				walk(&s.Scopes[i], from, to)
			}
		}
		for p := range Tree(c.tree) {
			packages++
			walk(&p, 0, 1<<30)
			if p.Functions() != c.tree.FunctionsPerPackage {
				t.Errorf("%s: %s counts %d functions", c.why, p.Name, p.Functions())
			}
		}
		want := [3]int{c.tree.Packages, c.tree.Packages * c.tree.FunctionsPerPackage, c.tree.Packages * c.tree.FunctionsPerPackage * c.tree.VariablesPerFunction}
		if got := [3]int{packages, functions, variables}; got != want {
			t.Errorf("%s: packages, functions, variables are %v, want %v", c.why, got, want)
		}
	}
}

// TestTreeIsTheSameForASeed: also for more packages, so that a larger program
// contains the smaller.
func TestTreeIsTheSameForASeed(t *testing.T) {
	c := TreeConfig{Seed: 5, Packages: 3, FunctionsPerPackage: 10, VariablesPerFunction: 4}
	tree := Tree(c)
	first, again := slices.Collect(tree), slices.Collect(tree)
	if d := cmp.Diff(first, again); d != "" {
		t.Errorf("walked twice:\n%s", d)
	}
	c.Packages = 5
	if d := cmp.Diff(first, slices.Collect(Tree(c))[:3]); d != "" {
		t.Errorf("with more packages:\n%s", d)
	}
	c.Seed = 6
	if cmp.Equal(first, slices.Collect(Tree(c))[:3]) {
		t.Error("another seed is the same program")
	}
}

func TestTreeStopsWhenNobodyAsks(t *testing.T) {
	made := 0
	for range Tree(TreeConfig{Packages: 1 << 30}) {
		if made++; made == 3 {
			break
		}
	}
	if made != 3 {
		t.Errorf("%d packages", made)
	}
}

func TestTreeValidate(t *testing.T) {
	if err := DefaultTree().Validate(); err != nil {
		t.Error(err)
	}
	for want, c := range map[string]TreeConfig{
		"packages are -1, want 0 or more":               {Packages: -1},
		"functions per package are -2, want 0 or more":  {FunctionsPerPackage: -2},
		"variables per function are -3, want 0 or more": {VariablesPerFunction: -3},
	} {
		if err := c.Validate(); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestScopeFormat pins the names that receivers know.
func TestScopeFormat(t *testing.T) {
	text, err := json.Marshal(Scope{
		Type: FunctionScope, Name: "p.f", SourceFile: "f.go", StartLine: 1, EndLine: 2,
		Symbols: []Symbol{{"x", "int", ArgSymbol, 1}}, Scopes: []Scope{{Type: FunctionScope, Name: "p.f.func1"}},
	})
	want := `{"scope_type":"function","name":"p.f","source_file":"f.go","start_line":1,"end_line":2,` +
		`"symbols":[{"name":"x","type":"int","symbol_type":"arg","line":1}],` +
		`"scopes":[{"scope_type":"function","name":"p.f.func1","start_line":0,"end_line":0}]}`
	if err != nil || string(text) != want {
		t.Errorf("%s, %v, want %s", text, err, want)
	}
}

// Package symdb uploads the symbols of a program: its packages with their
// types, functions and variables.
//
// It is the second user of the streaming forward.BatchEncoder, and the plainest
// case for it. A tree of symbols is far larger than any batch, so that the cost
// of holding a batch shows at once. Mode Streaming writes each package straight
// into the compressor and holds a batch once, compressed; mode Buffered holds
// it as a slice of scopes, as JSON and compressed, and is what streaming is
// measured against. Both upload the same scopes.
package symdb

// Types of scopes.
const (
	PackageScope  = "package"
	StructScope   = "struct"
	FunctionScope = "function"
	MethodScope   = "method"
)

// Types of symbols.
const (
	ArgSymbol   = "arg"
	LocalSymbol = "local"
	FieldSymbol = "field"
)

// Scope is a piece of a program that holds symbols and further scopes. The
// outermost ones are packages.
type Scope struct {
	Type       string   `json:"scope_type"`
	Name       string   `json:"name"`
	SourceFile string   `json:"source_file,omitempty"`
	StartLine  int      `json:"start_line"` // from 1; 0 where a scope has no lines
	EndLine    int      `json:"end_line"`   // the last line of the scope
	Symbols    []Symbol `json:"symbols,omitempty"`
	Scopes     []Scope  `json:"scopes,omitempty"`
}

// Symbol is a named variable, argument or field.
type Symbol struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Kind string `json:"symbol_type"`
	Line int    `json:"line"` // from 1
}

// Functions counts the functions and methods in s, itself included.
func (s *Scope) Functions() int {
	n := 0
	if s.Type == FunctionScope || s.Type == MethodScope {
		n = 1
	}
	for i := range s.Scopes {
		n += s.Scopes[i].Functions()
	}
	return n
}

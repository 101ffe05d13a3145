package symdb

import (
	"fmt"
	"iter"
	"math/rand/v2"
)

// TreeConfig describes a made-up program. The same TreeConfig is always the
// same program.
type TreeConfig struct {
	Seed                 uint64
	Packages             int
	FunctionsPerPackage  int // methods included
	VariablesPerFunction int // arguments included
}

// DefaultTree is a program of 100,000 functions: some 80 MB as JSON, and 11 MB
// compressed.
func DefaultTree() TreeConfig {
	return TreeConfig{Seed: 1, Packages: 2000, FunctionsPerPackage: 50, VariablesPerFunction: 8}
}

// Validate names the first number that cannot be.
func (c TreeConfig) Validate() error {
	for _, n := range []struct {
		what string
		n    int
	}{
		{"packages", c.Packages},
		{"functions per package", c.FunctionsPerPackage},
		{"variables per function", c.VariablesPerFunction},
	} {
		if n.n < 0 {
			return fmt.Errorf("%s are %d, want 0 or more", n.what, n.n)
		}
	}
	return nil
}

// Tree yields the packages of a made-up program, each made when it is asked
// for: what is held is one package, however many there are. A yielded Scope
// belongs to the receiver. Each package is drawn from the seed and its number
// alone, and the sequence can be walked again.
func Tree(c TreeConfig) iter.Seq[Scope] {
	return func(yield func(Scope) bool) {
		for i := range c.Packages {
			if !yield(newPackage(c, i)) {
				return
			}
		}
	}
}

// methodsPerStruct is how many methods a struct has; of the functions in a
// package every fourth belongs to none.
const methodsPerStruct = 6

var (
	words = []string{
		"account", "batch", "buffer", "cache", "client", "config", "cursor", "digest", "event", "filter", "handler", "index",
		"journal", "key", "lease", "ledger", "limit", "message", "node", "offset", "packet", "parser", "peer", "queue",
		"reader", "record", "request", "route", "schema", "session", "shard", "signal", "snapshot", "stream", "table", "token",
		"tracker", "user", "vector", "window",
	}
	verbs = []string{"apply", "close", "decode", "encode", "fetch", "flush", "merge", "open", "read", "reset", "scan", "update", "validate", "write"}
	types = []string{"int", "int64", "uint32", "string", "bool", "[]byte", "error", "context.Context", "time.Duration", "map[string]string", "*bytes.Buffer", "[]string"}
)

// author writes one package: it knows the names that are in use and the line
// it is at.
type author struct {
	random *rand.Rand
	file   string
	line   int
}

func newPackage(c TreeConfig, number int) Scope {
	a := author{random: rand.New(rand.NewPCG(c.Seed, uint64(number))), line: 12}
	name := fmt.Sprintf("example.org/%s/%s%d", a.pick(words), a.pick(words), number)
	a.file = fmt.Sprintf("/src/%s/%s.go", name, a.pick(words))
	p := Scope{Type: PackageScope, Name: name, SourceFile: a.file}
	var owner *Scope // the struct whose methods are being written
	for i := range c.FunctionsPerPackage {
		if i%4 == 0 {
			p.Scopes = append(p.Scopes, a.function(FunctionScope, name, i, c.VariablesPerFunction))
			continue
		}
		if owner == nil || len(owner.Scopes) == methodsPerStruct {
			p.Scopes, owner = closeStruct(p.Scopes, owner), a.structure(name, i)
		}
		owner.Scopes = append(owner.Scopes, a.function(MethodScope, owner.Name, i, c.VariablesPerFunction))
		owner.EndLine = a.line
	}
	p.Scopes = closeStruct(p.Scopes, owner)
	return p
}

func closeStruct(scopes []Scope, owner *Scope) []Scope {
	if owner == nil {
		return scopes
	}
	return append(scopes, *owner)
}

func (a *author) structure(pkg string, number int) *Scope {
	s := &Scope{Type: StructScope, Name: fmt.Sprintf("%s.%s%d", pkg, a.pick(words), number), SourceFile: a.file, StartLine: a.line}
	s.Symbols = a.symbols(2+a.random.IntN(5), func(int) string { return FieldSymbol })
	return s
}

func (a *author) function(kind, owner string, number, variables int) Scope {
	f := Scope{
		Type: kind, Name: fmt.Sprintf("%s.%s%s%d", owner, a.pick(verbs), a.pick(words), number),
		SourceFile: a.file, StartLine: a.line,
	}
	arguments := min(variables, 1+a.random.IntN(4))
	f.Symbols = a.symbols(variables, func(i int) string {
		if i < arguments {
			return ArgSymbol
		}
		return LocalSymbol
	})
	a.line += 2 + a.random.IntN(9)
	f.EndLine = a.line
	a.line += 2
	return f
}

func (a *author) symbols(n int, kind func(int) string) []Symbol {
	symbols := make([]Symbol, n)
	for i := range symbols {
		symbols[i] = Symbol{Name: fmt.Sprintf("%s%d", a.pick(words), i), Type: a.pick(types), Kind: kind(i), Line: a.line}
		if k := symbols[i].Kind; k != ArgSymbol {
			a.line += 1 + a.random.IntN(3)
		}
	}
	return symbols
}

func (a *author) pick(from []string) string { return from[a.random.IntN(len(from))] }

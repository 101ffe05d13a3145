package lint

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/token"
	"slices"
	"strings"
)

// The lengths beyond which a reader loses the thread. Most files and functions
// stay well below: 400 and 70 are the aim.
const (
	maxFileLines     = 500
	maxFunctionLines = 80
	// minDocumented is the least share of documented exported names.
	minDocumented = 0.95
)

// vagueNames fit any package, and so say nothing about one.
var vagueNames = []string{
	"util", "utils", "common", "helper", "helpers", "manager", "service", "services", "base", "misc", "lib",
	"core", "engine", "impl", "info", "data", "types", "interfaces", "models", "shared", "tools", "stuff",
}

func checkPackageNames(t *Tree) []Finding {
	var found []Finding
	t.code(func(f *File) {
		name := f.Go.Name.Name
		if slices.Contains(vagueNames, name) {
			found = append(found, Finding{f.Path, t.line(f.Go.Name.Pos()), fmt.Sprintf("package %s could hold anything: name it for what it has", name)})
		}
		if strings.ToLower(name) != name || strings.Contains(name, "_") {
			found = append(found, Finding{f.Path, t.line(f.Go.Name.Pos()), fmt.Sprintf("package %s: want one lower-case word", name)})
		}
	})
	return found
}

func checkPackageComments(t *Tree) []Finding {
	comments := map[string]int{}
	t.code(func(f *File) {
		if f.Go.Doc != nil && strings.TrimSpace(f.Go.Doc.Text()) != "" {
			comments[f.Package()]++
		}
	})
	var found []Finding
	for _, folder := range t.packages() {
		if n := comments[folder]; n != 1 {
			found = append(found, Finding{Path: folder, Text: fmt.Sprintf("has %d package comments: want exactly one, in the file that a reader opens first", n)})
		}
	}
	return found
}

func checkDocumented(t *Tree) []Finding {
	total, bare := 0, []Finding{}
	t.code(func(f *File) {
		if f.Go.Name.Name == "main" {
			return // nobody can import it
		}
		exported(f.Go, func(name *ast.Ident, documented bool) {
			total++
			if !documented {
				bare = append(bare, Finding{f.Path, t.line(name.Pos()), name.Name + " is exported without a comment"})
			}
		})
	})
	if share := 1 - float64(len(bare))/float64(max(total, 1)); share >= minDocumented {
		return nil
	}
	return bare
}

// exported calls visit with each exported name that file declares at its top,
// and whether a comment explains it. Names of one group share the group's
// comment.
func exported(file *ast.File, visit func(name *ast.Ident, documented bool)) {
	for _, declaration := range file.Decls {
		switch d := declaration.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && exportedReceiver(d) {
				visit(d.Name, d.Doc != nil)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					if s.Name.IsExported() {
						visit(s.Name, d.Doc != nil || s.Doc != nil || s.Comment != nil)
					}
				case *ast.ValueSpec:
					for _, name := range s.Names {
						if name.IsExported() {
							visit(name, d.Doc != nil || s.Doc != nil || s.Comment != nil)
						}
					}
				}
			}
		}
	}
}

// exportedReceiver reports whether d is a function, or a method of an exported
// type.
func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return true
	}
	receiver := d.Recv.List[0].Type
	for {
		switch r := receiver.(type) {
		case *ast.StarExpr:
			receiver = r.X
		case *ast.IndexExpr:
			receiver = r.X
		case *ast.IndexListExpr:
			receiver = r.X
		case *ast.Ident:
			return r.IsExported()
		default:
			return false
		}
	}
}

func checkLengths(t *Tree) []Finding {
	var found []Finding
	t.code(func(f *File) {
		if n := bytes.Count(f.Text, []byte("\n")); n > maxFileLines {
			found = append(found, Finding{f.Path, n, fmt.Sprintf("%d lines: want at most %d, split it by what its parts are about", n, maxFileLines)})
		}
		for _, declaration := range f.Go.Decls {
			d, ok := declaration.(*ast.FuncDecl)
			if !ok || d.Body == nil {
				continue
			}
			if n := t.line(d.End()) - t.line(d.Pos()) + 1; n > maxFunctionLines {
				found = append(found, Finding{f.Path, t.line(d.Pos()), fmt.Sprintf("%s has %d lines: want at most %d, name the steps", d.Name.Name, n, maxFunctionLines)})
			}
		}
	})
	return found
}

func checkFormat(t *Tree) []Finding {
	var found []Finding
	for _, f := range t.Files {
		if f.Go == nil {
			continue
		}
		formatted, err := format.Source(f.Text)
		if err != nil || !bytes.Equal(formatted, f.Text) {
			found = append(found, Finding{f.Path, firstDifference(f.Text, formatted), "is not as gofmt writes it: run gofmt -w"})
		}
	}
	return found
}

// firstDifference is the line at which a and b part.
func firstDifference(a, b []byte) int {
	line := 1
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			break
		}
		if a[i] == '\n' {
			line++
		}
	}
	return line
}

// inspect calls visit with each node of the Go files that are built into
// programs.
func (t *Tree) inspect(visit func(*File, ast.Node)) {
	t.code(func(f *File) {
		ast.Inspect(f.Go, func(n ast.Node) bool {
			if n != nil {
				visit(f, n)
			}
			return true
		})
	})
}

// at is a finding at a position in f.
func (t *Tree) at(f *File, p token.Pos, text string) Finding {
	return Finding{f.Path, t.line(p), text}
}

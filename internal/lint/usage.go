package lint

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/token"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// call is a use of a name of another package that has a better replacement.
type call struct {
	pkg    string   // import path
	names  []string // of the package; with a star in front all but these
	tests  bool     // looked for in tests, otherwise in code
	only   []string // folders where it is looked for; empty for everywhere
	except []string // folders where it is welcome, with all below them
	// polling lets it stand in a loop that has nothing but a condition.
	polling bool
	reason  string
}

var calls = []call{
	{pkg: "time", names: []string{"Sleep"}, tests: true, polling: true,
		reason: "a test that sleeps is slow on a good day and wrong on a bad one: wait for a condition (for !ready() { time.Sleep(…) } is fine), or use testing/synctest"},
	{pkg: "fmt", names: []string{"Print", "Printf", "Println"}, except: []string{"cmd"},
		reason: "a library writes to an io.Writer that it was given, or to slog"},
	{pkg: "os", names: []string{"Stdout", "Stderr", "Stdin"}, except: []string{"cmd"},
		reason: "a library writes to an io.Writer that it was given, or to slog"},
	{pkg: "os", names: []string{"Exit"}, except: []string{"cmd"},
		reason: "a library returns an error; only a program ends itself"},
	{pkg: "log", names: []string{"Fatal", "Fatalf", "Fatalln", "Panic", "Panicf", "Panicln"}, tests: true,
		reason: "a test fails with t.Fatal, which runs its cleanups"},
	{pkg: "math/rand/v2", names: []string{"*", "New", "NewPCG", "NewChaCha8", "NewZipf", "Rand", "Source", "PCG", "ChaCha8", "Zipf"}, except: []string{"server"},
		reason: "what is drawn from the global source cannot be repeated: make a source from the seed"},
	{pkg: "time", names: []string{"Now", "Since", "Until", "Sleep", "After", "NewTimer", "NewTicker"}, only: []string{"regress", "server/aggregate"},
		reason: "this package has no clock; its caller tells the time"},
}

// applies reports whether the call is looked for in f.
func (c call) applies(f *File) bool {
	below := func(folder string) bool { return within(f.Package(), folder) }
	return c.tests == f.IsTest() && (len(c.only) == 0 || slices.Contains(c.only, f.Package())) && !slices.ContainsFunc(c.except, below)
}

// matches reports whether name is one that the call is about.
func (c call) matches(name string) bool {
	if c.names[0] == "*" {
		return !slices.Contains(c.names[1:], name)
	}
	return slices.Contains(c.names, name)
}

func checkCalls(t *Tree) []Finding {
	var found []Finding
	for _, f := range t.Files {
		if f.Go != nil {
			found = append(found, callsIn(t, f)...)
		}
	}
	return append(found, checkBuiltins(t)...)
}

func callsIn(t *Tree, f *File) []Finding {
	var found []Finding
	imported, loops := importedAs(f), pollingLoops(f)
	ast.Inspect(f.Go, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		qualifier, ok := selector.X.(*ast.Ident)
		if !ok {
			return true
		}
		inLoop := slices.ContainsFunc(loops, func(l ast.Node) bool { return l.Pos() < n.Pos() && n.Pos() < l.End() })
		for _, c := range calls {
			if imported[qualifier.Name] == c.pkg && c.matches(selector.Sel.Name) && c.applies(f) && !(c.polling && inLoop) {
				found = append(found, t.at(f, n.Pos(), fmt.Sprintf("%s.%s: %s", qualifier.Name, selector.Sel.Name, c.reason)))
			}
		}
		return true
	})
	return found
}

// pollingLoops lists the loops of f that have nothing but a condition.
func pollingLoops(f *File) []ast.Node {
	var loops []ast.Node
	ast.Inspect(f.Go, func(n ast.Node) bool {
		if loop, ok := n.(*ast.ForStmt); ok && loop.Cond != nil && loop.Init == nil && loop.Post == nil {
			loops = append(loops, loop)
		}
		return true
	})
	return loops
}

// checkBuiltins finds what needs no import: init functions, and the print that
// somebody forgot.
func checkBuiltins(t *Tree) []Finding {
	var found []Finding
	t.inspect(func(f *File, n ast.Node) {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Recv == nil && n.Name.Name == "init" {
				found = append(found, t.at(f, n.Pos(), "init: it runs before anybody can say how: fill a variable, or a constructor"))
			}
		case *ast.CallExpr:
			if name, ok := n.Fun.(*ast.Ident); ok && (name.Name == "println" || name.Name == "print") {
				found = append(found, t.at(f, n.Pos(), name.Name+": left over from a search for a fault"))
			}
		}
	})
	return found
}

// vagueErrors say that something went wrong, which an error says by being one.
var vagueErrors = regexp.MustCompile(`(?i)\b(failed to|failure|unable to|could not|couldn't|can't|error while|error in|an error occurred)\b`)

// errorText returns the text that n makes an error of.
func errorText(n ast.Node) (string, bool) {
	made, ok := n.(*ast.CallExpr)
	if !ok || len(made.Args) == 0 {
		return "", false
	}
	maker, ok := made.Fun.(*ast.SelectorExpr)
	if !ok {
		return "", false
	}
	qualifier, ok := maker.X.(*ast.Ident)
	if !ok || qualifier.Name+"."+maker.Sel.Name != "fmt.Errorf" && qualifier.Name+"."+maker.Sel.Name != "errors.New" {
		return "", false
	}
	literal, ok := made.Args[0].(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(literal.Value)
	return text, err == nil
}

func checkErrors(t *Tree) []Finding {
	var found []Finding
	t.inspect(func(f *File, n ast.Node) {
		text, ok := errorText(n)
		if !ok {
			return
		}
		if vague := vagueErrors.FindString(text); vague != "" {
			found = append(found, t.at(f, n.Pos(), fmt.Sprintf("%q: say cannot, with the operand and the cause", vague)))
		}
		if strings.HasSuffix(text, ".") || strings.HasSuffix(text, "\n") {
			found = append(found, t.at(f, n.Pos(), fmt.Sprintf("%q: it will stand inside another text, leave the end open", text)))
		}
	})
	return found
}

// word is a text that no file of the repository has.
type word struct {
	pattern *regexp.Regexp
	reason  string
}

// The patterns are written so that they do not find themselves.
var words = []word{
	{regexp.MustCompile(`\b(TO[D]O|FIX[M]E|XX[X])\b`), "do it, or write down in the documentation that it is not done"},
	{regexp.MustCompile(`(?:^|[\s"'` + "`" + `(=:])/(?:home|root|Users|work|workspace)/[\w.-]`), "a path of one machine: the reader has another"},
	{regexp.MustCompile(`\b[Ii]ssue [#]?\d+\b`), "the reader has no such list: say what it was about"},
	{regexp.MustCompile(`^(<{7}|>{7})( |$)`), "left over from a merge"},
}

func checkWords(t *Tree) []Finding {
	var found []Finding
	for _, f := range t.Files {
		if strings.Contains(f.Path, "testdata/fuzz/") || path.Base(f.Path) == "go.sum" {
			continue // bytes that a machine wrote
		}
		for i, line := range bytes.Split(f.Text, []byte("\n")) {
			for _, w := range words {
				if at := w.pattern.Find(line); at != nil {
					found = append(found, Finding{f.Path, i + 1, fmt.Sprintf("%q: %s", bytes.TrimSpace(at), w.reason)})
				}
			}
		}
	}
	return found
}

// markdownLink is the target of a link or picture in Markdown.
var markdownLink = regexp.MustCompile(`\]\(([^)\s]+)\)`)

func checkLinks(t *Tree) []Finding {
	present := map[string]bool{".": true}
	for _, name := range t.paths {
		for p := name; p != "."; p = path.Dir(p) {
			present[p] = true
		}
	}
	var found []Finding
	for _, f := range t.Files {
		if path.Ext(f.Path) != ".md" || f.InTestdata() {
			continue
		}
		fenced := false
		for i, line := range strings.Split(string(f.Text), "\n") {
			if strings.HasPrefix(strings.TrimSpace(line), "```") {
				fenced = !fenced
			}
			if fenced {
				continue
			}
			for _, match := range markdownLink.FindAllStringSubmatch(line, -1) {
				link, err := url.Parse(match[1])
				if err != nil || link.Scheme != "" || link.Path == "" {
					continue
				}
				if goal := path.Join(path.Dir(f.Path), link.Path); !present[goal] {
					found = append(found, Finding{f.Path, i + 1, fmt.Sprintf("links to %s, which does not exist", goal)})
				}
			}
		}
	}
	return found
}

// Package lint is the repository's own rules, each with its reason, carried out
// as tests of this package. A rule that is only written down wears off; one
// that fails a test is kept, or changed on purpose.
//
// The rules work on the text of the files alone. They see every platform's
// files at once and need neither a build nor a network.
package lint

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Module is the path of the module that the rules are for.
const Module = "floodgate"

// Rule is one rule of the repository.
type Rule struct {
	Name   string
	Reason string
	Check  func(*Tree) []Finding
}

// Rules are all rules, in the order in which a reader meets the matter: where
// packages stand, what they use, how they are written.
func Rules() []Rule {
	return []Rule{
		{"floors", "imports of our own packages go down only, so that each can be understood and tested without what stands above it", checkFloors},
		{"imports", "some packages belong to one place, or to none", checkImports},
		{"package-names", "a package is named for what it has; a name that fits anything collects anything", checkPackageNames},
		{"package-comments", "the first thing that a reader of a package asks is what it is for", checkPackageComments},
		{"documented", "at least 95 % of the exported names are documented: units, errors and ownership do not show in a signature", checkDocumented},
		{"lengths", "a file that is read in one sitting and a function that fits on a screen can be checked by eye", checkLengths},
		{"calls", "some calls have a better replacement here", checkCalls},
		{"errors", "errors have one grammar: cannot, verb, operand, cause", checkErrors},
		{"words", "the project stands alone, and says what is, not what somebody meant to do", checkWords},
		{"format", "gofmt ends every discussion about layout", checkFormat},
		{"links", "a link in the documentation leads somewhere", checkLinks},
	}
}

// Finding is one place where a rule is broken.
type Finding struct {
	Path string // relative to the root, with slashes
	Line int    // 0 for a whole file or folder
	Text string // what was found, and what to do instead
}

// String is the finding as compilers write theirs.
func (f Finding) String() string {
	if f.Line == 0 {
		return f.Path + ": " + f.Text
	}
	return fmt.Sprintf("%s:%d: %s", f.Path, f.Line, f.Text)
}

// Tree is the text files of the repository.
type Tree struct {
	Files []*File  // sorted by path
	paths []string // of every file, binary ones too
	fset  *token.FileSet
}

// File is one text file. Go is set for Go files of this module outside
// testdata.
type File struct {
	Path string // relative to the root, with slashes
	Text []byte
	Go   *ast.File
}

// Package is the folder of the file, which is its package's path in the module.
func (f *File) Package() string { return path.Dir(f.Path) }

// IsTest reports whether the file is compiled for tests only.
func (f *File) IsTest() bool { return strings.HasSuffix(f.Path, "_test.go") }

// InTestdata reports whether the file is data of a test.
func (f *File) InTestdata() bool {
	return slices.Contains(strings.Split(path.Dir(f.Path), "/"), "testdata")
}

// line is the line of a position in any of the tree's Go files.
func (t *Tree) line(p token.Pos) int { return t.fset.Position(p).Line }

// code calls visit with each Go file that is built into a program.
func (t *Tree) code(visit func(*File)) {
	for _, f := range t.Files {
		if f.Go != nil && !f.IsTest() {
			visit(f)
		}
	}
}

// packages lists the folders that have code.
func (t *Tree) packages() []string {
	var folders []string
	t.code(func(f *File) { folders = append(folders, f.Package()) })
	slices.Sort(folders)
	return slices.Compact(folders)
}

// Load reads the tree below root: what version control knows and what it would
// not ignore, or without it every file outside of hidden and output folders.
func Load(root string) (*Tree, error) {
	names, err := listFiles(root)
	if err != nil {
		return nil, fmt.Errorf("cannot list the files of %s: %w", root, err)
	}
	files := map[string][]byte{}
	for _, name := range names {
		// The folders are looked at for the go command's sake: it runs a cached
		// test again if they have changed, and so notices files that are new.
		for folder := path.Dir(name); ; folder = path.Dir(folder) {
			if _, err := os.Stat(filepath.Join(root, folder)); err != nil || folder == "." {
				break
			}
		}
		text, err := readRegular(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			return nil, err
		}
		if text != nil {
			files[name] = text
		}
	}
	return NewTree(files)
}

// readRegular returns what is in the file, or nil if it is no file: removed but
// not yet for version control, a link, or another repository.
func readRegular(name string) ([]byte, error) {
	info, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(name)
	if text == nil {
		text = []byte{}
	}
	return text, err
}

// NewTree makes a tree of texts by their paths. Of binary files it keeps the
// path alone; folders with a go.mod of their own are left out.
func NewTree(files map[string][]byte) (*Tree, error) {
	t := &Tree{fset: token.NewFileSet()}
	var foreign []string
	for name := range files {
		if path.Base(name) == "go.mod" && name != "go.mod" {
			foreign = append(foreign, path.Dir(name)+"/")
		}
	}
	for name, text := range files {
		below := func(folder string) bool { return strings.HasPrefix(name, folder) }
		if slices.ContainsFunc(foreign, below) {
			continue
		}
		t.paths = append(t.paths, name)
		if !utf8.Valid(text) || slices.Contains(text, 0) {
			continue
		}
		f := &File{Path: name, Text: text}
		if path.Ext(name) == ".go" && !f.InTestdata() {
			parsed, err := parser.ParseFile(t.fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				return nil, fmt.Errorf("cannot parse %s: %w", name, err)
			}
			f.Go = parsed
		}
		t.Files = append(t.Files, f)
	}
	slices.SortFunc(t.Files, func(a, b *File) int { return strings.Compare(a.Path, b.Path) })
	return t, nil
}

func listFiles(root string) ([]string, error) {
	list := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
	list.Dir = root
	if out, err := list.Output(); err == nil {
		return strings.FieldsFunc(string(out), func(c rune) bool { return c == 0 }), nil
	}
	// No git, or no repository: an unpacked archive.
	var names []string
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		hidden := strings.HasPrefix(entry.Name(), ".") && relative != "."
		if entry.IsDir() && (hidden || relative == "out" || relative == "bin") {
			return filepath.SkipDir
		}
		if entry.Type().IsRegular() {
			names = append(names, filepath.ToSlash(relative))
		}
		return nil
	})
	return names, err
}

// importsOf calls visit with the path and the position of each import of f.
func importsOf(f *File, visit func(path string, at token.Pos)) {
	for _, spec := range f.Go.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err == nil {
			visit(p, spec.Pos())
		}
	}
}

// majorVersion is the end of a path that is not the name of its package.
var majorVersion = regexp.MustCompile(`^v[0-9]+$`)

// importedAs maps the names by which f calls its imports to their paths.
func importedAs(f *File) map[string]string {
	names := map[string]string{}
	for _, spec := range f.Go.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		name := path.Base(p)
		if majorVersion.MatchString(name) {
			name = path.Base(path.Dir(p))
		}
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = p
	}
	return names
}

package lint

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// repository is the tree that this test stands in, read once.
var repository = sync.OnceValues(func() (*Tree, error) { return Load(filepath.Join("..", "..")) })

// TestRepository holds the repository to its rules.
func TestRepository(t *testing.T) {
	tree, err := repository()
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range Rules() {
		t.Run(rule.Name, func(t *testing.T) {
			found := rule.Check(tree)
			for _, f := range found {
				t.Errorf("%s", f)
			}
			if len(found) > 0 {
				t.Logf("the rule %s stands because %s", rule.Name, rule.Reason)
			}
		})
	}
}

// TestTreeIsWhole: a rule that sees no files finds nothing wrong with them.
func TestTreeIsWhole(t *testing.T) {
	tree, err := repository()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"go.mod", "internal/lint/lint.go", "internal/lint/lint_test.go", "internal/record/record.go", "scenarios/burst_300k.yaml"} {
		if !slices.ContainsFunc(tree.Files, func(f *File) bool { return f.Path == name }) {
			t.Errorf("%s is not in the tree", name)
		}
	}
}

// TestWithoutGit: an unpacked archive is held to the same rules.
func TestWithoutGit(t *testing.T) {
	root := t.TempDir()
	t.Setenv("GIT_CEILING_DIRECTORIES", filepath.Dir(root))
	for _, name := range []string{"go.mod", "a/a.go", "out/report.md", ".cache/b.go", "bin/tool.sh", "deploy/bin/tool.sh"} {
		name = filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte("package a\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	tree, err := Load(root)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range tree.Files {
		got = append(got, f.Path)
	}
	if want := []string{"a/a.go", "deploy/bin/tool.sh", "go.mod"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// bite is a file that breaks a rule, and what the rule must say of it. An empty
// want is a file close to the edge that the rule must let pass.
type bite struct {
	rule, path, text, want string
}

var bites = []bite{
	{"floors", "internal/dogstatsd/x.go", "package dogstatsd\nimport _ \"floodgate/loadgen\"\n",
		"internal/dogstatsd/x.go:2: imports loadgen: the wire format is pure"},
	{"floors", "internal/harness/x.go", "package harness\nimport _ \"floodgate/server\"\n",
		"internal/harness/x.go:2: imports server: the harness meets the server as a process"},
	{"floors", "internal/harness/x_test.go", "package harness\nimport _ \"floodgate/server\"\n", ""}, // tests may bring a server along
	{"floors", "loadgen/x.go", "package loadgen\nimport _ \"floodgate/internal/dogstatsd\"\n", ""},
	{"floors", "internal/cellar/x.go", "package cellar\n", "internal/cellar: has no floor"},
	{"floors", "internal/cellar/x_test.go", "package cellar\n", ""},
	{"imports", "loadgen/x.go", "package loadgen\nimport \"gonum.org/v1/plot/vg\"\n", "loadgen/x.go:2: imports gonum.org/v1/plot/vg: it draws"},
	{"imports", "reports/x.go", "package reports\nimport \"gonum.org/v1/plot\"\n", ""},
	{"imports", "loadgen/x.go", "package loadgen\nimport \"gonum.org/v1/gonum/stat\"\n", ""},
	{"imports", "server/x.go", "package server\nimport \"os/signal\"\n", "a signal ends a context in cmd"},
	{"imports", "cmd/refserver/x.go", "package main\nimport \"os/signal\"\n", ""},
	{"imports", "server/x.go", "package server\nimport \"log\"\n", "use log/slog"},
	{"imports", "server/x.go", "package server\nimport \"log/slog\"\n", ""},
	{"imports", "server/x.go", "package server\nimport \"math/rand\"\n", "use math/rand/v2"},
	{"imports", "server/x.go", "package server\nimport \"math/rand/v2\"\n", ""},
	{"imports", "regress/x.go", "package regress\nimport \"os/exec\"\n", "this package is pure"},
	{"package-names", "server/util/x.go", "package util\n", "server/util/x.go:1: package util could hold anything"},
	{"package-names", "server/x.go", "package myServer\n", "want one lower-case word"},
	{"package-comments", "server/x.go", "package server\n", "server: has 0 package comments"},
	{"package-comments", "server/x.go", "// Package server serves.\npackage server\n", ""},
	{"documented", "server/x.go", "package server\nfunc Serve() {}\n", "server/x.go:2: Serve is exported without a comment"},
	{"documented", "server/x.go", "package server\ntype s struct{}\nfunc (s) Serve() {}\n", ""},
	{"documented", "server/x.go", "package server\n// The sizes.\nconst (\n\tSmall = 1\n\tLarge = 2\n)\n", ""},
	{"documented", "cmd/refserver/x.go", "package main\nfunc Serve() {}\n", ""},
	{"lengths", "server/x.go", "package server\n" + strings.Repeat("\n", 500), "server/x.go:501: 501 lines: want at most 500"},
	{"lengths", "server/x.go", "package server\n" + strings.Repeat("\n", 499), ""},
	{"lengths", "server/x.go", "package server\nfunc f() {" + strings.Repeat("\n", 80) + "}\n", "server/x.go:2: f has 81 lines"},
	{"lengths", "server/x.go", "package server\nfunc f() {" + strings.Repeat("\n", 79) + "}\n", ""},
	{"lengths", "server/x_test.go", "package server\nfunc f() {" + strings.Repeat("\n", 800) + "}\n", ""}, // tables are read in rows
	{"calls", "server/x_test.go", "package server\nimport \"time\"\nfunc f() { time.Sleep(1) }\n", "server/x_test.go:3: time.Sleep: a test that sleeps"},
	{"calls", "server/x_test.go", "package server\nimport t \"time\"\nfunc f() { t.Sleep(1) }\n", "t.Sleep: a test that sleeps"},
	{"calls", "server/x_test.go", "package server\nimport \"time\"\nfunc f() { for !ready() { time.Sleep(1) } }\n", ""},
	{"calls", "server/x_test.go", "package server\nimport \"time\"\nfunc f() { for range 5 { time.Sleep(1) } }\n", "a test that sleeps"},
	{"calls", "server/x_test.go", "package server\nimport \"time\"\nfunc f() { for i := 0; i < 5; i++ { time.Sleep(1) } }\n", "a test that sleeps"},
	{"calls", "server/x_test.go", "package server\nimport \"time\"\nfunc f() { for !ready() {}; time.Sleep(1) }\n", "a test that sleeps"},
	{"calls", "loadgen/x.go", "package loadgen\nimport \"time\"\nfunc f() { time.Sleep(1) }\n", ""}, // the generator paces
	{"calls", "server/x.go", "package server\nimport \"fmt\"\nfunc f() { fmt.Println() }\n", "fmt.Println: a library writes"},
	{"calls", "cmd/refserver/x.go", "package main\nimport \"fmt\"\nfunc f() { fmt.Println() }\n", ""},
	{"calls", "server/x.go", "package server\nimport \"os\"\nfunc f() { os.Exit(1) }\n", "os.Exit: a library returns an error"},
	{"calls", "server/x.go", "package server\nimport \"os\"\nvar w = os.Stderr\n", "os.Stderr: a library writes"},
	{"calls", "loadgen/x.go", "package loadgen\nimport \"math/rand/v2\"\nvar n = rand.IntN(5)\n", "rand.IntN: what is drawn from the global source"},
	{"calls", "loadgen/x.go", "package loadgen\nimport \"math/rand/v2\"\nvar n = rand.New(rand.NewPCG(1, 2)).IntN(5)\n", ""},
	{"calls", "server/forward/x.go", "package forward\nimport \"math/rand/v2\"\nvar n = rand.IntN(5)\n", ""}, // jitter must differ between hosts
	{"calls", "regress/x.go", "package regress\nimport \"time\"\nvar n = time.Now()\n", "time.Now: this package has no clock"},
	{"calls", "regress/x.go", "package regress\nimport \"time\"\nvar n = time.Second\n", ""},
	{"calls", "server/x.go", "package server\nfunc init() {}\n", "server/x.go:2: init: it runs before"},
	{"calls", "server/x.go", "package server\nfunc f() { println() }\n", "println: left over"},
	{"errors", "server/x.go", "package server\nimport \"errors\"\nvar e = errors.New(\"failed to listen\")\n", "\"failed to\": say cannot"},
	{"errors", "server/x.go", "package server\nimport \"fmt\"\nvar e = fmt.Errorf(\"cannot listen: %w.\", nil)\n", "leave the end open"},
	{"errors", "server/x.go", "package server\nimport \"fmt\"\nvar e = fmt.Errorf(\"cannot listen: %w\", nil)\n", ""},
	{"words", "docs/x.md", "one\n" + "TO" + "DO: two\n", "docs/x.md:2: \"TO" + "DO\": do it"},
	{"words", "docs/x.md", "see `/ho" + "me/me/notes`\n", "a path of one machine"},
	{"words", "docs/x.md", "see https://example.org/ho" + "me/notes, /proc/net/udp, mastodon\n", ""},
	{"words", "docs/x.md", "as in iss" + "ue 7\n", "the reader has no such list"},
	{"words", "docs/x.md", "<<<<" + "<<< HEAD\n", "left over from a merge"},
	{"format", "server/x.go", "package server\nvar  a = 1\n", "server/x.go:2: is not as gofmt writes it"},
	{"format", "server/testdata/x.go", "package server\nvar  a = 1\n", ""},
	{"links", "docs/x.md", "see [this](missing.md#part)\n", "docs/x.md:1: links to docs/missing.md, which does not exist"},
	{"links", "docs/x.md", "see [this](../go.mod), [that](https://example.org/x.md), [here](#part), [all](../docs)\n", ""},
	{"links", "docs/x.md", "```\n[this](missing.md)\n```\n", ""},
}

// TestRulesBite: a rule that cannot fail is worse than none. Each rule meets
// files that break it, and files close to the edge that do not.
func TestRulesBite(t *testing.T) {
	rules := map[string]Rule{}
	for _, r := range Rules() {
		rules[r.Name] = r
	}
	bitten := map[string]bool{}
	for i, b := range bites {
		files := map[string][]byte{"go.mod": []byte("module floodgate\n"), b.path: []byte(b.text)}
		tree, err := NewTree(files)
		if err != nil {
			t.Fatalf("bite %d: %v", i, err)
		}
		var got []string
		for _, f := range rules[b.rule].Check(tree) {
			// A tree of one file lacks all packages; only that is not meant here.
			if !strings.Contains(f.Text, "has a floor but no code") {
				got = append(got, f.String())
			}
		}
		if b.want == "" && len(got) > 0 || b.want != "" && (len(got) == 0 || !strings.Contains(got[0], b.want)) {
			t.Errorf("bite %d, %s on %s: got %q, want %q", i, b.rule, b.path, got, b.want)
		}
		bitten[b.rule] = bitten[b.rule] || b.want != ""
	}
	for name, rule := range rules {
		if !bitten[name] {
			t.Errorf("nothing shows that the rule %s can fail", name)
		}
		if rule.Reason == "" {
			t.Errorf("the rule %s has no reason", name)
		}
	}
}

// TestVanishedPackage: an entry whose package is gone guards nothing.
func TestVanishedPackage(t *testing.T) {
	files := map[string][]byte{}
	for folder := range floors {
		if folder != "reports" {
			files[folder+"/x.go"] = fmt.Appendf(nil, "package %s\n", filepath.Base(folder))
		}
	}
	tree, err := NewTree(files)
	if err != nil {
		t.Fatal(err)
	}
	found := checkFloors(tree)
	if len(found) != 1 || found[0].String() != "reports: has a floor but no code: take its entry out of floors" {
		t.Errorf("got %v", found)
	}
}

// TestForeignModules: a folder with a go.mod of its own has its own rules.
func TestForeignModules(t *testing.T) {
	tree, err := NewTree(map[string][]byte{
		"go.mod":          []byte("module floodgate\n"),
		"peers/go.mod":    []byte("module peers\n"),
		"peers/main.go":   []byte("package main\n"),
		"peers_extra/x.c": []byte("int x;\n"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(tree.Files) != 2 {
		t.Errorf("%d files, want go.mod and peers_extra/x.c", len(tree.Files))
	}
}

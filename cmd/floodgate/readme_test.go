package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestDocumentedCommands checks the commands that the documents tell people to
// type: targets of make exist, and floodgate takes the flags. With --help at
// the end it parses everything before it and measures nothing.
func TestDocumentedCommands(t *testing.T) {
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```sh\n(.*?)```")
	checked := 0
	for _, doc := range []string{"README.md", "CONTRIBUTING.md", "docs/target-contract.md", "docs/statistics.md", "docs/record-format.md", "docs/your-server.md", "docs/weaving.md"} {
		text, err := os.ReadFile("../../" + doc)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range block.FindAllStringSubmatch(string(text), -1) {
			for _, line := range strings.Split(b[1], "\n") {
				command, _, _ := strings.Cut(line, "#")
				command, _, _ = strings.Cut(command, ">")
				words := strings.Fields(command)
				switch {
				case len(words) == 0:
					continue
				case words[0] == "make":
					for _, word := range words[1:] {
						if !strings.Contains(word, "=") && !regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(word)+`:`).Match(makefile) {
							t.Errorf("%s: %q: no such target", doc, line)
						}
					}
				case strings.HasSuffix(words[0], "floodgate"):
					cmd := exec.Command(filepath.Join(programs, "floodgate"), append(words[1:], "--help")...)
					if out, err := cmd.CombinedOutput(); err != nil {
						t.Errorf("%s: %q: %v\n%s", doc, line, err, out)
					}
				default:
					continue // other people's programs
				}
				checked++
			}
		}
	}
	if checked < 8 {
		t.Errorf("only %d commands were found: the documents have changed their form", checked)
	}
}

// TestDocumentedTests: the tests that the documents tell people to run exist, with
// the flags that they are given. go test itself passes where nothing matches.
func TestDocumentedTests(t *testing.T) {
	command := regexp.MustCompile("(?s)`(go test [^`]+)`")
	checked := 0
	for _, doc := range []string{"README.md", "docs/statistics.md", "docs/adr/0004-holm-null.md"} {
		text, err := os.ReadFile("../../" + doc)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range command.FindAllStringSubmatch(string(text), -1) {
			checked++
			for _, fault := range faultsOf(t, strings.Fields(strings.ReplaceAll(found[1], "'", ""))) {
				t.Errorf("%s: `%s`: %s", doc, found[1], fault)
			}
		}
	}
	if checked < 15 {
		t.Errorf("only %d commands were found: the documents have changed their form", checked)
	}
}

// faultsOf says what a command of go test asks for that is not there.
func faultsOf(t *testing.T, words []string) (faults []string) {
	t.Helper()
	flag, kind := "-run", "Test"
	if slices.Contains(words, "-bench") {
		flag, kind = "-bench", "Benchmark"
	}
	run := regexp.MustCompile(words[slices.Index(words, flag)+1])
	test := regexp.MustCompile(`(?m)^func (` + kind + `\w+)\(`)
	all := ""
	for _, folder := range words {
		if !strings.HasPrefix(folder, "./") {
			continue
		}
		files, err := filepath.Glob(filepath.Join("../..", folder, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			all += string(source)
			for _, name := range test.FindAllStringSubmatch(string(source), -1) {
				found = found || run.MatchString(name[1])
			}
		}
		if !found {
			faults = append(faults, folder+" has no such "+strings.ToLower(kind))
		}
	}
	for _, flag := range []string{"families", "series"} {
		if slices.Contains(words, "-"+flag) && !strings.Contains(all, `flag.Int("`+flag+`"`) {
			faults = append(faults, "its tests have no flag -"+flag)
		}
	}
	return faults
}

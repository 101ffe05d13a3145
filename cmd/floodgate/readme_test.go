package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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

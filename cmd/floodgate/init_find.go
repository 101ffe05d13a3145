package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// server is what init finds out about the server of a folder.
type server struct {
	name       string // of its description
	what       string // was found, in words
	binary     string // name of the program
	install    string
	build      []string
	buildKnown bool
	path       string   // PATH that it needs; empty for none
	flags      []string // that its source seems to have
	notes      []string // for the user
}

// findServer looks for a server in a folder. It runs nothing.
func findServer(dir string) server {
	for _, find := range []func(string) (server, bool){findGo, findNode, findScript, findDocker} {
		if s, found := find(dir); found {
			s.buildKnown = true
			s.name = asTargetName(s.name)
			return s
		}
	}
	s := server{name: "my_server", what: "nothing that says how it is built", binary: "server",
		build: []string{"sh", "-c", `make && cp server "$0"`, "{{.Output}}"}}
	if program := firstProgram(dir); program != "" {
		s.name, s.binary, s.what = asTargetName(filepath.Base(program)), filepath.Base(program), "the program "+program
		s.notes = append(s.notes, fmt.Sprintf("without a build: --candidate target:%s:binary=%s", s.name, "./"+program))
	}
	return s
}

var modulePattern = regexp.MustCompile(`(?m)^module\s+"?([^\s"]+)`)

// findGo finds the packages main of a Go module.
func findGo(dir string) (server, bool) {
	text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	module := modulePattern.FindSubmatch(text)
	if err != nil || module == nil {
		return server{}, false
	}
	mains := goMains(dir)
	if len(mains) == 0 {
		return server{}, false
	}
	chosen := likelyServer(mains)
	name := path.Base(chosen)
	if chosen == "." {
		name = path.Base(string(module[1]))
	}
	pkg := "."
	if chosen != "." {
		pkg = "./" + chosen
	}
	s := server{name: name, what: fmt.Sprintf("the Go package %s of module %s", pkg, module[1]), binary: name,
		install: "build it with go build " + pkg, build: []string{"go", "build", "-o", "{{.Output}}", pkg}}
	if len(mains) > 1 {
		s.notes = append(s.notes, "other packages main: "+strings.Join(slices.DeleteFunc(mains, func(m string) bool { return m == chosen }), ", "))
	}
	sources, _ := filepath.Glob(filepath.Join(dir, filepath.FromSlash(chosen), "*.go"))
	s.flags = flagsIn(sources...)
	return s, true
}

// goMains are the folders with a package main, as slash paths.
func goMains(dir string) []string {
	var mains []string
	filepath.WalkDir(dir, func(file string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil // an unreadable folder has nothing to tell
		}
		name := e.Name()
		switch {
		case e.IsDir() && file != dir && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || slices.Contains([]string{"vendor", "testdata", "node_modules", "examples"}, name)):
			return filepath.SkipDir
		case e.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		folder, err := filepath.Rel(dir, filepath.Dir(file))
		folder = filepath.ToSlash(folder)
		if err != nil || slices.Contains(mains, folder) {
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil || bytes.Contains(text, []byte("//go:build ignore")) { // a generator
			return nil
		}
		if parsed, err := parser.ParseFile(token.NewFileSet(), file, text, parser.PackageClauseOnly); err == nil && parsed.Name.Name == "main" {
			mains = append(mains, folder)
		}
		return nil
	})
	slices.Sort(mains)
	return mains
}

// likelyServer picks the name that sounds like one.
func likelyServer(paths []string) string {
	for _, word := range []string{"statsd", "server", "agent", "daemon"} {
		if i := slices.IndexFunc(paths, func(p string) bool { return strings.Contains(path.Base(p), word) }); i >= 0 {
			return paths[i]
		}
	}
	return paths[0]
}

// findNode reads package.json.
func findNode(dir string) (server, bool) {
	text, err := os.ReadFile(filepath.Join(dir, "package.json"))
	var p struct {
		Name, Main string
		Scripts    map[string]string
	}
	if err != nil || json.Unmarshal(text, &p) != nil {
		return server{}, false
	}
	main := p.Main
	if words := strings.Fields(p.Scripts["start"]); len(words) > 1 && words[0] == "node" {
		main = words[1]
	}
	if main == "" {
		main = "index.js"
	}
	main = path.Clean(main)
	// The output is a folder: node finds the modules beside the script.
	install := "cp -R . \"$0\" && cd \"$0\" && npm ci --omit=dev"
	if _, err := os.Stat(filepath.Join(dir, "package-lock.json")); err != nil {
		install = "cp -R . \"$0\" && cd \"$0\" && npm install --omit=dev"
	}
	start := fmt.Sprintf(`printf '#!/bin/sh\nexec node "${0%%%%/*}/%s" "$@"\n' > run && chmod +x run`, main)
	s := server{name: path.Base(p.Name), what: "package.json, which starts " + main, binary: "run", install: "see build",
		build: []string{"sh", "-c", install + " && " + start, "{{.Output}}"}, path: pathWith("node")}
	s.flags = flagsIn(filepath.Join(dir, main))
	return s, true
}

// findScript finds a script that names its interpreter.
func findScript(dir string) (server, bool) {
	var scripts []string
	for _, folder := range []string{".", "bin"} {
		entries, _ := os.ReadDir(filepath.Join(dir, folder))
		for _, e := range entries {
			if e.Type().IsRegular() && beginsWith(filepath.Join(dir, folder, e.Name()), "#!") {
				scripts = append(scripts, path.Join(folder, e.Name()))
			}
		}
	}
	// Of the others many are there to configure, to build and to install.
	sounds := slices.DeleteFunc(slices.Clone(scripts), func(s string) bool {
		return !regexp.MustCompile(`server|statsd|daemon|agent`).MatchString(path.Base(s))
	})
	if len(sounds) > 0 {
		scripts = sounds
	}
	if len(scripts) == 0 || len(scripts) > 1 && len(sounds) == 0 {
		return server{}, false
	}
	script := scripts[0]
	base := path.Base(script)
	name := strings.TrimSuffix(base, path.Ext(base))
	s := server{name: name, what: "the script " + script, binary: name, install: "copy it from " + script, build: []string{"cp", script, "{{.Output}}"},
		path: pathWith(interpreter(filepath.Join(dir, script))), flags: flagsIn(filepath.Join(dir, script))}
	return s, true
}

// interpreter is the program that a script asks env for; empty if it names it
// outright.
func interpreter(script string) string {
	text, err := os.ReadFile(script)
	line, _, _ := strings.Cut(string(text), "\n")
	words := strings.Fields(strings.TrimPrefix(line, "#!"))
	if err != nil || len(words) < 2 || path.Base(words[0]) != "env" {
		return ""
	}
	return words[len(words)-1]
}

// pathWith is a PATH that leads to a program, to the same as the user's own where
// that is a real one: shims of version managers need more of the environment.
func pathWith(program string) string {
	const usual = "/usr/local/bin:/usr/bin:/bin"
	found, err := exec.LookPath(program)
	folder := filepath.Dir(found)
	if err != nil || !filepath.IsAbs(folder) || strings.Contains(folder, "shims") || slices.Contains(filepath.SplitList(usual), folder) {
		return usual
	}
	return folder + ":" + usual
}

var (
	entryPattern = regexp.MustCompile(`(?m)^(?:ENTRYPOINT|CMD)\s+(\[.*\])\s*$`)
	plainEntry   = regexp.MustCompile(`(?m)^(?:ENTRYPOINT|CMD)\s+([^\[\s]\S*)`)
)

// findDocker reads the program out of a Dockerfile and takes it out of its image.
func findDocker(dir string) (server, bool) {
	text, err := os.ReadFile(filepath.Join(dir, "Dockerfile"))
	if err != nil {
		return server{}, false
	}
	var words []string
	if m := entryPattern.FindSubmatch(text); m != nil {
		json.Unmarshal(m[1], &words)
	} else if m := plainEntry.FindSubmatch(text); m != nil {
		words = []string{string(m[1])}
	}
	if len(words) == 0 || !path.IsAbs(words[0]) {
		return server{}, false
	}
	take := fmt.Sprintf(`id=$(docker create "$(docker build -q .)") && docker cp "$id:%s" "$0" && docker rm "$id"`, words[0])
	return server{name: path.Base(words[0]), what: "a Dockerfile that starts " + strings.Join(words, " "), binary: path.Base(words[0]),
		install: "see build", build: []string{"sh", "-c", take, "{{.Output}}"},
		notes: []string{"the program is taken out of its image: it has to run without the rest of it, as a static one does"}}, true
}

// firstProgram finds a program that somebody has built, as a slash path.
func firstProgram(dir string) string {
	for _, folder := range []string{"bin", ".", "build", "dist"} {
		entries, _ := os.ReadDir(filepath.Join(dir, folder))
		for _, e := range entries {
			info, err := e.Info()
			if err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 && beginsWith(filepath.Join(dir, folder, e.Name()), "\x7fELF") {
				return path.Join(folder, e.Name())
			}
		}
	}
	return ""
}

func beginsWith(file, text string) bool {
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, len(text))
	n, _ := f.Read(head)
	return string(head[:n]) == text
}

// flagPatterns find the names of flags where Go, Python and Node declare them.
var flagPatterns = []*regexp.Regexp{
	regexp.MustCompile(`\b(?:flag|flags|pflag|fs|Flags\(\))\.\w+\((?:&[\w.]+,\s*)?"([a-z][\w.-]+)"`),
	regexp.MustCompile(`(?:add_argument|\.option)\([^)]*?["']--([a-z][\w.-]+)`),
}

// flagsIn are the flags that source files seem to declare, with their dashes.
func flagsIn(files ...string) []string {
	var flags []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil || len(text) > 1<<20 || strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, p := range flagPatterns {
			for _, m := range p.FindAllSubmatch(text, -1) {
				flags = append(flags, "--"+string(m[1]))
			}
		}
	}
	slices.Sort(flags)
	flags = slices.Compact(flags)
	return flags[:min(len(flags), 40)]
}

// command guesses how the server is told where to listen.
func (s server) command() []string {
	for _, name := range []string{"listen", "statsd.listen-udp", "listen-udp", "udp", "addr", "address", "bind", "listen-address"} {
		if slices.Contains(s.flags, "--"+name) {
			return []string{"--" + name + "={{.Host}}:{{.Port}}"}
		}
	}
	if slices.Contains(s.flags, "--port") {
		return []string{"--port={{.Port}}"}
	}
	return []string{"--listen={{.Host}}:{{.Port}}"}
}

var notInName = regexp.MustCompile(`[^a-z0-9_-]+`)

// asTargetName makes a name of a description out of any other.
func asTargetName(name string) string {
	name = strings.Trim(notInName.ReplaceAllString(strings.ToLower(name), "_"), "_-")
	name = strings.TrimLeft(name[:min(len(name), 60)], "0123456789_-")
	if name == "" {
		return "my_server"
	}
	return name
}

var plainWord = regexp.MustCompile(`^-?[A-Za-z./][A-Za-z0-9_./-]*$`)

// quoted is a text as YAML reads it back.
func quoted(text string) string {
	if plainWord.MatchString(text) && !slices.Contains([]string{"true", "false", "null", "yes", "no", "on", "off", ".", "~"}, strings.ToLower(text)) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", "''") + "'"
}

// flow is a list of words on one line.
func flow(words []string) string {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = quoted(w)
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

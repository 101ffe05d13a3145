package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestBenchstatCommandLine gives the same command lines to golang.org/x/perf's
// benchstat and to ours: same bytes on both outputs. What is in the tables is
// compared at length in package benchstat.
func TestBenchstatCommandLine(t *testing.T) {
	upstream := filepath.Join(t.TempDir(), "benchstat")
	build := exec.Command("go", "build", "-o", upstream, "golang.org/x/perf/cmd/benchstat")
	build.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		if strings.Contains(string(out), "module lookup disabled") {
			t.Skipf("golang.org/x/perf/cmd/benchstat is not in the module cache, and this test uses no network: %s", out)
		}
		t.Fatalf("cannot build benchstat: %v\n%s", err, out)
	}
	logs := filepath.Join("..", "..", "regress", "benchstat", "testdata")
	for _, args := range [][]string{
		{"made-old.txt", "made-new.txt"},
		{"-col", ".file", "-row", ".fullname", "-table", ".config", "-filter", "*", "-ignore", "", "made-old.txt", "made-new.txt"},
		{"--col=.file", "--alpha", "0.2", "-confidence=.9", "-format=csv", "made-old.txt", "made-new.txt"},
		{"-filter", "-.unit:ns/op", "-format", "csv", "O=made-old.txt", "N=made-new.txt"},
		{"-filter=-.unit:ns/op", "--", "made-old.txt", "made-new.txt"},
		{"-col", "/codec@(json gob)", "-row", ".name /size@num", "-ignore", "note,goos", "matrix.txt"},
		{"made-old.txt", "-"},
		{"label=-", "made-new.txt"},
		{"broken.txt"},
	} {
		run := func(program string, args []string) (stdout, stderr string) {
			cmd := exec.Command(program, args...)
			cmd.Dir = logs
			in, err := os.Open(filepath.Join(logs, "made-new.txt"))
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			var out, errs bytes.Buffer
			cmd.Stdin, cmd.Stdout, cmd.Stderr = in, &out, &errs
			if err := cmd.Run(); err != nil {
				t.Errorf("%s %q: %v\n%s", program, args, err, errs.String())
			}
			return out.String(), errs.String()
		}
		wantOut, wantErr := run(upstream, args)
		gotOut, gotErr := run(filepath.Join(programs, "floodgate"), append([]string{"benchstat"}, args...))
		if gotOut != wantOut || gotErr != wantErr {
			t.Errorf("%q: benchstat prints\n%s%s\nfloodgate prints\n%s%s", args, wantOut, wantErr, gotOut, gotErr)
		}
		if wantOut == "" {
			t.Errorf("%q: nothing is printed", args)
		}
	}
}

func TestGoDashes(t *testing.T) {
	a := &app{stdout: new(bytes.Buffer), stderr: new(bytes.Buffer)}
	for _, c := range []struct{ args, want string }{
		{"benchstat -col .file a b", "benchstat --col .file a b"},
		{"benchstat -col=.file a", "benchstat --col=.file a"},
		{"benchstat --col .file a", "benchstat --col .file a"},
		{"benchstat -filter -col a", "benchstat --filter -col a"}, // the value, as it stands
		{"benchstat -holm -col x", "benchstat --holm --col x"},    // holm has none
		{"benchstat a - -format csv", "benchstat a - --format csv"},
		{"benchstat -- -col", "benchstat -- -col"},
		{"benchstat -help", "benchstat --help"},
		{"benchstat -h", "benchstat -h"},
		{"benchstat -unknown ---col", "benchstat -unknown ---col"},
		{"bench -col x", "bench -col x"},
		{"-col benchstat", "-col benchstat"},
		{"", ""},
	} {
		args := strings.Fields(c.args)
		before := slices.Clone(args)
		if got := strings.Join(goDashes(a.root(), args), " "); got != c.want {
			t.Errorf("%q becomes %q, want %q", c.args, got, c.want)
		}
		if !slices.Equal(args, before) {
			t.Errorf("%q: the arguments were changed in place", c.args)
		}
	}
}

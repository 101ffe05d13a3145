package benchstat

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/perf/benchfmt"
)

// upstream builds golang.org/x/perf/cmd/benchstat as pinned in go.mod, once. The
// command is in the same module as the packages that we use, so that whoever
// can build this package has it, without a network.
var upstream = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "benchstat-test-")
	if err != nil {
		return "", err
	}
	program := filepath.Join(dir, "benchstat")
	build := exec.Command("go", "build", "-o", program, "golang.org/x/perf/cmd/benchstat")
	build.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		os.RemoveAll(dir)
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return program, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if upstreamUsed {
		if program, err := upstream(); err == nil {
			os.RemoveAll(filepath.Dir(program))
		}
	}
	os.Exit(code)
}

var upstreamUsed bool

// benchstatProgram is the program to compare with.
func benchstatProgram(t testing.TB) string {
	t.Helper()
	upstreamUsed = true
	program, err := upstream()
	if err != nil {
		if strings.Contains(err.Error(), "module lookup disabled") {
			t.Skipf("golang.org/x/perf/cmd/benchstat is not in the module cache, and this test uses no network: %v", err)
		}
		t.Fatalf("cannot build golang.org/x/perf/cmd/benchstat: %v", err)
	}
	return program
}

// run does with a command line what floodgate benchstat does, up to the exit
// code.
func run(args []string) (stdout, stderr string, err error) {
	o := DefaultOptions()
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.Table, "table", o.Table, "")
	flags.StringVar(&o.Row, "row", o.Row, "")
	flags.StringVar(&o.Col, "col", o.Col, "")
	flags.StringVar(&o.Ignore, "ignore", o.Ignore, "")
	flags.StringVar(&o.Filter, "filter", o.Filter, "")
	flags.Float64Var(&o.Alpha, "alpha", o.Alpha, "")
	flags.Float64Var(&o.Confidence, "confidence", o.Confidence, "")
	format := flags.String("format", "text", "")
	if err := flags.Parse(args); err != nil {
		return "", "", err
	}
	r, err := Read(&benchfmt.Files{Paths: flags.Args(), AllowLabels: true}, o)
	if err != nil {
		return "", "", err
	}
	var out, warnings bytes.Buffer
	for _, w := range r.Warnings {
		fmt.Fprintln(&warnings, w)
	}
	if *format == "csv" {
		err = r.CSV(&out, &warnings)
	} else {
		err = r.Text(&out)
	}
	return out.String(), warnings.String(), err
}

// same fails unless we and benchstat print the same, and returns how much.
func same(t *testing.T, program string, args []string) (printed int) {
	t.Helper()
	cmd := exec.Command(program, args...)
	var out, warnings bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &warnings
	if err := cmd.Run(); err != nil {
		t.Fatalf("benchstat %q: %v\n%s", args, err, warnings.String())
	}
	gotOut, gotWarnings, err := run(args)
	if err != nil {
		t.Fatalf("%q: %v; benchstat prints\n%s%s", args, err, out.String(), warnings.String())
	}
	if gotOut != out.String() {
		t.Errorf("%q: not what benchstat prints (-) but (+)\n%s", args, cmp.Diff(strings.Split(out.String(), "\n"), strings.Split(gotOut, "\n")))
	}
	if gotWarnings != warnings.String() {
		t.Errorf("%q: warnings are not benchstat's (-) but (+)\n%s", args, cmp.Diff(warnings.String(), gotWarnings))
	}
	return out.Len()
}

// commandLines are what is compared on the logs of testdata, in both formats.
var commandLines = []struct {
	reason string
	args   []string
	quiet  bool // nothing is printed
}{
	{"real logs, ten runs, a unit without a direction", []string{"aggregate-old.txt", "aggregate-new.txt"}, false},
	{"real logs, several packages, a throughput, 6 runs against 7", []string{"packages-old.txt", "packages-new.txt"}, false},
	{"one file alone", []string{"packages-old.txt"}, false},
	{"one run each: no interval, no test", []string{"once.txt", "packages-new.txt"}, false},
	{"the same file twice", []string{"once.txt", "once.txt"}, false},
	{"three files", []string{"packages-old.txt", "packages-new.txt", "aggregate-new.txt"}, false},
	{"labels", []string{"before=packages-old.txt", "a label that is wide enough to spread the whole table=packages-new.txt"}, false},
	{"labels that are alike merge", []string{"x=packages-old.txt", "x=packages-new.txt"}, false},
	{"an empty label", []string{"=packages-old.txt", "packages-new.txt"}, false},
	{"ties, zeros, single runs, missing rows, unequal n", []string{"made-old.txt", "made-new.txt"}, false},
	{"and the other way round", []string{"made-new.txt", "made-old.txt"}, false},
	{"a wide interval", []string{"-confidence", "0.5", "made-old.txt", "made-new.txt"}, false},
	{"an interval that needs more runs than there are", []string{"-confidence", "0.999", "made-old.txt", "made-new.txt"}, false},
	{"confidence 0", []string{"-confidence", "0", "made-old.txt", "made-new.txt"}, false},
	{"confidence 1", []string{"-confidence", "1", "made-old.txt", "made-new.txt"}, false},
	{"an alpha that nothing reaches", []string{"-alpha", "0.00001", "made-old.txt", "made-new.txt"}, false},
	{"alpha 0", []string{"-alpha", "0", "made-old.txt", "made-new.txt"}, false},
	{"alpha 1", []string{"-alpha=1", "made-old.txt", "made-new.txt"}, false},
	{"unit metadata, a commit that splits the tables", []string{"units-old.txt", "units-new.txt"}, false},
	{"unit metadata", []string{"-ignore", "commit", "units-old.txt", "units-new.txt"}, false},
	{"columns by commit", []string{"-col", "commit", "units-old.txt", "units-new.txt"}, false},
	{"columns by file and commit", []string{"-col", ".file,commit", "units-old.txt", "units-new.txt"}, false},
	{"one unit", []string{"-ignore", "commit", "-filter", ".unit:text-B", "units-old.txt", "units-new.txt"}, false},
	{"all units but one", []string{"-ignore", "commit", "-filter", "-.unit:text-B", "units-old.txt", "units-new.txt"}, false},
	{"a filter that leaves nothing", []string{"-filter", ".name:None", "made-old.txt"}, true},
	{"two levels of columns", []string{"-col", "goos,note", "matrix.txt"}, false},
	{"three levels of columns", []string{"-col", "goos,note,/codec", "-row", "/size", "matrix.txt"}, false},
	{"a part of the name as column, cells that mix", []string{"-col", "/codec", "-row", ".name", "matrix.txt"}, false},
	{"cells that mix several things", []string{"-row", ".name", "-table", "goos", "matrix.txt"}, false},
	{"rows in an order of their own", []string{"-row", "/size@num /codec@(gob json)", "-col", "goos@alpha", "-ignore", "note", "matrix.txt"}, false},
	{"a fixed order of columns is a filter too", []string{"-col", "/codec@(json gob)", "-ignore", "note", "matrix.txt"}, false},
	{"no columns at all", []string{"-col", "", "matrix.txt"}, false},
	{"no rows at all", []string{"-row", "", "-col", "goos", "matrix.txt"}, false},
	{"no tables at all", []string{"-table", "", "-col", "goos", "matrix.txt"}, false},
	{"headers that widen the columns under them", []string{"-col", "group,name", "wide.txt"}, false},
	{"headers that widen the columns under them, in another order", []string{"-col", "name,group", "wide.txt"}, false},
	{"a regular expression", []string{"-filter", "/codec:/^c/ OR note:tuned", "-col", "note", "matrix.txt"}, false},
	{"more than 26 columns in CSV, with warnings", []string{"-col", "goos,note,/codec", "-row", ".name", "matrix.txt"}, false},
	{"malformed lines and odd values", []string{"broken.txt"}, false},
	{"malformed lines twice", []string{"-filter", ".unit:delta", "broken.txt", "broken.txt"}, false},
	{"malformed lines beside good ones", []string{"broken.txt", "made-old.txt"}, false},
	{"a log without results", []string{"nothing.txt"}, true},
	{"a log without results as base", []string{"nothing.txt", "made-old.txt"}, false},
	{"the published table", []string{"-row", "/event", "baseline/benchmark.log", "current/benchmark.log"}, false},
}

// TestSameAsBenchstat compares what we print with what benchstat prints, byte
// for byte.
func TestSameAsBenchstat(t *testing.T) {
	program := benchstatProgram(t)
	for _, c := range commandLines {
		for _, format := range []string{"text", "csv"} {
			t.Run(c.reason+"/"+format, func(t *testing.T) {
				t.Chdir("testdata")
				printed := same(t, program, append([]string{"-format", format}, c.args...))
				if c.quiet != (printed == 0) {
					t.Errorf("benchstat prints %d bytes: this case does not show what it is there for", printed)
				}
			})
		}
	}
}

// TestSameAsBenchstatOnRandomLogs does so with logs and command lines that
// nobody chose.
func TestSameAsBenchstatOnRandomLogs(t *testing.T) {
	program := benchstatProgram(t)
	rounds, compared := 60, 0
	if testing.Short() {
		rounds = 20
	}
	for seed := range rounds {
		r := rand.New(rand.NewPCG(uint64(seed), 1))
		args := []string{"-format", pick(r, "text", "csv")}
		for _, flag := range [][]string{
			{"-col", ".file", ".file,commit", "commit", "commit,/b,/a", "/b", "/b,.file", "/a,/b,commit"}, {"-row", ".fullname", ".name", "/a", ".name,/b"},
			{"-table", ".config", "", "commit"}, {"-ignore", "", "commit", ".file", "/a"},
			{"-alpha", "0.05", "0.5", "0.001"}, {"-confidence", "0.95", "0.6", "0.99"},
			{"-filter", "*", "/b:(1 OR 2)", "-.unit:ns/op", ".unit:(ns/op OR x)", "commit:c1"},
		} {
			if r.IntN(3) == 0 {
				args = append(args, flag[0], pick(r, flag[1:]...))
			}
		}
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Chdir(t.TempDir())
			for i := range 1 + r.IntN(14) {
				// Names longer than what stands under them widen the columns.
				name := strings.Repeat(string(rune('a'+i)), 1+r.IntN(12)+r.IntN(2)*r.IntN(150)) + ".txt"
				if err := os.WriteFile(name, randomLog(r), 0o644); err != nil {
					t.Fatal(err)
				}
				args = append(args, name)
			}
			if _, _, err := run(args); err != nil {
				return // a key stands in two expressions
			}
			compared++
			same(t, program, args)
		})
	}
	if compared < rounds*3/4 {
		t.Errorf("only %d of %d command lines were accepted", compared, rounds)
	}
}

func pick(r *rand.Rand, from ...string) string { return from[r.IntN(len(from))] }

func randomLog(r *rand.Rand) []byte {
	var b bytes.Buffer
	scale := []float64{1e-3, 1, 12, 1e6, 3e9}[r.IntN(5)]
	if r.IntN(4) == 0 {
		b.WriteString("Unit x assume=exact\nUnit y better=higher\n")
	}
	names := []string{"A", "Bench", "LongerNameOfBenchmark", "Ünïcode"}
	for range 1 + r.IntN(3) {
		fmt.Fprintf(&b, "commit: %s\n", pick(r, "c1", "c2", "", "c1"+strings.Repeat("_", 50+r.IntN(3)), strings.Repeat("c", 160)))
		for range r.IntN(8) {
			name := fmt.Sprintf("%s/a=%d/b=%d", pick(r, names...), r.IntN(2), r.IntN(3))
			digits, noise := r.IntN(3), r.IntN(3)
			for range 1 + r.IntN(9) {
				fmt.Fprintf(&b, "Benchmark%s 1 %.*f ns/op", name, digits, scale*(1+float64(noise)*r.Float64()))
				for _, unit := range []string{"B/op", "x", "y", "MB/s"} {
					if r.IntN(2) == 0 {
						fmt.Fprintf(&b, " %d %s", r.IntN(4)*r.IntN(3000), unit)
					}
				}
				b.WriteByte('\n')
			}
		}
	}
	return b.Bytes()
}

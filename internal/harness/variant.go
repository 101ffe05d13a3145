package harness

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"floodgate/internal/target"
	"floodgate/scenarios"
)

// Variant is one of the servers being compared, resolved to a program.
type Variant struct {
	Role    string // record.Baseline or record.Candidate
	Spec    string // as the user wrote it
	Path    string // of the program
	Options target.Options
	// Target describes how the program is started and what it can do. Nil is the
	// reference server's description.
	Target *scenarios.Target
	// Revision is what the program is built from; nil for one that is there. Such
	// a variant has no Path before Finder.Build.
	Revision *target.Revision
	BuiltBy  []string // the words of the command that built it from there
}

// Finder turns what users write into variants.
type Finder struct {
	RefServer string // path of the reference server's program
	Peers     string // folder of the peers that were built; empty for none
	TargetDir string // folder of the user's own descriptions; empty for none
	Git       GitBuilds
}

// NewVariant resolves what the user wrote for a role, with the embedded
// descriptions alone. refserver is the path of the reference server; peers are
// looked up in the folder peers beside it.
func NewVariant(role, spec, refserver string) (Variant, error) {
	f := Finder{RefServer: refserver, Peers: filepath.Join(filepath.Dir(refserver), "peers")}
	return f.Variant(role, spec)
}

// Variant resolves what the user wrote for a role.
func (f Finder) Variant(role, spec string) (Variant, error) {
	v, err := f.variant(role, spec)
	var faults *scenarios.FaultError
	if err != nil && !errors.As(err, &faults) {
		err = fmt.Errorf("cannot run variant %q: %w", spec, err)
	}
	return v, err
}

// binaryOption names, in a variant of any described target, the program to use.
const binaryOption = "binary"

func (f Finder) variant(role, spec string) (Variant, error) {
	parsed, err := target.ParseVariant(spec)
	if err != nil {
		return Variant{}, err
	}
	v := Variant{Role: role, Spec: spec, Options: parsed.Options}
	name := scenarios.RefServer
	switch parsed.Kind {
	case target.RefServer, target.Binary:
	case target.Preset:
		name = parsed.Name
	case target.Git:
		name = cmp.Or(f.Git.Target, name)
	}
	description, err := scenarios.FindTarget(f.TargetDir, name)
	if err != nil {
		return Variant{}, err
	}
	v.Target = &description
	if err := checkOptions(v.Target, parsed); err != nil {
		return Variant{}, err
	}
	if parsed.Kind == target.Git {
		v.Revision = &target.Revision{Ref: parsed.Name}
		return v, f.Git.check(v.Target)
	}
	v.Path, err = f.program(parsed, v.Target)
	return v, err
}

// checkOptions holds what the variant sets against what the description allows.
// Whatever is in capitals is an environment variable, and free.
func checkOptions(t *scenarios.Target, parsed target.Variant) error {
	var names []string
	if parsed.Kind == target.Preset {
		names = append(names, binaryOption)
	}
	for _, o := range t.Options {
		names = append(names, o.Name)
	}
	for _, o := range parsed.Options {
		if isVariable(o.Key) || o.Key == binaryOption && parsed.Kind == target.Preset {
			continue
		}
		declared, known := t.Option(o.Key)
		switch {
		case !known:
			return fmt.Errorf("unknown option %q, allowed are %s, and environment variables in capitals such as GOGC", o.Key, strings.Join(names, ", "))
		case o.Value == "":
			return fmt.Errorf("option %q is empty: give it a value, or leave it out", o.Key)
		case len(declared.Values) > 0 && !slices.Contains(declared.Values, o.Value):
			return fmt.Errorf("option %q is %q, allowed are %s", o.Key, o.Value, strings.Join(declared.Values, ", "))
		}
	}
	return nil
}

// program finds the variant's program.
func (f Finder) program(parsed target.Variant, t *scenarios.Target) (string, error) {
	given, named := parsed.Options.Get(binaryOption)
	switch {
	case parsed.Kind == target.RefServer, parsed.Kind == target.Preset && !named && t.Binary == scenarios.RefServer:
		if err := executable(f.RefServer); err != nil {
			return "", fmt.Errorf("no reference server at %s: build it with make build, or name it with --refserver", f.RefServer)
		}
		return f.RefServer, nil
	case parsed.Kind == target.Binary:
		return parsed.Name, executable(parsed.Name)
	case named:
		return given, executable(given)
	}
	return f.LookUp(t)
}

// LookUp finds the program of a described target: among the peers that were
// built, then in PATH. The error says how the program can be had.
func (f Finder) LookUp(t *scenarios.Target) (string, error) {
	var places []string
	if f.Peers != "" {
		path := filepath.Join(f.Peers, filepath.FromSlash(t.Binary))
		if executable(path) == nil {
			return path, nil
		}
		places = append(places, f.Peers)
	}
	if !strings.Contains(t.Binary, "/") {
		// LookPath does not say ErrDot for what PATH itself leads to.
		if path, err := exec.LookPath(t.Binary); err == nil {
			return path, nil
		}
		places = append(places, "PATH")
	}
	install := t.Install
	if install == "" {
		install = "build or install it"
	}
	return "", fmt.Errorf("no program %s in %s: %s, or name it with target:%s:%s=PATH", t.Binary, strings.Join(places, " nor in "), install, t.Name, binaryOption)
}

func executable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.IsDir() || info.Mode()&0o111 == 0 {
		return fmt.Errorf("%s is not an executable file", path)
	}
	return nil
}

// refServerDescription is read once: it is embedded, and never changes.
var refServerDescription = sync.OnceValue(func() *scenarios.Target {
	t, err := scenarios.FindTarget("", scenarios.RefServer)
	if err != nil {
		panic(err) // this build is broken; the tests of scenarios exclude it
	}
	return &t
})

func (v Variant) description() *scenarios.Target {
	if v.Target == nil {
		return refServerDescription()
	}
	return v.Target
}

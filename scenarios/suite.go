package scenarios

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed *.yaml
var embedded embed.FS

// suite is the default suite in the order of its run. The main burst comes
// first, so that an interrupted run has its result; idle comes last.
var suite = []string{"burst_300k", "burst_300k_contexts", "packed_3m", "idle"}

// All returns every embedded scenario: the default suite in the order of its
// run, then the others by name. An error means that this build is broken; the
// tests of this package exclude it.
func All() ([]Scenario, error) {
	names, err := embeddedNames()
	if err != nil {
		return nil, err
	}
	all := make([]Scenario, 0, len(names))
	for _, name := range names {
		s, err := readEmbedded(name)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// Suite returns the default suite, in the order of its run.
func Suite() ([]Scenario, error) {
	all, err := All()
	if err != nil {
		return nil, err
	}
	return all[:len(suite)], nil
}

// Find returns the embedded scenario of that name.
func Find(name string) (Scenario, error) {
	names, err := embeddedNames()
	if err != nil {
		return Scenario{}, err
	}
	if !slices.Contains(names, name) {
		return Scenario{}, fmt.Errorf("cannot find scenario %q: %swant one of %s, or the path of a file that ends in .yaml",
			clip(name), meant(name, names), strings.Join(names, ", "))
	}
	return readEmbedded(name)
}

// Open returns a scenario by its name, or from a file if the argument ends in
// .yaml or .yml. What is wrong inside the file comes back as a *FaultError.
func Open(nameOrPath string) (Scenario, error) {
	if !isYAML(nameOrPath) {
		return Find(nameOrPath)
	}
	source, err := readFile(nameOrPath)
	if err != nil {
		return Scenario{}, fmt.Errorf("cannot read scenario: %w", err)
	}
	return Parse(nameOrPath, source)
}

// readFile reads at most one byte more than Parse takes: a device or a huge
// file is refused by its size, not by running out of memory.
func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	source, err := io.ReadAll(io.LimitReader(f, maxSource+1))
	return source, errors.Join(err, f.Close())
}

// isYAML reports whether name is that of a scenario's file.
func isYAML(name string) bool {
	extension := filepath.Ext(name)
	return extension == ".yaml" || extension == ".yml"
}

// embeddedNames lists the embedded scenarios in the order of All.
func embeddedNames() ([]string, error) {
	entries, err := embedded.ReadDir(".")
	if err != nil {
		return nil, fmt.Errorf("cannot list the embedded scenarios: %w", err)
	}
	names := slices.Clone(suite)
	for _, e := range entries { // sorted by name
		if name := strings.TrimSuffix(e.Name(), ".yaml"); !slices.Contains(suite, name) {
			names = append(names, name)
		}
	}
	return names, nil
}

func readEmbedded(name string) (Scenario, error) {
	source, err := embedded.ReadFile(name + ".yaml")
	if err != nil {
		return Scenario{}, fmt.Errorf("cannot read embedded scenario %s: %w", name, err)
	}
	return Parse(path.Join("scenarios", name+".yaml"), source)
}

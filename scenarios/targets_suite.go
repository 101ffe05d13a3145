package scenarios

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed targets/*.yaml
var embeddedTargets embed.FS

// RefServer is the name of the description of the reference server.
const RefServer = "refserver"

// Targets returns every description: those of the folder, if dir is not empty,
// and the embedded ones that none of these replaces, by name. What is wrong
// inside files comes back joined, as *FaultErrors, beside the others.
func Targets(dir string) ([]Target, error) {
	names, err := targetNames(dir)
	if err != nil {
		return nil, err
	}
	var all []Target
	var faults []error
	for _, name := range names {
		t, err := FindTarget(dir, name)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		all = append(all, t)
	}
	return all, errors.Join(faults...)
}

// FindTarget returns the description of that name: of the folder if it has one,
// else the embedded one.
func FindTarget(dir, name string) (Target, error) {
	names, err := targetNames(dir)
	if err != nil {
		return Target{}, err
	}
	if !slices.Contains(names, name) {
		return Target{}, fmt.Errorf("cannot find target %q: %swant one of %s, or a description of your own in --target-dir",
			clip(name), meant(name, names), strings.Join(names, ", "))
	}
	if dir != "" {
		file := filepath.Join(dir, name+".yaml")
		source, err := readFile(file)
		if err == nil {
			return ParseTarget(file, source)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return Target{}, fmt.Errorf("cannot read target: %w", err)
		}
	}
	file := path.Join("targets", name+".yaml")
	source, err := embeddedTargets.ReadFile(file)
	if err != nil {
		return Target{}, fmt.Errorf("cannot read embedded target %s: %w", name, err)
	}
	return ParseTarget(path.Join("scenarios", file), source)
}

// OpenTarget returns a description by its name, or from a file if the argument
// ends in .yaml or .yml.
func OpenTarget(dir, nameOrPath string) (Target, error) {
	if !isYAML(nameOrPath) {
		return FindTarget(dir, nameOrPath)
	}
	source, err := readFile(nameOrPath)
	if err != nil {
		return Target{}, fmt.Errorf("cannot read target: %w", err)
	}
	return ParseTarget(nameOrPath, source)
}

// targetNames lists the names of all descriptions, sorted.
func targetNames(dir string) ([]string, error) {
	entries, err := embeddedTargets.ReadDir("targets")
	if err != nil {
		return nil, fmt.Errorf("cannot list the embedded targets: %w", err)
	}
	if dir != "" {
		own, err := os.ReadDir(dir)
		if err != nil {
			return nil, fmt.Errorf("cannot list the targets of a folder: %w", err)
		}
		entries = append(entries, own...)
	}
	var names []string
	for _, e := range entries {
		if name, found := strings.CutSuffix(e.Name(), ".yaml"); found && !e.IsDir() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

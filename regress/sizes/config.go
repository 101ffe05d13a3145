package sizes

import (
	"cmp"
	"errors"
	"fmt"

	"go.yaml.in/yaml/v4"

	"floodgate/scenarios"
)

// Planned is one product of a file of gates.
type Planned struct {
	Name       string
	Path       string // below the baseline's and the candidate's folder; may be a pattern that one file matches
	Disk, Wire Limit
}

// Limits are those of one product, as people write them; empty is no limit.
type Limits struct {
	MaxDisk       string `yaml:"max_disk"`
	MaxWire       string `yaml:"max_wire"`
	MaxGrowthDisk string `yaml:"max_growth_disk"`
	MaxGrowthWire string `yaml:"max_growth_wire"`
}

// Parse reads the limits. name puts the key of a limit in the words of whoever
// wrote it: a flag, or a line of a file.
func (l Limits) Parse(name func(key string) string) (disk, wire Limit, err error) {
	var faults []error
	size := func(key, text string) *int64 {
		if text == "" {
			return nil
		}
		n, err := scenarios.ParseBytes(text)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", name(key), err))
		}
		return &n
	}
	growth := func(key, text string) *Growth {
		if text == "" {
			return nil
		}
		g, err := ParseGrowth(text)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", name(key), err))
		}
		return &g
	}
	disk = Limit{size("max_disk", l.MaxDisk), growth("max_growth_disk", l.MaxGrowthDisk)}
	wire = Limit{size("max_wire", l.MaxWire), growth("max_growth_wire", l.MaxGrowthWire)}
	return disk, wire, errors.Join(faults...)
}

// gatesFile is a file of gates as YAML.
type gatesFile struct {
	Artefacts []struct {
		Name   string `yaml:"name"`
		Path   string `yaml:"path"`
		Limits `yaml:",inline"`
	} `yaml:"artefacts"`
}

// ParseGates reads a file of gates:
//
//	artefacts:
//	  - name: refserver          # shown; the path when it is left out
//	    path: bin/refserver      # below the baseline and the candidate
//	    max_disk: 50MiB
//	    max_wire: 20MiB
//	    max_growth_disk: 1%
//	    max_growth_wire: 600KiB
//
// It refuses unknown keys and names every fault.
func ParseGates(file string, source []byte) ([]Planned, error) {
	var g gatesFile
	if err := yaml.Load(source, &g, yaml.WithKnownFields()); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	var planned []Planned
	var faults []error
	seen := map[string]bool{}
	if len(g.Artefacts) == 0 {
		faults = append(faults, fmt.Errorf("%s: it has no artefacts: want a list of them, each with a path", file))
	}
	for i, a := range g.Artefacts {
		p := Planned{Name: cmp.Or(a.Name, a.Path), Path: a.Path}
		at := func(key string) string { return fmt.Sprintf("%s: artefacts[%d].%s", file, i, key) }
		if p.Path == "" {
			faults = append(faults, fmt.Errorf("%s is missing: want a path below the baseline and the candidate", at("path")))
		}
		if seen[p.Name] && p.Name != "" {
			faults = append(faults, fmt.Errorf("%s: %q is there twice", at("name"), p.Name))
		}
		seen[p.Name] = true
		var err error
		if p.Disk, p.Wire, err = a.Limits.Parse(at); err != nil {
			faults = append(faults, err)
		}
		planned = append(planned, p)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return planned, nil
}

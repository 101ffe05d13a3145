package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// Plan is what a run set out to do. It is written before the first replicate, as
// OUT/plan.json, so that a scenario that left no record is missed.
type Plan struct {
	Schema    int       `json:"schema"`
	Variants  []Variant `json:"variants"`
	Scenarios []Planned `json:"scenarios"` // in the order of the run
}

// Planned is one scenario of a plan.
type Planned struct {
	Name       string `json:"name"`
	YAML       string `json:"scenario_yaml"`
	File       string `json:"scenario_file"`
	Replicates int    `json:"replicates"` // pairs, or replicates of the one variant
}

func planPath(out string) string { return filepath.Join(out, "plan.json") }

// WritePlan stores p in the folder of its run.
func WritePlan(out string, p Plan) error {
	p.Schema = Schema
	text, err := json.MarshalIndent(p, "", "  ")
	if err == nil {
		err = writeWhole(planPath(out), append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("cannot write the plan of the run: %w", err)
	}
	return nil
}

// ReadPlan returns the plan of the run in the folders, put together where they
// have several; nil where they have none, as beside records from before there were
// plans.
func ReadPlan(dirs ...string) (*Plan, error) {
	var all *Plan
	for _, dir := range dirs {
		p, err := readPlan(dir)
		switch {
		case err != nil:
			return nil, err
		case all == nil:
			all = p
		case p != nil:
			all.Variants = append(all.Variants, p.Variants...)
			for _, s := range p.Scenarios {
				if !slices.ContainsFunc(all.Scenarios, func(other Planned) bool { return other.Name == s.Name }) {
					all.Scenarios = append(all.Scenarios, s)
				}
			}
		}
	}
	return all, nil
}

func readPlan(out string) (*Plan, error) {
	text, err := readWhole(planPath(out))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil
	}
	var p Plan
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err == nil && p.Schema != Schema {
		err = fmt.Errorf("its schema is %d, this floodgate reads %d: use the version that wrote it, or run again", p.Schema, Schema)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the plan %s: %w", planPath(out), bare(err))
	}
	return &p, nil
}

// RemovePlan takes away the plan of an earlier run.
func RemovePlan(out string) error {
	if err := os.Remove(planPath(out)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot remove an earlier plan: %w", err)
	}
	return nil
}

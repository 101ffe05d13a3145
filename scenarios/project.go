package scenarios

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// ProjectFile is the name of a project's file, in the folder where its runs are
// started.
const ProjectFile = "floodgate.yaml"

// Project is what a run takes where the command line says nothing. Whatever is
// zero, or nil, was not given.
type Project struct {
	Target     string   // the description that git:REF variants are built and started by
	Targets    string   // folder of the project's own descriptions
	Build      []string // instead of the description's own
	Scenarios  []string // names, or paths of files
	Baseline   string   // variants, as the command line has them
	Candidate  string
	Replicates int
	MaxPairs   int
	Adapt      bool
	Out        string // folder of records and reports

	Confidence *float64 // shares
	Tolerance  *float64
	Rule       string
	FailOn     []string

	File string // where it was read from: paths in it are relative to its folder
}

// Path returns a path of the file as the process sees it.
func (p *Project) Path(written string) string {
	if written == "" || filepath.IsAbs(written) {
		return written
	}
	return filepath.Join(filepath.Dir(p.File), filepath.FromSlash(written))
}

// ScenarioArguments are the project's scenarios as Open takes them.
func (p *Project) ScenarioArguments() []string {
	arguments := slices.Clone(p.Scenarios)
	for i, a := range arguments {
		if isYAML(a) {
			arguments[i] = p.Path(a)
		}
	}
	return arguments
}

// OpenProject reads a project's file. What is wrong inside it comes back as a
// *FaultError; a file that is not there as one that wraps fs.ErrNotExist.
func OpenProject(file string) (Project, error) {
	source, err := readFile(file)
	if err != nil {
		return Project{}, fmt.Errorf("cannot read the project: %w", err)
	}
	return ParseProject(file, source)
}

// ParseProject reads a project's file as strictly as Parse reads a scenario:
// every fault is named at once, in a *FaultError. It reads no other file, so that
// what the file names may still be missing.
func ParseProject(file string, source []byte) (Project, error) {
	r := &targetReader{reader: newReader(file)}
	r.what, r.least = "project", "any of target, scenarios, baseline and candidate"
	if len(source) > maxSource {
		r.add(1, "the file has %d bytes: want at most %d", len(source), maxSource)
		return Project{}, r.err()
	}
	root, ok := r.document(source)
	if !ok {
		return Project{}, r.err()
	}
	p := Project{File: file}
	r.project(&p, value{line: 1, node: root})
	if line, ok := r.sound("max_pairs"); ok && p.Replicates > 0 {
		r.add(line, "max_pairs: it stands beside replicates, and both say how many pairs to run: want one of them")
	}
	if err := r.err(); err != nil {
		return Project{}, err
	}
	return p, nil
}

func (r *targetReader) project(p *Project, v value) {
	asPath := form{tagsOfText, "a path, relative to the folder of this file"}
	asVariant := form{tagsOfText, "a variant such as git:HEAD~1, target:NAME or bin:PATH"}
	r.mapping(v,
		field{"target", false, scalarInto(r.reader, &p.Target, form{tagsOfText, "the name of a target"}, parseTargetName)},
		field{"targets", false, scalarInto(r.reader, &p.Targets, asPath, parseSaying)},
		field{"build", false, func(v value) { r.build(&p.Build, v) }},
		field{"scenarios", false, func(v value) { r.names(&p.Scenarios, v) }},
		field{"baseline", false, scalarInto(r.reader, &p.Baseline, asVariant, parseSaying)},
		field{"candidate", false, scalarInto(r.reader, &p.Candidate, asVariant, parseSaying)},
		field{"replicates", false, scalarInto(r.reader, &p.Replicates, asWhole, within(whole, 1, maxReplicates, "1 to 1000; leave the key out for each scenario's own number"))},
		field{"max_pairs", false, scalarInto(r.reader, &p.MaxPairs, asWhole, within(whole, 4, maxReplicates, "4 to 1000"))},
		field{"adapt", false, scalarInto(r.reader, &p.Adapt, asBool, boolean)},
		field{"out", false, scalarInto(r.reader, &p.Out, asPath, parseSaying)},
		field{"judge", false, func(v value) { r.judge(p, v) }},
	)
}

// judge reads what the flags of the same names say.
func (r *targetReader) judge(p *Project, v value) {
	ratio := func(to **float64, low, high float64, words string) func(value) {
		read := within(func(text string) (float64, error) { return ParseQuantity(text, Ratio) }, low, high, words)
		return scalarInto(r.reader, to, asRatio, func(text string) (*float64, error) {
			x, err := read(text)
			return &x, err
		})
	}
	r.mapping(v,
		field{"confidence", false, ratio(&p.Confidence, 0.5, 0.999, "50% to 99.9%")},
		field{"tolerance", false, ratio(&p.Tolerance, 0, 0.999, "0% to 99.9%")},
		field{"rule", false, choiceInto(r.reader, &p.Rule, "detect", "prove")},
		field{"fail_on", false, func(v value) { someOf(r.reader, &p.FailOn, v, "inconclusive") }},
	)
}

// names reads a list of scenarios, each once.
func (r *targetReader) names(to *[]string, v value) {
	before := r.total
	r.list(v, "names of scenarios, or paths of files that end in .yaml", func(v value) {
		var name string
		within := r.total
		scalarInto(r.reader, &name, form{tagsOfText, "the name of a scenario, or the path of a file that ends in .yaml"}, parseSaying)(v)
		switch {
		case r.total != within:
		case slices.Contains(*to, name):
			r.add(v.line, "%s", v.named(fmt.Sprintf("%q stands twice", clip(name))))
		case !isYAML(name) && strings.ContainsAny(name, "/\\"):
			r.add(v.line, "%s", v.named(fmt.Sprintf("%q is neither: want the name of a scenario, or the path of a file that ends in .yaml", clip(name))))
		default:
			*to = append(*to, name)
		}
	})
	if len(*to) == 0 && r.total == before {
		r.add(v.line, "%s", v.named("the list is empty: leave the key out for the default suite"))
	}
}

package scenarios

import (
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

var (
	targetName   = regexp.MustCompile(`^[a-z][a-z0-9_-]*$`)
	optionName   = regexp.MustCompile(`^[a-z][a-z0-9_.-]*$`)
	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// stopSignals are those that ask a process to end.
var stopSignals = []string{"TERM", "INT", "QUIT", "HUP"}

// binaryOption is understood for every target, so none may declare it.
const binaryOption = "binary"

// targetReader reads one description. It remembers where each template stands,
// because they are tried only when everything is known that they may use.
type targetReader struct {
	*reader
	templates []placedTemplate
}

type placedTemplate struct {
	at   value
	text string
}

// ParseTarget reads one description of a target, as strictly as Parse reads a
// scenario: every fault is named at once, in a *FaultError. Each template is
// tried with the options at their defaults and set, over each transport. If the
// file's name ends in .yaml or .yml, it must be that of the target. ParseTarget
// reads no file.
func ParseTarget(file string, source []byte) (Target, error) {
	r := &targetReader{reader: newReader(file)}
	r.what, r.least = "target", "name, description, binary and command"
	if len(source) > maxSource {
		r.add(1, "the file has %d bytes: want at most %d", len(source), maxSource)
		return Target{}, r.err()
	}
	root, ok := r.document(source)
	if !ok {
		return Target{}, r.err()
	}
	t := defaultTarget()
	t.File, t.Source = file, slices.Clone(source)
	r.target(&t, value{line: 1, node: root})
	r.targetRules(&t)
	if err := r.err(); err != nil {
		return Target{}, err
	}
	return t, nil
}

func (r *targetReader) target(t *Target, v value) {
	r.mapping(v,
		field{"name", true, scalarInto(r.reader, &t.Name, form{tagsOfText, "a name such as statsd_exporter"}, parseTargetName)},
		field{"description", true, scalarInto(r.reader, &t.Description, asText, parseSaying)},
		field{"binary", true, scalarInto(r.reader, &t.Binary, form{tagsOfText, "the name of a program"}, parseBinary)},
		field{"install", false, scalarInto(r.reader, &t.Install, asText, parseSaying)},
		field{"options", false, func(v value) { r.options(&t.Options, v) }},
		field{"command", true, func(v value) { t.Command = r.words(v) }},
		field{"files", false, func(v value) { r.files(&t.Files, v) }},
		field{"environment", false, func(v value) { r.environment(&t.Environment, v) }},
		field{"transports", false, func(v value) {
			t.Transports = nil
			someOf(r.reader, &t.Transports, v, transports...)
		}},
		field{"ready", false, func(v value) { r.ready(&t.Ready, v) }},
		field{"stop", false, scalarInto(r.reader, &t.Stop, form{tagsOfText, strings.Join(stopSignals, ", ")}, parseSignal)},
		field{"sink", false, choiceInto(r.reader, &t.Sink, sinks...)},
		field{"scrape", false, r.template(&t.Scrape, "a URL such as http://{{.Stats}}/metrics")},
		field{"mapping", false, scalarInto(r.reader, &t.Mapping, form{tagsOfText, "the name of a mapping such as telegraf"}, parseTargetName)},
		field{"flush_every", false, scalarInto(r.reader, &t.FlushEvery, asDuration, within(ParseDuration, minFlushInterval, maxOver, "10ms to 10m"))},
		field{"statistics", false, func(v value) { r.statistics(&t.Statistics, v) }},
		field{"capabilities", false, func(v value) { r.capabilities(&t.Capabilities, v) }},
		field{"build", false, func(v value) { r.build(&t.Build, v) }},
	)
}

// template reads text that is filled in later.
func (r *targetReader) template(to *string, want string) func(value) {
	return func(v value) {
		text, ok := r.scalar(v, form{[]string{"!!str", "!!int", "!!float", "!!bool"}, want})
		if ok {
			*to = text
			r.templates = append(r.templates, placedTemplate{v, text})
		}
	}
}

func (r *targetReader) words(v value) []string {
	words := []string{}
	r.list(v, "words, such as --listen={{.Host}}:{{.Port}}", func(v value) {
		var word string
		r.template(&word, "a word of the command line")(v)
		words = append(words, word)
	})
	return words
}

// entries reads v as a mapping whose keys are free, as far as check allows, in
// the order of the file.
func (r *targetReader) entries(v value, want string, check func(key string) error, entry func(key string, v value)) {
	if r.shape != nil {
		r.shapeEntries(v, want, func(v value) { entry("", v) })
		return
	}
	r.pairs(v, "", want, func(key string, line int, content *yaml.Node) {
		if err := check(key); err != nil {
			r.add(line, "%s", v.named(err.Error()))
			return
		}
		entry(key, value{path: v.child(key), line: line, node: content})
	})
}

func (r *targetReader) options(to *[]TargetOption, v value) {
	want := "a mapping of names to {values, default, help}"
	check := func(key string) error {
		if !optionName.MatchString(key) || key == binaryOption {
			return fmt.Errorf("%q is no name of an option: want lower-case letters, digits, and . _ -, a letter first; %s is understood for every target", clip(key), binaryOption)
		}
		return nil
	}
	r.entries(v, want, check, func(key string, v value) {
		o := TargetOption{Name: key}
		before := r.total
		word := func(to *string) func(value) {
			return scalarInto(r.reader, to, form{[]string{"!!str", "!!int", "!!float", "!!bool"}, "a word"}, parseOptionValue)
		}
		r.mapping(v,
			field{"values", false, func(v value) {
				r.list(v, "words", func(v value) {
					var text string
					word(&text)(v)
					o.Values = append(o.Values, text)
				})
			}},
			field{"default", false, word(&o.Default)},
			field{"help", false, scalarInto(r.reader, &o.Help, asText, parseSaying)},
		)
		if r.total == before && o.Default != "" && len(o.Values) > 0 && !slices.Contains(o.Values, o.Default) {
			r.add(v.line, "%s", v.named(fmt.Sprintf("default %q is none of its values: want one of %s", clip(o.Default), strings.Join(o.Values, ", "))))
		}
		*to = append(*to, o)
	})
}

func parseOptionValue(text string) (string, error) {
	if text == "" || strings.Contains(text, ",") {
		return "", fmt.Errorf("%q is no value: want a text without commas that is not empty", clip(text))
	}
	return text, nil
}

func (r *targetReader) files(to *[]TargetFile, v value) {
	check := func(key string) error {
		if key == "" || key == "." || key == ".." || path.Base(key) != key || strings.ContainsRune(key, '\\') {
			return fmt.Errorf("%q is no name of a file: want one without folders, such as config.yaml", clip(key))
		}
		return nil
	}
	r.entries(v, "a mapping of names of files to their text", check, func(key string, v value) {
		f := TargetFile{Name: key}
		r.template(&f.Text, "the text of the file, behind | or in quotes")(v)
		*to = append(*to, f)
	})
	slices.SortFunc(*to, func(a, b TargetFile) int { return strings.Compare(a.Name, b.Name) })
}

func (r *targetReader) environment(to *[]TargetVariable, v value) {
	check := func(key string) error {
		if !variableName.MatchString(key) {
			return fmt.Errorf("%q is no environment variable: want letters, digits and underscores", clip(key))
		}
		return nil
	}
	r.entries(v, "a mapping of environment variables to their values", check, func(key string, v value) {
		x := TargetVariable{Name: key}
		r.template(&x.Value, "the value of the variable")(v)
		*to = append(*to, x)
	})
	slices.SortFunc(*to, func(a, b TargetVariable) int { return strings.Compare(a.Name, b.Name) })
}

// someOf reads a list of a few words, each once.
func someOf[T ~string](r *reader, to *[]T, v value, allowed ...T) {
	words := make([]string, len(allowed))
	for i, a := range allowed {
		words[i] = string(a)
	}
	before := r.total
	r.list(v, strings.Join(words, ", "), func(v value) {
		var word T
		within := r.total
		choiceInto(r, &word, allowed...)(v)
		switch {
		case r.total != within:
		case slices.Contains(*to, word):
			r.add(v.line, "%s", v.named(fmt.Sprintf("%q stands twice", word)))
		default:
			*to = append(*to, word)
		}
	})
	if len(*to) == 0 && r.total == before {
		r.add(v.line, "%s", v.named("the list is empty: want at least one of "+strings.Join(words, ", ")))
	}
}

func (r *targetReader) ready(to *Readiness, v value) {
	if v.node.Kind != yaml.MappingNode {
		scalarInto(r.reader, to, form{tagsOfText, "bound, or one of http, tcp and output with what to look for"}, func(text string) (Readiness, error) {
			if text != string(ReadyBound) {
				return Readiness{}, fmt.Errorf("%q is unknown: want bound, or one of http, tcp and output with what to look for", clip(text))
			}
			return Readiness{By: ReadyBound}, nil
		})(v)
		return
	}
	given, before := 0, r.total
	way := func(by ReadyBy, want string) field {
		return field{string(by), false, func(v value) {
			given++
			*to = Readiness{By: by}
			r.template(&to.What, want)(v)
		}}
	}
	r.mapping(v, way(ReadyHTTP, "a URL such as http://{{.Stats}}/ready"), way(ReadyTCP, "an address such as {{.Stats}}"),
		way(ReadyOutput, "the text that is printed"))
	if given != 1 && r.total == before {
		r.add(v.line, "%s", v.named(fmt.Sprintf("%d ways are given: want exactly one of http, tcp, output", given)))
	}
}

func (r *targetReader) statistics(to **TargetStatistics, v value) {
	s := &TargetStatistics{Format: StatisticsJSON, Every: time.Second}
	*to = s
	var mapped *value
	r.mapping(v,
		field{"url", true, r.template(&s.URL, "a URL such as http://{{.Stats}}/metrics")},
		field{"format", false, choiceInto(r.reader, &s.Format, StatisticsJSON, StatisticsPrometheus)},
		field{"every", false, scalarInto(r.reader, &s.Every, asDuration, within(ParseDuration, 100*time.Millisecond, maxOver, "100ms to 10m"))},
		field{"map", false, func(v value) { mapped = &v }},
	)
	// Only now is it known in which format the names of the map are.
	switch {
	case mapped != nil:
		r.statisticsMap(s, *mapped)
	case s.Format == StatisticsPrometheus:
		r.add(v.line, "%s", v.named("key \"map\" is missing: format prometheus has no names of ours"))
	}
}

func (r *targetReader) statisticsMap(s *TargetStatistics, v value) {
	s.Map = map[string][]string{}
	fields := make([]field, len(statisticsNames))
	for i, name := range statisticsNames {
		one := func(v value) {
			var source string
			if scalarInto(r.reader, &source, form{tagsOfText, "the name of a figure"}, parseFigure(s.Format))(v); source != "" {
				s.Map[name] = append(s.Map[name], source)
			}
		}
		fields[i] = field{name, false, func(v value) {
			if v.node.Kind == yaml.SequenceNode {
				r.list(v, "names of figures, to be added", one)
				return
			}
			one(v)
		}}
	}
	r.mapping(v, fields...)
}

func (r *targetReader) capabilities(c *Capabilities, v value) {
	flag := func(key string, to *bool) field {
		return field{key, false, scalarInto(r.reader, to, asBool, boolean)}
	}
	r.mapping(v,
		field{"kinds", false, func(v value) {
			c.Kinds = nil
			someOf(r.reader, &c.Kinds, v, wireKinds...)
		}},
		flag("tags", &c.Tags), flag("packing", &c.Packing), flag("packed_values", &c.PackedValues),
		flag("sampling", &c.Sampling), flag("timestamps", &c.Timestamps), flag("origin", &c.Origin),
		flag("events", &c.Events), flag("service_checks", &c.ServiceChecks),
		field{"largest_datagram", false, scalarInto(r.reader, &c.LargestDatagram, asSize,
			within(ParseBytes, minPacking, 1<<20, "64B to 1MiB; leave the key out if there is no limit"))},
	)
}

func (r *targetReader) build(to *[]string, v value) {
	whole := false
	r.list(v, "words, such as go, build, -o, {{.Output}}", func(v value) {
		var word string
		if scalarInto(r.reader, &word, asText, parseBuildWord)(v); word != "" {
			*to = append(*to, word)
			whole = whole || strings.Contains(word, ".Output")
		}
	})
	if len(*to) > 0 && !whole {
		r.add(v.line, "%s", v.named("no word says where the program goes: want one with {{.Output}}"))
	}
}

// targetRules refuses what each key allows but their combination does not.
func (r *targetReader) targetRules(t *Target) {
	if line, ok := r.sound("name"); ok && isYAML(t.File) {
		base := filepath.Base(t.File)
		extension := filepath.Ext(base)
		if strings.TrimSuffix(base, extension) != t.Name {
			r.add(line, "name: %q stands in the file %s: want both alike, %s%s", t.Name, base, t.Name, extension)
		}
	}
	line, scraped := r.lines["scrape"]
	switch {
	case scraped && t.Sink != SinkPrometheus:
		r.add(line, "scrape: nothing is scraped with sink %s: want sink prometheus, or leave the key out", t.Sink)
	case !scraped && t.Sink == SinkPrometheus:
		r.add(r.lines["sink"], "sink: prometheus needs to know where: want scrape, such as http://{{.Stats}}/metrics")
	}
	if r.bad["options"] {
		return // what the templates may use is not known
	}
	for _, p := range r.templates {
		if err := tryTemplate(t, p.text); err != nil {
			r.add(p.at.node.Line, "%s", p.at.named(err.Error()))
		}
	}
}

// CheckTargetName says what is wrong with the name of a description.
func CheckTargetName(name string) error {
	_, err := parseTargetName(name)
	return err
}

func parseTargetName(text string) (string, error) {
	if len(text) > 60 || !targetName.MatchString(text) {
		return "", fmt.Errorf("%q is no name: want at most 60 lower-case letters, digits, underscores and hyphens, a letter first", clip(text))
	}
	return text, nil
}

func parseSaying(text string) (string, error) {
	if text = strings.TrimSpace(text); text == "" {
		return "", fmt.Errorf("it is empty: say something, or leave the key out")
	}
	return text, nil
}

func parseBinary(text string) (string, error) {
	if text == "" || text == "." || path.IsAbs(text) || path.Clean(text) != text || strings.HasPrefix(text, "..") {
		return "", fmt.Errorf("%q is no name of a program: want one that is looked up, such as statsd_exporter", clip(text))
	}
	return text, nil
}

func parseSignal(text string) (string, error) {
	if !slices.Contains(stopSignals, text) {
		return "", fmt.Errorf("%q is unknown: want one of %s", clip(text), strings.Join(stopSignals, ", "))
	}
	return text, nil
}

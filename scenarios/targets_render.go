package scenarios

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"
	"time"
)

// Launch is what the templates of a description may use, for one start of the
// target.
type Launch struct {
	Transport Transport
	Listen    string // the socket under load as a URL: udp://127.0.0.1:8125, unixgram:///path
	Host      string // of a UDP or TCP socket, else empty
	Port      int    // likewise, else 0
	Socket    string // the path of a unix socket, else empty

	Intake     string // the intake's URL, without a path
	IntakeHost string
	IntakePort int

	GraphiteHost string // of the listener for Graphite lines; empty where the sink is another
	GraphitePort int

	Stats     string // host:port of the target's own TCP endpoint, for statistics or readiness
	StatsHost string
	StatsPort int
	StatsFile string // path of the final statistics

	Dir           string // the target's working folder
	FlushInterval time.Duration
	ReceiveBuffer int64 // bytes of SO_RCVBUF asked for; 0 leaves the system's

	// Options are those that the variant sets and the defaults of the others.
	Options map[string]string
	// FreeTCP returns a free TCP port. It is called once for each name.
	FreeTCP func() (int, error)

	declared []TargetOption
	ports    map[string]int
}

// Option is the value of an option, empty when it has none.
func (l *Launch) Option(name string) (string, error) {
	if !slices.ContainsFunc(l.declared, func(o TargetOption) bool { return o.Name == name }) {
		return "", fmt.Errorf("option %q is not declared under options", name)
	}
	return l.Options[name], nil
}

// FreePort is a free TCP port of the loopback interface, the same for the same
// name within one launch.
func (l *Launch) FreePort(name string) (int, error) {
	if port, known := l.ports[name]; known {
		return port, nil
	}
	port, err := l.FreeTCP()
	if err == nil {
		l.ports[name] = port
	}
	return port, err
}

// Rendering is a description with its templates filled in.
type Rendering struct {
	Args        []string
	Files       []TargetFile
	Environment []TargetVariable
	Ready       string
	Statistics  string // URL; empty without statistics
	Scrape      string // URL; empty for a target that is not scraped
}

// Render fills in the templates. It writes nothing.
func (t *Target) Render(l Launch) (Rendering, error) {
	out, err := t.render(&l)
	if err != nil {
		return out, fmt.Errorf("cannot fill in the description of target %s: %w", t.Name, err)
	}
	return out, nil
}

func (t *Target) render(l *Launch) (Rendering, error) {
	l.declared, l.ports = t.Options, map[string]int{}
	options := map[string]string{}
	for _, o := range t.Options {
		options[o.Name] = o.Default
		if value, set := l.Options[o.Name]; set {
			options[o.Name] = value
		}
	}
	l.Options = options
	var out Rendering
	var faults []error
	fill := func(text string) string {
		filled, err := fillIn(text, l)
		faults = append(faults, err)
		return filled
	}
	for _, word := range t.Command {
		if filled := fill(word); filled != "" {
			out.Args = append(out.Args, filled)
		}
	}
	for _, f := range t.Files {
		out.Files = append(out.Files, TargetFile{Name: f.Name, Text: fill(f.Text)})
	}
	for _, v := range t.Environment {
		out.Environment = append(out.Environment, TargetVariable{Name: v.Name, Value: fill(v.Value)})
	}
	out.Ready, out.Scrape = fill(t.Ready.What), fill(t.Scrape)
	if t.Statistics != nil {
		out.Statistics = fill(t.Statistics.URL)
	}
	return out, errors.Join(faults...)
}

// Uses reports whether any template of the command, the files or the environment
// mentions the field, such as ".ReceiveBuffer": a setting that is not mentioned
// does not reach the target.
func (t *Target) Uses(name string) bool {
	texts := slices.Clone(t.Command)
	for _, f := range t.Files {
		texts = append(texts, f.Text)
	}
	for _, v := range t.Environment {
		texts = append(texts, v.Value)
	}
	return slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(text, name) })
}

// Heeds reports which of a launch's settings reach the target: those without
// which it would be started alike.
func (t *Target) Heeds(l Launch) (receiveBuffer, flushInterval bool) {
	comesTo := func(l Launch) string {
		l.FreeTCP = func() (int, error) { return 1, nil }
		filled, err := t.Render(l)
		return fmt.Sprint(filled, err)
	}
	buffer, flush := l, l
	buffer.ReceiveBuffer++
	flush.FlushInterval += time.Second
	return comesTo(l) != comesTo(buffer), comesTo(l) != comesTo(flush)
}

func fillIn(text string, data any) (string, error) {
	if !strings.Contains(text, "{{") {
		return text, nil
	}
	parsed, err := template.New("").Option("missingkey=error").Parse(text)
	if err != nil {
		return "", plainFault(err, data)
	}
	for _, t := range parsed.Templates() {
		if t.Tree != nil && repeats(t.Root) {
			return "", errors.New("range, define, block and template are not allowed: there is nothing to repeat")
		}
	}
	var out strings.Builder
	if err := parsed.Execute(&out, data); err != nil {
		return "", plainFault(err, data)
	}
	return out.String(), nil
}

var (
	templatePlace = regexp.MustCompile(`^template: :(\d+:)*\s*`)
	executingAt   = regexp.MustCompile(`^executing "" at <(.*?)>: (.*)$`)
	noField       = regexp.MustCompile(`can't evaluate field (\w+) in type`)
)

// plainFault says what is wrong with a template without naming Go's own types.
func plainFault(err error, data any) error {
	text := templatePlace.ReplaceAllString(err.Error(), "")
	at := ""
	if m := executingAt.FindStringSubmatch(text); m != nil {
		at, text = "{{"+m[1]+"}}: ", m[2]
	}
	if _, after, wrapped := strings.Cut(text, "error calling "); wrapped {
		_, text, _ = strings.Cut(after, ": ")
	}
	if m := noField.FindStringSubmatch(text); m != nil {
		text = fmt.Sprintf("there is no .%s here: want one of %s", m[1], strings.Join(usable(data), ", "))
	}
	return errors.New(at + text)
}

// repeats reports whether a template may run for longer than it is long: a range
// over a number would, and so would templates that call each other.
func repeats(node parse.Node) bool {
	switch n := node.(type) {
	case *parse.ListNode:
		return n != nil && slices.ContainsFunc(n.Nodes, repeats)
	case *parse.IfNode:
		return repeats(n.List) || repeats(n.ElseList)
	case *parse.WithNode:
		return repeats(n.List) || repeats(n.ElseList)
	case *parse.RangeNode, *parse.TemplateNode:
		return true
	}
	return false
}

// usable are the names that a template may use: the plain fields of its data,
// and the methods.
func usable(data any) []string {
	var names []string
	value := reflect.Indirect(reflect.ValueOf(data))
	for i := range value.NumField() {
		if f := value.Type().Field(i); f.IsExported() && f.Type.Kind() != reflect.Map && f.Type.Kind() != reflect.Func {
			names = append(names, "."+f.Name)
		}
	}
	methods := reflect.TypeOf(data)
	for i := range methods.NumMethod() {
		names = append(names, "."+methods.Method(i).Name)
	}
	return names
}

// tryTemplate fills in one template in every way that may lead through it: over
// each transport, with and without a receive buffer, and with the options at
// their defaults, each of them set, and all of them.
func tryTemplate(t *Target, text string) error {
	settings := []map[string]string{{}}
	all := map[string]string{}
	for _, o := range t.Options {
		if !strings.Contains(text, o.Name) {
			continue // it cannot lead anywhere else
		}
		value := "text"
		if len(o.Values) > 0 {
			value = o.Values[0]
		}
		all[o.Name] = value
		settings = append(settings, map[string]string{o.Name: value})
	}
	settings = append(settings, all)
	one := Target{Name: t.Name, Options: t.Options, Command: []string{text}}
	for _, transport := range t.Transports {
		for _, options := range settings {
			for _, buffer := range []int64{0, 425984} {
				l := SampleLaunch(transport)
				l.Options, l.ReceiveBuffer = options, buffer
				if _, err := one.render(&l); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// SampleLaunch is a launch with made-up addresses, to show what a description
// comes to.
func SampleLaunch(transport Transport) Launch {
	l := Launch{
		Intake: "http://127.0.0.1:8080", IntakeHost: "127.0.0.1", IntakePort: 8080,
		GraphiteHost: "127.0.0.1", GraphitePort: 2003,
		Stats: "127.0.0.1:9102", StatsHost: "127.0.0.1", StatsPort: 9102,
		Dir: "/tmp/target", StatsFile: "/tmp/target/stats.json",
		FlushInterval: time.Second, ReceiveBuffer: 416 << 10, Transport: transport,
		FreeTCP: func() (int, error) { return 9999, nil },
	}
	if transport == Unixgram || transport == UnixStream {
		l.Socket = "/tmp/target/target.sock"
		l.Listen = string(transport) + "://" + l.Socket
	} else {
		l.Host, l.Port = "127.0.0.1", 8125
		l.Listen = string(transport) + "://127.0.0.1:8125"
	}
	return l
}

// parseBuildWord checks one word of the command that builds a target.
func parseBuildWord(text string) (string, error) {
	_, err := BuildWord(text, "program")
	return text, err
}

// BuildWord fills in one word of a description's Build: output is the file that
// the build is to write.
func BuildWord(word, output string) (string, error) {
	return fillIn(word, struct{ Output string }{output})
}

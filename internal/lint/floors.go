package lint

import (
	"fmt"
	"go/token"
	"slices"
	"strings"
)

// room is one package: what it may import of ours, and why nothing else.
type room struct {
	may    []string
	reason string
}

// floors has every package of the module, from the ground up.
var floors = map[string]room{
	// Floor 0: formats.
	"internal/dogstatsd": {nil, "the wire format is pure: generator and server share it, and neither may leak into it"},
	"internal/payload":   {nil, "the intake formats are pure: server and intake share them"},

	"internal/quantity": {nil, "counts and sizes are written in one form in scenarios and in the server's settings"},

	"internal/payload/foreign": {[]string{"internal/payload"}, "the formats of other servers are pure too, and stand apart: what they need must not reach the reference server"},

	// Floor 1: descriptions, records, aggregation.
	"scenarios":         {[]string{"internal/quantity"}, "a scenario says what is measured, and knows nothing of how"},
	"internal/record":   {nil, "the record is the interface between measuring and judging; it depends on neither"},
	"internal/history":  {nil, "the history is the interface between runs, as the record is within one; it depends on neither"},
	"internal/artefact": {nil, "what a build made is read without knowing what is asked of it"},
	"internal/lint":     {nil, "the rules read text; they must hold also when nothing else builds"},
	"server/aggregate":  {[]string{"internal/dogstatsd"}, "aggregation is pure: messages in, series out"},

	"internal/documented": {nil, "figures of the documents are read for tests alone, whatever they are about"},

	// Floor 2: the parts that touch the world, each alone.
	"server/forward":  {[]string{"server/aggregate", "internal/payload"}, "forwarding sees series, not messages"},
	"server/symdb":    {[]string{"server/forward", "internal/payload"}, "symbols share the way of batches with series, and nothing else"},
	"server":          {[]string{"server/aggregate", "server/forward", "internal/dogstatsd"}, "a target must not know that it is measured"},
	"loadgen":         {[]string{"internal/dogstatsd"}, "the generator offers load to any server, and knows none"},
	"internal/intake": {[]string{"internal/payload", "internal/payload/foreign"}, "the intake counts what arrives, whoever sends it"},
	"internal/target": {nil, "a target is a process, described by its variant alone"},
	"internal/procfs": {nil, "readings of the kernel mean the same for every process"},

	"internal/capability": {[]string{"scenarios", "internal/payload"}, "what a server can do follows from what arrived; sending and waiting are the caller's"},

	// Floor 3: measuring and judging, which meet in the record only.
	"internal/harness": {
		// The formats too: their types are what loadgen expects and the intake decodes.
		[]string{"scenarios", "loadgen", "internal/intake", "internal/target", "internal/procfs", "internal/record", "internal/dogstatsd", "internal/payload", "internal/payload/foreign", "internal/capability"},
		"the harness meets the server as a process: linked in, it would share memory, scheduler and collector with what it measures",
	},
	"server/servertest": {
		[]string{"internal/intake", "internal/dogstatsd", "internal/payload", "internal/target"},
		"the contract is tested from outside: linked in, the reference server would be the only target that it can hold",
	},
	"regress":             {[]string{"internal/record", "scenarios"}, "judging is pure: the same records give the same verdict, wherever they were measured"},
	"regress/benchstat":   {[]string{"regress"}, "benchmark logs are judged from records that the caller reads; a decision is the same kind of thing everywhere"},
	"regress/changepoint": {nil, "a series is numbers, wherever they come from"},
	"regress/trend": {
		[]string{"internal/history", "internal/record", "regress", "regress/changepoint"},
		"a history is read as judging is: the same lines give the same findings",
	},
	"regress/calibration": {
		[]string{"internal/record", "regress", "scenarios"},
		"how much a machine can see is judged from records, as everything else is; measuring is the caller's",
	},
	"regress/saturation": {[]string{"internal/record", "scenarios"}, "which rate is tried next follows from the records so far; trying it is the caller's"},

	"regress/sizes": {[]string{"internal/artefact", "regress", "scenarios"}, "limits are judged from sizes and lists of files; reading them is the caller's"},

	// Floor 4: showing.
	"reports": {[]string{"internal/record", "regress", "scenarios", "regress/sizes", "internal/artefact", "regress/trend", "internal/history", "regress/calibration", "regress/saturation"}, "a report renders a verdict; it measures and judges nothing"},

	// Floor 5: programs.
	"cmd/floodgate": {
		[]string{
			"scenarios", "loadgen", "regress", "reports",
			"internal/artefact", "regress/sizes", "internal/history", "regress/changepoint", "regress/trend", "regress/benchstat", "regress/calibration", "regress/saturation",
			"internal/harness", "internal/intake", "internal/payload", "internal/dogstatsd", "internal/procfs", "internal/record", "internal/target", "internal/capability",
		},
		"the harness's program contains no server",
	},
	"cmd/refserver": {[]string{"server", "server/symdb", "internal/quantity"}, "the server's program contains nothing of the harness"},
}

func checkFloors(t *Tree) []Finding {
	found := checkFloorTable()
	present := t.packages()
	for folder := range floors {
		if !slices.Contains(present, folder) {
			found = append(found, Finding{Path: folder, Text: "has a floor but no code: take its entry out of floors"})
		}
	}
	for _, folder := range present {
		if _, named := floors[folder]; !named {
			found = append(found, Finding{Path: folder, Text: "has no floor: enter it in floors, with what it may import and the reason"})
		}
	}
	t.code(func(f *File) {
		room, named := floors[f.Package()]
		if !named {
			return
		}
		importsOf(f, func(path string, at token.Pos) {
			own, ours := strings.CutPrefix(path, Module+"/")
			if ours && !slices.Contains(room.may, own) {
				found = append(found, Finding{f.Path, t.line(at), fmt.Sprintf("imports %s: %s", own, room.reason)})
			}
		})
	})
	return found
}

// checkFloorTable holds the table itself to its purpose: a permission for a
// package that does not exist is a mistake, and one for an importer of one's
// own is a cycle.
func checkFloorTable() []Finding {
	var found []Finding
	for folder, room := range floors {
		for _, below := range room.may {
			lower, named := floors[below]
			switch {
			case !named:
				found = append(found, Finding{Path: folder, Text: fmt.Sprintf("may import %s, which has no floor", below)})
			case slices.Contains(lower.may, folder):
				found = append(found, Finding{Path: folder, Text: fmt.Sprintf("and %s may import each other", below)})
			}
		}
	}
	return found
}

// ban keeps an import out of everywhere but a few folders.
type ban struct {
	path   string   // the import; with /... also all below it
	except []string // folders where it is welcome, with all below them
	reason string
}

var bans = []ban{
	{"gonum.org/v1/plot/...", []string{"reports"}, "it draws, and brings fonts and images along: only reports show anything"},
	{"flag", []string{"cmd"}, "settings reach a library as a Config"},
	{"github.com/spf13/pflag", []string{"cmd"}, "settings reach a library as a Config"},
	{"github.com/spf13/cobra/...", []string{"cmd"}, "settings reach a library as a Config"},
	{"os/signal", []string{"cmd"}, "a signal ends a context in cmd; libraries watch the context"},
	{"log", nil, "use log/slog: lines with fields, and no exit hidden in a log call"},
	{"math/rand", nil, "use math/rand/v2 with a seed of the scenario: runs must be repeatable"},
	{"io/ioutil", nil, "use io and os"},
	{"gopkg.in/yaml.v2", nil, "unmaintained: use go.yaml.in/yaml/v4"},
	{"gopkg.in/yaml.v3", nil, "unmaintained: use go.yaml.in/yaml/v4"},
	{"golang.org/x/perf/benchstat", nil, "deprecated: use benchfmt, benchproc and benchmath"},
	{"golang.org/x/perf/benchseries", nil, "it brings gonum/plot along"},
}

// pure has the packages without a clock, a socket or a file, and what they must
// therefore not import.
var pure = map[string][]string{
	"internal/dogstatsd":       {"net", "os", "time"},
	"internal/payload":         {"net", "os", "time"},
	"internal/quantity":        {"net", "os", "time"},
	"internal/payload/foreign": {"net", "os", "time"},
	"server/aggregate":         {"net", "os"},
	"regress":                  {"net", "os"},
	"regress/benchstat":        {"net", "os"},
	"regress/sizes":            {"net", "os"},
	"regress/changepoint":      {"net", "os", "time"},
	"regress/calibration":      {"net", "os"},
	"regress/saturation":       {"net", "os"},
	"regress/trend":            {"net", "os"},
	"internal/capability":      {"net", "os", "time"},
}

// within reports whether name is folder or stands below it.
func within(name, folder string) bool {
	return name == folder || strings.HasPrefix(name, folder+"/")
}

func checkImports(t *Tree) []Finding {
	var found []Finding
	t.code(func(f *File) {
		importsOf(f, func(path string, at token.Pos) {
			add := func(reason string) {
				found = append(found, Finding{f.Path, t.line(at), fmt.Sprintf("imports %s: %s", path, reason)})
			}
			for _, b := range bans {
				folder, tree := strings.CutSuffix(b.path, "/...")
				banned := path == folder || tree && within(path, folder)
				if banned && !slices.ContainsFunc(b.except, func(e string) bool { return within(f.Package(), e) }) {
					add(b.reason)
				}
			}
			for _, impure := range pure[f.Package()] {
				if within(path, impure) {
					add("this package is pure; its caller brings what comes from outside")
				}
			}
		})
	})
	return found
}

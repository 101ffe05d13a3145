package record

import (
	"cmp"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/perf/benchfmt"
)

// measureName is what the name of a measure looks like. Anything else could
// break out of its field in a benchmark line.
var measureName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// BenchLines writes the valid records in the Go benchmark format
// (https://go.dev/design/14313-benchmark-format), so that benchstat and its
// friends read them: compare the variants with
//
//	benchstat -col variant bench.txt
//
// A line is one replicate, BenchmarkScenario/name=burst_300k. The only
// configuration that differs between lines is the variant; anything else that
// did would split the table into two that are never compared. Measures that
// are absent are left out.
func BenchLines(w io.Writer, records []*Record) error {
	valid := slices.DeleteFunc(slices.Clone(records), func(r *Record) bool { return r.Invalid != "" })
	// By role first: each block of lines then has one header.
	slices.SortStableFunc(valid, func(a, b *Record) int {
		return cmp.Or(
			strings.Compare(a.Variant.Role, b.Variant.Role),
			strings.Compare(a.Scenario, b.Scenario),
			cmp.Compare(a.Replicate, b.Replicate),
		)
	})
	out := benchfmt.NewWriter(w)
	units, err := unitLines(valid)
	if err != nil {
		return err
	}
	for _, u := range units {
		if err := out.Write(u); err != nil {
			return fmt.Errorf("cannot write benchmark lines: %w", err)
		}
	}
	for _, r := range valid {
		if len(r.Measures) == 0 {
			continue // a line without a value is none
		}
		if err := out.Write(benchResult(r)); err != nil {
			return fmt.Errorf("cannot write benchmark lines: %w", err)
		}
	}
	return nil
}

func benchResult(r *Record) *benchfmt.Result {
	result := &benchfmt.Result{
		Name:  benchfmt.Name("Scenario/name=" + r.Scenario),
		Iters: 1,
	}
	for _, c := range []struct{ key, value string }{
		{"goos", r.Environment.OS},
		{"goarch", r.Environment.Arch},
		{"cpu", strings.Join(strings.Fields(r.Environment.CPUModel), " ")},
		{"variant", r.Variant.Role},
	} {
		if c.value != "" {
			result.Config = append(result.Config, benchfmt.Config{Key: c.key, Value: []byte(c.value), File: true})
		}
	}
	for _, m := range r.Measures {
		result.Values = append(result.Values, benchfmt.Value{Value: m.Value, Unit: BenchUnit(m.Name, m.Unit)})
	}
	return result
}

// unitLines says of each unit in which direction it is better, once, in the
// order in which the records name them.
func unitLines(records []*Record) ([]*benchfmt.UnitMetadata, error) {
	var lines []*benchfmt.UnitMetadata
	seen := map[string]Measure{} // by unit
	for _, r := range records {
		for _, m := range r.Measures {
			if !measureName.MatchString(m.Name) {
				return nil, fmt.Errorf("cannot write benchmark lines: %q is no name of a measure: want lower-case letters, digits and underscores", m.Name)
			}
			unit := BenchUnit(m.Name, m.Unit)
			first, found := seen[unit]
			if !found {
				seen[unit] = m
				lines = append(lines, &benchfmt.UnitMetadata{
					UnitMetadataKey: benchfmt.UnitMetadataKey{Unit: unit, Key: "better"},
					OrigUnit:        unit,
					Value:           m.Better,
				})
				continue
			}
			if first.Name != m.Name || first.Better != m.Better {
				return nil, fmt.Errorf("cannot write benchmark lines: %s (%s is better) and %s (%s is better) have the same unit %s",
					first.Name, first.Better, m.Name, m.Better, unit)
			}
		}
	}
	return lines, nil
}

// benchUnits turns our units into words that the benchmark tools leave alone:
// they rescale ns and MB wherever these stand, and print a B in binary steps.
var benchUnits = map[string]string{
	"s":          "sec",
	"B":          "B",
	"messages":   "messages",
	"datagrams":  "datagrams",
	"millicores": "millicores",
	"ratio":      "",
	"count":      "",
}

// BenchUnit is the unit of a measure in benchmark lines. It carries the name of
// the measure, because the benchmark format knows measures only by their
// units: rss_peak in B is rss-peak-B, cpu_per_message in s is cpu-sec/message.
func BenchUnit(name, unit string) string {
	word, known := benchUnits[unit]
	if !known {
		word = strings.Join(strings.Fields(unit), "-")
	}
	name, per, _ := strings.Cut(name, "_per_")
	name = strings.ReplaceAll(name, "_", "-")
	// A name that ends in its own unit does not say it twice.
	for _, spelled := range []string{"-seconds", "-bytes", "-" + word} {
		name = strings.TrimSuffix(name, spelled)
	}
	if word != "" {
		name += "-" + word
	}
	if per != "" {
		name += "/" + strings.ReplaceAll(per, "_", "-")
	}
	return name
}

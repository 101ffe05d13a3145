package scenarios

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// operators are the comparisons of a check.
var operators = []string{"<=", ">=", "=="}

// checks reads the list of checks. An item is the check itself, or a mapping
// that says more about it.
func (r *reader) checks(to *[]Check, v value) {
	r.list(v, `checks such as "lost_messages <= 0"`, func(v value) {
		var c Check
		informational, before := false, r.total
		if v.node.Kind == yaml.MappingNode {
			r.mapping(v,
				field{"check", true, scalarInto(r, &c, asCheck, parseCheck)},
				field{"informational", false, scalarInto(r, &informational, asBool, boolean)},
			)
		} else {
			scalarInto(r, &c, asCheck, parseCheck)(v)
		}
		if r.total != before {
			return
		}
		c.Informational, c.Line = informational, v.line
		twice := slices.IndexFunc(*to, func(o Check) bool { return o.Measure.Name == c.Measure.Name && o.Op == c.Op })
		if twice >= 0 {
			r.add(v.line, "%s: %s is limited by %s already in line %d: want one bound", v.path, c.Measure.Name, c.Op, (*to)[twice].Line)
			return
		}
		*to = append(*to, c)
	})
}

// parseCheck reads a check: measure, operator, bound.
func parseCheck(text string) (Check, error) {
	start := strings.IndexAny(text, "<>=!")
	if start < 0 {
		return Check{}, fmt.Errorf(`%q is no check: want a measure, one of %s, and a bound, such as "rss_peak <= 64MiB"`, clip(text), strings.Join(operators, " "))
	}
	rest := strings.TrimLeft(text[start:], "<>=!")
	op := text[start : len(text)-len(rest)]
	if !slices.Contains(operators, op) {
		return Check{}, fmt.Errorf("%q is no comparison: want one of %s", clip(op), strings.Join(operators, " "))
	}
	m, err := parseMeasure(strings.TrimSpace(text[:start]))
	if err != nil {
		return Check{}, err
	}
	bound, err := ParseQuantity(strings.TrimSpace(rest), m.Unit)
	if err != nil {
		return Check{}, fmt.Errorf("bound of %s: %w", m.Name, err)
	}
	return Check{Measure: m, Op: op, Bound: bound}, nil
}
